//! Spans kept: the only place where the collector and the query service meet.
//!
//! A request is appended to the log and synced before it is acknowledged; from then on its spans are visible.
//! A while later they are sealed: sorted, written as a Parquet segment of the table and dropped from memory
//! in one step, so that a query sees every span exactly once, before, during and after.
//!
//! Invariants: nothing is acknowledged that a crash could lose; a span is in the sealed part or in the unsealed part of
//! a snapshot, never in both or in neither; nothing here reads the wall clock, it is handed in.

mod config;
mod error;
mod metrics;
mod store;

mod catalog;
mod lock;
mod open;
mod search;
mod service;
mod tail;
mod view;

mod log;
mod table;

#[cfg(test)]
mod tests;

pub use catalog::{Operation, ServiceOperations};
pub use config::{Age, Config, Invalid, S3};
pub use error::{AppendError, Error};
pub use metrics::Metrics;
pub use search::{Attribute, Condition, Hit, Operator, Order, Scope, Search, Test, WrongTest};
pub use service::Service;
pub use store::Store;
pub use tail::{Tail, TailItem};

use epicenter_schema::{FlatBatch, Timestamp};
use std::sync::Arc;

/// Turns a logged payload into spans again. The same function that made what was appended with it.
pub type Decoder = Arc<dyn Fn(&[u8]) -> Result<FlatBatch, Box<dyn std::error::Error + Send + Sync>> + Send + Sync>;

/// Tells the wall-clock time. Handed in by the composition root.
pub type Clock = Arc<dyn Fn() -> Timestamp + Send + Sync>;
