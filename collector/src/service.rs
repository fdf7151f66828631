//! The running service: two listeners, one receiver.

use crate::config::Config;
use crate::connections::{KEEPALIVE_INTERVAL, KEEPALIVE_TIME_MAX, Listener, STREAMS_MAX};
use crate::cors;
use crate::metrics::{Metrics, Transport};
use crate::otlp::{grpc, http};
use crate::receive::Receiver;
use crate::sink::Sink;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

/// How long requests under way may take after the shutdown was asked for.
const SHUTDOWN_TIME_MAX: Duration = Duration::from_secs(5);
/// Bytes that a sender may have under way on one call and on one connection before they are read.
const STREAM_WINDOW_BYTES: u32 = 1 << 20;
const CONNECTION_WINDOW_BYTES: u32 = 4 << 20;

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
            config: self.config,
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
    config: Config,
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
            .max_concurrent_streams(STREAMS_MAX)
            .initial_stream_window_size(STREAM_WINDOW_BYTES)
            .initial_connection_window_size(CONNECTION_WINDOW_BYTES)
            .http2_keepalive_interval(Some(KEEPALIVE_INTERVAL))
            .http2_keepalive_timeout(Some(KEEPALIVE_TIME_MAX));
        let routes = tonic::service::Routes::from(grpc::router(Arc::clone(&self.receiver)));
        let metrics = &self.receiver.metrics;
        let listener = |of, transport| Listener::new(of, self.config.max_connections, transport, Arc::clone(metrics));
        let (grpc, http) = (
            listener(self.grpc, Transport::Grpc),
            listener(self.http, Transport::Http),
        );
        let stop = shutdown.clone().cancelled_owned();
        let grpc = server
            .add_routes(routes)
            .serve_with_incoming_shutdown(grpc.incoming(), stop);
        let mut router = http::router(Arc::clone(&self.receiver));
        if let Some(cors) = cors::layer(&self.config.cors_origins) {
            router = router.layer(cors);
        }
        let http = http.serve(router, shutdown.clone());
        let both = async {
            let (grpc, ()) = tokio::join!(grpc, http);
            grpc.map_err(Error::Grpc)
        };
        tokio::select! {
            outcome = both => outcome,
            () = async { shutdown.cancelled().await; tokio::time::sleep(SHUTDOWN_TIME_MAX).await } => {
                tracing::warn!("requests were still under way {SHUTDOWN_TIME_MAX:?} after the shutdown and were dropped");
                Ok(())
            }
        }
    }
}
