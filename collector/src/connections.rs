//! Connections: how many there may be, how long one may say nothing, and how they end.
//!
//! A connection beyond the bound is closed at once and counted: the senders that are there are served on, and the one
//! that was turned away tries again, as OTLP exporters do when they cannot connect.

use crate::metrics::{Metrics, Transport};
use axum::Router;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto;
use hyper_util::service::TowerToHyperService;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use tonic::transport::server::{Connected, TcpConnectInfo};

/// Time from the end of one request to the whole head of the next. Exporters send every few seconds; one that sends more
/// rarely connects again.
const HEAD_TIME_MAX: Duration = Duration::from_secs(90);
/// Silence after which an HTTP/2 connection is asked whether it is still there, and how long the answer may take.
pub(crate) const KEEPALIVE_INTERVAL: Duration = Duration::from_secs(60);
pub(crate) const KEEPALIVE_TIME_MAX: Duration = Duration::from_secs(20);
/// Calls at once on one HTTP/2 connection.
pub(crate) const STREAMS_MAX: u32 = 128;
/// Pause after the system could not accept, which mostly means that it has no file descriptor left.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// A listener with so much room for connections.
pub(crate) struct Listener {
    inner: TcpListener,
    room: Arc<Semaphore>,
    transport: Transport,
    metrics: Arc<Metrics>,
}

impl Listener {
    pub(crate) fn new(inner: TcpListener, room: usize, transport: Transport, metrics: Arc<Metrics>) -> Self {
        Self {
            inner,
            room: Arc::new(Semaphore::new(room.min(Semaphore::MAX_PERMITS))),
            transport,
            metrics,
        }
    }

    /// The next connection for which there is room.
    pub(crate) async fn accept(&self) -> Connection {
        loop {
            let stream = match self.inner.accept().await {
                Ok((stream, _)) => stream,
                Err(error) => {
                    tracing::warn!(%error, "could not accept a connection");
                    tokio::time::sleep(ACCEPT_PAUSE).await;
                    continue;
                }
            };
            let Ok(permit) = Arc::clone(&self.room).try_acquire_owned() else {
                self.metrics.connection_refused(self.transport);
                continue;
            };
            // A request and its answer are small: waiting to fill packets helps nobody.
            if let Err(error) = stream.set_nodelay(true) {
                tracing::debug!(%error, "a connection was gone before it began");
                continue;
            }
            return Connection {
                stream,
                _permit: permit,
            };
        }
    }

    /// The connections one after the other, as tonic takes them.
    pub(crate) fn incoming(self) -> impl futures::Stream<Item = io::Result<Connection>> {
        futures::stream::unfold(self, async |listener| Some((Ok(listener.accept().await), listener)))
    }

    /// Serves HTTP/1.1 and HTTP/2 until `shutdown`, then until the requests under way are answered.
    pub(crate) async fn serve(self, router: Router, shutdown: CancellationToken) {
        let mut builder = auto::Builder::new(TokioExecutor::new());
        builder
            .http1()
            .timer(TokioTimer::new())
            .header_read_timeout(HEAD_TIME_MAX);
        builder
            .http2()
            .timer(TokioTimer::new())
            .keep_alive_interval(KEEPALIVE_INTERVAL)
            .keep_alive_timeout(KEEPALIVE_TIME_MAX)
            .max_concurrent_streams(STREAMS_MAX);
        let mut open = JoinSet::new();
        loop {
            let connection = tokio::select! {
                connection = self.accept() => connection,
                () = shutdown.cancelled() => break,
            };
            while open.try_join_next().is_some() {}
            let (builder, router, shutdown) = (builder.clone(), router.clone(), shutdown.clone());
            open.spawn(async move {
                let serving = builder.serve_connection(TokioIo::new(connection), TowerToHyperService::new(router));
                tokio::pin!(serving);
                let served = tokio::select! {
                    served = serving.as_mut() => served,
                    () = shutdown.cancelled() => {
                        serving.as_mut().graceful_shutdown();
                        serving.await
                    }
                };
                if let Err(error) = served {
                    tracing::debug!(%error, "a connection ended early");
                }
            });
        }
        while open.join_next().await.is_some() {}
    }
}

/// A connection and the room that it takes.
pub(crate) struct Connection {
    stream: TcpStream,
    _permit: OwnedSemaphorePermit,
}

impl Connected for Connection {
    type ConnectInfo = TcpConnectInfo;

    fn connect_info(&self) -> TcpConnectInfo {
        self.stream.connect_info()
    }
}

impl AsyncRead for Connection {
    fn poll_read(mut self: Pin<&mut Self>, context: &mut Context<'_>, into: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(context, into)
    }
}

impl AsyncWrite for Connection {
    fn poll_write(mut self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(context, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        parts: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write_vectored(context, parts)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }
}
