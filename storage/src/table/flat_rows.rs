//! Reading the flat columns of a segment, some thousand rows at a time, in the order of the file.

use super::filters::{Filters, failed};
use super::layout::flat_columns;
use super::reader::SegmentReader;
use super::segment::Segment;
use crate::Error;
use epicenter_schema::{FlatBatch, SpanBatch};
use futures::StreamExt;
use parquet::arrow::async_reader::ParquetRecordBatchStream;
use parquet::arrow::{ParquetRecordBatchStreamBuilder, ProjectionMask};
use std::sync::Arc;

/// Rows of a batch.
const BATCH_ROWS: usize = 8_192;

/// A segment in the middle of being read. It holds the segment, so that its file stays.
pub(crate) struct FlatRows {
    segment: Arc<Segment>,
    stream: ParquetRecordBatchStream<SegmentReader>,
}

impl FlatRows {
    pub(crate) async fn open(filters: &Filters, segment: &Arc<Segment>) -> Result<Self, Error> {
        filters.count_read();
        let footer = filters.footer(segment).await?;
        // They come first in a segment, in the order of the logical schema.
        let mask = ProjectionMask::roots(footer.parquet_schema(), 0..flat_columns().len());
        let stream = ParquetRecordBatchStreamBuilder::new_with_metadata(filters.reader(segment), footer)
            .with_batch_size(BATCH_ROWS)
            .with_projection(mask)
            .build()
            .map_err(failed(segment))?;
        Ok(Self {
            segment: Arc::clone(segment),
            stream,
        })
    }

    /// The next rows, with nothing nested; none at the end.
    pub(crate) async fn next(&mut self) -> Result<Option<SpanBatch>, Error> {
        let Some(batch) = self.stream.next().await else {
            return Ok(None);
        };
        let batch = batch.map_err(failed(&self.segment))?;
        let spans = FlatBatch::without_nested(&batch).map_err(|source| Error::Schema {
            path: self.segment.meta.path.clone(),
            source,
        })?;
        Ok(Some(spans))
    }
}
