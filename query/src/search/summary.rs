//! What a list of traces says of each.

use super::column;
use crate::sql::{Failure, judge};
use arrow::array::{Array, AsArray, RecordBatch};
use arrow::datatypes::{DataType, Int64Type, TimestampNanosecondType};
use datafusion::error::DataFusionError;
use datafusion::logical_expr::cast;
use datafusion::prelude::{DataFrame, SessionContext, ident, lit};
use datafusion::scalar::ScalarValue;
use epicenter_schema::{TraceId, name};
use futures::StreamExt;
use std::collections::{BTreeSet, HashMap};

/// Services named of one trace, the first by name.
const SERVICES_MAX: usize = 1_000;

/// A trace in a list.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct TraceSummary {
    pub(crate) trace: TraceId,
    pub(crate) root_service: String,
    pub(crate) root_operation: String,
    pub(crate) start: i64,
    pub(crate) end: i64,
    pub(crate) spans: u64,
    pub(crate) errors: u64,
    pub(crate) services: BTreeSet<String>,
    /// The span that stands for the root: one without a parent, else the first; ties by span id.
    root: (bool, i64, Vec<u8>),
}

/// Summaries in the order of the ids. Spans are summed up as they are read, none is kept.
pub(super) async fn summaries(session: &SessionContext, ids: &[TraceId]) -> Result<Vec<TraceSummary>, Failure> {
    let mut stream = spans(session, ids)
        .await
        .map_err(judge)?
        .execute_stream()
        .await
        .map_err(judge)?;
    let mut found: HashMap<TraceId, TraceSummary> = HashMap::new();
    while let Some(batch) = stream.next().await {
        add(&mut found, &batch.map_err(judge)?)?;
    }
    Ok(ids.iter().filter_map(|id| found.remove(id)).collect())
}

async fn spans(session: &SessionContext, ids: &[TraceId]) -> Result<DataFrame, DataFusionError> {
    let wanted = ids
        .iter()
        .map(|id| lit(ScalarValue::FixedSizeBinary(16, Some(id.0.to_vec()))))
        .collect();
    let frame = session
        .table("spans")
        .await?
        .filter(ident(name::TRACE_ID).in_list(wanted, false))?;
    frame.select(vec![
        ident(name::TRACE_ID),
        ident(name::SPAN_ID),
        ident(name::PARENT_SPAN_ID),
        ident(name::NAME),
        cast(ident(name::SERVICE_NAME), DataType::Utf8).alias(name::SERVICE_NAME),
        ident(name::START_TIME),
        ident(name::DURATION_NS),
        ident(name::ERROR),
    ])
}

fn add(found: &mut HashMap<TraceId, TraceSummary>, batch: &RecordBatch) -> Result<(), Failure> {
    let trace = column(batch, name::TRACE_ID)?.as_fixed_size_binary();
    let span = column(batch, name::SPAN_ID)?.as_fixed_size_binary();
    let parent = column(batch, name::PARENT_SPAN_ID)?;
    let span_name = column(batch, name::NAME)?.as_string::<i32>();
    let service = column(batch, name::SERVICE_NAME)?.as_string::<i32>();
    let start = column(batch, name::START_TIME)?.as_primitive::<TimestampNanosecondType>();
    let duration = column(batch, name::DURATION_NS)?.as_primitive::<Int64Type>();
    let error = column(batch, name::ERROR)?.as_boolean();
    for row in 0..batch.num_rows() {
        let Ok(id) = trace.value(row).try_into().map(TraceId) else {
            continue;
        };
        let (from, to) = (start.value(row), start.value(row).saturating_add(duration.value(row)));
        let summary = found.entry(id).or_insert_with(|| TraceSummary {
            trace: id,
            root_service: String::new(),
            root_operation: String::new(),
            start: from,
            end: to,
            spans: 0,
            errors: 0,
            services: BTreeSet::new(),
            root: (true, i64::MAX, Vec::new()),
        });
        summary.spans += 1;
        summary.errors += u64::from(error.value(row));
        summary.start = summary.start.min(from);
        summary.end = summary.end.max(to);
        if !summary.services.contains(service.value(row)) {
            summary.services.insert(service.value(row).to_owned());
            if summary.services.len() > SERVICES_MAX {
                summary.services.pop_last();
            }
        }
        let candidate = (parent.is_valid(row), from, span.value(row).to_vec());
        if candidate < summary.root {
            summary.root = candidate;
            service.value(row).clone_into(&mut summary.root_service);
            span_name.value(row).clone_into(&mut summary.root_operation);
        }
    }
    Ok(())
}
