//! The handle: append, scan, look up, follow.

use crate::catalog::{Catalog, ServiceOperations};
use crate::lock::DirLock;
use crate::log::{Index, PAYLOAD_BYTES_MAX, Pending, Queue};
use crate::metrics::{Counters, Metrics};
use crate::table::{self, Filters};
use crate::tail::{Tail, Tails};
use crate::view::View;
use crate::{AppendError, Clock, Config, Decoder, Error};
use bytes::Bytes;
use datafusion::catalog::TableProvider;
use epicenter_schema::{FlatBatch, SpanBatch, TraceId};
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;
use tokio::sync::oneshot;
use tokio_util::sync::CancellationToken;

/// How long a request waits for sealing to make room before it is refused.
const ROOM_WAIT_MAX: Duration = Duration::from_millis(200);
/// How long a sender is asked to wait while sealing catches up.
const RETRY_AFTER: Duration = Duration::from_secs(1);

/// A handle to the store; cloning it is cheap.
#[derive(Clone)]
pub struct Store {
    pub(crate) inner: Arc<Inner>,
}

/// What all handles share.
pub(crate) struct Inner {
    pub(crate) config: Config,
    /// The name under which this store commits to the table.
    pub(crate) name: String,
    pub(crate) view: Arc<View>,
    pub(crate) catalog: Arc<Catalog>,
    pub(crate) counters: Arc<Counters>,
    pub(crate) index: Arc<Index>,
    pub(crate) queue: Arc<Queue>,
    pub(crate) tails: Tails,
    pub(crate) filters: Arc<Filters>,
    pub(crate) spans: Arc<table::Spans>,
    pub(crate) decoder: Decoder,
    pub(crate) clock: Clock,
    /// Cancelled when no record will come any more.
    pub(crate) closed: CancellationToken,
    pub(crate) writer: Mutex<Option<JoinHandle<()>>>,
    pub(crate) _lock: DirLock,
}

impl Store {
    /// Appends one request: `payload` is its OTLP protobuf, uncompressed, `spans` what was decoded from it. Resolves when
    /// the record is on disk, and visible to queries and tails. A request of no spans is not written.
    ///
    /// # Errors
    /// The request was not kept, see [`AppendError`].
    pub async fn append(&self, payload: Bytes, spans: FlatBatch) -> Result<(), AppendError> {
        if spans.is_empty() {
            return Ok(());
        }
        if payload.len() > PAYLOAD_BYTES_MAX {
            return Err(AppendError::TooLarge {
                bytes: payload.len(),
                limit: PAYLOAD_BYTES_MAX,
            });
        }
        let (done, written) = oneshot::channel();
        let memory = payload.len() + spans.memory_size();
        let pending = Pending {
            payload,
            spans,
            memory,
            done,
        };
        self.make_room(memory)
            .await
            .and_then(|()| self.inner.queue.push(pending))
            .inspect_err(|error| {
                if matches!(error, AppendError::Overloaded { .. }) {
                    self.inner.counters.overloads.add(1);
                }
            })?;
        written.await.unwrap_or(Err(AppendError::Closed))
    }

    /// A sender that waits a little is slowed down to what sealing can do; one that is refused comes back in a crowd.
    async fn make_room(&self, memory: usize) -> Result<(), AppendError> {
        let patience = tokio::time::sleep(ROOM_WAIT_MAX);
        tokio::pin!(patience);
        loop {
            // Asked for before looking, so that room made in between is not missed.
            let room = self.inner.view.room();
            if self.has_room(memory) {
                return Ok(());
            }
            tokio::select! {
                () = room => {}
                () = &mut patience => return Err(AppendError::Overloaded {
                    what: "sealing is behind",
                    retry_after: RETRY_AFTER,
                }),
            }
        }
    }

    fn has_room(&self, memory: usize) -> bool {
        let (_, _, unsealed) = self.inner.view.unsealed_size();
        let held = unsealed + self.inner.queue.memory();
        let limit = self.inner.config.unsealed_bytes_max.as_u64();
        held == 0 || (held + memory) as u64 <= limit
    }

    /// The table of all spans, for a DataFusion session, by custom under the name `spans`. Each scan sees one
    /// consistent snapshot: every span acknowledged before it, exactly once.
    pub fn table_provider(&self) -> Arc<dyn TableProvider> {
        Arc::clone(&self.inner.spans) as Arc<dyn TableProvider>
    }

    /// Every span of one trace, sorted by start, then span id: one batch, or none when there is no such trace.
    ///
    /// # Errors
    /// When a segment cannot be read, or the trace has more than a million spans.
    pub async fn trace(&self, id: TraceId) -> Result<Vec<SpanBatch>, Error> {
        let snapshot = self.inner.view.snapshot();
        let found = table::trace(&snapshot, &self.inner.filters, id).await?;
        Ok(found.into_iter().collect())
    }

    /// The services that spans were seen of, sorted by name, with their operations. Bounded: 10,000 services, 2,000
    /// operations each, 100,000 altogether; what is not seen for the length of the retention is forgotten.
    pub fn services(&self) -> Vec<ServiceOperations> {
        self.inner.catalog.services()
    }

    /// Follows the log: first what was sealed lately (see [`Config::replay`]), then what is not sealed yet and everything
    /// that is appended, in the order of the log and without gaps. A tail that is slow reads again from disk and holds nothing in memory.
    pub fn tail(&self) -> Tail {
        Tail::new(Arc::clone(&self.inner))
    }

    /// The metrics.
    pub fn metrics(&self) -> Metrics {
        Metrics {
            inner: Arc::clone(&self.inner),
        }
    }

    /// Takes no more requests, writes those that wait, and ends the tails once they have seen everything. Queries
    /// still work. [`crate::Service::run`] does this when it stops.
    ///
    /// # Errors
    /// When the writing thread panicked.
    pub async fn close(&self) -> Result<(), Error> {
        let inner = Arc::clone(&self.inner);
        tokio::task::spawn_blocking(move || inner.stop_writer())
            .await
            .map_err(Error::Task)?;
        self.inner.closed.cancel();
        Ok(())
    }
}

impl fmt::Debug for Store {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Store")
            .field("config", &self.inner.config)
            .finish_non_exhaustive()
    }
}

impl Inner {
    /// Blocks until everything that waits is written.
    fn stop_writer(&self) {
        self.queue.close();
        let writer = self.writer.lock().unwrap_or_else(PoisonError::into_inner).take();
        if writer.is_some_and(|writer| writer.join().is_err()) {
            tracing::error!("the thread that writes the log panicked");
        }
    }
}

impl Drop for Inner {
    /// The lock of the folder is given back only after the last write to it.
    fn drop(&mut self) {
        self.stop_writer();
    }
}
