//! Is something wrong? Windows of the graph against what they are at rest.
//!
//! [`Baseline`] remembers the system at rest as a bounded row of periods; [`stats`] holds the few formulas of
//! surprise; each detector is one file and returns [`Symptom`]s. Pure: windows in, symptoms out, sorted by strength.

mod baseline;
mod errors;
mod history;
mod latency;
mod renewal;
pub mod sampling;
mod silence;
pub mod stats;
mod strongest;
mod symptom;
mod traffic;
mod uneven;
mod usual;

pub use baseline::{Baseline, Range, Share};
pub use silence::silent;
pub use symptom::{Place, Signal, Symptom, stirred, symptoms};
pub use traffic::{Surge, surges};
pub use uneven::{Spot, Uneven, uneven};
pub use usual::{UsualCalls, UsualRequests};
