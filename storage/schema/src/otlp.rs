//! Reading OTLP's own bytes: the protobuf wire format, attribute values, and what of a span is nested.
//!
//! The bytes of a request are kept beside its flat columns until it is sealed, so what is nested (attributes, events,
//! links) is turned into columns only where somebody asks for it. [`value::checked_key_value`] is what makes that safe: what
//! passed it once is read later without failing.
//!
//! Source: <https://protobuf.dev/programming-guides/encoding/>, opentelemetry-proto v1.9.

pub mod value;
pub mod wire;

/// Depth to which arrays and key-value lists may nest in an attribute.
pub const VALUE_DEPTH_MAX: usize = 32;

/// Tag of the attributes of a Span, for [`wire::Reader::next_short`]: field 9, with a length.
pub const SPAN_ATTRIBUTE_TAG: u8 = 9 << 3 | 2;

/// Why bytes are not the message that they should be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum WireError {
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
    /// Text that is not UTF-8.
    #[error("a text is not UTF-8")]
    Text,
}

/// Checks that a text is UTF-8, which for ASCII costs next to nothing.
///
/// # Errors
/// [`WireError::Text`] when it is not.
#[inline]
pub fn text(bytes: &[u8]) -> Result<&[u8], WireError> {
    if bytes.is_ascii() || std::str::from_utf8(bytes).is_ok() {
        Ok(bytes)
    } else {
        Err(WireError::Text)
    }
}
