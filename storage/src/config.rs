//! What can be set about keeping spans.

use bytesize::ByteSize;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
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
    /// Memory for spans that are not sealed yet; beyond it appends wait a moment for sealing to catch up, and are
    /// then refused. At least 1 MiB. Default 96 MiB.
    pub unsealed_bytes_max: ByteSize,
    /// Age up to which sealed spans are shown again to a tail that begins, so that the live loop can rebuild its windows
    /// after a restart. Default 10 min.
    #[serde(with = "humantime_serde")]
    pub replay: Duration,
    /// Number of sealed spans up to which they are shown again, the newest first of all. Default 1,000,000.
    pub replay_spans_max: u64,
    /// Size up to which sealed log is kept for a tail that has fallen behind, before that tail loses records. Default
    /// 4 GiB.
    pub log_lag_bytes_max: ByteSize,
    /// Age, counted from when spans were received, after which they are deleted. Default 7 days.
    #[serde(with = "humantime_serde")]
    pub retention: Duration,
    /// Other ages for the spans of single services, by name, shorter or longer. At most 1,000. Default none.
    pub retention_by_service: BTreeMap<String, Age>,
    /// Size of the table beyond which the oldest spans are deleted, whatever their age; 0 for no bound. Default 0.
    pub retention_bytes: ByteSize,
    /// Where the table lies: empty for the folder `table` below the data folder, or `s3://bucket` or
    /// `s3://bucket/prefix`. Several processes may share a table on S3. Default empty.
    pub table_url: String,
    /// How S3 is reached, for a table that lies there.
    pub s3: S3,
}

/// A length of time such as `30days`.
#[derive(Clone, Copy, Debug, Deserialize, Serialize)]
#[serde(transparent)]
pub struct Age(#[serde(with = "humantime_serde")] pub Duration);

/// Section `[storage.s3]`. Credentials are not among the settings: they come from the environment (`AWS_ACCESS_KEY_ID`,
/// `AWS_SECRET_ACCESS_KEY`, ..) or from the machine's role.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct S3 {
    /// URL of an S3 that is not Amazon's, such as `http://127.0.0.1:8333`. Default empty: what `AWS_ENDPOINT_URL_S3`,
    /// `AWS_ENDPOINT_URL` or `AWS_ENDPOINT` says, else Amazon's.
    pub endpoint: String,
    /// Region. Default empty: what `AWS_REGION` or `AWS_DEFAULT_REGION` says, else `us-east-1`.
    pub region: String,
    /// Whether plain HTTP is good enough, where credentials and spans can be read on the way. Default false: only if
    /// `AWS_ALLOW_HTTP` is `true`.
    pub allow_http: bool,
    /// How long one request may take. 1 s to 5 min. Default 20 s.
    #[serde(with = "humantime_serde")]
    pub request_timeout: Duration,
    /// How long a request that failed is tried again before the failure is reported. Up to 5 min. Default 10 s.
    #[serde(with = "humantime_serde")]
    pub retry_timeout: Duration,
}

impl Default for S3 {
    fn default() -> Self {
        Self {
            endpoint: String::new(),
            region: String::new(),
            allow_http: false,
            request_timeout: Duration::from_secs(20),
            retry_timeout: Duration::from_secs(10),
        }
    }
}

impl Default for Config {
    fn default() -> Self {
        Self {
            seal_after: Duration::from_secs(30),
            seal_spans: 131_072,
            unsealed_bytes_max: ByteSize::mib(96),
            replay: Duration::from_secs(600),
            replay_spans_max: 1_000_000,
            log_lag_bytes_max: ByteSize::gib(4),
            retention: Duration::from_secs(7 * 24 * 3600),
            retention_by_service: BTreeMap::new(),
            retention_bytes: ByteSize(0),
            table_url: String::new(),
            s3: S3::default(),
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

/// Most services with a retention of their own.
const SERVICES_MAX: usize = 1_000;
/// Most spans of a fresh segment.
const SEAL_SPANS_MAX: usize = 4_194_304;
/// Longest time for one request to S3, and for trying it again.
const S3_TIME_MAX: Duration = Duration::from_secs(300);

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
        if self.retention < self.replay {
            let problem = format!("must be at least replay ({:?}), is {:?}", self.replay, self.retention);
            return invalid("retention", problem);
        }
        if self.retention_by_service.len() > SERVICES_MAX {
            let problem = format!(
                "must be at most {SERVICES_MAX}, are {}",
                self.retention_by_service.len()
            );
            return invalid("retention_by_service", problem);
        }
        let short = |age: &&Age| age.0 < self.replay;
        if let Some(age) = self.retention_by_service.values().find(short) {
            let problem = format!("must be at least replay ({:?}), is {:?}", self.replay, age.0);
            return invalid("retention_by_service", problem);
        }
        self.validate_table()
    }

    fn validate_table(&self) -> Result<(), Invalid> {
        let invalid = |key, problem| Err(Invalid { key, problem });
        if !self.table_url.is_empty() && bucket_and_prefix(&self.table_url).is_none() {
            // Not repeated in full: a URL of this kind may hold a password.
            let problem = "must be empty, s3://bucket or s3://bucket/prefix, of letters, digits and .-_/".to_owned();
            return invalid("table_url", problem);
        }
        if !(Duration::from_secs(1)..=S3_TIME_MAX).contains(&self.s3.request_timeout) {
            let problem = format!("must be 1s to 5min, is {:?}", self.s3.request_timeout);
            return invalid("s3.request_timeout", problem);
        }
        if self.s3.retry_timeout > S3_TIME_MAX {
            let problem = format!("must be at most 5min, is {:?}", self.s3.retry_timeout);
            return invalid("s3.retry_timeout", problem);
        }
        if self.s3.endpoint.contains('@') {
            let problem = "must not hold credentials, those come from the environment".to_owned();
            return invalid("s3.endpoint", problem);
        }
        Ok(())
    }
}

/// Bucket and prefix of `s3://bucket/prefix`; none when it is not of that form.
pub(crate) fn bucket_and_prefix(url: &str) -> Option<(&str, &str)> {
    let rest = url.strip_prefix("s3://")?;
    let plain = |c: char| c.is_ascii_alphanumeric() || ".-_/".contains(c);
    let (bucket, prefix) = rest.split_once('/').unwrap_or((rest, ""));
    (!bucket.is_empty() && rest.chars().all(plain)).then(|| (bucket, prefix.trim_matches('/')))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(url: &str, expect: Option<(&str, &str)>) {
        assert_eq!(bucket_and_prefix(url), expect, "{url}");
        let config = Config {
            table_url: url.to_owned(),
            ..Config::default()
        };
        assert_eq!(config.validate().is_ok(), expect.is_some(), "{url}");
    }

    #[test]
    fn a_table_lies_in_a_bucket_or_below_a_prefix_of_it() {
        check("s3://spans", Some(("spans", "")));
        check("s3://spans/", Some(("spans", "")));
        check("s3://spans/prod/eu-1/", Some(("spans", "prod/eu-1")));
    }

    #[test]
    fn other_urls_are_refused_without_repeating_them() {
        for url in [
            "/var/table",
            "s3://",
            "s3:///prefix",
            "gs://spans",
            "s3://spans?x=1",
            "s3://key:secret@spans/p",
        ] {
            check(url, None);
        }
        let config = Config {
            table_url: "s3://key:secret@spans".to_owned(),
            ..Config::default()
        };
        let refused = config.validate().expect_err("refused").to_string();
        assert!(
            refused.contains("table_url") && !refused.contains("secret"),
            "{refused}"
        );
    }
}
