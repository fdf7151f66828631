//! The files of the graph's past: `<step>-<start>-<end>.parquet`, all three in nanoseconds, each written once: beside,
//! synced, renamed, and the folder synced. A file whose time another one covers, in longer steps or as one of several
//! that were put together, is superseded.

use super::rows;
use crate::Error;
use arrow::array::RecordBatch;
use datafusion::parquet::arrow::ArrowWriter;
use datafusion::parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use datafusion::parquet::basic::{Compression, ZstdLevel};
use datafusion::parquet::errors::ParquetError;
use datafusion::parquet::file::properties::WriterProperties;
use epicenter_incident::Slot;
use std::fs::File;
use std::path::{Path, PathBuf};

const UNFINISHED: &str = "new";
const DAMAGED: &str = "damaged";
const COMPLETE: &str = "parquet";
/// Rows of a row group: what is skipped or read at once.
const GROUP_ROWS: usize = 16_384;

/// A file, by its name.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Piece {
    pub(crate) path: PathBuf,
    /// How long its slots are.
    pub(crate) step: i64,
    /// When its first slot began and its last one ended.
    pub(crate) start: i64,
    pub(crate) end: i64,
    pub(crate) bytes: u64,
}

impl Piece {
    fn of(path: PathBuf, bytes: u64) -> Option<Self> {
        let mut numbers = path
            .file_stem()?
            .to_str()?
            .split('-')
            .map(|number| number.parse::<i64>().ok());
        let (step, start, end) = (numbers.next()??, numbers.next()??, numbers.next()??);
        let is_sound = step > 0 && start < end && numbers.next().is_none();
        is_sound.then_some(Self {
            path,
            step,
            start,
            end,
            bytes,
        })
    }

    /// Whether it says all that the other one says.
    pub(crate) fn supersedes(&self, other: &Self) -> bool {
        let covers = self.start <= other.start && other.end <= self.end;
        let is_longer = (self.end - self.start, self.step) > (other.end - other.start, other.step);
        covers && self.step >= other.step && is_longer
    }
}

/// All files in order of their time. Makes the folder when there is none; unfinished and superseded files are removed.
pub(crate) fn list(folder: &Path) -> Result<Vec<Piece>, Error> {
    let failed = |action| {
        move |source| Error::Io {
            action,
            path: folder.to_owned(),
            source,
        }
    };
    std::fs::create_dir_all(folder).map_err(failed("create"))?;
    let mut pieces = Vec::new();
    for entry in std::fs::read_dir(folder).map_err(failed("list"))? {
        let entry = entry.map_err(failed("list"))?;
        let path = entry.path();
        let extension = path.extension().and_then(|extension| extension.to_str());
        if extension == Some(UNFINISHED) {
            remove(&path);
        } else if extension == Some(COMPLETE) {
            let bytes = entry.metadata().map_or(0, |metadata| metadata.len());
            pieces.extend(Piece::of(path, bytes));
        }
    }
    pieces.sort_by_key(|piece| (piece.start, piece.end));
    let (old, pieces) = pieces
        .iter()
        .cloned()
        .partition::<Vec<Piece>, _>(|piece| pieces.iter().any(|other| other.supersedes(piece)));
    old.iter().for_each(|piece| remove(&piece.path));
    Ok(pieces)
}

/// Removes a file; one that stays is removed at the next start.
pub(crate) fn remove(path: &Path) {
    if let Err(error) = std::fs::remove_file(path) {
        tracing::warn!(path = %path.display(), %error, "could not remove a file of the graph's past");
    }
}

/// Renames a file that cannot be read.
pub(crate) fn set_aside(path: &Path) {
    if let Err(error) = std::fs::rename(path, path.with_extension(DAMAGED)) {
        tracing::error!(path = %path.display(), %error, "could not set a damaged file aside");
    }
}

/// A file that is being written; nothing is there before it is finished.
pub(crate) struct Writing {
    folder: PathBuf,
    path: PathBuf,
    writer: ArrowWriter<File>,
}

fn parquet_failed(action: &'static str, path: &Path) -> impl Fn(ParquetError) -> Error {
    let path = path.to_owned();
    move |error| Error::Io {
        action,
        path: path.clone(),
        source: std::io::Error::other(error),
    }
}

