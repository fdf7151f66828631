//! Which services run, in which order they start and stop. Spans flow collector -> storage -> query, so the start is
//! storage first and the stop is collector first: nothing is received that could not be kept, and everything received
//! is kept before the last one closes.

use crate::clock;
use crate::config::Config;
use anyhow::Context;
use epicenter_query::MetricsWriter;
use std::io::Write;
use std::net::SocketAddr;
use std::sync::Arc;
use tokio_util::sync::CancellationToken;

/// Starts everything, says on standard output when it is ready, and runs until `shutdown` or until a service fails.
pub(crate) async fn run(config: Config, shutdown: CancellationToken) -> anyhow::Result<()> {
    let clock: epicenter_storage::Clock = Arc::new(clock::now);
    let decoder: epicenter_storage::Decoder = Arc::new(|payload| {
        let decoded = epicenter_collector::otlp::decode::flat(payload)?;
        Ok(decoded.spans)
    });
    let (store, storage) = config
        .storage
        .build(&config.data_dir, decoder, Arc::clone(&clock))
        .await
        .with_context(|| format!("could not open the data folder {}", config.data_dir.display()))?;

    let collector = config.collector.build(store.clone());
    let receiving = collector.metrics();
    let kept = store.clone();
    let metrics: Vec<MetricsWriter> = vec![
        Arc::new(move |out| receiving.write_prometheus(out)),
        Arc::new(move |out| kept.metrics().write_prometheus(out)),
    ];
    let query = config
        .query
        .build(
            store,
            epicenter_incident::Engine::new(config.incident),
            &config.data_dir,
            clock,
            metrics,
            epicenter_ui::router(),
        )
        .context("could not start the query service")?;

    let collector = collector.bind().await.context("could not start receiving spans")?;
    let query = query.bind().await.context("could not start serving queries")?;
    announce(collector.otlp_grpc(), collector.otlp_http(), query.http())?;

    // One token each, cancelled in order, so that the last request received is still kept.
    let stops = [
        CancellationToken::new(),
        CancellationToken::new(),
        CancellationToken::new(),
    ];
    let [stop_receiving, stop_answering, stop_keeping] = stops.clone();
    let mut receiving = tokio::spawn(async move { collector.run(stop_receiving).await.map_err(anyhow::Error::from) });
    let mut answering = tokio::spawn(async move { query.run(stop_answering).await.map_err(anyhow::Error::from) });
    let mut keeping = tokio::spawn(async move { storage.run(stop_keeping).await.map_err(anyhow::Error::from) });

    let mut ended = None;
    tokio::select! {
        () = shutdown.cancelled() => tracing::info!("stopping"),
        result = &mut receiving => ended = Some(("collector", flatten(result))),
        result = &mut answering => ended = Some(("query", flatten(result))),
        result = &mut keeping => ended = Some(("storage", flatten(result))),
    }
    let first = ended.as_ref().map(|(name, _)| *name);
    for ((name, task), stop) in [
        ("collector", &mut receiving),
        ("query", &mut answering),
        ("storage", &mut keeping),
    ]
    .into_iter()
    .zip(&stops)
    {
        stop.cancel();
        if first != Some(name) {
            flatten(task.await).with_context(|| format!("{name} did not stop cleanly"))?;
        }
    }
    match ended {
        Some((name, result)) => result.with_context(|| format!("{name} failed"))?,
        None => tracing::info!("stopped"),
    }
    Ok(())
}

/// The one line on standard output that scripts wait for.
fn announce(otlp_grpc: SocketAddr, otlp_http: SocketAddr, http: SocketAddr) -> std::io::Result<()> {
    let ready = serde_json::json!({
        "event": "ready",
        "otlp_grpc": otlp_grpc.to_string(),
        "otlp_http": otlp_http.to_string(),
        "http": http.to_string(),
    });
    let mut out = std::io::stdout().lock();
    writeln!(out, "{ready}")?;
    out.flush()
}

fn flatten(result: Result<anyhow::Result<()>, tokio::task::JoinError>) -> anyhow::Result<()> {
    result.context("a service panicked")?
}
