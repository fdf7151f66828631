//! `/api/v3`: OTLP/JSON, RFC 3339 times, Go durations. Parameters in snake_case, as the gateway has them, or in camelCase,
//! as protobuf's JSON has them.

use super::params::{Params, attributes, boolean, go_duration, kind, rfc3339};
use super::resource_spans::resource_spans;
use super::{Refusal, SPANS_MAX, TRACES_MAX, calls, find, json, load, summary, trace_id};
use crate::http::dto::trace::kind_word;
use crate::http::params::PathParam;
use crate::http::{Shared, aside};
use crate::search::{Query, equals};
use axum::extract::{RawQuery, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use epicenter_schema::{SpanBatch, Timestamp};
use serde_json::{Value, json};

/// Traces of a search that names no number.
const TRACES_DEFAULT: usize = 100;

/// The shape of a refusal is that of the gRPC gateway.
pub(super) struct Gateway(Refusal);

impl<T: Into<Refusal>> From<T> for Gateway {
    fn from(refusal: T) -> Self {
        Self(refusal.into())
    }
}

impl IntoResponse for Gateway {
    fn into_response(self) -> Response {
        let Refusal { status, message } = self.0;
        json(
            status,
            &json!({ "error": { "httpCode": status.as_u16(), "message": message } }),
        )
    }
}

pub(super) type Answer = Result<Response, Gateway>;

fn ok(body: &Value) -> Answer {
    Ok(json(StatusCode::OK, body))
}

pub(super) async fn services(State(shared): State<Shared>) -> Answer {
    let services = shared.store.services();
    let names: Vec<&str> = services.iter().map(|service| service.service.as_str()).collect();
    ok(&json!({ "services": names }))
}

pub(super) async fn operations(State(shared): State<Shared>, RawQuery(query): RawQuery) -> Answer {
    let params = Params::new(query.as_deref());
    let service = params.get(&["service"]).unwrap_or_default();
    let wanted = match params.get(&["span_kind", "spanKind"]) {
        None => None,
        Some(word) => Some(kind(word).ok_or_else(|| malformed("span_kind", &format!("{word:?} is not a span kind")))?),
    };
    let services = shared.store.services();
    let operations = services.iter().filter(|listed| listed.service == service);
    let operations = operations.flat_map(|listed| &listed.operations);
    let operations: Vec<Value> = operations
        .filter(|operation| wanted.is_none_or(|wanted| wanted == operation.kind as i32))
        .map(|operation| json!({ "name": operation.name, "spanKind": kind_word(operation.kind) }))
        .collect();
    ok(&json!({ "operations": operations }))
}

pub(super) async fn trace(State(shared): State<Shared>, PathParam(id): PathParam, RawQuery(query): RawQuery) -> Answer {
    let params = Params::new(query.as_deref());
    let id = trace_id(&id).map_err(|refusal| malformed("trace_id", &refusal.message))?;
    // The times only tell a store where to look; here the id alone does.
    time(&params, "start_time", &["start_time", "startTime"])?;
    time(&params, "end_time", &["end_time", "endTime"])?;
    boolean("raw_traces", params.get(&["raw_traces", "rawTraces"]))?;
    match load(&shared, id, &mut { SPANS_MAX }).await? {
        Some(batch) => traces_data(vec![batch]).await,
        None => Err(Refusal::not_found("trace not found").into()),
    }
}

pub(super) async fn traces(State(shared): State<Shared>, RawQuery(query): RawQuery) -> Answer {
    let found = find(&shared, search(&Params::new(query.as_deref()))?).await?;
    if found.is_empty() {
        return Err(Gateway(Refusal::not_found("No traces found")));
    }
    let batches: Vec<SpanBatch> = found.into_iter().map(|(_, batch)| batch).collect();
    traces_data(batches).await
}

pub(super) async fn summaries(State(shared): State<Shared>, RawQuery(query): RawQuery) -> Answer {
    let found = find(&shared, search(&Params::new(query.as_deref()))?).await?;
    let written = aside(move || {
        let summaries: Vec<Value> = found.iter().map(|(id, batch)| summary::of(*id, batch)).collect();
        ok(&json!({ "summaries": summaries }))
    });
    written.await.map_err(Refusal::from)?
}

pub(super) async fn dependencies(State(shared): State<Shared>, RawQuery(query): RawQuery) -> Answer {
    let params = Params::new(query.as_deref());
    let start = time(&params, "start_time", &["start_time", "startTime"])?;
    let end = time(&params, "end_time", &["end_time", "endTime"])?;
    let links = calls::between(&shared, start, end).await?;
    let links: Vec<Value> = links
        .into_iter()
        .map(|(parent, child, count)| json!({ "parent": parent, "child": child, "callCount": count.to_string() }))
        .collect();
    ok(&json!({ "dependencies": links }))
}

async fn traces_data(batches: Vec<SpanBatch>) -> Answer {
    let written = aside(move || {
        let all: Vec<Value> = batches.iter().flat_map(resource_spans).collect();
        ok(&json!({ "result": { "resourceSpans": all } }))
    });
    written.await.map_err(Refusal::from)?
}

fn malformed(name: &str, why: &str) -> Gateway {
    Refusal::bad(format!("malformed parameter {name}: {why}")).into()
}

fn time(params: &Params, name: &str, spellings: &[&str]) -> Result<Option<Timestamp>, Gateway> {
    let Some(text) = params.get(spellings) else {
        return Ok(None);
    };
    let time = rfc3339(text);
    let wrong = || {
        malformed(
            name,
            &format!("{text:?} is not RFC 3339, such as 2026-01-31T12:00:00.5Z"),
        )
    };
    time.map(Some).ok_or_else(wrong)
}

fn duration(params: &Params, name: &str, spellings: &[&str]) -> Result<Option<i64>, Gateway> {
    let Some(text) = params.get(spellings) else {
        return Ok(None);
    };
    let wrong = || {
        malformed(
            name,
            &format!("{text:?} is not a duration, such as 1.5s, 300ms or 1h2m"),
        )
    };
    go_duration(text).map(Some).ok_or_else(wrong)
}

/// A search, from the fields of TraceQueryParameters.
fn search(params: &Params) -> Result<Query, Gateway> {
    let start = time(
        params,
        "query.start_time_min",
        &["query.start_time_min", "query.startTimeMin"],
    )?;
    let end = time(
        params,
        "query.start_time_max",
        &["query.start_time_max", "query.startTimeMax"],
    )?;
    if start.is_none() || end.is_none() {
        return Err(Refusal::bad("query.start_time_min and query.start_time_max are required").into());
    }
    let depth = params.get(&[
        "query.search_depth",
        "query.searchDepth",
        "query.num_traces",
        "query.numTraces",
    ]);
    let limit = match depth {
        None => TRACES_DEFAULT,
        Some(text) => match text.parse::<i64>() {
            Ok(0) => TRACES_DEFAULT,
            Ok(number) if (1..=TRACES_MAX as i64).contains(&number) => number as usize,
            _ => {
                return Err(malformed(
                    "query.search_depth",
                    &format!("{text:?} is not 1 to {TRACES_MAX}"),
                ));
            }
        },
    };
    boolean("query.raw_traces", params.get(&["query.raw_traces", "query.rawTraces"]))?;
    let mut query = Query {
        service: params
            .get(&["query.service_name", "query.serviceName"])
            .map(str::to_owned),
        operation: params
            .get(&["query.operation_name", "query.operationName"])
            .map(str::to_owned),
        min_duration_ns: duration(
            params,
            "query.duration_min",
            &["query.duration_min", "query.durationMin"],
        )?,
        max_duration_ns: duration(
            params,
            "query.duration_max",
            &["query.duration_max", "query.durationMax"],
        )?
        .filter(|most| *most != 0),
        start,
        end: end.map(|end| Timestamp(end.0.saturating_add(1))),
        limit,
        ..Query::default()
    };
    if let Some(text) = params.get(&["query.attributes"]) {
        let pairs = attributes(text).map_err(|why| malformed("query.attributes", &why))?;
        for (key, value) in pairs {
            equals(&mut query, &key, &value)?;
        }
    }
    Ok(query)
}
