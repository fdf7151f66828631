//! Opening a log that was left behind, however it was left. A torn tail is cut, damage is reported and passed over, and
//! nothing that lies on the disk keeps the log from opening.

use super::index::Segment;
use super::reader::{Item, Reader};
use super::record::{RECORD_HEADER_BYTES, Record, SEGMENT_HEADER_BYTES, Salt};
use crate::Error;
use crate::metrics::Counters;
use bytes::Bytes;
use std::fs;
use std::io;
use std::ops::Range;
use std::path::{Path, PathBuf};

/// File name of the segment whose first record has this sequence.
pub(crate) fn file_name(first: u64, salt: Salt) -> String {
    format!("{first:020}-{:08x}.log", salt.0)
}

/// First sequence and salt of a segment file, by its name; names of version 1 have no salt. None for other files.
pub(super) fn parse_file_name(path: &Path) -> Option<(u64, Salt)> {
    let name = path.file_name()?.to_str()?.strip_suffix(".log")?;
    let (digits, salt) = match name.split_once('-') {
        Some((digits, hex)) if hex.len() == 8 => (digits, Salt(u32::from_str_radix(hex, 16).ok()?)),
        Some(_) => return None,
        None => (name, Salt::NONE),
    };
    let first = (digits.len() == 20).then(|| digits.parse().ok())??;
    Some((first, salt))
}

/// What a log was found to hold.
#[derive(Debug)]
pub(crate) struct Recovered {
    /// The files that hold records, oldest first.
    pub(crate) segments: Vec<Segment>,
    /// The sequence that the next record gets, if nothing else says more.
    pub(crate) next: u64,
}

/// Reads every segment file in `dir`. Records above `sealed_through` are handed to `replay` in order, each once.
///
/// # Errors
/// When the folder cannot be listed, or a file cannot be read; damage in what was read is no error.
pub(crate) fn recover(
    dir: &Path,
    sealed_through: u64,
    metrics: &Counters,
    mut replay: impl FnMut(Record, Bytes),
) -> Result<Recovered, Error> {
    let files = list(dir)?;
    let mut segments = Vec::with_capacity(files.len());
    let mut last = 0;
    for (at, (first, path)) in files.iter().enumerate() {
        // Two files begin alike when one could not be removed that has no record.
        let next_file = files[at..].iter().map(|(next, _)| *next).find(|next| next > first);
        let mut pass = Pass {
            path,
            // A file that follows was begun when writing to this one had failed: from there on it counts, not this.
            below: next_file.unwrap_or(u64::MAX),
            sealed_through,
            segment: Segment {
                path: path.clone(),
                first: *first,
                last: first.saturating_sub(1).max(last),
                bytes: SEGMENT_HEADER_BYTES as u64,
                complete: true,
            },
            records: 0,
            metrics,
        };
        // Bytes that are wrong are passed over. Bytes that cannot be read may be sound: nothing may be built on their
        // absence, neither the removal of the file nor the numbers of the records to come.
        pass.run(at + 1 == files.len(), &mut replay)
            .map_err(Error::io("read the log segment", path))?;
        last = pass.segment.last;
        if pass.records > 0 {
            segments.push(pass.segment);
        } else if let Err(error) = fs::remove_file(path) {
            tracing::warn!(path = %path.display(), %error, "could not remove a log segment without records");
        }
    }
    Ok(Recovered {
        segments,
        next: last + 1,
    })
}

/// The segment files by first sequence. Files of other names are left alone.
fn list(dir: &Path) -> Result<Vec<(u64, PathBuf)>, Error> {
    let mut files = Vec::new();
    for entry in fs::read_dir(dir).map_err(Error::io("list", dir))? {
        let path = entry.map_err(Error::io("list", dir))?.path();
        if let Some((first, _)) = parse_file_name(&path) {
            files.push((first, path));
        }
    }
    files.sort();
    Ok(files)
}

/// One file being read.
struct Pass<'a> {
    path: &'a Path,
    below: u64,
    sealed_through: u64,
    segment: Segment,
    records: u64,
    metrics: &'a Counters,
}

impl Pass<'_> {
    fn run(&mut self, newest: bool, replay: &mut impl FnMut(Record, Bytes)) -> io::Result<()> {
        let mut reader = Reader::open(self.path, u64::MAX)?;
        if reader.first_sequence()?.is_none() {
            tracing::warn!(path = %self.path.display(), "the header of a log segment is damaged, its records are read all the same");
        }
        loop {
            if let Some(record) = reader.skip_below(self.sealed_through.saturating_add(1))? {
                self.count(&record, reader.offset());
                continue;
            }
            match reader.next()? {
                None => return Ok(()),
                Some(Item::Record(record, payload)) => {
                    if self.count(&record, reader.offset()) {
                        replay(record, payload);
                    }
                }
                Some(Item::Damage(extent)) => {
                    // Damage that reaches to the end of the newest file is a write that never finished.
                    self.damage(&extent, newest && reader.at_end())?;
                }
            }
        }
    }

    /// Takes a record into account, unless it is one that cannot be: written before by a failed attempt, or found
    /// in the bytes of a damaged payload.
    fn count(&mut self, record: &Record, end: u64) -> bool {
        let possible = self.segment.first.saturating_add(end / RECORD_HEADER_BYTES as u64);
        if record.sequence <= self.segment.last || record.sequence >= self.below || record.sequence > possible {
            return false;
        }
        self.segment.last = record.sequence;
        self.segment.bytes = end;
        self.records += 1;
        true
    }

    fn damage(&mut self, extent: &Range<u64>, torn: bool) -> io::Result<()> {
        let path = self.path.display();
        if torn {
            self.metrics.log_torn.add(1);
            tracing::warn!(%path, offset = extent.start, bytes = extent.end - extent.start, "cut the torn tail of the log");
            let file = fs::OpenOptions::new().write(true).open(self.path)?;
            file.set_len(extent.start)?;
            return file.sync_all();
        }
        self.metrics.log_damaged.add(1);
        tracing::warn!(%path, offset = extent.start, bytes = extent.end - extent.start, "passed over damage in the log");
        Ok(())
    }
}

#[cfg(test)]
mod tests;
