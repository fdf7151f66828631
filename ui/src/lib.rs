//! The web page inside the binary: `web/` is the app (TypeScript, built by Vite into `web/dist`), this crate embeds what was built and serves it.
//!
//! Invariants: nothing here reads anything but the embedded files (a debug build reads them from `web/dist` instead, so that a new build of
//! the page needs no new build of the server); nothing here knows the API; every answer carries the security headers; without a built page
//! the server still runs and says how to build it.

mod embed;
mod serve;

pub use serve::router;
