//! Every span of one trace: a scan of what is unsealed, and of the segments those whose bloom filter knows the id. A
//! segment is sorted by trace id, so the page index leads to the few pages that can hold it, and only rows of the trace
//! are decoded in the other columns.

use super::assemble::Assembler;
use super::filters::{Filters, TRACE_ID_COLUMN, TraceFilter, failed};
use super::segment::Segment;
use crate::Error;
use crate::view::{Snapshot, Unsealed};
use arrow::array::{Array, AsArray, BooleanArray, FixedSizeBinaryArray, UInt64Array};
use arrow::compute::{concat_batches, take_record_batch};
use arrow::record_batch::RecordBatch;
use epicenter_schema::{SpanBatch, TraceId, arrow_schema};
use futures::{StreamExt, TryStreamExt};
use parquet::arrow::arrow_reader::{ArrowPredicateFn, ArrowReaderMetadata, RowFilter, RowSelection};
use parquet::arrow::{ParquetRecordBatchStreamBuilder, ProjectionMask};
use parquet::file::page_index::column_index::ColumnIndexMetaData;
use std::ops::Range;
use std::sync::Arc;

/// Most spans of one trace that are put together.
const TRACE_SPANS_MAX: usize = 1_000_000;
/// Most memory of them.
const TRACE_BYTES_MAX: usize = 2 << 30;
/// Segments that are read at once.
const READS_AT_ONCE: usize = 4;

/// The spans of a trace, sorted by start, then span id, as one batch; none when there are none.
///
/// # Errors
/// When a segment cannot be read, or the trace has more than a million spans.
pub(crate) async fn trace(snapshot: &Snapshot, filters: &Filters, id: TraceId) -> Result<Option<SpanBatch>, Error> {
    let mut found = Vec::new();
    for record in &snapshot.unsealed {
        found.extend(rows_of(record, id)?);
    }
    let known = filters.of_all(&snapshot.segments).await?;
    let candidates: Vec<_> = snapshot
        .segments
        .iter()
        .cloned()
        .zip(known)
        .filter(|(_, filter)| filter.may_hold(id))
        .collect();
    let mut reading = futures::stream::iter(candidates)
        .map(|(segment, filter)| async move { read(filters, &segment, filter, id).await })
        .buffered(READS_AT_ONCE);
    let mut rows: usize = found.iter().map(RecordBatch::num_rows).sum();
    let mut bytes = 0;
    while let Some(sealed) = reading.try_next().await? {
        rows += sealed.iter().map(RecordBatch::num_rows).sum::<usize>();
        bytes += sealed.iter().map(RecordBatch::get_array_memory_size).sum::<usize>();
        if rows > TRACE_SPANS_MAX || bytes > TRACE_BYTES_MAX {
            return Err(Error::TraceTooLarge { limit: TRACE_SPANS_MAX });
        }
        found.extend(sealed);
    }
    drop(reading);
    if rows > TRACE_SPANS_MAX {
        return Err(Error::TraceTooLarge { limit: TRACE_SPANS_MAX });
    }
    if found.is_empty() {
        return Ok(None);
    }
    sorted(&found).map(Some)
}

/// The spans of the trace in an unsealed request, none when there are none.
fn rows_of(record: &Unsealed, id: TraceId) -> Result<Option<RecordBatch>, Error> {
    let ids = record
        .spans
        .batch()
        .record_batch()
        .column(TRACE_ID_COLUMN)
        .as_fixed_size_binary();
    let rows: Vec<u32> = (0..ids.len() as u32)
        .filter(|row| ids.value(*row as usize) == &id.0[..])
        .collect();
    if rows.is_empty() {
        return Ok(None);
    }
    record
        .rows_with_nested(&rows)
        .map(|found| Some(found.record_batch().clone()))
}

fn equal(ids: &FixedSizeBinaryArray, id: TraceId) -> BooleanArray {
    ids.iter().map(|value| Some(value == Some(&id.0[..]))).collect()
}

