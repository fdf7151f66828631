//! The table: immutable Parquet segments on an object store, listed by a manifest that is replaced in one step.
//!
//! Layout under `table/`: `manifest/<version>.json`, `segments/<version>.parquet`, `catalog/<version>.jsonl`. The byte
//! formats are in docs/formats/table.md.

mod assemble;
pub(crate) mod catalog;
mod filters;
mod layout;
mod lookup;
mod manifest;
mod objects;
mod provider;
mod prune;
mod reader;
mod scan;
mod seal;
mod segment;
mod shred;
mod write;

pub(crate) use filters::{Filters, failed};
pub(crate) use layout::AttributeColumn;
pub(crate) use lookup::trace;
pub(crate) use manifest::{Loaded, Manifest};
pub(crate) use objects::Objects;
pub(crate) use provider::Spans;
pub(crate) use seal::Committer;
pub(crate) use segment::Segment;
pub(crate) use shred::{Place, Wanted};
