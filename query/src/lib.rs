//! Answers out: search, SQL, the live graph, incidents, pages.
//!
//! The service learns of spans only through the [store](epicenter_storage::Store): it scans it for queries and tails its
//! log for the live loop. What is judged is judged in the pure crates; here are the clock, the disk and the sockets.

pub mod alert;
mod config;
mod error;
pub mod http;
mod jaeger;
mod live;
mod metrics;
mod search;
mod service;
mod sql;

pub use config::{Config, Invalid};
pub use error::Error;
pub use metrics::MetricsWriter;
pub use service::{Bound, Service};
