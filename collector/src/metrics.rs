//! The collector's metrics, all of them.
//!
//! | name | what |
//! |---|---|
//! | `epicenter_collector_requests_total{transport,encoding,outcome}` | requests answered |
//! | `epicenter_collector_refused_connections_total{transport}` | connections closed because there were too many |
//! | `epicenter_collector_accepted_spans_total` | spans appended and acknowledged |
//! | `epicenter_collector_rejected_spans_total{reason}` | spans refused within requests that were taken |
//! | `epicenter_collector_end_before_start_spans_total` | spans kept whose end lies before their start |
//! | `epicenter_collector_bad_input_total{kind}` | requests refused for good |
//! | `epicenter_collector_received_bytes_total` | bytes of bodies as received |
//! | `epicenter_collector_inflated_bytes_total` | the same bodies, inflated |
//! | `epicenter_collector_in_flight_bytes` | bytes held now |
//! | `epicenter_collector_decode_duration_seconds` | inflating and decoding, a request |

use crate::admit::Gate;
use crate::otlp::decode::{Flat, Reason};
use crate::receive::Format;
use crate::refusal::{BadInput, Refusal};
use std::fmt::Write;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Duration;

/// How a request came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Transport {
    Grpc,
    Http,
}

const TRANSPORTS: [&str; 2] = ["grpc", "http"];
const ENCODINGS: [&str; 2] = ["protobuf", "json"];
const OUTCOMES: [&str; 5] = ["accepted", "partial", "refused", "overloaded", "unavailable"];
/// Upper bounds of the decode histogram, in microseconds.
const DECODE_BOUNDS_US: [u64; 8] = [100, 300, 1_000, 3_000, 10_000, 30_000, 100_000, 1_000_000];

/// Counts since the start.
#[derive(Debug)]
pub struct Metrics {
    gate: Arc<Gate>,
    requests: [[[AtomicU64; OUTCOMES.len()]; ENCODINGS.len()]; TRANSPORTS.len()],
    refused_connections: [AtomicU64; TRANSPORTS.len()],
    accepted_spans: AtomicU64,
    rejected_spans: [AtomicU64; Reason::ALL.len()],
    end_before_start: AtomicU64,
    bad_input: [AtomicU64; BadInput::ALL.len()],
    received_bytes: AtomicU64,
    inflated_bytes: AtomicU64,
    decode_buckets: [AtomicU64; DECODE_BOUNDS_US.len() + 1],
    decode_nanos: AtomicU64,
}

impl Metrics {
    pub(crate) fn new(gate: Arc<Gate>) -> Self {
        Self {
            gate,
            requests: Default::default(),
            refused_connections: Default::default(),
            accepted_spans: AtomicU64::default(),
            rejected_spans: Default::default(),
            end_before_start: AtomicU64::default(),
            bad_input: Default::default(),
            received_bytes: AtomicU64::default(),
            inflated_bytes: AtomicU64::default(),
            decode_buckets: Default::default(),
            decode_nanos: AtomicU64::default(),
        }
    }

    /// A connection was closed because there were too many.
    pub(crate) fn connection_refused(&self, transport: Transport) {
        self.refused_connections[transport as usize].fetch_add(1, Relaxed);
    }

    /// A request was answered; `refused` says why, unless it was taken.
    pub(crate) fn answered(&self, transport: Transport, format: Format, partial: bool, refused: Option<&Refusal>) {
        let outcome = match refused {
            None if partial => 1,
            None => 0,
            Some(Refusal::Bad { kind, .. }) => {
                self.bad_input[*kind as usize].fetch_add(1, Relaxed);
                2
            }
            Some(Refusal::Overloaded { .. }) => 3,
            Some(Refusal::Unavailable { .. }) => 4,
        };
        self.requests[transport as usize][format as usize][outcome].fetch_add(1, Relaxed);
    }

    pub(crate) fn decoded(&self, received: usize, inflated: usize, took: Duration) {
        self.received_bytes.fetch_add(received as u64, Relaxed);
        self.inflated_bytes.fetch_add(inflated as u64, Relaxed);
        let micros = took.as_micros() as u64;
        let bucket = DECODE_BOUNDS_US
            .iter()
            .position(|bound| micros <= *bound)
            .unwrap_or(DECODE_BOUNDS_US.len());
        self.decode_buckets[bucket].fetch_add(1, Relaxed);
        self.decode_nanos.fetch_add(took.as_nanos() as u64, Relaxed);
    }

    pub(crate) fn kept(&self, spans: u64, decoded: &Summary) {
        self.accepted_spans.fetch_add(spans, Relaxed);
        self.end_before_start.fetch_add(decoded.end_before_start, Relaxed);
        for (reason, count) in decoded.rejected.reasons() {
            self.rejected_spans[reason as usize].fetch_add(count, Relaxed);
        }
    }

