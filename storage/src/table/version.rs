//! The table at one version, and the step from one version to the next: a change that says what it takes out and what
//! it puts in, so that it can be made again on top of what another writer committed in between.

use super::manifest::{Manifest, Progress, base_path_of, encode_base};
use super::objects::Objects;
use super::segment::{Segment, SegmentMeta};
use crate::Error;
use bytes::Bytes;
use hashbrown::{HashMap, HashSet};
use object_store::PutMode;
use object_store::path::Path;
use std::collections::BTreeMap;
use std::sync::Arc;

/// Most logs that feed one table. None is ever forgotten, because its writer may come back with records that are sealed.
const WRITERS_MAX: usize = 1_024;
/// Changes against the base that are always kept in the manifest, and how much more than their number squared the
/// segments may be before it is worth a new base: written twice as often it would cost more than it saves.
const CHANGES_MIN: usize = 16;
const SEGMENTS_A_SQUARED_CHANGE: usize = 2;

/// The table at one version.
#[derive(Clone, Debug, Default)]
pub(crate) struct Version {
    /// Number of its manifest; 0 before the first commit.
    pub(crate) number: u64,
    /// The logs that feed it, by the names of their writers.
    pub(crate) writers: BTreeMap<String, Progress>,
    /// Its segments, oldest first.
    pub(crate) segments: Arc<Vec<Arc<Segment>>>,
    base: Option<Arc<Base>>,
}

/// A list of segments that lies in the object store.
#[derive(Debug)]
struct Base {
    path: String,
    /// Descriptions only: a base holds no file back from being deleted.
    segments: Vec<SegmentMeta>,
}

/// What one commit does.
#[derive(Clone, Debug, Default)]
pub(crate) struct Change {
    pub(crate) add: Vec<Arc<Segment>>,
    /// Segments that go. Where something is added in their stead, all of them must still be there.
    pub(crate) remove: Vec<Arc<Segment>>,
    /// How far the writer's own log has got by it.
    pub(crate) progress: Progress,
}

/// A version as it goes to the object store.
#[derive(Debug)]
pub(super) struct Prepared {
    pub(super) manifest: Bytes,
    /// A new base, to be put before the manifest that names it.
    pub(super) base: Option<(String, Bytes)>,
}

impl Version {
    /// The version that a manifest describes. Segments and the base that `known` has are taken from there.
    pub(super) async fn read(manifest: Manifest, known: &Self, objects: &Objects) -> Result<Self, Error> {
        let shared: HashMap<&str, &Arc<Segment>> = known
            .segments
            .iter()
            .map(|segment| (segment.meta.path.as_str(), segment))
            .collect();
        let segment = |meta: SegmentMeta| match shared.get(meta.path.as_str()) {
            Some(segment) => Arc::clone(segment),
            None => Arc::new(Segment::new(meta)),
        };
        let base = match manifest.base {
            None => None,
            Some(path) => match known.base.as_ref().filter(|base| base.path == path) {
                Some(base) => Some(Arc::clone(base)),
                None => {
                    let segments = super::manifest::read_base(objects, &path).await?;
                    Some(Arc::new(Base { path, segments }))
                }
            },
        };
        let removed: HashSet<&str> = manifest.removed.iter().map(String::as_str).collect();
        let of_base = base.iter().flat_map(|base| &base.segments);
        let kept = of_base.filter(|meta| !removed.contains(meta.path.as_str()));
        let segments = kept.cloned().chain(manifest.added).map(segment).collect();
        Ok(Self {
            number: manifest.version,
            writers: manifest.writers,
            segments: Arc::new(segments),
            base,
        })
    }

    /// What `writer` has committed so far.
    pub(crate) fn progress(&self, writer: &str) -> Progress {
        self.writers.get(writer).cloned().unwrap_or_default()
    }

    /// Path of the base, if there is one.
    pub(super) fn base(&self) -> Option<&str> {
        self.base.as_ref().map(|base| base.path.as_str())
    }

    /// The version that a change of `writer` makes out of this one, and its bytes.
    ///
    /// # Errors
    /// [`Error::Superseded`] when segments that were to be replaced are gone; [`Error::TooManyWriters`].
    pub(super) fn apply(&self, change: &Change, writer: &str, number: u64) -> Result<(Self, Prepared), Error> {
        let remove: HashSet<&str> = change.remove.iter().map(|segment| segment.meta.path.as_str()).collect();
        let mut segments: Vec<Arc<Segment>> = Vec::with_capacity(self.segments.len() + change.add.len());
        let kept = self.segments.iter().filter(|s| !remove.contains(s.meta.path.as_str()));
        segments.extend(kept.cloned());
        if !change.add.is_empty() && segments.len() + remove.len() != self.segments.len() {
            return Err(Error::Superseded);
        }
        segments.extend(change.add.iter().cloned());
        let mut writers = self.writers.clone();
        writers.insert(writer.to_owned(), change.progress.clone());
        if writers.len() > WRITERS_MAX {
            return Err(Error::TooManyWriters { limit: WRITERS_MAX });
        }
        let mut next = Self {
            number,
            writers,
            segments: Arc::new(segments),
            base: self.base.clone(),
        };
        let (mut removed, mut added) = next.changes();
        let changes = removed.len() + added.len();
        let mut base = None;
        if changes > CHANGES_MIN && changes * changes > SEGMENTS_A_SQUARED_CHANGE * next.segments.len() {
            let path = base_path_of(number, writer, change.progress.session);
            let metas: Vec<SegmentMeta> = next.segments.iter().map(|segment| segment.meta.clone()).collect();
            base = Some((path.clone(), encode_base(&Path::from(path.as_str()), metas.clone())?));
            next.base = Some(Arc::new(Base { path, segments: metas }));
            (removed, added) = (Vec::new(), Vec::new());
        }
        let named = next.base().map(str::to_owned);
        let manifest = Manifest::new(number, next.writers.clone(), named, removed, added).encode()?;
        Ok((next, Prepared { manifest, base }))
    }

    /// The segments against the base: paths that went, and what came.
    fn changes(&self) -> (Vec<String>, Vec<SegmentMeta>) {
        let Some(base) = &self.base else {
            return (
                Vec::new(),
                self.segments.iter().map(|segment| segment.meta.clone()).collect(),
            );
        };
        let now: HashSet<&str> = self.segments.iter().map(|segment| segment.meta.path.as_str()).collect();
        let then: HashSet<&str> = base.segments.iter().map(|meta| meta.path.as_str()).collect();
        let gone = base.segments.iter().filter(|meta| !now.contains(meta.path.as_str()));
        let come = self.segments.iter().filter(|s| !then.contains(s.meta.path.as_str()));
        (
            gone.map(|meta| meta.path.clone()).collect(),
            come.map(|segment| segment.meta.clone()).collect(),
        )
    }
}

impl Prepared {
    /// Puts the base, if there is a new one. It counts only once a manifest names it.
    pub(super) async fn put_base(&self, objects: &Objects) -> Result<(), Error> {
        match &self.base {
            None => Ok(()),
            Some((path, bytes)) => {
                let path = Path::from(path.as_str());
                objects.put(&path, bytes.clone(), PutMode::Overwrite).await
            }
        }
    }
}

#[cfg(test)]
mod tests;
