//! Spans of calls between services of one framework: trees of 40 with 10 attributes a span and no events, about 450 OTLP
//! bytes each. Distinct values: 20 services, 5 operations, a path with 20 random bits a span, 8 callees, 50 threads.

use super::{Pending, SPANS_PER_TRACE, int, of_instance, text};
use epicenter_proto::otlp::common::KeyValue;
use epicenter_proto::otlp::trace::{Span, Status};

const SERVICES: u64 = 20;
const OPERATIONS: u64 = 5;
const CALLEES: u64 = 8;
const THREADS: u64 = 50;
const NODES: u64 = 4;
/// Children of a span in the tree: span `n` hangs under span `(n - 1) / FANOUT`.
const FANOUT: usize = 2;

/// The next trace.
pub(super) fn trace(next: &mut impl FnMut() -> u64, clock_unix_nano: u64, out: &mut Pending) {
    let trace_id = [next().to_be_bytes(), (next() | 1).to_be_bytes()].concat();
    let mut ids: Vec<Vec<u8>> = Vec::with_capacity(SPANS_PER_TRACE);
    let mut services = [0; SPANS_PER_TRACE];
    for index in 0..SPANS_PER_TRACE {
        let parent = index.checked_sub(1).map(|before| before / FANOUT);
        let is_client = index % 2 == 1;
        services[index] = match parent {
            None => 0,
            Some(parent) if is_client => services[parent],
            Some(_) => (index as u64 * 7 + 3) % SERVICES,
        };
        let (service, operation) = (services[index], index as u64 % OPERATIONS);
        let start = clock_unix_nano + index as u64 * 50_000 + next() % 100_000;
        let id = (next() | 1).to_be_bytes().to_vec();
        ids.push(id.clone());
        let span = Span {
            trace_id: trace_id.clone(),
            span_id: id,
            parent_span_id: parent.map(|parent| ids[parent].clone()).unwrap_or_default(),
            name: format!("GET /api/v1/orders/op{operation}/{{id}}"),
            kind: if is_client { 3 } else { 2 },
            start_time_unix_nano: start,
            end_time_unix_nano: start + 100_000 + next() % 20_000_000,
            attributes: attributes(next, service, operation),
            flags: 0x101,
            status: Some(Status::default()),
            ..Span::default()
        };
        out.push((service, span));
    }
}

fn attributes(next: &mut impl FnMut() -> u64, service: u64, operation: u64) -> Vec<KeyValue> {
    let (callee, thread) = (next() % CALLEES, next() % THREADS);
    vec![
        text("http.request.method", "GET"),
        text(
            "url.path",
            &format!("/api/v1/orders/op{operation}/{:05x}", next() & 0xf_ffff),
        ),
        text(
            "server.address",
            &format!("svc-{:02}.prod.svc.cluster.local", (service + callee) % SERVICES),
        ),
        int("server.port", 8080),
        int("http.response.status_code", 200),
        text("thread.name", &format!("http-nio-8080-exec-{thread}")),
        int("thread.id", thread + 20),
        text("network.peer.address", &format!("10.1.{callee}.{service}")),
        text("url.scheme", "http"),
        text("network.protocol.version", "1.1"),
    ]
}

/// What sends the spans of a service.
pub(super) fn resource(service: u64, spans: Vec<Span>) -> epicenter_proto::otlp::trace::ResourceSpans {
    let attributes = vec![
        text("service.name", &format!("svc-{service:02}")),
        text("k8s.pod.name", &format!("svc-{service:02}-7d9f8b6c5d-x2x{service:02}")),
        text("k8s.node.name", &format!("node-{}", service % NODES)),
        text("telemetry.sdk.language", "java"),
        text("service.version", "1.0.3"),
    ];
    of_instance(attributes, "io.opentelemetry.tomcat-7.0", "2.1.0", spans)
}
