//! What keeps the query service from starting or from running.

use std::net::SocketAddr;
use std::path::PathBuf;

/// Why the query service cannot go on.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The address is taken or not ours.
    #[error("could not listen on {address} for the web page and the APIs")]
    Bind {
        /// The address.
        address: SocketAddr,
        /// Why not.
        #[source]
        source: std::io::Error,
    },
    /// What is remembered of incidents cannot be read or written.
    #[error("could not {action} {}", path.display())]
    Io {
        /// What was tried.
        action: &'static str,
        /// On what.
        path: PathBuf,
        /// Why not.
        #[source]
        source: std::io::Error,
    },
    /// The client for pages could not be made.
    #[error("could not set up the sending of pages")]
    Client(#[source] reqwest::Error),
    /// The query engine could not be set up.
    #[error("could not set up the query engine")]
    Engine(#[source] datafusion::error::DataFusionError),
    /// The threads of the query engine could not be started.
    #[error("could not start the threads of the query engine")]
    Threads(#[source] std::io::Error),
    /// The listener failed.
    #[error("serving HTTP failed")]
    Serve(#[source] std::io::Error),
    /// A background task panicked.
    #[error("a background task ended early")]
    Task(#[source] tokio::task::JoinError),
}
