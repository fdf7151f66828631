//! The whole judgement as one pure machine: spans and a watermark in, incidents out.
//!
//! [`Engine`] drives the graph, the detectors and the localizer over event time. It is the same in the live shell and
//! in the post-mortem of files, so an hour of recorded spans gives the incidents of that hour, byte for byte. No clock,
//! no I/O, no randomness: `now` is the watermark that the caller hands in.

mod config;
mod counters;
mod engine;
mod incident;
mod memory;
mod onset;
mod review;
mod slots;

pub use config::{Config, ConfigError};
pub use counters::Counters;
pub use engine::Engine;
pub use epicenter_graph::{
    DimensionShare, Edge, Entity, EntityKind, GraphSnapshot, Health, Latency, Node, NodeSum, Part, Sketch, SpanCounts,
    Summary, Traffic, Weighed, Weight,
};
pub use epicenter_localize::{Affected, BlastRadius, Cause, CauseKind, Compared, Evidence, Explanation, Suspect};
pub use incident::{Change, Incident, State};
pub use slots::Slot;

#[cfg(test)]
mod tests;
