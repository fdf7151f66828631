//! The manifests as they lie in the object store: finding the newest, and deleting what is long superseded.

use super::manifest::{BASE_PREFIX, Manifest, PREFIX, path_of, version_of};
use super::objects::Objects;
use super::version::Version;
use crate::Error;
use object_store::Error as ObjectError;
use object_store::path::Path;

/// Manifests that are kept beside the newest, for whoever has to look into what happened.
const OLD_KEPT: usize = 8;
/// How often it is looked again when what was found is gone, because others commit and clean meanwhile.
const LOOKS_MAX: usize = 5;

/// What was found.
#[derive(Debug)]
pub(super) struct Found {
    pub(super) version: Version,
    /// The highest number that was ever seen; 0 when there is none.
    pub(super) last: u64,
    /// False when a newer manifest was there and is damaged: then nothing may be deleted that this one does not list.
    pub(super) newest: bool,
}

/// Reads the newest valid manifest, with what `known` already has.
///
/// # Errors
/// When there are manifests and none is valid, or one is of a later format than this release knows.
pub(super) async fn newest(objects: &Objects, writer: &str, known: &Version) -> Result<Found, Error> {
    for _ in 1..LOOKS_MAX {
        match look(objects, writer, known).await {
            Err(Error::Object {
                source: ObjectError::NotFound { .. },
                ..
            }) => {}
            other => return other,
        }
    }
    look(objects, writer, known).await
}

async fn look(objects: &Objects, writer: &str, known: &Version) -> Result<Found, Error> {
    let numbers = numbers(objects).await?;
    let last = numbers.last().copied().unwrap_or(0);
    let mut first_failure = None;
    for number in numbers.iter().rev() {
        let path = path_of(*number);
        let bytes = objects.get(&path).await?;
        let read = match Manifest::decode(&path, &bytes, writer) {
            Ok(manifest) => Version::read(manifest, known, objects).await,
            Err(error) => Err(error),
        };
        match read {
            Ok(version) => {
                return Ok(Found {
                    version,
                    last,
                    newest: first_failure.is_none(),
                });
            }
            Err(error @ Error::Manifest { .. }) => {
                tracing::error!(%error, "passed over a manifest, falling back to the one before");
                first_failure.get_or_insert(error);
            }
            Err(error) => return Err(error),
        }
    }
    match first_failure {
        Some(error) if last > 1 || numbers.len() > 1 => Err(error),
        // The very first commit was torn: the log still has everything.
        _ => Ok(Found {
            version: Version::default(),
            last,
            newest: first_failure.is_none(),
        }),
    }
}

/// The numbers of all manifests, ascending.
pub(super) async fn numbers(objects: &Objects) -> Result<Vec<u64>, Error> {
    let listed = objects.list(&Path::from(PREFIX)).await?;
    let mut numbers: Vec<u64> = listed.iter().filter_map(|meta| version_of(&meta.location)).collect();
    numbers.sort_unstable();
    Ok(numbers)
}

/// Deletes manifests that are long superseded, of those that were listed; with them go the bases that none of the
/// kept ones needs, which are looked for only `with_bases`.
///
/// # Errors
/// When the object store refuses; something is left lying about and nothing else.
pub(super) async fn clean(
    objects: &Objects,
    version: &Version,
    numbers: &[u64],
    with_bases: bool,
) -> Result<(), Error> {
    let old = numbers.partition_point(|number| *number < version.number);
    let (delete, kept) = numbers[..old].split_at(old.saturating_sub(OLD_KEPT));
    for number in delete {
        objects.delete(&path_of(*number)).await?;
    }
    if !with_bases {
        return Ok(());
    }
    let oldest_kept = kept.first().copied().unwrap_or(version.number);
    let bases = objects.list(&Path::from(BASE_PREFIX)).await?;
    let number = |path: &Path| version_of(path).unwrap_or(u64::MAX);
    // The last one before the oldest kept manifest is the one that this manifest needs.
    let needed = bases.iter().map(|meta| number(&meta.location));
    let needed = needed.filter(|number| *number <= oldest_kept).max().unwrap_or(0);
    for meta in &bases {
        if number(&meta.location) < needed && version.base() != Some(meta.location.as_ref()) {
            objects.delete(&meta.location).await?;
        }
    }
    Ok(())
}
