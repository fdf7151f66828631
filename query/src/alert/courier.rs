//! Delivers what is in the outbox: a task for each receiver.
//!
//! Failures are tried again with growing pauses, for a day. A receiver that answers that it will not have the page (a
//! status of 300 or 400) may be misrouted for a moment: it is tried a few times too, and then passed over, so that one
//! bad page does not hold up those behind it.

use super::outbox::{Lane, Outbox, Page};
use super::webhook::{Outcome, client, post};
use crate::Error;
use std::sync::Arc;
use std::time::Duration;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

/// First and longest pause between attempts; each is twice the one before.
const PAUSE_FIRST: Duration = Duration::from_millis(500);
const PAUSE_MAX: Duration = Duration::from_secs(300);
/// Age at which a page is given up. Older than that nobody is helped by it.
const AGE_MAX: Duration = Duration::from_secs(24 * 3600);
/// Refusals after which a page is given up: about two minutes.
const REFUSALS_MAX: u32 = 8;
/// How long an attempt under way may go on after the service is told to stop, so that a page that arrives is struck out.
const LAST_ATTEMPT: Duration = Duration::from_secs(2);

/// Delivers.
pub(crate) struct Courier {
    outbox: Arc<Outbox>,
    client: reqwest::Client,
}

/// What to do about a page after an attempt.
#[derive(Debug, PartialEq)]
enum Next {
    Strike,
    GiveUp(String),
    Pause { why: String, pause: Duration },
}

impl Courier {
    pub(crate) fn new(outbox: Arc<Outbox>) -> Result<Self, Error> {
        Ok(Self {
            outbox,
            client: client().map_err(Error::Client)?,
        })
    }

    /// Delivers until told to stop.
    pub(crate) async fn run(self, shutdown: CancellationToken) {
        let mut lanes = JoinSet::new();
        for lane in &self.outbox.lanes {
            let (outbox, lane, client) = (Arc::clone(&self.outbox), Arc::clone(lane), self.client.clone());
            lanes.spawn(serve(outbox, lane, client, shutdown.clone()));
        }
        shutdown.cancelled().await;
        lanes.join_all().await;
    }
}

async fn serve(outbox: Arc<Outbox>, lane: Arc<Lane>, client: reqwest::Client, shutdown: CancellationToken) {
    let mut attempts = 0;
    let receiver = lane.webhook.host();
    while !shutdown.is_cancelled() {
        let Some(page) = lane.first() else {
            tokio::select! {
                () = shutdown.cancelled() => return,
                () = lane.added.notified() => continue,
            }
        };
        let outcome = tokio::select! {
            outcome = post(&client, &lane.webhook, &page, outbox.now()) => outcome,
            () = stopped(&shutdown) => return,
        };
        attempts += 1;
        let age = Duration::from_nanos((outbox.now().0 - page.created_unix_nano).max(0).unsigned_abs());
        match judge(outcome, attempts, age) {
            Next::Pause { why, pause } => {
                tracing::warn!(
                    receiver,
                    event = page.event_id,
                    attempts,
                    why,
                    "could not deliver a page, it is tried again"
                );
                outbox.metrics.page_retried();
                tokio::select! {
                    () = shutdown.cancelled() => return,
                    () = tokio::time::sleep(pause) => {}
                }
            }
            Next::Strike => {
                outbox.metrics.page_delivered();
                attempts = 0;
                strike(&outbox, &lane, page).await;
            }
            Next::GiveUp(why) => {
                tracing::error!(receiver, event = page.event_id, attempts, why, "gave up a page");
                outbox.metrics.pages_given_up(1);
                attempts = 0;
                strike(&outbox, &lane, page).await;
            }
        }
    }
}

async fn stopped(shutdown: &CancellationToken) {
    shutdown.cancelled().await;
    tokio::time::sleep(LAST_ATTEMPT).await;
}

/// Waits for the disk without holding up a thread that serves.
async fn strike(outbox: &Arc<Outbox>, lane: &Arc<Lane>, page: Page) {
    let (outbox, lane) = (Arc::clone(outbox), Arc::clone(lane));
    if let Err(error) = tokio::task::spawn_blocking(move || outbox.strike(&lane, &page)).await {
        tracing::error!(%error, "could not strike a page out");
    }
}

/// `attempts` counts the one that gave this outcome.
fn judge(outcome: Outcome, attempts: u32, age: Duration) -> Next {
    let (why, after) = match outcome {
        Outcome::Delivered => return Next::Strike,
        Outcome::Refused { why } if attempts >= REFUSALS_MAX => return Next::GiveUp(why),
        Outcome::Refused { why } => (why, None),
        Outcome::Retry { why, after } => (why, after),
    };
    if age >= AGE_MAX {
        return Next::GiveUp(why);
    }
    let doubled = PAUSE_FIRST.saturating_mul(1 << (attempts - 1).min(16)).min(PAUSE_MAX);
    let pause = after.map_or(doubled, |after| after.min(PAUSE_MAX));
    Next::Pause { why, pause }
}

#[cfg(test)]
mod tests {
    use super::*;

    const YOUNG: Duration = Duration::from_secs(1);

    fn retry(after: Option<u64>) -> Outcome {
        Outcome::Retry {
            why: "503".to_owned(),
            after: after.map(Duration::from_secs),
        }
    }

    fn refused() -> Outcome {
        Outcome::Refused { why: "404".to_owned() }
    }

    fn pause(next: Next) -> Duration {
        match next {
            Next::Pause { pause, .. } => pause,
            other => panic!("no pause: {other:?}"),
        }
    }

    #[test]
    fn pauses_double_up_to_a_bound_unless_the_receiver_says() {
        let pauses: Vec<u128> = (1..=4)
            .map(|n| pause(judge(retry(None), n, YOUNG)).as_millis())
            .collect();
        assert_eq!(pauses, [500, 1_000, 2_000, 4_000]);
        assert_eq!(pause(judge(retry(None), 1_000, YOUNG)), PAUSE_MAX);
        assert_eq!(pause(judge(retry(Some(7)), 1, YOUNG)).as_secs(), 7);
        assert_eq!(pause(judge(retry(Some(99_999)), 1, YOUNG)), PAUSE_MAX);
    }

    #[test]
    fn gives_up_after_a_day_or_after_some_refusals() {
        assert_eq!(judge(Outcome::Delivered, 9, AGE_MAX), Next::Strike);
        assert_eq!(judge(retry(None), 9, AGE_MAX), Next::GiveUp("503".to_owned()));
        assert_eq!(pause(judge(refused(), 1, YOUNG)), PAUSE_FIRST);
        assert_eq!(judge(refused(), REFUSALS_MAX, YOUNG), Next::GiveUp("404".to_owned()));
    }
}
