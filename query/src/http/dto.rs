//! The JSON that is promised. Written by hand from what the crates inside use, so that neither binds the other.
//! 64-bit integers are strings, because JSON numbers of most readers are doubles.

pub mod graph;
pub mod incident;
pub mod trace;
