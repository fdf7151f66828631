//! What a tail is shown of the time before it began: spans that are sealed, read again from the table. Of the table only
//! the flat columns are read, some thousand rows at a time.
//!
//! Segments come in the order of the log. Within a segment rows are sorted by trace, so until its last rows are shown
//! only the time at which its first record was received has certainly passed.

use super::TailItem;
use crate::Error;
use crate::table::{Filters, FlatRows, Segment};
use crate::view::Snapshot;
use epicenter_schema::Timestamp;
use std::collections::VecDeque;
use std::sync::Arc;

/// Segments that are yet to be shown.
pub(super) struct Replay {
    filters: Arc<Filters>,
    segments: VecDeque<Arc<Segment>>,
    rows: Option<FlatRows>,
    /// Rows of the first segment that were shown.
    shown: u64,
}

impl Replay {
    /// The newest of this writer's segments that were received after `since`, of at most `spans_max` spans together.
    pub(super) fn new(
        filters: Arc<Filters>,
        snapshot: &Snapshot,
        writer: &str,
        since: Timestamp,
        spans_max: u64,
    ) -> Self {
        let mut own: Vec<_> = snapshot.segments.iter().filter(|s| s.is_of(writer)).collect();
        own.sort_by_key(|segment| std::cmp::Reverse(segment.meta.last_sequence));
        let mut spans = 0;
        let mut segments = VecDeque::new();
        for segment in own.into_iter().filter(|segment| segment.received_max() >= since) {
            spans += segment.meta.rows;
            if spans > spans_max {
                break;
            }
            segments.push_front(Arc::clone(segment));
        }
        Self {
            filters,
            segments,
            rows: None,
            shown: 0,
        }
    }

    /// The next rows; none at the end. Losing the future before it resolves loses nothing.
    ///
    /// # Errors
    /// When the segment cannot be read; its records are then passed over, and their number is told.
    pub(super) async fn next(&mut self) -> Result<Option<TailItem>, (u64, Error)> {
        while let Some(segment) = self.segments.front() {
            let meta = &segment.meta;
            let read = match &mut self.rows {
                Some(rows) => rows.next().await,
                None => match FlatRows::open(&self.filters, segment).await {
                    Ok(rows) => {
                        self.rows = Some(rows);
                        continue;
                    }
                    Err(error) => Err(error),
                },
            };
            match read {
                Ok(Some(batch)) => {
                    self.shown += batch.len() as u64;
                    let whole = self.shown >= meta.rows;
                    return Ok(Some(TailItem {
                        sequence: meta.last_sequence,
                        received: Timestamp(if whole { meta.received_max } else { meta.received_min }),
                        replayed: true,
                        batch,
                    }));
                }
                Ok(None) => self.done(),
                Err(error) => {
                    let records = meta.last_sequence + 1 - meta.first_sequence.min(meta.last_sequence);
                    self.done();
                    return Err((records, error));
                }
            }
        }
        Ok(None)
    }

    fn done(&mut self) {
        self.segments.pop_front();
        self.rows = None;
        self.shown = 0;
    }
}
