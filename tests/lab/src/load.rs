//! Load over OTLP, gRPC or HTTP, with requests that were encoded beforehand, so that the sender costs next to nothing.

use anyhow::{Context, ensure};
use bytes::{Buf, BufMut, Bytes};
use epicenter_proto::otlp::collector_trace::ExportTraceServiceRequest;
use epicenter_proto::{Message, TRACE_EXPORT_PATH};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::{Duration, Instant};
use tonic::codec::{Codec, DecodeBuf, Decoder, EncodeBuf, Encoder};
use tonic::codegen::http::uri::PathAndQuery;
use tonic::transport::{Channel, Endpoint};
use tonic::{Code, Request, Status};

/// Connections of one run.
pub const CONNECTIONS_MAX: usize = 256;
/// Requests of one run.
pub const REQUESTS_MAX: u64 = 1_000_000;
/// Requests made ahead of the sender.
const AHEAD: usize = 256;
/// Tries of one request that the server asks to send again.
const TRIES_MAX: u32 = 20;
/// Wait between two tries.
const RETRY_DELAY: Duration = Duration::from_millis(100);

/// What a run came to.
#[derive(Clone, Copy, Debug)]
pub struct Report {
    /// Requests acknowledged.
    pub acknowledged: u64,
    /// Requests given up.
    pub failed: u64,
    /// Times that the server asked to try again.
    pub retried: u64,
    /// Bytes of the requests acknowledged.
    pub bytes: u64,
    /// From the first request sent to the last answer.
    pub elapsed: Duration,
    /// Time from a request to its acknowledgement: half were faster.
    pub latency_p50: Duration,
    /// 95 % were faster.
    pub latency_p95: Duration,
    /// 99 % were faster.
    pub latency_p99: Duration,
    /// The slowest.
    pub latency_max: Duration,
}

/// How requests are sent.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub enum Transport {
    /// OTLP/gRPC.
    #[default]
    Grpc,
    /// OTLP/HTTP with protobuf.
    Http,
}

/// What is to be sent, and where.
#[derive(Clone, Debug)]
pub struct Plan {
    /// Such as `http://127.0.0.1:4317`.
    pub endpoint: String,
    /// How.
    pub transport: Transport,
    /// Connections, each with one request under way.
    pub connections: usize,
    /// Requests altogether.
    pub requests: u64,
    /// Requests a second at most, over all connections; 0 for no limit.
    pub requests_per_s: f64,
}

/// Where requests come from.
#[derive(Clone)]
pub enum Payloads {
    /// All at hand, sent once each, so that the sender costs next to nothing.
    Ready(Arc<[Bytes]>),
    /// Made while they are sent.
    Made(Arc<tokio::sync::Mutex<tokio::sync::mpsc::Receiver<Bytes>>>),
}

impl Payloads {
    /// Requests that another thread makes, a few ahead of the sender.
    pub fn made_by(mut make: impl FnMut() -> Bytes + Send + 'static, requests: u64) -> Self {
        let (sender, receiver) = tokio::sync::mpsc::channel(AHEAD);
        std::thread::spawn(move || {
            for _ in 0..requests {
                if sender.blocking_send(make()).is_err() {
                    return;
                }
            }
        });
        Self::Made(Arc::new(tokio::sync::Mutex::new(receiver)))
    }

    async fn get(&self, index: u64) -> Option<Bytes> {
        match self {
            Self::Ready(payloads) => payloads.get(usize::try_from(index).ok()?).cloned(),
            Self::Made(receiver) => receiver.lock().await.recv().await,
        }
    }
}

