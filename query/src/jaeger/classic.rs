//! `/api`: the older family. Times are microseconds, everything is in one envelope.

use super::classic_query::{lookback, parse, time};
use super::params::{Params, boolean, kind};
use super::{Refusal, SPANS_MAX, TRACES_MAX, calls, find, json, load, model, trace_id};
use crate::http::dto::trace::kind_word;
use crate::http::params::PathParam;
use crate::http::{Shared, aside};
use axum::extract::{RawQuery, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use epicenter_schema::{DurationNs, SpanBatch, SpanKind, Timestamp, TraceId};
use serde_json::{Value, json};
use std::collections::{BTreeSet, HashSet};

/// Nanoseconds of the units of times in this family.
const MICROSECOND: i64 = 1_000;
const MILLISECOND: i64 = 1_000_000;
/// How far back dependencies are looked for when the request does not say.
const DEPENDENCIES_LOOKBACK: DurationNs = DurationNs(24 * 3_600_000 * MILLISECOND);

/// A refusal in the envelope.
pub(super) struct Enveloped(Refusal);

impl<T: Into<Refusal>> From<T> for Enveloped {
    fn from(refusal: T) -> Self {
        Self(refusal.into())
    }
}

impl IntoResponse for Enveloped {
    fn into_response(self) -> Response {
        let Refusal { status, message } = self.0;
        let errors = json!([{ "code": status.as_u16(), "msg": message }]);
        envelope(status, Value::Null, 0, errors)
    }
}

pub(super) type Answer = Result<Response, Enveloped>;

fn envelope(status: StatusCode, data: Value, total: usize, errors: Value) -> Response {
    let body = json!({ "data": data, "total": total, "limit": 0, "offset": 0, "errors": errors });
    json(status, &body)
}

fn ok(data: Value, total: usize) -> Answer {
    Ok(envelope(StatusCode::OK, data, total, Value::Null))
}

pub(super) async fn services(State(shared): State<Shared>) -> Answer {
    let services = shared.store.services();
    let names: Vec<&str> = services.iter().map(|service| service.service.as_str()).collect();
    ok(json!(names), names.len())
}

fn operations_named(shared: &Shared, service: &str) -> Vec<(String, SpanKind)> {
    let services = shared.store.services();
    let listed = services.into_iter().filter(|listed| listed.service == service);
    let operations = listed.flat_map(|listed| listed.operations);
    operations.map(|operation| (operation.name, operation.kind)).collect()
}

/// `/api/services/{service}/operations`. Clients that do not encode the slashes of a name are understood as well.
pub(super) async fn operations_of(State(shared): State<Shared>, PathParam(path): PathParam) -> Answer {
    let path = path.strip_suffix('/').unwrap_or(&path);
    let Some(service) = path.strip_suffix("/operations").filter(|service| !service.is_empty()) else {
        let message = "there is no such path; below /api/services there is {service}/operations";
        return Err(Enveloped(Refusal::not_found(message)));
    };
    let operations = operations_named(&shared, service);
    let names: BTreeSet<String> = operations.into_iter().map(|(name, _)| name).collect();
    let total = names.len();
    ok(json!(names), total)
}

pub(super) async fn operations(State(shared): State<Shared>, RawQuery(query): RawQuery) -> Answer {
    let params = Params::new(query.as_deref());
    let Some(service) = params.get(&["service"]) else {
        return Err(Enveloped(Refusal::bad("parameter 'service' is required")));
    };
    let wanted = match params.get(&["spanKind"]) {
        None => None,
        Some(word) => {
            let wrong = || Refusal::bad(format!("unable to parse param 'spanKind': {word:?} is not a span kind"));
            Some(kind(word).ok_or_else(wrong)?)
        }
    };
    let operations: Vec<Value> = operations_named(&shared, service)
        .into_iter()
        .filter(|(_, kind)| wanted.is_none_or(|wanted| wanted == *kind as i32))
        .map(|(name, kind)| {
            let word = if kind == SpanKind::Unspecified {
                ""
            } else {
                kind_word(kind)
            };
            json!({ "name": name, "spanKind": word })
        })
        .collect();
    let total = operations.len();
    ok(json!(operations), total)
}

pub(super) async fn trace(State(shared): State<Shared>, PathParam(id): PathParam, RawQuery(query): RawQuery) -> Answer {
    let params = Params::new(query.as_deref());
    let id = trace_id(&id)?;
    // The times only tell a store where to look; here the id alone does.
    time(&params, "start", MICROSECOND)?;
    time(&params, "end", MICROSECOND)?;
    boolean(params.named(&["raw"]))?;
    match load(&shared, id, &mut { SPANS_MAX }).await? {
        Some(batch) => models(vec![(id, batch)], Vec::new()).await,
        None => Err(Enveloped(Refusal::not_found("trace not found"))),
    }
}

pub(super) async fn traces(State(shared): State<Shared>, RawQuery(query): RawQuery) -> Answer {
    let params = Params::new(query.as_deref());
    let mut ids: Vec<_> = params.all("traceID").map(trace_id).collect::<Result<_, _>>()?;
    let mut asked = HashSet::new();
    ids.retain(|id| asked.insert(*id));
    if ids.len() > TRACES_MAX {
        return Err(Enveloped(Refusal::bad(format!(
            "{} traces are asked for, at most {TRACES_MAX} may be",
            ids.len()
        ))));
    }
    if ids.is_empty() {
        let found = find(&shared, parse(&params, (shared.clock)())?).await?;
        return models(found, Vec::new()).await;
    }
    let (mut traces, mut missing, mut room) = (Vec::new(), Vec::new(), SPANS_MAX);
    for id in ids {
        match load(&shared, id, &mut room).await? {
            Some(batch) => traces.push((id, batch)),
            None => missing.push(json!({ "msg": "trace not found", "traceID": model::trace_id(id) })),
        }
    }
    models(traces, missing).await
}

/// Traces in Jaeger's model, and what was asked for and is not there.
async fn models(traces: Vec<(TraceId, SpanBatch)>, missing: Vec<Value>) -> Answer {
    let written = aside(move || {
        let traces: Vec<Value> = traces.iter().map(|(id, batch)| model::trace(*id, batch)).collect();
        let errors = if missing.is_empty() {
            Value::Null
        } else {
            json!(missing)
        };
        envelope(StatusCode::OK, json!(traces), 0, errors)
    });
    Ok(written.await?)
}

pub(super) async fn dependencies(State(shared): State<Shared>, RawQuery(query): RawQuery) -> Answer {
    let params = Params::new(query.as_deref());
    let end = time(&params, "endTs", MILLISECOND)?.unwrap_or_else(|| (shared.clock)());
    let back = lookback(&params)?.unwrap_or(DEPENDENCIES_LOOKBACK);
    let start = Timestamp(end.0.saturating_sub(back.0));
    let service = params.get(&["service"]);
    let links = calls::between(&shared, start, end).await?;
    let links: Vec<Value> = links
        .into_iter()
        .filter(|(parent, child, _)| service.is_none_or(|service| service == parent || service == child))
        .map(|(parent, child, count)| json!({ "parent": parent, "child": child, "callCount": count }))
        .collect();
    ok(json!(links), 0)
}
