//! What can go wrong, by what the caller can do about it.

use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

/// Why a request was not appended. Unless said otherwise the request is not kept and may be sent again.
#[derive(Clone, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum AppendError {
    /// More is waiting to be written or to be sealed than there is room for: come back.
    #[error("storage is overloaded: {what}")]
    Overloaded {
        /// Which bound was reached.
        what: &'static str,
        /// How long to wait at least.
        retry_after: Duration,
    },
    /// The disk refused, for example because it is full. Heals by itself when the disk does.
    #[error("could not write the log")]
    Io(#[source] Arc<io::Error>),
    /// Larger than a record of the log may be; sending it again is of no use.
    #[error("a record of {bytes} bytes is larger than the log takes, {limit}")]
    TooLarge {
        /// Size of the payload.
        bytes: usize,
        /// Largest payload.
        limit: usize,
    },
    /// The store was shut down.
    #[error("storage is shut down")]
    Closed,
}

/// Why the store could not be opened, read or sealed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The file system refused.
    #[error("could not {action} {}", path.display())]
    Io {
        /// What was tried.
        action: &'static str,
        /// On what.
        path: PathBuf,
        /// Why not.
        #[source]
        source: io::Error,
    },
    /// Another process has the data folder open.
    #[error("the data folder is in use by another process, which holds {}", path.display())]
    Locked {
        /// The lock file.
        path: PathBuf,
    },
    /// The object store refused.
    #[error("could not {action} {path} in the object store")]
    Object {
        /// What was tried.
        action: &'static str,
        /// On what.
        path: String,
        /// Why not.
        #[source]
        source: object_store::Error,
    },
    /// A manifest that cannot be understood.
    #[error("manifest {path} is not valid: {reason}")]
    Manifest {
        /// Which.
        path: String,
        /// What is wrong with it.
        reason: String,
    },
    /// A manifest of a later release: committing on top of what came before it would lose what it says.
    #[error("manifest {path} is of {found}, which this release does not know: use a later one")]
    LaterFormat {
        /// Which.
        path: String,
        /// Its format and version.
        found: String,
    },
    /// Another process commits under the name of this one: its data folder was copied, or two run on it at once.
    #[error("another process commits to the table as writer {writer}: was the data folder copied?")]
    Conflict {
        /// The name of this process's log.
        writer: String,
    },
    /// Segments that were to be replaced are gone: another process replaced or dropped them first.
    #[error("segments that were to be replaced are not in the table any more")]
    Superseded,
    /// Others commit so often that this commit found no room; it is tried again.
    #[error("the table changed {times} times while this commit was tried")]
    Contended {
        /// How often it was tried.
        times: usize,
    },
    /// More logs feed the table than a manifest lists.
    #[error("the table has {limit} writers already, no more are taken")]
    TooManyWriters {
        /// The most writers of a table.
        limit: usize,
    },
    /// The object store writes over what is there although it was told not to, so commits would not be atomic.
    #[error(
        "the object store does not honour conditional writes (If-None-Match: *), on which the safety of the table rests: \
         {found}"
    )]
    Unconditional {
        /// What it did.
        found: String,
    },
    /// A segment that cannot be written or read.
    #[error("segment {path} could not be written or read")]
    Segment {
        /// Which.
        path: String,
        /// Why.
        #[source]
        source: parquet::errors::ParquetError,
    },
    /// A search that would have to remember too many traces.
    #[error("more than {limit} traces match: give a shorter time or more conditions")]
    SearchTooWide {
        /// Most traces that are remembered.
        limit: usize,
    },
    /// A logged request that does not read as it did when it was received, which only a bug or damage brings about.
    #[error("spans of {path} could not be read from their request")]
    Message {
        /// The segment that was to be written.
        path: String,
        /// Why.
        #[source]
        source: epicenter_schema::otlp::WireError,
    },
    /// Columns that do not fit together, which only a bug or damage brings about.
    #[error("spans of {path} could not be put together")]
    Columns {
        /// Where the columns came from.
        path: String,
        /// Why.
        #[source]
        source: arrow::error::ArrowError,
    },
    /// A segment with other columns than those of the schema.
    #[error("segment {path} has other columns than spans have")]
    Schema {
        /// Which.
        path: String,
        /// What differs.
        #[source]
        source: epicenter_schema::Error,
    },
    /// A trace of more spans than are put together in memory.
    #[error("the trace has more than {limit} spans")]
    TraceTooLarge {
        /// The most spans that are returned.
        limit: usize,
    },
    /// A background task panicked or was cancelled.
    #[error("a background task ended early")]
    Task(#[source] tokio::task::JoinError),
}

impl Error {
    /// Adds what was tried to an I/O error.
    pub(crate) fn io(action: &'static str, path: impl Into<PathBuf>) -> impl FnOnce(io::Error) -> Self {
        let path = path.into();
        move |source| Self::Io { action, path, source }
    }
}
