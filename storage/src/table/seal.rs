//! Committing: spans from memory into a segment, and segments out of the table. One task commits at a time.

use super::filters::Filters;
use super::manifest::Manifest;
use super::objects::Objects;
use super::segment::{PREFIX, Segment, SegmentMeta, path_of};
use super::write::write;
use crate::Error;
use crate::catalog::Catalog;
use crate::metrics::Counters;
use crate::view::{Unsealed, View};
use epicenter_schema::Timestamp;
use object_store::PutMode;
use object_store::path::Path;
use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// How long a segment that the table no longer lists is kept at least, for readers that do not count, such as those of
/// another process.
const DELETE_GRACE: Duration = Duration::from_secs(60);
/// Most segments that one commit may drop.
const DROPS_MAX: usize = 1_000;

/// The one who commits.
#[derive(Debug)]
pub(crate) struct Committer {
    objects: Objects,
    view: Arc<View>,
    catalog: Arc<Catalog>,
    counters: Arc<Counters>,
    filters: Arc<Filters>,
    /// The newest committed manifest.
    manifest: Manifest,
    next_version: u64,
    /// A manifest whose commit failed: whether it went through is not known until it is tried again.
    undecided: Option<Undecided>,
    /// Version of the catalogue that was written last.
    catalog_version: u64,
    /// Segments that are dropped and not deleted yet, since when.
    dropped: Vec<(Instant, Arc<Segment>)>,
}

#[derive(Debug)]
struct Undecided {
    manifest: Manifest,
    segments: Vec<Arc<Segment>>,
    sealed: usize,
}

impl Committer {
    pub(crate) fn new(
        objects: Objects,
        view: Arc<View>,
        catalog: Arc<Catalog>,
        counters: Arc<Counters>,
        filters: Arc<Filters>,
        manifest: Manifest,
        next_version: u64,
    ) -> Self {
        Self {
            objects,
            view,
            catalog,
            counters,
            filters,
            manifest,
            next_version,
            undecided: None,
            catalog_version: 0,
            dropped: Vec::new(),
        }
    }

    /// Everything up to this record is in segments.
    pub(crate) fn sealed_through(&self) -> u64 {
        self.manifest.sealed_through
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
        let version = self.next_version;
        let (first_sequence, last_sequence) = (first.sequence, last.sequence);
        let received_min = records.iter().map(|record| record.received.0).min().unwrap_or_default();
        let received_max = records.iter().map(|record| record.received.0).max().unwrap_or_default();
        let sealed = records.len();
        let path = path_of(version);
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
        let location = Path::from(meta.path.as_str());
        self.objects.put(&location, written.bytes, PutMode::Overwrite).await?;

        let (rows, bytes) = (meta.rows, meta.bytes);
        let mut segments = self.view.segments().to_vec();
        segments.push(Arc::new(Segment::new(meta)));
        self.commit(last_sequence, segments, sealed).await?;
        self.counters.sealed_spans.add(rows);
        self.counters.sealed_bytes.add(bytes);
        self.counters.seal.observe(started.elapsed());
        Ok(())
    }

    /// Drops the segments whose newest record was received before `cutoff`.
    ///
    /// # Errors
    /// When the commit fails; it may be tried again.
    pub(crate) async fn retain(&mut self, cutoff: Timestamp) -> Result<(), Error> {
        self.settle().await?;
        self.catalog.expire(cutoff);
        let all = self.view.segments();
        let expired: Vec<_> = all
            .iter()
            .filter(|segment| segment.received_max() < cutoff)
            .take(DROPS_MAX)
            .cloned()
            .collect();
        if expired.is_empty() {
            return Ok(());
        }
        let kept = all
            .iter()
            .filter(|segment| !expired.iter().any(|gone| Arc::ptr_eq(gone, segment)))
            .cloned()
            .collect();
        self.commit(self.manifest.sealed_through, kept, 0).await?;
        let spans = expired.iter().map(|segment| segment.meta.rows).sum();
        tracing::info!(
            segments = expired.len(),
            spans,
            "dropped what is older than the retention"
        );
        self.counters.expired_spans.add(spans);
        let now = Instant::now();
        self.dropped.extend(expired.into_iter().map(|segment| (now, segment)));
        Ok(())
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

    /// Deletes what a crash left behind: segments and catalogues that the newest manifest does not list.
    ///
    /// # Errors
    /// When the object store refuses.
    pub(crate) async fn delete_orphans(&self) -> Result<(), Error> {
        let listed: BTreeSet<_> = self.manifest.segments.iter().map(|meta| meta.path.as_str()).collect();
        for prefix in [PREFIX, super::catalog::PREFIX] {
            for object in self.objects.list(&Path::from(prefix)).await? {
                let path = object.location.as_ref();
                if !listed.contains(path) && self.manifest.catalog.as_deref() != Some(path) {
                    tracing::info!(path, "deleted what an unfinished commit left behind");
                    self.objects.delete(&object.location).await?;
                }
            }
        }
        Ok(())
    }

    async fn commit(&mut self, sealed_through: u64, segments: Vec<Arc<Segment>>, sealed: usize) -> Result<(), Error> {
        let version = self.next_version;
        let catalog = match self.catalog.changed_since(self.catalog_version) {
            None => self.manifest.catalog.clone(),
            Some((changed, entries)) => {
                let path = super::catalog::write(&self.objects, version, entries).await?;
                self.catalog_version = changed;
                Some(path)
            }
        };
        let manifest = Manifest {
            version,
            sealed_through,
            catalog,
            segments: segments.iter().map(|segment| segment.meta.clone()).collect(),
            ..Manifest::empty()
        };
        self.undecided = Some(Undecided {
            manifest,
            segments,
            sealed,
        });
        self.settle().await?;
        Ok(())
    }

    /// Brings the commit under way to its end, if there is one. True when there was.
    async fn settle(&mut self) -> Result<bool, Error> {
        let Some(undecided) = &self.undecided else {
            return Ok(false);
        };
        match undecided.manifest.commit(&self.objects).await {
            Ok(()) => {}
            Err(error @ Error::Conflict { .. }) => {
                // It is certain that it did not go through, and its number is taken.
                self.undecided = None;
                self.next_version += 1;
                return Err(error);
            }
            Err(error) => return Err(error),
        }
        let Some(Undecided {
            manifest,
            segments,
            sealed,
        }) = self.undecided.take()
        else {
            return Ok(false);
        };
        self.view.commit(segments, sealed);
        let superseded = std::mem::replace(&mut self.manifest, manifest).catalog;
        self.next_version = self.manifest.version + 1;
        self.counters.commits.add(1);
        self.clean(superseded).await;
        Ok(true)
    }

    /// Deletes what the commit superseded. A failure leaves something lying about and nothing else.
    async fn clean(&self, superseded: Option<String>) {
        if let Err(error) = self.manifest.clean(&self.objects).await {
            tracing::warn!(%error, "could not delete old manifests");
        }
        let Some(path) = superseded.filter(|path| Some(path) != self.manifest.catalog.as_ref()) else {
            return;
        };
        if let Err(error) = self.objects.delete(&Path::from(path)).await {
            tracing::warn!(%error, "could not delete an old catalogue");
        }
    }
}
