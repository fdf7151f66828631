//! Wire contracts, no logic: the OTLP messages as prost structs, and the error bodies that go with them.
//!
//! The collector's fast path does not use the structs (it walks the bytes); senders, tests and slow paths do.

pub mod rpc;

/// OTLP messages by package, as in the protocol's own files.
pub mod otlp {
    pub use opentelemetry_proto::tonic::collector::trace::v1 as collector_trace;
    pub use opentelemetry_proto::tonic::common::v1 as common;
    pub use opentelemetry_proto::tonic::resource::v1 as resource;
    pub use opentelemetry_proto::tonic::trace::v1 as trace;
}

/// Path of the trace export method over gRPC.
pub const TRACE_EXPORT_PATH: &str = "/opentelemetry.proto.collector.trace.v1.TraceService/Export";

pub use prost::Message;
