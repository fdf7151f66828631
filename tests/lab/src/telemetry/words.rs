//! A record becomes an OTLP span: names and attributes as instrumentation writes them, by the conventions that the
//! service's library knows, old names or new.

use super::bare::Bare;
use crate::sim::{Failure, Pod, Record, What};
use crate::system::{Op, OpId, Protocol, Service, Step, StoreKind, System};
use epicenter_proto::otlp::collector_trace::ExportTraceServiceRequest;
use epicenter_proto::otlp::common::{AnyValue, InstrumentationScope, KeyValue, any_value::Value};
use epicenter_proto::otlp::resource::Resource;
use epicenter_proto::otlp::trace::{
    ResourceSpans, ScopeSpans, Span, Status, span::Event, span::Link, span::SpanKind, status::StatusCode,
};

/// The span's context was sampled, its trace id is random, and whether its parent is elsewhere is known.
const FLAGS: u32 = 0x01 | 0x02 | 0x100;
/// Its parent is elsewhere.
const FLAG_REMOTE: u32 = 0x200;
const PORT: i64 = 8080;

/// What a copy's exporter sends: `shift_ns` is added to every time, and `bare` taken out of every span.
pub(super) fn request(
    system: &System,
    pod: &Pod,
    records: impl Iterator<Item = Record>,
    shift_ns: i64,
    trace_state: &str,
    bare: &Bare,
) -> Option<ExportTraceServiceRequest> {
    let spans: Vec<Span> = records
        .map(|record| {
            let mut span = span(system, pod.service, &record);
            span.start_time_unix_nano = record.start.saturating_add_signed(shift_ns);
            span.end_time_unix_nano = record.end.saturating_add_signed(shift_ns);
            for event in &mut span.events {
                event.time_unix_nano = span.end_time_unix_nano;
            }
            trace_state.clone_into(&mut span.trace_state);
            bare.strip(&mut span);
            span
        })
        .collect();
    if spans.is_empty() {
        return None;
    }
    let service = &system.services[pod.service];
    let resource = Resource {
        attributes: vec![
            text("service.name", &service.name),
            text("service.version", &pod.version),
            text("service.instance.id", &pod.name),
            text("k8s.namespace.name", &system.namespace),
            text("k8s.pod.name", &pod.name),
            text("k8s.node.name", &system.nodes[pod.node]),
            text(
                "telemetry.sdk.language",
                if service.is_threaded { "java" } else { "nodejs" },
            ),
        ],
        ..Resource::default()
    };
    let scope = InstrumentationScope {
        name: "io.opentelemetry.instrumentation".to_owned(),
        ..InstrumentationScope::default()
    };
    Some(ExportTraceServiceRequest {
        resource_spans: vec![ResourceSpans {
            resource: Some(resource),
            scope_spans: vec![ScopeSpans {
                scope: Some(scope),
                spans,
                ..ScopeSpans::default()
            }],
            ..ResourceSpans::default()
        }],
    })
}

fn span(system: &System, own: usize, record: &Record) -> Span {
    let service = &system.services[own];
    let (kind, name, attributes) = match record.what {
        What::Server(op) => server(service, &system.ops[op], record),
        What::Client { op, attempt } => client(system, service, op, attempt, record),
        What::Internal(op) => (SpanKind::Internal, internal_name(&system.ops[op]), Vec::new()),
        What::Ask { store, op, step } => question(system, service, store, op, step, record),
        What::Producer(queue) => message(system, service, queue, SpanKind::Producer),
        What::Consumer(queue) => message(system, service, queue, SpanKind::Consumer),
    };
    let is_remote = matches!(kind, SpanKind::Server | SpanKind::Consumer) && record.ids.parent != 0;
    let mut span = Span {
        trace_id: record.ids.trace.to_be_bytes().to_vec(),
        span_id: record.ids.span.to_be_bytes().to_vec(),
        name,
        kind: kind.into(),
        attributes,
        flags: FLAGS | if is_remote { FLAG_REMOTE } else { 0 },
        ..Span::default()
    };
    if record.ids.parent != 0 {
        span.parent_span_id = record.ids.parent.to_be_bytes().to_vec();
    }
    if let Some((trace, of)) = record.link {
        span.links.push(Link {
            trace_id: trace.to_be_bytes().to_vec(),
            span_id: of.to_be_bytes().to_vec(),
            flags: FLAGS | FLAG_REMOTE,
            ..Link::default()
        });
    }
    if let Err(failure) = record.outcome {
        fail(&mut span, service, record, failure);
    }
    span
}

