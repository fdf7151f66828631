//! The manifests as they lie in the object store: finding the newest, and deleting what is long superseded.

use super::manifest::{BASE_PREFIX, Manifest, PREFIX, path_of, version_of};
use super::objects::Objects;
use super::version::Version;
use crate::Error;
use chrono::TimeDelta;
use object_store::path::Path;
use object_store::{Error as ObjectError, ObjectMeta};

/// Manifests that are kept beside the newest, for whoever has to look into what happened.
const OLD_KEPT: usize = 8;
/// Manifests superseded for less than this are kept too: other programs list them, and then read the newest of the list.
const SUPERSEDED_FOR: TimeDelta = TimeDelta::minutes(1);
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
    Ok(list(objects).await?.into_iter().map(|(number, _)| number).collect())
}

/// All manifests by number, ascending.
async fn list(objects: &Objects) -> Result<Vec<(u64, ObjectMeta)>, Error> {
    let listed = objects.list(&Path::from(PREFIX)).await?;
    let numbered = listed
        .into_iter()
        .filter_map(|meta| Some((version_of(&meta.location)?, meta)));
    let mut numbered: Vec<_> = numbered.collect();
    numbered.sort_unstable_by_key(|(number, _)| *number);
    Ok(numbered)
}

/// How many of these are long superseded: neither among the last [`OLD_KEPT`] nor superseded within
/// [`SUPERSEDED_FOR`] before the newest, by the clock of the store alone. They are the first ones.
fn superseded(manifests: &[(u64, ObjectMeta)], newest: u64) -> usize {
    let old = manifests.partition_point(|(number, _)| *number < newest);
    let Some(now) = manifests.get(old).map(|(_, meta)| meta.last_modified) else {
        return 0;
    };
    // What supersedes a manifest is the next one.
    let next = manifests.iter().skip(1).map(|(_, meta)| now - meta.last_modified);
    let long_ago = next.take_while(|since| *since > SUPERSEDED_FOR).count();
    long_ago.min(old.saturating_sub(OLD_KEPT))
}

/// Deletes manifests that are long superseded; with them go the bases that none of the kept ones needs, which are
/// looked for only `with_bases`.
///
/// # Errors
/// When the object store refuses; something is left lying about and nothing else.
pub(super) async fn clean(objects: &Objects, version: &Version, with_bases: bool) -> Result<(), Error> {
    let manifests = list(objects).await?;
    let (delete, kept) = manifests.split_at(superseded(&manifests, version.number));
    for (number, _) in delete {
        objects.delete(&path_of(*number)).await?;
    }
    if !with_bases {
        return Ok(());
    }
    let oldest_kept = kept.first().map_or(version.number, |(number, _)| *number);
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

#[cfg(test)]
mod tests {
    use super::*;
    use chrono::DateTime;

    /// Manifests 1, 2, ... that were made at these seconds.
    fn manifests(seconds: &[i64]) -> Vec<(u64, ObjectMeta)> {
        let meta = |(number, second): (u64, &i64)| {
            let meta = ObjectMeta {
                location: path_of(number),
                last_modified: DateTime::from_timestamp(*second, 0).expect("a time"),
                size: 1,
                e_tag: None,
                version: None,
            };
            (number, meta)
        };
        (1..).zip(seconds).map(meta).collect()
    }

    #[test]
    fn what_was_superseded_a_moment_ago_is_kept() {
        let all_at_once = manifests(&[100; 40]);
        assert_eq!(superseded(&all_at_once, 40), 0);
        let seconds: Vec<i64> = (0..100).collect();
        // 39 s is when the fortieth came: one minute before the last, so the thirty-ninth may just still be read.
        assert_eq!(superseded(&manifests(&seconds), 100), 38);
    }

    #[test]
    fn the_last_few_are_kept_however_old() {
        let seconds: Vec<i64> = (0..20).map(|number| number * 3600).collect();
        assert_eq!(superseded(&manifests(&seconds), 20), 19 - OLD_KEPT);
        assert_eq!(superseded(&manifests(&seconds[..5]), 5), 0);
        assert_eq!(superseded(&manifests(&seconds), 99), 0, "the newest is not there");
    }
}
