//! The lab: simulated systems that send OTLP and break on purpose, and load and questions for benches.
//!
//! Random systems in virtual time, for scores: `system` draws one from a seed, `sim` runs it, `fault` breaks it, `felt` looks
//! whether visitors notice, `telemetry` writes what instrumentation would send, `experiment` puts them together, `replay` plays the outcome live.
//!
//! Hand-written systems in real time, for the demo: `scenario` describes one, `world` is its state, `request` moves requests
//! through it, `spans` records, `export` sends, `demo` plays it.
//!
//! In both, faults change the world only: cascades happen by themselves, because requests wait for workers, give up and
//! are tried again.

pub mod ask;
pub mod demo;
pub mod experiment;
mod export;
pub mod fault;
mod felt;
pub mod load;
pub mod payload;
pub mod replay;
mod request;
pub mod scenario;
mod sim;
mod spans;
mod system;
mod telemetry;
mod world;
