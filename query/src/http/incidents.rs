//! `GET /api/v1/incidents`, `GET /api/v1/incidents/{id}`.

use super::Shared;
use super::dto::incident::{IncidentDto, IncidentsDto};
use super::params::{Params, Problem};
use axum::Json;
use axum::extract::{Path, RawQuery, State};

pub(super) async fn list(State(shared): State<Shared>, RawQuery(query): RawQuery) -> Result<Json<IncidentsDto>, Problem> {
    let params = Params::parse(query.as_deref(), &["state"])?;
    let mut incidents = shared.live.history.all();
    match params.one("state")? {
        None => {}
        Some(state @ ("open" | "resolved")) => incidents.retain(|incident| incident.state == state),
        Some(other) => return Err(Problem::parameter("state", other, "open or resolved")),
    }
    Ok(Json(IncidentsDto { incidents }))
}

pub(super) async fn one(State(shared): State<Shared>, Path(id): Path<String>) -> Result<Json<IncidentDto>, Problem> {
    shared.live.history.get(&id).map(Json).ok_or_else(|| Problem::not_found("there is no incident of that id"))
}
