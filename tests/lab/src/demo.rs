//! `epicenter demo`: a simulated system that sends real OTLP and breaks something every few minutes, while the terminal says
//! what it broke.

use crate::export::Exporter;
use crate::request;
use crate::scenario::{Fault, FaultKind, Scenario};
use crate::spans::origin;
use crate::world::World;
use anyhow::{Context, Result, bail};
use std::io::Write;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, SystemTime, UNIX_EPOCH};
use tokio::time::{Instant, sleep, sleep_until};
use tokio_util::sync::CancellationToken;

/// Requests in the system at once; beyond it arrivals are turned away, as a load balancer would.
const IN_FLIGHT_MAX: usize = 4_096;

/// Options of the demo.
#[derive(clap::Args, Clone, Debug)]
pub struct DemoArgs {
    /// Where the spans go: OTLP over gRPC
    #[arg(long, default_value = "http://127.0.0.1:4317", value_name = "URL")]
    pub endpoint: String,
    /// Another system than the shop, from a file
    #[arg(long, value_name = "FILE")]
    pub scenario: Option<PathBuf>,
    /// Seed of the system's names and of its draws
    #[arg(long, default_value_t = 1, value_name = "N")]
    pub seed: u64,
    /// Requests a second, instead of the scenario's
    #[arg(long, value_name = "N")]
    pub rate: Option<f64>,
    /// Only faults of this kind, such as `crash` or `slow_database`
    #[arg(long, value_name = "KIND")]
    pub fault: Option<String>,
    /// How long everything is healthy at first, instead of the scenario's
    #[arg(long, value_name = "TIME")]
    pub healthy: Option<humantime::Duration>,
    /// How long something stays broken, instead of the scenario's
    #[arg(long, value_name = "TIME")]
    pub broken: Option<humantime::Duration>,
    /// How long everything is healthy between two faults, instead of the scenario's
    #[arg(long, value_name = "TIME")]
    pub pause: Option<humantime::Duration>,
}

/// Runs until told to stop, or until the scenario is over.
///
/// # Errors
/// A scenario that cannot be read, or an endpoint that is no URL.
pub async fn run(args: DemoArgs, shutdown: CancellationToken) -> Result<()> {
    let scenario = scenario(&args)?;
    let epoch = now_ns();
    origin();
    let exporter = Arc::new(Exporter::new(&args.endpoint, epoch).context("--endpoint")?);
    let world = Arc::new(World::new(scenario, args.seed));
    world.mend();
    let mut tasks = tokio::task::JoinSet::new();
    for service in 0..world.services.len() {
        let (world, exporter) = (Arc::clone(&world), Arc::clone(&exporter));
        tasks.spawn(async move { exporter.run(world, service, |text| say(&text)).await });
    }
    tasks.spawn(visitors(Arc::clone(&world), args.seed));
    tokio::select! {
        () = shutdown.cancelled() => say("stopped"),
        () = troubles(&world) => say("the scenario is over"),
    }
    // What happened last is still sent.
    tokio::select! {
        () = shutdown.cancelled() => {}
        () = sleep(Duration::from_secs(3)) => {}
    }
    tasks.shutdown().await;
    Ok(())
}

fn scenario(args: &DemoArgs) -> Result<Scenario> {
    let mut scenario = match &args.scenario {
        Some(path) => Scenario::read(path)?,
        None => Scenario::shop()?,
    };
    if let Some(rate) = args.rate {
        scenario.rate = rate;
    }
    let set = |time: Option<humantime::Duration>, place: &mut Duration| {
        if let Some(time) = time {
            *place = time.into();
        }
    };
    set(args.healthy, &mut scenario.rhythm.healthy);
    set(args.broken, &mut scenario.rhythm.broken);
    set(args.pause, &mut scenario.rhythm.pause);
    if let Some(kind) = &args.fault {
        let wanted: FaultKind = toml::Value::String(kind.clone()).try_into().context("--fault")?;
        scenario.faults.retain(|fault| fault.kind == wanted);
        if scenario.faults.is_empty() {
            bail!("--fault: the scenario {} has no fault of kind {kind}", scenario.name);
        }
    }
    Ok(scenario)
}

/// Requests come in at random, at the scenario's rate.
async fn visitors(world: Arc<World>, seed: u64) {
    let mut rng = fastrand::Rng::with_seed(seed ^ 0x5eed);
    let total: f64 = world.scenario.entries.iter().map(|e| e.weight).sum();
    let in_flight = Arc::new(tokio::sync::Semaphore::new(IN_FLIGHT_MAX));
    let mut next = Instant::now();
    loop {
        let rate = world.scenario.rate * world.traffic.load(Ordering::Relaxed) as f64 / 1000.0;
        next += Duration::from_secs_f64((-(1.0 - rng.f64()).ln() / rate).min(10.0));
        sleep_until(next).await;
        let mut draw = rng.f64() * total;
        let entry = world.scenario.entries.iter().find(|entry| {
            draw -= entry.weight;
            draw <= 0.0
        });
        let Some(entry) = entry.or(world.scenario.entries.last()) else {
            return;
        };
        let Ok(room) = Arc::clone(&in_flight).try_acquire_owned() else {
            continue;
        };
        let (world, service, operation) = (Arc::clone(&world), entry.service.clone(), entry.operation.clone());
        tokio::spawn(async move {
            request::enter(world, service, operation).await;
            drop(room);
        });
    }
}

/// Breaks and mends in the scenario's rhythm.
async fn troubles(world: &World) {
    let (rhythm, faults) = (world.scenario.rhythm, world.scenario.faults.clone());
    let services = world.services.len();
    say(&format!(
        "{}: {services} services, {:.0} requests a second, all healthy for {}",
        world.scenario.name,
        world.scenario.rate,
        humantime::format_duration(rhythm.healthy)
    ));
    sleep(rhythm.healthy).await;
    if faults.is_empty() {
        std::future::pending::<()>().await;
    }
    loop {
        for (index, fault) in faults.iter().enumerate() {
            once(world, rhythm.broken, fault).await;
            let is_last = index + 1 == faults.len() && !rhythm.again;
            if !is_last {
                say(&format!("healthy for {}", humantime::format_duration(rhythm.pause)));
            }
            sleep(rhythm.pause).await;
        }
        if !rhythm.again {
            return;
        }
    }
}

async fn once(world: &World, length: Duration, fault: &Fault) {
    let what = world.break_it(fault);
    say(&format!("BROKE   {what}"));
    sleep(length).await;
    world.mend();
    say("mended");
}

/// One line with the time of day, UTC. A terminal that is gone is no reason to stop.
fn say(text: &str) {
    let seconds = now_ns() / 1_000_000_000 % 86_400;
    let (hours, minutes, seconds) = (seconds / 3600, seconds / 60 % 60, seconds % 60);
    let mut out = std::io::stdout().lock();
    let _ = writeln!(out, "{hours:02}:{minutes:02}:{seconds:02}  {text}").and_then(|()| out.flush());
}

#[expect(
    clippy::disallowed_methods,
    reason = "the demo is a client with a clock of its own, as services have"
)]
fn now_ns() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_nanos()).unwrap_or(u64::MAX)
}
