//! What is refused, and in which words.

use crate::server::Server;
use epicenter_query::Config;
use reqwest::{Method, StatusCode};
use serde_json::Value;

/// Guarantees: every refusal is JSON with a code for programs and words that say what is wrong and what would be right.
#[tokio::test(flavor = "multi_thread")]
async fn refusals_say_what_would_be_right() {
    let server = Server::start(Config::default()).await;
    for (method, path, status, code, words) in [
        (Method::GET, "/api/v1/nothing", 404, "not_found", "docs/http-api.md"),
        (Method::GET, "/api", 404, "not_found", "no such path"),
        (Method::GET, "/api/", 404, "not_found", "no such path"),
        (Method::GET, "/api/v1/incidents/", 404, "not_found", "no such path"),
        (Method::GET, "/api/v1/incidents/x", 404, "not_found", "no incident"),
        (
            Method::GET,
            "/api/v1/services/x/operations",
            404,
            "not_found",
            "/api/v1/services",
        ),
        (Method::GET, "/api/v1/sql", 405, "method_not_allowed", "Allow"),
        (Method::POST, "/api/v1/graph", 405, "method_not_allowed", "Allow"),
        (Method::DELETE, "/api/v1/traces/x", 405, "method_not_allowed", "Allow"),
        (Method::POST, "/metrics", 405, "method_not_allowed", "Allow"),
        (
            Method::GET,
            "/api/v1/incidents?stat=open",
            400,
            "invalid_argument",
            "known are: state",
        ),
        (
            Method::GET,
            "/api/v1/incidents?state=shut",
            400,
            "invalid_argument",
            "open or resolved",
        ),
        (Method::GET, "/api/v1/graph?window=0s", 400, "invalid_argument", "24h"),
        (
            Method::GET,
            "/api/v1/graph?at=noon",
            400,
            "invalid_argument",
            "RFC 3339",
        ),
        (
            Method::GET,
            "/api/v1/services?x=1",
            400,
            "invalid_argument",
            "known are: none",
        ),
        (
            Method::GET,
            "/api/v1/traces?limit=1000",
            400,
            "invalid_argument",
            "1 to 200",
        ),
        (
            Method::GET,
            "/api/v1/stream?x=1",
            400,
            "invalid_argument",
            "known are: none",
        ),
        (Method::POST, "/api/v1/sql", 400, "invalid_argument", "SELECT"),
    ] {
        let (found, body) = server.answer(server.request(method.clone(), path)).await;
        assert_eq!(found.as_u16(), status, "{method} {path}: {body}");
        assert_eq!(body["error"]["code"], code, "{method} {path}");
        let message = body["error"]["message"].as_str().expect("text");
        assert!(message.contains(words), "{method} {path}: {message}");
    }
    let answer = server
        .request(Method::GET, "/api/v1/sql")
        .send()
        .await
        .expect("an answer");
    assert_eq!(answer.headers()["allow"], "POST");
    let large = server
        .request(Method::POST, "/api/v1/sql")
        .body(vec![b' '; (1 << 20) + 1]);
    let (status, body) = server.answer(large).await;
    assert_eq!(
        (status, &body["error"]["code"]),
        (StatusCode::PAYLOAD_TOO_LARGE, &Value::from("too_large"))
    );
    let unknown = server
        .request(Method::POST, "/api/v1/sql")
        .body(r#"{"query":"SELECT 1","rows":1}"#);
    assert_eq!(server.answer(unknown).await.0, StatusCode::BAD_REQUEST);
}

/// Guarantees: paths that are not of the APIs are the page's; health says so in plain text; requests are counted by route.
#[tokio::test(flavor = "multi_thread")]
async fn the_rest_is_the_page() {
    let server = Server::start(Config::default()).await;
    let text = async |path: &str| {
        let answer = server.request(Method::GET, path).send().await.expect("an answer");
        assert_eq!(answer.status(), StatusCode::OK, "{path}");
        answer.text().await.expect("a body")
    };
    for path in ["/", "/traces/abc", "/apiary"] {
        assert_eq!(text(path).await, "the page", "{path}");
    }
    assert_eq!(
        (text("/healthz").await, text("/readyz").await),
        ("ok\n".to_owned(), "ready\n".to_owned())
    );
    server.try_get("/api/v1/traces/nonsense").await;
    let metrics = text("/metrics").await;
    let line = "http_server_request_duration_seconds_count{http_request_method=\"GET\",\
                http_route=\"/api/v1/traces/{id}\",http_response_status_code=\"400\"} 1";
    assert!(metrics.contains(line), "{metrics}");
    assert!(metrics.contains("epicenter_storage_"), "those of others are there too");
    assert!(!metrics.contains("nonsense"));
}

/// Guarantees: answers are compressed for those who take it.
#[tokio::test(flavor = "multi_thread")]
async fn answers_are_compressed() {
    let server = Server::start(Config::default()).await;
    let request = server
        .request(Method::GET, "/metrics")
        .header("accept-encoding", "gzip");
    assert_eq!(
        request.send().await.expect("an answer").headers()["content-encoding"],
        "gzip"
    );
}
