//! `/api/v3`: OTLP/JSON, RFC 3339 times, Go durations. Parameters in camelCase, as protobuf's JSON has them, or in snake_case,
//! as the gateway had them first; a refusal names the one that was sent.

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
use epicenter_schema::{SpanBatch, SpanKind, Timestamp};
use serde_json::{Value, json};
use std::collections::BTreeSet;

/// Traces of a search that names no number.
const TRACES_DEFAULT: usize = 100;
/// The spellings of the times of a trace and of the dependencies.
const START: [&str; 2] = ["startTime", "start_time"];
const END: [&str; 2] = ["endTime", "end_time"];

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
    let wanted = match params.named(&["spanKind", "span_kind"]) {
        None => None,
        Some((name, word)) => {
            let wanted = kind(word).ok_or_else(|| malformed(name, &format!("{word:?} is not a span kind")))?;
            Some(wanted.max(SpanKind::Internal as i32))
        }
    };
    let services = shared.store.services();
    let operations = services.iter().filter(|listed| listed.service == service);
    let operations: BTreeSet<(&str, &str)> = operations
        .flat_map(|listed| &listed.operations)
        .map(|operation| (operation.name.as_str(), listed_kind(operation.kind)))
        .filter(|(_, kind)| wanted.is_none_or(|wanted| wanted == *kind as i32))
        .map(|(name, kind)| (name, kind_word(kind)))
        .collect();
    let operations: Vec<Value> = operations
        .into_iter()
        .map(|(name, kind)| json!({ "name": name, "spanKind": kind }))
        .collect();
    ok(&json!({ "operations": operations }))
}

pub(super) async fn trace(State(shared): State<Shared>, PathParam(id): PathParam, RawQuery(query): RawQuery) -> Answer {
    let params = Params::new(query.as_deref());
    let id = trace_id(&id).map_err(|refusal| malformed("trace_id", &refusal.message))?;
    // The times only tell a store where to look; here the id alone does.
    time(&params, START)?;
    time(&params, END)?;
    boolean(params.named(&["rawTraces", "raw_traces"]))?;
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
    let (Some(start), Some(end)) = (time(&params, START)?, time(&params, END)?) else {
        return Err(Refusal::bad("startTime and endTime (start_time and end_time) are required").into());
    };
    if end <= start {
        return Err(Refusal::bad("endTime (end_time) must be after startTime (start_time)").into());
    }
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

/// The kind that an operation is listed under: one without a kind is internal, as in Jaeger.
fn listed_kind(kind: SpanKind) -> SpanKind {
    match kind {
        SpanKind::Unspecified => SpanKind::Internal,
        said => said,
    }
}

fn malformed(name: &str, why: &str) -> Gateway {
    Refusal::bad(format!("malformed parameter {name}: {why}")).into()
}

fn time(params: &Params, spellings: [&str; 2]) -> Result<Option<Timestamp>, Gateway> {
    let Some((name, text)) = params.named(&spellings) else {
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

fn duration(params: &Params, spellings: [&str; 2]) -> Result<Option<i64>, Gateway> {
    let Some((name, text)) = params.named(&spellings) else {
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

/// How many traces are wanted. More than an answer holds may be asked for: `find` refuses if there are as many.
fn depth(params: &Params) -> Result<usize, Gateway> {
    let depth = params.named(&[
        "query.searchDepth",
        "query.search_depth",
        "query.numTraces",
        "query.num_traces",
    ]);
    let Some((name, text)) = depth else {
        return Ok(TRACES_DEFAULT);
    };
    match text.parse::<u32>() {
        Ok(0) => Ok(TRACES_DEFAULT),
        Ok(number) => Ok((number as usize).min(TRACES_MAX + 1)),
        Err(_) => Err(malformed(name, &format!("{text:?} is not a number of traces"))),
    }
}

/// A search, from the fields of TraceQueryParameters.
fn search(params: &Params) -> Result<Query, Gateway> {
    let start = time(params, ["query.startTimeMin", "query.start_time_min"])?;
    let end = time(params, ["query.startTimeMax", "query.start_time_max"])?;
    if start.is_none() || end.is_none() {
        let message = "query.start_time_min and query.start_time_max are required \
                       (query.startTimeMin and query.startTimeMax)";
        return Err(Refusal::bad(message).into());
    }
    boolean(params.named(&["query.rawTraces", "query.raw_traces"]))?;
    let text = |spellings: [&str; 2]| params.get(&spellings).map(str::to_owned);
    let mut query = Query {
        service: text(["query.serviceName", "query.service_name"]),
        operation: text(["query.operationName", "query.operation_name"]),
        min_duration_ns: duration(params, ["query.durationMin", "query.duration_min"])?,
        max_duration_ns: duration(params, ["query.durationMax", "query.duration_max"])?.filter(|most| *most != 0),
        start,
        end,
        limit: depth(params)?,
        ..Query::default()
    };
    if let Some(text) = params.get(&["query.attributes"]) {
        let pairs = attributes(text).map_err(|why| malformed("query.attributes", &why))?;
        for (key, value) in pairs {
            equals(&mut query, &key, &value)?;
        }
    }
    for (key, value) in params.entries("query.attributes") {
        equals(&mut query, key, value)?;
    }
    Ok(query)
}
