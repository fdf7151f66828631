//! The store as a whole, on a real folder: what is acknowledged is there, exactly once, whatever happens.

mod compacting;
mod crash;
mod faults;
mod fixture;
mod formats;
mod reading;
mod sealing;
mod searching;
mod sharing;
mod tailing;
