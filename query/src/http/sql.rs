//! `POST /api/v1/sql`: JSON, or an Arrow IPC stream to those who accept it.

use super::params::Problem;
use super::{Shared, aside, json_text};
use crate::http::params::Params;
use crate::sql::{Failure, Rows};
use arrow::error::ArrowError;
use arrow::ipc::writer::StreamWriter;
use arrow::json::writer::{JsonArray, WriterBuilder};
use axum::body::Bytes;
use axum::extract::rejection::BytesRejection;
use axum::extract::{RawQuery, State};
use axum::http::HeaderMap;
use axum::http::header::{ACCEPT, CONTENT_TYPE};
use axum::response::{IntoResponse, Response};
use serde::{Deserialize, Serialize};

const ARROW: &str = "application/vnd.apache.arrow.stream";
/// Rows that are turned into text at a time, between looks at how long it has become.
const ROWS_A_STEP: usize = 256;
/// Longest answer in JSON; what does not fit is left out, and the answer says so.
const JSON_BYTES_MAX: usize = 128 << 20;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Request {
    query: String,
}

#[derive(Serialize)]
struct ColumnDto<'a> {
    name: &'a str,
    r#type: String,
}

pub(super) async fn query(
    State(shared): State<Shared>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
    body: Result<Bytes, BytesRejection>,
) -> Result<Response, Problem> {
    Params::parse(query.as_deref(), &[])?;
    let body = body.map_err(|rejection| Problem::body(rejection.status(), &rejection.body_text()))?;
    let request: Request = serde_json::from_slice(&body)
        .map_err(|error| Problem::invalid(format!("the body must be {{\"query\":\"SELECT ..\"}}: {error}")))?;
    let rows = shared.sql.query(request.query).await?;
    let limit = shared.sql.rows_max;
    let wants_arrow = headers
        .get_all(ACCEPT)
        .iter()
        .any(|value| value.to_str().is_ok_and(|v| v.contains(ARROW)));
    if wants_arrow {
        let truncated = if rows.truncated { "true" } else { "false" };
        let headers = [(CONTENT_TYPE.as_str(), ARROW), ("x-epicenter-truncated", truncated)];
        let bytes = aside(move || as_arrow(&rows)).await?.map_err(failed)?;
        return Ok((headers, bytes).into_response());
    }
    Ok(json_text(aside(move || as_json(&rows, limit)).await?.map_err(failed)?))
}

fn failed(error: ArrowError) -> Problem {
    Failure::Internal(error.to_string()).into()
}

fn as_arrow(rows: &Rows) -> Result<Vec<u8>, ArrowError> {
    let mut writer = StreamWriter::try_new(Vec::new(), &rows.schema)?;
    for batch in &rows.batches {
        writer.write(batch)?;
    }
    writer.into_inner()
}

/// `{"columns":[..],"rows":[..],"truncated":..,"limit":..}`, written in one go.
fn as_json(rows: &Rows, limit: usize) -> Result<Vec<u8>, ArrowError> {
    let fields = rows.schema.fields().iter();
    let columns: Vec<_> = fields
        .map(|f| ColumnDto {
            name: f.name(),
            r#type: f.data_type().to_string(),
        })
        .collect();
    let columns = serde_json::to_string(&columns).map_err(|error| ArrowError::JsonError(error.to_string()))?;
    let mut out = format!("{{\"columns\":{columns},\"rows\":").into_bytes();
    let start = out.len();
    let mut truncated = rows.truncated;
    let mut writer = WriterBuilder::new()
        .with_explicit_nulls(true)
        .build::<_, JsonArray>(out);
    'all: for batch in &rows.batches {
        for first in (0..batch.num_rows()).step_by(ROWS_A_STEP) {
            writer.write(&batch.slice(first, ROWS_A_STEP.min(batch.num_rows() - first)))?;
            if writer.get_ref().len() > JSON_BYTES_MAX {
                truncated = true;
                break 'all;
            }
        }
    }
    writer.finish()?;
    out = writer.into_inner();
    if out.len() == start {
        out.extend(b"[]");
    }
    out.extend(format!(",\"truncated\":{truncated},\"limit\":{limit}}}").bytes());
    Ok(out)
}
