//! Following the log: first what was sealed lately, from the table, then every record from there on. A tail is a position,
//! not a queue: records that are still unsealed are shared from memory, others are read again from the files and decoded. However slow the reader is, memory does not grow; the files that it has
//! yet to read are kept for it up to a bound.

mod replay;

use crate::log::{Item, Reader, Segment, before};
use crate::store::Inner;
use epicenter_schema::{FlatBatch, SpanBatch, Timestamp};
use replay::Replay;
use std::io;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError, Weak};
use tokio::sync::watch;

/// One appended request, as the log has it; or some of the spans that were sealed before the tail began.
#[derive(Clone, Debug)]
pub struct TailItem {
    /// Position in the log; rises from request to request. Of sealed spans that of the last request they may be of.
    pub sequence: u64,
    /// When it was written to the log; never goes back. Of sealed spans a time before which all that was received has
    /// been shown.
    pub received: Timestamp,
    /// True for what was there before the tail began.
    pub replayed: bool,
    /// The flat columns of its spans. Attributes and events are left out, and links but for those of consumer spans that
    /// name no queue; of spans that were sealed before the tail began these too.
    pub batch: SpanBatch,
}

/// A reader of the log, from [`crate::Store::tail`].
pub struct Tail {
    inner: Arc<Inner>,
    /// Sequence of the next item at least; known to the removal of old files.
    next: Arc<AtomicU64>,
    /// Last sequence when the tail began.
    began: u64,
    last: watch::Receiver<u64>,
    replay: Option<Replay>,
    open: Option<Open>,
}

/// A file in the middle of being read.
struct Open {
    reader: Reader,
    first: u64,
    /// Sequence of the last record that the file is known to hold.
    last: u64,
}

/// Where all tails are.
#[derive(Debug, Default)]
pub(crate) struct Tails {
    positions: Mutex<Vec<Weak<AtomicU64>>>,
}

impl Tails {
    fn add(&self, position: &Arc<AtomicU64>) {
        let mut positions = self.positions.lock().unwrap_or_else(PoisonError::into_inner);
        positions.retain(|position| position.strong_count() > 0);
        positions.push(Arc::downgrade(position));
    }

    /// The sequence that the slowest tail reads next; the largest number when there is none.
    pub(crate) fn slowest(&self) -> u64 {
        let positions = self.positions.lock().unwrap_or_else(PoisonError::into_inner);
        let alive = positions.iter().filter_map(Weak::upgrade);
        alive
            .map(|position| position.load(Ordering::Acquire))
            .min()
            .unwrap_or(u64::MAX)
    }
}

impl Tail {
    pub(crate) fn new(inner: Arc<Inner>) -> Self {
        let next = Arc::new(AtomicU64::new(0));
        // Known before it looks where to begin, so that no file is removed in between.
        inner.tails.add(&next);
        let last = inner.view.subscribe();
        let began = *last.borrow();
        let snapshot = inner.view.snapshot();
        let since = before((inner.clock)(), inner.config.replay);
        let replay = Replay::new(
            Arc::clone(&inner.filters),
            &snapshot,
            &inner.name,
            since,
            inner.config.replay_spans_max,
        );
        let first = snapshot.unsealed.first().map_or(began + 1, |record| record.sequence);
        next.store(first, Ordering::Release);
        Self {
            inner,
            next,
            began,
            last,
            replay: Some(replay),
            open: None,
        }
    }

    /// True while items are ahead that were there before the tail began.
    pub fn is_replaying(&self) -> bool {
        self.replay.is_some() || self.next.load(Ordering::Acquire) <= self.began
    }

    /// The next item; waits for one to be appended. None after the store was closed and everything was seen. Losing
    /// the future before it resolves loses no item.
    pub async fn next(&mut self) -> Option<TailItem> {
        if let Some(item) = self.replayed().await {
            return Some(item);
        }
        let closed = self.inner.closed.clone();
        loop {
            let next = self.next.load(Ordering::Acquire);
            let last = *self.last.borrow_and_update();
            if next <= last {
                if let Some(item) = self.read(next, last).await {
                    return Some(item);
                }
                continue;
            }
            if closed.is_cancelled() {
                return None;
            }
            tokio::select! {
                () = closed.cancelled() => {}
                changed = self.last.changed() => changed.ok()?,
            }
        }
    }

