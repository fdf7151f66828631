//! The query service over a real listener and a real store in a temporary folder. Spans come from `spans`, which also
//! stands in for the decoder: what is appended to the log here is the description of the spans as JSON.

mod jaeger;
mod live;
mod notes;
mod receiver;
mod refusals;
mod server;
mod spans;
mod sql;
mod stream;
mod traces;
