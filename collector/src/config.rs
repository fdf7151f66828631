//! What can be set about receiving spans.

use crate::cors::{ORIGINS_MAX, is_origin};
use crate::otlp::decode::REQUEST_BYTES_MAX;
use bytesize::ByteSize;
use serde::{Deserialize, Serialize};
use std::net::{Ipv4Addr, SocketAddr};

/// Most connections that can be configured.
const CONNECTIONS_MAX: usize = 100_000;

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
    /// Connections that each of the two receivers keeps open; what goes beyond is closed at once. 1 to 100,000. Default
    /// 4,096.
    pub max_connections: usize,
    /// Origins of web pages that may send spans from a browser over HTTP: `https://shop.example`, with one `*` for a part
    /// of the host as in `https://*.shop.example`, or `*` for all. At most 100. Default none.
    pub cors_origins: Vec<String>,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            otlp_grpc: SocketAddr::from((Ipv4Addr::LOCALHOST, 4317)),
            otlp_http: SocketAddr::from((Ipv4Addr::LOCALHOST, 4318)),
            max_request_bytes: ByteSize::mib(64),
            max_in_flight_bytes: ByteSize::mib(256),
            max_connections: 4_096,
            cors_origins: Vec::new(),
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
        if !(1..=CONNECTIONS_MAX).contains(&self.max_connections) {
            return Err(Invalid {
                key: "max_connections",
                problem: format!("must be 1 to {CONNECTIONS_MAX}, is {}", self.max_connections),
            });
        }
        if self.cors_origins.len() > ORIGINS_MAX {
            return Err(Invalid {
                key: "cors_origins",
                problem: format!("must be at most {ORIGINS_MAX}, are {}", self.cors_origins.len()),
            });
        }
        if let Some(origin) = self.cors_origins.iter().find(|origin| !is_origin(origin)) {
            return Err(Invalid {
                key: "cors_origins",
                problem: format!("must be like https://shop.example, https://*.shop.example or *, is {origin:?}"),
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
