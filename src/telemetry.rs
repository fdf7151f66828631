//! The program's own telemetry: logs to standard error, and traces by OTLP when an endpoint is configured.
//!
//! Epicenter must not watch itself watching: without `[telemetry] otlp_endpoint` no trace of its own is made, and the
//! exporter's own network calls are filtered out, so pointing it at itself does not feed back.

use anyhow::Context;
use opentelemetry::trace::TracerProvider;
use opentelemetry_otlp::WithExportConfig;
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::trace::SdkTracerProvider;
use serde::{Deserialize, Serialize};
use std::io::IsTerminal;
use tracing_subscriber::filter::{EnvFilter, LevelFilter, Targets};
use tracing_subscriber::{Layer, layer::SubscriberExt, util::SubscriberInitExt};

/// The program's own telemetry.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Config {
    /// Where the program's own traces go, as an OTLP gRPC URL such as `http://127.0.0.1:4317`. Absent: nowhere.
    pub(crate) otlp_endpoint: Option<String>,
    /// Form of the log lines on standard error: `text` (default) or `json`.
    pub(crate) log_format: LogFormat,
}

/// Form of a log line.
#[derive(Clone, Copy, Debug, Default, Deserialize, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum LogFormat {
    /// One line for people.
    #[default]
    Text,
    /// One JSON object a line.
    Json,
}

/// Keeps the exporter alive; `stop` sends what is left.
pub(crate) struct Running {
    provider: Option<SdkTracerProvider>,
}

impl Running {
    pub(crate) fn stop(self) {
        if let Some(provider) = self.provider
            && let Err(error) = provider.shutdown()
        {
            tracing::warn!(%error, "could not flush own traces");
        }
    }
}

/// Installs the log and, when configured, the trace exporter. Must be called within the runtime.
///
/// The level is taken from `RUST_LOG` (default: `info`).
pub(crate) fn start(config: &Config) -> anyhow::Result<Running> {
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new("info"));
    let log = tracing_subscriber::fmt::layer()
        .with_writer(std::io::stderr)
        .with_ansi(std::io::stderr().is_terminal());
    let log = match config.log_format {
        LogFormat::Text => log.boxed(),
        LogFormat::Json => log.json().boxed(),
    };
    let provider = config.otlp_endpoint.as_deref().map(provider).transpose()?;
    let traces = provider.as_ref().map(|provider| {
        let own_spans = Targets::new().with_target("epicenter", LevelFilter::INFO);
        tracing_opentelemetry::layer()
            .with_tracer(provider.tracer("epicenter"))
            .with_filter(own_spans)
    });
    tracing_subscriber::registry()
        .with(traces)
        .with(log.with_filter(filter))
        .try_init()
        .context("could not install the log")?;
    Ok(Running { provider })
}

fn provider(endpoint: &str) -> anyhow::Result<SdkTracerProvider> {
    let exporter = opentelemetry_otlp::SpanExporter::builder()
        .with_tonic()
        .with_endpoint(endpoint)
        .build()
        .with_context(|| format!("telemetry.otlp_endpoint: could not use {endpoint:?}"))?;
    let resource = Resource::builder().with_service_name("epicenter").build();
    Ok(SdkTracerProvider::builder()
        .with_batch_exporter(exporter)
        .with_resource(resource)
        .build())
}
