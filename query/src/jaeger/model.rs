//! Traces as Jaeger's own model has them, translated as the OpenTelemetry specification says ("OpenTelemetry to Jaeger
//! Transformation", "Mapping to non-OTLP formats").

use crate::http::dto::trace::kind_word;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use epicenter_schema::{AttributeValue, Attributes, SpanBatch, SpanKind, SpanRef, StatusCode, TraceId};
use serde_json::{Value, json};
use std::collections::HashMap;

/// Largest integer that a double holds exactly; larger ones are written as texts.
const INTEGER_MAX: i64 = (1 << 53) - 1;

/// An id as Jaeger writes it: 16 digits when the upper half is zero.
pub(super) fn trace_id(id: TraceId) -> String {
    let text = id.to_string();
    match text.strip_prefix("0000000000000000") {
        Some(low) => low.to_owned(),
        None => text,
    }
}

/// One trace.
pub(super) fn trace(id: TraceId, batch: &SpanBatch) -> Value {
    let id = trace_id(id);
    let spans = batch.spans();
    let mut processes: HashMap<(&str, &str), usize> = HashMap::new();
    let mut named = serde_json::Map::new();
    let mut written = Vec::with_capacity(spans.len());
    for span in spans.iter() {
        let key = (span.service_name(), span.resource().unwrap_or("{}"));
        let next = processes.len() + 1;
        let number = *processes.entry(key).or_insert_with(|| {
            named.insert(format!("p{next}"), process(key.0, key.1));
            next
        });
        written.push(self::span(&id, span, number));
    }
    json!({ "traceID": id, "spans": written, "processes": named, "warnings": null })
}

fn process(service: &str, resource: &str) -> Value {
    let parsed: Value = serde_json::from_str(resource).unwrap_or_default();
    let attributes = parsed["resource"]["attributes"].as_array();
    let tags = attributes
        .into_iter()
        .flatten()
        .filter(|attribute| attribute["key"] != "service.name");
    let tags: Vec<Value> = tags
        .map(|attribute| {
            let (kind, value) = described(&attribute["value"]);
            json!({ "key": attribute["key"], "type": kind, "value": value })
        })
        .collect();
    json!({ "serviceName": service, "tags": tags })
}

fn span(trace: &str, span: SpanRef<'_>, process: usize) -> Value {
    let mut references = Vec::new();
    if let Some(parent) = span.parent_span_id() {
        references.push(json!({ "refType": "CHILD_OF", "traceID": trace, "spanID": parent.to_string() }));
    }
    for link in span.links() {
        let is_child = link
            .attributes
            .clone()
            .any(|(key, value)| key == "opentracing.ref_type" && value.as_str() == Some("child_of"));
        let kind = if is_child { "CHILD_OF" } else { "FOLLOWS_FROM" };
        let (trace, id) = (trace_id(link.trace_id), link.span_id.to_string());
        references.push(json!({ "refType": kind, "traceID": trace, "spanID": id }));
    }
    let logs: Vec<Value> = span
        .events()
        .map(|event| {
            let mut fields = Vec::new();
            if !event.name.is_empty() && !event.attributes.clone().any(|(key, _)| key == "event") {
                fields.push(text("event", event.name));
            }
            fields.extend(tags(event.attributes));
            fields.extend(dropped("attributes", event.dropped_attributes_count));
            json!({ "timestamp": event.time.0 as u64 / 1_000, "fields": fields })
        })
        .collect();
    json!({
        "traceID": trace,
        "spanID": span.span_id().to_string(),
        "flags": span.flags() & 0xff,
        "operationName": span.name(),
        "references": references,
        "startTime": span.start().0 as u64 / 1_000,
        "duration": span.duration().0.max(0) / 1_000,
        "tags": span_tags(span),
        "logs": logs,
        "processID": format!("p{process}"),
        "warnings": null,
    })
}

