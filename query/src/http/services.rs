//! `GET /api/v1/services`, `GET /api/v1/services/{service}/operations`.

use super::Shared;
use super::dto::trace::kind_word;
use super::params::{Params, Problem};
use axum::Json;
use axum::extract::{Path, RawQuery, State};
use serde_json::{Value, json};

pub(super) async fn list(State(shared): State<Shared>, RawQuery(query): RawQuery) -> Result<Json<Value>, Problem> {
    Params::parse(query.as_deref(), &[])?;
    let services: Vec<Value> = shared.store.services().iter().map(|s| json!({ "name": s.service })).collect();
    Ok(Json(json!({ "services": services })))
}

pub(super) async fn operations(
    State(shared): State<Shared>,
    Path(service): Path<String>,
) -> Result<Json<Value>, Problem> {
    let services = shared.store.services();
    let found = services.iter().find(|s| s.service == service);
    let found = found.ok_or_else(|| Problem::not_found(format!("no span of a service {service:?} is kept")))?;
    let operations: Vec<Value> =
        found.operations.iter().map(|o| json!({ "name": o.name, "kind": kind_word(o.kind) })).collect();
    Ok(Json(json!({ "operations": operations })))
}
