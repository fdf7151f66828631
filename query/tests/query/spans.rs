//! Spans as data, their columns, and a small shop that makes them.

use bytes::Bytes;
use epicenter_proto::Message;
use epicenter_proto::otlp::common::{AnyValue, ArrayValue, KeyValue, any_value::Value};
use epicenter_proto::otlp::trace as otlp;
use epicenter_schema::{FlatBatch, ResourceRow, SpanBatch, SpanBatchBuilder, SpanRow};
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
    /// Whether it says that it failed by an attribute alone.
    pub(crate) error_tag: bool,
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

/// What is appended to the log: the spans as JSON behind its length, then for each what is nested in it, as the Span message
/// of OTLP behind its length.
pub(crate) fn payload(spans: &[Span]) -> Bytes {
    let mut bytes = Vec::new();
    let mut push = |part: Vec<u8>| {
        bytes.extend((part.len() as u32).to_le_bytes());
        bytes.extend(part);
    };
    push(serde_json::to_vec(spans).expect("JSON"));
    for span in spans {
        push(nested(span).encode_to_vec());
    }
    bytes.into()
}

/// The spans of a payload.
pub(crate) fn decode(payload: &[u8]) -> Result<FlatBatch, Box<dyn std::error::Error + Send + Sync>> {
    let mut parts = Vec::new();
    let mut at = 0;
    while at < payload.len() {
        let length = u32::from_le_bytes(payload[at..at + 4].try_into()?);
        parts.push((at as u32 + 4, length));
        at += 4 + length as usize;
    }
    let (offset, length) = parts.remove(0);
    let spans: Vec<Span> = serde_json::from_slice(&payload[offset as usize..(offset + length) as usize])?;
    Ok(FlatBatch::new(batch(&spans), parts))
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
            dropped_attributes_count: u32::from(span.rich),
            dropped_events_count: 2 * u32::from(span.rich),
            dropped_links_count: 3 * u32::from(span.rich),
            ..SpanRow::default()
        });
    }
    builder.finish().expect("all text is text")
}

fn nested(span: &Span) -> otlp::Span {
    let pair = |key: &str, value: Option<Value>| KeyValue {
        key: key.to_owned(),
        value: Some(AnyValue { value }),
        ..KeyValue::default()
    };
    let text = |key: &str, text: &str| pair(key, Some(Value::StringValue(text.to_owned())));
    let mut message = otlp::Span {
        attributes: vec![pair("number", Some(Value::IntValue(span.id as i64)))],
        ..otlp::Span::default()
    };
    if span.error_tag {
        message.attributes.push(pair("error", Some(Value::BoolValue(true))));
    }
    if !span.rich {
        return message;
    }
    let list = ArrayValue {
        values: vec![AnyValue {
            value: Some(Value::IntValue(1)),
        }],
    };
    message.attributes.extend([
        text("text", "ü \"quoted\""),
        pair("large", Some(Value::IntValue(i64::MAX))),
        pair("half", Some(Value::DoubleValue(0.5))),
        pair("nan", Some(Value::DoubleValue(f64::NAN))),
        pair("least", Some(Value::DoubleValue(f64::NEG_INFINITY))),
        pair("yes", Some(Value::BoolValue(true))),
        pair("raw", Some(Value::BytesValue(vec![0, 255]))),
        pair("list", Some(Value::ArrayValue(list))),
        pair("nothing", None),
    ]);
    message.events = vec![otlp::span::Event {
        time_unix_nano: START as u64 + 1,
        name: "exception".to_owned(),
        attributes: vec![text("exception.type", "Timeout")],
        dropped_attributes_count: 2,
    }];
    message.links = vec![otlp::span::Link {
        trace_id: vec![0xcd; 16],
        span_id: vec![0xef; 8],
        trace_state: "a=b".to_owned(),
        attributes: vec![text("why", "batch")],
        dropped_attributes_count: 1,
        flags: 1,
    }];
    message
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