async fn read(
    filters: &Filters,
    segment: &Arc<Segment>,
    filter: Arc<TraceFilter>,
    id: TraceId,
) -> Result<Vec<RecordBatch>, Error> {
    filters.count_read();
    let footer = filters.footer(segment).await?;
    let row_groups: Vec<usize> = (0..footer.metadata().num_row_groups())
        .filter(|row_group| filter.row_group_may_hold(*row_group, id))
        .collect();
    let Some(selection) = select(&footer, &row_groups, id) else {
        return Ok(Vec::new());
    };
    let assembler = Assembler::new(None).map_err(columns(&segment.meta.path))?;
    let mask = ProjectionMask::leaves(footer.parquet_schema(), [TRACE_ID_COLUMN]);
    let is_it = ArrowPredicateFn::new(mask, move |batch: RecordBatch| {
        Ok(equal(batch.column(0).as_fixed_size_binary(), id))
    });
    let stream = ParquetRecordBatchStreamBuilder::new_with_metadata(filters.reader(segment), footer)
        .with_row_groups(row_groups)
        .with_row_selection(selection)
        .with_row_filter(RowFilter::new(vec![Box::new(is_it)]))
        .with_limit(TRACE_SPANS_MAX + 1)
        .build()
        .map_err(failed(segment))?;
    let rows: Vec<RecordBatch> = stream.try_collect().await.map_err(failed(segment))?;
    rows.iter().map(|rows| assembler.assemble(rows)).collect()
}

/// The rows of the given row groups, counted through them, whose pages can hold the id; None when there are none.
fn select(footer: &ArrowReaderMetadata, row_groups: &[usize], id: TraceId) -> Option<RowSelection> {
    let metadata = footer.metadata();
    let mut ranges: Vec<Range<usize>> = Vec::new();
    let mut base = 0;
    for &row_group in row_groups {
        let rows = metadata.row_group(row_group).num_rows() as usize;
        match pages(footer, row_group, id) {
            Some(pages) => ranges.extend(
                pages
                    .into_iter()
                    .map(|page| base + page.start..base + page.end.min(rows)),
            ),
            None => ranges.push(base..base + rows),
        }
        base += rows;
    }
    let any = !ranges.is_empty();
    any.then(|| RowSelection::from_consecutive_ranges(ranges.into_iter(), base))
}

/// Rows of the pages that can hold the id; None when the file has no page index.
fn pages(footer: &ArrowReaderMetadata, row_group: usize, id: TraceId) -> Option<Vec<Range<usize>>> {
    let metadata = footer.metadata();
    let offsets = metadata
        .offset_index()?
        .get(row_group)?
        .get(TRACE_ID_COLUMN)?
        .page_locations();
    let ColumnIndexMetaData::FIXED_LEN_BYTE_ARRAY(index) =
        metadata.column_index()?.get(row_group)?.get(TRACE_ID_COLUMN)?
    else {
        return None;
    };
    let starts = offsets.iter().map(|page| page.first_row_index as usize);
    let ends = starts.clone().skip(1).chain([usize::MAX]);
    let held = starts.zip(ends).enumerate().filter(|(page, _)| {
        let low = index.min_value(*page).is_none_or(|min| min <= &id.0[..]);
        let high = index.max_value(*page).is_none_or(|max| &id.0[..] <= max);
        low && high
    });
    Some(held.map(|(_, (start, end))| start..end).collect())
}

fn sorted(batches: &[RecordBatch]) -> Result<SpanBatch, Error> {
    let schema = arrow_schema();
    // Readers of Parquet may widen the schema; the columns are the same.
    let same: Vec<RecordBatch> = batches
        .iter()
        .map(|batch| RecordBatch::try_new(Arc::clone(&schema), batch.columns().to_vec()))
        .collect::<Result<_, _>>()
        .map_err(columns("a trace"))?;
    let whole = concat_batches(&schema, &same).map_err(columns("a trace"))?;
    let batch = SpanBatch::try_new(whole).map_err(|source| Error::Schema {
        path: "a trace".to_owned(),
        source,
    })?;
    let spans = batch.spans();
    let mut order: Vec<u64> = (0..spans.len() as u64).collect();
    order.sort_by_key(|row| {
        let span = spans.get(*row as usize);
        (span.start(), span.span_id())
    });
    let ordered = take_record_batch(batch.record_batch(), &UInt64Array::from(order)).map_err(columns("a trace"))?;
    SpanBatch::try_new(ordered).map_err(|source| Error::Schema {
        path: "a trace".to_owned(),
        source,
    })
}

fn columns(path: &str) -> impl FnOnce(arrow::error::ArrowError) -> Error {
    let path = path.to_owned();
    move |source| Error::Columns { path, source }
}
