//! OTLP/JSON to protobuf bytes, so that there is one decoder and one form in the log.
//!
//! By the specification: ids are hexadecimal in either case, 64-bit integers are texts or numbers, enums are numbers,
//! unknown fields are ignored. Beyond it, what ProtoJSON writers produce is understood too: `null` for a default, enum
//! names, `"NaN"` and `"Infinity"`, base64 of either alphabet with or without padding.
//!
//! The messages are declared here, and not taken from `epicenter-proto`, because the JSON of those refuses requests
//! that the specification allows: absent lists, unknown fields within a value, doubles as texts.
//!
//! Source: OTLP specification, JSON Protobuf Encoding.

mod scalar;
mod value;

use super::{DecodeError, REQUEST_BYTES_MAX};
use prost::Message;
use scalar::{flexible, hex_id, nullable, span_kind, status_code};
use serde::Deserialize;
use value::KeyValue;

/// An `ExportTraceServiceRequest` or `TracesData` in JSON, as the protobuf bytes of the same message.
///
/// # Errors
/// Only if the text is not that message, or is longer than [`REQUEST_BYTES_MAX`].
pub fn json_to_protobuf(json: &[u8]) -> Result<Vec<u8>, DecodeError> {
    if json.len() > REQUEST_BYTES_MAX {
        return Err(DecodeError::TooLarge(json.len()));
    }
    let json = json.strip_prefix(b"\xef\xbb\xbf").unwrap_or(json);
    if json.trim_ascii_start().first() == Some(&b'[') {
        return Err(DecodeError::Json(serde::de::Error::custom(
            "an array, where an object belongs",
        )));
    }
    let request: Request = serde_json::from_slice(json)?;
    Ok(request.encode_to_vec())
}

#[derive(Clone, PartialEq, Message, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Request {
    #[prost(message, repeated, tag = "1")]
    #[serde(deserialize_with = "nullable")]
    resource_spans: Vec<ResourceSpans>,
}

#[derive(Clone, PartialEq, Message, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct ResourceSpans {
    #[prost(message, optional, tag = "1")]
    resource: Option<Resource>,
    #[prost(message, repeated, tag = "2")]
    #[serde(deserialize_with = "nullable")]
    scope_spans: Vec<ScopeSpans>,
    #[prost(string, tag = "3")]
    #[serde(deserialize_with = "nullable")]
    schema_url: String,
}

#[derive(Clone, PartialEq, Message, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Resource {
    #[prost(message, repeated, tag = "1")]
    #[serde(deserialize_with = "nullable")]
    attributes: Vec<KeyValue>,
    #[prost(uint32, tag = "2")]
    #[serde(deserialize_with = "flexible")]
    dropped_attributes_count: u32,
    #[prost(message, repeated, tag = "3")]
    #[serde(deserialize_with = "nullable")]
    entity_refs: Vec<EntityRef>,
}

#[derive(Clone, PartialEq, Message, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct EntityRef {
    #[prost(string, tag = "1")]
    #[serde(deserialize_with = "nullable")]
    schema_url: String,
    #[prost(string, tag = "2")]
    #[serde(deserialize_with = "nullable")]
    r#type: String,
    #[prost(string, repeated, tag = "3")]
    #[serde(deserialize_with = "nullable")]
    id_keys: Vec<String>,
    #[prost(string, repeated, tag = "4")]
    #[serde(deserialize_with = "nullable")]
    description_keys: Vec<String>,
}

#[derive(Clone, PartialEq, Message, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct ScopeSpans {
    #[prost(message, optional, tag = "1")]
    scope: Option<Scope>,
    #[prost(message, repeated, tag = "2")]
    #[serde(deserialize_with = "nullable")]
    spans: Vec<Span>,
    #[prost(string, tag = "3")]
    #[serde(deserialize_with = "nullable")]
    schema_url: String,
}

