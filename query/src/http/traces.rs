//! `GET /api/v1/traces`, `GET /api/v1/traces/{id}`.

use super::dto::trace::{TraceDto, TracesDto};
use super::params::{Params, PathParam, Problem};
use super::{Shared, aside, json, json_text};
use crate::search;
use axum::extract::{RawQuery, State};
use axum::response::Response;
use epicenter_schema::{SpanBatch, TraceId};

pub(super) async fn search(State(shared): State<Shared>, RawQuery(query): RawQuery) -> Result<Response, Problem> {
    let query = search::parse(query.as_deref())?;
    let limit = query.limit;
    let page = search::search(&shared.sql, query).await?;
    json(&TracesDto::new(&page, limit))
}

pub(super) async fn one(
    State(shared): State<Shared>,
    PathParam(id): PathParam,
    RawQuery(query): RawQuery,
) -> Result<Response, Problem> {
    Params::parse(query.as_deref(), &[])?;
    let wrong = || Problem::invalid("the path ends in a trace id, which is 32 hexadecimal digits, not all of them 0");
    let trace: TraceId = id.parse().map_err(|_| wrong())?;
    if trace.is_zero() {
        return Err(wrong());
    }
    let batches = shared.store.trace(trace).await?;
    if batches.iter().all(SpanBatch::is_empty) {
        return Err(Problem::not_found(format!("no span of trace {trace} is kept")));
    }
    let text = aside(move || {
        let rows: Vec<_> = batches.iter().map(SpanBatch::spans).collect();
        serde_json::to_vec(&TraceDto::new(trace, &rows))
    })
    .await?;
    text.map(json_text)
        .map_err(|error| Problem::internal(error.to_string()))
}
