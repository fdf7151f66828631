//! A receiver of pages: notes every one that arrives, with the verdict on its signature.

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::HeaderMap;
use hmac::{Hmac, KeyInit, Mac};
use serde_json::Value;
use sha2::Sha256;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

/// One page as it arrived.
#[derive(Clone, Debug)]
pub(crate) struct Page {
    pub(crate) event: String,
    pub(crate) incident: Value,
    pub(crate) event_id: String,
    /// Seconds since 1970, from the signed header.
    pub(crate) timestamp: u64,
    pub(crate) signature_is_valid: bool,
}

/// A running receiver that answers 200 to everything.
pub(crate) struct Receiver {
    address: SocketAddr,
    pages: Arc<Mutex<Vec<Page>>>,
}

/// What the handler needs.
#[derive(Clone)]
struct Desk {
    secret: &'static str,
    pages: Arc<Mutex<Vec<Page>>>,
}

impl Receiver {
    pub(crate) async fn start(secret: &'static str) -> Self {
        let pages = Arc::new(Mutex::new(Vec::new()));
        let desk = Desk {
            secret,
            pages: Arc::clone(&pages),
        };
        let app = Router::new().fallback(receive).with_state(desk);
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("an address");
        tokio::spawn(async move { axum::serve(listener, app).await.expect("the receiver serves") });
        Self { address, pages }
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}/pages", self.address)
    }

    /// All pages of one event so far.
    pub(crate) fn of(&self, event: &str) -> Vec<Page> {
        let pages = self.pages.lock().expect("not poisoned");
        pages.iter().filter(|page| page.event == event).cloned().collect()
    }
}

async fn receive(State(desk): State<Desk>, headers: HeaderMap, body: Bytes) {
    let header = |name: &str| {
        headers
            .get(name)
            .and_then(|value| value.to_str().ok())
            .unwrap_or_default()
            .to_owned()
    };
    let timestamp = header("x-epicenter-timestamp");
    let signature = header("x-epicenter-signature");
    let said: Value = serde_json::from_slice(&body).unwrap_or_default();
    let page = Page {
        event: said["event"].as_str().unwrap_or_default().to_owned(),
        incident: said["incident"].clone(),
        event_id: header("x-epicenter-event-id"),
        timestamp: timestamp.parse().unwrap_or_default(),
        signature_is_valid: signature == sign(desk.secret, &timestamp, &body),
    };
    desk.pages.lock().expect("not poisoned").push(page);
}

/// `sha256=` and the hexadecimal HMAC-SHA256 over timestamp, a full stop, and the body.
fn sign(secret: &str, timestamp: &str, body: &[u8]) -> String {
    let mut mac = Hmac::<Sha256>::new_from_slice(secret.as_bytes()).expect("any length is a key");
    mac.update(timestamp.as_bytes());
    mac.update(b".");
    mac.update(body);
    format!("sha256={}", hex::encode(mac.finalize().into_bytes()))
}

/// Scenario: the verdict on a signature, with the vector of RFC 4231 (test case 2) split into timestamp and body.
/// Guarantees: the receiver of these journeys takes HMAC-SHA256 and nothing else.
#[test]
fn the_verdict_is_hmac_sha256() {
    let (key, data) = ("Jefe", "what do ya want for nothing?");
    let mut mac = Hmac::<Sha256>::new_from_slice(key.as_bytes()).expect("any length is a key");
    mac.update(data.as_bytes());
    let expected = "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843";
    assert_eq!(hex::encode(mac.finalize().into_bytes()), expected);
    assert_ne!(sign(key, "1", b"body"), sign(key, "2", b"body"));
}
