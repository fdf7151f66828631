//! Spans in: the OTLP receivers, and the decoding of what they receive.
//!
//! A request is admitted (limits), inflated, walked from protobuf bytes straight into columns, appended to the log, and
//! acknowledged only when the log says that it is on disk.
//!
//! Invariants: no byte is kept before the gate made room for it; nothing is acknowledged that the log did not take; the
//! payload appended is what [`otlp::decode::protobuf`] was given, so a replay decodes the same.

mod config;
mod service;

pub mod otlp;

mod admit;
mod connections;
mod cors;
mod inflate;
pub mod metrics;
mod normalize;
mod receive;
mod refusal;
pub mod sink;

pub use config::{Config, Invalid};
pub use service::{Bound, Error, Service};
