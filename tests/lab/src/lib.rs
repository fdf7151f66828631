//! The lab: simulated systems that send real OTLP and break on purpose, and load and questions for benches.
//!
//! `scenario` describes a system, `world` is its state, `request` moves requests through it, `spans` records what
//! instrumentation would have seen, `export` sends it, `demo` plays it. Faults change the world only: cascades happen by
//! themselves, because requests wait for workers, give up and are tried again.

pub mod ask;
pub mod demo;
mod export;
pub mod load;
pub mod payload;
mod request;
pub mod scenario;
mod spans;
mod world;