    /// Spans appended and acknowledged since the start.
    pub fn accepted_spans(&self) -> u64 {
        self.accepted_spans.load(Relaxed)
    }

    /// Appends the metrics in Prometheus' text format.
    pub fn write_prometheus(&self, out: &mut String) {
        let mut text = Text(out);
        text.family("requests_total", "counter", "Trace requests answered.");
        for (t, transport) in TRANSPORTS.iter().enumerate() {
            for (e, encoding) in ENCODINGS.iter().enumerate() {
                for (o, outcome) in OUTCOMES.iter().enumerate() {
                    let labels = format!("{{transport=\"{transport}\",encoding=\"{encoding}\",outcome=\"{outcome}\"}}");
                    text.sample("requests_total", &labels, self.requests[t][e][o].load(Relaxed));
                }
            }
        }
        text.family(
            "refused_connections_total",
            "counter",
            "Connections closed because there were too many.",
        );
        for (refused, transport) in self.refused_connections.iter().zip(TRANSPORTS) {
            let labels = format!("{{transport=\"{transport}\"}}");
            text.sample("refused_connections_total", &labels, refused.load(Relaxed));
        }
        text.family("accepted_spans_total", "counter", "Spans appended and acknowledged.");
        text.sample("accepted_spans_total", "", self.accepted_spans.load(Relaxed));
        text.family(
            "rejected_spans_total",
            "counter",
            "Spans refused within requests that were taken.",
        );
        for reason in Reason::ALL {
            let count = self.rejected_spans[reason as usize].load(Relaxed);
            text.sample(
                "rejected_spans_total",
                &format!("{{reason=\"{}\"}}", reason.as_str()),
                count,
            );
        }
        text.family(
            "end_before_start_spans_total",
            "counter",
            "Spans kept whose end lies before their start.",
        );
        text.sample("end_before_start_spans_total", "", self.end_before_start.load(Relaxed));
        text.family("bad_input_total", "counter", "Requests refused for good.");
        for (kind, name) in BadInput::ALL {
            text.sample(
                "bad_input_total",
                &format!("{{kind=\"{name}\"}}"),
                self.bad_input[kind as usize].load(Relaxed),
            );
        }
        text.family(
            "received_bytes_total",
            "counter",
            "Bytes of request bodies as received.",
        );
        text.sample("received_bytes_total", "", self.received_bytes.load(Relaxed));
        text.family("inflated_bytes_total", "counter", "Bytes of request bodies, inflated.");
        text.sample("inflated_bytes_total", "", self.inflated_bytes.load(Relaxed));
        text.family("in_flight_bytes", "gauge", "Bytes of requests held now.");
        text.sample("in_flight_bytes", "", self.gate.bytes_held());
        self.write_decode(&mut text);
    }

    fn write_decode(&self, text: &mut Text<'_>) {
        text.family(
            "decode_duration_seconds",
            "histogram",
            "Time to inflate and decode a request.",
        );
        let mut count = 0;
        for (bucket, bound) in self.decode_buckets.iter().zip(DECODE_BOUNDS_US) {
            count += bucket.load(Relaxed);
            let labels = format!("{{le=\"{}\"}}", bound as f64 / 1e6);
            text.sample("decode_duration_seconds_bucket", &labels, count);
        }
        count += self.decode_buckets[DECODE_BOUNDS_US.len()].load(Relaxed);
        text.sample("decode_duration_seconds_bucket", "{le=\"+Inf\"}", count);
        text.sample(
            "decode_duration_seconds_sum",
            "",
            self.decode_nanos.load(Relaxed) as f64 / 1e9,
        );
        text.sample("decode_duration_seconds_count", "", count);
    }
}

/// What of a decoded request outlives its batch.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Summary {
    pub(crate) rejected: crate::otlp::decode::Rejected,
    pub(crate) end_before_start: u64,
}

impl From<&Flat> for Summary {
    fn from(decoded: &Flat) -> Self {
        Self {
            rejected: decoded.rejected,
            end_before_start: decoded.end_before_start,
        }
    }
}

struct Text<'a>(&'a mut String);

impl Text<'_> {
    fn family(&mut self, name: &str, kind: &str, help: &str) {
        let _ = writeln!(
            self.0,
            "# HELP epicenter_collector_{name} {help}\n# TYPE epicenter_collector_{name} {kind}"
        );
    }

    fn sample(&mut self, name: &str, labels: &str, value: impl std::fmt::Display) {
        let _ = writeln!(self.0, "epicenter_collector_{name}{labels} {value}");
    }
}
