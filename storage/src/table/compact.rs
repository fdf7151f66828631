//! Compaction: neighbouring small segments become one. Segments are of one tier when their sizes are alike; so many
//! neighbours of a tier are merged into the next, so every span is written again about once a tier until its segment is
//! large enough to stay.
//!
//! A merge reads whole segments, in memory bounded by [`ROWS_ENOUGH`], and is committed in one step: a query sees the segments
//! before it or the one after it.

use super::encode::encode;
use super::filters::Filters;
use super::gather::gather;
use super::layout::{Attribute, REST, SHAPE, Type, attributes_of, segment_schema};
use super::segment::{Segment, SegmentMeta};
use super::shred::{Tokens, remap_shape};
use super::write::{Columns, Written, each_distinct, is_plain, order_of, survey};
use crate::Error;
use arrow::array::{ArrayRef, AsArray, DictionaryArray, StringArray, new_null_array};
use arrow::datatypes::{Float64Type, Int32Type, Int64Type, SchemaRef};
use arrow::error::ArrowError;
use arrow::record_batch::RecordBatch;
use epicenter_schema::name;
use futures::TryStreamExt;
use hashbrown::{HashMap, HashSet};
use parquet::arrow::ParquetRecordBatchStreamBuilder;
use parquet::basic::ZstdLevel;
use std::sync::Arc;

/// Neighbours that are merged at once, and how much larger each tier is than the one before.
const FANOUT: usize = 8;
/// Spans from which on a segment stays as it is. A merge holds at most [`FANOUT`] times as many in memory.
const ROWS_ENOUGH: u64 = 16_384;
/// Most segments that are merged at once.
const RUN_MAX: usize = 64;
/// Most bytes of what is merged, neither compressed nor encoded by dictionary alone: what a merge reads into memory, which
/// then holds it about three times.
const BYTES_MAX: u64 = 96 << 20;
/// Most attribute columns of a merged segment; segments that would have more together stay apart.
const ATTRIBUTE_COLUMNS_MAX: usize = 1_024;
/// Compression of what is to stay.
const LEVEL: i32 = 3;

/// Segments to merge next, oldest first. None when there is nothing to do. `segments` are those of one writer
/// that may be merged.
///
/// The smallest tier comes first. What is smaller than the tier may lie in between, so segments of mixed sizes do not stay
/// small for ever; but a segment is only written again when what it is merged with is together as large as itself, or
/// when a great many small ones lie beside it.
pub(super) fn plan(segments: &[Arc<Segment>]) -> Option<Vec<Arc<Segment>>> {
    let mut sorted = segments.to_vec();
    sorted.sort_by_key(|segment| segment.meta.first_sequence);
    (0..=ROWS_ENOUGH.ilog(FANOUT as u64)).find_map(|highest| plan_up_to(highest, &sorted))
}

fn plan_up_to(highest: u32, sorted: &[Arc<Segment>]) -> Option<Vec<Arc<Segment>>> {
    let mut run: Vec<Arc<Segment>> = Vec::new();
    let (mut rows, mut largest) = (0, 0);
    for segment in sorted {
        if tier(segment.meta.rows).is_none_or(|tier| tier > highest) {
            (rows, largest) = (0, 0);
            run.clear();
            continue;
        }
        run.push(Arc::clone(segment));
        rows += segment.meta.rows;
        largest = largest.max(segment.meta.rows);
        let is_enough = run.len() >= FANOUT && rows >= 2 * largest;
        if is_enough || run.len() == RUN_MAX || rows >= ROWS_ENOUGH * (FANOUT as u64 - 1) {
            return Some(run);
        }
    }
    None
}

/// None for segments that are large enough.
fn tier(rows: u64) -> Option<u32> {
    (rows < ROWS_ENOUGH).then(|| rows.max(1).ilog(FANOUT as u64))
}

/// How many of a run, from its first on, are merged: as many as are not too large together once they are read, and have
/// not too many attribute columns.
pub(super) async fn fitting(run: &[Arc<Segment>], filters: &Filters) -> Result<usize, Error> {
    let (mut bytes, mut attributes) = (0, HashSet::new());
    for (at, segment) in run.iter().enumerate() {
        let footer = filters.footer(segment).await?;
        let row_groups = footer.metadata().row_groups().iter();
        bytes += row_groups
            .map(|group| group.total_byte_size().max(0) as u64)
            .sum::<u64>();
        attributes.extend(
            attributes_of(footer.schema())
                .into_iter()
                .map(|(_, attribute)| attribute),
        );
        if bytes > BYTES_MAX || attributes.len() > ATTRIBUTE_COLUMNS_MAX {
            return Ok(at);
        }
    }
    Ok(run.len())
}

