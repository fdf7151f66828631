//! The lab: a synthetic system that sends real OTLP, and load for benches.

pub mod load;
pub mod payload;
