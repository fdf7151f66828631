//! Sorting spans and writing them as Parquet.

use super::encode::encode;
use super::gather::{Source, gather};
use super::layout::{Attribute, Type, flat_columns, segment_schema};
use super::segment::{SERVICES_LISTED_MAX, SegmentMeta};
use super::shred::{Shredder, Tokens};
use crate::Error;
use crate::catalog::NAME_BYTES_MAX;
use crate::view::Unsealed;
use arrow::array::{Array, ArrayRef, AsArray};
use arrow::datatypes::{Int32Type, Int64Type, TimestampNanosecondType};
use arrow::record_batch::RecordBatch;
use bytes::Bytes;
use epicenter_schema::{arrow_schema, name};
use parquet::basic::ZstdLevel;
use std::collections::{BTreeSet, HashSet};
use std::sync::Arc;

/// Share of distinct values from which on a dictionary costs more than it saves: one in so many rows.
const DICTIONARY_ROWS_A_VALUE: usize = 2;

/// A segment as bytes, and what is to be known of it. Path, size, sequences and times of receipt are the caller's to
/// fill in.
pub(crate) struct Written {
    pub(crate) bytes: Bytes,
    pub(crate) meta: SegmentMeta,
}

/// Columns of a segment, in its order, and what the writer has to know of them.
pub(super) struct Columns {
    pub(super) batch: RecordBatch,
    /// Attribute columns with many distinct values, by name.
    pub(super) plain: Vec<String>,
    pub(super) tokens: Tokens,
    pub(super) meta: SegmentMeta,
}

/// Writes the spans of `records`, at least one, sorted by trace id, then start, then the order received. Costs about two
/// microseconds a span; blocks.
///
/// # Errors
/// When Arrow or Parquet refuse, which takes a column of more than 2 GiB.
pub(crate) fn write(records: &[Arc<Unsealed>], path: &str) -> Result<Written, Error> {
    let columns = columns(records, path)?;
    encode(columns, path, ZstdLevel::default())
}

/// The columns of a segment of these records.
fn columns(records: &[Arc<Unsealed>], path: &str) -> Result<Columns, Error> {
    let failed = |source| Error::Columns {
        path: path.to_owned(),
        source,
    };
    let flat: Vec<RecordBatch> = records
        .iter()
        .map(|record| record.spans.batch().record_batch().project(&flat_columns()))
        .collect::<Result<_, _>>()
        .map_err(failed)?;
    let schema = flat.first().map(RecordBatch::schema).unwrap_or_else(arrow_schema);
    let order = order_of(&flat);
    let sorted = gather(&schema, &flat, &order).map_err(failed)?;
    drop(flat);
    let meta = survey(&sorted, path);

    let mut shredder = Shredder::with_capacity(order.len());
    for source in &order {
        let record = &records[source.batch as usize];
        let message = record
            .payload
            .get(record.spans.message(source.row as usize))
            .unwrap_or_default();
        shredder.span(message).map_err(|source| Error::Message {
            path: path.to_owned(),
            source,
        })?;
    }
    let mut shredded = shredder.finish().map_err(failed)?;
    for (column, what) in [(name::RESOURCE, "resource"), (name::SCOPE, "scope")] {
        each_distinct(&sorted, column, |json| shredded.tokens.described(json, what));
    }

    let plain = shredded.attributes.iter().zip(&shredded.distinct);
    let plain = plain
        .filter(|(attribute, distinct)| is_plain(attribute, **distinct, order.len()))
        .map(|(attribute, _)| attribute.column())
        .collect();
    let all: Vec<ArrayRef> = sorted.columns().iter().cloned().chain(shredded.columns).collect();
    let batch = RecordBatch::try_new(segment_schema(&shredded.attributes), all).map_err(failed)?;
    Ok(Columns {
        batch,
        plain,
        tokens: shredded.tokens,
        meta,
    })
}

/// Whether a column has so many distinct values that it is better off without a dictionary.
pub(super) fn is_plain(attribute: &Attribute, distinct: Option<usize>, rows: usize) -> bool {
    match attribute.kind {
        Type::String | Type::Int => distinct.is_some_and(|distinct| distinct * DICTIONARY_ROWS_A_VALUE > rows),
        Type::Double | Type::Bool => false,
    }
}

/// Calls `of` with every distinct text of a dictionary column.
pub(super) fn each_distinct(batch: &RecordBatch, column: &str, mut of: impl FnMut(&str)) {
    let Some(column) = batch.column_by_name(column) else {
        return;
    };
    let dictionary = column.as_dictionary::<Int32Type>();
    let mut used = vec![false; dictionary.values().len()];
    for key in dictionary.keys().iter().flatten() {
        used[key as usize] = true;
    }
    let values = dictionary.values().as_string::<i32>();
    // Dictionaries that were joined may hold a text more than once.
    let mut seen = HashSet::new();
    for (value, _) in values.iter().zip(used).filter(|(_, used)| *used) {
        let value = value.unwrap_or_default();
        if seen.insert(value) {
            of(value);
        }
    }
}

fn column<'a>(batch: &'a RecordBatch, name: &str) -> &'a ArrayRef {
    batch.column_by_name(name).expect("a flat column")
}

/// The order of a segment of these batches, which have the flat columns: by trace id, then start, then as they come.
pub(super) fn order_of(batches: &[RecordBatch]) -> Vec<Source> {
    let mut order = Vec::with_capacity(batches.iter().map(RecordBatch::num_rows).sum());
    for (number, batch) in batches.iter().enumerate() {
        let ids = column(batch, name::TRACE_ID).as_fixed_size_binary();
        let starts = column(batch, name::START_TIME).as_primitive::<TimestampNanosecondType>();
        for (row, start) in starts.values().iter().enumerate() {
            // As a number an id is compared in one step and in the same order.
            let id = ids.value(row).try_into().map(u128::from_be_bytes).unwrap_or_default();
            let source = Source {
                batch: number as u32,
                row: row as u32,
                overall: order.len() as u32,
            };
            order.push((id, *start, source));
        }
    }
    order.sort_unstable_by_key(|(id, start, source)| (*id, *start, source.overall));
    order.into_iter().map(|(_, _, source)| source).collect()
}

/// What the manifest says of a segment. `batch` has the flat columns, in the order of the segment.
pub(super) fn survey(batch: &RecordBatch, path: &str) -> SegmentMeta {
    let ids = column(batch, name::TRACE_ID).as_fixed_size_binary();
    let starts = column(batch, name::START_TIME)
        .as_primitive::<TimestampNanosecondType>()
        .values();
    let durations = column(batch, name::DURATION_NS).as_primitive::<Int64Type>().values();
    let mut services = BTreeSet::new();
    each_distinct(batch, name::SERVICE_NAME, |service| {
        services.insert(service.to_owned());
    });
    let begins = |row: &usize| *row == 0 || ids.value(*row) != ids.value(*row - 1);
    let traces = (0..batch.num_rows()).filter(begins).count() as u64;
    let listed = services.len() <= SERVICES_LISTED_MAX && services.iter().all(|name| name.len() <= NAME_BYTES_MAX);
    SegmentMeta {
        path: path.to_owned(),
        rows: batch.num_rows() as u64,
        bytes: 0,
        start_min: starts.iter().copied().min().unwrap_or_default(),
        start_max: starts.iter().copied().max().unwrap_or_default(),
        duration_max: durations.iter().copied().max().unwrap_or_default(),
        received_min: 0,
        received_max: 0,
        first_sequence: 0,
        last_sequence: 0,
        traces,
        services: listed.then(|| services.into_iter().collect()),
    }
}
