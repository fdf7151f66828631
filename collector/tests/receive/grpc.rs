//! OTLP/gRPC: a generated client for what is right, raw frames for what is wrong.

use crate::sender::{Collector, Log, bomb, good, gzip, mixed, request, span, zstd};
use epicenter_proto::otlp::collector_trace::ExportTraceServiceRequest;
use epicenter_proto::otlp::collector_trace::trace_service_client::TraceServiceClient;
use epicenter_proto::rpc::{RetryInfo, Status as RpcStatus};
use epicenter_proto::{Message, TRACE_EXPORT_PATH};
use http_body_util::Full;
use tonic::body::Body;
use tonic::codec::CompressionEncoding;
use tonic::transport::{Channel, Endpoint};
use tonic::{Code, Status};
use tower::{Service, ServiceExt};

async fn channel(collector: &Collector) -> Channel {
    Endpoint::new(format!("http://{}", collector.grpc))
        .expect("an address")
        .connect()
        .await
        .expect("connects")
}

/// Sends one frame as it is and gives the status that comes back, in headers or in trailers.
async fn send_frame(channel: &mut Channel, path: &str, encoding: &str, frame: Vec<u8>) -> Status {
    let request = axum::http::Request::post(format!("http://localhost{path}"))
        .header("content-type", "application/grpc")
        .header("te", "trailers")
        .header("grpc-encoding", encoding)
        .body(Body::new(Full::new(bytes::Bytes::from(frame))))
        .expect("a request");
    let response = channel
        .ready()
        .await
        .expect("ready")
        .call(request)
        .await
        .expect("an answer");
    assert_eq!(response.status(), 200);
    if let Some(status) = Status::from_header_map(response.headers()) {
        return status;
    }
    let collected = http_body_util::BodyExt::collect(response.into_body())
        .await
        .expect("a body");
    Status::from_header_map(collected.trailers().expect("trailers")).expect("a status")
}

fn frame(flag: u8, message: &[u8]) -> Vec<u8> {
    let len = u32::try_from(message.len()).expect("fits").to_be_bytes();
    [&[flag][..], &len, message].concat()
}

#[tokio::test]
async fn every_compression_is_taken_from_a_generated_client() {
    let collector = Collector::start(Log::Takes).await;
    let client = TraceServiceClient::new(channel(&collector).await);
    let message = || request(vec![span(&[1; 16], &[1; 8])]);
    for mut client in [
        client.clone(),
        client.clone().send_compressed(CompressionEncoding::Gzip),
        client.clone().send_compressed(CompressionEncoding::Zstd),
    ] {
        let response = client.export(message()).await.expect("taken").into_inner();
        assert_eq!(response.partial_success, None, "unset on full success");
    }
    let response = client
        .clone()
        .export(ExportTraceServiceRequest::default())
        .await
        .expect("taken");
    assert_eq!(response.into_inner().partial_success, None);
    assert_eq!(collector.spans(), 3);
    collector.stop().await;
}

#[tokio::test]
async fn zero_ids_are_a_partial_success() {
    let collector = Collector::start(Log::Takes).await;
    let mut client = TraceServiceClient::new(channel(&collector).await);
    let message = ExportTraceServiceRequest::decode(mixed().as_slice()).expect("a message");
    let partial = client
        .export(message)
        .await
        .expect("taken")
        .into_inner()
        .partial_success
        .expect("partial");
    assert_eq!(partial.rejected_spans, 1);
    assert_eq!(collector.spans(), 2);
    collector.stop().await;
}

#[tokio::test]
async fn bad_input_is_refused_counted_and_takes_nothing_down() {
    let collector = Collector::start(Log::Takes).await;
    let mut channel = channel(&collector).await;
    let truncated = good()[..good().len() - 3].to_vec();
    for (encoding, sent, code) in [
        ("identity", frame(0, b"garbage"), Code::InvalidArgument),
        ("identity", frame(0, &truncated), Code::InvalidArgument),
        ("identity", Vec::new(), Code::InvalidArgument),
        ("identity", frame(0, &good())[..9].to_vec(), Code::InvalidArgument),
        ("identity", frame(1, &good()), Code::InvalidArgument),
        ("identity", frame(7, &good()), Code::InvalidArgument),
        ("gzip", frame(1, &good()), Code::InvalidArgument),
        ("br", frame(1, &good()), Code::Unimplemented),
        ("gzip", frame(1, &bomb()), Code::ResourceExhausted),
        ("identity", frame(0, &vec![0; 65 << 20]), Code::ResourceExhausted),
        ("gzip", frame(1, &gzip(&good())), Code::Ok),
        ("zstd", frame(1, &zstd(&good())), Code::Ok),
        ("gzip", frame(0, &good()), Code::Ok),
    ] {
        let status = send_frame(&mut channel, TRACE_EXPORT_PATH, encoding, sent).await;
        assert_eq!(status.code(), code, "{encoding}: {}", status.message());
        let details = RpcStatus::decode(status.details()).expect("a google.rpc.Status");
        assert!(
            details.details.is_empty(),
            "no RetryInfo: sending it again does not help"
        );
    }
    assert_eq!(collector.spans(), 3);
    assert_eq!(
        collector.metric("epicenter_collector_bad_input_total{kind=\"framing\"}"),
        4.0
    );
    collector.stop().await;
}

#[tokio::test]
async fn other_signals_are_unimplemented() {
    let collector = Collector::start(Log::Takes).await;
    let mut channel = channel(&collector).await;
    let path = "/opentelemetry.proto.collector.metrics.v1.MetricsService/Export";
    assert_eq!(
        send_frame(&mut channel, path, "identity", frame(0, b"")).await.code(),
        Code::Unimplemented
    );
    collector.stop().await;
}

#[tokio::test]
async fn a_log_that_cannot_take_it_asks_to_come_back() {
    let collector = Collector::start(Log::IsFull).await;
    let mut channel = channel(&collector).await;
    let status = send_frame(&mut channel, TRACE_EXPORT_PATH, "identity", frame(0, &good())).await;
    assert_eq!(status.code(), Code::Unavailable);
    let details = RpcStatus::decode(status.details())
        .expect("a google.rpc.Status")
        .details;
    assert_eq!(details[0].type_url, RetryInfo::TYPE_URL);
    let info = RetryInfo::decode(&*details[0].value).expect("a RetryInfo");
    assert_eq!(info.retry_delay.map(|d| d.seconds), Some(2));
    collector.stop().await;
}
