//! Sorting spans and writing them as Parquet. The batches are never put together whole: rows are picked from them chunk
//! by chunk in the order of the segment, so that memory beyond the batches themselves stays at one chunk and the file.

use super::segment::{SERVICES_LISTED_MAX, SegmentMeta};
use crate::Error;
use arrow::compute::interleave_record_batch;
use arrow::record_batch::RecordBatch;
use bytes::Bytes;
use epicenter_schema::{SCHEMA_VERSION, SpanBatch, arrow_schema, name};
use parquet::arrow::ArrowWriter;
use parquet::basic::{Compression, Encoding, ZstdLevel};
use parquet::file::metadata::{KeyValue, SortingColumn};
use parquet::file::properties::{EnabledStatistics, WriterProperties, WriterVersion};
use parquet::schema::types::ColumnPath;
use std::collections::BTreeSet;

/// Most spans of a row group: statistics and bloom filters are kept for each.
const ROW_GROUP_ROWS_MAX: usize = 131_072;
/// Most spans of a page: what a look-up of one trace has to decode at least, in every column.
const PAGE_ROWS_MAX: usize = 8_192;
/// Spans that are picked and handed to the writer at once.
const CHUNK_ROWS: usize = 4_096;
/// Share of absent trace ids that the bloom filter does not recognise.
const FILTER_FALSE_POSITIVES: f64 = 0.01;
/// Key of the schema version in the file's metadata.
const SCHEMA_VERSION_KEY: &str = "epicenter.schema_version";

/// A segment as bytes, and what is to be known of it. Path, size, sequences and times of receipt are the caller's to
/// fill in.
pub(crate) struct Written {
    pub(crate) bytes: Bytes,
    pub(crate) meta: SegmentMeta,
}

/// Where a span stands in the segment and where it comes from.
type Key = ([u8; 16], i64, u32, u32);

/// Writes the spans of `batches`, at least one, sorted by trace id, then start, then the order received. Costs about a
/// microsecond a span; blocks.
///
/// # Errors
/// When Arrow or Parquet refuse, which takes a column of more than 2 GiB.
pub(crate) fn write(batches: &[&SpanBatch], path: &str) -> Result<Written, Error> {
    let (order, meta) = survey(batches, path);
    let failed = |source| Error::Segment {
        path: path.to_owned(),
        source,
    };
    let properties = properties(meta.traces);
    let mut writer = ArrowWriter::try_new(Vec::new(), arrow_schema(), Some(properties)).map_err(failed)?;
    let sources: Vec<&RecordBatch> = batches.iter().map(|batch| batch.record_batch()).collect();
    let mut picks = Vec::with_capacity(CHUNK_ROWS);
    for chunk in order.chunks(CHUNK_ROWS) {
        picks.clear();
        picks.extend(chunk.iter().map(|(_, _, batch, row)| (*batch as usize, *row as usize)));
        let rows = interleave_record_batch(&sources, &picks).map_err(|source| Error::Columns {
            path: path.to_owned(),
            source,
        })?;
        writer.write(&rows).map_err(failed)?;
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

/// The order of the segment, and what the manifest says of it.
fn survey(batches: &[&SpanBatch], path: &str) -> (Vec<Key>, SegmentMeta) {
    let rows = batches.iter().map(|batch| batch.len()).sum();
    let mut order: Vec<Key> = Vec::with_capacity(rows);
    let mut services = BTreeSet::new();
    let (mut start_min, mut start_max) = (i64::MAX, i64::MIN);
    for (number, batch) in batches.iter().enumerate() {
        let spans = batch.spans();
        for row in 0..spans.len() {
            let span = spans.get(row);
            let start = span.start().0;
            order.push((span.trace_id().0, start, number as u32, row as u32));
            start_min = start_min.min(start);
            start_max = start_max.max(start);
            if services.len() <= SERVICES_LISTED_MAX && !services.contains(span.service_name()) {
                services.insert(span.service_name().to_owned());
            }
        }
    }
    order.sort_unstable();
    let traces = order.chunk_by(|a, b| a.0 == b.0).count() as u64;
    let listed = services.len() <= SERVICES_LISTED_MAX;
    let meta = SegmentMeta {
        path: path.to_owned(),
        rows: rows as u64,
        bytes: 0,
        start_min,
        start_max,
        received_min: 0,
        received_max: 0,
        first_sequence: 0,
        last_sequence: 0,
        traces,
        services: listed.then(|| services.into_iter().collect()),
    };
    (order, meta)
}

fn properties(traces: u64) -> WriterProperties {
    let column = |name: &str| ColumnPath::from(name);
    let mut properties = WriterProperties::builder()
        .set_writer_version(WriterVersion::PARQUET_2_0)
        .set_created_by(concat!("epicenter ", env!("CARGO_PKG_VERSION")).to_owned())
        .set_compression(Compression::ZSTD(ZstdLevel::default()))
        .set_max_row_group_row_count(Some(ROW_GROUP_ROWS_MAX))
        .set_data_page_row_count_limit(PAGE_ROWS_MAX)
        .set_write_batch_size(1024)
        .set_statistics_enabled(EnabledStatistics::Page)
        .set_key_value_metadata(Some(vec![KeyValue::new(
            SCHEMA_VERSION_KEY.to_owned(),
            SCHEMA_VERSION.to_string(),
        )]))
        .set_sorting_columns(Some(vec![ascending(name::TRACE_ID), ascending(name::START_TIME)]))
        .set_column_bloom_filter_enabled(column(name::TRACE_ID), true)
        .set_column_bloom_filter_fpp(column(name::TRACE_ID), FILTER_FALSE_POSITIVES)
        .set_column_bloom_filter_max_ndv(column(name::TRACE_ID), traces.max(1));
    for id in [name::TRACE_ID, name::SPAN_ID, name::PARENT_SPAN_ID] {
        properties = properties.set_column_dictionary_enabled(column(id), id == name::TRACE_ID);
    }
    for number in [name::START_TIME, name::DURATION_NS] {
        properties = properties
            .set_column_dictionary_enabled(column(number), false)
            .set_column_encoding(column(number), Encoding::DELTA_BINARY_PACKED);
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
