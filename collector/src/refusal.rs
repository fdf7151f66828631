//! Why a request is refused, and the one table of what each refusal is over HTTP and over gRPC.
//!
//! Source: OTLP specification, sections "OTLP/gRPC Response", "OTLP/HTTP Response" and "OTLP/HTTP Throttling".

use axum::http::StatusCode;
use std::time::Duration;
use tonic::Code;

/// When to come back, where nothing better is known.
pub(crate) const RETRY_AFTER: Duration = Duration::from_secs(1);

/// What is wrong with a request, as metrics count it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum BadInput {
    /// Bytes that are not a trace request.
    Protobuf,
    /// Text that is not OTLP/JSON.
    Json,
    /// Bytes that do not inflate.
    Compression,
    /// More bytes than are taken.
    TooLarge,
    /// A content type that OTLP does not have.
    ContentType,
    /// A compression that is not understood.
    ContentEncoding,
    /// A gRPC body that is not one message.
    Framing,
    /// A body that stopped coming.
    Incomplete,
    /// A path that is not served: other signals, other services.
    Path,
    /// A method other than POST.
    Method,
}

impl BadInput {
    pub(crate) const ALL: [(Self, &'static str); 10] = [
        (Self::Protobuf, "protobuf"),
        (Self::Json, "json"),
        (Self::Compression, "compression"),
        (Self::TooLarge, "too_large"),
        (Self::ContentType, "content_type"),
        (Self::ContentEncoding, "content_encoding"),
        (Self::Framing, "framing"),
        (Self::Incomplete, "incomplete"),
        (Self::Path, "path"),
        (Self::Method, "method"),
    ];
}

/// Why a request is not taken.
#[derive(Clone, Debug, thiserror::Error)]
pub(crate) enum Refusal {
    /// Sending it again will not help.
    #[error("{message}")]
    Bad { kind: BadInput, message: String },
    /// Too many bytes are held already.
    #[error("too many requests are being received, try again")]
    Overloaded { retry_after: Duration },
    /// The log cannot take it now.
    #[error("spans cannot be stored now, try again: {message}")]
    Unavailable { retry_after: Duration, message: String },
}

impl Refusal {
    pub(crate) fn bad(kind: BadInput, message: impl Into<String>) -> Self {
        Self::Bad {
            kind,
            message: message.into(),
        }
    }

    pub(crate) fn too_large(limit_bytes: usize) -> Self {
        Self::bad(
            BadInput::TooLarge,
            format!("the request is larger than {limit_bytes} bytes, received or inflated"),
        )
    }

    /// The status over HTTP.
    pub(crate) fn http(&self) -> StatusCode {
        match self {
            Self::Bad { kind, .. } => match kind {
                BadInput::Protobuf | BadInput::Json | BadInput::Compression | BadInput::Framing => {
                    StatusCode::BAD_REQUEST
                }
                BadInput::TooLarge => StatusCode::PAYLOAD_TOO_LARGE,
                BadInput::ContentType | BadInput::ContentEncoding => StatusCode::UNSUPPORTED_MEDIA_TYPE,
                BadInput::Incomplete => StatusCode::REQUEST_TIMEOUT,
                BadInput::Path => StatusCode::NOT_FOUND,
                BadInput::Method => StatusCode::METHOD_NOT_ALLOWED,
            },
            Self::Overloaded { .. } => StatusCode::TOO_MANY_REQUESTS,
            Self::Unavailable { .. } => StatusCode::SERVICE_UNAVAILABLE,
        }
    }

    /// The code over gRPC. Clients try `RESOURCE_EXHAUSTED` again only if a delay is given, and none is.
    pub(crate) fn grpc(&self) -> Code {
        match self {
            Self::Bad { kind, .. } => match kind {
                BadInput::Protobuf
                | BadInput::Json
                | BadInput::Compression
                | BadInput::Framing
                | BadInput::ContentType => Code::InvalidArgument,
                BadInput::TooLarge => Code::ResourceExhausted,
                BadInput::ContentEncoding | BadInput::Path | BadInput::Method => Code::Unimplemented,
                BadInput::Incomplete => Code::DeadlineExceeded,
            },
            Self::Overloaded { .. } | Self::Unavailable { .. } => Code::Unavailable,
        }
    }

    /// How long the sender should wait before it tries again; none if it should not.
    pub(crate) fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::Bad { .. } => None,
            Self::Overloaded { retry_after } | Self::Unavailable { retry_after, .. } => Some(*retry_after),
        }
    }

    /// As the body of an error response.
    pub(crate) fn to_status(&self) -> epicenter_proto::rpc::Status {
        let details = self
            .retry_after()
            .map(epicenter_proto::rpc::RetryInfo::detail)
            .into_iter()
            .collect();
        epicenter_proto::rpc::Status {
            code: self.grpc() as i32,
            message: self.to_string(),
            details,
        }
    }
}
