//! What instrumentation would record, by the semantic conventions: one function a kind of span.

use crate::request::Failure;
use crate::scenario::{Protocol, Queue, Service};
use crate::world::Store;
use epicenter_proto::otlp::common::{AnyValue, KeyValue, any_value::Value};
use epicenter_proto::otlp::trace::{Span, Status, span::Link, span::SpanKind, status::StatusCode};
use tokio::time::Instant;

/// Where a span stands in its trace.
#[derive(Clone, Debug)]
pub(crate) struct Context {
    trace: [u8; 16],
    span: [u8; 8],
}

impl Context {
    /// A new trace; its span id is of nobody who reports.
    pub(crate) fn root(rng: &mut fastrand::Rng) -> Self {
        Self {
            trace: rng.u128(1..).to_be_bytes(),
            span: [0; 8],
        }
    }

    /// A new span in the same trace.
    pub(crate) fn child(&self, rng: &mut fastrand::Rng) -> Self {
        Self {
            trace: self.trace,
            span: rng.u64(1..).to_be_bytes(),
        }
    }
}

/// Times while the simulation runs, on its own clock; `export` turns them into times since 1970.
fn simulated(at: Instant) -> u64 {
    u64::try_from(at.duration_since(origin()).as_nanos()).unwrap_or(u64::MAX)
}

/// When the simulation's clock was first asked.
pub(crate) fn origin() -> Instant {
    static ORIGIN: std::sync::OnceLock<Instant> = std::sync::OnceLock::new();
    *ORIGIN.get_or_init(Instant::now)
}

pub(crate) fn text(key: &str, value: &str) -> KeyValue {
    KeyValue {
        key: key.to_owned(),
        value: Some(AnyValue {
            value: Some(Value::StringValue(value.to_owned())),
        }),
        ..KeyValue::default()
    }
}

fn number(key: &str, value: i64) -> KeyValue {
    KeyValue {
        key: key.to_owned(),
        value: Some(AnyValue {
            value: Some(Value::IntValue(value)),
        }),
        ..KeyValue::default()
    }
}

fn span(kind: SpanKind, name: &str, context: &Context, parent: &Context, begun: Instant) -> Span {
    let parent_span_id = if parent.span == [0; 8] {
        Vec::new()
    } else {
        parent.span.to_vec()
    };
    Span {
        trace_id: context.trace.to_vec(),
        span_id: context.span.to_vec(),
        parent_span_id,
        name: name.to_owned(),
        kind: kind.into(),
        start_time_unix_nano: simulated(begun),
        end_time_unix_nano: simulated(Instant::now()),
        ..Span::default()
    }
}

fn fail(span: &mut Span, message: &str) {
    span.status = Some(Status {
        code: StatusCode::Error.into(),
        message: message.to_owned(),
    });
}

fn words(failure: Failure) -> &'static str {
    match failure {
        Failure::Refused => "connection refused",
        Failure::Timeout => "timeout",
        Failure::Reset => "connection reset",
        Failure::Error => "internal error",
        Failure::Full => "service unavailable",
    }
}

fn http_status(outcome: Result<(), Failure>) -> Option<i64> {
    match outcome {
        Ok(()) => Some(200),
        Err(Failure::Error) => Some(500),
        Err(Failure::Full) => Some(503),
        Err(_) => None,
    }
}

fn grpc_status(outcome: Result<(), Failure>) -> i64 {
    match outcome {
        Ok(()) => 0,
        Err(Failure::Timeout) => 4,
        Err(Failure::Error) => 13,
        Err(_) => 14,
    }
}

