//! Opening the store: lock, manifest, log, in that order; then the writing thread starts.

use crate::catalog::Catalog;
use crate::lock::DirLock;
use crate::log::{self, Disk, Files, Index, Queue, Writer};
use crate::metrics::Counters;
use crate::store::{Inner, Store};
use crate::table::{self, Commits, Committer, Filters, Objects};
use crate::tail::Tails;
use crate::view::{Unsealed, View};
use crate::{Clock, Config, Decoder, Error, Service};
use bytes::Bytes;
use epicenter_schema::{FlatBatch, SpanBatch};
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use tokio_util::sync::CancellationToken;

/// What tests replace.
pub(crate) struct Parts {
    pub(crate) files: Arc<dyn Files>,
    pub(crate) log_segment_bytes: u64,
    pub(crate) wrap_objects: Box<dyn FnOnce(Objects) -> Objects + Send>,
}

impl Default for Parts {
    fn default() -> Self {
        Self {
            files: Arc::new(Disk),
            log_segment_bytes: log::SEGMENT_BYTES,
            wrap_objects: Box::new(|objects| objects),
        }
    }
}

impl Config {
    /// Opens the store in `data_dir`, which is created when absent, and reads back what was acknowledged and not yet
    /// sealed. Appends and queries work at once; sealing starts with [`Service::run`]. The clock tells when records
    /// are received, and what is old.
    ///
    /// # Errors
    /// [`Error::Locked`] when another process has the folder open; else what the disk or the manifest say. Damage in
    /// the log is no reason not to open; a file of it that cannot be read is.
    pub async fn build(self, data_dir: &Path, decoder: Decoder, clock: Clock) -> Result<(Store, Service), Error> {
        self.build_with(data_dir, decoder, clock, Parts::default()).await
    }

    pub(crate) async fn build_with(
        self,
        data_dir: &Path,
        decoder: Decoder,
        clock: Clock,
        parts: Parts,
    ) -> Result<(Store, Service), Error> {
        let log_dir = data_dir.join("log");
        std::fs::create_dir_all(&log_dir).map_err(Error::io("create", &log_dir))?;
        let lock = DirLock::take(data_dir)?;
        let objects = (parts.wrap_objects)(Objects::open(&self, data_dir)?);
        let Restored {
            committer,
            view,
            catalog,
            counters,
            filters,
            recovered,
        } = restore(&self, &log_dir, &objects, &decoder).await?;

        let next = recovered.next.max(committer.sealed_through() + 1);
        let (index, queue) = (Arc::new(Index::new(recovered.segments)), Arc::new(Queue::default()));
        let thread = spawn(Writer {
            dir: log_dir,
            files: parts.files,
            segment_bytes: parts.log_segment_bytes,
            index: Arc::clone(&index),
            queue: Arc::clone(&queue),
            view: Arc::clone(&view),
            catalog: Arc::clone(&catalog),
            counters: Arc::clone(&counters),
            clock: Arc::clone(&clock),
            next,
            salt: log::Salt(table::random() as u32 | 1),
        })?;
        let store = Store {
            inner: Arc::new(Inner {
                config: self,
                name: committer.name().to_owned(),
                spans: Arc::new(table::Spans::new(Arc::clone(&view), Arc::clone(&filters))),
                view,
                catalog,
                counters,
                index,
                queue,
                tails: Tails::default(),
                filters,
                decoder,
                clock,
                closed: CancellationToken::new(),
                writer: Mutex::new(Some(thread)),
                _lock: lock,
            }),
        };
        let service = Service::new(store.clone(), committer);
        Ok((store, service))
    }
}

/// The table and the log as they were found, brought together.
struct Restored {
    committer: Committer,
    view: Arc<View>,
    catalog: Arc<Catalog>,
    counters: Arc<Counters>,
    filters: Arc<Filters>,
    recovered: log::Recovered,
}

/// Reads the manifest, deletes what an unfinished commit left behind, and replays the log from where the table ends.
async fn restore(config: &Config, log_dir: &Path, objects: &Objects, decoder: &Decoder) -> Result<Restored, Error> {
    let commits = Commits::open(objects.clone(), table::writer_of(log_dir)?).await?;
    let version = commits.version();
    let mut entries = Vec::new();
    for path in version.writers.values().filter_map(|writer| writer.catalog.as_deref()) {
        entries.extend(table::catalog::read(objects, path).await);
    }
    let counters = Arc::new(Counters::default());
    let catalog = Arc::new(Catalog::restore(entries));
    let filters = Arc::new(Filters::new(objects.clone(), Arc::clone(&counters)));
    let view = Arc::new(View::new(version.segments.to_vec(), config));
    let committer = Committer::new(
        objects.clone(),
        Arc::clone(&view),
        Arc::clone(&catalog),
        Arc::clone(&counters),
        Arc::clone(&filters),
        commits,
    );
    let sealed_through = committer.sealed_through();
    committer.delete_orphans().await?;

    let replay = Replay {
        log_dir: log_dir.to_owned(),
        sealed_through,
        decoder: Arc::clone(decoder),
        catalog: Arc::clone(&catalog),
        counters: Arc::clone(&counters),
    };
    let replayed = tokio::task::spawn_blocking(move || replay.run()).await;
    let (recovered, records) = replayed.map_err(Error::Task)??;
    view.publish(records, recovered.next.max(sealed_through + 1) - 1);
    Ok(Restored {
        committer,
        view,
        catalog,
        counters,
        filters,
        recovered,
    })
}

fn spawn(writer: Writer) -> Result<JoinHandle<()>, Error> {
    let dir = writer.dir.clone();
    std::thread::Builder::new()
        .name("log-writer".to_owned())
        .spawn(move || writer.run())
        .map_err(Error::io("start the thread that writes", dir))
}

/// Reading back what is in the log and not in the table.
struct Replay {
    log_dir: std::path::PathBuf,
    sealed_through: u64,
    decoder: Decoder,
    catalog: Arc<Catalog>,
    counters: Arc<Counters>,
}

impl Replay {
    fn run(self) -> Result<(log::Recovered, Vec<Arc<Unsealed>>), Error> {
        let mut records = Vec::new();
        let recovered = log::recover(
            &self.log_dir,
            self.sealed_through,
            &self.counters,
            |record, payload: Bytes| {
                let spans = decode(&self.decoder, &self.counters, record.sequence, &payload);
                self.counters.replayed_records.add(1);
                self.counters.replayed_spans.add(spans.len() as u64);
                if !spans.is_empty() {
                    self.catalog.learn(spans.batch(), record.received);
                    let entry = Unsealed::new(record.sequence, record.received, payload, spans);
                    records.push(Arc::new(entry));
                }
            },
        )?;
        let spans = self.counters.replayed_spans.get();
        tracing::info!(
            segments = recovered.segments.len(),
            records = records.len(),
            spans,
            "opened the log"
        );
        Ok((recovered, records))
    }
}

impl Inner {
    /// The spans of a record; none when the decoder does not understand it, which is reported.
    pub(crate) fn decode(&self, sequence: u64, payload: &[u8]) -> FlatBatch {
        decode(&self.decoder, &self.counters, sequence, payload)
    }
}

fn decode(decoder: &Decoder, counters: &Counters, sequence: u64, payload: &[u8]) -> FlatBatch {
    decoder(payload).unwrap_or_else(|error| {
        counters.log_undecodable.add(1);
        tracing::error!(
            sequence,
            error,
            "a record of the log could not be decoded, it is passed over"
        );
        FlatBatch::new(SpanBatch::empty(), Vec::new())
    })
}
