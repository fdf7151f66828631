//! What goes on in the background: sealing, dropping what is too old, and removing log that is not needed any more.

use crate::log::Removable;
use crate::store::Store;
use crate::table::{Committer, Retention};
use crate::{Error, view::Unsealed};
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio_util::sync::CancellationToken;

/// How often what is old is looked for.
const HOUSEKEEPING_INTERVAL: Duration = Duration::from_secs(10);
/// Longest time between two looks at the age of what is unsealed.
const LOOK_INTERVAL_MAX: Duration = Duration::from_secs(1);
/// After a merge of segments, so many times as long as it took none is begun.
const COMPACT_PAUSES: u32 = 3;
/// A file of the log that is still written to is completed early, to be removed, when it is sealed and has this size.
const ROTATE_BYTES_MIN: u64 = 1 << 20;
/// How long to wait after a failure: doubled each time, up to a bound.
const BACKOFF_MIN: Duration = Duration::from_millis(500);
const BACKOFF_MAX: Duration = Duration::from_secs(30);
/// How long the last sealing may take when the service stops. What it does not get to is replayed at the next start.
const LAST_SEAL_TIME_MAX: Duration = Duration::from_secs(4);
/// How long the work that is under way when the service stops may still take.
const UNFINISHED_TIME_MAX: Duration = Duration::from_secs(2);

/// The background work of a store. Without it appends and queries work until memory is full.
pub struct Service {
    store: Store,
    committer: Committer,
    /// When segments may be merged again.
    compact_after: Instant,
}

impl Service {
    pub(crate) fn new(store: Store, committer: Committer) -> Self {
        Self {
            store,
            committer,
            compact_after: Instant::now(),
        }
    }

    /// Works until `shutdown`, then closes the store and seals what is left.
    ///
    /// # Errors
    /// [`Error::Conflict`] when another process commits under the name of this one. Other failures are tried again.
    pub async fn run(mut self, shutdown: CancellationToken) -> Result<(), Error> {
        let look = (self.store.inner.config.seal_after / 4).min(LOOK_INTERVAL_MAX);
        let mut backoff = BACKOFF_MIN;
        let mut housekeeping = Instant::now();
        while !shutdown.is_cancelled() {
            let mut wait = look;
            let Some(worked) = bounded(self.work(&mut housekeeping), &shutdown).await else {
                break;
            };
            match worked {
                Ok(true) => {
                    backoff = BACKOFF_MIN;
                    continue;
                }
                Ok(false) => backoff = BACKOFF_MIN,
                Err(error @ Error::Conflict { .. }) => return Err(error),
                Err(error) => {
                    self.store.inner.counters.seal_failures.add(1);
                    tracing::error!(
                        error = &error as &dyn std::error::Error,
                        "could not seal, it is tried again"
                    );
                    wait = backoff;
                    backoff = (backoff * 2).min(BACKOFF_MAX);
                    tokio::select! {
                        () = shutdown.cancelled() => {}
                        () = tokio::time::sleep(wait) => {}
                    }
                    continue;
                }
            }
            tokio::select! {
                () = shutdown.cancelled() => {}
                () = self.store.inner.view.enough() => {}
                () = tokio::time::sleep(wait) => {}
            }
        }
        self.stop().await
    }

