//! The walk over a request's bytes against a decode with prost, on whatever bytes the fuzzer comes up with.

#![no_main]

#[path = "../agree.rs"]
mod agree;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| agree::agree(bytes));
