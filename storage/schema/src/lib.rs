//! A span as columns: the one shape in which spans travel between crates, rest in memory and lie in Parquet.
//!
//! One row is one span. What a span can hold by the OpenTelemetry protocol is held exactly: typed attributes, events,
//! links, dropped counts, flags, trace state, resource and scope with their schema URLs. Beside the exact columns stand
//! *promoted* columns, filled by the collector's normalization, so that the questions asked most (service, peer, route,
//! status) never open the attribute map.
//!
//! This crate is pure: no clock, no randomness, no I/O.

mod batch;
mod builder;
mod columns;
mod error;
mod flat;
mod ids;
mod row;
mod time;

pub mod otlp;

pub use batch::SpanBatch;
pub use builder::{LinkRow, NestedBuilder, RawValue, ResourceRow, SpanBatchBuilder, SpanRow};
pub use columns::{SCHEMA_VERSION, arrow_schema, attribute_map_type, event_list_type, link_list_type, name};
pub use error::Error;
pub use flat::FlatBatch;
pub use ids::{SpanId, TraceId};
pub use row::{AttributeValue, Attributes, Event, Link, SpanKind, SpanRef, Spans, StatusCode};
pub use time::{DurationNs, Timestamp};
