//! What every transport does with a body once it has one: inflate, decode, append, count.

use crate::admit::{Gate, Lease};
use crate::inflate::Compression;
use crate::metrics::{Metrics, Summary};
use crate::otlp::decode::{self, Flat, Resources};
use crate::refusal::{BadInput, RETRY_AFTER, Refusal};
use crate::sink::{Refused, Sink};
use axum::body::Body;
use bytes::{Bytes, BytesMut};
use http_body_util::BodyExt;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::sync::Semaphore;

/// Bodies up to this size that need no inflating are decoded where they arrive, about a millisecond at most: another
/// thread would have to fetch every byte from further away.
const DECODE_INLINE_BYTES_MAX: usize = 512 << 10;
/// How long a body may take to arrive.
const BODY_TIME_MAX: Duration = Duration::from_secs(30);

/// In which form a request is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Format {
    Protobuf,
    Json,
}

/// What both receivers share.
pub(crate) struct Receiver {
    sink: Box<dyn Sink>,
    gate: Arc<Gate>,
    limit_bytes: usize,
    /// Decoders that may run at once beside the runtime; the others wait, within the bound of the gate.
    decoders: Arc<Semaphore>,
    resources: Arc<Resources>,
    pub(crate) metrics: Arc<Metrics>,
}

impl Receiver {
    pub(crate) fn new(sink: Box<dyn Sink>, limit_bytes: usize, max_in_flight_bytes: u64) -> Self {
        let gate = Arc::new(Gate::new(max_in_flight_bytes));
        let metrics = Arc::new(Metrics::new(Arc::clone(&gate)));
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        Self {
            sink,
            gate,
            limit_bytes,
            decoders: Arc::new(Semaphore::new(cores)),
            resources: Arc::default(),
            metrics,
        }
    }

    /// Reads a body to its end, refusing it as soon as it is too large or there is no room for it.
    ///
    /// `announced_bytes` is its `Content-Length`, if it has one; `framing_bytes` of it are not the message.
    pub(crate) async fn read(
        &self,
        body: Body,
        announced_bytes: Option<u64>,
        framing_bytes: usize,
    ) -> Result<(Bytes, Lease), Refusal> {
        let limit = self.limit_bytes + framing_bytes;
        if announced_bytes.is_some_and(|bytes| bytes > limit as u64) {
            return Err(Refusal::too_large(self.limit_bytes));
        }
        match tokio::time::timeout(BODY_TIME_MAX, self.read_frames(body, limit)).await {
            Ok(outcome) => outcome,
            Err(_) => Err(Refusal::bad(
                BadInput::Incomplete,
                format!("the body took longer than {BODY_TIME_MAX:?}"),
            )),
        }
    }

    async fn read_frames(&self, mut body: Body, limit: usize) -> Result<(Bytes, Lease), Refusal> {
        let mut lease = self.gate.lease();
        let mut frames: Vec<Bytes> = Vec::new();
        let mut received = 0;
        while let Some(frame) = body.frame().await {
            let frame =
                frame.map_err(|error| Refusal::bad(BadInput::Incomplete, format!("the body broke off: {error}")))?;
            let Ok(data) = frame.into_data() else { continue };
            received += data.len();
            if received > limit {
                return Err(Refusal::too_large(self.limit_bytes));
            }
            lease.grow(data.len())?;
            frames.push(data);
        }
        // Always into room of its own and of its size: it is kept for a while, and the connection's buffers are larger.
        let mut joined = BytesMut::with_capacity(received);
        for frame in frames {
            joined.extend_from_slice(&frame);
        }
        Ok((joined.freeze(), lease))
    }

    /// Takes one request; returns when it is safe. What was rejected of it is in the result.
    pub(crate) async fn take(
        &self,
        body: Bytes,
        compression: Compression,
        format: Format,
        mut lease: Lease,
    ) -> Result<Summary, Refusal> {
        let how = How {
            compression,
            format,
            limit_bytes: self.limit_bytes,
            resources: Arc::clone(&self.resources),
            metrics: Arc::clone(&self.metrics),
        };
        let (payload, decoded) = if compression == Compression::Identity
            && format == Format::Protobuf
            && body.len() <= DECODE_INLINE_BYTES_MAX
        {
            how.decode(body, &mut lease)?
        } else {
            let closed = |_| Refusal::Unavailable {
                retry_after: RETRY_AFTER,
                message: "stopping".to_owned(),
            };
            let permit = Arc::clone(&self.decoders).acquire_owned().await.map_err(closed)?;
            let work = tokio::task::spawn_blocking(move || {
                let outcome = how.decode(body, &mut lease);
                drop(permit);
                (outcome, lease)
            });
            let (outcome, returned) = work.await.map_err(|error| {
                tracing::error!(%error, "a decoder ended early");
                Refusal::Unavailable {
                    retry_after: RETRY_AFTER,
                    message: "decoding was ended".to_owned(),
                }
            })?;
            lease = returned;
            outcome?
        };
        let summary = Summary::from(&decoded);
        let spans = decoded.spans.len() as u64;
        if spans > 0 {
            self.sink
                .append(payload, decoded.spans)
                .await
                .map_err(|refused| match refused {
                    Refused::Retry { retry_after, message } => Refusal::Unavailable { retry_after, message },
                    Refused::TooLarge => Refusal::too_large(self.limit_bytes),
                })?;
        }
        drop(lease);
        self.metrics.kept(spans, &summary);
        Ok(summary)
    }
}

/// How a body is to be read.
struct How {
    compression: Compression,
    format: Format,
    limit_bytes: usize,
    resources: Arc<Resources>,
    metrics: Arc<Metrics>,
}

impl How {
    /// Inflates and decodes; the bytes returned are the protobuf that is logged.
    fn decode(&self, body: Bytes, lease: &mut Lease) -> Result<(Bytes, Flat), Refusal> {
        let begun = Instant::now();
        let received = body.len();
        let body = self.compression.inflate(body, self.limit_bytes, lease)?;
        let inflated = body.len();
        let payload = match self.format {
            Format::Protobuf => body,
            Format::Json => {
                lease.grow(inflated)?;
                let protobuf = decode::json_to_protobuf(&body);
                let protobuf = protobuf.map_err(|error| Refusal::bad(BadInput::Json, error.to_string()))?;
                Bytes::from(protobuf.into_boxed_slice())
            }
        };
        let decoded = decode::flat_knowing(&payload, &self.resources)
            .map_err(|error| Refusal::bad(BadInput::Protobuf, error.to_string()))?;
        self.metrics.decoded(received, inflated, begun.elapsed());
        Ok((payload, decoded))
    }
}
