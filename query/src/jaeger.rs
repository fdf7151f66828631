//! Jaeger's HTTP query API, both families, so that what reads Jaeger reads Epicenter: `v3` answers in OTLP/JSON, `classic`
//! is the older one that Grafana's data source, Kiali and the classic web page call. docs/jaeger.md says what is the same.
//!
//! Source: jaeger-idl, `api_v3/query_service.proto`; the Jaeger documentation, "APIs"; the OpenTelemetry specification,
//! "OpenTelemetry to Jaeger Transformation".

mod calls;
mod classic;
mod classic_query;
mod model;
mod params;
mod resource_spans;
mod summary;
mod v3;

use crate::http::Shared;
use crate::http::params::Problem;
use crate::search::{self, Query};
use axum::Router;
use axum::http::StatusCode;
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use epicenter_schema::{SpanBatch, TraceId};
use serde_json::Value;

/// Most spans of one answer; more are refused, never left out.
const SPANS_MAX: usize = 200_000;
/// Most traces of one answer.
const TRACES_MAX: usize = 1_500;

/// The paths of both families. A slash at the end changes nothing.
pub(crate) fn routes() -> Router<Shared> {
    let paths = [
        ("/api/v3/services", get(v3::services)),
        ("/api/v3/operations", get(v3::operations)),
        ("/api/v3/traces", get(v3::traces)),
        ("/api/v3/traces/{id}", get(v3::trace)),
        ("/api/v3/trace-summaries", get(v3::summaries)),
        ("/api/v3/dependencies", get(v3::dependencies)),
        ("/api/services", get(classic::services)),
        ("/api/operations", get(classic::operations)),
        ("/api/traces", get(classic::traces)),
        ("/api/traces/{id}", get(classic::trace)),
        ("/api/dependencies", get(classic::dependencies)),
    ];
    let router = Router::new().route("/api/services/{*path}", get(classic::operations_of));
    paths.into_iter().fold(router, |router, (path, answer)| {
        router.route(&format!("{path}/"), answer.clone()).route(path, answer)
    })
}

/// Why a request is refused, before it has the shape of its family.
#[derive(Debug)]
pub(crate) struct Refusal {
    pub(crate) status: StatusCode,
    pub(crate) message: String,
}

impl Refusal {
    fn bad(message: impl Into<String>) -> Self {
        Self {
            status: StatusCode::BAD_REQUEST,
            message: message.into(),
        }
    }

    fn not_found(message: &str) -> Self {
        Self {
            status: StatusCode::NOT_FOUND,
            message: message.to_owned(),
        }
    }
}

impl From<Problem> for Refusal {
    fn from(problem: Problem) -> Self {
        Self {
            status: problem.status,
            message: problem.message,
        }
    }
}

/// An id of up to 32 hexadecimal digits, with or without leading zeros.
fn trace_id(text: &str) -> Result<TraceId, Refusal> {
    let wrong = || {
        Refusal::bad(format!(
            "{text:?} is not a trace id: 1 to 32 hexadecimal digits, not all of them 0"
        ))
    };
    if text.is_empty() || text.len() > 32 || !text.is_ascii() {
        return Err(wrong());
    }
    let id: TraceId = format!("{text:0>32}").parse().map_err(|_| wrong())?;
    if id.is_zero() { Err(wrong()) } else { Ok(id) }
}

/// The spans of a trace, sorted; none when there is no such trace. They are taken from what the answer may still hold.
async fn load(shared: &Shared, id: TraceId, room: &mut usize) -> Result<Option<SpanBatch>, Refusal> {
    let found = shared.store.trace(id).await.map_err(Problem::from)?;
    let Some(batch) = found.into_iter().next() else {
        return Ok(None);
    };
    *room = room.checked_sub(batch.len()).ok_or_else(|| Refusal {
        status: StatusCode::UNPROCESSABLE_ENTITY,
        message: format!(
            "more than {SPANS_MAX} spans in one answer: ask for fewer traces or a shorter time, or use SQL"
        ),
    })?;
    Ok(Some(batch))
}

/// The traces that a search finds, whole, in its order.
async fn find(shared: &Shared, query: Query) -> Result<Vec<(TraceId, SpanBatch)>, Refusal> {
    let hits = search::find(&shared.sql, query).await.map_err(Problem::from)?;
    if hits.len() > TRACES_MAX {
        return Err(Refusal {
            status: StatusCode::UNPROCESSABLE_ENTITY,
            message: format!("more than {TRACES_MAX} traces in one answer: ask for fewer or a shorter time"),
        });
    }
    let (mut traces, mut room) = (Vec::with_capacity(hits.len()), SPANS_MAX);
    for id in hits {
        if let Some(batch) = load(shared, id, &mut room).await? {
            traces.push((id, batch));
        }
    }
    Ok(traces)
}

fn json(status: StatusCode, body: &Value) -> Response {
    (status, [(CONTENT_TYPE, "application/json")], body.to_string()).into_response()
}
