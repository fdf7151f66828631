//! The JSON that is promised, a file for each resource. 64-bit integers are strings: JavaScript cannot hold them.

pub mod explanation;
pub mod graph;
pub mod incident;
pub mod recall;
pub mod trace;
pub mod value;
