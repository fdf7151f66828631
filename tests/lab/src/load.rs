//! Load over OTLP/gRPC with requests that were encoded beforehand, so that the sender costs next to nothing.

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

/// Sends `requests` requests to `endpoint_grpc` (such as `http://127.0.0.1:4317`), taking `payloads` in turn, over so
/// many connections with one request under way on each.
///
/// # Errors
/// No payload, a number out of bounds, or an endpoint that does not answer. Requests that fail are counted.
pub async fn ingest(
    endpoint_grpc: &str,
    connections: usize,
    requests: u64,
    payloads: &[Bytes],
) -> anyhow::Result<Report> {
    ensure!(!payloads.is_empty(), "no payload to send");
    ensure!(
        (1..=CONNECTIONS_MAX).contains(&connections),
        "connections must be 1 to {CONNECTIONS_MAX}"
    );
    ensure!(requests <= REQUESTS_MAX, "at most {REQUESTS_MAX} requests a run");
    let endpoint = Endpoint::new(endpoint_grpc.to_owned())
        .context("not an endpoint")?
        .tcp_nodelay(true);
    let mut channels = Vec::new();
    for _ in 0..connections {
        channels.push(
            endpoint
                .connect()
                .await
                .with_context(|| format!("could not connect to {endpoint_grpc}"))?,
        );
    }
    let (payloads, turn): (Arc<[Bytes]>, _) = (payloads.into(), Arc::new(AtomicU64::new(0)));
    let begun = Instant::now();
    let senders: Vec<_> = channels
        .into_iter()
        .map(|channel| tokio::spawn(send_all(channel, Arc::clone(&payloads), Arc::clone(&turn), requests)))
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

async fn send_all(channel: Channel, payloads: Arc<[Bytes]>, turn: Arc<AtomicU64>, requests: u64) -> Sent {
    let mut client = tonic::client::Grpc::new(channel);
    let mut sent = Sent::default();
    loop {
        let index = turn.fetch_add(1, Relaxed);
        if index >= requests {
            return sent;
        }
        let payload = &payloads[(index % payloads.len() as u64) as usize];
        let begun = Instant::now();
        let mut tries = 1;
        loop {
            match send(&mut client, payload.clone()).await {
                Ok(()) => {
                    sent.latencies.push(begun.elapsed());
                    sent.bytes += payload.len() as u64;
                    break;
                }
                Err(status) if status.code() == Code::Unavailable && tries < TRIES_MAX => {
                    tries += 1;
                    sent.retried += 1;
                    tokio::time::sleep(RETRY_DELAY).await;
                }
                Err(status) => {
                    tracing::warn!(%status, "a request was given up");
                    sent.failed += 1;
                    break;
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
    use crate::payload::{Generator, SPANS_PER_REQUEST, SPANS_PER_TRACE};
    use epicenter_proto::Message;
    use epicenter_proto::otlp::collector_trace::ExportTraceServiceRequest;

    #[test]
    fn payloads_have_the_stated_shape_and_are_the_same_every_time() {
        let (mut one, mut other) = (Generator::new(1, 1_000), Generator::new(1, 1_000));
        let mut trace_ids = std::collections::BTreeSet::new();
        let (mut bytes, mut attributes, mut events, mut count) = (0, 0, 0, 0);
        for _ in 0..5 {
            let request = one.request();
            assert_eq!(request, other.request());
            bytes += request.len();
            let request = ExportTraceServiceRequest::decode(request.as_slice()).expect("a message");
            for span in request
                .resource_spans
                .iter()
                .flat_map(|r| &r.scope_spans)
                .flat_map(|s| &s.spans)
            {
                trace_ids.insert(span.trace_id.clone());
                (attributes, events, count) = (
                    attributes + span.attributes.len(),
                    events + span.events.len(),
                    count + 1,
                );
            }
        }
        assert_eq!(count, 5 * SPANS_PER_REQUEST);
        assert_eq!(trace_ids.len(), count / SPANS_PER_TRACE);
        assert_eq!(attributes, 12 * count);
        assert!((13 * count..17 * count).contains(&(events * 10)), "{events} events");
        assert!((600..800).contains(&(bytes / count)), "{} bytes a span", bytes / count);
    }
}
