//! The past of the graph: what has settled, in slots of half a minute, in files below `graph` in the data folder. As it
//! ages it is put together into longer slots and larger files; what is too old, or too much, goes.
//!
//! A slot that is on disk is not taken again, so that after a restart, when the tail shows the last minutes again, nothing
//! is there twice. Files that were superseded are removed a round later: a query that has their names can still read them.

pub(crate) mod files;
pub(crate) mod rows;

use crate::Error;
use epicenter_incident::{Slot, Summary};
use epicenter_schema::{DurationNs, Timestamp};
use files::{Piece, Within, Writing};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

const MINUTE: i64 = 60 * 1_000_000_000;
const HOUR: i64 = 60 * MINUTE;
const DAY: i64 = 24 * HOUR;
/// A file is written when its slots are so long together, or so many rows.
const FILE_NS: i64 = 2 * MINUTE;
const FILE_ROWS: usize = 200_000;
/// Slots that wait for the disk; more are lost, the oldest first.
const WAITING_MAX: usize = 256;
/// Longest time that is added up for one answer, in slots.
const ANSWER_SLOTS_MAX: usize = 3_000;
/// Files that are put together at once.
const TOGETHER_MAX: usize = 512;

/// How the past is thinned out: slots as long as `step` in files of `span`, from an `age` on.
struct Level {
    age: i64,
    step: i64,
    span: i64,
}

const LEVELS: [Level; 3] = [
    Level {
        age: HOUR,
        step: 0,
        span: HOUR,
    },
    Level {
        age: 6 * HOUR,
        step: 5 * MINUTE,
        span: HOUR,
    },
    Level {
        age: 3 * DAY,
        step: HOUR,
        span: DAY,
    },
];

#[derive(Default)]
struct State {
    /// By time; none supersedes another.
    pieces: Vec<Piece>,
    /// Superseded ones, to be removed in the next round.
    superseded: Vec<Piece>,
    waiting: Vec<Arc<Slot>>,
    /// End of the last slot that was taken.
    taken: i64,
    lost: u64,
}

/// The past.
pub(crate) struct Past {
    folder: PathBuf,
    state: Mutex<State>,
    /// Held while files are written: one at a time.
    writing: Mutex<()>,
    retention_ns: i64,
    bytes_max: u64,
}

/// What there is, for metrics.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Size {
    pub(crate) files: usize,
    pub(crate) bytes: u64,
    pub(crate) lost: u64,
}

