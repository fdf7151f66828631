//! `GET /api/v1/incidents`, `GET /api/v1/incidents/{id}`.

use super::dto::incident::IncidentsDto;
use super::params::{Params, PathParam, Problem};
use super::{Shared, json};
use axum::extract::{RawQuery, State};
use axum::response::Response;

pub(super) async fn list(State(shared): State<Shared>, RawQuery(query): RawQuery) -> Result<Response, Problem> {
    let params = Params::parse(query.as_deref(), &["state"])?;
    let mut incidents = shared.live.history.all();
    match params.one("state")? {
        None => {}
        Some("open") => incidents.retain(|incident| incident.is_open()),
        Some("resolved") => incidents.retain(|incident| !incident.is_open()),
        Some(other) => return Err(Problem::parameter("state", other, "open or resolved")),
    }
    json(&IncidentsDto::listing(&incidents))
}

pub(super) async fn one(
    State(shared): State<Shared>,
    PathParam(id): PathParam,
    RawQuery(query): RawQuery,
) -> Result<Response, Problem> {
    Params::parse(query.as_deref(), &[])?;
    let found = shared.live.history.get(&id);
    json(&*found.ok_or_else(|| Problem::not_found("there is no incident of that id; /api/v1/incidents lists them"))?)
}
