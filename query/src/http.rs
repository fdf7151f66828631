//! The HTTP face: one file a resource, `dto` for the JSON that is promised, `params` and `problem` for what is asked and refused.

pub mod dto;
mod graph;
mod health;
mod incidents;
pub(crate) mod params;
mod problem;
mod services;
mod sql;
mod traces;

use crate::live::Live;
use crate::metrics::{Metrics, MetricsWriter};
use crate::sql::Sql;
use axum::Router;
use axum::extract::{DefaultBodyLimit, Request, State};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use epicenter_storage::Store;
use params::Problem;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::Semaphore;
use tower_http::compression::CompressionLayer;

/// Largest body of a request.
const BODY_BYTES_MAX: usize = 1 << 20;
/// Requests to the APIs that run at the same time; more are refused, so that a flood of queries cannot pile up.
const RUNNING_MAX: usize = 64;
/// What a query may take beyond its own limit before the whole request is given up.
const GRACE: Duration = Duration::from_secs(5);

/// What the handlers share.
#[derive(Clone)]
pub(crate) struct Shared {
    pub(crate) store: Store,
    pub(crate) live: Arc<Live>,
    pub(crate) sql: Arc<Sql>,
    pub(crate) metrics: Arc<Metrics>,
    pub(crate) extra: Arc<[MetricsWriter]>,
}

#[derive(Clone)]
struct Gate {
    running: Arc<Semaphore>,
    metrics: Arc<Metrics>,
    timeout: Duration,
}

/// All paths; those that are not of the APIs go to the page.
pub(crate) fn router(shared: Shared, page: Router, timeout: Duration) -> Router {
    let gate = Gate {
        running: Arc::new(Semaphore::new(RUNNING_MAX)),
        metrics: Arc::clone(&shared.metrics),
        timeout: timeout + GRACE,
    };
    let api = Router::new()
        .route("/api/v1/incidents", get(incidents::list))
        .route("/api/v1/incidents/{id}", get(incidents::one))
        .route("/api/v1/graph", get(graph::graph))
        .route("/api/v1/traces", get(traces::search))
        .route("/api/v1/traces/{id}", get(traces::one))
        .route("/api/v1/services", get(services::list))
        .route("/api/v1/services/{service}/operations", get(services::operations))
        .route("/api/v1/sql", post(sql::query))
        .route("/api/{*path}", axum::routing::any(|| async { Problem::no_such_path() }))
        .method_not_allowed_fallback(|| async { Problem::method_not_allowed() })
        .layer(from_fn_with_state(gate, admit))
        .layer(CompressionLayer::new());
    let health = Router::new()
        .route("/healthz", get(health::alive))
        .route("/readyz", get(health::ready))
        .route("/metrics", get(health::metrics));
    api.merge(health).layer(DefaultBodyLimit::max(BODY_BYTES_MAX)).with_state(shared).fallback_service(page)
}

/// Counts a request, refuses it when too many are running, and gives it up when it takes too long.
async fn admit(State(gate): State<Gate>, request: Request, next: Next) -> Response {
    gate.metrics.request();
    let Ok(_running) = gate.running.try_acquire() else {
        gate.metrics.refused();
        return Problem::busy().into_response();
    };
    match tokio::time::timeout(gate.timeout, next.run(request)).await {
        Ok(response) => response,
        Err(_) => Problem::timeout(gate.timeout).into_response(),
    }
}
