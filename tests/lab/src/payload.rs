//! Trace requests by the thousand for benches: seeded, deterministic, of one of two shapes.
//!
//! [`Shape::Shop`] is shaped like what a busy shop sends. One request has 512 spans, about 700 OTLP bytes each, with 12 attributes and 1.5 events a span. The spans belong to
//! trees of 40, spread over the resources of the request the way a gateway batches them: a tree that does not fit goes on
//! in the next request. Distinct values: 40 services, 5 instances each, 20 operations a service, 20 nodes, 10,000
//! users, 2 % errors; ids and times are all distinct.

#[path = "payload/calls.rs"]
mod calls;

use epicenter_proto::Message;
use epicenter_proto::otlp::collector_trace::ExportTraceServiceRequest;
use epicenter_proto::otlp::common::{AnyValue, InstrumentationScope, KeyValue, any_value::Value};
use epicenter_proto::otlp::resource::Resource;
use epicenter_proto::otlp::trace::span::Event;
use epicenter_proto::otlp::trace::{ResourceSpans, ScopeSpans, Span, Status};
use std::collections::BTreeMap;

/// Spans of one request.
pub const SPANS_PER_REQUEST: usize = 512;
/// Spans of one trace.
pub const SPANS_PER_TRACE: usize = 40;

const SERVICES: u64 = 40;
const INSTANCES_PER_SERVICE: u64 = 5;
const OPERATIONS_PER_SERVICE: u64 = 20;
const NODES: u64 = 20;
const USERS: u64 = 10_000;
const ERROR_PERCENT: u64 = 2;
/// Children of a span in the tree: span `n` hangs under span `(n - 1) / FANOUT`.
const FANOUT: usize = 3;

/// Spans that wait for their request, with the instance that sends them.
type Pending = Vec<(u64, Span)>;

/// What the spans look like.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub enum Shape {
    /// 12 attributes of all types and 1.5 events a span.
    #[default]
    Shop,
    /// 10 attributes and no event a span.
    Calls,
}

/// Makes requests, one after the other.
#[derive(Debug)]
pub struct Generator {
    shape: Shape,
    random: u64,
    clock_unix_nano: u64,
    pending: Pending,
}

impl Generator {
    /// The same seed and start give the same bytes. Spans begin at `start_unix_nano` and go on from there, a trace a
    /// millisecond.
    pub fn new(shape: Shape, seed: u64, start_unix_nano: u64) -> Self {
        Self {
            shape,
            random: seed,
            clock_unix_nano: start_unix_nano,
            pending: Vec::new(),
        }
    }

    /// The next request, encoded.
    pub fn request(&mut self) -> Vec<u8> {
        while self.pending.len() < SPANS_PER_REQUEST {
            self.trace();
        }
        self.encode(SPANS_PER_REQUEST)
    }

    /// A request of one whole trace, encoded, with the trace's id in hexadecimal digits. For a generator that made no
    /// other request before.
    pub fn trace_request(&mut self) -> (Vec<u8>, String) {
        self.trace();
        let id = self
            .pending
            .first()
            .map(|(_, span)| span.trace_id.clone())
            .unwrap_or_default();
        let id = id.iter().map(|byte| format!("{byte:02x}")).collect();
        (self.encode(SPANS_PER_TRACE), id)
    }

    fn encode(&mut self, spans: usize) -> Vec<u8> {
        let mut by_instance: BTreeMap<u64, Vec<Span>> = BTreeMap::new();
        for (instance, span) in self.pending.drain(..spans) {
            by_instance.entry(instance).or_default().push(span);
        }
        let resource_spans = by_instance
            .into_iter()
            .map(|(instance, spans)| match self.shape {
                Shape::Shop => shop_resource(instance, spans),
                Shape::Calls => calls::resource(instance, spans),
            })
            .collect();
        ExportTraceServiceRequest { resource_spans }.encode_to_vec()
    }

