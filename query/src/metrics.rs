//! What the query service counts. Every metric of this crate is listed here.

use crate::live::past::Size;
use epicenter_incident::Counters;
use std::collections::BTreeMap;
use std::fmt::Write;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

/// Appends samples in the Prometheus text format.
pub type MetricsWriter = std::sync::Arc<dyn Fn(&mut String) + Send + Sync>;

/// Upper bounds of the buckets for durations of requests, in seconds: those of the OpenTelemetry semantic conventions.
const BOUNDS_SECONDS: [f64; 14] = [
    0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1.0, 2.5, 5.0, 7.5, 10.0,
];
/// Kinds of requests told apart; there are a dozen routes, a few methods and a few statuses.
const REQUEST_KINDS_MAX: usize = 512;

/// A kind of request.
#[derive(Clone, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(crate) struct RequestKind {
    pub(crate) method: &'static str,
    /// The template of the path, not the path: there are few of them.
    pub(crate) route: String,
    pub(crate) status: u16,
}

#[derive(Debug, Default)]
struct Durations {
    buckets: [u64; BOUNDS_SECONDS.len()],
    count: u64,
    seconds: f64,
}

/// Counters and gauges of the query service.
#[derive(Debug, Default)]
pub(crate) struct Metrics {
    requests: Mutex<BTreeMap<RequestKind, Durations>>,
    refused: AtomicU64,
    pages_delivered: AtomicU64,
    pages_retried: AtomicU64,
    pages_given_up: AtomicU64,
    incidents_opened: AtomicU64,
    incidents_resolved: AtomicU64,
    incidents_open: AtomicU64,
    live_panics: AtomicU64,
    live_behind_ns: AtomicU64,
    live_replayed: AtomicBool,
}

/// What is asked of others when the metrics are written.
pub(crate) struct Asked {
    /// The engine's counters.
    pub(crate) engine: Counters,
    /// Pages that wait.
    pub(crate) pages_waiting: usize,
    /// What there is of the graph's past.
    pub(crate) past: Size,
}

impl Metrics {
    pub(crate) fn request(&self, kind: RequestKind, took: Duration) {
        let seconds = took.as_secs_f64();
        let mut requests = self.requests.lock().unwrap_or_else(PoisonError::into_inner);
        if requests.len() >= REQUEST_KINDS_MAX && !requests.contains_key(&kind) {
            return;
        }
        let durations = requests.entry(kind).or_default();
        durations.count += 1;
        durations.seconds += seconds;
        if let Some(bucket) = BOUNDS_SECONDS.iter().position(|bound| seconds <= *bound) {
            durations.buckets[bucket] += 1;
        }
    }

