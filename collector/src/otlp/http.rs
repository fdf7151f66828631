//! OTLP over HTTP: `POST /v1/traces`, protobuf or JSON; every answer is in the encoding of its request.
//!
//! Source: OTLP specification, section "OTLP/HTTP".

use crate::inflate::{Compression, SUPPORTED};
use crate::metrics::{Summary, Transport};
use crate::receive::{Format, Receiver};
use crate::refusal::{BadInput, Refusal};
use axum::Router;
use axum::extract::{Request, State};
use axum::http::{HeaderMap, HeaderValue, Method, header};
use axum::response::{IntoResponse, Response};
use axum::routing::any;
use base64::Engine;
use epicenter_proto::Message;
use epicenter_proto::otlp::collector_trace::{ExportTracePartialSuccess, ExportTraceServiceResponse};
use std::sync::Arc;

/// The OTLP/HTTP paths of traces; everything else is not found.
pub(crate) fn router(receiver: Arc<Receiver>) -> Router {
    Router::new()
        .route("/v1/traces", any(traces))
        .fallback(not_found)
        .with_state(receiver)
}

async fn traces(State(receiver): State<Arc<Receiver>>, request: Request) -> Response {
    let format = format(request.headers());
    let outcome = take(&receiver, request, format.clone()).await;
    answer(&receiver, format.unwrap_or(Format::Protobuf), outcome)
}

async fn not_found(State(receiver): State<Arc<Receiver>>, request: Request) -> Response {
    let path: String = request.uri().path().chars().take(80).collect();
    let message = match path.as_str() {
        "/v1/metrics" | "/v1/logs" | "/v1development/profiles" => {
            format!("{path}: only traces are taken here; turn this exporter off or send it elsewhere")
        }
        _ => format!("{path} is not served; traces go to /v1/traces"),
    };
    let format = format(request.headers()).unwrap_or(Format::Json);
    answer(&receiver, format, Err(Refusal::bad(BadInput::Path, message)))
}

async fn take(receiver: &Receiver, request: Request, format: Result<Format, Refusal>) -> Result<Summary, Refusal> {
    if request.method() != Method::POST {
        return Err(Refusal::bad(BadInput::Method, "use POST"));
    }
    let format = format?;
    let (parts, body) = request.into_parts();
    let header = |name| parts.headers.get(name).map(HeaderValue::as_bytes);
    let compression = Compression::from_header(header(header::CONTENT_ENCODING))?;
    let announced = header(header::CONTENT_LENGTH).and_then(|text| std::str::from_utf8(text).ok()?.parse().ok());
    let (body, lease) = receiver.read(body, announced, 0).await?;
    receiver.take(body, compression, format, lease).await
}

fn format(headers: &HeaderMap) -> Result<Format, Refusal> {
    let given = headers
        .get(header::CONTENT_TYPE)
        .map(HeaderValue::as_bytes)
        .unwrap_or_default();
    let kind = given
        .split(|b| *b == b';')
        .next()
        .unwrap_or_default()
        .trim_ascii()
        .to_ascii_lowercase();
    match kind.as_slice() {
        b"application/x-protobuf" | b"application/protobuf" => Ok(Format::Protobuf),
        b"application/json" => Ok(Format::Json),
        other => {
            let other: String = String::from_utf8_lossy(other).chars().take(80).collect();
            let message = format!("content type {other:?} is not OTLP; use application/x-protobuf or application/json");
            Err(Refusal::bad(BadInput::ContentType, message))
        }
    }
}

fn answer(receiver: &Receiver, format: Format, outcome: Result<Summary, Refusal>) -> Response {
    let partial = outcome.as_ref().is_ok_and(|summary| summary.rejected.count() > 0);
    receiver
        .metrics
        .answered(Transport::Http, format, partial, outcome.as_ref().err());
    let kind = match format {
        Format::Protobuf => "application/x-protobuf",
        Format::Json => "application/json",
    };
    let kind = [(header::CONTENT_TYPE, kind)];
    match outcome {
        Ok(summary) => {
            let body = match format {
                Format::Protobuf => response(&summary).encode_to_vec(),
                Format::Json => response_json(&summary).into_bytes(),
            };
            (kind, body).into_response()
        }
        Err(refusal) => {
            tracing::debug!(%refusal, "refused a trace request over HTTP");
            let body = match format {
                Format::Protobuf => refusal.to_status().encode_to_vec(),
                Format::Json => status_json(&refusal.to_status()).into_bytes(),
            };
            let mut response = (refusal.http(), kind, body).into_response();
            let headers = response.headers_mut();
            if let Some(delay) = refusal.retry_after() {
                // Whole seconds, rounded up: zero would mean at once.
                headers.insert(
                    header::RETRY_AFTER,
                    HeaderValue::from(delay.as_millis().div_ceil(1000).max(1) as u64),
                );
            }
            match refusal {
                Refusal::Bad {
                    kind: BadInput::Method, ..
                } => {
                    headers.insert(header::ALLOW, HeaderValue::from_static("POST"));
                }
                Refusal::Bad {
                    kind: BadInput::ContentEncoding,
                    ..
                } => {
                    headers.insert(header::ACCEPT_ENCODING, HeaderValue::from_static(SUPPORTED));
                }
                _ => {}
            }
            response
        }
    }
}

/// The response message; `partial_success` is unset when every span was kept, as the specification asks.
pub(super) fn response(summary: &Summary) -> ExportTraceServiceResponse {
    let rejected = summary.rejected.count();
    ExportTraceServiceResponse {
        partial_success: (rejected > 0).then(|| ExportTracePartialSuccess {
            rejected_spans: i64::try_from(rejected).unwrap_or(i64::MAX),
            error_message: summary.rejected.to_string(),
        }),
    }
}

fn response_json(summary: &Summary) -> String {
    match response(summary).partial_success {
        None => "{}".to_owned(),
        Some(partial) => serde_json::json!({
            "partialSuccess": {
                "rejectedSpans": partial.rejected_spans.to_string(),
                "errorMessage": partial.error_message,
            }
        })
        .to_string(),
    }
}

fn status_json(status: &epicenter_proto::rpc::Status) -> String {
    let mut json = serde_json::json!({ "code": status.code, "message": status.message });
    if !status.details.is_empty() {
        let details = status.details.iter().map(|any| {
            let value = base64::engine::general_purpose::STANDARD.encode(&any.value);
            serde_json::json!({ "@type": any.type_url, "value": value })
        });
        json["details"] = details.collect();
    }
    json.to_string()
}
