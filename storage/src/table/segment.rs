//! A segment: one immutable Parquet file of the table, sorted by trace id. Counted references decide when a segment that
//! the table no longer lists may be deleted.

use super::writer::random;
use epicenter_schema::Timestamp;
use object_store::path::Path;
use serde::{Deserialize, Serialize};

/// Prefix of the segments.
pub(crate) const PREFIX: &str = "segments";
/// Most services that a segment is listed under; a segment of more is listed under none and never pruned by service.
pub(crate) const SERVICES_LISTED_MAX: usize = 256;

/// What the manifest says of a segment.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct SegmentMeta {
    /// Object path. The number in it is that of the manifest that was to add the segment.
    pub(crate) path: String,
    pub(crate) rows: u64,
    pub(crate) bytes: u64,
    /// Earliest and latest start of a span, nanoseconds since the epoch.
    pub(crate) start_min: i64,
    pub(crate) start_max: i64,
    /// Longest duration of a span, nanoseconds; the largest number where an early manifest does not say.
    #[serde(default = "unknown_duration")]
    pub(crate) duration_max: i64,
    /// When the oldest and the newest record was received, nanoseconds since the epoch.
    pub(crate) received_min: i64,
    pub(crate) received_max: i64,
    /// Records of the log that it was made from.
    pub(crate) first_sequence: u64,
    pub(crate) last_sequence: u64,
    /// Distinct traces.
    pub(crate) traces: u64,
    /// Services, sorted; none when there are too many to list.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) services: Option<Vec<String>>,
}

fn unknown_duration() -> i64 {
    i64::MAX
}

/// A segment that can be read. Whoever holds it may rely on the file being there.
#[derive(Debug)]
pub(crate) struct Segment {
    pub(crate) meta: SegmentMeta,
    location: Path,
}

impl Segment {
    pub(crate) fn new(meta: SegmentMeta) -> Self {
        Self {
            location: Path::from(meta.path.as_str()),
            meta,
        }
    }

    /// Where the file lies in the object store.
    pub(crate) fn location(&self) -> &Path {
        &self.location
    }

    /// Whether this writer made it.
    pub(crate) fn is_of(&self, writer: &str) -> bool {
        let made = self.meta.path.strip_suffix(".parquet");
        made.is_some_and(|made| made.strip_suffix(writer).is_some_and(|rest| rest.ends_with('-')))
    }

    /// When its newest record was received.
    pub(crate) fn received_max(&self) -> Timestamp {
        Timestamp(self.meta.received_max)
    }
}

/// Path of a segment that this writer makes to be added by the manifest of this version, or a later one when others come
/// in between. Different each time: a write that was given up may still arrive, and must not meet what came after it.
pub(crate) fn path_of(version: u64, writer: &str) -> String {
    format!("{PREFIX}/{version:020}-{:016x}-{writer}.parquet", random())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_two_attempts_write_to_the_same_path() {
        let writer = "0123456789abcdef";
        let (one, other) = (path_of(7, writer), path_of(7, writer));
        assert_ne!(one, other);
        for path in [one, other] {
            assert!(path.starts_with("segments/00000000000000000007-"), "{path}");
            assert!(path.ends_with("-0123456789abcdef.parquet"), "{path}");
        }
    }
}
