//! Which segment files the log consists of and how far each is committed. Shared by the writer, which extends it, the
//! tails, which never read past it, and the removal of old files.

use epicenter_schema::{DurationNs, Timestamp};
use std::collections::VecDeque;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

/// One segment file.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Segment {
    pub(crate) path: PathBuf,
    /// Sequence of the first record.
    pub(crate) first: u64,
    /// Sequence of the last committed record; below `first` while there is none.
    pub(crate) last: u64,
    /// Bytes that are committed; what lies behind them is not part of the log.
    pub(crate) bytes: u64,
    /// Nothing is added any more.
    pub(crate) complete: bool,
}

/// What may be removed.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Removable {
    /// Everything up to this sequence is sealed.
    pub(crate) sealed_through: u64,
    /// The slowest tail has yet to read from here on.
    pub(crate) tail_from: u64,
    /// Size of the log beyond which the slowest tail is left behind.
    pub(crate) lag_bytes_max: u64,
}

/// The segment files, oldest first.
#[derive(Debug, Default)]
pub(crate) struct Index {
    segments: Mutex<VecDeque<Segment>>,
}

impl Index {
    pub(crate) fn new(segments: Vec<Segment>) -> Self {
        Self {
            segments: Mutex::new(segments.into()),
        }
    }

    fn lock(&self) -> MutexGuard<'_, VecDeque<Segment>> {
        self.segments.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A new segment file begins.
    pub(crate) fn begin(&self, path: PathBuf, first: u64, bytes: u64) {
        let mut segments = self.lock();
        if let Some(before) = segments.back_mut() {
            before.complete = true;
        }
        segments.push_back(Segment {
            path,
            first,
            last: first.saturating_sub(1),
            bytes,
            complete: false,
        });
    }

    /// The newest segment file is complete.
    pub(crate) fn complete(&self) {
        if let Some(segment) = self.lock().back_mut() {
            segment.complete = true;
        }
    }

    /// Bytes of the newest segment file that is still written to, when all its records are sealed.
    pub(crate) fn sealed_while_written(&self, sealed_through: u64) -> Option<u64> {
        let segments = self.lock();
        let newest = segments.back()?;
        (!newest.complete && newest.last >= newest.first && newest.last <= sealed_through).then_some(newest.bytes)
    }

    /// The newest segment file was committed up to here.
    pub(crate) fn commit(&self, last: u64, bytes: u64) {
        if let Some(segment) = self.lock().back_mut() {
            segment.last = last;
            segment.bytes = bytes;
        }
    }

    /// The newest segment file is given up without a record in it.
    pub(crate) fn abandon(&self, path: &Path) {
        self.lock().retain(|segment| segment.path != path);
    }

    /// The file that holds `sequence`, or the first record after it.
    pub(crate) fn locate(&self, sequence: u64) -> Option<Segment> {
        let segments = self.lock();
        let at = segments.partition_point(|segment| segment.last < sequence);
        segments
            .range(at..)
            .find(|segment| segment.last >= segment.first)
            .cloned()
    }

    /// Files and bytes.
    pub(crate) fn size(&self) -> (u64, u64) {
        let segments = self.lock();
        (
            segments.len() as u64,
            segments.iter().map(|segment| segment.bytes).sum(),
        )
    }

    /// Takes the files off the list that are not needed any more, oldest first; never one that is still written to.
    pub(crate) fn take_removable(&self, what: Removable) -> Vec<Segment> {
        let mut segments = self.lock();
        let mut total: u64 = segments.iter().map(|segment| segment.bytes).sum();
        let mut removed = Vec::new();
        while let Some(oldest) = segments.front() {
            let tailed = oldest.last >= what.tail_from && total <= what.lag_bytes_max;
            if !oldest.complete || oldest.last > what.sealed_through || tailed {
                break;
            }
            total -= oldest.bytes;
            removed.extend(segments.pop_front());
        }
        removed
    }
}

/// The time `age` before `now`.
pub(crate) fn before(now: Timestamp, age: std::time::Duration) -> Timestamp {
    now - DurationNs(i64::try_from(age.as_nanos()).unwrap_or(i64::MAX))
}