/// Reads a segment whole, as it lies in the file.
pub(super) async fn read(segment: &Arc<Segment>, filters: &Filters) -> Result<Vec<RecordBatch>, Error> {
    let footer = filters.footer(segment).await?;
    let stream = ParquetRecordBatchStreamBuilder::new_with_metadata(filters.reader(segment), footer)
        .build()
        .map_err(super::failed(segment))?;
    stream.try_collect().await.map_err(super::failed(segment))
}

/// One segment of several, `inputs` in their order. Blocks.
pub(super) fn merge(metas: &[&SegmentMeta], inputs: &[RecordBatch], path: &str) -> Result<Written, Error> {
    let columns = columns(metas, inputs, path).map_err(|source| Error::Columns {
        path: path.to_owned(),
        source,
    })?;
    let level = ZstdLevel::try_new(LEVEL).map_err(|source| Error::Segment {
        path: path.to_owned(),
        source,
    })?;
    encode(columns, path, level)
}

fn columns(metas: &[&SegmentMeta], inputs: &[RecordBatch], path: &str) -> Result<Columns, ArrowError> {
    let mut attributes: Vec<Attribute> = Vec::new();
    let mut positions: HashMap<Attribute, usize> = HashMap::new();
    for input in inputs {
        for (_, attribute) in attributes_of(&input.schema()) {
            positions.entry_ref(&attribute).or_insert_with(|| {
                attributes.push(attribute.clone());
                attributes.len() - 1
            });
        }
    }
    let schema = segment_schema(&attributes);
    let alike = inputs.iter().map(|input| {
        let columns = schema
            .fields()
            .iter()
            .map(|field| match input.column_by_name(field.name()) {
                Some(column) if field.name() == SHAPE => shapes(column, input, &positions),
                Some(column) => Ok(Arc::clone(column)),
                None => Ok(new_null_array(field.data_type(), input.num_rows())),
            });
        RecordBatch::try_new(Arc::clone(&schema), columns.collect::<Result<_, _>>()?)
    });
    let alike = alike.collect::<Result<Vec<_>, _>>()?;
    let sorted = gather(&schema, &alike, &order_of(&alike))?;
    drop(alike);
    let meta = survey(&sorted, path);
    let (tokens, plain) = look(&sorted, &schema)?;
    let of = |pick: fn(&SegmentMeta) -> u64| metas.iter().map(move |meta| pick(meta));
    Ok(Columns {
        batch: sorted,
        plain,
        tokens,
        meta: SegmentMeta {
            received_min: metas.iter().map(|meta| meta.received_min).min().unwrap_or_default(),
            received_max: metas.iter().map(|meta| meta.received_max).max().unwrap_or_default(),
            first_sequence: of(|meta| meta.first_sequence).min().unwrap_or_default(),
            last_sequence: of(|meta| meta.last_sequence).max().unwrap_or_default(),
            ..meta
        },
    })
}

/// The shapes of an input, with the positions of the merged columns.
fn shapes(
    column: &ArrayRef,
    input: &RecordBatch,
    positions: &HashMap<Attribute, usize>,
) -> Result<ArrayRef, ArrowError> {
    let own = attributes_of(&input.schema());
    let position = |column: usize| {
        own.get(column)
            .and_then(|(_, attribute)| positions.get(attribute))
            .copied()
    };
    let dictionary = column.as_dictionary::<Int32Type>();
    let texts = dictionary.values().as_string::<i32>();
    let mapped: StringArray = texts
        .iter()
        .map(|text| remap_shape(text.unwrap_or_default(), position).map(Some))
        .collect::<Result<_, _>>()?;
    let keys = dictionary.keys().clone();
    Ok(Arc::new(DictionaryArray::<Int32Type>::try_new(keys, Arc::new(mapped))?))
}