fn span_tags(span: SpanRef<'_>) -> Vec<Value> {
    let mut all = Vec::new();
    let scope: Value = span
        .scope()
        .and_then(|text| serde_json::from_str(text).ok())
        .unwrap_or_default();
    for (field, key) in [("name", "otel.scope.name"), ("version", "otel.scope.version")] {
        if let Some(value) = scope["scope"][field].as_str() {
            all.push(text(key, value));
        }
    }
    all.extend(tags(span.attributes()));
    if span.kind() != SpanKind::Unspecified {
        all.push(text("span.kind", kind_word(span.kind())));
    }
    match span.status_code() {
        StatusCode::Unset => {}
        StatusCode::Ok => all.push(text("otel.status_code", "OK")),
        StatusCode::Error => {
            all.push(text("otel.status_code", "ERROR"));
            all.push(json!({ "key": "error", "type": "bool", "value": true }));
        }
    }
    if let Some(message) = span.status_message() {
        all.push(text("otel.status_description", message));
    }
    if let Some(state) = span.trace_state() {
        all.push(text("w3c.tracestate", state));
    }
    let (attributes, events, links) = span.dropped_counts();
    for (what, count) in [("attributes", attributes), ("events", events), ("links", links)] {
        all.extend(dropped(what, count));
    }
    all
}

/// How much the sender dropped, told where it did.
fn dropped(what: &str, count: u32) -> Option<Value> {
    let key = format!("otel.dropped_{what}_count");
    (count > 0).then(|| json!({ "key": key, "type": "int64", "value": count }))
}

fn text(key: &str, value: &str) -> Value {
    json!({ "key": key, "type": "string", "value": value })
}

fn tags(attributes: Attributes<'_>) -> impl Iterator<Item = Value> {
    attributes.map(|(key, value)| {
        let (kind, value) = match value {
            AttributeValue::String(text) => ("string", text.into()),
            AttributeValue::Int(number) => ("int64", integer(number)),
            AttributeValue::Double(number) => ("float64", double(number)),
            AttributeValue::Bool(truth) => ("bool", truth.into()),
            AttributeValue::Bytes(bytes) => ("binary", STANDARD.encode(bytes).into()),
            AttributeValue::Json(list) => {
                let list: Value = serde_json::from_str(list).unwrap_or_default();
                ("string", plain(&list).to_string().into())
            }
            AttributeValue::Empty => ("string", "".into()),
        };
        json!({ "key": key, "type": kind, "value": value })
    })
}

fn integer(number: i64) -> Value {
    if (-INTEGER_MAX..=INTEGER_MAX).contains(&number) {
        number.into()
    } else {
        number.to_string().into()
    }
}

fn double(number: f64) -> Value {
    if number.is_finite() {
        return number.into();
    }
    let word = if number.is_nan() {
        "NaN"
    } else if number > 0.0 {
        "+Inf"
    } else {
        "-Inf"
    };
    word.into()
}

/// Type and value of an AnyValue in OTLP/JSON.
fn described(value: &Value) -> (&'static str, Value) {
    if let Some(text) = value["intValue"].as_str() {
        return ("int64", text.parse().map_or_else(|_| text.into(), integer));
    }
    for (field, kind) in [
        ("stringValue", "string"),
        ("doubleValue", "float64"),
        ("boolValue", "bool"),
        ("bytesValue", "binary"),
    ] {
        if !value[field].is_null() {
            return (kind, value[field].clone());
        }
    }
    match value.as_object() {
        Some(object) if !object.is_empty() => ("string", plain(value).to_string().into()),
        _ => ("string", "".into()),
    }
}

/// An AnyValue in OTLP/JSON as the plain JSON that it means.
fn plain(value: &Value) -> Value {
    if let Some(list) = value.get("arrayValue") {
        let items = list["values"].as_array();
        return items.into_iter().flatten().map(plain).collect();
    }
    if let Some(list) = value.get("kvlistValue") {
        let items = list["values"].as_array().into_iter().flatten();
        let pair = |item: &Value| {
            (
                item["key"].as_str().unwrap_or_default().to_owned(),
                plain(&item["value"]),
            )
        };
        return Value::Object(items.map(pair).collect());
    }
    if value.as_object().is_none_or(serde_json::Map::is_empty) {
        return Value::Null;
    }
    described(value).1
}
