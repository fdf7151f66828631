//! Spans as data, their columns, and a small shop that makes them.

use bytes::Bytes;
use epicenter_schema::{LinkRow, RawValue, ResourceRow, SpanBatch, SpanBatchBuilder, SpanRow};
use serde::{Deserialize, Serialize};

/// When the tests begin.
pub(crate) const START: i64 = 1_700_000_000_000_000_000;
pub(crate) const MS: i64 = 1_000_000;

const SERVER: i32 = 2;
const CLIENT: i32 = 3;

/// A span. Every field that a test does not set has a value that is of no interest.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
pub(crate) struct Span {
    pub(crate) trace: u128,
    pub(crate) id: u64,
    pub(crate) parent: Option<u64>,
    pub(crate) service: String,
    pub(crate) name: String,
    pub(crate) kind: i32,
    pub(crate) start: i64,
    pub(crate) duration: i64,
    pub(crate) error: bool,
    /// Protocol and callee of a client span.
    pub(crate) peer: Option<(String, String)>,
    /// Whether it has an attribute of every type, an event and a link.
    pub(crate) rich: bool,
}

impl Span {
    /// The id as the APIs write it.
    pub(crate) fn trace_id(&self) -> String {
        format!("{:032x}", self.trace)
    }
}

/// What is appended to the log.
pub(crate) fn payload(spans: &[Span]) -> Bytes {
    serde_json::to_vec(spans).expect("JSON").into()
}

/// The spans of a payload.
pub(crate) fn decode(payload: &[u8]) -> Result<SpanBatch, Box<dyn std::error::Error + Send + Sync>> {
    let spans: Vec<Span> = serde_json::from_slice(payload)?;
    Ok(batch(&spans))
}

pub(crate) fn batch(spans: &[Span]) -> SpanBatch {
    let mut builder = SpanBatchBuilder::with_capacity(spans.len());
    for span in spans {
        let resource = format!(
            r#"{{"resource":{{"attributes":[{{"key":"service.name","value":{{"stringValue":"{}"}}}},{{"key":"shard","value":{{"intValue":"7"}}}}]}},"schemaUrl":"https://schema"}}"#,
            span.service
        );
        builder.set_resource(&ResourceRow {
            service_name: span.service.as_bytes(),
            service_version: Some(b"1.0"),
            instance: Some(b"pod-1"),
            json: resource.as_bytes(),
            ..ResourceRow::default()
        });
        builder.set_scope(br#"{"scope":{"name":"lib","version":"2"}}"#);
        builder.attribute(b"number", RawValue::Int(span.id as i64));
        if span.rich {
            add_everything(&mut builder);
        }
        builder.commit(&SpanRow {
            trace_id: span.trace.to_be_bytes(),
            span_id: span.id.to_be_bytes(),
            parent_span_id: span.parent.map(u64::to_be_bytes),
            name: span.name.as_bytes(),
            kind: span.kind,
            start_time: span.start,
            duration_ns: span.duration,
            status_code: if span.error { 2 } else { 0 },
            status_message: if span.error { b"it failed" } else { b"" },
            error: span.error,
            protocol: span.peer.as_ref().map(|(protocol, _)| protocol.as_bytes()),
            peer_kind: span.peer.as_ref().map(|_| &b"service"[..]),
            peer: span.peer.as_ref().map(|(_, peer)| peer.as_bytes()),
            ..SpanRow::default()
        });
    }
    builder.finish().expect("all text is text")
}

fn add_everything(builder: &mut SpanBatchBuilder) {
    builder.attribute(b"text", RawValue::String("ü \"quoted\"".as_bytes()));
    builder.attribute(b"large", RawValue::Int(i64::MAX));
    builder.attribute(b"half", RawValue::Double(0.5));
    builder.attribute(b"nan", RawValue::Double(f64::NAN));
    builder.attribute(b"least", RawValue::Double(f64::NEG_INFINITY));
    builder.attribute(b"yes", RawValue::Bool(true));
    builder.attribute(b"raw", RawValue::Bytes(&[0, 255]));
    builder.attribute(
        b"list",
        RawValue::Json(br#"{"arrayValue":{"values":[{"intValue":"1"}]}}"#),
    );
    builder.attribute(b"nothing", RawValue::Empty);
    builder.event_attribute(b"exception.type", RawValue::String(b"Timeout"));
    builder.event(START + 1, b"exception", 2);
    builder.link_attribute(b"why", RawValue::String(b"batch"));
    builder.link(&LinkRow {
        trace_id: [0xcd; 16],
        span_id: [0xef; 8],
        trace_state: b"a=b",
        dropped_attributes_count: 1,
        flags: 1,
    });
}

/// Requests a second of the shop.
const RATE: i64 = 20;

/// One second of the shop: gateway -> cart -> payment, 20 requests. When payment is dead its callers get an error and it
/// says nothing.
pub(crate) fn second(number: i64, payment_is_dead: bool) -> Vec<Span> {
    let mut spans = Vec::new();
    for request in 0..RATE {
        let unique = (number * RATE + request + 1) as u64;
        let start = START + number * 1_000 * MS + request * 40 * MS;
        let jitter = (unique * 7 % 5) as i64;
        let base = Span {
            trace: u128::from(unique) << 64 | 1,
            error: payment_is_dead,
            ..Span::default()
        };
        let server = |place: u64, service: &str, parent: Option<u64>, duration: i64| Span {
            id: unique * 10 + place,
            parent: parent.map(|place| unique * 10 + place),
            service: service.to_owned(),
            name: format!("{service} work"),
            kind: SERVER,
            start: start + place as i64 * MS,
            duration: duration * MS,
            ..base.clone()
        };
        let client = |place: u64, service: &str, callee: &str, duration: i64| Span {
            kind: CLIENT,
            name: format!("call {callee}"),
            peer: Some(("http".to_owned(), callee.to_owned())),
            ..server(place, service, Some(place - 1), duration)
        };
        spans.push(server(0, "gateway", None, 30 + jitter));
        spans.push(client(1, "gateway", "cart", 25 + jitter));
        spans.push(server(2, "cart", Some(1), 20 + jitter));
        spans.push(client(3, "cart", "payment", 12 + jitter));
        if !payment_is_dead {
            spans.push(server(4, "payment", Some(3), 8 + jitter));
        }
    }
    spans
}