/// The tokens of the merged rows, and the attribute columns that are better off without a dictionary.
fn look(batch: &RecordBatch, schema: &SchemaRef) -> Result<(Tokens, Vec<String>), ArrowError> {
    let wire = |error| ArrowError::ExternalError(Box::new(error));
    let (mut tokens, mut plain) = (Tokens::default(), Vec::new());
    for (index, attribute) in attributes_of(schema) {
        let column = batch.column(index);
        let key = attribute.key.as_bytes();
        let mut distinct = None;
        match attribute.kind {
            Type::String => {
                let mut count = 0;
                each_distinct(batch, &attribute.column(), |text| {
                    count += 1;
                    tokens.text(key, text.as_bytes());
                });
                distinct = Some(count);
            }
            Type::Int => {
                let values: HashSet<i64> = column.as_primitive::<Int64Type>().iter().flatten().collect();
                values.iter().for_each(|number| tokens.int(key, *number));
                distinct = Some(values.len());
            }
            Type::Double => {
                let values = column.as_primitive::<Float64Type>().iter().flatten();
                let whole: HashSet<u64> = values.filter(|value| value.fract() == 0.0).map(f64::to_bits).collect();
                whole.iter().for_each(|bits| tokens.double(key, f64::from_bits(*bits)));
            }
            Type::Bool => [true, false].into_iter().for_each(|truth| tokens.bool(key, truth)),
        }
        if is_plain(&attribute, distinct, batch.num_rows()) {
            plain.push(attribute.column());
        }
    }
    for (column, what) in [(name::RESOURCE, "resource"), (name::SCOPE, "scope")] {
        each_distinct(batch, column, |json| tokens.described(json, what));
    }
    let mut lists: HashSet<&[u8]> = HashSet::new();
    for column in [name::EVENTS, name::LINKS] {
        let column = batch
            .column_by_name(column)
            .ok_or_else(|| ArrowError::SchemaError(column.to_owned()))?;
        let items = column.as_list::<i32>().values().as_struct();
        let attributes = items.column_by_name("attributes");
        let attributes = attributes.ok_or_else(|| ArrowError::SchemaError("attributes".to_owned()))?;
        lists.extend(attributes.as_binary::<i32>().iter().flatten());
    }
    let rest = batch
        .column_by_name(REST)
        .ok_or_else(|| ArrowError::SchemaError(REST.to_owned()))?;
    lists.extend(rest.as_binary::<i32>().iter().flatten());
    for list in lists {
        tokens.list(list).map_err(wire)?;
    }
    Ok((tokens, plain))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Sizes of the segments in the order of the log, and the positions of those that are merged.
    fn check(rows: &[u64], expected: Option<std::ops::Range<usize>>) {
        let segments: Vec<_> = rows
            .iter()
            .enumerate()
            .map(|(at, rows)| segment(at as u64, *rows))
            .collect();
        let found = plan(&segments).map(|run| {
            let first = run[0].meta.first_sequence as usize;
            first..first + run.len()
        });
        assert_eq!(found, expected, "{rows:?}");
    }

    fn segment(sequence: u64, rows: u64) -> Arc<Segment> {
        Arc::new(Segment::new(SegmentMeta {
            path: format!("{sequence}"),
            rows,
            bytes: rows,
            start_min: 0,
            start_max: 0,
            duration_max: 0,
            received_min: 0,
            received_max: 0,
            first_sequence: sequence,
            last_sequence: sequence,
            traces: 1,
            services: None,
        }))
    }

    #[test]
    fn so_many_neighbours_of_a_tier_are_merged() {
        check(&[100; 7], None);
        check(&[100; 8], Some(0..8));
        check(&[[5_000, 5_000].as_slice(), &[100; 9]].concat(), Some(2..10));
        check(&[[100; 5].as_slice(), &[20_000], &[100; 5]].concat(), None);
        check(&[131_072; 20], None);
        check(&[15_000; 8], Some(0..8));
        check(&[16_384; 20], None);
    }

    #[test]
    fn mixed_sizes_do_not_stay_small() {
        check(&[500, 600].repeat(4), Some(0..8));
        // The large one waits until the small ones are as much, or very many.
        let one_and = |small: usize| [[5_000].as_slice(), &vec![90; small]].concat();
        check(&one_and(7), None);
        check(&[[5_000].as_slice(), &[400, 30].repeat(12)].concat(), Some(1..9));
        let mut mixed = vec![5_000];
        mixed.extend([30; 7]);
        check(&mixed.repeat(8), Some(0..9));
        let mut alternating = Vec::new();
        (0..40).for_each(|_| alternating.extend([4_000, 1]));
        check(&alternating, Some(0..8));
    }
}
