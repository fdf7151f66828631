//! Where decoded spans go: the log, behind one method, so that the receivers can be tested against a log that fails.

use bytes::Bytes;
use epicenter_schema::SpanBatch;
use std::future::Future;
use std::pin::Pin;
use std::time::Duration;

/// What an append comes to.
pub type Appended<'a> = Pin<Box<dyn Future<Output = Result<(), Refused>> + Send + 'a>>;

/// Keeps spans.
pub trait Sink: Send + Sync + 'static {
    /// Resolves when the request is safe, or when it is certain that it was not taken.
    fn append(&self, payload: Bytes, batch: SpanBatch) -> Appended<'_>;
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
