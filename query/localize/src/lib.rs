//! What broke, and how: a window in which something is wrong, against the system at rest, to ranked suspects with
//! evidence in words.
//!
//! Each method is one file and adds to a ledger of blame: [`self_time`], [`edge_gap`] with incidence,
//! [`conservation`] of errors, [`silence`], [`structure`], and [`mesh`] for spans without parents. [`channel`] decides which of
//! the ledgers speaks, by the objective that broke at the entries; [`back_pressure`] takes away what is explained by
//! waiting; [`cause`] names the kind and [`dimension`] the instance, node or version; [`explain`] says how it
//! came from there to where it is felt. Methods, formulas and where they fail: docs/algorithms. Pure: no clock, no I/O; ties go by name.

mod blame;
mod order;
mod scene;
mod spread;
#[cfg(test)]
mod stage;
mod survey;
mod verdict;
mod words;

mod back_pressure;
mod calls;
mod conservation;
mod edge_gap;
mod mesh;
mod missing;
mod self_time;
mod silence;
mod structure;
mod unseen;

mod cache;
mod cause;
mod channel;
mod dimension;
mod explain;
mod fallen;
mod machine;
mod ranking;
mod related;
mod shaken;

pub use channel::diagnose;
pub use explain::{BlastRadius, Compared, Explanation};
pub use related::{is_one_of, related};
pub use scene::Scene;
pub use shaken::restrict;
pub use verdict::{Affected, Cause, CauseKind, Diagnosis, Evidence, Suspect};
