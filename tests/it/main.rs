//! Journeys: what a user does, against the real process, from outside. One test program, so that everything is linked
//! once; journeys run side by side, each with its own server, ports and temporary folder.

mod analyze;
mod api;
mod bad_input;
mod crash;
mod duckdb;
mod lab;
mod machine;
mod opening_scenario;
mod otlp;
mod programs;
mod real_programs;
mod round_trip;
mod s3;
mod seaweed;
mod server;
mod ui;
mod waiting;
mod webhook;