impl Past {
    /// Opens the folder. Slots older than `retention` go, and the oldest when all files are larger than `bytes_max`.
    pub(crate) fn open(folder: PathBuf, retention: DurationNs, bytes_max: u64) -> Result<Self, Error> {
        let pieces = files::list(&folder)?;
        let taken = pieces.iter().map(|piece| piece.end).max().unwrap_or(i64::MIN);
        Ok(Self {
            folder,
            state: Mutex::new(State {
                pieces,
                taken,
                ..State::default()
            }),
            writing: Mutex::new(()),
            retention_ns: retention.0,
            bytes_max,
        })
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes slots in the order of time. True when it is time to [`Past::keep`] them.
    pub(crate) fn put(&self, slots: Vec<Slot>) -> bool {
        let mut state = self.state();
        for slot in slots {
            if slot.start.0 < state.taken {
                continue;
            }
            state.taken = (slot.start + slot.summary.length).0;
            state.waiting.push(Arc::new(slot));
            if state.waiting.len() > WAITING_MAX {
                state.waiting.remove(0);
                state.lost += 1;
            }
        }
        let rows: usize = state.waiting.iter().map(|slot| rows_of(&slot.summary)).sum();
        match (state.waiting.first(), state.waiting.last()) {
            (Some(first), Some(last)) => {
                (last.start + last.summary.length - first.start).0 >= FILE_NS || rows >= FILE_ROWS
            }
            _ => false,
        }
    }

    /// End of the last slot that was taken; the engine knows what comes after.
    pub(crate) fn taken(&self) -> Timestamp {
        Timestamp(self.state().taken)
    }

    /// What there is.
    pub(crate) fn size(&self) -> Size {
        let state = self.state();
        Size {
            files: state.pieces.len(),
            bytes: state.pieces.iter().map(|piece| piece.bytes).sum(),
            lost: state.lost,
        }
    }

    /// The files as they are, for a query, and the slots that are not in them yet.
    pub(crate) fn now(&self) -> (Vec<PathBuf>, Vec<Arc<Slot>>) {
        let state = self.state();
        let paths = state.pieces.iter().map(|piece| piece.path.clone()).collect();
        (paths, state.waiting.clone())
    }

    /// Writes what waits, and puts together or removes what is old. Blocks for the disk.
    pub(crate) fn keep(&self) {
        let _one = self.writing.lock().unwrap_or_else(PoisonError::into_inner);
        let result = self.write_waiting().and_then(|()| self.thin_out());
        if let Err(error) = result {
            tracing::error!(
                error = &error as &dyn std::error::Error,
                "could not keep the graph's past"
            );
        }
    }

    fn write_waiting(&self) -> Result<(), Error> {
        let slots = self.state().waiting.clone();
        let (Some(first), Some(last)) = (slots.first(), slots.last()) else {
            return Ok(());
        };
        let (start, end) = (first.start, last.start + last.summary.length);
        let mut file = Writing::begin(&self.folder)?;
        for slot in &slots {
            file.push(slot)?;
        }
        let piece = file.finish(first.summary.length.0, start.0, end.0)?;
        let mut state = self.state();
        state.waiting.retain(|slot| slot.start >= end);
        state.pieces.push(piece);
        Ok(())
    }

    /// One step of each kind at most: what was superseded before goes, what is too old or too much, then some files
    /// become one.
    fn thin_out(&self) -> Result<(), Error> {
        let (gone, job, step) = {
            let mut state = self.state();
            let newest = state.taken;
            let mut gone = std::mem::take(&mut state.superseded);
            let mut bytes: u64 = state.pieces.iter().map(|piece| piece.bytes).sum();
            while let Some(oldest) = state.pieces.first()
                && (oldest.end < newest.saturating_sub(self.retention_ns) || bytes > self.bytes_max)
            {
                bytes -= oldest.bytes;
                gone.push(state.pieces.remove(0));
            }
            // Where room is short the past is thinned out before its time.
            let is_short = bytes > self.bytes_max / 2;
            let (job, step) = next_job(&state.pieces, newest, is_short).unwrap_or_default();
            (gone, job, step)
        };
        gone.iter().for_each(|piece| files::remove(&piece.path));
        let (Some(first), Some(last)) = (job.first(), job.last()) else {
            return Ok(());
        };
        let step = step.max(job.iter().map(|piece| piece.step).max().unwrap_or(step));
        let slot_of = |at: Timestamp| at.0.div_euclid(step);
        let mut file = Writing::begin(&self.folder)?;
        let mut open: Option<Slot> = None;
        for piece in &job {
            let read = files::read(piece, (i64::MIN, i64::MAX), |slot| {
                match &mut open {
                    Some(sum) if slot_of(sum.start) == slot_of(slot.start) => sum.summary.merge(&slot.summary),
                    _ => {
                        if let Some(done) = open.replace(slot) {
                            file.push(&done)?;
                        }
                    }
                }
                Ok(())
            });
            if let Err(error) = read {
                self.set_aside(piece);
                return Err(error);
            }
        }
        if let Some(done) = open {
            file.push(&done)?;
        }
        let made = file.finish(step, first.start, last.end)?;
        let mut state = self.state();
        let (old, mut pieces): (Vec<_>, Vec<_>) = state.pieces.drain(..).partition(|piece| job.contains(piece));
        pieces.push(made);
        pieces.sort_by_key(|piece| (piece.start, piece.end));
        state.pieces = pieces;
        state.superseded = old;
        Ok(())
    }

    /// A file that cannot be read must not be in the way for ever.
    fn set_aside(&self, piece: &Piece) {
        self.state().pieces.retain(|known| known != piece);
        files::set_aside(&piece.path);
    }

    /// What happened between two times, and how long the slots are that say so together. None where nothing is known.
    pub(crate) fn between(&self, from: Timestamp, to: Timestamp) -> Option<Summary> {
        let (pieces, waiting) = {
            let state = self.state();
            (state.pieces.clone(), state.waiting.clone())
        };
        let mut sum: Option<Summary> = None;
        let mut slots = 0;
        let mut add = |slot: &Slot| {
            slots += 1;
            if slots <= ANSWER_SLOTS_MAX {
                sum.get_or_insert_default().merge(&slot.summary);
            }
        };
        for piece in pieces.iter().filter(|piece| piece.start < to.0 && piece.end > from.0) {
            let read = files::read(piece, (from.0, to.0), |slot| {
                add(&slot);
                Ok(())
            });
            if let Err(error) = read {
                tracing::error!(
                    error = &error as &dyn std::error::Error,
                    "a part of the graph's past is missing"
                );
            }
        }
        let waiting = waiting.iter().filter(|slot| slot.is_in(from.0, to.0));
        waiting.for_each(|slot| add(slot));
        sum
    }
}

/// The oldest files that should be one, and how long its slots are to be; 0 for as long as they are.
fn next_job(pieces: &[Piece], newest: i64, is_short: bool) -> Option<(Vec<Piece>, i64)> {
    LEVELS.iter().rev().find_map(|level| {
        let age = if is_short { level.span } else { level.age };
        let ready = |piece: &&Piece| {
            let end = (piece.start.div_euclid(level.span) + 1) * level.span;
            end <= newest.saturating_sub(age)
        };
        let mut candidates = pieces.iter().filter(ready).peekable();
        while let Some(first) = candidates.next() {
            let span = first.start.div_euclid(level.span);
            let mut job = vec![first.clone()];
            while let Some(piece) = candidates.next_if(|piece| piece.start.div_euclid(level.span) == span) {
                job.push(piece.clone());
            }
            job.truncate(TOGETHER_MAX);
            if job.len() > 1 || job.iter().any(|piece| piece.step < level.step) {
                return Some((job, level.step));
            }
        }
        None
    })
}

fn rows_of(summary: &Summary) -> usize {
    1 + summary.nodes.len() + summary.edges.len()
}

/// Where the past is kept, as a path that means the same for everybody.
pub(crate) fn folder(data_dir: &Path) -> PathBuf {
    let data_dir = data_dir.canonicalize().unwrap_or_else(|_| data_dir.to_owned());
    data_dir.join("graph")
}

#[cfg(test)]
mod tests;
