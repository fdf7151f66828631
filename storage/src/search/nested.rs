//! Attributes in OTLP's own bytes: of a span that is not sealed, of events and links, of the rest, of resources.

use super::condition::{Attribute, Scope, Test};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use epicenter_schema::RawValue;
use epicenter_schema::otlp::WireError;
use epicenter_schema::otlp::value::{Value, key_value};
use epicenter_schema::otlp::wire::Reader;

/// A KeyValue message.
pub(super) fn in_message(wanted: &Attribute, message: &[u8]) -> Result<bool, WireError> {
    let (key, value) = key_value(message)?;
    if key != wanted.key.as_bytes() {
        return Ok(false);
    }
    let value = value.unwrap_or(Value::Empty);
    let mut room = Vec::new();
    Ok(is_met(&wanted.test, value.raw(&mut room)?))
}

/// A KeyValueList message.
pub(super) fn in_list(wanted: &Attribute, list: &[u8]) -> Result<bool, WireError> {
    any(list, "KeyValueList", 1, |item| in_message(wanted, item))
}

/// A Span message.
pub(super) fn in_span(wanted: &Attribute, message: &[u8]) -> Result<bool, WireError> {
    let mut fields = Reader::new(message, "Span");
    while let Some(field) = fields.next_field()? {
        let met = match field.number {
            9 if wanted.scope.has(Scope::Span) => in_message(wanted, field.bytes()?)?,
            11 if wanted.scope.has(Scope::Event) => any(field.bytes()?, "Event", 3, |item| in_message(wanted, item))?,
            13 if wanted.scope.has(Scope::Link) => any(field.bytes()?, "Link", 4, |item| in_message(wanted, item))?,
            _ => false,
        };
        if met {
            return Ok(true);
        }
    }
    Ok(false)
}

/// A resource or scope in OTLP/JSON; `what` is which.
pub(super) fn in_described(wanted: &Attribute, json: &str, what: &str) -> bool {
    let Ok(described) = serde_json::from_str::<serde_json::Value>(json) else {
        return false;
    };
    let attributes = described[what]["attributes"].as_array();
    attributes
        .into_iter()
        .flatten()
        .any(|attribute| attribute["key"] == wanted.key.as_str() && json_is_met(&wanted.test, &attribute["value"]))
}

fn json_is_met(test: &Test, value: &serde_json::Value) -> bool {
    if let Some(text) = value["stringValue"].as_str() {
        test.text(text)
    } else if let Some(number) = value["intValue"].as_str().and_then(|text| text.parse().ok()) {
        test.int(number)
    } else if let Some(number) = value["doubleValue"].as_f64() {
        test.double(number)
    } else if let Some(number) = value["doubleValue"].as_str().and_then(|text| text.parse().ok()) {
        test.double(number)
    } else if let Some(truth) = value["boolValue"].as_bool() {
        test.bool(truth)
    } else if let Some(bytes) = value["bytesValue"].as_str().and_then(|text| STANDARD.decode(text).ok()) {
        test.bytes(&bytes)
    } else if value.is_null() || value.as_object().is_some_and(serde_json::Map::is_empty) {
        test.text("")
    } else {
        test.text(&value.to_string())
    }
}

fn is_met(test: &Test, value: RawValue<'_>) -> bool {
    match value {
        RawValue::String(text) => test.text(&String::from_utf8_lossy(text)),
        RawValue::Int(number) => test.int(number),
        RawValue::Double(number) => test.double(number),
        RawValue::Bool(truth) => test.bool(truth),
        RawValue::Bytes(bytes) => test.bytes(bytes),
        RawValue::Json(json) => test.text(&String::from_utf8_lossy(json)),
        RawValue::Empty => test.text(""),
    }
}

/// Whether an item of a repeated field meets `is_met`.
fn any<'a>(
    message: &'a [u8],
    name: &'static str,
    number: u32,
    is_met: impl Fn(&'a [u8]) -> Result<bool, WireError>,
) -> Result<bool, WireError> {
    let mut fields = Reader::new(message, name);
    while let Some(field) = fields.next_field()? {
        if field.number == number && is_met(field.bytes()?)? {
            return Ok(true);
        }
    }
    Ok(false)
}
