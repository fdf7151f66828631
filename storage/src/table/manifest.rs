//! The files that say what the table consists of. A commit writes one small numbered manifest: who commits to the table
//! and how far, and the segments as changes against a base. The base is the whole list, written anew only when the
//! changes outgrow it, so a commit costs about the root of the number of segments. See docs/formats/table.md.

use super::objects::Objects;
use super::segment::SegmentMeta;
use crate::Error;
use bytes::Bytes;
use object_store::path::Path;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Name of the format, in every manifest and base.
const FORMAT: &str = "epicenter-table";
/// Version of the format.
pub(crate) const FORMAT_VERSION: u32 = 2;
/// Prefix of the manifests.
pub(super) const PREFIX: &str = "manifest";
/// Prefix of the bases.
pub(super) const BASE_PREFIX: &str = "base";
/// What stands before the checksum in the last line.
const CHECKSUM: &str = "crc32c ";

/// How far one log has got: what only its own writer changes.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Progress {
    /// Drawn anew whenever the writer opens a shared table, so that two of one name find each other out.
    pub(crate) session: u64,
    /// Commits that it made.
    pub(crate) commits: u64,
    /// Every record of its log up to this one is in the segments.
    pub(crate) sealed_through: u64,
    /// Path of its catalogue of services, if it wrote one.
    pub(crate) catalog: Option<String>,
}

/// One manifest, as it is written.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Manifest {
    format: String,
    format_version: u32,
    /// Version of the columns that segments written by this release have.
    schema_version: u32,
    /// Number of this manifest, from 1.
    pub(super) version: u64,
    /// The logs that feed the table, by the names of their writers.
    #[serde(default)]
    pub(super) writers: BTreeMap<String, Progress>,
    /// Path of the base; the empty list when there is none.
    #[serde(default)]
    pub(super) base: Option<String>,
    /// Paths of the base's segments that are not in the table any more.
    #[serde(default)]
    pub(super) removed: Vec<String>,
    /// The segments that are in the table and not in the base.
    #[serde(default)]
    pub(super) added: Vec<SegmentMeta>,
    /// Up to format 1, which knew one writer and no base: what is now in `writers` and `added`.
    #[serde(flatten, skip_serializing)]
    first_format: FirstFormat,
}

#[derive(Debug, Default, Deserialize)]
struct FirstFormat {
    #[serde(default)]
    sealed_through: u64,
    #[serde(default)]
    catalog: Option<String>,
    #[serde(default)]
    segments: Vec<SegmentMeta>,
}

/// The whole list, as it is written.
#[derive(Debug, Serialize, Deserialize)]
struct BaseFile {
    format: String,
    format_version: u32,
    segments: Vec<SegmentMeta>,
}

impl Manifest {
    pub(super) fn new(
        version: u64,
        writers: BTreeMap<String, Progress>,
        base: Option<String>,
        removed: Vec<String>,
        added: Vec<SegmentMeta>,
    ) -> Self {
        Self {
            format: FORMAT.to_owned(),
            format_version: FORMAT_VERSION,
            schema_version: epicenter_schema::SCHEMA_VERSION,
            version,
            writers,
            base,
            removed,
            added,
            first_format: FirstFormat::default(),
        }
    }

    pub(super) fn encode(&self) -> Result<Bytes, Error> {
        encode(&path_of(self.version), self)
    }

    /// Reads a manifest, of any format so far; `writer` is the one that format 1 did not name.
    pub(super) fn decode(path: &Path, bytes: &[u8], writer: &str) -> Result<Self, Error> {
        let mut manifest: Self = decode(path, bytes)?;
        check(path, &manifest.format, manifest.format_version)?;
        let first = std::mem::take(&mut manifest.first_format);
        if manifest.format_version == 1 {
            manifest.added = first.segments;
            let progress = Progress {
                sealed_through: first.sealed_through,
                catalog: first.catalog,
                ..Progress::default()
            };
            manifest.writers.insert(writer.to_owned(), progress);
        }
        Ok(manifest)
    }
}

/// A base as bytes.
pub(super) fn encode_base(path: &Path, segments: Vec<SegmentMeta>) -> Result<Bytes, Error> {
    let base = BaseFile {
        format: FORMAT.to_owned(),
        format_version: FORMAT_VERSION,
        segments,
    };
    encode(path, &base)
}

/// Reads a base.
pub(super) async fn read_base(objects: &Objects, path: &str) -> Result<Vec<SegmentMeta>, Error> {
    let path = Path::from(path);
    let base: BaseFile = decode(&path, &objects.get(&path).await?)?;
    check(&path, &base.format, base.format_version)?;
    Ok(base.segments)
}

/// Path of the manifest of this version.
pub(super) fn path_of(version: u64) -> Path {
    Path::from(format!("{PREFIX}/{version:020}.json"))
}

/// Path of the base that a writer wrote for this version: another one in every session, so that what a crashed process
/// left on its way to the store never changes a base that counts.
pub(super) fn base_path_of(version: u64, writer: &str, session: u64) -> String {
    format!("{BASE_PREFIX}/{version:020}-{writer}-{session:016x}.json")
}

/// The number at the beginning of a file name: that of the commit the file was made for.
pub(super) fn version_of(path: &Path) -> Option<u64> {
    let name = path.filename()?.strip_suffix(".json")?;
    name.split('-').next()?.parse().ok()
}

fn check(path: &Path, format: &str, version: u32) -> Result<(), Error> {
    if format == FORMAT && version <= FORMAT_VERSION {
        return Ok(());
    }
    Err(Error::LaterFormat {
        path: path.to_string(),
        found: format!("{format} version {version}"),
    })
}

fn encode(path: &Path, value: &impl Serialize) -> Result<Bytes, Error> {
    let mut text = serde_json::to_string(value).map_err(|error| invalid(path, error.to_string()))?;
    text.push('\n');
    let crc = crc32c::crc32c(text.as_bytes());
    text.push_str(&format!("{CHECKSUM}{crc:08x}\n"));
    Ok(text.into())
}

fn decode<T: DeserializeOwned>(path: &Path, bytes: &[u8]) -> Result<T, Error> {
    let body = bytes.iter().position(|byte| *byte == b'\n').map_or(0, |at| at + 1);
    let (body, last) = bytes.split_at(body);
    let expected = format!("{CHECKSUM}{:08x}\n", crc32c::crc32c(body));
    if body.is_empty() || last != expected.as_bytes() {
        return Err(invalid(path, "the checksum does not fit".to_owned()));
    }
    serde_json::from_slice(body).map_err(|error| invalid(path, error.to_string()))
}

fn invalid(path: &Path, reason: String) -> Error {
    Error::Manifest {
        path: path.to_string(),
        reason,
    }
}
