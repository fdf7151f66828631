//! OTLP/HTTP.

use crate::sender::{Collector, Log, bomb, good, gzip, mixed, zstd};
use bytesize::ByteSize;
use epicenter_collector::Config;
use epicenter_proto::Message;
use epicenter_proto::otlp::collector_trace::ExportTraceServiceResponse;
use epicenter_proto::rpc::{RetryInfo, Status};
use reqwest::{Client, Method, Response};

const PROTOBUF: &str = "application/x-protobuf";
const JSON: &str = "application/json; charset=utf-8";

async fn send(collector: &Collector, kind: &str, encoding: Option<&str>, body: Vec<u8>) -> Response {
    let mut request = Client::new()
        .post(format!("http://{}/v1/traces", collector.http))
        .body(body);
    request = request.header("content-type", kind);
    if let Some(encoding) = encoding {
        request = request.header("content-encoding", encoding);
    }
    request.send().await.expect("an answer")
}

/// The response must have that status, and a `google.rpc.Status` with that code in the encoding of the request.
async fn refused(response: Response, status: u16, code: i64) {
    assert_eq!(response.status().as_u16(), status);
    let kind = response.headers()["content-type"].to_str().expect("text").to_owned();
    let body = response.bytes().await.expect("a body");
    let (found, message) = if kind == PROTOBUF {
        let status = Status::decode(body).expect("a google.rpc.Status");
        (i64::from(status.code), status.message)
    } else {
        let status: serde_json::Value = serde_json::from_slice(&body).expect("JSON");
        (
            status["code"].as_i64().expect("a code"),
            status["message"].as_str().expect("a message").to_owned(),
        )
    };
    assert_eq!(found, code, "{message}");
    assert!(!message.is_empty());
}

#[tokio::test]
async fn every_compression_and_encoding_is_taken() {
    let collector = Collector::start(Log::Takes).await;
    let json = r#"{"resourceSpans":[{"scopeSpans":[{"spans":[{"traceId":"01010101010101010101010101010101","spanId":"0101010101010101","name":"op","startTimeUnixNano":"1000","endTimeUnixNano":2000}]}]}]}"#;
    for (kind, body) in [(PROTOBUF, good()), (JSON, json.as_bytes().to_vec())] {
        for (encoding, body) in [
            (None, body.clone()),
            (Some("identity"), body.clone()),
            (Some("gzip"), gzip(&body)),
            (Some("zstd"), zstd(&body)),
        ] {
            let response = send(&collector, kind, encoding, body).await;
            assert_eq!(response.status(), 200, "{kind} {encoding:?}");
            assert!(
                response.headers()["content-type"]
                    .to_str()
                    .expect("text")
                    .starts_with(&kind[..12])
            );
            let body = response.bytes().await.expect("a body");
            assert_eq!(
                body,
                if kind == PROTOBUF { "" } else { "{}" },
                "partial_success is unset on full success"
            );
        }
    }
    assert_eq!(collector.spans(), 8);
    let kept = collector.kept.lock().expect("not poisoned").clone();
    assert!(
        kept.iter().all(|(payload, _)| **payload == good()),
        "the log gets the same protobuf whatever was sent"
    );
    let accepted = "epicenter_collector_requests_total{transport=\"http\",encoding=\"json\",outcome=\"accepted\"}";
    assert_eq!(collector.metric(accepted), 4.0);
    collector.stop().await;
}

#[tokio::test]
async fn an_empty_request_is_a_success() {
    let collector = Collector::start(Log::Takes).await;
    assert_eq!(send(&collector, PROTOBUF, None, Vec::new()).await.status(), 200);
    assert_eq!(send(&collector, JSON, None, b"{}".to_vec()).await.status(), 200);
    assert_eq!(collector.spans(), 0);
    collector.stop().await;
}

#[tokio::test]
async fn zero_ids_are_a_partial_success_and_an_end_before_the_start_is_kept() {
    let collector = Collector::start(Log::Takes).await;
    let response = send(&collector, PROTOBUF, None, mixed()).await;
    assert_eq!(response.status(), 200);
    let body = ExportTraceServiceResponse::decode(response.bytes().await.expect("a body")).expect("a message");
    let partial = body.partial_success.expect("a partial success");
    assert_eq!(partial.rejected_spans, 1);
    assert!(
        partial.error_message.contains("trace_id is all zeros: 1"),
        "{}",
        partial.error_message
    );
    assert_eq!(collector.spans(), 2);
    assert_eq!(
        collector.metric("epicenter_collector_rejected_spans_total{reason=\"trace_id_zero\"}"),
        1.0
    );
    assert_eq!(
        collector.metric("epicenter_collector_end_before_start_spans_total"),
        1.0
    );
    assert_eq!(collector.metric("epicenter_collector_accepted_spans_total"), 2.0);

    let json = r#"{"resourceSpans":[{"scopeSpans":[{"spans":[{"traceId":"00"}]}]}]}"#;
    let body = send(&collector, JSON, None, json.as_bytes().to_vec())
        .await
        .text()
        .await
        .expect("a body");
    let body: serde_json::Value = serde_json::from_str(&body).expect("JSON");
    assert_eq!(
        body["partialSuccess"]["rejectedSpans"], "1",
        "64-bit integers are texts"
    );
    collector.stop().await;
}

