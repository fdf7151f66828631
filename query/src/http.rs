//! The HTTP face: one file a resource, `dto` for the JSON that is promised, `params` and `problem` for what is asked and
//! refused. docs/http-api.md describes all of it.

pub mod dto;
mod graph;
mod health;
mod incidents;
mod measure;
pub(crate) mod params;
mod problem;
mod services;
mod sql;
mod stream;
mod traces;

use crate::alert::Outbox;
use crate::live::Live;
use crate::metrics::{Metrics, MetricsWriter};
use crate::sql::Sql;
use axum::Router;
use axum::extract::{DefaultBodyLimit, Request, State};
use axum::http::header::{CONTENT_TYPE, HeaderValue};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::{IntoResponse, Response};
use axum::routing::{any, get, post};
use epicenter_storage::{Clock, Store};
use params::Problem;
use serde::Serialize;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;
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
    pub(crate) outbox: Arc<Outbox>,
    pub(crate) metrics: Arc<Metrics>,
    pub(crate) extra: Arc<[MetricsWriter]>,
    pub(crate) clock: Clock,
}

#[derive(Clone)]
struct Gate {
    running: Arc<Semaphore>,
    metrics: Arc<Metrics>,
    timeout: Duration,
}

/// All paths; those that are not of the APIs go to the page. Streams end with `shutdown`.
pub(crate) fn router(shared: Shared, page: Router, timeout: Duration, shutdown: CancellationToken) -> Router {
    let gate = Gate {
        running: Arc::new(Semaphore::new(RUNNING_MAX)),
        metrics: Arc::clone(&shared.metrics),
        timeout: timeout + GRACE,
    };
    let measured = Arc::clone(&shared.metrics);
    let api = Router::new()
        .route("/api/v1/incidents", get(incidents::list))
        .route("/api/v1/incidents/{id}", get(incidents::one))
        .route("/api/v1/incidents/{id}/notes", post(incidents::note))
        .route("/api/v1/graph", get(graph::graph))
        .route("/api/v1/traces", get(traces::search))
        .route("/api/v1/traces/{id}", get(traces::one))
        .route("/api/v1/services", get(services::list))
        .route("/api/v1/services/{service}/operations", get(services::operations))
        .route("/api/v1/sql", post(sql::query))
        .merge(crate::jaeger::routes())
        .route("/api", any(no_such_path))
        .route("/api/", any(no_such_path))
        .route("/api/{*path}", any(no_such_path))
        .layer(from_fn_with_state(gate, admit))
        .with_state(shared.clone());
    let rest = Router::new()
        .route("/api/v1/stream", get(stream::stream))
        .with_state(stream::Streams::new(Arc::clone(&shared.live), shutdown))
        .merge(
            Router::new()
                .route("/healthz", get(health::alive))
                .route("/readyz", get(health::ready)),
        )
        .merge(Router::new().route("/metrics", get(health::metrics)).with_state(shared));
    api.merge(rest)
        .method_not_allowed_fallback(async || Problem::method_not_allowed())
        .layer(CompressionLayer::new())
        .layer(DefaultBodyLimit::max(BODY_BYTES_MAX))
        .layer(from_fn_with_state(measured, measure::measure))
        .fallback_service(page)
}

async fn no_such_path() -> Problem {
    Problem::no_such_path()
}

/// Refuses a request when too many are running, and gives it up when it takes too long.
async fn admit(State(gate): State<Gate>, request: Request, next: Next) -> Response {
    let Ok(_running) = gate.running.try_acquire() else {
        gate.metrics.refused();
        return Problem::busy().into_response();
    };
    match tokio::time::timeout(gate.timeout, next.run(request)).await {
        Ok(response) => response,
        Err(_) => Problem::timeout(gate.timeout).into_response(),
    }
}

/// Text that is JSON already.
fn json_text(text: impl Into<axum::body::Body>) -> Response {
    let mut response = Response::new(text.into());
    response
        .headers_mut()
        .insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response
}

/// Writes JSON.
fn json<T: Serialize + ?Sized>(content: &T) -> Result<Response, Problem> {
    serde_json::to_vec(content)
        .map(json_text)
        .map_err(|error| Problem::internal(error.to_string()))
}

/// Runs what may wait for a lock or takes long, on a thread that serves nobody else.
pub(crate) async fn aside<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Result<T, Problem> {
    tokio::task::spawn_blocking(work)
        .await
        .map_err(|error| Problem::internal(error.to_string()))
}
