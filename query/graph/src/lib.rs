//! The service graph: spans paired into calls, summed into windows that merge.
mod assemble;
mod entity;
mod names;
mod record;
mod sketch;
mod trace;
mod window;
pub use assemble::{Builder, Counters};
pub use entity::{Entity, EntityKind};
pub use names::{NameId, Names};
pub use record::PeerKind;
pub use sketch::Sketch;
pub use window::{Callee, Dimension, DimensionKey, DimensionStats, EdgeKey, EdgeStats, Exemplars, OpKey, OpStats, Window};
