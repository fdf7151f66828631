//! The DataFusion session: read-only, limited in time, memory and rows, over `spans`, `edges`, `nodes` and
//! `incidents`.
//!
//! Queries run on threads of their own: one that keeps a core busy for seconds must not keep those who receive spans or
//! serve pages from theirs.

mod graph;
mod tables;
mod workers;
mod yielding;

use crate::Error;
use crate::config::Config;
use crate::live::Live;
use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use datafusion::error::DataFusionError;
use datafusion::execution::SessionStateBuilder;
use datafusion::execution::context::SQLOptions;
use datafusion::execution::disk_manager::{DiskManagerBuilder, DiskManagerMode};
use datafusion::execution::runtime_env::{RuntimeEnv, RuntimeEnvBuilder};
use datafusion::prelude::{DataFrame, SessionConfig, SessionContext};
use epicenter_storage::Store;
use futures::StreamExt;
use std::sync::Arc;
use std::time::Duration;
use workers::Workers;

/// Memory of the rows of one answer. They are held until they are sent.
const ANSWER_BYTES_MAX: usize = 64 << 20;
/// Functions that make much out of little, without asking for the memory: not offered.
const WITHHELD: &[&str] = &[
    "repeat",
    "lpad",
    "rpad",
    "array_repeat",
    "list_repeat",
    "array_resize",
    "list_resize",
    "range",
    "generate_series",
];

/// Why a query gives no answer.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Failure {
    /// The query is at fault.
    #[error("{0}")]
    Query(String),
    /// It needs more than it may have.
    #[error("the query needs more memory than all queries together may have: {0}")]
    Memory(String),
    /// It asks for more than can be kept in mind.
    #[error("{0}")]
    TooWide(String),
    /// It took too long.
    #[error("the query took longer than {0:?}")]
    Timeout(Duration),
    /// Something else.
    #[error("the query failed: {0}")]
    Internal(String),
}

/// The rows of an answer, cut to a number of them.
pub(crate) struct Rows {
    pub(crate) schema: SchemaRef,
    pub(crate) batches: Vec<RecordBatch>,
    /// Whether there would have been more.
    pub(crate) truncated: bool,
}

/// Runs queries.
pub(crate) struct Sql {
    workers: Workers,
    runtime: Arc<RuntimeEnv>,
    store: Store,
    live: Arc<Live>,
    timeout: Duration,
    pub(crate) rows_max: usize,
}

impl Sql {
    pub(crate) fn new(config: &Config, store: Store, live: Arc<Live>) -> Result<Self, Error> {
        let memory = usize::try_from(config.memory_max.as_u64()).unwrap_or(usize::MAX);
        // Nothing is spilled: a query that needs more memory than there is fails, and the disk is for spans.
        let no_disk = DiskManagerBuilder::default().with_mode(DiskManagerMode::Disabled);
        let runtime = RuntimeEnvBuilder::new()
            .with_memory_limit(memory, 1.0)
            .with_disk_manager_builder(no_disk);
        let runtime = runtime.build_arc().map_err(Error::Engine)?;
        let workers = Workers::start().map_err(Error::Threads)?;
        Ok(Self {
            workers,
            runtime,
            store,
            live,
            timeout: config.timeout,
            rows_max: config.rows_max,
        })
    }

    /// Runs work of a query on the threads for queries, and gives it up when it takes too long.
    pub(crate) async fn run<T, W>(self: &Arc<Self>, work: impl FnOnce(Arc<Self>) -> W) -> Result<T, Failure>
    where
        T: Send + 'static,
        W: Future<Output = Result<T, Failure>> + Send + 'static,
    {
        let running = self.workers.spawn(work(Arc::clone(self)));
        match tokio::time::timeout(self.timeout, running).await {
            Err(_) => Err(Failure::Timeout(self.timeout)),
            Ok(Err(error)) => Err(Failure::Internal(format!("its task ended early: {error}"))),
            Ok(Ok(result)) => result,
        }
    }

