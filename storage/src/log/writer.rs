//! The thread that writes. It takes everything that waits, writes it at once, syncs once, publishes and acknowledges:
//! the more waits, the more one sync carries.
//!
//! A write or a sync that fails is never believed to have happened in part. The file is cut back to what was committed
//! and given up; the next attempt begins a new file with the same sequence, which outranks whatever the cut could not
//! remove. So the log heals by itself as soon as the disk does.

use super::files::{Files, SegmentFile};
use super::index::Index;
use super::queue::{Pending, Queue, Work};
use super::record::{Record, SEGMENT_HEADER_BYTES, Salt, encode_segment_header};
use super::recover::file_name;
use crate::AppendError;
use crate::metrics::Counters;
use crate::view::{Unsealed, View};
use crate::{Clock, catalog::Catalog};
use epicenter_schema::Timestamp;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Instant;

/// Bytes of one write, unless a single record is larger.
const GROUP_BYTES_MAX: usize = 8 << 20;
/// Capacity that the write buffer may keep between groups.
const BUFFER_BYTES_KEPT: usize = 16 << 20;

/// Everything the thread needs.
pub(crate) struct Writer {
    pub(crate) dir: PathBuf,
    pub(crate) files: Arc<dyn Files>,
    pub(crate) segment_bytes: u64,
    pub(crate) index: Arc<Index>,
    pub(crate) queue: Arc<Queue>,
    pub(crate) view: Arc<View>,
    pub(crate) catalog: Arc<Catalog>,
    pub(crate) counters: Arc<Counters>,
    pub(crate) clock: Clock,
    /// Sequence of the next record.
    pub(crate) next: u64,
    /// Of the files that are begun, of no other process's.
    pub(crate) salt: Salt,
}

/// The file being written.
struct Current {
    file: Box<dyn SegmentFile>,
    path: PathBuf,
    first: u64,
    bytes: u64,
}

impl Writer {
    /// Writes until the queue is closed and empty.
    pub(crate) fn run(mut self) {
        let mut current = None;
        let mut buffer = Vec::new();
        while let Some(work) = self.queue.take(GROUP_BYTES_MAX) {
            let Work::Write(group) = work else {
                current = None;
                self.index.complete();
                continue;
            };
            let received = (self.clock)();
            match self.write(&mut current, &mut buffer, &group, received) {
                Ok(()) => self.publish(group, received),
                Err(error) => self.refuse(current.take(), group, error),
            }
            if buffer.capacity() > BUFFER_BYTES_KEPT {
                buffer = Vec::new();
            }
        }
    }

    fn write(
        &mut self,
        current: &mut Option<Current>,
        buffer: &mut Vec<u8>,
        group: &[Pending],
        received: Timestamp,
    ) -> io::Result<()> {
        if current.as_ref().is_some_and(|file| file.bytes >= self.segment_bytes) {
            *current = None;
        }
        let file = match current {
            Some(file) => file,
            None => current.insert(self.begin()?),
        };
        buffer.clear();
        for (sequence, pending) in (self.next..).zip(group) {
            buffer.extend_from_slice(&Record::new(sequence, received, &pending.payload).encode(self.salt));
            buffer.extend_from_slice(&pending.payload);
        }
        file.file.write_all_at(buffer, file.bytes)?;
        let started = Instant::now();
        file.file.sync_data()?;
        self.counters.log_sync.observe(started.elapsed());
        file.bytes += buffer.len() as u64;
        self.next += group.len() as u64;
        self.index.commit(self.next - 1, file.bytes);
        self.counters.log_bytes.add(buffer.len() as u64);
        self.counters.log_records.add(group.len() as u64);
        Ok(())
    }

    /// A new segment file that a crash does not lose.
    fn begin(&self) -> io::Result<Current> {
        let path = self.dir.join(file_name(self.next, self.salt));
        // Left over from an attempt that failed here: it holds no committed record.
        if path.exists() {
            self.files.remove(&path)?;
        }
        let mut file = self.files.create(&path)?;
        file.write_all_at(&encode_segment_header(self.next), 0)?;
        file.sync_data()?;
        self.files.sync_dir(&self.dir)?;
        let bytes = SEGMENT_HEADER_BYTES as u64;
        self.index.begin(path.clone(), self.next, bytes);
        Ok(Current {
            file,
            path,
            first: self.next,
            bytes,
        })
    }

    /// Makes the records visible, then acknowledges them.
    fn publish(&self, group: Vec<Pending>, received: Timestamp) {
        let first = self.next - group.len() as u64;
        let mut entries = Vec::with_capacity(group.len());
        let mut waiting = Vec::with_capacity(group.len());
        for (sequence, pending) in (first..).zip(group) {
            self.catalog.learn(pending.spans.batch(), received);
            self.counters.appended_spans.add(pending.spans.len() as u64);
            let entry = Unsealed::new(sequence, received, pending.payload, pending.spans);
            entries.push(Arc::new(entry));
            waiting.push(pending.done);
        }
        self.view.publish(entries, self.next - 1);
        for done in waiting {
            // A caller that went away does not want to know.
            let _ = done.send(Ok(()));
        }
    }

    /// Nothing of the group was committed: makes sure of it, and tells.
    fn refuse(&self, current: Option<Current>, group: Vec<Pending>, error: io::Error) {
        self.counters.log_failures.add(1);
        tracing::error!(dir = %self.dir.display(), %error, requests = group.len(), "could not write the log, the requests are refused");
        if let Some(mut current) = current {
            if current.first == self.next {
                self.index.abandon(&current.path);
                let _ = self.files.remove(&current.path);
            } else if let Err(error) = current.file.truncate(current.bytes) {
                tracing::warn!(path = %current.path.display(), %error, "could not cut a failed write off, the next segment outranks it");
            }
        }
        let error = AppendError::Io(Arc::new(error));
        for pending in group {
            let _ = pending.done.send(Err(error.clone()));
        }
    }
}
