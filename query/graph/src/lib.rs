//! The service graph, live and pure: spans are gathered into traces, traces into calls, calls into windows.
//!
//! Reading order: a span is reduced to a record of fixed size, texts as numbers ([`Names`]). [`Builder`] keeps the
//! records of a trace, in whatever order they come, until the event-time watermark has passed the trace; then the tree
//! of the trace is walked once and added to the [`Window`] in which it ended. Windows hold counts and sketches only,
//! so they merge by addition. [`GraphSnapshot`] is what people and other programs see of one or more windows.
//!
//! Nothing here reads a clock, does I/O, or lets the order of a hash map reach a result.

mod entity;
mod names;
mod packed;
mod record;
mod sketch;
mod window;

mod builder;
mod snapshot;
mod trace;

pub use builder::{Builder, Counters};
pub use entity::{Entity, EntityKind};
pub use names::{NameId, Names};
pub use record::PeerKind;
pub use sketch::Sketch;
pub use snapshot::{Edge, GraphSnapshot, Health, Latency, Node, callee_entity};
pub use window::{
    Callee, Dimension, DimensionKey, DimensionStats, EdgeKey, EdgeStats, Exemplars, OpKey, OpStats, Window,
};
