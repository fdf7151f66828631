//! What is not OTLP, or more than anyone should send.

use crate::api::Api;
use crate::otlp::{self, Exporter};
use crate::server::Server;
use epicenter_proto::Message;
use epicenter_proto::otlp::collector_trace::trace_service_client::TraceServiceClient;
use epicenter_proto::otlp::collector_trace::{ExportTraceServiceRequest, ExportTraceServiceResponse};
use flate2::Compression;
use flate2::write::GzEncoder;
use reqwest::StatusCode;
use std::io::Write;
use std::net::SocketAddr;
use tonic::Code;

const PROTOBUF: &str = "application/x-protobuf";
/// Inflates to more than the largest request that is taken.
const ZEROS_BYTES: usize = 70 << 20;
const BAD_INPUT: &str = "epicenter_collector_bad_input_total";

/// A kind of bad input as it is counted, content type, encoding, body, and the status that it must get.
type Refused = (&'static str, &'static str, Option<&'static str>, Vec<u8>, StatusCode);

/// Scenario: one client sends garbage of every sort over HTTP and gRPC while another sends spans.
/// Guarantees: each gets the status of the OTLP specification and is counted; the other client notices nothing.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn bad_input_is_answered_counted_and_harmless() {
    let folder = tempfile::tempdir().expect("a folder");
    let server = Server::start(folder.path(), &[]).await;
    let api = Api::new(&server);
    let mut bystander = Exporter::grpc(server.otlp_grpc).await;
    assert!(
        bystander
            .export(&otlp::request("bystander", otlp::spans(1, "before", 10)))
            .await
    );

    refused_over_http(server.otlp_http, &api).await;
    refused_over_grpc(server.otlp_grpc, &api).await;
    strange_spans(server.otlp_http, &api).await;

    assert!(
        bystander
            .export(&otlp::request("bystander", otlp::spans(2, "after", 10)))
            .await
    );
    assert_eq!(
        api.count("SELECT count(*) AS n FROM spans WHERE service_name = 'bystander'")
            .await,
        20
    );
    server.stop().await;
}

async fn refused_over_http(to: SocketAddr, api: &Api) {
    let good = otlp::request("liar", otlp::spans(3, "good", 3)).encode_to_vec();
    let mut truncated = good.clone();
    truncated.truncate(good.len() - 5);
    let cases: [Refused; 7] = [
        (
            "protobuf",
            PROTOBUF,
            None,
            b"this is no protobuf at all".to_vec(),
            StatusCode::BAD_REQUEST,
        ),
        ("protobuf", PROTOBUF, None, truncated, StatusCode::BAD_REQUEST),
        (
            "json",
            "application/json",
            None,
            b"{\"resourceSpans\": 7".to_vec(),
            StatusCode::BAD_REQUEST,
        ),
        (
            "content_type",
            "text/plain",
            None,
            good.clone(),
            StatusCode::UNSUPPORTED_MEDIA_TYPE,
        ),
        (
            "compression",
            PROTOBUF,
            Some("gzip"),
            good.clone(),
            StatusCode::BAD_REQUEST,
        ),
        (
            "content_encoding",
            PROTOBUF,
            Some("br"),
            good,
            StatusCode::UNSUPPORTED_MEDIA_TYPE,
        ),
        (
            "too_large",
            PROTOBUF,
            Some("gzip"),
            zeros_in_gzip(),
            StatusCode::PAYLOAD_TOO_LARGE,
        ),
    ];
    let client = reqwest::Client::new();
    for (kind, content_type, encoding, body, expected) in cases {
        let label = format!("kind=\"{kind}\"");
        let before = api.metric(BAD_INPUT, &label).await;
        let answer = otlp::post(&client, to, content_type, encoding, body)
            .await
            .expect("an answer");
        assert_eq!(answer.status(), expected, "{kind}");
        assert_eq!(
            api.metric(BAD_INPUT, &label).await,
            before + 1.0,
            "{kind} is counted once"
        );
    }
}

async fn refused_over_grpc(to: SocketAddr, api: &Api) {
    let label = "kind=\"protobuf\"";
    let before = api.metric(BAD_INPUT, label).await;
    assert_eq!(
        framed(to, None, b"\x0a\xff\xff\xff\x0fxx".to_vec()).await,
        Code::InvalidArgument
    );
    assert_eq!(api.metric(BAD_INPUT, label).await, before + 1.0, "counted once");
    assert_eq!(framed(to, Some("gzip"), zeros_in_gzip()).await, Code::ResourceExhausted);

    let mut client = TraceServiceClient::connect(format!("http://{to}"))
        .await
        .expect("the receiver accepts");
    let answer = client
        .export(ExportTraceServiceRequest::default())
        .await
        .expect("an empty request is a request");
    assert_eq!(answer.into_inner(), ExportTraceServiceResponse::default());
}

/// Sends one gRPC message of any bytes over HTTP/2 and tells the code of the answer.
async fn framed(to: SocketAddr, encoding: Option<&str>, message: Vec<u8>) -> Code {
    let mut body = vec![u8::from(encoding.is_some())];
    body.extend(u32::try_from(message.len()).expect("small").to_be_bytes());
    body.extend(message);
    let client = reqwest::Client::builder()
        .http2_prior_knowledge()
        .build()
        .expect("a client");
    let mut request = client
        .post(format!("http://{to}{}", epicenter_proto::TRACE_EXPORT_PATH))
        .header("content-type", "application/grpc")
        .header("te", "trailers")
        .body(body);
    if let Some(encoding) = encoding {
        request = request.header("grpc-encoding", encoding);
    }
    // An error without a message is answered with headers alone, the status among them.
    let answer = request.send().await.expect("an answer");
    let status = answer
        .headers()
        .get("grpc-status")
        .expect("a refusal is told in the headers");
    Code::from_bytes(status.as_bytes())
}

/// Spans that are wrong by themselves, in requests that are not.
async fn strange_spans(to: SocketAddr, api: &Api) {
    let mut spans = otlp::spans(4, "strange", 4);
    spans[0].trace_id = vec![0; 16];
    spans[1].span_id = vec![0; 8];
    spans[2].end_time_unix_nano = spans[2].start_time_unix_nano - 1_000_000;
    let body = otlp::request("strange", spans).encode_to_vec();
    let answer = otlp::post(&reqwest::Client::new(), to, PROTOBUF, None, body)
        .await
        .expect("an answer");
    assert_eq!(answer.status(), StatusCode::OK);
    let answer = ExportTraceServiceResponse::decode(answer.bytes().await.expect("a body")).expect("an OTLP response");
    let partial = answer.partial_success.expect("a word on the spans that were not taken");
    assert_eq!(partial.rejected_spans, 2, "{partial:?}");
    assert!(!partial.error_message.is_empty());
    assert_eq!(
        api.metric("epicenter_collector_rejected_spans_total", "trace_id_zero")
            .await,
        1.0
    );
    assert_eq!(
        api.metric("epicenter_collector_rejected_spans_total", "span_id_zero")
            .await,
        1.0
    );
    assert_eq!(
        api.metric("epicenter_collector_end_before_start_spans_total", "").await,
        1.0
    );
    assert_eq!(
        api.count("SELECT count(*) AS n FROM spans WHERE service_name = 'strange'")
            .await,
        2
    );
}

fn zeros_in_gzip() -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
    encoder.write_all(&vec![0; ZEROS_BYTES]).expect("into memory");
    encoder.finish().expect("into memory")
}
