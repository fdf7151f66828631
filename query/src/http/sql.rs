//! `POST /api/v1/sql`: JSON, or an Arrow IPC stream to those who accept it.

use super::Shared;
use super::params::Problem;
use crate::sql::{Failure, Rows};
use arrow::ipc::writer::StreamWriter;
use arrow::json::writer::{JsonArray, WriterBuilder};
use axum::body::Bytes;
use axum::extract::State;
use axum::http::HeaderMap;
use axum::http::header::{ACCEPT, CONTENT_TYPE};
use axum::response::{IntoResponse, Response};
use serde::Deserialize;
use serde_json::{Value, json};

const ARROW: &str = "application/vnd.apache.arrow.stream";

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Request {
    query: String,
}

pub(super) async fn query(State(shared): State<Shared>, headers: HeaderMap, body: Bytes) -> Result<Response, Problem> {
    let request: Request = serde_json::from_slice(&body)
        .map_err(|error| Problem::invalid(format!("the body must be {{\"query\":\"SELECT ..\"}}: {error}")))?;
    let rows = shared.sql.query(&request.query).await?;
    let wants_arrow = headers.get_all(ACCEPT).iter().any(|value| value.to_str().is_ok_and(|v| v.contains(ARROW)));
    if wants_arrow {
        let truncated = if rows.truncated { "true" } else { "false" };
        let headers = [(CONTENT_TYPE.as_str(), ARROW), ("x-epicenter-truncated", truncated)];
        return Ok((headers, as_arrow(&rows)?).into_response());
    }
    let body = as_json(&rows, shared.sql.rows_max)?;
    Ok(axum::Json(body).into_response())
}

fn as_arrow(rows: &Rows) -> Result<Vec<u8>, Failure> {
    let failed = |error: arrow::error::ArrowError| Failure::Internal(error.to_string());
    let mut writer = StreamWriter::try_new(Vec::new(), &rows.schema).map_err(failed)?;
    for batch in &rows.batches {
        writer.write(batch).map_err(failed)?;
    }
    writer.into_inner().map_err(failed)
}

fn as_json(rows: &Rows, limit: usize) -> Result<Value, Failure> {
    let failed = |error: arrow::error::ArrowError| Failure::Internal(error.to_string());
    let mut writer = WriterBuilder::new().with_explicit_nulls(true).build::<_, JsonArray>(Vec::new());
    for batch in &rows.batches {
        writer.write(batch).map_err(failed)?;
    }
    writer.finish().map_err(failed)?;
    let written = writer.into_inner();
    let all: Value = if written.is_empty() {
        json!([])
    } else {
        serde_json::from_slice(&written).map_err(|error| Failure::Internal(error.to_string()))?
    };
    let columns: Vec<Value> = rows
        .schema
        .fields()
        .iter()
        .map(|field| json!({ "name": field.name(), "type": field.data_type().to_string() }))
        .collect();
    Ok(json!({ "columns": columns, "rows": all, "truncated": rows.truncated, "limit": limit }))
}
