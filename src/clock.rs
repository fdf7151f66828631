//! The real wall clock. Everything below `src/` is handed the time; only this file reads it.

use epicenter_schema::Timestamp;
use std::time::{SystemTime, UNIX_EPOCH};

/// Now, as OTLP counts time. A machine whose clock stands before 1970 reads as 1970.
#[expect(
    clippy::disallowed_methods,
    reason = "this is the one place that reads the wall clock"
)]
pub(crate) fn now() -> Timestamp {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Timestamp(i64::try_from(since.as_nanos()).unwrap_or(i64::MAX))
}
