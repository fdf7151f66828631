//! `GET /api/v1/traces`, `GET /api/v1/traces/{id}`.

use super::Shared;
use super::dto::trace::{TraceDto, TracesDto};
use super::params::Problem;
use crate::search;
use axum::Json;
use axum::extract::{Path, RawQuery, State};
use epicenter_schema::TraceId;

pub(super) async fn search(State(shared): State<Shared>, RawQuery(query): RawQuery) -> Result<Json<TracesDto>, Problem> {
    let query = search::parse(query.as_deref())?;
    let page = search::search(&shared.sql, &query).await?;
    Ok(Json(TracesDto::new(&page, query.limit)))
}

pub(super) async fn one(State(shared): State<Shared>, Path(id): Path<String>) -> Result<Json<TraceDto>, Problem> {
    let expected = "a trace id is 32 hexadecimal digits, not all of them 0";
    let trace: TraceId = id.parse().map_err(|_| Problem::invalid(format!("{expected}, found {} characters", id.len())))?;
    if trace.is_zero() {
        return Err(Problem::invalid(expected));
    }
    let batches = shared.store.trace(trace).await?;
    let found = TraceDto::new(trace, &batches);
    if found.spans.is_empty() {
        return Err(Problem::not_found(format!("no span of trace {trace} is kept")));
    }
    Ok(Json(found))
}
