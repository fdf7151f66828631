//! A running service, and a client of it.

use crate::spans::{START, Span, decode, payload};
use axum::Router;
use epicenter_incident::Engine;
use epicenter_query::{Bound, Config};
use epicenter_schema::Timestamp;
use epicenter_storage::{Clock, Store};
use reqwest::StatusCode;
use serde_json::Value;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering::SeqCst};
use std::time::Duration;
use tempfile::TempDir;
use tokio::task::JoinHandle;
use tokio_util::sync::{CancellationToken, DropGuard};

/// How long a condition is waited for.
const PATIENCE: Duration = Duration::from_secs(30);
/// Spans after which the store seals, so that tests with more see both halves of it.
pub(crate) const SEAL_SPANS: usize = 100;

pub(crate) struct Server {
    pub(crate) dir: TempDir,
    pub(crate) http: SocketAddr,
    pub(crate) store: Store,
    /// The wall clock, in nanoseconds since 1970.
    pub(crate) now: Arc<AtomicI64>,
    client: reqwest::Client,
    config: Config,
    /// Stops it, also when a test fails.
    stop: DropGuard,
    tasks: Vec<JoinHandle<()>>,
}

impl Server {
    pub(crate) async fn start(config: Config) -> Self {
        let dir = TempDir::new().expect("a folder");
        Self::start_in(dir, config, Arc::new(AtomicI64::new(START))).await
    }

    async fn start_in(dir: TempDir, mut config: Config, now: Arc<AtomicI64>) -> Self {
        config.http = "127.0.0.1:0".parse().expect("an address");
        config.validate().expect("valid");
        let stop = CancellationToken::new();
        let (store, bound, storage) = open(dir.path(), config.clone(), &now).await;
        let http = bound.http();
        let (token, storage_token) = (stop.clone(), stop.clone());
        let tasks = vec![
            tokio::spawn(async move { bound.run(token).await.expect("runs") }),
            tokio::spawn(async move { storage.run(storage_token).await.expect("runs") }),
        ];
        Self {
            dir,
            http,
            store,
            now,
            client: reqwest::Client::new(),
            config,
            stop: stop.drop_guard(),
            tasks,
        }
    }

    /// Stops it, and starts another one on the same folder.
    pub(crate) async fn restart(self) -> Self {
        let Self {
            dir,
            now,
            config,
            stop,
            tasks,
            store,
            ..
        } = self;
        stop.disarm().cancel();
        drop(store);
        for task in tasks {
            task.await.expect("stops cleanly");
        }
        Self::start_in(dir, config, now).await
    }

    pub(crate) async fn append(&self, spans: &[Span]) {
        let payload = payload(spans);
        let spans = decode(&payload).expect("decodes");
        self.store.append(payload, spans).await.expect("kept");
    }

    pub(crate) fn request(&self, method: reqwest::Method, path: &str) -> reqwest::RequestBuilder {
        self.client.request(method, format!("http://{}{path}", self.http))
    }

    /// Status and JSON.
    pub(crate) async fn answer(&self, request: reqwest::RequestBuilder) -> (StatusCode, Value) {
        let answer = request.send().await.expect("an answer");
        let status = answer.status();
        let text = answer.text().await.expect("a body");
        (
            status,
            serde_json::from_str(&text).unwrap_or_else(|error| panic!("{status} {error}: {text}")),
        )
    }

    pub(crate) async fn try_get(&self, path: &str) -> (StatusCode, Value) {
        self.answer(self.request(reqwest::Method::GET, path)).await
    }

    pub(crate) async fn get(&self, path: &str) -> Value {
        let (status, body) = self.try_get(path).await;
        assert_eq!(status, StatusCode::OK, "{path}: {body}");
        body
    }

    pub(crate) async fn try_sql(&self, query: &str) -> (StatusCode, Value) {
        let request = self.request(reqwest::Method::POST, "/api/v1/sql");
        self.answer(request.json(&serde_json::json!({ "query": query }))).await
    }

    pub(crate) async fn sql(&self, query: &str) -> Value {
        let (status, body) = self.try_sql(query).await;
        assert_eq!(status, StatusCode::OK, "{query}: {body}");
        body
    }

    /// The sum of all samples of a metric.
    pub(crate) async fn metric(&self, name: &str) -> f64 {
        let answer = self
            .request(reqwest::Method::GET, "/metrics")
            .send()
            .await
            .expect("an answer");
        let text = answer.text().await.expect("a body");
        let samples = text.lines().filter(|line| line.starts_with(name));
        samples
            .filter_map(|line| line.rsplit(' ').next()?.parse::<f64>().ok())
            .sum()
    }
}

async fn open(dir: &Path, config: Config, now: &Arc<AtomicI64>) -> (Store, Bound, epicenter_storage::Service) {
    let now = Arc::clone(now);
    let clock: Clock = Arc::new(move || Timestamp(now.load(SeqCst)));
    let keep = epicenter_storage::Config {
        seal_after: Duration::from_secs(3600),
        seal_spans: SEAL_SPANS,
        ..epicenter_storage::Config::default()
    };
    let (store, storage) = keep
        .build(dir, Arc::new(decode), Arc::clone(&clock))
        .await
        .expect("opens");
    let kept = store.clone();
    let metrics: epicenter_query::MetricsWriter = Arc::new(move |out| kept.metrics().write_prometheus(out));
    let page = Router::new().fallback(async || "the page");
    let engine = Engine::new(epicenter_incident::Config::default());
    let service = config
        .build(store.clone(), engine, dir, clock, vec![metrics], page)
        .expect("builds");
    let bound = service.bind().await.expect("binds");
    (store, bound, storage)
}

/// Waits until it gives a value.
pub(crate) async fn wait_for<T>(what: &str, mut condition: impl AsyncFnMut() -> Option<T>) -> T {
    let waiting = async {
        loop {
            if let Some(found) = condition().await {
                return found;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(PATIENCE, waiting)
        .await
        .unwrap_or_else(|_| panic!("{what} did not happen"))
}
