//! Which segments a filter can match, judged by what is known of them without opening them: times, services, and the
//! bloom filters over trace ids.

use super::filters::TraceFilter;
use super::segment::Segment;
use arrow::array::{ArrayRef, BooleanArray, TimestampNanosecondArray, UInt64Array};
use datafusion::common::pruning::PruningStatistics;
use datafusion::common::{Column, ScalarValue};
use epicenter_schema::{TraceId, name};
use std::collections::HashSet;
use std::sync::Arc;

/// The segments as DataFusion's pruning sees them.
pub(super) struct Known<'a> {
    pub(super) segments: &'a [Arc<Segment>],
    /// One a segment, or none at all when no trace id is asked for.
    pub(super) filters: Vec<Arc<TraceFilter>>,
}

impl Known<'_> {
    fn times(&self, column: &Column, of: impl Fn(&Segment) -> i64) -> Option<ArrayRef> {
        if column.name != name::START_TIME {
            return None;
        }
        let times: TimestampNanosecondArray = self.segments.iter().map(|segment| Some(of(segment))).collect();
        Some(Arc::new(times.with_timezone("UTC")))
    }

    fn trace_ids(&self, values: &HashSet<ScalarValue>) -> Option<BooleanArray> {
        if self.filters.is_empty() {
            return None;
        }
        let ids: Vec<TraceId> = values.iter().map(trace_id).collect::<Option<_>>()?;
        // A filter knows what is certainly absent and nothing else.
        let absent = |filter: &TraceFilter| !ids.iter().any(|id| filter.may_hold(*id));
        Some(
            self.filters
                .iter()
                .map(|filter| absent(filter).then_some(false))
                .collect(),
        )
    }

    fn services(&self, values: &HashSet<ScalarValue>) -> Option<BooleanArray> {
        let asked: Vec<&str> = values.iter().map(text).collect::<Option<_>>()?;
        let judge = |segment: &Arc<Segment>| {
            let listed = segment.meta.services.as_ref()?;
            let held = |asked: &&str| listed.iter().any(|service| service == asked);
            if !asked.iter().any(held) {
                return Some(false);
            }
            // Every span is of an asked service when every listed one is asked for.
            listed
                .iter()
                .all(|service| asked.contains(&service.as_str()))
                .then_some(true)
        };
        Some(self.segments.iter().map(judge).collect())
    }
}

impl PruningStatistics for Known<'_> {
    fn min_values(&self, column: &Column) -> Option<ArrayRef> {
        self.times(column, |segment| segment.meta.start_min)
    }

    fn max_values(&self, column: &Column) -> Option<ArrayRef> {
        self.times(column, |segment| segment.meta.start_max)
    }

    fn num_containers(&self) -> usize {
        self.segments.len()
    }

    fn null_counts(&self, column: &Column) -> Option<ArrayRef> {
        let never_null = [name::START_TIME, name::TRACE_ID, name::SERVICE_NAME].contains(&column.name.as_str());
        never_null.then(|| Arc::new(UInt64Array::from(vec![0; self.segments.len()])) as ArrayRef)
    }

    fn row_counts(&self) -> Option<ArrayRef> {
        let rows = self.segments.iter().map(|segment| Some(segment.meta.rows));
        Some(Arc::new(rows.collect::<UInt64Array>()))
    }

    fn contained(&self, column: &Column, values: &HashSet<ScalarValue>) -> Option<BooleanArray> {
        match column.name.as_str() {
            name::TRACE_ID => self.trace_ids(values),
            name::SERVICE_NAME => self.services(values),
            _ => None,
        }
        .filter(|known| known.len() == self.segments.len())
    }
}

fn trace_id(value: &ScalarValue) -> Option<TraceId> {
    match value {
        ScalarValue::FixedSizeBinary(_, Some(bytes))
        | ScalarValue::Binary(Some(bytes))
        | ScalarValue::LargeBinary(Some(bytes))
        | ScalarValue::BinaryView(Some(bytes)) => Some(TraceId(bytes.as_slice().try_into().ok()?)),
        _ => None,
    }
}

fn text(value: &ScalarValue) -> Option<&str> {
    match value {
        ScalarValue::Utf8(Some(text)) | ScalarValue::LargeUtf8(Some(text)) | ScalarValue::Utf8View(Some(text)) => {
            Some(text)
        }
        ScalarValue::Dictionary(_, inner) => text(inner),
        _ => None,
    }
}
