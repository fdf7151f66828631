//! OTLP trace requests to columns, walking the protobuf bytes with no structs in between.
//!
//! The walk follows the rules of the protobuf encoding on any input: unknown fields are skipped, a repeated scalar is
//! replaced by its last occurrence, repeated submessages are merged, and whatever is not the message (a truncated
//! field, a varint of more than 64 bits, the wrong wire type, a group, nesting without end) is an error, never a panic.
//! A span without usable ids is rejected and counted; the rest of the request is kept.
//!
//! `resource` reads what spans share, `known` remembers it, `span` reads one span, `json` OTLP/JSON. [`flat`] leaves what is nested (attributes, events,
//! links) where it lies, checked; [`protobuf`] makes columns of it too.
//!
//! Source: <https://protobuf.dev/programming-guides/encoding/>, opentelemetry-proto v1.9, OTLP specification 1.9.

mod json;
mod known;
mod resource;
mod span;

pub use json::json_to_protobuf;
pub use known::Resources;

pub use epicenter_schema::otlp::VALUE_DEPTH_MAX;

use epicenter_schema::otlp::WireError;
use epicenter_schema::otlp::wire::Reader;
use epicenter_schema::{FlatBatch, SpanBatch, SpanBatchBuilder};
use std::fmt;

/// Bytes of one request; above it the JSON columns could outgrow Arrow's offsets.
pub const REQUEST_BYTES_MAX: usize = 256 << 20;

/// Attributes, events and links of one request, together. An empty one takes two bytes on the wire and up to forty in
/// columns, so without a bound a small request could take much memory; real ones stay far below.
pub const ITEMS_MAX: usize = 8 << 20;

/// OTLP bytes of a typical span, to make room in advance: what is too little doubles, what is too much is held a while.
const SPAN_BYTES_EXPECTED: usize = 512;

/// What a request held.
#[derive(Clone, Debug)]
pub struct Decoded {
    /// The spans, in the order received.
    pub batch: SpanBatch,
    /// The spans that were refused.
    pub rejected: Rejected,
    /// Spans kept whose end lies before their start.
    pub end_before_start: u64,
}

/// Why a span is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reason {
    /// A trace id that is not 16 bytes long, or absent.
    TraceIdLength,
    /// A trace id of zeros.
    TraceIdZero,
    /// A span id that is not 8 bytes long, or absent.
    SpanIdLength,
    /// A span id of zeros.
    SpanIdZero,
    /// A parent span id that is neither absent nor 8 bytes long.
    ParentSpanIdLength,
}

impl Reason {
    /// All of them, in the order in which they are told.
    pub const ALL: [Self; 5] = [
        Self::TraceIdLength,
        Self::TraceIdZero,
        Self::SpanIdLength,
        Self::SpanIdZero,
        Self::ParentSpanIdLength,
    ];

    /// The word for it in metrics.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::TraceIdLength => "trace_id_length",
            Self::TraceIdZero => "trace_id_zero",
            Self::SpanIdLength => "span_id_length",
            Self::SpanIdZero => "span_id_zero",
            Self::ParentSpanIdLength => "parent_span_id_length",
        }
    }

    fn sentence(self) -> &'static str {
        match self {
            Self::TraceIdLength => "trace_id is not 16 bytes",
            Self::TraceIdZero => "trace_id is all zeros",
            Self::SpanIdLength => "span_id is not 8 bytes",
            Self::SpanIdZero => "span_id is all zeros",
            Self::ParentSpanIdLength => "parent_span_id is neither empty nor 8 bytes",
        }
    }
}

/// How many spans were refused, and why. Prints as a sentence for the sender.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Rejected {
    counts: [u64; Reason::ALL.len()],
}

impl Rejected {
    /// Spans refused.
    pub fn count(&self) -> u64 {
        self.counts.iter().sum()
    }

    /// Spans refused by reason, reasons with none left out.
    pub fn reasons(&self) -> impl Iterator<Item = (Reason, u64)> {
        Reason::ALL.into_iter().zip(self.counts).filter(|(_, count)| *count > 0)
    }

    fn add(&mut self, reason: Reason) {
        self.counts[reason as usize] += 1;
    }
}

