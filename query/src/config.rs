//! What can be set about answering, watching and paging.

use crate::alert;
use bytesize::ByteSize;
use serde::{Deserialize, Serialize};
use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

/// Section `[query]` of the configuration.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// Where the web page and the APIs are served. Default `127.0.0.1:4319`: this machine only. Port 0 takes a free one.
    pub http: SocketAddr,
    /// How long after its end a window of the live loop waits for spans that are still on their way. SDKs send every
    /// 5 s by default. 0 s to 5 min. Default 7 s.
    #[serde(with = "humantime_serde")]
    pub lateness: Duration,
    /// How long a query may take. 100 ms to 10 min. Default 20 s.
    #[serde(with = "humantime_serde")]
    pub timeout: Duration,
    /// Memory for all queries at once; a query that would exceed it fails. At least 16 MiB. Default 512 MiB.
    pub memory_max: ByteSize,
    /// Most rows that an SQL query answers with; the answer says when it was cut. 1 to 1,000,000. Default 10,000.
    pub rows_max: usize,
    /// How long the graph of the past is kept. 1 h to 10 years. Default 30 days: a month to compare with costs little.
    #[serde(with = "humantime_serde")]
    pub graph_retention: Duration,
    /// Size up to which the graph of the past is kept, the newest first. From half of it on the past is thinned out
    /// sooner. At least 1 MiB. Default 1 GiB.
    pub graph_bytes_max: ByteSize,
    /// Pages when an incident opens and when it resolves.
    pub alert: alert::Config,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            http: SocketAddr::from((Ipv4Addr::LOCALHOST, 4319)),
            lateness: Duration::from_secs(7),
            timeout: Duration::from_secs(20),
            memory_max: ByteSize::mib(512),
            rows_max: 10_000,
            graph_retention: Duration::from_secs(30 * 24 * 3600),
            graph_bytes_max: ByteSize::gib(1),
            alert: alert::Config::default(),
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

const LATENESS_MAX: Duration = Duration::from_secs(300);
const TIMEOUT_MIN: Duration = Duration::from_millis(100);
const TIMEOUT_MAX: Duration = Duration::from_secs(600);
const RETENTION_MIN: Duration = Duration::from_secs(3600);
const RETENTION_MAX: Duration = Duration::from_secs(10 * 366 * 24 * 3600);
const ROWS_MAX: usize = 1_000_000;

impl Config {
    /// Checks every setting.
    ///
    /// # Errors
    /// Names the first setting that cannot be.
    pub fn validate(&self) -> Result<(), Invalid> {
        let invalid = |key, problem| Err(Invalid { key, problem });
        if self.lateness > LATENESS_MAX {
            return invalid("lateness", format!("must be at most 5min, is {:?}", self.lateness));
        }
        if !(TIMEOUT_MIN..=TIMEOUT_MAX).contains(&self.timeout) {
            return invalid("timeout", format!("must be 100ms to 10min, is {:?}", self.timeout));
        }
        if self.memory_max < ByteSize::mib(16) {
            return invalid("memory_max", format!("must be at least 16 MiB, is {}", self.memory_max));
        }
        if !(1..=ROWS_MAX).contains(&self.rows_max) {
            return invalid("rows_max", format!("must be 1 to {ROWS_MAX}, is {}", self.rows_max));
        }
        if !(RETENTION_MIN..=RETENTION_MAX).contains(&self.graph_retention) {
            let problem = format!("must be 1h to 10 years, is {:?}", self.graph_retention);
            return invalid("graph_retention", problem);
        }
        if self.graph_bytes_max < ByteSize::mib(1) {
            let problem = format!("must be at least 1 MiB, is {}", self.graph_bytes_max);
            return invalid("graph_bytes_max", problem);
        }
        self.alert.validate()
    }
}
