//! `GET /api/v1/graph`.

use super::Shared;
use super::dto::graph::GraphDto;
use super::params::{Params, Problem};
use axum::Json;
use axum::extract::{RawQuery, State};
use epicenter_schema::DurationNs;

/// Longest stretch that is drawn as one.
const WINDOW_MAX_NS: i64 = 24 * 3600 * 1_000_000_000;

pub(super) async fn graph(State(shared): State<Shared>, RawQuery(query): RawQuery) -> Result<Json<GraphDto>, Problem> {
    let params = Params::parse(query.as_deref(), &["at", "window"])?;
    let at = params.time("at")?;
    let window = params.duration("window")?;
    if let Some(window) = window
        && !(1..=WINDOW_MAX_NS).contains(&window)
    {
        return Err(Problem::parameter("window", &format!("{window}ns"), "1ns to 24h"));
    }
    let graph = shared.live.graph(at, window.map(DurationNs));
    Ok(Json(GraphDto::from(&graph)))
}
