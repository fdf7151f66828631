//! A system that runs in virtual time. `clock` is time itself, `gate` is waiting for a place, `state` is what there is at
//! the moment and what is wrong with it, `flow` moves requests through it, `outgoing` is what they ask of others,
//! `message` is what they leave behind, `traffic` lets them in, `pods` starts and ends copies, `record` is what
//! instrumentation writes down.

mod clock;
mod flow;
mod gate;
mod message;
mod outgoing;
mod pods;
mod record;
mod state;
mod traffic;

pub(crate) use clock::SECOND;
pub(crate) use pods::Naming;
pub(crate) use record::{Failure, Record, What};
pub(crate) use state::{EdgeState, Pod, Tracing, Trouble, World};
pub(crate) use traffic::{Answer, Traffic};

#[cfg(test)]
mod tests;
