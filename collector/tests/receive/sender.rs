//! A collector on free ports with a log made of memory, and the requests to send it.

use bytes::Bytes;
use epicenter_collector::sink::{Appended, Refused, Sink};
use epicenter_collector::{Bound, Config, Error, metrics::Metrics};
use epicenter_proto::Message;
use epicenter_proto::otlp::collector_trace::ExportTraceServiceRequest;
use epicenter_proto::otlp::trace::{ResourceSpans, ScopeSpans, Span};
use epicenter_schema::FlatBatch;
use std::io::Write;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

/// What the log says to every append.
#[derive(Clone, Copy, PartialEq)]
pub(crate) enum Log {
    Takes,
    IsFull,
    Refuses,
}

pub(crate) type Kept = Arc<Mutex<Vec<(Bytes, usize)>>>;

struct Memory {
    log: Log,
    kept: Kept,
}

impl Sink for Memory {
    fn append(&self, payload: Bytes, spans: FlatBatch) -> Appended<'_> {
        Box::pin(async move {
            match self.log {
                Log::Takes => {
                    self.kept.lock().expect("not poisoned").push((payload, spans.len()));
                    Ok(())
                }
                Log::IsFull => Err(Refused::Retry {
                    retry_after: Duration::from_millis(2500),
                    message: "the disk is full".to_owned(),
                }),
                Log::Refuses => Err(Refused::TooLarge),
            }
        })
    }
}

pub(crate) struct Collector {
    pub(crate) grpc: SocketAddr,
    pub(crate) http: SocketAddr,
    pub(crate) kept: Kept,
    pub(crate) metrics: Arc<Metrics>,
    shutdown: CancellationToken,
    running: JoinHandle<Result<(), Error>>,
}

impl Collector {
    pub(crate) async fn start(log: Log) -> Self {
        Self::start_with(log, Config::default()).await
    }

    pub(crate) async fn start_with(log: Log, config: Config) -> Self {
        let any_port = SocketAddr::from(([127, 0, 0, 1], 0));
        let config = Config {
            otlp_grpc: any_port,
            otlp_http: any_port,
            ..config
        };
        config.validate().expect("a valid configuration");
        let kept = Kept::default();
        let service = config.build(Memory {
            log,
            kept: Arc::clone(&kept),
        });
        let metrics = service.metrics();
        let bound: Bound = service.bind().await.expect("binds");
        let (grpc, http) = (bound.otlp_grpc(), bound.otlp_http());
        let shutdown = CancellationToken::new();
        let running = tokio::spawn(bound.run(shutdown.clone()));
        Self {
            grpc,
            http,
            kept,
            metrics,
            shutdown,
            running,
        }
    }

    /// Spans kept so far.
    pub(crate) fn spans(&self) -> usize {
        self.kept
            .lock()
            .expect("not poisoned")
            .iter()
            .map(|(_, spans)| spans)
            .sum()
    }

    /// The value of one line of the metrics.
    pub(crate) fn metric(&self, line: &str) -> f64 {
        let mut text = String::new();
        self.metrics.write_prometheus(&mut text);
        let value = text.lines().find_map(|l| l.strip_prefix(line)?.strip_prefix(' '));
        value
            .unwrap_or_else(|| panic!("no {line} in\n{text}"))
            .parse()
            .expect("a number")
    }

    pub(crate) async fn stop(self) {
        assert_eq!(
            self.metric("epicenter_collector_in_flight_bytes"),
            0.0,
            "all room was given back"
        );
        self.shutdown.cancel();
        self.running.await.expect("does not panic").expect("stops cleanly");
    }
}

/// A span with those ids.
pub(crate) fn span(trace_id: &[u8], span_id: &[u8]) -> Span {
    Span {
        trace_id: trace_id.to_vec(),
        span_id: span_id.to_vec(),
        name: "op".to_owned(),
        start_time_unix_nano: 1_000,
        end_time_unix_nano: 2_000,
        ..Span::default()
    }
}

pub(crate) fn request(spans: Vec<Span>) -> ExportTraceServiceRequest {
    let scope_spans = vec![ScopeSpans {
        spans,
        ..ScopeSpans::default()
    }];
    ExportTraceServiceRequest {
        resource_spans: vec![ResourceSpans {
            scope_spans,
            ..ResourceSpans::default()
        }],
    }
}

/// One good span, one with zero ids, one that ends before it starts.
pub(crate) fn mixed() -> Vec<u8> {
    let backwards = Span {
        start_time_unix_nano: 9_000,
        ..span(&[1; 16], &[3; 8])
    };
    request(vec![span(&[1; 16], &[1; 8]), span(&[0; 16], &[0; 8]), backwards]).encode_to_vec()
}

pub(crate) fn good() -> Vec<u8> {
    request(vec![span(&[1; 16], &[1; 8])]).encode_to_vec()
}

pub(crate) fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(bytes).expect("compresses");
    encoder.finish().expect("compresses")
}

pub(crate) fn zstd(bytes: &[u8]) -> Vec<u8> {
    zstd::encode_all(bytes, 1).expect("compresses")
}

/// 70 MiB of zeros, which gzip makes small.
pub(crate) fn bomb() -> Vec<u8> {
    let bomb = gzip(&vec![0; 70 << 20]);
    assert!(bomb.len() < 1 << 20);
    bomb
}