    pub(crate) fn refused(&self) {
        self.refused.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn page_delivered(&self) {
        self.pages_delivered.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn page_retried(&self) {
        self.pages_retried.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn pages_given_up(&self, count: u64) {
        self.pages_given_up.fetch_add(count, Ordering::Relaxed);
    }

    pub(crate) fn incident_opened(&self) {
        self.incidents_opened.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn incident_resolved(&self) {
        self.incidents_resolved.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn set_incidents_open(&self, count: usize) {
        self.incidents_open.store(count as u64, Ordering::Relaxed);
    }

    pub(crate) fn live_panicked(&self) {
        self.live_panics.fetch_add(1, Ordering::Relaxed);
    }

    /// How far the live loop's last item is behind the clock.
    pub(crate) fn set_live_behind_ns(&self, ns: u64) {
        self.live_behind_ns.store(ns, Ordering::Relaxed);
    }

    /// The log of before the start has been read again.
    pub(crate) fn set_live_replayed(&self) {
        self.live_replayed.store(true, Ordering::Relaxed);
    }

    pub(crate) fn write_prometheus(&self, asked: &Asked, out: &mut String) {
        self.write_requests(out);
        let own = |value: &AtomicU64| value.load(Ordering::Relaxed);
        let engine = &asked.engine;
        for (name, help, value) in [
            (
                "epicenter_query_refused_total",
                "Requests refused because too many were running.",
                own(&self.refused),
            ),
            (
                "epicenter_pages_delivered_total",
                "Pages that their receiver took.",
                own(&self.pages_delivered),
            ),
            (
                "epicenter_pages_retried_total",
                "Attempts at a page that failed.",
                own(&self.pages_retried),
            ),
            (
                "epicenter_pages_given_up_total",
                "Pages that were given up.",
                own(&self.pages_given_up),
            ),
            (
                "epicenter_incidents_opened_total",
                "Incidents opened.",
                own(&self.incidents_opened),
            ),
            (
                "epicenter_incidents_resolved_total",
                "Incidents resolved.",
                own(&self.incidents_resolved),
            ),
            (
                "epicenter_live_panics_total",
                "Defects that the live loop survived.",
                own(&self.live_panics),
            ),
            (
                "epicenter_live_spans_total",
                "Spans that the live loop took in.",
                engine.observed,
            ),
            (
                "epicenter_live_late_spans_total",
                "Spans that came too late for the graph.",
                engine.late,
            ),
            (
                "epicenter_live_late_counted_spans_total",
                "Spans that came after their window was judged, counted in the graph.",
                engine.late_counted,
            ),
            (
                "epicenter_live_orphaned_spans_total",
                "Spans whose parent was not received.",
                engine.orphaned,
            ),
            (
                "epicenter_live_sampled_spans_total",
                "Spans that stand for more than themselves by their trace state.",
                engine.sampled,
            ),
            (
                "epicenter_live_repeated_spans_total",
                "Spans that were received more than once.",
                engine.repeated,
            ),
            (
                "epicenter_live_oversized_spans_total",
                "Spans beyond the largest trace looked at.",
                engine.oversized,
            ),
            (
                "epicenter_live_hurried_traces_total",
                "Traces dropped, too many were waiting.",
                engine.hurried,
            ),
            (
                "epicenter_live_hurried_spans_total",
                "Spans of dropped traces.",
                engine.hurried_spans,
            ),
            (
                "epicenter_live_hurried_windows_total",
                "Windows that wait less than a minute for late spans, too many are held.",
                engine.hurried_windows,
            ),
            (
                "epicenter_live_unanswered_calls_total",
                "Calls with no span behind them.",
                engine.unanswered,
            ),
            (
                "epicenter_live_overflowed_total",
                "Operations and edges beyond what a window keeps.",
                engine.overflowed,
            ),
            (
                "epicenter_graph_past_lost_slots_total",
                "Half minutes of the graph that the disk was too slow for.",
                asked.past.lost,
            ),
            ("epicenter_live_windows_total", "Windows judged.", engine.windows),
        ] {
            let _ = writeln!(out, "# HELP {name} {help}\n# TYPE {name} counter\n{name} {value}");
        }
        let behind = own(&self.live_behind_ns) as f64 / 1e9;
        let replaying = u8::from(!self.live_replayed.load(Ordering::Relaxed));
        for (name, help, value) in [
            (
                "epicenter_incidents_open",
                "Incidents open now.",
                own(&self.incidents_open) as f64,
            ),
            (
                "epicenter_pages_waiting",
                "Pages still to be delivered.",
                asked.pages_waiting as f64,
            ),
            (
                "epicenter_graph_past_files",
                "Files of the graph's past.",
                asked.past.files as f64,
            ),
            (
                "epicenter_graph_past_bytes",
                "Size of the graph's past on disk.",
                asked.past.bytes as f64,
            ),
            (
                "epicenter_live_behind_seconds",
                "Age of what the live loop saw last.",
                behind,
            ),
            (
                "epicenter_live_replaying",
                "1 while the log of before the start is read again.",
                f64::from(replaying),
            ),
        ] {
            let _ = writeln!(out, "# HELP {name} {help}\n# TYPE {name} gauge\n{name} {value}");
        }
    }

    fn write_requests(&self, out: &mut String) {
        let name = "http_server_request_duration_seconds";
        let _ = writeln!(out, "# HELP {name} Duration of requests.\n# TYPE {name} histogram");
        let requests = self.requests.lock().unwrap_or_else(PoisonError::into_inner);
        for (RequestKind { method, route, status }, durations) in &*requests {
            let labels = format!(
                "http_request_method=\"{method}\",http_route=\"{route}\",http_response_status_code=\"{status}\""
            );
            let mut sum = 0;
            for (bound, count) in BOUNDS_SECONDS.iter().zip(durations.buckets) {
                sum += count;
                let _ = writeln!(out, "{name}_bucket{{{labels},le=\"{bound}\"}} {sum}");
            }
            let _ = writeln!(out, "{name}_bucket{{{labels},le=\"+Inf\"}} {}", durations.count);
            let _ = writeln!(out, "{name}_sum{{{labels}}} {}", durations.seconds);
            let _ = writeln!(out, "{name}_count{{{labels}}} {}", durations.count);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_metric_is_described_once_and_buckets_add_up() {
        let metrics = Metrics::default();
        let kind = RequestKind {
            method: "GET",
            route: "/api/v1/graph".to_owned(),
            status: 200,
        };
        metrics.request(kind.clone(), Duration::from_millis(7));
        metrics.request(kind, Duration::from_secs(60));
        let mut out = String::new();
        metrics.write_prometheus(
            &Asked {
                engine: Counters::default(),
                pages_waiting: 2,
                past: Size::default(),
            },
            &mut out,
        );
        let labels = "http_request_method=\"GET\",http_route=\"/api/v1/graph\",http_response_status_code=\"200\"";
        for line in [
            format!("http_server_request_duration_seconds_bucket{{{labels},le=\"0.005\"}} 0"),
            format!("http_server_request_duration_seconds_bucket{{{labels},le=\"10\"}} 1"),
            format!("http_server_request_duration_seconds_bucket{{{labels},le=\"+Inf\"}} 2"),
            "epicenter_pages_waiting 2".to_owned(),
        ] {
            assert!(out.lines().any(|found| found == line), "{line} is not in\n{out}");
        }
        let mut described: Vec<&str> = out.lines().filter_map(|line| line.strip_prefix("# TYPE ")).collect();
        let all = described.len();
        described.sort_unstable();
        described.dedup();
        assert_eq!(described.len(), all);
    }
}
