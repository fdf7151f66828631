//! Is it alive, is it ready, what does it count.

use super::Shared;
use axum::extract::State;
use axum::http::header::CONTENT_TYPE;
use axum::response::IntoResponse;

/// `GET /healthz`: the process serves.
pub(super) async fn alive() -> &'static str {
    "ok\n"
}

/// `GET /readyz`: the listeners are bound and the store is open, or this would not answer.
pub(super) async fn ready() -> &'static str {
    "ready\n"
}

/// `GET /metrics`: Prometheus text.
pub(super) async fn metrics(State(shared): State<Shared>) -> impl IntoResponse {
    let mut text = String::new();
    for write in shared.extra.iter() {
        write(&mut text);
    }
    shared.metrics.write_prometheus(&mut text);
    shared.live.write_prometheus(&mut text);
    ([(CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")], text)
}
