//! Committing that spans go because of their age, or of the size of the table.

use super::super::compact;
use super::super::retain::{self, Retention, Verdict};
use super::Committer;
use crate::Error;
use crate::table::Segment;
use crate::table::segment::PREFIX;
use arrow::record_batch::RecordBatch;
use epicenter_schema::Timestamp;
use hashbrown::HashSet;
use object_store::ObjectMeta;
use object_store::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// Most segments that one commit may drop.
const DROPS_MAX: usize = 1_000;
/// Most segments that are written again in one look at what is too old.
const TRIMS_MAX: usize = 8;
/// Time between two looks for files that nobody will delete.
const FORGOTTEN_INTERVAL: Duration = Duration::from_secs(3600);
/// Most of them that are deleted in one look.
const FORGOTTEN_MAX: usize = 1_000;

impl Committer {
    /// Drops what is older than it is to be kept, or too much. Segments of which only some services are too old are
    /// written again without them, a few at a time.
    ///
    /// # Errors
    /// When reading, writing or committing fails; it may be tried again.
    pub(crate) async fn retain(&mut self, retention: &Retention, now: Timestamp) -> Result<(), Error> {
        self.settle().await?;
        self.catalog.expire(retention.cutoff(now));
        let mut expired = retention.dropped(&self.view.segments(), now);
        expired.truncate(DROPS_MAX);
        if !expired.is_empty() {
            match self.drop_segments(expired).await {
                // Somebody else dropped some of them meanwhile: the next look sees what is left.
                Err(Error::Superseded) => {}
                other => other?,
            }
        }
        for _ in 0..TRIMS_MAX {
            if !self.trim(retention, now).await? {
                break;
            }
        }
        Ok(())
    }

    /// Deletes segments of a shared table that no version lists, that were written so long ago that nothing in them is to be
    /// kept any more, and that were so at the last look as well. A writer deletes what it dropped itself; this is for those
    /// that died before they did, and never came back. Between two looks whoever still reads a segment is done, and whoever
    /// was about to commit one has.
    ///
    /// # Errors
    /// When the object store refuses.
    pub(crate) async fn delete_forgotten(
        &mut self,
        retention: &Retention,
        at: Timestamp,
        now: Instant,
    ) -> Result<(), Error> {
        if !self.objects.shared() || !self.commits.newest() || self.forgotten_after.is_some_and(|after| now < after) {
            return Ok(());
        }
        self.forgotten_after = Some(now + FORGOTTEN_INTERVAL);
        let cutoff = retention.cutoff(at);
        let segments = &self.commits.version().segments;
        let listed: HashSet<&str> = segments.iter().map(|segment| segment.meta.path.as_str()).collect();
        let written = |object: &ObjectMeta| Timestamp(object.last_modified.timestamp_nanos_opt().unwrap_or(i64::MAX));
        let objects = self.objects.list(&Path::from(PREFIX)).await?;
        let mine: HashSet<&str> = self
            .dropped
            .iter()
            .map(|(_, segment)| segment.meta.path.as_str())
            .collect();
        let is_forgotten = |object: &&ObjectMeta| {
            let path = object.location.as_ref();
            !listed.contains(path) && !mine.contains(path) && written(object) < cutoff
        };
        let forgotten = objects.iter().filter(is_forgotten).take(FORGOTTEN_MAX);
        let (again, seen): (Vec<Path>, Vec<Path>) = forgotten
            .map(|object| object.location.clone())
            .partition(|path| self.forgotten.contains(path));
        self.forgotten = seen.into_iter().collect();
        for path in again {
            tracing::info!(path = path.as_ref(), "deleted a segment that nobody lists");
            self.objects.delete(&path).await?;
        }
        Ok(())
    }

    /// Writes one of this writer's segments again without the services that are too old. False when there is none.
    async fn trim(&mut self, retention: &Retention, now: Timestamp) -> Result<bool, Error> {
        let writer = self.commits.writer();
        let trimmed = self.view.segments().iter().find_map(|segment| {
            let verdict = retention.verdict(&segment.meta, now);
            match verdict {
                Verdict::Trim(services) if segment.is_of(writer) => Some((Arc::clone(segment), services)),
                _ => None,
            }
        });
        let Some((segment, services)) = trimmed else {
            return Ok(false);
        };
        let mut inputs = compact::read(&segment, &self.filters).await?;
        for input in &mut inputs {
            *input = retain::without(input, &services).map_err(|source| Error::Columns {
                path: segment.meta.path.clone(),
                source,
            })?;
        }
        let left: usize = inputs.iter().map(RecordBatch::num_rows).sum();
        self.counters.expired_spans.add(segment.meta.rows - left as u64);
        match self.replace(vec![segment], inputs).await {
            // Somebody else dropped it meanwhile.
            Err(Error::Superseded) => Ok(false),
            other => other.map(|()| true),
        }
    }

    async fn drop_segments(&mut self, expired: Vec<Arc<Segment>>) -> Result<(), Error> {
        let mut change = self.commits.change();
        change.remove.clone_from(&expired);
        self.commit(change, 0).await?;
        let spans = expired.iter().map(|segment| segment.meta.rows).sum();
        tracing::info!(
            segments = expired.len(),
            spans,
            "dropped what is older than the retention, or too much"
        );
        self.counters.expired_spans.add(spans);
        Ok(())
    }
}