    /// One round: at most one segment. True when there may be more to do at once.
    async fn work(&mut self, housekeeping: &mut Instant) -> Result<bool, Error> {
        let now = Instant::now();
        let cutoff = now.checked_sub(self.store.inner.config.seal_after);
        let ripe = self.store.inner.view.ripe(cutoff);
        let sealed = self.seal(ripe).await?;
        if *housekeeping <= now {
            *housekeeping = now + HOUSEKEEPING_INTERVAL;
            self.keep_house(now).await?;
        }
        if sealed {
            return Ok(true);
        }
        if self.compact_after > now {
            return Ok(false);
        }
        // Sealing comes first: only when nothing waits for it are segments merged, and then for a part of the time.
        let merged = match self.compact().await {
            Err(error @ Error::Conflict { .. }) => return Err(error),
            // Merging can wait; sealing must not wait with it.
            Err(error) => {
                self.store.inner.counters.seal_failures.add(1);
                tracing::error!(
                    error = &error as &dyn std::error::Error,
                    "could not merge segments, it is tried again"
                );
                false
            }
            Ok(merged) => merged,
        };
        let pause = now.elapsed() * COMPACT_PAUSES;
        self.compact_after = Instant::now() + pause.max(LOOK_INTERVAL_MAX);
        Ok(merged)
    }

    /// Merges some small segments; false when there are none.
    pub(crate) async fn compact(&mut self) -> Result<bool, Error> {
        match self.committer.compact().await {
            // Others dropped what was to be merged: the next look finds out what is left.
            Err(Error::Superseded) => Ok(false),
            other => other,
        }
    }

    /// Seals the records; false when there are none.
    pub(crate) async fn seal(&mut self, records: Vec<Arc<Unsealed>>) -> Result<bool, Error> {
        if records.is_empty() {
            return Ok(false);
        }
        self.committer.seal(records).await?;
        self.remove_log();
        Ok(true)
    }

    pub(crate) async fn keep_house(&mut self, now: Instant) -> Result<(), Error> {
        let inner = &self.store.inner;
        let now_at = (inner.clock)();
        self.remove_log();
        self.committer.refresh().await?;
        let retention = Retention::new(&inner.config);
        self.committer.retain(&retention, now_at).await?;
        self.committer.delete_dropped(now).await;
        self.committer.delete_forgotten(&retention, now_at, now).await?;
        Ok(())
    }

    /// Removes the files of the log that are sealed and that nobody has to read again.
    fn remove_log(&self) {
        let inner = &self.store.inner;
        let sealed = inner.index.sealed_while_written(self.committer.sealed_through());
        if sealed.is_some_and(|bytes| bytes >= ROTATE_BYTES_MIN) {
            inner.queue.rotate();
        }
        let removable = inner.index.take_removable(Removable {
            sealed_through: self.committer.sealed_through(),
            tail_from: inner.tails.slowest(),
            lag_bytes_max: inner.config.log_lag_bytes_max.as_u64(),
        });
        for segment in removable {
            if let Err(error) = std::fs::remove_file(&segment.path) {
                tracing::warn!(path = %segment.path.display(), %error, "could not remove a log segment, the next start does");
            }
        }
    }

    async fn stop(mut self) -> Result<(), Error> {
        self.store.close().await?;
        let started = Instant::now();
        while started.elapsed() < LAST_SEAL_TIME_MAX {
            let rest = self.store.inner.view.ripe(Some(Instant::now()));
            let left = LAST_SEAL_TIME_MAX.saturating_sub(started.elapsed());
            let Ok(sealed) = tokio::time::timeout(left, self.seal(rest)).await else {
                tracing::warn!("sealing at the end took too long, the next start reads the log");
                break;
            };
            match sealed {
                Ok(true) => {}
                Ok(false) => break,
                Err(error) => {
                    tracing::warn!(
                        error = &error as &dyn std::error::Error,
                        "could not seal at the end, the next start reads the log"
                    );
                    break;
                }
            }
        }
        Ok(())
    }
}

/// Waits for the work, but not for long once `shutdown` is cancelled: an object store that does not answer must not
/// keep the process from stopping. None when it was given up, after which a commit may be undecided.
async fn bounded<T>(work: impl Future<Output = T>, shutdown: &CancellationToken) -> Option<T> {
    let patience = async {
        shutdown.cancelled().await;
        tokio::time::sleep(UNFINISHED_TIME_MAX).await;
    };
    tokio::select! {
        done = work => Some(done),
        () = patience => None,
    }
}
