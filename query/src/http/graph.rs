//! `GET /api/v1/graph`.

use super::dto::graph::GraphDto;
use super::params::{Params, Problem};
use super::{Shared, aside, json, json_text};
use axum::extract::{RawQuery, State};
use axum::response::Response;
use epicenter_schema::DurationNs;
use std::sync::Arc;

/// Longest stretch that is drawn as one.
const WINDOW_MAX_NS: i64 = 24 * 3600 * 1_000_000_000;

pub(super) async fn graph(State(shared): State<Shared>, RawQuery(query): RawQuery) -> Result<Response, Problem> {
    let params = Params::parse(query.as_deref(), &["at", "window"])?;
    let at = params.time("at")?;
    let window = params.duration("window")?;
    if window.is_some_and(|window| !(1..=WINDOW_MAX_NS).contains(&window)) {
        let found = params.one("window")?.unwrap_or_default();
        return Err(Problem::parameter(
            "window",
            found,
            "a length of time such as 30s, from 1ns to 24h",
        ));
    }
    let live = Arc::clone(&shared.live);
    if at.is_none() && window.is_none() {
        let text = aside(move || live.graph_now()).await?;
        let text = text.map_err(|error| Problem::internal(error.to_string()))?;
        return Ok(json_text(text.as_bytes().to_vec()));
    }
    let graph = aside(move || GraphDto::from(&live.graph(at, window.map(DurationNs)))).await?;
    json(&graph)
}
