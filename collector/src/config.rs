//! What can be set about receiving spans.

use crate::otlp::decode::REQUEST_BYTES_MAX;
use bytesize::ByteSize;
use serde::{Deserialize, Serialize};
use std::net::{Ipv4Addr, SocketAddr};

/// Section `[collector]` of the configuration.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// Address of the OTLP gRPC receiver. Port 0 takes a free one. Default 127.0.0.1:4317, the protocol's own port, on
    /// loopback because there is no authentication.
    pub otlp_grpc: SocketAddr,
    /// Address of the OTLP HTTP receiver, protobuf and JSON. Default 127.0.0.1:4318.
    pub otlp_http: SocketAddr,
    /// Largest request, before and after inflating; larger ones are refused for good. 1 KiB to 256 MiB. Default 64 MiB:
    /// SDKs and collectors send at most a few megabytes.
    pub max_request_bytes: ByteSize,
    /// Bytes of requests that may be held at once, received and inflated together, between their first byte and their
    /// acknowledgement. Beyond it senders are asked to come back. At least twice `max_request_bytes`. Default 256 MiB.
    pub max_in_flight_bytes: ByteSize,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            otlp_grpc: SocketAddr::from((Ipv4Addr::LOCALHOST, 4317)),
            otlp_http: SocketAddr::from((Ipv4Addr::LOCALHOST, 4318)),
            max_request_bytes: ByteSize::mib(64),
            max_in_flight_bytes: ByteSize::mib(256),
        }
    }
}

/// A setting that cannot be.
#[derive(Debug, thiserror::Error)]
#[error("{key}: {problem}")]
pub struct Invalid {
    /// Which setting.
    pub key: &'static str,
    /// What is wrong with it, and what would be right.
    pub problem: String,
}

impl Config {
    /// Checks the settings against each other.
    ///
    /// # Errors
    /// Names the first setting that cannot be.
    pub fn validate(&self) -> Result<(), Invalid> {
        let (request, held) = (self.max_request_bytes.as_u64(), self.max_in_flight_bytes.as_u64());
        if !(1024..=REQUEST_BYTES_MAX as u64).contains(&request) {
            let problem = format!(
                "must be 1 KiB to {}, is {}",
                ByteSize(REQUEST_BYTES_MAX as u64),
                ByteSize(request)
            );
            return Err(Invalid {
                key: "max_request_bytes",
                problem,
            });
        }
        if held < 2 * request {
            let problem = format!(
                "must be at least twice max_request_bytes ({}), is {}",
                ByteSize(request),
                ByteSize(held)
            );
            return Err(Invalid {
                key: "max_in_flight_bytes",
                problem,
            });
        }
        if self.otlp_grpc == self.otlp_http && self.otlp_grpc.port() != 0 {
            let problem = format!("must not be the address of otlp_grpc, {}", self.otlp_grpc);
            return Err(Invalid {
                key: "otlp_http",
                problem,
            });
        }
        Ok(())
    }
}
