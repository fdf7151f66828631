//! The table: immutable Parquet segments on an object store, listed by a manifest that is replaced in one step.
//!
//! Layout: `manifest/<version>.json`, `base/<version>-<writer>-<session>.json`, `segments/<version>-<writer>.parquet`,
//! `catalog/<version>-<writer>.jsonl`. The byte formats are in docs/formats/table.md.

mod assemble;
pub(crate) mod catalog;
mod commit;
mod compact;
mod encode;
mod filters;
mod flat_rows;
mod gather;
mod history;
mod layout;
mod lookup;
mod manifest;
mod objects;
mod provider;
mod prune;
mod reader;
mod retain;
mod scan;
mod seal;
mod segment;
mod shred;
mod texts;
mod version;
mod write;
mod writer;

pub(crate) use commit::Commits;
pub(crate) use filters::{Filters, failed};
pub(crate) use flat_rows::FlatRows;
pub(crate) use layout::AttributeColumn;
pub(crate) use lookup::trace;
#[cfg(test)]
pub(crate) use manifest::FORMAT_VERSION;
pub(crate) use objects::Objects;
pub(crate) use provider::Spans;
pub(crate) use retain::Retention;
pub(crate) use seal::Committer;
pub(crate) use segment::Segment;
pub(crate) use shred::{Place, Wanted};
pub(crate) use writer::{random, writer_of};
