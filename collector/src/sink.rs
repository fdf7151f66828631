//! Where decoded spans go: the log, behind one method, so that the receivers can be tested against a log that fails.

use bytes::Bytes;
use epicenter_schema::FlatBatch;
use std::future::Future;
use std::pin::Pin;
use std::time::Duration;

/// What an append comes to.
pub type Appended<'a> = Pin<Box<dyn Future<Output = Result<(), Refused>> + Send + 'a>>;

/// Keeps spans.
pub trait Sink: Send + Sync + 'static {
    /// Resolves when the request is safe, or when it is certain that it was not taken.
    fn append(&self, payload: Bytes, spans: FlatBatch) -> Appended<'_>;
}

/// Why spans were not kept.
#[derive(Debug, thiserror::Error)]
pub enum Refused {
    /// Try again after a while.
    #[error("{message}")]
    Retry {
        /// How long to wait at least.
        retry_after: Duration,
        /// Why.
        message: String,
    },
    /// The request is larger than the log takes.
    #[error("the request is larger than the log takes")]
    TooLarge,
}

impl Sink for epicenter_storage::Store {
    fn append(&self, payload: Bytes, spans: FlatBatch) -> Appended<'_> {
        use epicenter_storage::AppendError;
        Box::pin(async move {
            // Inherent methods win over the trait's, so this is the store's own append.
            epicenter_storage::Store::append(self, payload, spans)
                .await
                .map_err(|error| match error {
                    AppendError::TooLarge { .. } => Refused::TooLarge,
                    AppendError::Overloaded { retry_after, .. } => Refused::Retry {
                        retry_after,
                        message: error.to_string(),
                    },
                    _ => Refused::Retry {
                        retry_after: crate::refusal::RETRY_AFTER,
                        message: error.to_string(),
                    },
                })
        })
    }
}
