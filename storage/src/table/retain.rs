//! How long spans are kept: by age, by age of a service's own, and by the size of the table. Pure: the clock and the table
//! are given.

use super::segment::{Segment, SegmentMeta};
use crate::Config;
use crate::log::before;
use epicenter_schema::Timestamp;
use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

/// What is kept for how long.
#[derive(Clone, Debug)]
pub(crate) struct Retention {
    general: Duration,
    by_service: BTreeMap<String, Duration>,
    /// Size of the table, zero for any.
    bytes_max: u64,
}

/// What is to become of a segment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    Keep,
    Drop,
    /// Write it again without the spans of these services.
    Trim(Vec<String>),
}

impl Retention {
    pub(crate) fn new(config: &Config) -> Self {
        let by_service = &config.retention_by_service;
        Self {
            general: config.retention,
            by_service: by_service.iter().map(|(name, age)| (name.clone(), age.0)).collect(),
            bytes_max: config.retention_bytes.as_u64(),
        }
    }

    /// Before this nothing is kept, of whichever service.
    pub(super) fn cutoff(&self, now: Timestamp) -> Timestamp {
        let longest = self.by_service.values().copied().fold(self.general, Duration::max);
        before(now, longest)
    }

    /// What age says of a segment. One of too many services to list is kept whole for as long as any service is.
    pub(super) fn verdict(&self, meta: &SegmentMeta, now: Timestamp) -> Verdict {
        let received = Timestamp(meta.received_max);
        if received < self.cutoff(now) {
            return Verdict::Drop;
        }
        let Some(services) = &meta.services else {
            return Verdict::Keep;
        };
        let of = |service: &String| self.by_service.get(service).copied().unwrap_or(self.general);
        let expired = |service: &&String| received < before(now, of(service));
        let expired: Vec<String> = services.iter().filter(expired).cloned().collect();
        if expired.is_empty() {
            Verdict::Keep
        } else if expired.len() == services.len() {
            Verdict::Drop
        } else {
            Verdict::Trim(expired)
        }
    }

    /// What is to be dropped whole: what is too old, and then the oldest until the rest is not too large.
    pub(super) fn dropped(&self, segments: &[Arc<Segment>], now: Timestamp) -> Vec<Arc<Segment>> {
        let (mut dropped, mut kept): (Vec<_>, Vec<_>) = segments
            .iter()
            .cloned()
            .partition(|segment| self.verdict(&segment.meta, now) == Verdict::Drop);
        let mut bytes: u64 = kept.iter().map(|segment| segment.meta.bytes).sum();
        if self.bytes_max > 0 && bytes > self.bytes_max {
            kept.sort_by_key(|segment| (segment.meta.received_max, segment.meta.path.clone()));
            for segment in kept {
                if bytes <= self.bytes_max {
                    break;
                }
                bytes -= segment.meta.bytes;
                dropped.push(segment);
            }
        }
        dropped
    }
}

/// The rows of other services.
pub(super) fn without(
    batch: &arrow::record_batch::RecordBatch,
    services: &[String],
) -> Result<arrow::record_batch::RecordBatch, arrow::error::ArrowError> {
    use arrow::array::{AsArray, BooleanArray};
    let gone: HashSet<&str> = services.iter().map(String::as_str).collect();
    let column = batch
        .column_by_name(epicenter_schema::name::SERVICE_NAME)
        .ok_or_else(|| arrow::error::ArrowError::SchemaError("no service_name".to_owned()))?;
    let names = column.as_dictionary::<arrow::datatypes::Int32Type>();
    let values = names.values().as_string::<i32>();
    let keep: BooleanArray = (0..names.len())
        .map(|row| Some(!names.key(row).is_some_and(|key| gone.contains(values.value(key)))))
        .collect();
    arrow::compute::filter_record_batch(batch, &keep)
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOUR: i64 = 3_600_000_000_000;

    fn retention(bytes_max: u64) -> Retention {
        let hours = |hours: u64| Duration::from_secs(hours * 3600);
        Retention {
            general: hours(10),
            by_service: [("noise".to_owned(), hours(1)), ("pay".to_owned(), hours(100))].into(),
            bytes_max,
        }
    }

    fn segment(hour: i64, services: Option<&[&str]>) -> Arc<Segment> {
        Arc::new(Segment::new(SegmentMeta {
            path: format!("{hour:03}"),
            rows: 1,
            bytes: 10,
            start_min: 0,
            start_max: 0,
            duration_max: 0,
            received_min: 0,
            received_max: hour * HOUR,
            first_sequence: 1,
            last_sequence: 1,
            traces: 1,
            services: services.map(|names| names.iter().map(|&name| name.to_owned()).collect()),
        }))
    }

    fn check(age_h: i64, services: Option<&[&str]>, expected: Verdict) {
        let found = retention(0).verdict(&segment(1_000 - age_h, services).meta, Timestamp(1_000 * HOUR));
        assert_eq!(found, expected, "{services:?} after {age_h} h");
    }

    #[test]
    fn each_service_is_kept_for_its_own_time() {
        let all: Option<&[&str]> = Some(&["cart", "noise", "pay"]);
        let trim = |names: &[&str]| Verdict::Trim(names.iter().map(|&name| name.to_owned()).collect());
        check(1, all, Verdict::Keep);
        check(2, all, trim(&["noise"]));
        check(2, Some(&["noise"]), Verdict::Drop);
        check(2, Some(&["cart"]), Verdict::Keep);
        check(11, all, trim(&["cart", "noise"]));
        check(11, Some(&["cart", "noise"]), Verdict::Drop);
        check(11, None, Verdict::Keep);
        check(101, all, Verdict::Drop);
        check(101, None, Verdict::Drop);
    }

    #[test]
    fn the_oldest_go_when_the_table_is_too_large() {
        let segments: Vec<_> = [999, 996, 998, 980, 997]
            .map(|hour| segment(hour, Some(&["cart"])))
            .into();
        let paths = |bytes_max| -> Vec<_> {
            let dropped = retention(bytes_max).dropped(&segments, Timestamp(1_000 * HOUR));
            dropped.iter().map(|segment| segment.meta.path.clone()).collect()
        };
        assert_eq!(paths(0), ["980"]);
        assert_eq!(paths(40), ["980"]);
        assert_eq!(paths(25), ["980", "996", "997"]);
    }
}
