//! Trace search: which traces hold a span that meets every condition, newest or longest first, page by page. The storage
//! finds them; here are the parameters, the pages and what is told of each trace.
//!
//! A trace is ordered by the start of its newest matching span, or by the duration of its longest one; ties by trace id. The
//! order is total, and a cursor is a position in it.

mod attribute;
mod cursor;
mod query;
mod summary;

pub(crate) use query::{Query, STATUS_ERROR, equals, parse};
pub(crate) use summary::TraceSummary;

use crate::sql::{Failure, Sql, judge};
use arrow::array::RecordBatch;
use cursor::Position;
use epicenter_schema::TraceId;
use epicenter_storage::{Attribute, Condition, Hit, Operator, Scope, Search, Test};
use std::collections::HashSet;
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

/// Runs a search for the traces alone: their ids, at most `query.limit`.
pub(crate) async fn find(sql: &Arc<Sql>, query: Query) -> Result<Vec<TraceId>, Failure> {
    sql.run(|sql| async move {
        let mut hits = Vec::new();
        for search in alternatives(&query)? {
            hits.extend(sql.store().search(&search).await.map_err(Failure::from)?);
        }
        hits.sort_by_key(|hit| (std::cmp::Reverse(hit.key), hit.trace));
        let mut seen = HashSet::new();
        hits.retain(|hit| seen.insert(hit.trace));
        hits.truncate(query.limit);
        Ok(hits.into_iter().map(|hit| hit.trace).collect())
    })
    .await
}

/// The searches whose hits together are those of the query. Each is ordered and limited as the whole, so the first hits of
/// all together are among the first of one of them.
fn alternatives(query: &Query) -> Result<Vec<Search>, Failure> {
    let search = to_search(query);
    if !query.failed_or_tagged {
        return Ok(vec![search]);
    }
    let tagged = Attribute {
        scope: Scope::Span,
        key: "error".to_owned(),
        test: Test::new(Operator::Equals, "true").map_err(|error| Failure::Internal(error.to_string()))?,
    };
    let with = |condition: Condition| {
        let mut search = search.clone();
        search.conditions.push(condition);
        search
    };
    Ok(vec![
        with(Condition::Status(STATUS_ERROR)),
        with(Condition::Attribute(tagged)),
    ])
}

async fn page(sql: &Sql, query: &Query) -> Result<Page, Failure> {
    let mut hits = sql.store().search(&to_search(query)).await.map_err(Failure::from)?;
    let more = hits.len() > query.limit;
    hits.truncate(query.limit);
    let position = |hit: &Hit| Position {
        key: hit.key,
        trace: hit.trace,
    };
    let next = hits.last().filter(|_| more).map(|hit| position(hit).encode());
    let ids: Vec<TraceId> = hits.iter().map(|hit| hit.trace).collect();
    let traces = if ids.is_empty() {
        Vec::new()
    } else {
        summary::summaries(&sql.session().map_err(judge)?, &ids).await?
    };
    Ok(Page { traces, next })
}

/// The search for a page and one trace more. Conditions that are cheap to judge come first.
fn to_search(query: &Query) -> Search {
    let mut conditions = Vec::new();
    conditions.extend(query.service.clone().map(Condition::Service));
    conditions.extend(query.operation.clone().map(Condition::Operation));
    conditions.extend(query.kind.map(Condition::Kind));
    conditions.extend(query.error.map(Condition::Error));
    conditions.extend(query.status.map(Condition::Status));
    conditions.extend(query.min_duration_ns.map(Condition::DurationMin));
    conditions.extend(query.max_duration_ns.map(Condition::DurationMax));
    conditions.extend(query.attributes.iter().cloned().map(Condition::Attribute));
    Search {
        conditions,
        start: query.start,
        end: query.end,
        order: query.order,
        after: query.after.map(|position| Hit {
            key: position.key,
            trace: position.trace,
        }),
        limit: query.limit + 1,
    }
}

pub(crate) fn column<'a>(batch: &'a RecordBatch, name: &str) -> Result<&'a arrow::array::ArrayRef, Failure> {
    batch
        .column_by_name(name)
        .ok_or_else(|| Failure::Internal(format!("the answer has no column {name}")))
}
