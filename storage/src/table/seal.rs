//! Committing: spans from memory into a segment, and segments out of the table. One task commits at a time.

mod expiring;
mod merging;

use super::commit::Commits;
use super::compact;
use super::filters::Filters;
use super::objects::Objects;
use super::segment::{PREFIX, Segment, SegmentMeta, path_of};
use super::version::{Change, Version};
use super::write::write;
use crate::Error;
use crate::catalog::Catalog;
use crate::metrics::Counters;
use crate::view::{Unsealed, View};
use arrow::record_batch::RecordBatch;
use bytes::Bytes;
use hashbrown::HashSet;
use object_store::PutMode;
use object_store::path::Path;
use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// How long a segment that the table no longer lists is kept at least, for readers that do not count, such as those of
/// another process.
const DELETE_GRACE: Duration = Duration::from_secs(60);

/// The one who commits.
#[derive(Debug)]
pub(crate) struct Committer {
    objects: Objects,
    view: Arc<View>,
    catalog: Arc<Catalog>,
    counters: Arc<Counters>,
    filters: Arc<Filters>,
    commits: Commits,
    /// Records that the commit under way seals, if its fate is not known.
    sealing: usize,
    /// Version of the catalogue that was written last.
    catalog_version: u64,
    /// Segments of the table that cannot be merged.
    unmerged: HashSet<String>,
    /// The version that queries see.
    shown: Version,
    /// Segments that were written and may not have been committed.
    attempted: Vec<Arc<Segment>>,
    /// Segments that the commit under way drops.
    removing: Vec<Arc<Segment>>,
    /// Segments that are dropped and not deleted yet, since when.
    dropped: Vec<(Instant, Arc<Segment>)>,
    /// Files that nobody will delete, as it seemed at the last look for them, and when the next look is.
    forgotten: HashSet<Path>,
    forgotten_after: Option<Instant>,
}

impl Committer {
    pub(crate) fn new(
        objects: Objects,
        view: Arc<View>,
        catalog: Arc<Catalog>,
        counters: Arc<Counters>,
        filters: Arc<Filters>,
        commits: Commits,
    ) -> Self {
        Self {
            objects,
            view,
            catalog,
            counters,
            filters,
            sealing: 0,
            catalog_version: 0,
            unmerged: HashSet::new(),
            shown: commits.version().clone(),
            commits,
            attempted: Vec::new(),
            removing: Vec::new(),
            dropped: Vec::new(),
            forgotten: HashSet::new(),
            forgotten_after: None,
        }
    }

    /// The name under which it commits.
    pub(crate) fn name(&self) -> &str {
        self.commits.writer()
    }

    /// Everything up to this record is in segments.
    pub(crate) fn sealed_through(&self) -> u64 {
        self.commits.change().progress.sealed_through
    }

    /// Writes the records, which are the oldest unsealed ones, as a segment and commits it.
    ///
    /// # Errors
    /// When writing or committing fails; the records are then as unsealed as before and may be given again.
    pub(crate) async fn seal(&mut self, records: Vec<Arc<Unsealed>>) -> Result<(), Error> {
        if self.settle().await? {
            // What was undecided has just gone through: the given records may be sealed already.
            return Ok(());
        }
        let (Some(first), Some(last)) = (records.first(), records.last()) else {
            return Ok(());
        };
        let started = Instant::now();
        let (first_sequence, last_sequence) = (first.sequence, last.sequence);
        let received_min = records.iter().map(|record| record.received.0).min().unwrap_or_default();
        let received_max = records.iter().map(|record| record.received.0).max().unwrap_or_default();
        let sealed = records.len();
        let path = path_of(self.commits.next(), self.commits.writer());
        let written = tokio::task::spawn_blocking(move || write(&records, &path))
            .await
            .map_err(Error::Task)??;
        let meta = SegmentMeta {
            first_sequence,
            last_sequence,
            received_min,
            received_max,
            ..written.meta
        };
        let (rows, bytes) = (meta.rows, meta.bytes);
        let mut change = self.commits.change();
        change.add.push(self.put(meta, written.bytes).await?);
        change.progress.sealed_through = last_sequence;
        self.commit(change, sealed).await?;
        self.counters.sealed_spans.add(rows);
        self.counters.sealed_bytes.add(bytes);
        self.counters.seal.observe(started.elapsed());
        Ok(())
    }

    /// Writes `inputs`, which are what is to stay of the segments of `run`, as one segment in their place.
    async fn replace(&mut self, run: Vec<Arc<Segment>>, inputs: Vec<RecordBatch>) -> Result<(), Error> {
        let (path, merged) = (path_of(self.commits.next(), self.commits.writer()), run.clone());
        let written = tokio::task::spawn_blocking(move || {
            let metas: Vec<&SegmentMeta> = merged.iter().map(|segment| &segment.meta).collect();
            compact::merge(&metas, &inputs, &path)
        });
        let written = written.await.map_err(Error::Task)??;
        let mut change = self.commits.change();
        change.add.push(self.put(written.meta, written.bytes).await?);
        change.remove = run;
        self.commit(change, 0).await
    }

    /// Writes a segment that is about to be committed.
    async fn put(&mut self, meta: SegmentMeta, bytes: Bytes) -> Result<Arc<Segment>, Error> {
        let segment = Arc::new(Segment::new(meta));
        self.attempted.push(Arc::clone(&segment));
        self.objects.put(segment.location(), bytes, PutMode::Overwrite).await?;
        Ok(segment)
    }

