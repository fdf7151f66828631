//! Spans as the ResourceSpans of OTLP/JSON: hexadecimal ids, 64-bit integers as texts, enumerations as numbers.

use crate::http::dto::value::any_value;
use epicenter_schema::{Attributes, SpanBatch, SpanRef};
use serde_json::{Map, Value, json};
use std::collections::HashMap;

/// Values by key, in the order in which the keys first came.
struct Grouped<'a, T> {
    entries: Vec<(&'a str, T)>,
    places: HashMap<&'a str, usize>,
}

impl<T> Default for Grouped<'_, T> {
    fn default() -> Self {
        Self {
            entries: Vec::new(),
            places: HashMap::new(),
        }
    }
}

impl<'a, T: Default> Grouped<'a, T> {
    /// The value of a key, a new one at the end when there is none.
    fn slot(&mut self, key: &'a str) -> &mut T {
        let at = *self.places.entry(key).or_insert_with(|| {
            self.entries.push((key, T::default()));
            self.entries.len() - 1
        });
        &mut self.entries[at].1
    }
}

/// Spans by scope.
type Scopes<'a> = Grouped<'a, Vec<Value>>;

/// The spans of a batch, grouped by resource and scope in the order in which they first come.
pub(super) fn resource_spans(batch: &SpanBatch) -> Vec<Value> {
    let spans = batch.spans();
    let mut resources: Grouped<'_, Scopes<'_>> = Grouped::default();
    for span in spans.iter() {
        let (resource, scope) = (span.resource().unwrap_or("{}"), span.scope().unwrap_or("{}"));
        resources.slot(resource).slot(scope).push(self::span(span));
    }
    let whole = |(resource, scopes): (&str, Scopes<'_>)| {
        let scopes = scopes
            .entries
            .into_iter()
            .map(|(scope, spans)| described(scope, "scope", "spans", spans.into()));
        described(resource, "resource", "scopeSpans", scopes.collect())
    };
    resources.entries.into_iter().map(whole).collect()
}

/// A resource or scope with its schema URL, and what belongs to it.
fn described(text: &str, what: &str, items: &str, list: Value) -> Value {
    let parsed: Value = serde_json::from_str(text).unwrap_or_default();
    let mut object = Map::new();
    object.insert(what.to_owned(), parsed.get(what).cloned().unwrap_or_else(|| json!({})));
    object.insert(items.to_owned(), list);
    if let Some(url) = parsed.get("schemaUrl") {
        object.insert("schemaUrl".to_owned(), url.clone());
    }
    Value::Object(object)
}

fn span(span: SpanRef<'_>) -> Value {
    let mut object = Map::new();
    let mut put = |name: &str, value: Value| drop(object.insert(name.to_owned(), value));
    put("traceId", span.trace_id().to_string().into());
    put("spanId", span.span_id().to_string().into());
    put(
        "parentSpanId",
        span.parent_span_id()
            .map(|id| id.to_string())
            .unwrap_or_default()
            .into(),
    );
    put("name", span.name().into());
    put("kind", span.kind_number().into());
    put("startTimeUnixNano", (span.start().0 as u64).to_string().into());
    put("endTimeUnixNano", (span.end().0 as u64).to_string().into());
    put("attributes", attributes(span.attributes()));
    if let Some(state) = span.trace_state() {
        put("traceState", state.into());
    }
    if span.flags() != 0 {
        put("flags", span.flags().into());
    }
    let (attributes_dropped, events_dropped, links_dropped) = span.dropped_counts();
    for (name, count) in [
        ("droppedAttributesCount", attributes_dropped),
        ("droppedEventsCount", events_dropped),
        ("droppedLinksCount", links_dropped),
    ] {
        if count > 0 {
            put(name, count.into());
        }
    }
    let events: Vec<Value> = span
        .events()
        .map(|event| {
            json!({
                "timeUnixNano": (event.time.0 as u64).to_string(),
                "name": event.name,
                "attributes": attributes(event.attributes),
                "droppedAttributesCount": event.dropped_attributes_count,
            })
        })
        .collect();
    if !events.is_empty() {
        put("events", events.into());
    }
    let links: Vec<Value> = span
        .links()
        .map(|link| {
            json!({
                "traceId": link.trace_id.to_string(),
                "spanId": link.span_id.to_string(),
                "traceState": link.trace_state.unwrap_or_default(),
                "attributes": attributes(link.attributes),
                "droppedAttributesCount": link.dropped_attributes_count,
                "flags": link.flags,
            })
        })
        .collect();
    if !links.is_empty() {
        put("links", links.into());
    }
    let mut status = Map::new();
    if let Some(message) = span.status_message() {
        status.insert("message".to_owned(), message.into());
    }
    if span.status_code_number() != 0 {
        status.insert("code".to_owned(), span.status_code_number().into());
    }
    put("status", Value::Object(status));
    Value::Object(object)
}

fn attributes(attributes: Attributes<'_>) -> Value {
    attributes
        .map(|(key, value)| json!({ "key": key, "value": any_value(value) }))
        .collect()
}