    /// The next item of what was sealed before the tail began.
    async fn replayed(&mut self) -> Option<TailItem> {
        while let Some(replay) = &mut self.replay {
            match replay.next().await {
                Ok(Some(item)) => return Some(item),
                Ok(None) => self.replay = None,
                Err((records, error)) => {
                    self.inner.counters.tail_lost.add(records);
                    tracing::error!(
                        error = &error as &dyn std::error::Error,
                        "a tail could not read a segment, it skips it"
                    );
                }
            }
        }
        None
    }

    /// The item at `next` or the first one after it; None when there is none up to `last`, the position is then
    /// behind that.
    async fn read(&mut self, next: u64, last: u64) -> Option<TailItem> {
        if let Some(record) = self.inner.view.find(next) {
            self.open = None;
            let spans = shown(&record.spans, &record.payload);
            return Some(self.item(record.sequence, record.received, spans));
        }
        let Some(segment) = self.inner.index.locate(next) else {
            self.lost(next, last + 1);
            return None;
        };
        let open = self.open.take().filter(|open| open.first == segment.first);
        let inner = Arc::clone(&self.inner);
        let read = tokio::task::spawn_blocking(move || read_from(&inner, open, &segment, next));
        match read.await {
            Ok(Ok((open, Some((sequence, received, batch))))) => {
                self.open = Some(open);
                self.lost(next, sequence);
                if batch.is_empty() {
                    self.next.store(sequence + 1, Ordering::Release);
                    return None;
                }
                Some(self.item(sequence, received, batch))
            }
            Ok(Ok((open, None))) => {
                // Nothing sound is left in this file: on to the next one.
                self.lost(next, open.last.max(next) + 1);
                None
            }
            Ok(Err(error)) => {
                tracing::error!(%error, sequence = next, "a tail could not read the log, it skips the record");
                self.lost(next, next + 1);
                None
            }
            Err(error) => {
                tracing::error!(%error, sequence = next, "a tail's read ended early, it skips the record");
                self.lost(next, next + 1);
                None
            }
        }
    }

    fn item(&mut self, sequence: u64, received: Timestamp, batch: SpanBatch) -> TailItem {
        self.next.store(sequence + 1, Ordering::Release);
        TailItem {
            sequence,
            received,
            replayed: sequence <= self.began,
            batch,
        }
    }

    /// Goes on at `to`; what lies between is gone.
    fn lost(&mut self, from: u64, to: u64) {
        if to > from {
            self.inner.counters.tail_lost.add(to - from);
            tracing::warn!(from, to, "a tail passed over records that the log no longer has");
            self.next.store(to, Ordering::Release);
        }
    }
}

/// What a tail is shown of a request.
fn shown(spans: &FlatBatch, payload: &[u8]) -> SpanBatch {
    spans
        .with_consumer_links(payload)
        .unwrap_or_else(|_| spans.batch().clone())
}

type Found = (u64, Timestamp, SpanBatch);

/// Reads the first record of the file from sequence `next` on.
fn read_from(inner: &Inner, open: Option<Open>, segment: &Segment, next: u64) -> io::Result<(Open, Option<Found>)> {
    let mut open = match open {
        Some(mut open) => {
            open.reader.extend(segment.bytes);
            open.last = segment.last;
            open
        }
        None => Open {
            reader: Reader::open(&segment.path, segment.bytes)?,
            first: segment.first,
            last: segment.last,
        },
    };
    loop {
        if open.reader.skip_below(next)?.is_some() {
            continue;
        }
        match open.reader.next()? {
            None => return Ok((open, None)),
            Some(Item::Damage(_)) => {}
            Some(Item::Record(record, _)) if record.sequence < next || record.sequence > segment.last => {}
            Some(Item::Record(record, payload)) => {
                let spans = inner.decode(record.sequence, &payload);
                let shown = shown(&spans, &payload);
                return Ok((open, Some((record.sequence, record.received, shown))));
            }
        }
    }
}
