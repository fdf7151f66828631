//! What leaves the simulated system: spans in the words of the semantic conventions (`words`), in files (`files`), and less
//! than all of it where an option says so (`degrade`, `bare`). Truth is written elsewhere and never here.

mod bare;
mod degrade;
mod files;
mod words;

pub(crate) use bare::Bare;
pub use bare::Without;
pub(crate) use degrade::{Degrade, Skew};
pub(crate) use files::SpanFile;
