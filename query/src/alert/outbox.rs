//! Pages that are still to be delivered: a file each, so that a restart neither forgets nor repeats them.
//!
//! Every receiver has a lane of its own: its pages go out in order, and one that is slow or away holds up no other.
//! Delivery is at least once: a page is struck out after its receiver has it, and a crash in between sends it again with
//! the same event id.

use super::Webhook;
use crate::Error;
use crate::http::dto::incident::IncidentDto;
use crate::live::{Event, files};
use crate::metrics::Metrics;
use epicenter_schema::Timestamp;
use epicenter_storage::Clock;
use serde::{Deserialize, Serialize};
use std::collections::VecDeque;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::sync::Notify;

/// Pages waiting for one receiver; beyond it the oldest are given up.
const PAGES_MAX: usize = 1_000;

/// A page for one receiver, as the file has it.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub(super) struct Page {
    /// The same for every attempt, and for every receiver.
    pub(super) event_id: String,
    pub(super) url: String,
    pub(super) body: String,
    /// When it was written, for giving up.
    pub(super) created_unix_nano: i64,
    /// Position in the outbox, from the name of the file.
    #[serde(skip)]
    pub(super) number: u64,
}

/// What one receiver is still to get.
pub(super) struct Lane {
    pub(super) webhook: Webhook,
    pages: Mutex<VecDeque<Page>>,
    /// Told of every new page.
    pub(super) added: Notify,
}

impl Lane {
    fn pages(&self) -> MutexGuard<'_, VecDeque<Page>> {
        self.pages.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The page to deliver next.
    pub(super) fn first(&self) -> Option<Page> {
        self.pages().front().cloned()
    }
}

/// What is still to be delivered.
pub(crate) struct Outbox {
    folder: PathBuf,
    pub(super) lanes: Vec<Arc<Lane>>,
    next: AtomicU64,
    clock: Clock,
    pub(super) metrics: Arc<Metrics>,
}

impl Outbox {
    /// Reads what waits in the folder. Pages of receivers that are not configured any more are given up.
    pub(crate) fn open(
        folder: PathBuf,
        webhooks: &[Webhook],
        clock: Clock,
        metrics: Arc<Metrics>,
    ) -> Result<Self, Error> {
        let lane = |webhook: &Webhook| {
            let pages = Mutex::default();
            Arc::new(Lane {
                webhook: webhook.clone(),
                pages,
                added: Notify::new(),
            })
        };
        let lanes: Vec<Arc<Lane>> = webhooks.iter().map(lane).collect();
        let mut next = 0;
        let kept: Vec<(PathBuf, Page)> = files::read_all(&folder)?;
        for (path, mut page) in kept {
            let number = path.file_stem().and_then(|stem| stem.to_str()?.parse().ok());
            page.number = number.unwrap_or(next);
            next = next.max(page.number + 1);
            match lanes.iter().find(|lane| lane.webhook.url == page.url) {
                Some(lane) => lane.pages().push_back(page),
                None => {
                    metrics.pages_given_up(1);
                    tracing::warn!(
                        event = page.event_id,
                        "gave up a page, its receiver is not configured any more"
                    );
                    files::remove(&path)?;
                }
            }
        }
        Ok(Self {
            folder,
            lanes,
            next: AtomicU64::new(next),
            clock,
            metrics,
        })
    }

    pub(super) fn now(&self) -> Timestamp {
        (self.clock)()
    }

    /// Puts a page in for every receiver; on disk when this returns. One that cannot be written is sent all the same, and
    /// lost only if the process ends before.
    pub(crate) fn put(&self, event: Event, incident: &IncidentDto) {
        let event_id = format!("{}:{}", incident.id, event.as_str());
        let body = serde_json::json!({ "event": event.as_str(), "incident": incident }).to_string();
        for lane in &self.lanes {
            if lane.pages().iter().any(|page| page.event_id == event_id) {
                continue;
            }
            let page = Page {
                event_id: event_id.clone(),
                url: lane.webhook.url.clone(),
                body: body.clone(),
                created_unix_nano: self.now().0,
                number: self.next.fetch_add(1, Ordering::Relaxed),
            };
            if let Err(error) = files::write(&self.path(&page), &page) {
                tracing::error!(
                    error = &error as &dyn std::error::Error,
                    "could not write a page to disk"
                );
            }
            self.add(lane, page);
        }
    }

    fn add(&self, lane: &Lane, page: Page) {
        let mut surplus = Vec::new();
        {
            let mut pages = lane.pages();
            pages.push_back(page);
            while pages.len() > PAGES_MAX {
                surplus.extend(pages.pop_front());
            }
        }
        lane.added.notify_one();
        for page in surplus {
            self.metrics.pages_given_up(1);
            tracing::error!(event = page.event_id, "gave up the oldest page, too many are waiting");
            self.forget(&page);
        }
    }

    /// Strikes a page out: it is delivered or given up.
    pub(super) fn strike(&self, lane: &Lane, page: &Page) {
        lane.pages().retain(|waiting| waiting.number != page.number);
        self.forget(page);
    }

    fn forget(&self, page: &Page) {
        if let Err(error) = files::remove(&self.path(page)) {
            tracing::error!(
                error = &error as &dyn std::error::Error,
                "could not strike a page out, it may come again"
            );
        }
    }

    fn path(&self, page: &Page) -> PathBuf {
        self.folder.join(format!("{:020}.json", page.number))
    }

    /// Pages that wait, of all receivers.
    pub(crate) fn waiting(&self) -> usize {
        self.lanes.iter().map(|lane| lane.pages().len()).sum()
    }
}
