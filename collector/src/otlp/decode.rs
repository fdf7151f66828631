//! OTLP trace requests to columns, walking the protobuf bytes with no structs in between.
//!
//! The walk follows the rules of the protobuf encoding on any input: unknown fields are skipped, a repeated scalar is
//! replaced by its last occurrence, repeated submessages are merged, and whatever is not the message (a truncated
//! field, a varint of more than 64 bits, the wrong wire type, a group, nesting without end) is an error, never a panic.
//! A span without usable ids is rejected and counted; the rest of the request is kept.
//!
//! `wire` reads fields, `value` attribute values, `resource` what spans share, `span` one span, `json` OTLP/JSON.
//!
//! Source: <https://protobuf.dev/programming-guides/encoding/>, opentelemetry-proto v1.9, OTLP specification 1.9.

mod json;
mod resource;
mod span;
mod value;
mod wire;

pub use json::json_to_protobuf;

use epicenter_schema::{SpanBatch, SpanBatchBuilder};
use std::fmt;
use wire::Reader;

/// Bytes of one request; above it the JSON columns could outgrow Arrow's offsets.
pub const REQUEST_BYTES_MAX: usize = 256 << 20;

/// Depth to which arrays and key-value lists may nest in an attribute.
pub const VALUE_DEPTH_MAX: usize = 32;

/// Attributes, events and links of one request, together. An empty one takes two bytes on the wire and up to forty in
/// columns, so without a bound a small request could take much memory; real ones stay far below.
pub const ITEMS_MAX: usize = 8 << 20;

/// OTLP bytes of a typical span, to make room in advance.
const SPAN_BYTES_EXPECTED: usize = 640;

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
    /// A field reaches beyond its message.
    #[error("the message ends within a field")]
    Truncated,
    /// A varint of more than 64 bits.
    #[error("a varint is longer than 64 bits")]
    Varint,
    /// A tag that is none: field number zero, or a wire type that does not exist.
    #[error("{0:#x} is not a field tag")]
    Tag(u64),
    /// A field of the message with another wire type than its own.
    #[error("field {field} of {message} has the wrong wire type")]
    WireType {
        /// Which message.
        message: &'static str,
        /// Number of the field.
        field: u32,
    },
    /// A group, which no OTLP message has.
    #[error("field {0} is a group")]
    Group(u32),
    /// Attribute values nested more than [`VALUE_DEPTH_MAX`] deep.
    #[error("attribute values are nested more than {VALUE_DEPTH_MAX} deep")]
    TooDeep,
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

/// Walks an `ExportTraceServiceRequest` or a `TracesData`, which have the same shape on the wire.
///
/// The spans come in the order received; those that cannot be kept are counted in [`Decoded::rejected`]. Costs about
/// two microseconds a span of 700 bytes.
///
/// # Errors
/// Only if the bytes are not that message, or are more than [`REQUEST_BYTES_MAX`].
pub fn protobuf(bytes: &[u8]) -> Result<Decoded, DecodeError> {
    if bytes.len() > REQUEST_BYTES_MAX {
        return Err(DecodeError::TooLarge(bytes.len()));
    }
    let mut walk = Walk {
        builder: SpanBatchBuilder::with_capacity(bytes.len() / SPAN_BYTES_EXPECTED),
        rejected: Rejected::default(),
        end_before_start: 0,
        items: 0,
        scratch: Vec::new(),
    };
    let mut fields = Reader::new(bytes, "ExportTraceServiceRequest");
    while let Some(field) = fields.next()? {
        if field.number == 1 {
            walk.resource_spans(field.bytes()?)?;
        }
    }
    Ok(Decoded {
        batch: walk.builder.finish()?,
        rejected: walk.rejected,
        end_before_start: walk.end_before_start,
    })
}

/// The state of one walk.
struct Walk {
    builder: SpanBatchBuilder,
    rejected: Rejected,
    end_before_start: u64,
    items: usize,
    /// JSON in the making, kept for its memory.
    scratch: Vec<u8>,
}

impl Walk {
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
