//! What left its baseline: the system at rest as robust levels, and the symptoms that a stretch of time shows against it.
mod baseline;
mod level;
mod rate;
mod symptom;
pub use baseline::{Baseline, EdgeBase, OpBase, Share};
pub use level::{Level, Shift};
pub use rate::surprise;
pub use symptom::{Channel, Symptom, entry_symptoms};
