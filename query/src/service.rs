//! The query service: built from its configuration, bound to its address, run until told to stop.

use crate::alert::{Courier, Outbox};
use crate::config::Config;
use crate::http::{self, Shared};
use crate::live::{History, Live, Loop, Past, past};
use crate::metrics::{Metrics, MetricsWriter};
use crate::{Error, sql};
use epicenter_incident::Engine;
use epicenter_schema::DurationNs;
use epicenter_storage::{Clock, Store};
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

/// How long requests and pages under way may take to end after the service is told to stop.
const DRAIN: Duration = Duration::from_secs(3);

impl Config {
    /// Reads what is remembered of incidents below `data_dir` and puts the service together. `metrics` are appended to
    /// its own on `/metrics`; `page` answers every path that is not of the APIs.
    ///
    /// # Errors
    /// Unreadable files, or an engine that cannot be set up.
    pub fn build(
        self,
        store: Store,
        engine: Engine,
        data_dir: &Path,
        clock: Clock,
        metrics: Vec<MetricsWriter>,
        page: axum::Router,
    ) -> Result<Service, Error> {
        let own = Arc::new(Metrics::default());
        let history = History::open(data_dir.join("incidents"))?;
        own.set_incidents_open(history.open_count());
        let retention = DurationNs(i64::try_from(self.graph_retention.as_nanos()).unwrap_or(i64::MAX));
        let past = Past::open(past::folder(data_dir), retention, self.graph_bytes_max.as_u64())?;
        let live = Arc::new(Live::new(engine, history, past));
        let webhooks = &self.alert.webhooks;
        let outbox = Outbox::open(data_dir.join("outbox"), webhooks, Arc::clone(&clock), Arc::clone(&own))?;
        let outbox = Arc::new(outbox);
        let courier = Courier::new(Arc::clone(&outbox))?;
        let watch = Loop {
            live: Arc::clone(&live),
            outbox: Arc::clone(&outbox),
            metrics: Arc::clone(&own),
            clock: Arc::clone(&clock),
            lateness: self.lateness,
            adopted: Vec::new(),
        };
        let sql = Arc::new(sql::Sql::new(&self, store.clone(), Arc::clone(&live))?);
        let shared = Shared {
            store: store.clone(),
            live,
            sql,
            outbox,
            metrics: own,
            extra: metrics.into(),
            clock,
        };
        Ok(Service {
            address: self.http,
            timeout: self.timeout,
            store,
            shared,
            courier,
            watch,
            page,
        })
    }
}

/// The service, not yet listening.
pub struct Service {
    address: SocketAddr,
    timeout: Duration,
    store: Store,
    shared: Shared,
    courier: Courier,
    watch: Loop,
    page: axum::Router,
}

impl Service {
    /// Takes the address.
    ///
    /// # Errors
    /// The address is taken or not ours.
    pub async fn bind(self) -> Result<Bound, Error> {
        let failed = |source| Error::Bind {
            address: self.address,
            source,
        };
        let listener = TcpListener::bind(self.address).await.map_err(failed)?;
        let http = listener.local_addr().map_err(failed)?;
        Ok(Bound {
            service: self,
            listener,
            http,
        })
    }
}

/// The service, listening.
pub struct Bound {
    service: Service,
    listener: TcpListener,
    http: SocketAddr,
}

impl Bound {
    /// Where the web page and the APIs are served.
    pub fn http(&self) -> SocketAddr {
        self.http
    }

    /// Serves until told to stop, then lets requests and pages under way end for a few seconds.
    ///
    /// # Errors
    /// The listener failed, or a task panicked.
    pub async fn run(self, shutdown: CancellationToken) -> Result<(), Error> {
        let Service {
            store,
            shared,
            courier,
            watch,
            page,
            timeout,
            ..
        } = self.service;
        // Ends the other parts too when one of them ends by itself.
        let stop = shutdown.child_token();
        let (tail, stopped) = (store.tail(), stop.clone());
        let mut watching = tokio::task::spawn_blocking(move || {
            tokio::runtime::Handle::current().block_on(watch.run(tail, stopped));
        });
        let mut delivering = tokio::spawn(courier.run(stop.clone()));
        let app = http::router(shared, page, timeout, stop.clone());
        let stopped = stop.clone().cancelled_owned();
        let mut serving = tokio::spawn(async move {
            axum::serve(self.listener, app)
                .with_graceful_shutdown(stopped)
                .await
                .map_err(Error::Serve)
        });
        let served = tokio::select! {
            () = stop.cancelled() => None,
            ended = &mut watching => { ended.map_err(Error::Task)?; None }
            ended = &mut delivering => { ended.map_err(Error::Task)?; None }
            ended = &mut serving => Some(ended.map_err(Error::Task)?),
        };
        stop.cancel();
        tokio::join!(drain(watching), drain(delivering), drain(serving));
        served.unwrap_or(Ok(()))
    }
}

/// Waits for a task to end, for a while. An open page in a browser keeps its connection: it is cut off.
async fn drain<T>(mut task: JoinHandle<T>) {
    if !task.is_finished() && tokio::time::timeout(DRAIN, &mut task).await.is_err() {
        task.abort();
    }
}
