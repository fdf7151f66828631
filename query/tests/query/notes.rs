//! What is remembered of earlier incidents.

use crate::receiver::{Receiver, SECRET};
use crate::server::{Server, wait_for};
use crate::spans::{START, second};
use epicenter_query::Config;
use epicenter_query::alert::Webhook;
use reqwest::Client;
use reqwest::header::CONTENT_TYPE;
use serde_json::{Value, json};
use std::sync::atomic::Ordering::SeqCst;

async fn run(server: &Server, seconds: std::ops::Range<i64>, payment_is_dead: bool) {
    for number in seconds {
        server.now.store(START + (number + 1) * 1_000_000_000, SeqCst);
        server.append(&second(number, payment_is_dead)).await;
    }
}

async fn post(server: &Server, id: &str, content_type: &str, body: String) -> (u16, Value) {
    let url = format!("http://{}/api/v1/incidents/{id}/notes", server.http);
    let request = Client::new().post(url).header(CONTENT_TYPE, content_type).body(body);
    let response = request.send().await.expect("an answer");
    let status = response.status().as_u16();
    let body = response.bytes().await.expect("a body");
    (status, serde_json::from_slice(&body).expect("JSON"))
}

/// Scenario: payment dies and is mended, somebody writes down why, the server is restarted, payment dies again.
/// Guarantees: the note is kept; the second incident, and the page that tells of it, name the first one with its note.
#[tokio::test(flavor = "multi_thread")]
async fn an_incident_like_an_earlier_one_says_so_and_what_was_written_then() {
    let receiver = Receiver::default();
    let address = receiver.start().await;
    let mut config = Config::default();
    config.alert.webhooks = vec![Webhook::new(format!("http://{address}/page"), SECRET)];
    let server = Server::start(config).await;
    run(&server, 0..90, false).await;
    run(&server, 90..120, true).await;
    run(&server, 120..190, false).await;
    let first = wait_for("the end of it", async || {
        receiver.of("incident.resolved").first().cloned()
    })
    .await;
    let id = first.body["incident"]["id"].as_str().expect("an id").to_owned();
    assert!(first.body["incident"].get("similar").is_none(), "{:#}", first.body);

    let note = json!({"text": " the disk was full, see runbook 7 ", "author": "Ada"});
    let (status, noted) = post(&server, &id, "application/json", note.to_string()).await;
    assert_eq!(status, 201, "{noted:#}");
    let kept = json!([{
        "at_unix_nano": (START + 190_000_000_000).to_string(),
        "author": "Ada",
        "text": "the disk was full, see runbook 7",
    }]);
    assert_eq!(noted["notes"], kept);

    let server = server.restart().await;
    assert_eq!(server.get(&format!("/api/v1/incidents/{id}")).await["notes"], kept);
    wait_for("the end of the replay", async || {
        (server.metric("epicenter_live_replaying").await == 0.0).then_some(())
    })
    .await;
    run(&server, 190..280, false).await;
    run(&server, 280..310, true).await;
    let opened = wait_for("another page", async || receiver.of("incident.opened").get(1).cloned()).await;
    let second = server.get("/api/v1/incidents?state=open").await["incidents"][0].clone();
    for incident in [&opened.body["incident"], &second] {
        let similar = &incident["similar"][0];
        assert_eq!(similar["id"], id, "{incident:#}");
        assert_eq!(similar["culprit"]["name"], "payment");
        assert_eq!(similar["notes"], kept);
        assert!(similar["likeness"].as_f64().expect("a number") > 0.8, "{similar:#}");
    }
    let more = json!({"text": "again"}).to_string();
    assert_eq!(post(&server, &id, "application/json; charset=utf-8", more).await.0, 201);
    let similar = server.get("/api/v1/incidents?state=open").await["incidents"][0]["similar"][0].clone();
    assert_eq!(similar["notes"][1]["text"], "again");
}

/// Guarantees: a note that cannot be kept is refused in words that say what would be right.
#[tokio::test(flavor = "multi_thread")]
async fn notes_that_cannot_be_kept_are_refused() {
    let server = Server::start(Config::default()).await;
    let good = || json!({"text": "x"}).to_string();
    let long = json!({"text": "x".repeat(4_001)}).to_string();
    let nameless = json!({"text": "x", "author": "y".repeat(201)}).to_string();
    for (content_type, body, status, words) in [
        ("application/json", good(), 404, "no incident of that id"),
        ("text/plain", good(), 415, "application/json"),
        ("application/json", "{}".to_owned(), 400, "text"),
        (
            "application/json",
            json!({"text": " "}).to_string(),
            400,
            "1 to 4000 characters",
        ),
        ("application/json", long, 400, "1 to 4000 characters"),
        ("application/json", nameless, 400, "at most 200 characters"),
        (
            "application/json",
            json!({"text": "x", "when": 1}).to_string(),
            400,
            "author",
        ),
    ] {
        let (found, told) = post(&server, "17-cart", content_type, body).await;
        let message = told["error"]["message"].as_str().unwrap_or_default();
        assert_eq!(found, status, "{told}");
        assert!(message.contains(words), "{message}");
    }
}
