//! The service graph, live and pure: spans are gathered into traces, traces into calls, calls into windows.
//!
//! Reading order: a span is reduced to a record of fixed size, texts as numbers ([`Names`]), its name in general form, its
//! sender by its dimensions, its [`Weight`] by the sampling that it tells of. [`Builder`] keeps the records of a trace, in whatever order they come,
//! until the event-time watermark has passed the trace; then the tree of the trace is walked once and added to the
//! [`Window`] in which it ended. What comes later is held against the window until that settles. Windows hold counts and
//! sketches only, so they merge by addition. A [`Summary`] is a window by name; [`GraphSnapshot`] is what people and other
//! programs see of it.
//!
//! Nothing here reads a clock, does I/O, or lets the order of a hash map reach a result.

mod entity;
mod general;
mod names;
mod packed;
mod record;
mod sample;
mod sender;
mod sketch;
mod source;
mod weight;
mod window;

mod answers;
mod builder;
mod clock;
mod hold;
mod links;
mod snapshot;
mod summary;
mod trace;

pub use builder::{Builder, Counters, Settled};
pub use entity::{Entity, EntityKind};
pub use names::{NameId, Names};
pub use record::PeerKind;
pub use sample::Sample;
pub use sketch::Sketch;
pub use snapshot::{DimensionShare, Edge, GraphSnapshot, Health, Latency, Node, callee_entity};
pub use summary::{NodeSum, Part, Summary, Traffic};
pub use weight::Weight;
pub use window::{
    Callee, Dimension, DimensionKey, DimensionStats, Direction, EdgeKey, EdgeStats, Exemplars, FlowKey, FlowStats,
    OpKey, OpStats, SpanCounts, Tally, Weighed, Window, Words,
};
