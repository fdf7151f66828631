//! Refusals: `{"error":{"code","message"}}`, the code for programs, the message for people: what, where, what would be right.

use super::params::Problem;
use crate::sql::Failure;
use axum::Json;
use axum::http::{StatusCode, header::RETRY_AFTER};
use axum::response::{IntoResponse, Response};
use serde_json::json;
use std::time::Duration;

impl Problem {
    pub(crate) fn new(status: StatusCode, code: &'static str, message: impl Into<String>) -> Self {
        Self {
            status,
            code,
            message: message.into(),
        }
    }

    /// The request is at fault.
    pub(crate) fn invalid(message: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, "invalid_argument", message)
    }

    /// The body of the request could not be taken.
    pub(crate) fn body(status: StatusCode, message: &str) -> Self {
        if status == StatusCode::PAYLOAD_TOO_LARGE {
            return Self::new(status, "too_large", "the body is larger than 1 MiB");
        }
        Self::new(
            status,
            "invalid_argument",
            format!("the body could not be read: {message}"),
        )
    }

    pub(crate) fn not_found(message: impl Into<String>) -> Self {
        Self::new(StatusCode::NOT_FOUND, "not_found", message)
    }

    pub(crate) fn internal(message: impl Into<String>) -> Self {
        Self::new(StatusCode::INTERNAL_SERVER_ERROR, "internal", message)
    }

    pub(crate) fn no_such_path() -> Self {
        Self::not_found("there is no such path; docs/http-api.md lists them")
    }

    pub(crate) fn method_not_allowed() -> Self {
        let message = "this path takes another method; the Allow header names it";
        Self::new(StatusCode::METHOD_NOT_ALLOWED, "method_not_allowed", message)
    }

    pub(crate) fn busy() -> Self {
        Self::new(
            StatusCode::TOO_MANY_REQUESTS,
            "busy",
            "too many requests are running, try again in a second",
        )
    }

    pub(crate) fn timeout(limit: Duration) -> Self {
        Self::new(
            StatusCode::GATEWAY_TIMEOUT,
            "timeout",
            format!("the request took longer than {limit:?}"),
        )
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        if self.status.is_server_error() {
            tracing::warn!(code = self.code, message = self.message, "could not answer a request");
        }
        let body = Json(json!({ "error": { "code": self.code, "message": self.message } }));
        let mut response = (self.status, body).into_response();
        if self.status == StatusCode::TOO_MANY_REQUESTS {
            response
                .headers_mut()
                .insert(RETRY_AFTER, axum::http::HeaderValue::from_static("1"));
        }
        response
    }
}

impl From<Failure> for Problem {
    fn from(failure: Failure) -> Self {
        let message = failure.to_string();
        match failure {
            Failure::Query(_) => Self::invalid(message),
            Failure::Memory(_) | Failure::TooWide(_) => {
                Self::new(StatusCode::UNPROCESSABLE_ENTITY, "resource_exhausted", message)
            }
            Failure::Timeout(_) => Self::new(StatusCode::GATEWAY_TIMEOUT, "timeout", message),
            Failure::Internal(_) => Self::internal(message),
        }
    }
}

impl From<epicenter_storage::Error> for Problem {
    fn from(error: epicenter_storage::Error) -> Self {
        match error {
            epicenter_storage::Error::TraceTooLarge { .. } => Self::new(
                StatusCode::UNPROCESSABLE_ENTITY,
                "resource_exhausted",
                error.to_string(),
            ),
            _ => Self::internal(error.to_string()),
        }
    }
}
