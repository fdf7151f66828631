//! Connections: many of them, kept alive, bounded, and ended.

use crate::sender::{Collector, Log, good};
use epicenter_collector::Config;
use reqwest::Client;
use std::net::SocketAddr;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// For what should happen at once.
const PATIENCE: Duration = Duration::from_secs(20);

/// Sends a request by hand and reads the answer's head, on a connection that is open.
async fn post(stream: &mut TcpStream) -> String {
    let body = good();
    let head = format!(
        "POST /v1/traces HTTP/1.1\r\nhost: x\r\ncontent-type: application/x-protobuf\r\ncontent-length: {}\r\n\r\n",
        body.len()
    );
    stream.write_all(head.as_bytes()).await.expect("sends");
    stream.write_all(&body).await.expect("sends");
    let mut answer = [0; 1024];
    let read = tokio::time::timeout(PATIENCE, stream.read(&mut answer)).await;
    let read = read.expect("an answer in time").expect("an answer");
    String::from_utf8_lossy(&answer[..read]).into_owned()
}

async fn connect(to: SocketAddr) -> TcpStream {
    TcpStream::connect(to).await.expect("connects")
}

/// True when the other side has closed the connection.
async fn is_closed(stream: &mut TcpStream) -> bool {
    let read = tokio::time::timeout(PATIENCE, stream.read(&mut [0; 16])).await;
    matches!(read, Ok(Ok(0) | Err(_)))
}

#[tokio::test]
async fn a_connection_is_used_again() {
    let collector = Collector::start(Log::Takes).await;
    let mut stream = connect(collector.http).await;
    for number in 1..=3 {
        let answer = post(&mut stream).await;
        assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
        assert_eq!(collector.spans(), number);
    }
    drop(stream);
    collector.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn five_hundred_senders_are_served_at_once() {
    let collector = Collector::start(Log::Takes).await;
    let mut streams = Vec::new();
    for _ in 0..500 {
        streams.push(connect(collector.http).await);
    }
    let sending = streams.into_iter().map(|mut stream| async move {
        for _ in 0..2 {
            let answer = post(&mut stream).await;
            assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
        }
    });
    futures::future::join_all(sending).await;
    assert_eq!(collector.spans(), 1_000);
    assert_eq!(
        collector.metric(r#"epicenter_collector_refused_connections_total{transport="http"}"#),
        0.0
    );
    collector.stop().await;
}

/// Scenario: one connection more than there may be; then one of the others ends.
/// Guarantees: the one too many is closed and counted, the others are served on, and there is room again.
#[tokio::test]
async fn one_too_many_is_closed_and_harms_nobody() {
    let config = Config {
        max_connections: 2,
        ..Config::default()
    };
    let collector = Collector::start_with(Log::Takes, config).await;
    for (to, transport) in [(collector.http, "http"), (collector.grpc, "grpc")] {
        let (mut one, two) = (connect(to).await, connect(to).await);
        let mut three = connect(to).await;
        assert!(is_closed(&mut three).await, "{transport}");
        let refused = format!(r#"epicenter_collector_refused_connections_total{{transport="{transport}"}}"#);
        assert_eq!(collector.metric(&refused), 1.0);
        if transport == "http" {
            assert!(post(&mut one).await.starts_with("HTTP/1.1 200"));
            drop(two);
            let begun = std::time::Instant::now();
            loop {
                let mut four = connect(to).await;
                four.write_all(b"GET / HTTP/1.1\r\nhost: x\r\n\r\n")
                    .await
                    .expect("sends");
                let mut answer = [0; 12];
                if four.read_exact(&mut answer).await.is_ok() {
                    assert_eq!(&answer, b"HTTP/1.1 404");
                    break;
                }
                assert!(begun.elapsed() < PATIENCE, "no room again");
            }
        }
    }
    collector.stop().await;
}

/// Scenario: a sender that never ends the head of its request, on a clock that runs ahead.
/// Guarantees: its connection is closed, and others are served meanwhile.
#[tokio::test(start_paused = true)]
async fn a_head_without_end_is_cut_off() {
    let collector = Collector::start(Log::Takes).await;
    let mut slow = connect(collector.http).await;
    slow.write_all(b"POST /v1/traces HTTP/1.1\r\nx: ").await.expect("sends");
    let read = tokio::time::timeout(Duration::from_secs(600), slow.read(&mut [0; 256])).await;
    assert!(read.is_ok(), "it is still open after ten minutes");
    collector.stop().await;
}

#[tokio::test]
async fn http_2_is_spoken_on_the_http_port() {
    let collector = Collector::start(Log::Takes).await;
    let client = Client::builder().http2_prior_knowledge().build().expect("a client");
    let request = client.post(format!("http://{}/v1/traces", collector.http));
    let request = request.header("content-type", "application/x-protobuf").body(good());
    let answer = request.send().await.expect("an answer");
    assert_eq!(
        (answer.status().as_u16(), answer.version()),
        (200, reqwest::Version::HTTP_2)
    );
    collector.stop().await;
}