    /// Deletes the files of dropped segments that nobody reads any more.
    pub(crate) async fn delete_dropped(&mut self, now: Instant) {
        let mut kept = Vec::new();
        for (since, segment) in std::mem::take(&mut self.dropped) {
            let read = Arc::strong_count(&segment) > 1;
            if read || now.saturating_duration_since(since) < DELETE_GRACE {
                kept.push((since, segment));
                continue;
            }
            self.filters.forget(&segment);
            if let Err(error) = self.objects.delete(segment.location()).await {
                tracing::warn!(%error, "could not delete a dropped segment, it is tried again");
                kept.push((since, segment));
            }
        }
        self.dropped = kept;
    }

    /// Deletes what a crash left behind: segments and catalogues that the newest manifest does not list. On a shared
    /// table only those of this writer, because others may be about to commit theirs.
    ///
    /// # Errors
    /// When the object store refuses.
    pub(crate) async fn delete_orphans(&self) -> Result<(), Error> {
        if !self.commits.newest() {
            return Ok(());
        }
        let version = self.commits.version();
        let catalogs = version.writers.values().filter_map(|writer| writer.catalog.as_deref());
        let segments = version.segments.iter().map(|segment| segment.meta.path.as_str());
        let listed: BTreeSet<_> = segments.chain(catalogs).collect();
        let mine = |path: &str| !self.objects.shared() || path.contains(self.commits.writer());
        for prefix in [PREFIX, super::catalog::PREFIX] {
            for object in self.objects.list(&Path::from(prefix)).await? {
                let path = object.location.as_ref();
                if mine(path) && !listed.contains(path) {
                    tracing::info!(path, "deleted what an unfinished commit left behind");
                    self.objects.delete(&object.location).await?;
                }
            }
        }
        Ok(())
    }

    /// Makes visible what other writers committed since the last look.
    ///
    /// # Errors
    /// When the object store refuses, or [`Error::Conflict`].
    pub(crate) async fn refresh(&mut self) -> Result<(), Error> {
        if self.commits.refresh().await? {
            self.show(0).await;
        }
        Ok(())
    }

    async fn commit(&mut self, mut change: Change, sealed: usize) -> Result<(), Error> {
        if let Some((changed, entries)) = self.catalog.changed_since(self.catalog_version) {
            let (number, writer) = (self.commits.next(), self.commits.writer());
            change.progress.catalog = Some(super::catalog::write(&self.objects, number, writer, entries).await?);
            self.catalog_version = changed;
        }
        let before = self.commits.version().clone();
        self.sealing = sealed;
        self.removing.clone_from(&change.remove);
        if let Err(error) = self.commits.commit(change).await {
            if matches!(error, Error::Superseded) {
                // Nothing will list the catalogue that was just written.
                self.catalog_version = 0;
                self.sealing = 0;
                self.removing.clear();
                // What came in between is known now, and says why.
                self.show(0).await;
            }
            return Err(error);
        }
        self.committed(before).await;
        Ok(())
    }

    /// Brings the commit under way to its end, if there is one. True when there was.
    async fn settle(&mut self) -> Result<bool, Error> {
        let before = self.commits.version().clone();
        let settled = self.commits.settle().await?;
        if settled {
            self.committed(before).await;
        }
        Ok(settled)
    }

    /// Shows the version that was just committed, and deletes what it superseded.
    async fn committed(&mut self, before: Version) {
        let sealed = std::mem::take(&mut self.sealing);
        self.show(sealed).await;
        let now = Instant::now();
        let removed = std::mem::take(&mut self.removing);
        self.dropped.extend(removed.into_iter().map(|segment| (now, segment)));
        self.delete_uncommitted(now).await;
        self.counters.commits.add(1);
        self.counters.rebases.add(self.commits.take_rebases());
        self.commits.clean(&before).await;
        let mine = |version: &Version| version.progress(self.commits.writer()).catalog;
        let Some(path) = mine(&before).filter(|path| Some(path) != mine(self.commits.version()).as_ref()) else {
            return;
        };
        if let Err(error) = self.objects.delete(&Path::from(path)).await {
            tracing::warn!(%error, "could not delete an old catalogue");
        }
    }

    /// Deletes what attempts that came to nothing wrote: no version ever listed it.
    async fn delete_uncommitted(&mut self, now: Instant) {
        let attempted = std::mem::take(&mut self.attempted);
        if attempted.is_empty() {
            return;
        }
        let segments = &self.commits.version().segments;
        let listed: HashSet<&str> = segments.iter().map(|segment| segment.meta.path.as_str()).collect();
        for segment in attempted {
            if !listed.contains(segment.meta.path.as_str())
                && let Err(error) = self.objects.delete(segment.location()).await
            {
                tracing::warn!(%error, "could not delete a segment that was not committed, it is tried again");
                self.dropped.push((now, segment));
            }
        }
    }

    /// Hands the newest version to the queries, without the oldest `sealed` records in memory, which are part of it.
    /// Learns the services that other writers have seen.
    async fn show(&mut self, sealed: usize) {
        let now = self.commits.version().clone();
        let before = std::mem::replace(&mut self.shown, now.clone());
        self.view.commit(now.segments.to_vec(), sealed);
        for (writer, progress) in &now.writers {
            let Some(path) = &progress.catalog else { continue };
            if writer != self.commits.writer() && before.progress(writer).catalog.as_ref() != Some(path) {
                self.catalog.merge(super::catalog::read(&self.objects, path).await);
            }
        }
    }
}
