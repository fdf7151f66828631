//! What can be set about keeping spans.

use bytesize::ByteSize;
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// Section `[storage]` of the configuration.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// Age after which spans are sealed into a segment of the table. 100 ms to 1 h. Default 30 s: a restart then has
    /// little to replay, and segments are not tiny.
    #[serde(with = "humantime_serde")]
    pub seal_after: Duration,
    /// Number of spans after which they are sealed regardless of age, and the most a segment holds at first.
    /// 1 to 4194304. Default 131072: about 10 MB of Parquet.
    pub seal_spans: usize,
    /// Memory for spans that are not sealed yet; beyond it appends are refused until sealing catches up. At least
    /// 1 MiB. Default 256 MiB.
    pub unsealed_bytes_max: ByteSize,
    /// Age up to which the log is kept after its spans were sealed, so that the live loop can rebuild its windows
    /// after a restart. Default 10 min.
    #[serde(with = "humantime_serde")]
    pub log_retain: Duration,
    /// Size up to which the log is kept after its spans were sealed. Default 256 MiB.
    pub log_retain_bytes: ByteSize,
    /// Size up to which sealed log is kept for a tail that has fallen behind, before that tail loses records. At least
    /// `log_retain_bytes`. Default 4 GiB.
    pub log_lag_bytes_max: ByteSize,
    /// Age, counted from when spans were received, after which they are deleted. Default 7 days.
    #[serde(with = "humantime_serde")]
    pub retention: Duration,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            seal_after: Duration::from_secs(30),
            seal_spans: 131_072,
            unsealed_bytes_max: ByteSize::mib(256),
            log_retain: Duration::from_secs(600),
            log_retain_bytes: ByteSize::mib(256),
            log_lag_bytes_max: ByteSize::gib(4),
            retention: Duration::from_secs(7 * 24 * 3600),
        }
    }
}

/// A setting that cannot be.
#[derive(Debug, thiserror::Error)]
#[error("{key}: {problem}")]
pub struct Invalid {
    /// Which setting.
    pub key: &'static str,
    /// What is wrong with it, and what would be right.
    pub problem: String,
}

/// Most spans of a fresh segment.
const SEAL_SPANS_MAX: usize = 4_194_304;

impl Config {
    /// Checks the settings against each other.
    ///
    /// # Errors
    /// Names the first setting that cannot be.
    pub fn validate(&self) -> Result<(), Invalid> {
        let invalid = |key, problem| Err(Invalid { key, problem });
        if !(Duration::from_millis(100)..=Duration::from_secs(3600)).contains(&self.seal_after) {
            return invalid("seal_after", format!("must be 100ms to 1h, is {:?}", self.seal_after));
        }
        if !(1..=SEAL_SPANS_MAX).contains(&self.seal_spans) {
            return invalid(
                "seal_spans",
                format!("must be 1 to {SEAL_SPANS_MAX}, is {}", self.seal_spans),
            );
        }
        if self.unsealed_bytes_max < ByteSize::mib(1) {
            return invalid(
                "unsealed_bytes_max",
                format!("must be at least 1 MiB, is {}", self.unsealed_bytes_max),
            );
        }
        if self.log_lag_bytes_max < self.log_retain_bytes {
            let problem = format!(
                "must be at least log_retain_bytes ({}), is {}",
                self.log_retain_bytes, self.log_lag_bytes_max
            );
            return invalid("log_lag_bytes_max", problem);
        }
        if self.retention < self.log_retain {
            let problem = format!(
                "must be at least log_retain ({:?}), is {:?}",
                self.log_retain, self.retention
            );
            return invalid("retention", problem);
        }
        Ok(())
    }
}
