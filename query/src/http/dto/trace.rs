//! Traces and lists of traces.

use crate::search::Page;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use epicenter_schema::{AttributeValue, Attributes, SpanBatch, SpanKind, SpanRef, StatusCode, TraceId};
use serde::Serialize;
use serde_json::{Value, json};

/// One trace.
#[derive(Debug, Serialize)]
pub struct TraceDto {
    /// Its id.
    pub trace_id: String,
    /// Its spans, by start.
    pub spans: Vec<Value>,
}

/// A list of traces.
#[derive(Debug, Serialize)]
pub struct TracesDto {
    /// The traces in the order asked for.
    pub traces: Vec<Value>,
    /// Where the next page begins; null on the last.
    pub next_cursor: Option<String>,
    /// Traces on a page.
    pub limit: usize,
}

impl TracesDto {
    pub(crate) fn new(page: &Page, limit: usize) -> Self {
        let traces = page.traces.iter().map(|trace| {
            json!({
                "trace_id": trace.trace.to_string(),
                "root_service": trace.root_service,
                "root_operation": trace.root_operation,
                "start_unix_nano": trace.start.to_string(),
                "duration_ns": (trace.end - trace.start).to_string(),
                "span_count": trace.spans,
                "error_count": trace.errors,
                "services": trace.services,
            })
        });
        Self { traces: traces.collect(), next_cursor: page.next.clone(), limit }
    }
}

impl TraceDto {
    pub(crate) fn new(trace: TraceId, batches: &[SpanBatch]) -> Self {
        let mut spans = Vec::new();
        for batch in batches {
            let rows = batch.spans();
            spans.extend(rows.iter().map(span));
        }
        Self { trace_id: trace.to_string(), spans }
    }
}

fn span(span: SpanRef<'_>) -> Value {
    let (dropped_attributes, dropped_events, dropped_links) = span.dropped_counts();
    let events: Vec<Value> = span
        .events()
        .map(|event| {
            json!({
                "time_unix_nano": event.time.0.to_string(),
                "name": event.name,
                "attributes": attributes(event.attributes),
                "dropped_attributes_count": event.dropped_attributes_count,
            })
        })
        .collect();
    let links: Vec<Value> = span
        .links()
        .map(|link| {
            json!({
                "trace_id": link.trace_id.to_string(),
                "span_id": link.span_id.to_string(),
                "trace_state": link.trace_state.unwrap_or_default(),
                "flags": link.flags,
                "attributes": attributes(link.attributes),
                "dropped_attributes_count": link.dropped_attributes_count,
            })
        })
        .collect();
    json!({
        "span_id": span.span_id().to_string(),
        "parent_span_id": span.parent_span_id().map(|id| id.to_string()),
        "trace_state": span.trace_state().unwrap_or_default(),
        "flags": span.flags(),
        "name": span.name(),
        "kind": kind_word(span.kind()),
        "service": span.service_name(),
        "instance": span.instance(),
        "version": span.service_version(),
        "start_unix_nano": span.start().0.to_string(),
        "duration_ns": span.duration().0.to_string(),
        "status": { "code": status_word(span.status_code()), "message": span.status_message() },
        "error": span.is_error(),
        "protocol": span.protocol(),
        "peer": span.peer(),
        "attributes": attributes(span.attributes()),
        "events": events,
        "links": links,
        "dropped_attributes_count": dropped_attributes,
        "dropped_events_count": dropped_events,
        "dropped_links_count": dropped_links,
        "resource": bag(span.resource(), "resource"),
        "scope": bag(span.scope(), "scope"),
    })
}

/// A resource or scope as OTLP/JSON, with its schema URL beside its fields.
fn bag(text: Option<&str>, field: &str) -> Value {
    let mut parsed: Value = text.and_then(|text| serde_json::from_str(text).ok()).unwrap_or_default();
    let mut inner = parsed.get_mut(field).map(Value::take).unwrap_or_else(|| json!({}));
    if let (Some(url), Some(fields)) = (parsed.get_mut("schemaUrl").map(Value::take), inner.as_object_mut()) {
        fields.insert("schemaUrl".to_owned(), url);
    }
    inner
}

fn attributes(attributes: Attributes<'_>) -> Vec<Value> {
    attributes.map(|(key, value)| json!({ "key": key, "value": any_value(value) })).collect()
}

/// The OTLP/JSON form of a value.
fn any_value(value: AttributeValue<'_>) -> Value {
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

/// The word for a span kind.
pub(crate) fn kind_word(kind: SpanKind) -> &'static str {
    match kind {
        SpanKind::Unspecified => "unspecified",
        SpanKind::Internal => "internal",
        SpanKind::Server => "server",
        SpanKind::Client => "client",
        SpanKind::Producer => "producer",
        SpanKind::Consumer => "consumer",
    }
}

fn status_word(code: StatusCode) -> &'static str {
    match code {
        StatusCode::Unset => "unset",
        StatusCode::Ok => "ok",
        StatusCode::Error => "error",
    }
}
