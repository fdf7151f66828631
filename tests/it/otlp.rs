//! OTLP requests made by hand, and the two ways to send them.

use epicenter_proto::Message;
use epicenter_proto::otlp::collector_trace::ExportTraceServiceRequest;
use epicenter_proto::otlp::collector_trace::trace_service_client::TraceServiceClient;
use epicenter_proto::otlp::common::{AnyValue, KeyValue, any_value};
use epicenter_proto::otlp::resource::Resource;
use epicenter_proto::otlp::trace::{ResourceSpans, ScopeSpans, Span, span};
use reqwest::{Response, StatusCode};
use std::net::SocketAddr;
use std::time::{Duration, UNIX_EPOCH};

/// How long a span of [`spans`] takes.
const SPAN_DURATION: Duration = Duration::from_millis(3);

/// `count` root server spans called `name`, whose ids are unique to `seed`.
pub(crate) fn spans(seed: u64, name: &str, count: usize) -> Vec<Span> {
    let start = now_unix_nano();
    (1..=count as u64)
        .map(|number| Span {
            trace_id: [(seed + 1).to_be_bytes(), number.to_be_bytes()].concat(),
            span_id: (((seed + 1) << 20) | number).to_be_bytes().to_vec(),
            name: name.to_owned(),
            kind: span::SpanKind::Server as i32,
            start_time_unix_nano: start,
            end_time_unix_nano: start + SPAN_DURATION.as_nanos() as u64,
            ..Span::default()
        })
        .collect()
}

/// A request of one service with these spans.
pub(crate) fn request(service: &str, spans: Vec<Span>) -> ExportTraceServiceRequest {
    let name = KeyValue {
        key: "service.name".to_owned(),
        value: Some(AnyValue {
            value: Some(any_value::Value::StringValue(service.to_owned())),
        }),
        ..KeyValue::default()
    };
    ExportTraceServiceRequest {
        resource_spans: vec![ResourceSpans {
            resource: Some(Resource {
                attributes: vec![name],
                ..Resource::default()
            }),
            scope_spans: vec![ScopeSpans {
                spans,
                ..ScopeSpans::default()
            }],
            ..ResourceSpans::default()
        }],
    }
}

/// Sends bytes to `/v1/traces` as they are.
pub(crate) async fn post(
    client: &reqwest::Client,
    to: SocketAddr,
    content_type: &str,
    encoding: Option<&str>,
    body: Vec<u8>,
) -> reqwest::Result<Response> {
    let mut request = client
        .post(format!("http://{to}/v1/traces"))
        .header("content-type", content_type)
        .body(body);
    if let Some(encoding) = encoding {
        request = request.header("content-encoding", encoding);
    }
    request.send().await
}

/// Something that exports like an SDK, over one connection of its own.
pub(crate) enum Exporter {
    Grpc(TraceServiceClient<tonic::transport::Channel>),
    Http(reqwest::Client, SocketAddr),
}

impl Exporter {
    pub(crate) async fn grpc(to: SocketAddr) -> Self {
        Self::Grpc(
            TraceServiceClient::connect(format!("http://{to}"))
                .await
                .expect("the gRPC receiver accepts"),
        )
    }

    pub(crate) fn http(to: SocketAddr) -> Self {
        Self::Http(reqwest::Client::new(), to)
    }

    /// Whether the whole request was acknowledged. Refusals and broken connections are both `false`.
    pub(crate) async fn export(&mut self, request: &ExportTraceServiceRequest) -> bool {
        match self {
            Self::Grpc(client) => client.export(request.clone()).await.is_ok_and(|answer| {
                answer
                    .into_inner()
                    .partial_success
                    .is_none_or(|partial| partial.rejected_spans == 0)
            }),
            Self::Http(client, to) => post(client, *to, "application/x-protobuf", None, request.encode_to_vec())
                .await
                .is_ok_and(|answer| answer.status() == StatusCode::OK),
        }
    }
}

/// The wall clock, as an SDK reads it.
#[expect(
    clippy::disallowed_methods,
    reason = "a journey stands for a real sender, which stamps its spans itself"
)]
pub(crate) fn now_unix_nano() -> u64 {
    std::time::SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .expect("after 1970")
        .as_nanos() as u64
}
