//! Columns as the bytes of a Parquet file.
//!
//! Texts that are in a dictionary already are written by `dictionary`, everything else by the `parquet` crate.

mod dictionary;
mod runs;

use super::segment::SegmentMeta;
use super::write::{Columns, Written};
use crate::Error;
use arrow::array::{Array, AsArray};
use arrow::datatypes::{DataType, Int32Type};
use arrow::record_batch::RecordBatch;
use dictionary::Compressor;
use epicenter_schema::{SCHEMA_VERSION, arrow_schema, name};
use parquet::arrow::ArrowWriter;
use parquet::arrow::arrow_writer::{ArrowRowGroupWriterFactory, compute_leaves};
use parquet::basic::{Compression, Encoding, ZstdLevel};
use parquet::errors::Result;
use parquet::file::metadata::{KeyValue, SortingColumn};
use parquet::file::properties::{EnabledStatistics, WriterProperties, WriterVersion};
use parquet::file::writer::SerializedFileWriter;
use parquet::schema::types::ColumnPath;

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

/// Writes columns as a file.
///
/// # Errors
/// When Parquet refuses, which takes a column of more than 2 GiB.
pub(super) fn encode(columns: Columns, path: &str, level: ZstdLevel) -> std::result::Result<Written, Error> {
    let meta = columns.meta.clone();
    let bytes = file(columns, level).map_err(|source| Error::Segment {
        path: path.to_owned(),
        source,
    })?;
    Ok(Written {
        meta: SegmentMeta {
            bytes: bytes.len() as u64,
            ..meta
        },
        bytes: bytes.into(),
    })
}

fn file(columns: Columns, level: ZstdLevel) -> Result<Vec<u8>> {
    let Columns {
        batch,
        plain,
        tokens,
        meta,
    } = columns;
    let properties = properties(meta.traces, &plain, level);
    let writer = ArrowWriter::try_new(Vec::new(), batch.schema(), Some(properties))?;
    let (mut file, factory) = writer.into_serialized_writer()?;
    let mut compressor = Compressor::new(level)?;
    for (number, first) in (0..batch.num_rows()).step_by(ROW_GROUP_ROWS_MAX).enumerate() {
        let rows = batch.slice(first, ROW_GROUP_ROWS_MAX.min(batch.num_rows() - first));
        row_group(&rows, number, &mut file, &factory, &mut compressor)?;
    }
    drop(batch);
    if let Some(filter) = tokens.filter()? {
        let offset = file.bytes_written();
        file.write_all(&filter)?;
        file.append_key_value_metadata(KeyValue::new(
            TOKENS_KEY.to_owned(),
            format!("{offset} {}", filter.len()),
        ));
    }
    file.into_inner()
}

/// Writes a row group column after column, so that no more than one is held encoded.
fn row_group(
    rows: &RecordBatch,
    number: usize,
    file: &mut SerializedFileWriter<Vec<u8>>,
    factory: &ArrowRowGroupWriterFactory,
    compressor: &mut Compressor,
) -> Result<()> {
    let properties = file.properties().clone();
    let descriptions = file.schema_descr().columns().to_vec();
    let mut writers = factory.create_column_writers(number)?.into_iter();
    let mut group = file.next_row_group()?;
    let schema = rows.schema();
    for (field, column) in schema.fields().iter().zip(rows.columns()) {
        let leaf = descriptions.len() - writers.len();
        let description = &descriptions[leaf];
        let in_dictionary = matches!(field.data_type(), DataType::Dictionary(_, _));
        if in_dictionary && properties.dictionary_enabled(description.path()) {
            let with_statistics = properties.statistics_enabled(description.path()) != EnabledStatistics::None;
            let column = column.as_dictionary::<Int32Type>();
            if let Some((bytes, close)) = dictionary::chunk(column, description, compressor, with_statistics)? {
                writers.next();
                group.append_column(&bytes, close)?;
                continue;
            }
        }
        let width = compute_leaves(field, &column.slice(0, 0))?.len();
        let mut own: Vec<_> = writers.by_ref().take(width).collect();
        for first in (0..column.len()).step_by(CHUNK_ROWS) {
            let part = column.slice(first, CHUNK_ROWS.min(column.len() - first));
            for (writer, leaf) in own.iter_mut().zip(compute_leaves(field, &part)?) {
                writer.write(&leaf)?;
            }
        }
        for writer in own {
            writer.close()?.append_to_row_group(&mut group)?;
        }
    }
    group.close()?;
    Ok(())
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
