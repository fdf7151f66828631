//! The running service: two listeners, one receiver.

use crate::config::Config;
use crate::metrics::Metrics;
use crate::otlp::{grpc, http};
use crate::receive::Receiver;
use crate::sink::Sink;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use tonic::transport::server::TcpIncoming;

/// How long requests under way may take after the shutdown was asked for.
const SHUTDOWN_TIME_MAX: Duration = Duration::from_secs(5);
/// Calls at once on one gRPC connection.
const STREAMS_MAX: u32 = 128;
/// Bytes that a sender may have under way on one call and on one connection before they are read.
const STREAM_WINDOW_BYTES: u32 = 1 << 20;
const CONNECTION_WINDOW_BYTES: u32 = 4 << 20;
/// Silence after which a gRPC connection is asked whether it is still there.
const KEEPALIVE_INTERVAL: Duration = Duration::from_secs(60);

/// Why the collector cannot run.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// An address that cannot be listened on.
    #[error("could not listen on {address} for OTLP {transport}")]
    Bind {
        /// The address.
        address: SocketAddr,
        /// `gRPC` or `HTTP`.
        transport: &'static str,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// The gRPC listener failed.
    #[error("the OTLP gRPC receiver failed")]
    Grpc(#[source] tonic::transport::Error),
    /// The HTTP listener failed.
    #[error("the OTLP HTTP receiver failed")]
    Http(#[source] std::io::Error),
}

/// A collector that is set up and not yet listening.
pub struct Service {
    config: Config,
    receiver: Arc<Receiver>,
}

impl Config {
    /// A service that appends what it receives to `sink`: the store, or what a test puts in its place.
    pub fn build(self, sink: impl Sink) -> Service {
        let limit = usize::try_from(self.max_request_bytes.as_u64()).unwrap_or(usize::MAX);
        let receiver = Arc::new(Receiver::new(Box::new(sink), limit, self.max_in_flight_bytes.as_u64()));
        Service { config: self, receiver }
    }
}

impl Service {
    /// The counts of this service, alive as long as anyone holds them.
    pub fn metrics(&self) -> Arc<Metrics> {
        Arc::clone(&self.receiver.metrics)
    }

    /// Takes both addresses.
    ///
    /// # Errors
    /// [`Error::Bind`] when one cannot be listened on.
    pub async fn bind(self) -> Result<Bound, Error> {
        let (grpc, otlp_grpc) = listen(self.config.otlp_grpc, "gRPC").await?;
        let (http, otlp_http) = listen(self.config.otlp_http, "HTTP").await?;
        Ok(Bound {
            grpc,
            http,
            otlp_grpc,
            otlp_http,
            receiver: self.receiver,
        })
    }
}

async fn listen(address: SocketAddr, transport: &'static str) -> Result<(TcpListener, SocketAddr), Error> {
    let failed = |source| Error::Bind {
        address,
        transport,
        source,
    };
    let listener = TcpListener::bind(address).await.map_err(failed)?;
    let bound = listener.local_addr().map_err(failed)?;
    Ok((listener, bound))
}

/// A collector that has its addresses.
pub struct Bound {
    grpc: TcpListener,
    http: TcpListener,
    otlp_grpc: SocketAddr,
    otlp_http: SocketAddr,
    receiver: Arc<Receiver>,
}

impl Bound {
    /// Where gRPC is received.
    pub fn otlp_grpc(&self) -> SocketAddr {
        self.otlp_grpc
    }

    /// Where HTTP is received.
    pub fn otlp_http(&self) -> SocketAddr {
        self.otlp_http
    }

    /// Receives until `shutdown`; requests under way are finished, for at most five seconds.
    ///
    /// # Errors
    /// When a listener fails.
    pub async fn run(self, shutdown: CancellationToken) -> Result<(), Error> {
        let mut server = tonic::transport::Server::builder()
            .tcp_nodelay(true)
            .max_concurrent_streams(STREAMS_MAX)
            .initial_stream_window_size(STREAM_WINDOW_BYTES)
            .initial_connection_window_size(CONNECTION_WINDOW_BYTES)
            .http2_keepalive_interval(Some(KEEPALIVE_INTERVAL));
        let routes = tonic::service::Routes::from(grpc::router(Arc::clone(&self.receiver)));
        let incoming = TcpIncoming::from(self.grpc).with_nodelay(Some(true));
        let stop = shutdown.clone().cancelled_owned();
        let grpc = server.add_routes(routes).serve_with_incoming_shutdown(incoming, stop);
        let stop = shutdown.clone().cancelled_owned();
        let http = axum::serve(self.http, http::router(self.receiver)).with_graceful_shutdown(stop);
        let both = async {
            tokio::try_join!(async { grpc.await.map_err(Error::Grpc) }, async {
                http.await.map_err(Error::Http)
            })
        };
        tokio::select! {
            outcome = both => outcome.map(drop),
            () = async { shutdown.cancelled().await; tokio::time::sleep(SHUTDOWN_TIME_MAX).await } => {
                tracing::warn!("requests were still under way {SHUTDOWN_TIME_MAX:?} after the shutdown and were dropped");
                Ok(())
            }
        }
    }
}
