//! The manifest: which segments the table consists of and up to which record of the log it reaches. Every commit writes
//! the next numbered manifest whole, by conditional put; the newest valid one is the table. See docs/formats/table.md.

use super::objects::Objects;
use super::segment::SegmentMeta;
use crate::Error;
use bytes::Bytes;
use object_store::path::Path;
use object_store::{Error as ObjectError, PutMode};
use serde::{Deserialize, Serialize};

/// Name of the format, in every manifest.
const FORMAT: &str = "epicenter-table";
/// Version of the format.
const FORMAT_VERSION: u32 = 1;
/// Prefix of the manifests.
const PREFIX: &str = "manifest";
/// Manifests that are kept beside the newest, for whoever has to look into what happened.
const OLD_KEPT: usize = 8;
/// What stands before the checksum in the last line.
const CHECKSUM: &str = "crc32c ";

/// The table at one version.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Manifest {
    pub(super) format: String,
    pub(super) format_version: u32,
    /// Version of the columns that segments written by this release have.
    pub(crate) schema_version: u32,
    /// Number of this manifest, from 1.
    pub(crate) version: u64,
    /// Every record of the log up to this one is in the segments.
    pub(crate) sealed_through: u64,
    /// Path of the catalogue of services, if one was written.
    pub(crate) catalog: Option<String>,
    /// The segments, oldest first.
    pub(crate) segments: Vec<SegmentMeta>,
}

/// What was found at the start.
#[derive(Debug)]
pub(crate) struct Loaded {
    pub(crate) manifest: Manifest,
    /// The number that the next commit takes: above every number that was ever seen.
    pub(crate) next_version: u64,
    /// False when a newer manifest was there and is damaged: then nothing may be deleted that this one does not list.
    pub(crate) newest: bool,
}

impl Manifest {
    /// The table before the first commit.
    pub(crate) fn empty() -> Self {
        Self {
            format: FORMAT.to_owned(),
            format_version: FORMAT_VERSION,
            schema_version: epicenter_schema::SCHEMA_VERSION,
            version: 0,
            sealed_through: 0,
            catalog: None,
            segments: Vec::new(),
        }
    }

    /// Reads the newest valid manifest.
    ///
    /// # Errors
    /// When there are manifests and none is valid, or one is of a later format than this release knows.
    pub(crate) async fn load(objects: &Objects) -> Result<Loaded, Error> {
        let listed = objects.list(&Path::from(PREFIX)).await?;
        let mut found: Vec<_> = listed
            .into_iter()
            .filter_map(|meta| version_of(&meta.location).map(|version| (version, meta.location)))
            .collect();
        found.sort();
        let next_version = found.last().map_or(1, |(version, _)| version + 1);
        let mut first_failure = None;
        for (_, path) in found.iter().rev() {
            match Self::decode(path, &objects.get(path).await?) {
                Ok(manifest) => {
                    return Ok(Loaded {
                        manifest,
                        next_version,
                        newest: first_failure.is_none(),
                    });
                }
                Err(error) => {
                    tracing::error!(%error, "passed over a manifest, falling back to the one before");
                    first_failure.get_or_insert(error);
                }
            }
        }
        match first_failure {
            Some(error) if next_version > 2 || found.len() > 1 => Err(error),
            // The very first commit was torn: the log still has everything.
            _ => Ok(Loaded {
                manifest: Self::empty(),
                next_version,
                newest: first_failure.is_none(),
            }),
        }
    }

    /// Commits this manifest under its version: all or nothing, durable on return. Calling it again after an error is
    /// safe and finds out whether the first time had worked.
    ///
    /// # Errors
    /// [`Error::Conflict`] when another manifest has the version; else the object store's error.
    pub(crate) async fn commit(&self, objects: &Objects) -> Result<(), Error> {
        let path = path_of(self.version);
        let bytes = self.encode()?;
        match objects.put(&path, bytes.clone(), PutMode::Create).await {
            Err(Error::Object {
                source: ObjectError::AlreadyExists { .. },
                ..
            }) => {
                if objects.get(&path).await? != bytes {
                    return Err(Error::Conflict { path: path.to_string() });
                }
                objects.sync(&path).await
            }
            other => other,
        }
    }

    /// Deletes manifests that are long superseded.
    pub(crate) async fn clean(&self, objects: &Objects) -> Result<(), Error> {
        let mut old = objects.list(&Path::from(PREFIX)).await?;
        old.retain(|meta| version_of(&meta.location).is_some_and(|version| version < self.version));
        let delete = old.len().saturating_sub(OLD_KEPT);
        for meta in &old[..delete] {
            objects.delete(&meta.location).await?;
        }
        Ok(())
    }

    fn encode(&self) -> Result<Bytes, Error> {
        let mut text = serde_json::to_string(self).map_err(|error| Error::Manifest {
            path: path_of(self.version).to_string(),
            reason: error.to_string(),
        })?;
        text.push('\n');
        let crc = crc32c::crc32c(text.as_bytes());
        text.push_str(&format!("{CHECKSUM}{crc:08x}\n"));
        Ok(text.into())
    }

    fn decode(path: &Path, bytes: &[u8]) -> Result<Self, Error> {
        let invalid = |reason: String| Error::Manifest {
            path: path.to_string(),
            reason,
        };
        let body = bytes.iter().position(|byte| *byte == b'\n').map_or(0, |at| at + 1);
        let (body, last) = bytes.split_at(body);
        let expected = format!("{CHECKSUM}{:08x}\n", crc32c::crc32c(body));
        if body.is_empty() || last != expected.as_bytes() {
            return Err(invalid("the checksum does not fit".to_owned()));
        }
        let manifest: Self = serde_json::from_slice(body).map_err(|error| invalid(error.to_string()))?;
        if manifest.format != FORMAT || manifest.format_version > FORMAT_VERSION {
            let (format, version) = (&manifest.format, manifest.format_version);
            return Err(invalid(format!(
                "{format} version {version} is not known to this release"
            )));
        }
        Ok(manifest)
    }
}

fn path_of(version: u64) -> Path {
    Path::from(format!("{PREFIX}/{version:020}.json"))
}

fn version_of(path: &Path) -> Option<u64> {
    path.filename()?.strip_suffix(".json")?.parse().ok()
}
