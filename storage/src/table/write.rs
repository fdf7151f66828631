//! Sorting spans and writing them as Parquet.

use super::layout::{Attribute, Type, flat_columns, segment_schema};
use super::segment::{SERVICES_LISTED_MAX, SegmentMeta};
use super::shred::{Shredder, Tokens};
use crate::Error;
use crate::catalog::NAME_BYTES_MAX;
use crate::view::Unsealed;
use arrow::array::{Array, ArrayRef, AsArray, UInt32Array};
use arrow::compute::{concat_batches, take_record_batch};
use arrow::datatypes::Int32Type;
use arrow::record_batch::RecordBatch;
use bytes::Bytes;
use epicenter_schema::{SCHEMA_VERSION, arrow_schema, name};
use parquet::arrow::ArrowWriter;
use parquet::basic::{Compression, Encoding, ZstdLevel};
use parquet::file::metadata::{KeyValue, SortingColumn};
use parquet::file::properties::{EnabledStatistics, WriterProperties, WriterVersion};
use parquet::schema::types::ColumnPath;
use std::collections::{BTreeSet, HashSet};
use std::sync::Arc;

/// Most spans of a row group: statistics and bloom filters are kept for each.
const ROW_GROUP_ROWS_MAX: usize = 131_072;
/// Most spans of a page: what a look-up of one trace has to decode at least, in every column.
const PAGE_ROWS_MAX: usize = 8_192;
/// Spans that are handed to the writer at once.
const CHUNK_ROWS: usize = 16_384;
/// Share of absent trace ids that the bloom filter does not recognise.
const FILTER_FALSE_POSITIVES: f64 = 0.01;
/// Key of the schema version in the file's metadata.
const SCHEMA_VERSION_KEY: &str = "epicenter.schema_version";
/// Key of the place of the filter over attribute values: offset and length in the file.
pub(super) const TOKENS_KEY: &str = "epicenter.attribute_filter";
/// Share of distinct values from which on a dictionary costs more than it saves: one in so many rows.
const DICTIONARY_ROWS_A_VALUE: usize = 2;

/// A segment as bytes, and what is to be known of it. Path, size, sequences and times of receipt are the caller's to
/// fill in.
pub(crate) struct Written {
    pub(crate) bytes: Bytes,
    pub(crate) meta: SegmentMeta,
}

/// Where a span stands in the segment and where it comes from.
type Key = ([u8; 16], i64, u32);

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
    let first = flat.first().map(RecordBatch::schema).unwrap_or_else(arrow_schema);
    let flat = concat_batches(&first, &flat).map_err(failed)?;
    let (order, meta) = survey(&flat, path);
    let places: Vec<(u32, u32)> = records
        .iter()
        .enumerate()
        .flat_map(|(number, record)| (0..record.spans.len()).map(move |row| (number as u32, row as u32)))
        .collect();

    let mut shredder = Shredder::with_capacity(order.len());
    for (_, _, row) in &order {
        let (number, row) = places[*row as usize];
        let record = &records[number as usize];
        let message = record
            .payload
            .get(record.spans.message(row as usize))
            .unwrap_or_default();
        shredder.span(message).map_err(|source| Error::Message {
            path: path.to_owned(),
            source,
        })?;
    }
    let mut shredded = shredder.finish().map_err(failed)?;
    for (column, what) in [(name::RESOURCE, "resource"), (name::SCOPE, "scope")] {
        each_distinct(&flat, column, |json| shredded.tokens.described(json, what));
    }
    let rows = UInt32Array::from_iter_values(order.iter().map(|(_, _, row)| *row));
    let sorted = take_record_batch(&flat, &rows).map_err(failed)?;
    drop(flat);

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