/// Sends requests, as many as there are payloads and the plan says.
///
/// # Errors
/// A number out of bounds, or an endpoint that does not answer. Requests that fail are counted.
pub async fn ingest(plan: &Plan, payloads: Payloads) -> anyhow::Result<Report> {
    let (connections, requests) = (plan.connections, plan.requests);
    ensure!(
        (1..=CONNECTIONS_MAX).contains(&connections),
        "connections must be 1 to {CONNECTIONS_MAX}"
    );
    ensure!(requests <= REQUESTS_MAX, "at most {REQUESTS_MAX} requests a run");
    let mut senders = Vec::new();
    for _ in 0..connections {
        senders.push(Sender::connect(plan).await?);
    }
    let turn = Arc::new(AtomicU64::new(0));
    let begun = Instant::now();
    let pace = Pace {
        begun,
        requests,
        requests_per_s: plan.requests_per_s,
    };
    let senders: Vec<_> = senders
        .into_iter()
        .map(|sender| tokio::spawn(send_all(sender, payloads.clone(), Arc::clone(&turn), pace)))
        .collect();
    let mut all = Sent::default();
    for sender in senders {
        let sent = sender.await.context("a sender panicked")?;
        all.failed += sent.failed;
        all.retried += sent.retried;
        all.bytes += sent.bytes;
        all.latencies.extend(sent.latencies);
    }
    let elapsed = begun.elapsed();
    all.latencies.sort_unstable();
    let quantile = |q: f64| {
        let index = (all.latencies.len() as f64 * q) as usize;
        all.latencies
            .get(index.min(all.latencies.len().saturating_sub(1)))
            .copied()
            .unwrap_or_default()
    };
    Ok(Report {
        acknowledged: all.latencies.len() as u64,
        failed: all.failed,
        retried: all.retried,
        bytes: all.bytes,
        elapsed,
        latency_p50: quantile(0.5),
        latency_p95: quantile(0.95),
        latency_p99: quantile(0.99),
        latency_max: quantile(1.0),
    })
}

/// CPU seconds that a plain prost decode of the payloads takes on this thread: the yardstick for the whole server.
///
/// # Errors
/// A payload that is not a trace request.
pub fn prost_decode_seconds(payloads: &[Bytes]) -> anyhow::Result<f64> {
    let begun = cpu_seconds_of_thread();
    for payload in payloads {
        let request = ExportTraceServiceRequest::decode(payload.clone()).context("not a trace request")?;
        std::hint::black_box(request);
    }
    Ok(cpu_seconds_of_thread() - begun)
}

/// Where the system does not tell the CPU time of a thread, the wall clock has to do.
fn cpu_seconds_of_thread() -> f64 {
    static START: std::sync::LazyLock<Instant> = std::sync::LazyLock::new(Instant::now);
    let wall = || START.elapsed().as_secs_f64();
    let Ok(text) = std::fs::read_to_string("/proc/thread-self/schedstat") else {
        return wall();
    };
    let nanos = text.split_whitespace().next().and_then(|n| n.parse::<u64>().ok());
    nanos.map_or_else(wall, |nanos| nanos as f64 / 1e9)
}

#[derive(Default)]
struct Sent {
    failed: u64,
    retried: u64,
    bytes: u64,
    latencies: Vec<Duration>,
}

/// When each request is due.
#[derive(Clone, Copy)]
struct Pace {
    begun: Instant,
    requests: u64,
    requests_per_s: f64,
}

async fn send_all(mut sender: Sender, payloads: Payloads, turn: Arc<AtomicU64>, pace: Pace) -> Sent {
    let mut sent = Sent::default();
    loop {
        let index = turn.fetch_add(1, Relaxed);
        if index >= pace.requests {
            return sent;
        }
        if pace.requests_per_s > 0.0 {
            let due = pace.begun + Duration::from_secs_f64(index as f64 / pace.requests_per_s);
            tokio::time::sleep_until(due.into()).await;
        }
        let Some(payload) = payloads.get(index).await else {
            return sent;
        };
        let begun = Instant::now();
        let mut tries = 1;
        loop {
            match sender.send(payload.clone()).await {
                Ok(()) => {
                    sent.latencies.push(begun.elapsed());
                    sent.bytes += payload.len() as u64;
                    break;
                }
                Err(Failed::Retry) if tries < TRIES_MAX => {
                    tries += 1;
                    sent.retried += 1;
                    tokio::time::sleep(RETRY_DELAY).await;
                }
                Err(failed) => {
                    tracing::warn!(?failed, "a request was given up");
                    sent.failed += 1;
                    break;
                }
            }
        }
    }
}

/// Why a request was not acknowledged.
#[derive(Debug)]
enum Failed {
    /// The server asks to come back.
    Retry,
    /// Anything else.
    Refused(#[expect(dead_code, reason = "shown in the log")] String),
}

/// One connection.
enum Sender {
    Grpc(tonic::client::Grpc<Channel>),
    Http { client: reqwest::Client, url: String },
}

impl Sender {
    async fn connect(plan: &Plan) -> anyhow::Result<Self> {
        let could_not = || format!("could not connect to {}", plan.endpoint);
        if plan.transport == Transport::Http {
            let client = reqwest::Client::builder().pool_max_idle_per_host(1).build();
            return Ok(Self::Http {
                client: client.with_context(could_not)?,
                url: format!("{}/v1/traces", plan.endpoint),
            });
        }
        let endpoint = Endpoint::new(plan.endpoint.clone())
            .context("not an endpoint")?
            .tcp_nodelay(true);
        let channel = endpoint.connect().await.with_context(could_not)?;
        Ok(Self::Grpc(tonic::client::Grpc::new(channel)))
    }

