//! What is visible at this instant: the sealed segments and the batches that are not sealed yet, under one lock, so that
//! a snapshot never sees a span twice or not at all while it moves from one to the other.

use crate::table::Segment;
use crate::{Config, Error};
use bytes::Bytes;
use epicenter_schema::{FlatBatch, SpanBatch, Timestamp};
use std::collections::VecDeque;
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};
use std::time::Instant;
use tokio::sync::futures::Notified;
use tokio::sync::{Notify, watch};

/// Segments that find room in the memory for what is unsealed: one fills up while the others are written.
const SEALS_IN_MEMORY: u64 = 4;

/// Most bytes of a segment to be, whatever the memory: a column of texts ends at 2 GiB.
const SEAL_BYTES_MAX: usize = 512 << 20;

/// One appended request that is in the log and not in the table.
#[derive(Debug)]
pub(crate) struct Unsealed {
    /// Its position in the log.
    pub(crate) sequence: u64,
    pub(crate) received: Timestamp,
    /// The request as it came.
    pub(crate) payload: Bytes,
    /// Its spans; what is nested in them is in the payload.
    pub(crate) spans: FlatBatch,
    /// Bytes that both hold.
    pub(crate) memory: usize,
    /// When it became visible here, for its age.
    since: Instant,
}

impl Unsealed {
    pub(crate) fn new(sequence: u64, received: Timestamp, payload: Bytes, spans: FlatBatch) -> Self {
        Self {
            sequence,
            received,
            memory: payload.len() + spans.memory_size(),
            payload,
            spans,
            since: Instant::now(),
        }
    }

    /// Every column of its spans.
    pub(crate) fn with_nested(&self) -> Result<SpanBatch, Error> {
        self.spans.with_nested(&self.payload).map_err(unreadable)
    }

    /// Every column of some of its spans.
    pub(crate) fn rows_with_nested(&self, rows: &[u32]) -> Result<SpanBatch, Error> {
        self.spans.rows_with_nested(&self.payload, rows).map_err(unreadable)
    }
}

/// What was checked when it was received does not fail later, bugs aside.
fn unreadable(source: epicenter_schema::Error) -> Error {
    Error::Schema {
        path: "memory".to_owned(),
        source,
    }
}

/// A consistent cut: every acknowledged span is in exactly one of the two.
#[derive(Clone, Debug)]
pub(crate) struct Snapshot {
    pub(crate) segments: Arc<Vec<Arc<Segment>>>,
    pub(crate) unsealed: Vec<Arc<Unsealed>>,
}

#[derive(Debug)]
struct State {
    segments: Arc<Vec<Arc<Segment>>>,
    unsealed: VecDeque<Arc<Unsealed>>,
    bytes: usize,
    rows: usize,
}

/// The visible state.
#[derive(Debug)]
pub(crate) struct View {
    state: RwLock<State>,
    /// Sequence of the last visible record.
    last: watch::Sender<u64>,
    /// Told when there is enough to seal.
    enough: Notify,
    /// Told when unsealed records went.
    room: Notify,
    /// What is enough: spans, and bytes.
    seal_rows: usize,
    seal_bytes: usize,
}

impl View {
    pub(crate) fn new(segments: Vec<Arc<Segment>>, config: &Config) -> Self {
        Self {
            state: RwLock::new(State {
                segments: Arc::new(segments),
                unsealed: VecDeque::new(),
                bytes: 0,
                rows: 0,
            }),
            last: watch::Sender::new(0),
            enough: Notify::new(),
            room: Notify::new(),
            seal_rows: config.seal_spans,
            seal_bytes: usize::try_from(config.unsealed_bytes_max.as_u64() / SEALS_IN_MEMORY)
                .unwrap_or(usize::MAX)
                .min(SEAL_BYTES_MAX),
        }
    }

    fn read(&self) -> RwLockReadGuard<'_, State> {
        self.state.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> RwLockWriteGuard<'_, State> {
        self.state.write().unwrap_or_else(PoisonError::into_inner)
    }

    /// Makes records visible, which come in the order of the log and reach up to `last`.
    pub(crate) fn publish(&self, entries: Vec<Arc<Unsealed>>, last: u64) {
        let mut state = self.write();
        for entry in entries {
            state.bytes += entry.memory;
            state.rows += entry.spans.len();
            state.unsealed.push_back(entry);
        }
        let enough = state.rows >= self.seal_rows || state.bytes >= self.seal_bytes;
        drop(state);
        self.last.send_replace(last);
        if enough {
            self.enough.notify_one();
        }
    }

    /// Replaces the segments, and drops the oldest `sealed` unsealed records, in one step.
    pub(crate) fn commit(&self, segments: Vec<Arc<Segment>>, sealed: usize) {
        let mut state = self.write();
        state.segments = Arc::new(segments);
        let dropped: Vec<_> = state.unsealed.drain(..sealed).collect();
        for entry in &dropped {
            state.bytes -= entry.memory;
            state.rows -= entry.spans.len();
        }
        drop(state);
        // The memory is given back here, outside the lock.
        drop(dropped);
        self.room.notify_waiters();
    }

    /// Resolves when unsealed records have gone since this was called.
    pub(crate) fn room(&self) -> Notified<'_> {
        self.room.notified()
    }

    pub(crate) fn snapshot(&self) -> Snapshot {
        let state = self.read();
        Snapshot {
            segments: Arc::clone(&state.segments),
            unsealed: state.unsealed.iter().cloned().collect(),
        }
    }

    pub(crate) fn segments(&self) -> Arc<Vec<Arc<Segment>>> {
        Arc::clone(&self.read().segments)
    }

    /// The oldest unsealed records that make up a segment: all of them up to the bounds of one segment. Empty unless
    /// that is enough, or the oldest was there before `cutoff`.
    pub(crate) fn ripe(&self, cutoff: Option<Instant>) -> Vec<Arc<Unsealed>> {
        let state = self.read();
        let enough = state.rows >= self.seal_rows || state.bytes >= self.seal_bytes;
        let old = state
            .unsealed
            .front()
            .is_some_and(|oldest| cutoff.is_some_and(|cutoff| oldest.since <= cutoff));
        if !enough && !old {
            return Vec::new();
        }
        let (mut rows, mut bytes) = (0, 0);
        let fits = |entry: &&Arc<Unsealed>| {
            let first = rows == 0;
            rows += entry.spans.len();
            bytes += entry.memory;
            first || (rows <= self.seal_rows && bytes <= self.seal_bytes)
        };
        state.unsealed.iter().take_while(fits).cloned().collect()
    }

    /// The unsealed record of this sequence.
    pub(crate) fn find(&self, sequence: u64) -> Option<Arc<Unsealed>> {
        let state = self.read();
        let at = state.unsealed.partition_point(|entry| entry.sequence < sequence);
        state
            .unsealed
            .get(at)
            .filter(|entry| entry.sequence == sequence)
            .cloned()
    }

    /// Unsealed records, spans and bytes.
    pub(crate) fn unsealed_size(&self) -> (usize, usize, usize) {
        let state = self.read();
        (state.unsealed.len(), state.rows, state.bytes)
    }

    /// Follows the sequence of the last visible record.
    pub(crate) fn subscribe(&self) -> watch::Receiver<u64> {
        self.last.subscribe()
    }

    /// Resolves when there is enough to seal, or may be.
    pub(crate) async fn enough(&self) {
        self.enough.notified().await;
    }
}