    /// SplitMix64. Source: Steele, Lea and Flood, "Fast splittable pseudorandom number generators", 2014, figure 17.
    fn next(&mut self) -> u64 {
        self.random = self.random.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let z = (self.random ^ (self.random >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    fn trace(&mut self) {
        self.clock_unix_nano += 1_000_000;
        if self.shape == Shape::Calls {
            let mut pending = std::mem::take(&mut self.pending);
            let clock = self.clock_unix_nano;
            calls::trace(&mut || self.next(), clock, &mut pending);
            self.pending = pending;
            return;
        }
        let trace_id = [self.next().to_be_bytes(), (self.next() | 1).to_be_bytes()].concat();
        let mut span_ids: Vec<Vec<u8>> = Vec::with_capacity(SPANS_PER_TRACE);
        for index in 0..SPANS_PER_TRACE {
            let parent_span_id = if index == 0 {
                Vec::new()
            } else {
                span_ids[(index - 1) / FANOUT].clone()
            };
            let span_id = (self.next() | 1).to_be_bytes().to_vec();
            span_ids.push(span_id.clone());
            let service = self.next() % SERVICES;
            let instance = service * INSTANCES_PER_SERVICE + self.next() % INSTANCES_PER_SERVICE;
            let mut span = self.span(service, index);
            (span.trace_id, span.span_id, span.parent_span_id) = (trace_id.clone(), span_id, parent_span_id);
            self.pending.push((instance, span));
        }
    }

    fn span(&mut self, service: u64, index: usize) -> Span {
        let operation = self.next() % OPERATIONS_PER_SERVICE;
        let failed = self.next() % 100 < ERROR_PERCENT;
        let start = self.clock_unix_nano + index as u64 * 20_000 + self.next() % 10_000;
        let is_client = index % 2 == 1;
        let callee = (service * 7 + operation) % SERVICES;
        let attributes = vec![
            text(
                "http.request.method",
                if operation.is_multiple_of(4) { "POST" } else { "GET" },
            ),
            text(
                "http.route",
                &format!("/api/v1/service-{service:02}/operation-{operation:02}/{{id}}"),
            ),
            text(
                "url.full",
                &format!(
                    "http://service-{callee:02}:8080/api/v1/operation-{operation:02}/{}",
                    self.next() % USERS
                ),
            ),
            text("server.address", &format!("service-{callee:02}.shop.svc.cluster.local")),
            int("server.port", 8080),
            int("http.response.status_code", if failed { 503 } else { 200 }),
            text("network.protocol.version", "1.1"),
            text("user_agent.original", "okhttp/4.12.0 (shop checkout)"),
            text("enduser.id", &format!("user-{:05}", self.next() % USERS)),
            int("thread.id", self.next() % 64),
            attribute(
                "app.basket.value",
                Value::DoubleValue((self.next() % 100_000) as f64 / 100.0),
            ),
            attribute("app.is_member", Value::BoolValue(self.next().is_multiple_of(2))),
        ];
        let events = (0..1 + self.next() % 2).map(|n| Event {
            time_unix_nano: start + 1_000 * (n + 1),
            name: if n == 0 {
                "acquired connection"
            } else {
                "response received"
            }
            .to_owned(),
            attributes: vec![text("pool", "default"), int("waiting", n)],
            dropped_attributes_count: 0,
        });
        Span {
            name: format!("GET /api/v1/operation-{operation:02}/{{id}}"),
            kind: if is_client { 3 } else { 2 },
            start_time_unix_nano: start,
            end_time_unix_nano: start + 200_000 + self.next() % 50_000_000,
            attributes,
            events: events.collect(),
            flags: 0x101,
            status: failed.then(|| Status {
                message: "upstream did not answer".to_owned(),
                code: 2,
            }),
            ..Span::default()
        }
    }
}

fn shop_resource(instance: u64, spans: Vec<Span>) -> ResourceSpans {
    let service = instance / INSTANCES_PER_SERVICE;
    let attributes = vec![
        text("service.name", &format!("service-{service:02}")),
        text("service.version", "1.4.2"),
        text("service.instance.id", &format!("instance-{instance:03}")),
        text("k8s.pod.name", &format!("service-{service:02}-{instance:03}")),
        text("k8s.node.name", &format!("node-{:02}", instance % NODES)),
        text("telemetry.sdk.language", "java"),
    ];
    of_instance(attributes, "io.opentelemetry.okhttp-3.0", "2.9.0", spans)
}

fn of_instance(attributes: Vec<KeyValue>, library: &str, version: &str, spans: Vec<Span>) -> ResourceSpans {
    let scope = InstrumentationScope {
        name: library.to_owned(),
        version: version.to_owned(),
        ..InstrumentationScope::default()
    };
    let scope_spans = vec![ScopeSpans {
        scope: Some(scope),
        spans,
        schema_url: String::new(),
    }];
    ResourceSpans {
        resource: Some(Resource {
            attributes,
            ..Resource::default()
        }),
        scope_spans,
        schema_url: "https://opentelemetry.io/schemas/1.37.0".to_owned(),
    }
}

fn attribute(key: &str, value: Value) -> KeyValue {
    KeyValue {
        key: key.to_owned(),
        value: Some(AnyValue { value: Some(value) }),
        ..KeyValue::default()
    }
}

fn text(key: &str, value: &str) -> KeyValue {
    attribute(key, Value::StringValue(value.to_owned()))
}

fn int(key: &str, value: u64) -> KeyValue {
    attribute(key, Value::IntValue(value as i64))
}