impl fmt::Display for Rejected {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} spans rejected", self.count())?;
        for (index, (reason, count)) in self.reasons().enumerate() {
            write!(
                f,
                "{} {}: {count}",
                if index == 0 { ":" } else { "," },
                reason.sentence()
            )?;
        }
        Ok(())
    }
}

/// Why bytes are not a trace request. Sending them again will not help.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DecodeError {
    /// Not protobuf, or not these messages.
    #[error(transparent)]
    Wire(#[from] WireError),
    /// More than [`REQUEST_BYTES_MAX`].
    #[error("the request has {0} bytes, more than {REQUEST_BYTES_MAX}")]
    TooLarge(usize),
    /// More than [`ITEMS_MAX`] attributes, events and links.
    #[error("the request has more than {ITEMS_MAX} attributes, events and links")]
    TooMany,
    /// Text that is not UTF-8, or a column that is too long.
    #[error(transparent)]
    Columns(#[from] epicenter_schema::Error),
    /// Not OTLP/JSON.
    #[error("the request is not OTLP/JSON: {0}")]
    Json(#[from] serde_json::Error),
}

/// A request's flat columns, and what was refused of it.
#[derive(Clone, Debug)]
pub struct Flat {
    /// The spans, in the order received.
    pub spans: FlatBatch,
    /// The spans that were refused.
    pub rejected: Rejected,
    /// Spans kept whose end lies before their start.
    pub end_before_start: u64,
}

/// Walks an `ExportTraceServiceRequest` or a `TracesData`, which have the same shape on the wire, and makes every column.
///
/// The spans come in the order received; those that cannot be kept are counted in [`Decoded::rejected`].
///
/// # Errors
/// Only if the bytes are not that message, or are more than [`REQUEST_BYTES_MAX`].
pub fn protobuf(bytes: &[u8]) -> Result<Decoded, DecodeError> {
    let flat = flat(bytes)?;
    Ok(Decoded {
        batch: flat.spans.with_nested(bytes)?,
        rejected: flat.rejected,
        end_before_start: flat.end_before_start,
    })
}

/// The same, with the flat columns only: what is nested is checked to its last byte and left where it is. About half the
/// price of [`protobuf`].
///
/// # Errors
/// As [`protobuf`].
pub fn flat(bytes: &[u8]) -> Result<Flat, DecodeError> {
    flat_knowing(bytes, &Resources::default())
}

/// The same, for requests of which many come: a resource that was read before is not read again.
///
/// # Errors
/// As [`protobuf`].
pub fn flat_knowing(bytes: &[u8], resources: &Resources) -> Result<Flat, DecodeError> {
    if bytes.len() > REQUEST_BYTES_MAX {
        return Err(DecodeError::TooLarge(bytes.len()));
    }
    let spans = bytes.len() / SPAN_BYTES_EXPECTED;
    let mut walk = Walk {
        builder: SpanBatchBuilder::with_capacity(spans),
        messages: Vec::with_capacity(spans),
        request: bytes.as_ptr().addr(),
        rejected: Rejected::default(),
        end_before_start: 0,
        items: 0,
        scratch: Vec::new(),
        resources,
    };
    let mut fields = Reader::new(bytes, "ExportTraceServiceRequest");
    while let Some(field) = fields.next_field()? {
        if field.number == 1 {
            walk.resource_spans(field.bytes()?)?;
        }
    }
    Ok(Flat {
        spans: FlatBatch::new(walk.builder.finish()?, walk.messages),
        rejected: walk.rejected,
        end_before_start: walk.end_before_start,
    })
}

/// The state of one walk.
struct Walk<'a> {
    builder: SpanBatchBuilder,
    /// Where the Span message of each row lies: offset and length.
    messages: Vec<(u32, u32)>,
    /// Address of the request's first byte, against which those offsets are counted.
    request: usize,
    rejected: Rejected,
    end_before_start: u64,
    items: usize,
    /// JSON in the making, kept for its memory.
    scratch: Vec<u8>,
    resources: &'a Resources,
}

impl Walk<'_> {
    /// Counts an attribute, event or link.
    #[inline]
    fn count_item(&mut self) -> Result<(), DecodeError> {
        self.items += 1;
        if self.items > ITEMS_MAX {
            Err(DecodeError::TooMany)
        } else {
            Ok(())
        }
    }
}

#[cfg(test)]
mod tests;
