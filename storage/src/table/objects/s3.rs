//! A table on S3. What is not set comes from the environment as with every other program that speaks S3 (`AWS_*`,
//! web identities, the machine's role), which is why `object_store` and not the configuration reads it.
//!
//! Every request is bounded in time, and so is trying it again: a failure that lasts is reported to the background
//! work, which waits and comes back, while spans are safe in the log.

use crate::config::bucket_and_prefix;
use crate::{Config, Error};
use object_store::aws::{AmazonS3Builder, AmazonS3ConfigKey, S3ConditionalPut};
use object_store::client::{ClientConfigKey, ClientOptions};
use object_store::prefix::PrefixStore;
use object_store::{BackoffConfig, ObjectStore, RetryConfig};
use std::sync::Arc;
use std::time::Duration;

/// Longest time until a connection stands.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// Most further attempts of one request.
const RETRIES_MAX: usize = 6;
/// Shortest and longest pause before trying again.
const BACKOFF: (Duration, Duration) = (Duration::from_millis(100), Duration::from_secs(2));

/// The store below the prefix that the configuration names. Nothing is sent yet.
///
/// # Errors
/// When what is set, here or in the environment, does not do.
pub(super) fn open(config: &Config) -> Result<Arc<dyn ObjectStore>, Error> {
    let failed = |source| Error::Object {
        action: "open",
        path: config.table_url.clone(),
        source,
    };
    let (bucket, prefix) = bucket_and_prefix(&config.table_url).ok_or_else(|| {
        failed(object_store::Error::Generic {
            store: "S3",
            source: "not of the form s3://bucket/prefix".into(),
        })
    })?;
    let environment = AmazonS3Builder::from_env();
    let allowed = environment.get_config_value(&AmazonS3ConfigKey::Client(ClientConfigKey::AllowHttp));
    let allow_http = config.s3.allow_http || allowed.as_deref() == Some("true");
    let client = ClientOptions::new()
        .with_allow_http(allow_http)
        .with_timeout(config.s3.request_timeout)
        .with_connect_timeout(CONNECT_TIMEOUT);
    let retry = RetryConfig {
        backoff: BackoffConfig {
            init_backoff: BACKOFF.0,
            max_backoff: BACKOFF.1,
            base: 2.0,
        },
        max_retries: RETRIES_MAX,
        retry_timeout: config.s3.retry_timeout,
    };
    let mut builder = environment
        .with_bucket_name(bucket)
        .with_client_options(client)
        .with_retry(retry)
        .with_conditional_put(S3ConditionalPut::ETagMatch);
    if !config.s3.endpoint.is_empty() {
        // Both names: the second one, from the environment, would win.
        builder = builder
            .with_config(AmazonS3ConfigKey::Endpoint, &config.s3.endpoint)
            .with_config(AmazonS3ConfigKey::S3Endpoint, &config.s3.endpoint);
    }
    if !config.s3.region.is_empty() {
        builder = builder.with_region(&config.s3.region);
    }
    let store = builder.build().map_err(failed)?;
    if prefix.is_empty() {
        return Ok(Arc::new(store));
    }
    Ok(Arc::new(PrefixStore::new(store, prefix)))
}
