//! Is it alive, is it ready, what does it count.

use super::{Shared, aside};
use crate::http::params::Problem;
use crate::metrics::Asked;
use axum::extract::State;
use axum::http::header::CONTENT_TYPE;
use axum::response::IntoResponse;
use std::sync::Arc;

/// `GET /healthz`: the process serves.
pub(super) async fn alive() -> &'static str {
    "ok\n"
}

/// `GET /readyz`: the listeners are bound and the store is open, or this would not answer.
pub(super) async fn ready() -> &'static str {
    "ready\n"
}

/// `GET /metrics`: Prometheus text.
pub(super) async fn metrics(State(shared): State<Shared>) -> Result<impl IntoResponse, Problem> {
    let live = Arc::clone(&shared.live);
    let engine = aside(move || live.counters()).await?;
    let mut text = String::new();
    for write in shared.extra.iter() {
        write(&mut text);
    }
    let asked = Asked {
        engine,
        pages_waiting: shared.outbox.waiting(),
        past: shared.live.past.size(),
    };
    shared.metrics.write_prometheus(&asked, &mut text);
    Ok(([(CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")], text))
}
