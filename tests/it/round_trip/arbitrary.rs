//! Random requests that say everything OTLP can say. The same seed gives the same requests.

use epicenter_proto::otlp::collector_trace::ExportTraceServiceRequest;
use epicenter_proto::otlp::common::{
    AnyValue, ArrayValue, InstrumentationScope, KeyValue, KeyValueList, any_value::Value,
};
use epicenter_proto::otlp::resource::Resource;
use epicenter_proto::otlp::trace::span::{Event, Link};
use epicenter_proto::otlp::trace::{ResourceSpans, ScopeSpans, Span, Status};

/// How deep lists are nested.
const DEPTH: u32 = 4;
/// Texts that are easily broken on the way.
const TEXTS: [&str; 10] = [
    "",
    "a",
    "GET /orders/{id}",
    "ü 漢字 🦀 \u{10ffff}",
    "quote \" backslash \\ slash / tab \t line\n",
    "\u{0}\u{1}\u{7f}\u{2028}",
    "true",
    "NaN",
    "12345678901234567890",
    "a text that is longer than what fits in one byte of a length: 0123456789 0123456789 0123456789 0123456789 0123456789 0123456789",
];
/// Keys; some come with several types, some twice on a span.
const KEYS: [&str; 12] = [
    "http.request.method",
    "http.response.status_code",
    "db.system",
    "peer.service",
    "k",
    "k:string",
    "attributes.k",
    "a.b.c",
    "",
    "ключ",
    "x\"y",
    "error.type",
];

pub(super) struct Random {
    random: fastrand::Rng,
    now: u64,
    trace: u64,
}

impl Random {
    pub(super) fn new(seed: u64, now: u64) -> Self {
        Self {
            random: fastrand::Rng::with_seed(seed),
            now,
            trace: 0,
        }
    }

    pub(super) fn request(&mut self) -> ExportTraceServiceRequest {
        let mut traces: Vec<Vec<u8>> = (0..self.random.usize(1..4)).map(|_| self.trace_id()).collect();
        let resource_spans = (0..self.random.usize(1..4))
            .map(|_| ResourceSpans {
                resource: self.random.bool().then(|| Resource {
                    attributes: self.attributes(5),
                    dropped_attributes_count: self.count(),
                    ..Resource::default()
                }),
                scope_spans: (0..self.random.usize(1..4))
                    .map(|_| self.scope_spans(&mut traces))
                    .collect(),
                schema_url: self.text(),
            })
            .collect();
        ExportTraceServiceRequest { resource_spans }
    }

    /// One trace of so many spans: a root, its children, and theirs.
    pub(super) fn large_trace(&mut self, spans: usize) -> ExportTraceServiceRequest {
        let trace = self.trace_id();
        let spans = (1..=spans as u64).map(|number| Span {
            trace_id: trace.clone(),
            span_id: number.to_be_bytes().to_vec(),
            parent_span_id: if number == 1 {
                Vec::new()
            } else {
                (number / 2).to_be_bytes().to_vec()
            },
            name: format!("step {}", number % 7),
            kind: 1,
            start_time_unix_nano: self.now + number,
            end_time_unix_nano: self.now + number + 5,
            attributes: self.attributes(2),
            ..Span::default()
        });
        let scope_spans = vec![ScopeSpans {
            spans: spans.collect(),
            ..ScopeSpans::default()
        }];
        let resource_spans = vec![ResourceSpans {
            scope_spans,
            ..ResourceSpans::default()
        }];
        ExportTraceServiceRequest { resource_spans }
    }

    fn trace_id(&mut self) -> Vec<u8> {
        self.trace += 1;
        [self.now.to_be_bytes(), self.trace.to_be_bytes()].concat()
    }

    fn scope_spans(&mut self, traces: &mut [Vec<u8>]) -> ScopeSpans {
        ScopeSpans {
            scope: self.random.bool().then(|| InstrumentationScope {
                name: self.text(),
                version: self.text(),
                attributes: self.attributes(3),
                dropped_attributes_count: self.count(),
            }),
            spans: (0..self.random.usize(1..8))
                .map(|_| {
                    let trace = traces[self.random.usize(..traces.len())].clone();
                    self.span(trace)
                })
                .collect(),
            schema_url: self.text(),
        }
    }

