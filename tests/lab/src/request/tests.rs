//! Cascades happen by themselves: what spans show of a broken world, under a clock that jumps ahead.

use super::*;
use crate::scenario::{Fault, FaultKind, Scenario};
use epicenter_proto::otlp::trace::{Span, span::SpanKind};

const CHAIN: &str = r#"
    name = "chain"
    rate = 1.0
    rhythm = { healthy = "1s", broken = "1s", pause = "1s" }
    entry = [{ service = "top", operation = "GET /" }]
    database = [{ name = "db", system = "mysql", workers = 4, work_ms = 5.0 }]

    [[service]]
    name = "top"
    operation = [{ name = "GET /", work_ms = 1.0, steps = [{ call = "middle", operation = "GET /", timeout_ms = 1000, retries = 1 }] }]
    [[service]]
    name = "middle"
    pods = 1
    workers = 4
    operation = [{ name = "GET /", work_ms = 1.0, steps = [{ query = "db", statement = "SELECT x" }] }]
"#;

/// Plays `requests` requests 10 ms apart after breaking the world, and returns the spans by service.
async fn play(fault: Option<(FaultKind, &str)>, requests: usize, seed: u64) -> Vec<(String, Span)> {
    let scenario = Scenario::parse(CHAIN).expect("valid");
    let world = Arc::new(World::new(scenario, seed));
    if let Some((kind, target)) = fault {
        world.break_it(&Fault {
            kind,
            target: target.to_owned(),
        });
    }
    let mut tasks = tokio::task::JoinSet::new();
    for _ in 0..requests {
        tasks.spawn(enter(Arc::clone(&world), "top".to_owned(), "GET /".to_owned()));
        sleep(Duration::from_millis(10)).await;
    }
    while tasks.join_next().await.is_some() {}
    // What callers gave up on is still worked on.
    sleep(Duration::from_secs(60)).await;
    let mut spans = Vec::new();
    for running in &world.services {
        for pod in &running.pods {
            spans.extend(
                pod.take_spans()
                    .into_iter()
                    .map(|span| (running.service.name.clone(), span)),
            );
        }
    }
    spans
}

fn count(spans: &[(String, Span)], service: &str, kind: SpanKind) -> usize {
    spans
        .iter()
        .filter(|(s, span)| s == service && span.kind() == kind)
        .count()
}

fn failed(span: &Span) -> bool {
    span.status.as_ref().is_some_and(|status| status.code == 2)
}

#[tokio::test(start_paused = true)]
async fn at_rest_every_call_has_its_server_and_nothing_fails() {
    let spans = play(None, 50, 1).await;
    assert_eq!(count(&spans, "top", SpanKind::Client), 50);
    assert_eq!(count(&spans, "middle", SpanKind::Server), 50);
    assert!(spans.iter().all(|(_, span)| !failed(span)));
}

#[tokio::test(start_paused = true)]
async fn a_dead_service_sends_nothing_and_its_callers_fail() {
    let spans = play(Some((FaultKind::Crash, "middle")), 20, 1).await;
    assert_eq!(count(&spans, "middle", SpanKind::Server), 0);
    // Each is tried twice.
    assert_eq!(count(&spans, "top", SpanKind::Client), 40);
    assert!(spans.iter().all(|(_, span)| failed(span)));
}

#[tokio::test(start_paused = true)]
async fn a_slow_database_fills_the_workers_above_it() {
    let spans = play(Some((FaultKind::SlowDatabase, "db")), 200, 1).await;
    let waited = |span: &Span| (span.end_time_unix_nano - span.start_time_unix_nano) / 1_000_000;
    let calls: Vec<_> = spans
        .iter()
        .filter(|(s, span)| s == "top" && span.kind() == SpanKind::Client)
        .collect();
    let slow = calls.iter().filter(|(_, span)| waited(span) >= 900).count();
    // 200 requests in 2 s, four at a time, 150 ms each: most wait until they give up.
    assert!(slow > 50, "{slow} of {} waited", calls.len());
    assert!(calls.len() > 200, "those who gave up tried again: {}", calls.len());
}

#[tokio::test(start_paused = true)]
async fn the_same_seed_gives_the_same_names_and_draws() {
    let scenario = Scenario::parse(CHAIN).expect("valid");
    let (a, b) = (World::new(scenario.clone(), 7), World::new(scenario, 7));
    assert_eq!(a.services[1].pods[0].name, b.services[1].pods[0].name);
    assert!((a.work_ms(10.0) - b.work_ms(10.0)).abs() < f64::EPSILON);
}