impl Writing {
    /// A new file in the folder.
    pub(crate) fn begin(folder: &Path) -> Result<Self, Error> {
        let path = folder.join("next").with_extension(UNFINISHED);
        let file = File::create(&path).map_err(|source| Error::Io {
            action: "create",
            path: path.clone(),
            source,
        })?;
        let level = ZstdLevel::try_new(3).map_err(parquet_failed("write", &path))?;
        let properties = WriterProperties::builder()
            .set_compression(Compression::ZSTD(level))
            .set_max_row_group_row_count(Some(GROUP_ROWS))
            .build();
        let writer = ArrowWriter::try_new(file, rows::schema(), Some(properties));
        Ok(Self {
            folder: folder.to_owned(),
            writer: writer.map_err(parquet_failed("write", &path))?,
            path,
        })
    }

    /// Adds a slot, later than those before.
    pub(crate) fn push(&mut self, slot: &Slot) -> Result<(), Error> {
        let batch = rows::write([slot]).map_err(|error| ParquetError::ArrowError(error.to_string()));
        batch
            .and_then(|batch| self.writer.write(&batch))
            .map_err(parquet_failed("write", &self.path))
    }

    /// On disk under its name when this returns.
    pub(crate) fn finish(self, step: i64, start: i64, end: i64) -> Result<Piece, Error> {
        let Self { folder, path, writer } = self;
        let file = writer.into_inner().map_err(parquet_failed("write", &path))?;
        let failed = |action| {
            let path = path.clone();
            move |source| Error::Io { action, path, source }
        };
        file.sync_all().map_err(failed("write"))?;
        let bytes = file.metadata().map_err(failed("read"))?.len();
        let named = folder.join(format!("{step}-{start}-{end}")).with_extension(COMPLETE);
        std::fs::rename(&path, &named).map_err(failed("rename"))?;
        let synced = File::open(&folder).and_then(|folder| folder.sync_all());
        synced.map_err(failed("sync the folder of"))?;
        Ok(Piece {
            path: named,
            step,
            start,
            end,
            bytes,
        })
    }
}

/// Calls `take` with the slots of a file that overlap a time, one after the other, until it says no.
pub(crate) fn read(
    piece: &Piece,
    (from, to): (i64, i64),
    mut take: impl FnMut(Slot) -> Result<(), Error>,
) -> Result<(), Error> {
    let failed = parquet_failed("read", &piece.path);
    let file = File::open(&piece.path).map_err(|source| Error::Io {
        action: "read",
        path: piece.path.clone(),
        source,
    })?;
    let builder = ParquetRecordBatchReaderBuilder::try_new(file).map_err(&failed)?;
    let groups = builder.metadata().row_groups().iter().enumerate();
    let groups = groups.filter(|(_, group)| overlaps(group, from.saturating_sub(piece.step), to));
    let groups: Vec<usize> = groups.map(|(index, _)| index).collect();
    let reader = builder.with_row_groups(groups).build().map_err(&failed)?;
    let mut slots: Vec<Slot> = Vec::new();
    for batch in reader {
        let batch: RecordBatch = batch.map_err(|error| failed(ParquetError::ArrowError(error.to_string())))?;
        rows::read(&batch, &mut slots);
        let whole = slots.len().saturating_sub(1);
        for slot in slots.drain(..whole) {
            if slot.is_in(from, to) {
                take(slot)?;
            }
        }
    }
    for slot in slots {
        if slot.is_in(from, to) {
            take(slot)?;
        }
    }
    Ok(())
}

/// Whether a row group may hold slots that start between the two times, by the statistics of its first column.
fn overlaps(group: &datafusion::parquet::file::metadata::RowGroupMetaData, from: i64, to: i64) -> bool {
    use datafusion::parquet::file::statistics::Statistics;
    match group.column(0).statistics() {
        Some(Statistics::Int64(starts)) => {
            let (min, max) = (starts.min_opt(), starts.max_opt());
            max.is_none_or(|max| *max >= from) && min.is_none_or(|min| *min < to)
        }
        _ => true,
    }
}

/// Whether a slot lies in a time at least in part.
pub(crate) trait Within {
    /// Whether any of it is at or after `from` and before `to`.
    fn is_in(&self, from: i64, to: i64) -> bool;
}

impl Within for Slot {
    fn is_in(&self, from: i64, to: i64) -> bool {
        self.start.0 < to && (self.start + self.summary.length).0 > from
    }
}
