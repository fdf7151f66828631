//! Web pages that send spans.

use crate::sender::{Collector, Log, good};
use epicenter_collector::Config;
use reqwest::{Client, Method, Response};

async fn preflight(collector: &Collector, origin: &str) -> Response {
    let url = format!("http://{}/v1/traces", collector.http);
    let request = Client::new()
        .request(Method::OPTIONS, url)
        .header("origin", origin)
        .header("access-control-request-method", "POST")
        .header("access-control-request-headers", "content-type,x-team");
    request.send().await.expect("an answer")
}

fn header<'a>(response: &'a Response, name: &str) -> Option<&'a str> {
    response.headers().get(name).map(|value| value.to_str().expect("text"))
}

async fn start(origins: &[&str]) -> Collector {
    let config = Config {
        cors_origins: origins.iter().map(|&origin| origin.to_owned()).collect(),
        ..Config::default()
    };
    Collector::start_with(Log::Takes, config).await
}

#[tokio::test]
async fn pages_of_allowed_origins_may_send() {
    let collector = start(&["https://*.shop.example", "http://localhost:3000"]).await;
    let origin = "https://www.shop.example";
    let answer = preflight(&collector, origin).await;
    assert_eq!(answer.status(), 200);
    assert_eq!(header(&answer, "access-control-allow-origin"), Some(origin));
    assert_eq!(header(&answer, "access-control-allow-methods"), Some("POST"));
    assert_eq!(
        header(&answer, "access-control-allow-headers"),
        Some("content-type,x-team")
    );

    let answer = preflight(&collector, "https://shop.example.evil").await;
    assert_eq!(header(&answer, "access-control-allow-origin"), None);

    let request = Client::new().post(format!("http://{}/v1/traces", collector.http));
    let request = request.header("content-type", "application/x-protobuf");
    let answer = request
        .header("origin", origin)
        .body(good())
        .send()
        .await
        .expect("an answer");
    assert_eq!(answer.status(), 200);
    assert_eq!(header(&answer, "access-control-allow-origin"), Some(origin));
    collector.stop().await;
}

#[tokio::test]
async fn no_page_may_send_unless_it_is_configured() {
    let collector = start(&[]).await;
    let answer = preflight(&collector, "https://shop.example").await;
    assert_eq!(header(&answer, "access-control-allow-origin"), None);
    collector.stop().await;
    let collector = start(&["*"]).await;
    let answer = preflight(&collector, "https://shop.example").await;
    assert_eq!(header(&answer, "access-control-allow-origin"), Some("*"));
    collector.stop().await;
}

#[test]
fn what_is_no_origin_is_refused_by_name() {
    let config = Config {
        cors_origins: vec!["shop.example".to_owned()],
        ..Config::default()
    };
    let refused = config.validate().expect_err("refused").to_string();
    assert!(
        refused.contains("cors_origins") && refused.contains("shop.example"),
        "{refused}"
    );
}