fn fail(span: &mut Span, service: &Service, record: &Record, failure: Failure) {
    span.status = Some(Status {
        code: StatusCode::Error.into(),
        message: if record.is_own {
            "unhandled exception"
        } else {
            message_of(failure)
        }
        .to_owned(),
    });
    let kind = if record.is_own {
        exception(failure)
    } else {
        error_type(failure)
    };
    if !service.old_conventions {
        span.attributes.push(text("error.type", kind));
    }
    if record.is_own && service.records_exceptions {
        span.events.push(Event {
            name: "exception".to_owned(),
            attributes: vec![
                text("exception.type", kind),
                text("exception.message", message_of(failure)),
            ],
            ..Event::default()
        });
    }
}

fn server(service: &Service, op: &Op, record: &Record) -> (SpanKind, String, Vec<KeyValue>) {
    let outcome = record.outcome.map_err(|failure| match failure {
        Failure::Full => Failure::Full,
        _ => Failure::Error,
    });
    let old = service.old_conventions;
    let attributes = match service.protocol {
        Protocol::Http => {
            let (method, route) = op.name.split_once(' ').unwrap_or(("GET", &op.name));
            let mut all = vec![
                text(if old { "http.method" } else { "http.request.method" }, method),
                text("http.route", route),
                text(if old { "http.target" } else { "url.path" }, &path(route, record)),
            ];
            all.extend(http_status(outcome).map(|status| number(status_key(old), status)));
            all
        }
        Protocol::Grpc | Protocol::Messages => rpc(&op.name, outcome),
    };
    (SpanKind::Server, op.name.clone(), attributes)
}

fn client(
    system: &System,
    service: &Service,
    op: OpId,
    attempt: u32,
    record: &Record,
) -> (SpanKind, String, Vec<KeyValue>) {
    let callee = &system.services[system.ops[op].service];
    let op = &system.ops[op];
    let old = service.old_conventions;
    let (name, mut all) = match callee.protocol {
        Protocol::Http => {
            let (method, route) = op.name.split_once(' ').unwrap_or(("GET", &op.name));
            let url = format!("http://{}:{PORT}{}", callee.address, path(route, record));
            let mut all = vec![
                text(if old { "http.method" } else { "http.request.method" }, method),
                text(if old { "http.url" } else { "url.full" }, &url),
            ];
            all.extend(http_status(record.outcome).map(|status| number(status_key(old), status)));
            if attempt > 0 && !old {
                all.push(number("http.request.resend_count", i64::from(attempt)));
            }
            // Old HTTP clients are named after the method alone, as new ones are.
            (
                if old {
                    format!("HTTP {method}")
                } else {
                    method.to_owned()
                },
                all,
            )
        }
        Protocol::Grpc | Protocol::Messages => (op.name.clone(), rpc(&op.name, record.outcome)),
    };
    all.extend(address(old, &callee.address, PORT));
    (SpanKind::Client, name, all)
}

fn question(
    system: &System,
    service: &Service,
    store: usize,
    op: OpId,
    step: usize,
    record: &Record,
) -> (SpanKind, String, Vec<KeyValue>) {
    let store = &system.stores[store];
    let old = service.old_conventions;
    let statement = match system.steps(op).get(step) {
        Some(Step::Ask(ask)) => ask.statement.as_str(),
        _ => "",
    };
    match store.kind {
        StoreKind::External => {
            let (method, route) = statement.split_once(' ').unwrap_or(("GET", statement));
            let url = format!("https://{}{route}", store.address);
            let mut all = vec![
                text(if old { "http.method" } else { "http.request.method" }, method),
                text(if old { "http.url" } else { "url.full" }, &url),
            ];
            all.extend(http_status(record.outcome).map(|status| number(status_key(old), status)));
            all.extend(address(old, &store.address, 443));
            (SpanKind::Client, method.to_owned(), all)
        }
        StoreKind::Cache => {
            let all = database(old, store.system, "GET", &store.database, &store.address, 6379);
            (SpanKind::Client, "GET".to_owned(), all)
        }
        StoreKind::Database => {
            let (verb, table) = statement.split_once(' ').unwrap_or((statement, ""));
            let mut all = database(old, store.system, verb, &store.database, &store.address, 5432);
            all.push(text(if old { "db.sql.table" } else { "db.collection.name" }, table));
            let name = if old {
                format!("{verb} {}.{table}", store.database)
            } else {
                statement.to_owned()
            };
            (SpanKind::Client, name, all)
        }
    }
}