    async fn send(&mut self, payload: Bytes) -> Result<(), Failed> {
        match self {
            Self::Grpc(client) => send(client, payload).await.map_err(|status| match status.code() {
                Code::Unavailable => Failed::Retry,
                _ => Failed::Refused(status.to_string()),
            }),
            Self::Http { client, url } => {
                let request = client.post(&*url).header("content-type", "application/x-protobuf");
                let answer = request.body(payload).send().await;
                let answer = answer.map_err(|error| Failed::Refused(error.to_string()))?;
                match answer.status().as_u16() {
                    200 => Ok(()),
                    429 | 502..=504 => Err(Failed::Retry),
                    other => Err(Failed::Refused(format!("HTTP {other}"))),
                }
            }
        }
    }
}

async fn send(client: &mut tonic::client::Grpc<Channel>, payload: Bytes) -> Result<(), Status> {
    client
        .ready()
        .await
        .map_err(|error| Status::unavailable(error.to_string()))?;
    let path = PathAndQuery::from_static(TRACE_EXPORT_PATH);
    client.unary(Request::new(payload), path, RawCodec).await.map(drop)
}

/// Messages as the bytes that they are.
#[derive(Clone, Copy, Debug, Default)]
struct RawCodec;

impl Codec for RawCodec {
    type Encode = Bytes;
    type Decode = Bytes;
    type Encoder = Self;
    type Decoder = Self;

    fn encoder(&mut self) -> Self {
        Self
    }

    fn decoder(&mut self) -> Self {
        Self
    }
}

impl Encoder for RawCodec {
    type Item = Bytes;
    type Error = Status;

    fn encode(&mut self, item: Bytes, out: &mut EncodeBuf<'_>) -> Result<(), Status> {
        out.put(item);
        Ok(())
    }
}

impl Decoder for RawCodec {
    type Item = Bytes;
    type Error = Status;

    fn decode(&mut self, from: &mut DecodeBuf<'_>) -> Result<Option<Bytes>, Status> {
        Ok(Some(from.copy_to_bytes(from.remaining())))
    }
}

#[cfg(test)]
mod tests {
    use crate::payload::{Generator, SPANS_PER_REQUEST, SPANS_PER_TRACE, Shape};
    use epicenter_proto::Message;
    use epicenter_proto::otlp::collector_trace::ExportTraceServiceRequest;

    /// Attributes a span, events a hundred spans and bytes a span of a shape.
    fn check(shape: Shape, attributes: usize, events: std::ops::Range<usize>, bytes: std::ops::Range<usize>) {
        let (mut one, mut other) = (Generator::new(shape, 1, 1_000), Generator::new(shape, 1, 1_000));
        let mut trace_ids = std::collections::BTreeSet::new();
        let (mut size, mut attributes_found, mut events_found, mut count) = (0, 0, 0, 0);
        for _ in 0..5 {
            let request = one.request();
            assert_eq!(request, other.request());
            size += request.len();
            let request = ExportTraceServiceRequest::decode(request.as_slice()).expect("a message");
            let scopes = request.resource_spans.iter().flat_map(|r| &r.scope_spans);
            for span in scopes.flat_map(|s| &s.spans) {
                trace_ids.insert(span.trace_id.clone());
                attributes_found += span.attributes.len();
                events_found += span.events.len();
                count += 1;
            }
        }
        assert_eq!(count, 5 * SPANS_PER_REQUEST);
        assert_eq!(trace_ids.len(), count / SPANS_PER_TRACE);
        assert_eq!(attributes_found, attributes * count);
        assert!(events.contains(&(events_found * 100 / count)), "{events_found} events");
        assert!(bytes.contains(&(size / count)), "{} bytes a span", size / count);
    }

    #[test]
    fn payloads_have_the_stated_shape_and_are_the_same_every_time() {
        check(Shape::Shop, 12, 130..170, 600..800);
        check(Shape::Calls, 10, 0..1, 400..500);
    }
}