    /// Where the spans are.
    pub(crate) fn store(&self) -> &Store {
        &self.store
    }

    /// A session that sees the spans as they are now.
    pub(crate) fn session(&self) -> Result<SessionContext, DataFusionError> {
        let threads = self.workers.threads();
        let config = SessionConfig::new()
            .with_target_partitions(threads)
            .with_information_schema(true);
        let state = SessionStateBuilder::new()
            .with_config(config)
            .with_runtime_env(Arc::clone(&self.runtime))
            .with_default_features()
            .with_physical_optimizer_rule(Arc::new(yielding::Yielding))
            .build();
        let session = SessionContext::new_with_state(state);
        session.register_table("spans", self.store.table_provider())?;
        Ok(session)
    }

    /// Answers a query in SQL. Statements that would change anything are refused.
    pub(crate) async fn query(self: &Arc<Self>, query: String) -> Result<Rows, Failure> {
        self.run(|sql| async move {
            let session = sql.session().map_err(judge)?;
            for function in WITHHELD {
                session.deregister_udf(function);
            }
            let live = Arc::clone(&sql.live);
            let young = if graph::is_asked_for(&query) {
                let young = tokio::task::spawn_blocking(move || live.young_slots()).await;
                young.map_err(|error| Failure::Internal(error.to_string()))?
            } else {
                Vec::new()
            };
            graph::register(&session, &sql.live.past, young).await.map_err(judge)?;
            let incidents = tables::incidents(&sql.live.history.all()).map_err(judge)?;
            session.register_batch("incidents", incidents).map_err(judge)?;
            let reading = SQLOptions::new()
                .with_allow_ddl(false)
                .with_allow_dml(false)
                .with_allow_statements(false);
            let frame = session.sql_with_options(&query, reading).await.map_err(judge)?;
            sql.collect(frame, sql.rows_max).await
        })
        .await
    }

    /// The rows of a plan, up to a number of them.
    pub(crate) async fn collect(&self, frame: DataFrame, rows_max: usize) -> Result<Rows, Failure> {
        let mut stream = frame.execute_stream().await.map_err(judge)?;
        let mut rows = Rows {
            schema: stream.schema(),
            batches: Vec::new(),
            truncated: false,
        };
        let (mut room, mut bytes) = (rows_max, 0);
        while let Some(batch) = stream.next().await {
            let batch = batch.map_err(judge)?;
            if batch.num_rows() > room {
                rows.truncated = true;
                rows.batches.push(batch.slice(0, room));
                break;
            }
            bytes += size(&batch);
            if bytes > ANSWER_BYTES_MAX {
                rows.truncated = true;
                break;
            }
            room -= batch.num_rows();
            rows.batches.push(batch);
        }
        Ok(rows)
    }
}

/// Bytes that the rows themselves take, not the buffers that they share.
fn size(batch: &RecordBatch) -> usize {
    batch
        .columns()
        .iter()
        .map(|column| column.to_data().get_slice_memory_size().unwrap_or(0))
        .sum()
}

impl From<epicenter_storage::Error> for Failure {
    fn from(error: epicenter_storage::Error) -> Self {
        match error {
            epicenter_storage::Error::SearchTooWide { .. } => Self::TooWide(error.to_string()),
            other => {
                tracing::error!(error = &other as &dyn std::error::Error, "storage could not answer");
                Self::Internal(other.to_string())
            }
        }
    }
}

/// Sorts an error of the engine by whose fault it is.
pub(crate) fn judge(error: DataFusionError) -> Failure {
    let text = error.strip_backtrace();
    match error.find_root() {
        DataFusionError::ResourcesExhausted(_) => Failure::Memory(text),
        DataFusionError::SQL(..)
        | DataFusionError::Plan(_)
        | DataFusionError::SchemaError(..)
        | DataFusionError::NotImplemented(_)
        | DataFusionError::Diagnostic(..)
        | DataFusionError::ArrowError(..)
        | DataFusionError::Execution(_) => Failure::Query(text),
        _ => Failure::Internal(text),
    }
}