#[derive(Clone, PartialEq, Message, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Scope {
    #[prost(string, tag = "1")]
    #[serde(deserialize_with = "nullable")]
    name: String,
    #[prost(string, tag = "2")]
    #[serde(deserialize_with = "nullable")]
    version: String,
    #[prost(message, repeated, tag = "3")]
    #[serde(deserialize_with = "nullable")]
    attributes: Vec<KeyValue>,
    #[prost(uint32, tag = "4")]
    #[serde(deserialize_with = "flexible")]
    dropped_attributes_count: u32,
}

#[derive(Clone, PartialEq, Message, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Span {
    #[prost(bytes = "vec", tag = "1")]
    #[serde(deserialize_with = "hex_id")]
    trace_id: Vec<u8>,
    #[prost(bytes = "vec", tag = "2")]
    #[serde(deserialize_with = "hex_id")]
    span_id: Vec<u8>,
    #[prost(string, tag = "3")]
    #[serde(deserialize_with = "nullable")]
    trace_state: String,
    #[prost(bytes = "vec", tag = "4")]
    #[serde(deserialize_with = "hex_id")]
    parent_span_id: Vec<u8>,
    #[prost(string, tag = "5")]
    #[serde(deserialize_with = "nullable")]
    name: String,
    #[prost(int32, tag = "6")]
    #[serde(deserialize_with = "span_kind")]
    kind: i32,
    #[prost(fixed64, tag = "7")]
    #[serde(deserialize_with = "flexible")]
    start_time_unix_nano: u64,
    #[prost(fixed64, tag = "8")]
    #[serde(deserialize_with = "flexible")]
    end_time_unix_nano: u64,
    #[prost(message, repeated, tag = "9")]
    #[serde(deserialize_with = "nullable")]
    attributes: Vec<KeyValue>,
    #[prost(uint32, tag = "10")]
    #[serde(deserialize_with = "flexible")]
    dropped_attributes_count: u32,
    #[prost(message, repeated, tag = "11")]
    #[serde(deserialize_with = "nullable")]
    events: Vec<Event>,
    #[prost(uint32, tag = "12")]
    #[serde(deserialize_with = "flexible")]
    dropped_events_count: u32,
    #[prost(message, repeated, tag = "13")]
    #[serde(deserialize_with = "nullable")]
    links: Vec<Link>,
    #[prost(uint32, tag = "14")]
    #[serde(deserialize_with = "flexible")]
    dropped_links_count: u32,
    #[prost(message, optional, tag = "15")]
    status: Option<Status>,
    #[prost(fixed32, tag = "16")]
    #[serde(deserialize_with = "flexible")]
    flags: u32,
}

#[derive(Clone, PartialEq, Message, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Event {
    #[prost(fixed64, tag = "1")]
    #[serde(deserialize_with = "flexible")]
    time_unix_nano: u64,
    #[prost(string, tag = "2")]
    #[serde(deserialize_with = "nullable")]
    name: String,
    #[prost(message, repeated, tag = "3")]
    #[serde(deserialize_with = "nullable")]
    attributes: Vec<KeyValue>,
    #[prost(uint32, tag = "4")]
    #[serde(deserialize_with = "flexible")]
    dropped_attributes_count: u32,
}

#[derive(Clone, PartialEq, Message, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Link {
    #[prost(bytes = "vec", tag = "1")]
    #[serde(deserialize_with = "hex_id")]
    trace_id: Vec<u8>,
    #[prost(bytes = "vec", tag = "2")]
    #[serde(deserialize_with = "hex_id")]
    span_id: Vec<u8>,
    #[prost(string, tag = "3")]
    #[serde(deserialize_with = "nullable")]
    trace_state: String,
    #[prost(message, repeated, tag = "4")]
    #[serde(deserialize_with = "nullable")]
    attributes: Vec<KeyValue>,
    #[prost(uint32, tag = "5")]
    #[serde(deserialize_with = "flexible")]
    dropped_attributes_count: u32,
    #[prost(fixed32, tag = "6")]
    #[serde(deserialize_with = "flexible")]
    flags: u32,
}

#[derive(Clone, PartialEq, Message, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Status {
    #[prost(string, tag = "2")]
    #[serde(deserialize_with = "nullable")]
    message: String,
    #[prost(int32, tag = "3")]
    #[serde(deserialize_with = "status_code")]
    code: i32,
}