/// Attributes of a call by its protocol, and the span's name on either side.
fn protocol(service: &Service, operation: &str, outcome: Result<(), Failure>, server: bool) -> (String, Vec<KeyValue>) {
    let mut all = Vec::new();
    let name = match service.protocol {
        Protocol::Http => {
            let (method, route) = operation.split_once(' ').unwrap_or(("GET", operation));
            all.push(text("http.request.method", method));
            if let Some(status) = http_status(outcome) {
                all.push(number("http.response.status_code", status));
            }
            if server {
                all.push(text("http.route", route));
                all.push(text("url.path", route));
                operation.to_owned()
            } else {
                all.push(text("url.full", &format!("http://{}:8080{route}", service.name)));
                method.to_owned()
            }
        }
        Protocol::Grpc | Protocol::JavaRmi => {
            let (interface, method) = operation.rsplit_once('/').unwrap_or((&service.name, operation));
            let grpc = service.protocol == Protocol::Grpc;
            all.push(text("rpc.system", if grpc { "grpc" } else { "java_rmi" }));
            all.push(text("rpc.service", interface));
            all.push(text("rpc.method", method));
            if grpc {
                all.push(number("rpc.grpc.status_code", grpc_status(outcome)));
            }
            operation.to_owned()
        }
    };
    if !server {
        all.push(text("server.address", &service.name));
        all.push(number("server.port", 8080));
    }
    (name, all)
}

pub(crate) fn server(
    service: &Service,
    operation: &str,
    context: &Context,
    parent: &Context,
    begun: Instant,
    outcome: Result<(), Failure>,
    own_fault: bool,
) -> Span {
    let answered = outcome.map_err(|_| Failure::Error);
    let (name, attributes) = protocol(service, operation, answered, true);
    let mut span = span(SpanKind::Server, &name, context, parent, begun);
    span.attributes = attributes;
    if outcome.is_err() {
        fail(
            &mut span,
            if own_fault {
                "unhandled exception"
            } else {
                "a dependency failed"
            },
        );
        if own_fault {
            span.attributes.push(text("error.type", "IllegalStateException"));
        }
    }
    span
}

pub(crate) fn client(
    callee: &Service,
    operation: &str,
    context: &Context,
    parent: &Context,
    begun: Instant,
    outcome: Result<(), Failure>,
) -> Span {
    let (name, attributes) = protocol(callee, operation, outcome, false);
    let mut span = span(SpanKind::Client, &name, context, parent, begun);
    span.attributes = attributes;
    if let Err(failure) = outcome {
        fail(&mut span, words(failure));
        span.attributes.push(text("error.type", words(failure)));
    }
    span
}

pub(crate) fn query(
    store: &Store,
    statement: &str,
    context: &Context,
    parent: &Context,
    begun: Instant,
    outcome: Result<(), Failure>,
) -> Span {
    let mut span = span(SpanKind::Client, statement, context, parent, begun);
    let operation = statement.split(' ').next().unwrap_or(statement);
    span.attributes = vec![
        text("db.system.name", &store.system),
        text("db.operation.name", operation),
        text("db.query.summary", statement),
        text("server.address", &store.name),
    ];
    if let Err(failure) = outcome {
        fail(&mut span, words(failure));
    }
    span
}

fn messaging(queue: &Queue, operation: &str) -> Vec<KeyValue> {
    vec![
        text("messaging.system", &queue.system),
        text("messaging.destination.name", &queue.name),
        text("messaging.operation.type", operation),
    ]
}

pub(crate) fn producer(queue: &Queue, context: &Context, parent: &Context, begun: Instant) -> Span {
    let mut span = span(
        SpanKind::Producer,
        &format!("send {}", queue.name),
        context,
        parent,
        begun,
    );
    span.attributes = messaging(queue, "send");
    span
}

pub(crate) fn consumer(
    queue: &Queue,
    context: &Context,
    message: &Context,
    begun: Instant,
    outcome: Result<(), Failure>,
) -> Span {
    let mut span = span(
        SpanKind::Consumer,
        &format!("process {}", queue.name),
        context,
        message,
        begun,
    );
    span.attributes = messaging(queue, "process");
    span.links.push(Link {
        trace_id: message.trace.to_vec(),
        span_id: message.span.to_vec(),
        ..Link::default()
    });
    if outcome.is_err() {
        fail(&mut span, "a dependency failed");
    }
    span
}