#[tokio::test]
async fn bad_input_is_refused_counted_and_takes_nothing_down() {
    let collector = Collector::start(Log::Takes).await;
    let truncated = good()[..good().len() - 3].to_vec();
    refused(send(&collector, PROTOBUF, None, b"garbage".to_vec()).await, 400, 3).await;
    refused(send(&collector, PROTOBUF, None, truncated).await, 400, 3).await;
    refused(
        send(&collector, JSON, None, b"{\"resourceSpans\":[{".to_vec()).await,
        400,
        3,
    )
    .await;
    refused(send(&collector, PROTOBUF, Some("gzip"), good()).await, 400, 3).await;
    refused(send(&collector, PROTOBUF, Some("zstd"), good()).await, 400, 3).await;
    let half = gzip(&good());
    refused(
        send(&collector, PROTOBUF, Some("gzip"), half[..half.len() / 2].to_vec()).await,
        400,
        3,
    )
    .await;
    refused(send(&collector, "text/plain", None, good()).await, 415, 3).await;
    refused(send(&collector, PROTOBUF, Some("br"), good()).await, 415, 12).await;
    refused(send(&collector, PROTOBUF, Some("gzip"), bomb()).await, 413, 8).await;
    refused(
        send(&collector, JSON, Some("zstd"), zstd(&vec![b' '; 70 << 20])).await,
        413,
        8,
    )
    .await;
    for (kind, count) in [
        ("protobuf", 2.0),
        ("json", 1.0),
        ("compression", 3.0),
        ("content_type", 1.0),
        ("content_encoding", 1.0),
        ("too_large", 2.0),
    ] {
        assert_eq!(
            collector.metric(&format!("epicenter_collector_bad_input_total{{kind=\"{kind}\"}}")),
            count,
            "{kind}"
        );
    }
    assert_eq!(send(&collector, PROTOBUF, None, good()).await.status(), 200);
    assert_eq!(collector.spans(), 1);
    collector.stop().await;
}

#[tokio::test]
async fn other_paths_and_methods_are_refused() {
    let collector = Collector::start(Log::Takes).await;
    for path in ["/v1/metrics", "/v1/logs", "/"] {
        let url = format!("http://{}{path}", collector.http);
        let response = Client::new()
            .post(url)
            .header("content-type", PROTOBUF)
            .send()
            .await
            .expect("an answer");
        refused(response, 404, 12).await;
    }
    let url = format!("http://{}/v1/traces", collector.http);
    let response = Client::new().request(Method::GET, url).send().await.expect("an answer");
    assert_eq!(response.headers()["allow"], "POST");
    refused(response, 405, 12).await;
    assert_eq!(
        collector.metric("epicenter_collector_bad_input_total{kind=\"path\"}"),
        3.0
    );
    collector.stop().await;
}

#[tokio::test]
async fn a_log_that_cannot_take_it_asks_to_come_back() {
    let collector = Collector::start(Log::IsFull).await;
    let response = send(&collector, PROTOBUF, None, good()).await;
    assert_eq!(response.status(), 503);
    assert_eq!(response.headers()["retry-after"], "3", "2.5 s, rounded up");
    let status = Status::decode(response.bytes().await.expect("a body")).expect("a google.rpc.Status");
    let info = RetryInfo::decode(&*status.details[0].value).expect("a RetryInfo");
    assert_eq!(info.retry_delay.map(|d| (d.seconds, d.nanos)), Some((2, 500_000_000)));
    assert_eq!(collector.metric("epicenter_collector_accepted_spans_total"), 0.0);
    collector.stop().await;

    let collector = Collector::start(Log::Refuses).await;
    let response = send(&collector, PROTOBUF, None, good()).await;
    assert!(response.headers().get("retry-after").is_none());
    refused(response, 413, 8).await;
    collector.stop().await;
}

#[tokio::test]
async fn more_than_there_is_room_for_is_asked_to_come_back() {
    let limits = Config {
        max_request_bytes: ByteSize::mib(8),
        max_in_flight_bytes: ByteSize::mib(16),
        ..Config::default()
    };
    let collector = Collector::start_with(Log::Takes, limits).await;
    // 8 MiB of JSON blanks are received, then inflated nowhere, then held twice: no room for a third time.
    let blanks = [vec![b' '; (8 << 20) - 2], b"{}".to_vec()].concat();
    assert_eq!(send(&collector, JSON, None, blanks.clone()).await.status(), 200);
    let response = send(&collector, JSON, Some("gzip"), gzip(&blanks)).await;
    assert_eq!(response.status(), 429);
    assert_eq!(response.headers()["retry-after"], "1");
    let oversized = vec![b' '; (8 << 20) + 1];
    refused(send(&collector, JSON, Some("zstd"), zstd(&oversized)).await, 413, 8).await;
    collector.stop().await;
}
