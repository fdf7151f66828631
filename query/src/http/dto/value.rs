//! Attributes with their exact types, as the AnyValue of OTLP/JSON. Source: OTLP 1.11, JSON Protobuf encoding.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use epicenter_schema::{AttributeValue, Attributes};
use serde::{Serialize, Serializer};
use serde_json::{Value, json};

/// `[{"key":..,"value":{..}}]`, in the order received.
pub struct AttributesDto<'a>(pub(super) Attributes<'a>);

#[derive(Serialize)]
struct AttributeDto<'a> {
    key: &'a str,
    value: Value,
}

impl Serialize for AttributesDto<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.0.clone().map(|(key, value)| AttributeDto {
            key,
            value: any_value(value),
        }))
    }
}

/// The OTLP/JSON form of a value: 64-bit integers are strings, bytes are base64, numbers beyond JSON are words.
pub(crate) fn any_value(value: AttributeValue<'_>) -> Value {
    match value {
        AttributeValue::String(text) => json!({ "stringValue": text }),
        AttributeValue::Int(number) => json!({ "intValue": number.to_string() }),
        AttributeValue::Double(number) if number.is_finite() => json!({ "doubleValue": number }),
        AttributeValue::Double(number) if number.is_nan() => json!({ "doubleValue": "NaN" }),
        AttributeValue::Double(number) => {
            json!({ "doubleValue": if number > 0.0 { "Infinity" } else { "-Infinity" } })
        }
        AttributeValue::Bool(boolean) => json!({ "boolValue": boolean }),
        AttributeValue::Bytes(bytes) => json!({ "bytesValue": STANDARD.encode(bytes) }),
        AttributeValue::Json(text) => serde_json::from_str(text).unwrap_or_default(),
        AttributeValue::Empty => json!({}),
    }
}

/// A resource or scope as OTLP/JSON, with its schema URL beside its fields.
pub(super) fn bag(text: Option<&str>, field: &str) -> Value {
    let mut parsed: Value = text
        .and_then(|text| serde_json::from_str(text).ok())
        .unwrap_or_default();
    let mut inner = parsed.get_mut(field).map(Value::take).unwrap_or_else(|| json!({}));
    if let (Some(url), Some(fields)) = (parsed.get_mut("schemaUrl").map(Value::take), inner.as_object_mut()) {
        fields.insert("schemaUrl".to_owned(), url);
    }
    inner
}