    fn span(&mut self, trace_id: Vec<u8>) -> Span {
        let start = self.now + self.random.u64(..1_000_000_000);
        Span {
            trace_id,
            // Few, so that some are doubled.
            span_id: self.random.u64(1..40).to_be_bytes().to_vec(),
            trace_state: ["", "a=b", "ot=th:8;rv:0123456789abcd,x=y"][self.random.usize(..3)].to_owned(),
            parent_span_id: match self.random.u8(..3) {
                0 => Vec::new(),
                _ => self.random.u64(1..40).to_be_bytes().to_vec(),
            },
            flags: [0, 1, 0x101, 0x301, u32::MAX][self.random.usize(..5)],
            name: self.text(),
            kind: self.random.i32(..6).max(0),
            start_time_unix_nano: start,
            end_time_unix_nano: match self.random.u8(..8) {
                // The clock ran backwards.
                0 => start - self.random.u64(..5_000),
                1 => start,
                _ => start + self.random.u64(..3_000_000_000),
            },
            attributes: self.attributes(8),
            dropped_attributes_count: self.count(),
            events: (0..self.random.usize(..4))
                .map(|_| Event {
                    time_unix_nano: self.random.u64(..i64::MAX as u64),
                    name: self.text(),
                    attributes: self.attributes(3),
                    dropped_attributes_count: self.count(),
                })
                .collect(),
            dropped_events_count: self.count(),
            links: (0..self.random.usize(..3))
                .map(|_| Link {
                    trace_id: self.random.u128(1..).to_be_bytes().to_vec(),
                    span_id: self.random.u64(1..).to_be_bytes().to_vec(),
                    trace_state: self.text(),
                    attributes: self.attributes(3),
                    dropped_attributes_count: self.count(),
                    flags: self.count(),
                })
                .collect(),
            dropped_links_count: self.count(),
            status: self.random.bool().then(|| Status {
                message: self.text(),
                code: self.random.i32(..3).max(0),
            }),
        }
    }

    fn attributes(&mut self, most: usize) -> Vec<KeyValue> {
        (0..self.random.usize(..=most)).map(|_| self.attribute(0)).collect()
    }

    fn attribute(&mut self, depth: u32) -> KeyValue {
        KeyValue {
            key: KEYS[self.random.usize(..KEYS.len())].to_owned(),
            value: (self.random.u8(..20) != 0).then(|| self.value(depth)),
            ..KeyValue::default()
        }
    }

    fn value(&mut self, depth: u32) -> AnyValue {
        const DOUBLES: [f64; 10] = [
            0.0,
            -0.0,
            1.5,
            f64::NAN,
            f64::INFINITY,
            f64::NEG_INFINITY,
            f64::MIN_POSITIVE,
            5e-324,
            f64::MAX,
            0.1 + 0.2,
        ];
        const INTS: [i64; 7] = [0, 1, -1, 127, 128, i64::MIN, i64::MAX];
        let value = match self.random.u8(..if depth < DEPTH { 9 } else { 6 }) {
            0 => None,
            1 | 6 => Some(Value::StringValue(self.text())),
            2 => Some(Value::IntValue(INTS[self.random.usize(..INTS.len())])),
            3 => Some(Value::DoubleValue(DOUBLES[self.random.usize(..DOUBLES.len())])),
            4 => Some(Value::BoolValue(self.random.bool())),
            5 => {
                let bytes = (0..self.random.usize(..5)).map(|_| self.random.u8(..)).collect();
                Some(Value::BytesValue(bytes))
            }
            7 => {
                let values = (0..self.random.usize(..4)).map(|_| self.value(depth + 1)).collect();
                Some(Value::ArrayValue(ArrayValue { values }))
            }
            _ => {
                let values = (0..self.random.usize(..4)).map(|_| self.attribute(depth + 1)).collect();
                Some(Value::KvlistValue(KeyValueList { values }))
            }
        };
        AnyValue { value }
    }

    fn text(&mut self) -> String {
        TEXTS[self.random.usize(..TEXTS.len())].to_owned()
    }

    fn count(&mut self) -> u32 {
        [0, 0, 0, 1, 300, u32::MAX][self.random.usize(..6)]
    }
}
