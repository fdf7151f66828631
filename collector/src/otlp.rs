//! The OpenTelemetry protocol: bytes to columns, and the two ways in which the bytes arrive.

pub mod decode;
pub(crate) mod grpc;
pub(crate) mod http;
