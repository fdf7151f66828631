//! OTLP over gRPC: the one unary method `TraceService/Export`, with the message as raw bytes.
//!
//! The frame of a gRPC message is five bytes, so it is read here and the walk is handed what follows: no message structs,
//! one copy less, and inflating stops at the limit, which the usual codec reports as a code that clients retry.
//!
//! Source: gRPC over HTTP2, <https://github.com/grpc/grpc/blob/master/doc/PROTOCOL-HTTP2.md>; OTLP specification,
//! section "OTLP/gRPC".

use super::http::response;
use crate::inflate::{Compression, SUPPORTED};
use crate::metrics::{Summary, Transport};
use crate::receive::{Format, Receiver};
use crate::refusal::{BadInput, Refusal};
use axum::Router;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::any;
use bytes::{Buf, BufMut, Bytes, BytesMut};
use epicenter_proto::{Message, TRACE_EXPORT_PATH};
use http_body_util::{BodyExt, Full};
use std::sync::Arc;

/// A flag that says compressed, and the length in four bytes.
const FRAME_HEADER_BYTES: usize = 5;

/// The trace service; every other method is unimplemented.
pub(crate) fn router(receiver: Arc<Receiver>) -> Router {
    Router::new()
        .route(TRACE_EXPORT_PATH, any(export))
        .fallback(unimplemented)
        .with_state(receiver)
}

async fn export(State(receiver): State<Arc<Receiver>>, request: Request) -> Response {
    let is_grpc = request
        .headers()
        .get(header::CONTENT_TYPE)
        .is_some_and(|kind| kind == "application/grpc" || kind.as_bytes().starts_with(b"application/grpc+"));
    if request.method() != Method::POST || !is_grpc {
        let refusal = Refusal::bad(BadInput::ContentType, "not a gRPC call");
        receiver
            .metrics
            .answered(Transport::Grpc, Format::Protobuf, false, Some(&refusal));
        return StatusCode::UNSUPPORTED_MEDIA_TYPE.into_response();
    }
    let outcome = take(&receiver, request).await;
    answer(&receiver, outcome)
}

async fn unimplemented(State(receiver): State<Arc<Receiver>>, request: Request) -> Response {
    let path: String = request.uri().path().chars().take(120).collect();
    let message = format!("{path} is not served: only traces are taken here");
    answer(&receiver, Err(Refusal::bad(BadInput::Path, message)))
}

async fn take(receiver: &Receiver, request: Request) -> Result<Summary, Refusal> {
    let (parts, body) = request.into_parts();
    let encoding = parts.headers.get("grpc-encoding").map(HeaderValue::as_bytes);
    let declared = Compression::from_header(encoding)?;
    let (mut body, lease) = receiver.read(body, None, FRAME_HEADER_BYTES).await?;
    let framing = |message: &str| Refusal::bad(BadInput::Framing, message);
    if body.len() < FRAME_HEADER_BYTES {
        return Err(framing("the call carries no message"));
    }
    let compression = match body.get_u8() {
        0 => Compression::Identity,
        1 if declared != Compression::Identity => declared,
        1 => return Err(framing("the message is compressed, but grpc-encoding does not say how")),
        _ => return Err(framing("the frame of the message has an unknown flag")),
    };
    if body.get_u32() as usize != body.len() {
        return Err(framing("the call does not carry exactly one whole message"));
    }
    receiver.take(body, compression, Format::Protobuf, lease).await
}

fn answer(receiver: &Receiver, outcome: Result<Summary, Refusal>) -> Response {
    let partial = outcome.as_ref().is_ok_and(|summary| summary.rejected.count() > 0);
    receiver
        .metrics
        .answered(Transport::Grpc, Format::Protobuf, partial, outcome.as_ref().err());
    match outcome {
        Ok(summary) => success(&response(&summary).encode_to_vec()),
        Err(refusal) => {
            tracing::debug!(%refusal, "refused a trace request over gRPC");
            let details = Bytes::from(refusal.to_status().encode_to_vec());
            let status = tonic::Status::with_details(refusal.grpc(), refusal.to_string(), details);
            let mut response: Response = status.into_http();
            if let Refusal::Bad {
                kind: BadInput::ContentEncoding,
                ..
            } = refusal
            {
                response
                    .headers_mut()
                    .insert("grpc-accept-encoding", HeaderValue::from_static(SUPPORTED));
            }
            response
        }
    }
}

fn success(message: &[u8]) -> Response {
    let mut frame = BytesMut::with_capacity(FRAME_HEADER_BYTES + message.len());
    frame.put_u8(0);
    frame.put_u32(message.len() as u32);
    frame.put_slice(message);
    let mut trailers = HeaderMap::new();
    trailers.insert("grpc-status", HeaderValue::from_static("0"));
    let body = Full::new(frame.freeze()).with_trailers(std::future::ready(Some(Ok(trailers))));
    ([(header::CONTENT_TYPE, "application/grpc")], Body::new(body)).into_response()
}
