//! A receiver of pages that fails as told, and checks signatures with an HMAC of its own.

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use serde_json::Value;
use sha2::{Digest, Sha256};
use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::sync::{Arc, Mutex};

pub(crate) const SECRET: &str = "a secret that is longer than nothing";

/// A page as it arrived.
#[derive(Clone, Debug)]
pub(crate) struct Page {
    pub(crate) body: Value,
    pub(crate) event_id: String,
    pub(crate) timestamp: i64,
}

#[derive(Clone, Default)]
pub(crate) struct Receiver {
    pages: Arc<Mutex<Vec<Page>>>,
    /// Pages to be refused with 503 before any is taken.
    pub(crate) failures: Arc<AtomicUsize>,
}

impl Receiver {
    pub(crate) async fn start(&self) -> SocketAddr {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("an address");
        let app = Router::new().fallback(receive).with_state(self.clone());
        tokio::spawn(async move { axum::serve(listener, app).await.expect("serves") });
        address
    }

    /// The pages taken of one event.
    pub(crate) fn of(&self, event: &str) -> Vec<Page> {
        let pages = self.pages.lock().expect("not poisoned");
        pages
            .iter()
            .filter(|page| page.body["event"] == event)
            .cloned()
            .collect()
    }
}

async fn receive(State(receiver): State<Receiver>, headers: HeaderMap, body: Bytes) -> StatusCode {
    if receiver
        .failures
        .fetch_update(SeqCst, SeqCst, |left| left.checked_sub(1))
        .is_ok()
    {
        return StatusCode::SERVICE_UNAVAILABLE;
    }
    let header = |name: &str| headers[name].to_str().expect("text").to_owned();
    let timestamp = header("x-epicenter-timestamp");
    let signed = [timestamp.as_bytes(), b".", &body].concat();
    assert_eq!(
        header("x-epicenter-signature"),
        format!("sha256={}", hmac(SECRET.as_bytes(), &signed))
    );
    assert_eq!(header("content-type"), "application/json");
    let page = Page {
        body: serde_json::from_slice(&body).expect("JSON"),
        event_id: header("x-epicenter-event-id"),
        timestamp: timestamp.parse().expect("a number"),
    };
    receiver.pages.lock().expect("not poisoned").push(page);
    StatusCode::NO_CONTENT
}

/// HMAC-SHA256 from its definition (RFC 2104), for keys up to a block.
fn hmac(key: &[u8], message: &[u8]) -> String {
    let pad = |with: u8| -> Vec<u8> { (0..64).map(|at| key.get(at).copied().unwrap_or(0) ^ with).collect() };
    let inner = Sha256::new().chain_update(pad(0x36)).chain_update(message).finalize();
    hex::encode(Sha256::new().chain_update(pad(0x5c)).chain_update(inner).finalize())
}

/// Guarantees: the check of these tests is HMAC-SHA256 (RFC 4231, test case 2).
#[test]
fn the_check_is_hmac_sha256() {
    let expected = "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843";
    assert_eq!(hmac(b"Jefe", b"what do ya want for nothing?"), expected);
}
