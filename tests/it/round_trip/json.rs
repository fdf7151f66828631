//! OTLP/JSON as messages, read by the letter of the specification: what is not of its form fails the test.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use epicenter_proto::otlp::common::{AnyValue, ArrayValue, InstrumentationScope, KeyValue, KeyValueList, any_value};
use epicenter_proto::otlp::resource::Resource;
use epicenter_proto::otlp::trace::span::{Event, Link};
use epicenter_proto::otlp::trace::{ResourceSpans, ScopeSpans, Span, Status};
use serde_json::Value;

pub(super) fn resource_spans(json: &Value) -> Vec<ResourceSpans> {
    list(json, |json| ResourceSpans {
        resource: json.get("resource").map(|resource| Resource {
            attributes: attributes(&resource["attributes"]),
            dropped_attributes_count: number(&resource["droppedAttributesCount"]) as u32,
            ..Resource::default()
        }),
        scope_spans: list(&json["scopeSpans"], |json| ScopeSpans {
            scope: json.get("scope").map(|scope| InstrumentationScope {
                name: text(&scope["name"]),
                version: text(&scope["version"]),
                attributes: attributes(&scope["attributes"]),
                dropped_attributes_count: number(&scope["droppedAttributesCount"]) as u32,
            }),
            spans: list(&json["spans"], span),
            schema_url: text(&json["schemaUrl"]),
        }),
        schema_url: text(&json["schemaUrl"]),
    })
}

fn span(json: &Value) -> Span {
    Span {
        trace_id: id(&json["traceId"]),
        span_id: id(&json["spanId"]),
        trace_state: text(&json["traceState"]),
        parent_span_id: id(&json["parentSpanId"]),
        flags: number(&json["flags"]) as u32,
        name: text(&json["name"]),
        kind: number(&json["kind"]) as i32,
        start_time_unix_nano: time(&json["startTimeUnixNano"]),
        end_time_unix_nano: time(&json["endTimeUnixNano"]),
        attributes: attributes(&json["attributes"]),
        dropped_attributes_count: number(&json["droppedAttributesCount"]) as u32,
        events: list(&json["events"], |json| Event {
            time_unix_nano: time(&json["timeUnixNano"]),
            name: text(&json["name"]),
            attributes: attributes(&json["attributes"]),
            dropped_attributes_count: number(&json["droppedAttributesCount"]) as u32,
        }),
        dropped_events_count: number(&json["droppedEventsCount"]) as u32,
        links: list(&json["links"], |json| Link {
            trace_id: id(&json["traceId"]),
            span_id: id(&json["spanId"]),
            trace_state: text(&json["traceState"]),
            attributes: attributes(&json["attributes"]),
            dropped_attributes_count: number(&json["droppedAttributesCount"]) as u32,
            flags: number(&json["flags"]) as u32,
        }),
        dropped_links_count: number(&json["droppedLinksCount"]) as u32,
        status: json.get("status").map(|status| Status {
            message: text(&status["message"]),
            code: number(&status["code"]) as i32,
        }),
    }
}

fn attributes(json: &Value) -> Vec<KeyValue> {
    list(json, |json| KeyValue {
        key: text(&json["key"]),
        value: json.get("value").map(value),
        ..KeyValue::default()
    })
}

fn value(json: &Value) -> AnyValue {
    use any_value::Value as Any;
    let fields = json.as_object().expect("a value is an object");
    assert!(fields.len() <= 1, "{json}");
    let value = fields.iter().next().map(|(name, json)| match name.as_str() {
        "stringValue" => Any::StringValue(text(json)),
        "boolValue" => Any::BoolValue(json.as_bool().expect("a truth value")),
        "intValue" => Any::IntValue(json.as_str().expect("64 bits are a text").parse().expect("a number")),
        "doubleValue" => Any::DoubleValue(match json.as_str() {
            Some("NaN") => f64::NAN,
            Some("Infinity") => f64::INFINITY,
            Some("-Infinity") => f64::NEG_INFINITY,
            Some(other) => panic!("{other} is no double"),
            None => json.as_f64().expect("a double"),
        }),
        "bytesValue" => Any::BytesValue(STANDARD.decode(text(json)).expect("base64")),
        "arrayValue" => Any::ArrayValue(ArrayValue {
            values: list(&json["values"], self::value),
        }),
        "kvlistValue" => Any::KvlistValue(KeyValueList {
            values: attributes(&json["values"]),
        }),
        other => panic!("{other} is no value"),
    });
    AnyValue { value }
}

fn list<T>(json: &Value, item: impl Fn(&Value) -> T) -> Vec<T> {
    match json {
        Value::Null => Vec::new(),
        Value::Array(items) => items.iter().map(item).collect(),
        other => panic!("{other} is no list"),
    }
}

fn text(json: &Value) -> String {
    match json {
        Value::Null => String::new(),
        Value::String(text) => text.clone(),
        other => panic!("{other} is no text"),
    }
}

/// 32 bits and enumerations are numbers.
fn number(json: &Value) -> u64 {
    match json {
        Value::Null => 0,
        other => other.as_u64().unwrap_or_else(|| panic!("{other} is no number")),
    }
}

/// 64 bits are texts.
fn time(json: &Value) -> u64 {
    text(json).parse().unwrap_or(0)
}

/// Ids are lower-case hexadecimal digits.
fn id(json: &Value) -> Vec<u8> {
    let text = text(json);
    assert_eq!(text, text.to_lowercase());
    hex::decode(text).expect("hexadecimal digits")
}
