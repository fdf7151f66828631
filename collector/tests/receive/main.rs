//! The receivers over real sockets: every kind of input, good and bad, and the status that the protocol gives it.

mod connections;
mod corpus;
mod cors;
mod grpc;
mod http;
mod sender;
