//! Server-sent events.

use crate::server::Server;
use epicenter_query::Config;
use reqwest::Method;

/// Guarantees: a stream begins with what is known, as the same JSON as the other paths give, and ends when the service
/// stops, so that stopping is quick.
#[tokio::test(flavor = "multi_thread")]
async fn a_stream_begins_with_what_is_known_and_ends_with_the_service() {
    let server = Server::start(Config::default()).await;
    let graph = server.get("/api/v1/graph").await.to_string();
    let mut answer = server
        .request(Method::GET, "/api/v1/stream")
        .send()
        .await
        .expect("an answer");
    assert_eq!(answer.headers()["content-type"], "text/event-stream");
    let mut text = String::new();
    while !text.contains("event: graph") || !text.ends_with("\n\n") {
        let chunk = answer.chunk().await.expect("a chunk").expect("no end");
        text.push_str(std::str::from_utf8(&chunk).expect("text"));
    }
    assert!(
        text.starts_with("event: incidents\ndata: {\"incidents\":[]}\n\n"),
        "{text}"
    );
    let data = text.rsplit("data: ").next().expect("data");
    let sent: serde_json::Value = serde_json::from_str(data).expect("JSON");
    assert_eq!(sent.to_string(), graph);
    let restarted = tokio::spawn(server.restart());
    while let Ok(Some(_)) = answer.chunk().await {}
    restarted.await.expect("starts again");
}
