//! The log: durable, ordered, and followed by the tails. One folder of segment files, written by one thread.
//!
//! A record is one OTLP request as it came, uncompressed protobuf, with a sequence number and the time it was received.
//! Many requests share one write and one sync. The byte format is in docs/formats/log.md.

mod files;
mod index;
mod queue;
mod reader;
mod record;
mod recover;
mod writer;

pub(crate) use files::{Disk, Files};
pub(crate) use index::{Index, Removable, Segment, before};
pub(crate) use queue::{Pending, Queue};
pub(crate) use reader::{Item, Reader};
pub(crate) use record::{PAYLOAD_BYTES_MAX, Salt};
pub(crate) use recover::{Recovered, recover};
pub(crate) use writer::Writer;

#[cfg(test)]
pub(crate) use files::SegmentFile;

/// Size at which a segment file is complete.
pub(crate) const SEGMENT_BYTES: u64 = 16 << 20;