/// Writes columns as a file.
pub(super) fn encode(columns: Columns, path: &str, level: ZstdLevel) -> Result<Written, Error> {
    let failed = |source| Error::Segment {
        path: path.to_owned(),
        source,
    };
    let Columns {
        batch,
        plain,
        tokens,
        meta,
    } = columns;
    let properties = properties(meta.traces, &plain, level);
    let mut writer = ArrowWriter::try_new(Vec::new(), batch.schema(), Some(properties)).map_err(failed)?;
    for offset in (0..batch.num_rows()).step_by(CHUNK_ROWS) {
        let rows = CHUNK_ROWS.min(batch.num_rows() - offset);
        writer.write(&batch.slice(offset, rows)).map_err(failed)?;
    }
    drop(batch);
    writer.flush().map_err(failed)?;
    if let Some(filter) = tokens.filter().map_err(failed)? {
        let offset = writer.bytes_written();
        writer
            .write_all(&filter)
            .map_err(|error| failed(parquet::errors::ParquetError::External(Box::new(error))))?;
        writer.append_key_value_metadata(KeyValue::new(
            TOKENS_KEY.to_owned(),
            format!("{offset} {}", filter.len()),
        ));
    }
    let bytes = writer.into_inner().map_err(failed)?;
    Ok(Written {
        meta: SegmentMeta {
            bytes: bytes.len() as u64,
            ..meta
        },
        bytes: bytes.into(),
    })
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

/// The order of the segment, and what the manifest says of it. `batch` has the flat columns.
pub(super) fn survey(batch: &RecordBatch, path: &str) -> (Vec<Key>, SegmentMeta) {
    let column = |name: &str| batch.column_by_name(name).expect("a flat column");
    let ids = column(name::TRACE_ID).as_fixed_size_binary();
    let starts = column(name::START_TIME)
        .as_primitive::<arrow::datatypes::TimestampNanosecondType>()
        .values();
    let durations = column(name::DURATION_NS)
        .as_primitive::<arrow::datatypes::Int64Type>()
        .values();
    let id = |row: usize| ids.value(row).try_into().unwrap_or_default();
    let mut order: Vec<Key> = (0..batch.num_rows())
        .map(|row| (id(row), starts[row], row as u32))
        .collect();
    order.sort_unstable();
    let mut services = BTreeSet::new();
    each_distinct(batch, name::SERVICE_NAME, |service| {
        services.insert(service.to_owned());
    });
    let traces = order.chunk_by(|a, b| a.0 == b.0).count() as u64;
    let listed = services.len() <= SERVICES_LISTED_MAX && services.iter().all(|name| name.len() <= NAME_BYTES_MAX);
    let meta = SegmentMeta {
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
    };
    (order, meta)
}

fn properties(traces: u64, plain: &[String], level: ZstdLevel) -> WriterProperties {
    let column = |name: &str| ColumnPath::from(name);
    let mut properties = WriterProperties::builder()
        .set_writer_version(WriterVersion::PARQUET_2_0)
        .set_created_by(concat!("epicenter ", env!("CARGO_PKG_VERSION")).to_owned())
        .set_compression(Compression::ZSTD(level))
        .set_max_row_group_row_count(Some(ROW_GROUP_ROWS_MAX))
        .set_data_page_row_count_limit(PAGE_ROWS_MAX)
        .set_write_batch_size(1024)
        .set_statistics_enabled(EnabledStatistics::Chunk)
        .set_column_statistics_enabled(column(name::TRACE_ID), EnabledStatistics::Page)
        .set_column_statistics_enabled(column(name::START_TIME), EnabledStatistics::Page)
        .set_key_value_metadata(Some(vec![KeyValue::new(
            SCHEMA_VERSION_KEY.to_owned(),
            SCHEMA_VERSION.to_string(),
        )]))
        .set_sorting_columns(Some(vec![ascending(name::TRACE_ID), ascending(name::START_TIME)]))
        .set_column_bloom_filter_enabled(column(name::TRACE_ID), true)
        .set_column_bloom_filter_fpp(column(name::TRACE_ID), FILTER_FALSE_POSITIVES)
        .set_column_bloom_filter_max_ndv(column(name::TRACE_ID), traces.max(1));
    for id in [name::SPAN_ID, name::PARENT_SPAN_ID] {
        properties = properties
            .set_column_dictionary_enabled(column(id), false)
            .set_column_statistics_enabled(column(id), EnabledStatistics::None);
    }
    for text in [name::RESOURCE, name::SCOPE] {
        properties = properties.set_column_statistics_enabled(column(text), EnabledStatistics::None);
    }
    for name in plain {
        properties = properties.set_column_dictionary_enabled(column(name), false);
    }
    let event_time = ColumnPath::from(["events", "list", "item", "time"].map(str::to_owned).to_vec());
    for number in [column(name::START_TIME), column(name::DURATION_NS), event_time] {
        properties = properties
            .set_column_dictionary_enabled(number.clone(), false)
            .set_column_encoding(number, Encoding::DELTA_BINARY_PACKED);
    }
    properties.build()
}

fn ascending(name: &str) -> SortingColumn {
    // The position among all columns, which for those before the nested ones is that among the leaves.
    let column_idx = arrow_schema().index_of(name).map_or(0, |index| index as i32);
    SortingColumn {
        column_idx,
        descending: false,
        nulls_first: false,
    }
}