fn database(old: bool, system: &str, verb: &str, name: &str, host: &str, port: i64) -> Vec<KeyValue> {
    let mut all = vec![
        text(if old { "db.system" } else { "db.system.name" }, system),
        text(if old { "db.operation" } else { "db.operation.name" }, verb),
    ];
    if system != "redis" {
        all.push(text(if old { "db.name" } else { "db.namespace" }, name));
    }
    all.extend(address(old, host, port));
    all
}

fn message(system: &System, service: &Service, queue: usize, kind: SpanKind) -> (SpanKind, String, Vec<KeyValue>) {
    let queue = &system.queues[queue];
    let is_sender = kind == SpanKind::Producer;
    let old = service.old_conventions;
    let verb = match (is_sender, old) {
        (true, true) => "publish",
        (true, false) => "send",
        (false, _) => "process",
    };
    let name = if old {
        format!("{} {verb}", queue.name)
    } else {
        format!("{verb} {}", queue.name)
    };
    let all = vec![
        text("messaging.system", queue.system),
        text("messaging.destination.name", &queue.name),
        text(
            if old {
                "messaging.operation"
            } else {
                "messaging.operation.type"
            },
            verb,
        ),
    ];
    (kind, name, all)
}

fn rpc(name: &str, outcome: Result<(), Failure>) -> Vec<KeyValue> {
    let (interface, method) = name.rsplit_once('/').unwrap_or(("", name));
    vec![
        text("rpc.system", "grpc"),
        text("rpc.service", interface),
        text("rpc.method", method),
        number("rpc.grpc.status_code", grpc_status(outcome)),
    ]
}

fn address(old: bool, host: &str, port: i64) -> [KeyValue; 2] {
    [
        text(if old { "net.peer.name" } else { "server.address" }, host),
        number(if old { "net.peer.port" } else { "server.port" }, port),
    ]
}

/// The route with an id in it, which is another in every request.
fn path(route: &str, record: &Record) -> String {
    route.replace("{id}", &(record.ids.trace as u32 % 100_000).to_string())
}

fn internal_name(op: &Op) -> String {
    let word = op
        .name
        .rsplit(['/', ' '])
        .find(|part| !part.starts_with('{'))
        .unwrap_or("handle");
    format!("{word}Handler.handle")
}

fn status_key(old: bool) -> &'static str {
    if old {
        "http.status_code"
    } else {
        "http.response.status_code"
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
        Err(Failure::Error | Failure::NoConnection) => 13,
        Err(Failure::Full) => 8,
        Err(Failure::Refused | Failure::Reset) => 14,
    }
}

fn message_of(failure: Failure) -> &'static str {
    match failure {
        Failure::Refused => "connection refused",
        Failure::Timeout => "deadline exceeded",
        Failure::Reset => "connection reset by peer",
        Failure::Error => "internal error",
        Failure::Full => "service unavailable",
        Failure::NoConnection => "could not get a connection from the pool in time",
    }
}

fn error_type(failure: Failure) -> &'static str {
    match failure {
        Failure::Refused => "ECONNREFUSED",
        Failure::Timeout => "timeout",
        Failure::Reset => "ECONNRESET",
        Failure::Error => "500",
        Failure::Full => "503",
        Failure::NoConnection => "PoolTimeout",
    }
}

fn exception(failure: Failure) -> &'static str {
    match failure {
        Failure::NoConnection => "PoolTimeoutException",
        _ => "IllegalStateException",
    }
}

fn text(key: &str, value: &str) -> KeyValue {
    keyed(key, Value::StringValue(value.to_owned()))
}

fn number(key: &str, value: i64) -> KeyValue {
    keyed(key, Value::IntValue(value))
}

fn keyed(key: &str, value: Value) -> KeyValue {
    KeyValue {
        key: key.to_owned(),
        value: Some(AnyValue { value: Some(value) }),
        ..KeyValue::default()
    }
}
