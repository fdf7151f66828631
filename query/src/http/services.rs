//! `GET /api/v1/services`, `GET /api/v1/services/{service}/operations`.

use super::dto::trace::kind_word;
use super::params::{Params, PathParam, Problem};
use super::{Shared, json};
use axum::extract::{RawQuery, State};
use axum::response::Response;
use serde::Serialize;

#[derive(Serialize)]
struct ServicesDto<'a> {
    services: Vec<ServiceDto<'a>>,
}

#[derive(Serialize)]
struct ServiceDto<'a> {
    name: &'a str,
}

#[derive(Serialize)]
struct OperationsDto<'a> {
    operations: Vec<OperationDto<'a>>,
}

#[derive(Serialize)]
struct OperationDto<'a> {
    name: &'a str,
    kind: &'static str,
}

pub(super) async fn list(State(shared): State<Shared>, RawQuery(query): RawQuery) -> Result<Response, Problem> {
    Params::parse(query.as_deref(), &[])?;
    let services = shared.store.services();
    json(&ServicesDto {
        services: services.iter().map(|s| ServiceDto { name: &s.service }).collect(),
    })
}

pub(super) async fn operations(
    State(shared): State<Shared>,
    PathParam(service): PathParam,
    RawQuery(query): RawQuery,
) -> Result<Response, Problem> {
    Params::parse(query.as_deref(), &[])?;
    let services = shared.store.services();
    let found = services.iter().find(|s| s.service == service);
    let found =
        found.ok_or_else(|| Problem::not_found("no span of that service is kept; /api/v1/services lists them"))?;
    let operations = found.operations.iter().map(|o| OperationDto {
        name: &o.name,
        kind: kind_word(o.kind),
    });
    json(&OperationsDto {
        operations: operations.collect(),
    })
}
