//! One page: signed and posted.
//!
//! The signature is `sha256=` and the hexadecimal HMAC-SHA256, under the receiver's secret, of the timestamp header, a full
//! stop, and the body. The timestamp is of the attempt, so a receiver can refuse what is old; the event id stays the same
//! over attempts, so it can drop what it has seen. Source: RFC 2104.

use super::Webhook;
use super::outbox::Page;
use epicenter_schema::Timestamp;
use hmac::{Hmac, KeyInit, Mac};
use reqwest::StatusCode;
use reqwest::header::{CONTENT_TYPE, HeaderValue, RETRY_AFTER};
use sha2::Sha256;
use std::time::Duration;

/// How long a receiver may take to answer.
const TIMEOUT: Duration = Duration::from_secs(10);

/// What became of an attempt.
#[derive(Debug, PartialEq)]
pub(super) enum Outcome {
    /// The receiver has it.
    Delivered,
    /// Worth another attempt, not before that long when the receiver said so.
    Retry { why: String, after: Option<Duration> },
    /// The receiver will not have it.
    Refused { why: String },
}

/// A client that follows no redirects: a page is for the one who was named.
pub(super) fn client() -> reqwest::Result<reqwest::Client> {
    let agent = concat!("epicenter/", env!("CARGO_PKG_VERSION"));
    let builder = reqwest::Client::builder().timeout(TIMEOUT).user_agent(agent);
    builder.redirect(reqwest::redirect::Policy::none()).build()
}

/// Posts a page.
pub(super) async fn post(client: &reqwest::Client, webhook: &Webhook, page: &Page, now: Timestamp) -> Outcome {
    let timestamp = now.0.div_euclid(1_000_000_000).to_string();
    let sent = client
        .post(&webhook.url)
        .header(CONTENT_TYPE, "application/json")
        .header("x-epicenter-timestamp", &timestamp)
        .header("x-epicenter-signature", sign(&webhook.secret, &timestamp, &page.body))
        .header("x-epicenter-event-id", &page.event_id)
        .body(page.body.clone())
        .send()
        .await;
    match sent {
        // The URL may hold a token.
        Err(error) => Outcome::Retry {
            why: chain(&error.without_url()),
            after: None,
        },
        Ok(answer) => judge(answer.status(), answer.headers().get(RETRY_AFTER), now),
    }
}

fn chain(error: &dyn std::error::Error) -> String {
    let causes = std::iter::successors(error.source(), |cause| cause.source());
    causes.fold(error.to_string(), |text, cause| format!("{text}: {cause}"))
}

fn judge(status: StatusCode, retry_after: Option<&HeaderValue>, now: Timestamp) -> Outcome {
    let why = format!("the receiver answered {status}");
    if status.is_success() {
        return Outcome::Delivered;
    }
    let busy = matches!(
        status,
        StatusCode::REQUEST_TIMEOUT | StatusCode::TOO_EARLY | StatusCode::TOO_MANY_REQUESTS
    );
    if busy || status.is_server_error() {
        let after = retry_after.and_then(|value| wait(value.to_str().ok()?, now));
        return Outcome::Retry { why, after };
    }
    Outcome::Refused { why }
}

/// `Retry-After` in either form: seconds, or a date. Source: RFC 9110, section 10.2.3.
fn wait(text: &str, now: Timestamp) -> Option<Duration> {
    if let Ok(seconds) = text.trim().parse() {
        return Some(Duration::from_secs(seconds));
    }
    let then = chrono::DateTime::parse_from_rfc2822(text.trim())
        .ok()?
        .timestamp_nanos_opt()?;
    Some(Duration::from_nanos((then - now.0).max(0).unsigned_abs()))
}

fn sign(secret: &str, timestamp: &str, body: &str) -> String {
    let mut mac = Hmac::<Sha256>::new_from_slice(secret.as_bytes()).expect("HMAC takes keys of any length");
    mac.update(timestamp.as_bytes());
    mac.update(b".");
    mac.update(body.as_bytes());
    format!("sha256={}", hex::encode(mac.finalize().into_bytes()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn signs_timestamp_and_body() {
        // Computed with another implementation: HMAC-SHA256 of `1700000000.{}` under `key`.
        let expected = "sha256=9d713ed406bb7076d4123f0dc2c39d2df5c654ed4b0cd56b52c8b4c940bd63ae";
        assert_eq!(sign("key", "1700000000", "{}"), expected);
    }

    #[test]
    fn tells_failures_apart() {
        let now = Timestamp(1_700_000_000_000_000_000);
        let check = |status: u16, after: Option<&'static str>| {
            let after = after.map(HeaderValue::from_static);
            judge(StatusCode::from_u16(status).expect("a status"), after.as_ref(), now)
        };
        assert_eq!(check(204, None), Outcome::Delivered);
        for status in [301, 308, 400, 401, 404, 410] {
            assert!(matches!(check(status, None), Outcome::Refused { .. }), "{status}");
        }
        for (status, header, seconds) in [
            (500, None, None),
            (408, None, None),
            (429, Some("7"), Some(7)),
            (503, Some("Tue, 14 Nov 2023 22:13:50 GMT"), Some(30)),
            (503, Some("Tue, 14 Nov 2023 22:13:10 GMT"), Some(0)),
            (503, Some("soon"), None),
        ] {
            let Outcome::Retry { after, .. } = check(status, header) else {
                panic!("{status} is worth another attempt")
            };
            assert_eq!(after.map(|after| after.as_secs()), seconds, "{status} {header:?}");
        }
    }
}
