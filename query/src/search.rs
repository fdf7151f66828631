//! Trace search: which traces hold a span that meets every condition, newest or longest first, page by page.
//!
//! A condition is met by single spans; a trace is found when one of its spans meets them all. Traces are ordered by the
//! start of their first such span (newest) or by the duration of their longest such span (longest), ties by trace id, so
//! the order is total and a cursor is a position in it.

mod cursor;
mod has_attribute;
mod query;
mod summary;

pub(crate) use query::{Order, Query, parse};
pub(crate) use summary::TraceSummary;

use crate::sql::{Failure, Rows, Sql, judge};
use arrow::array::{AsArray, RecordBatch};
use arrow::datatypes::Int64Type;
use cursor::Position;
use datafusion::error::DataFusionError;
use datafusion::functions_aggregate::expr_fn::{max, min};
use datafusion::logical_expr::cast;
use datafusion::prelude::{DataFrame, Expr, SessionContext, col, ident, lit};
use datafusion::scalar::ScalarValue;
use epicenter_schema::{TraceId, name};
use has_attribute::has_attribute;
use std::sync::Arc;

/// One page of an answer.
pub(crate) struct Page {
    pub(crate) traces: Vec<TraceSummary>,
    /// Where the next page begins; none on the last.
    pub(crate) next: Option<String>,
}

/// Runs a search.
pub(crate) async fn search(sql: &Arc<Sql>, query: Query) -> Result<Page, Failure> {
    sql.run(|sql| async move { page(&sql, &query).await }).await
}

async fn page(sql: &Sql, query: &Query) -> Result<Page, Failure> {
    let session = sql.session().map_err(judge)?;
    let frame = matching(&session, query).await.map_err(judge)?;
    let found = sql.collect(frame, query.limit + 1).await?;
    let mut positions = positions(&found)?;
    let more = positions.len() > query.limit;
    positions.truncate(query.limit);
    let next = positions.last().filter(|_| more).map(Position::encode);
    let ids: Vec<TraceId> = positions.iter().map(|position| position.trace).collect();
    let traces = if ids.is_empty() {
        Vec::new()
    } else {
        summary::summaries(&session, &ids).await?
    };
    Ok(Page { traces, next })
}

/// Trace ids and their keys of order, one more than the page holds.
async fn matching(session: &SessionContext, query: &Query) -> Result<DataFrame, DataFusionError> {
    let mut frame = session.table("spans").await?;
    for condition in conditions(query) {
        frame = frame.filter(condition)?;
    }
    let key = match query.order {
        Order::Newest => min(cast(ident(name::START_TIME), arrow::datatypes::DataType::Int64)),
        Order::Longest => max(ident(name::DURATION_NS)),
    };
    frame = frame.aggregate(vec![ident(name::TRACE_ID)], vec![key.alias("key")])?;
    if let Some(after) = &query.after {
        let id = lit(ScalarValue::FixedSizeBinary(16, Some(after.trace.0.to_vec())));
        let behind = col("key").lt(lit(after.key));
        frame = frame.filter(behind.or(col("key").eq(lit(after.key)).and(ident(name::TRACE_ID).gt(id))))?;
    }
    frame
        .sort(vec![
            col("key").sort(false, false),
            ident(name::TRACE_ID).sort(true, false),
        ])?
        .limit(0, Some(query.limit + 1))
}

fn conditions(query: &Query) -> Vec<Expr> {
    let mut all = Vec::new();
    let time = |nanos: i64| lit(ScalarValue::TimestampNanosecond(Some(nanos), Some("UTC".into())));
    if let Some(service) = &query.service {
        all.push(ident(name::SERVICE_NAME).eq(lit(service.as_str())));
    }
    if let Some(operation) = &query.operation {
        all.push(ident(name::NAME).eq(lit(operation.as_str())));
    }
    if let Some(error) = query.error {
        all.push(ident(name::ERROR).eq(lit(error)));
    }
    if let Some(least) = query.min_duration_ns {
        all.push(ident(name::DURATION_NS).gt_eq(lit(least)));
    }
    if let Some(most) = query.max_duration_ns {
        all.push(ident(name::DURATION_NS).lt_eq(lit(most)));
    }
    if let Some(start) = query.start {
        all.push(ident(name::START_TIME).gt_eq(time(start.0)));
    }
    if let Some(end) = query.end {
        all.push(ident(name::START_TIME).lt(time(end.0)));
    }
    for (key, value) in &query.attributes {
        all.push(has_attribute(key, value));
    }
    all
}

fn positions(found: &Rows) -> Result<Vec<Position>, Failure> {
    let mut positions = Vec::new();
    for batch in &found.batches {
        let (ids, keys) = (
            column(batch, name::TRACE_ID)?.as_fixed_size_binary(),
            column(batch, "key")?,
        );
        let keys = keys.as_primitive::<Int64Type>();
        for row in 0..batch.num_rows() {
            let id = ids
                .value(row)
                .try_into()
                .map_err(|_| Failure::Internal("a trace id of another width".into()))?;
            positions.push(Position {
                key: keys.value(row),
                trace: TraceId(id),
            });
        }
    }
    Ok(positions)
}

pub(crate) fn column<'a>(batch: &'a RecordBatch, name: &str) -> Result<&'a arrow::array::ArrayRef, Failure> {
    batch
        .column_by_name(name)
        .ok_or_else(|| Failure::Internal(format!("the answer has no column {name}")))
}
