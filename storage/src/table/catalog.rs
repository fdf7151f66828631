//! The catalogue of services and operations as an object beside the manifest, which names it. One JSON line an
//! operation, see docs/formats/table.md.

use super::objects::Objects;
use crate::Error;
use crate::catalog::{Entry, Operation};
use epicenter_schema::{SpanKind, Timestamp};
use object_store::PutMode;
use object_store::path::Path;
use serde::{Deserialize, Serialize};

/// Prefix of the catalogues.
pub(super) const PREFIX: &str = "catalog";

#[derive(Serialize, Deserialize)]
struct Line {
    service: String,
    operation: String,
    kind: u8,
    seen: i64,
}

/// Writes the catalogue of a writer for the manifest of this version; the path of it.
pub(super) async fn write(objects: &Objects, version: u64, writer: &str, entries: Vec<Entry>) -> Result<String, Error> {
    let path = format!("{PREFIX}/{version:020}-{writer}.jsonl");
    let mut text = String::new();
    for entry in entries {
        let line = Line {
            service: entry.service,
            operation: entry.operation.name,
            kind: entry.operation.kind as u8,
            seen: entry.seen.0,
        };
        let line = serde_json::to_string(&line).map_err(|error| Error::Manifest {
            path: path.clone(),
            reason: error.to_string(),
        })?;
        text.push_str(&line);
        text.push('\n');
    }
    objects
        .put(&Path::from(path.as_str()), text.into(), PutMode::Overwrite)
        .await?;
    Ok(path)
}

/// Reads a catalogue. What cannot be read of it is passed over: it fills again as spans come.
pub(crate) async fn read(objects: &Objects, path: &str) -> Vec<Entry> {
    let bytes = match objects.get(&Path::from(path)).await {
        Ok(bytes) => bytes,
        Err(error) => {
            tracing::warn!(%error, "could not read the catalogue of services, it fills again");
            return Vec::new();
        }
    };
    bytes
        .split(|byte| *byte == b'\n')
        .filter_map(|line| serde_json::from_slice::<Line>(line).ok())
        .map(|line| Entry {
            service: line.service,
            operation: Operation {
                name: line.operation,
                kind: kind(line.kind),
            },
            seen: Timestamp(line.seen),
        })
        .collect()
}

fn kind(number: u8) -> SpanKind {
    match number {
        1 => SpanKind::Internal,
        2 => SpanKind::Server,
        3 => SpanKind::Client,
        4 => SpanKind::Producer,
        5 => SpanKind::Consumer,
        _ => SpanKind::Unspecified,
    }
}
