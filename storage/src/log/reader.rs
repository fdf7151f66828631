//! Reading a segment file, record by record. Damage is an item like any other: its extent is reported and reading goes
//! on at the next record whose header and payload are both sound.

use super::record::{RECORD_HEADER_BYTES, RECORD_MAGIC, Record, SEGMENT_HEADER_BYTES, Salt, decode_segment_header};
use super::recover::parse_file_name;
use bytes::Bytes;
use std::fs::File;
use std::io;
use std::ops::Range;
use std::os::unix::fs::FileExt;
use std::path::Path;

/// Bytes looked at at once in the search for the next record.
const SEARCH_WINDOW_BYTES: usize = 64 << 10;

/// What lies at the reader's position.
#[derive(Debug, PartialEq)]
pub(crate) enum Item {
    /// A sound record.
    Record(Record, Bytes),
    /// Bytes that are no record, up to the next one or to the end of the file.
    Damage(Range<u64>),
}

/// Reads a segment file from some offset up to a limit.
#[derive(Debug)]
pub(crate) struct Reader {
    file: File,
    salt: Salt,
    offset: u64,
    limit: u64,
}

impl Reader {
    /// Reads from the first record up to `limit` bytes of the file. A header that is damaged is passed over: the
    /// name of the file says the same and has the salt, and every record has its own checksums.
    pub(crate) fn open(path: &Path, limit: u64) -> io::Result<Self> {
        let file = File::open(path)?;
        let limit = limit.min(file.metadata()?.len());
        Ok(Self {
            file,
            salt: parse_file_name(path).map_or(Salt::NONE, |(_, salt)| salt),
            offset: SEGMENT_HEADER_BYTES as u64,
            limit,
        })
    }

    /// The first sequence as the file's header says; None when the header is damaged.
    pub(crate) fn first_sequence(&self) -> io::Result<Option<u64>> {
        if self.limit < SEGMENT_HEADER_BYTES as u64 {
            return Ok(None);
        }
        let mut header = [0; SEGMENT_HEADER_BYTES];
        self.file.read_exact_at(&mut header, 0)?;
        Ok(decode_segment_header(&header))
    }

    /// Offset of the next item.
    pub(crate) fn offset(&self) -> u64 {
        self.offset
    }

    /// True when nothing is left to read.
    pub(crate) fn at_end(&self) -> bool {
        self.offset >= self.limit
    }

    /// Lets the reader go on to `limit`, when the file has grown.
    pub(crate) fn extend(&mut self, limit: u64) {
        self.limit = self.limit.max(limit);
    }

    /// The next item, None at the limit.
    ///
    /// # Errors
    /// When the file cannot be read; the position is then unchanged.
    pub(crate) fn next(&mut self) -> io::Result<Option<Item>> {
        if self.offset >= self.limit {
            return Ok(None);
        }
        if let Some((record, payload)) = self.record_at(self.offset)? {
            self.offset += record.total_bytes();
            return Ok(Some(Item::Record(record, payload)));
        }
        let from = self.offset;
        let to = self.resynchronise(from + 1)?;
        self.offset = to;
        Ok(Some(Item::Damage(from..to)))
    }

    /// Passes over the next record without reading its payload when its header is sound and its sequence is below
    /// `sequence`. The record, when it did.
    pub(crate) fn skip_below(&mut self, sequence: u64) -> io::Result<Option<Record>> {
        let skipped = self.header_at(self.offset)?.filter(|record| record.sequence < sequence);
        if let Some(record) = skipped {
            self.offset += record.total_bytes();
        }
        Ok(skipped)
    }

    fn header_at(&self, offset: u64) -> io::Result<Option<Record>> {
        if offset + RECORD_HEADER_BYTES as u64 > self.limit {
            return Ok(None);
        }
        let mut header = [0; RECORD_HEADER_BYTES];
        self.file.read_exact_at(&mut header, offset)?;
        Ok(Record::decode(&header, self.salt).filter(|record| offset + record.total_bytes() <= self.limit))
    }

    fn record_at(&self, offset: u64) -> io::Result<Option<(Record, Bytes)>> {
        let Some(record) = self.header_at(offset)? else {
            return Ok(None);
        };
        let mut payload = vec![0; record.length as usize];
        self.file
            .read_exact_at(&mut payload, offset + RECORD_HEADER_BYTES as u64)?;
        let sound = crc32c::crc32c(&payload) == record.payload_crc;
        Ok(sound.then(|| (record, payload.into())))
    }

    /// Offset of the first sound record at or after `from`, or the limit.
    fn resynchronise(&self, from: u64) -> io::Result<u64> {
        let mut window = vec![0; SEARCH_WINDOW_BYTES];
        let mut at = from;
        while at + RECORD_HEADER_BYTES as u64 <= self.limit {
            let take = window.len().min((self.limit - at) as usize);
            self.file.read_exact_at(&mut window[..take], at)?;
            for candidate in candidates(&window[..take]) {
                let offset = at + candidate as u64;
                if self.record_at(offset)?.is_some() {
                    return Ok(offset);
                }
            }
            // Windows overlap by less than a magic, so that none is missed on the seam and none is met twice.
            at += (take - (RECORD_MAGIC.len() - 1)) as u64;
        }
        Ok(self.limit)
    }
}

fn candidates(window: &[u8]) -> impl Iterator<Item = usize> + '_ {
    window
        .windows(RECORD_MAGIC.len())
        .enumerate()
        .filter(|(_, bytes)| *bytes == RECORD_MAGIC)
        .map(|(at, _)| at)
}
