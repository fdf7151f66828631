//! What is kept in memory of the segments, so that a trace is found without opening them all: the bloom filters over
//! trace ids and the footers, each read when first asked for, each cache bounded in bytes.

use super::encode::TOKENS_KEY;
use super::objects::Objects;
use super::reader::SegmentReader;
use super::segment::Segment;
use crate::Error;
use crate::metrics::Counters;
use epicenter_schema::TraceId;
use futures::{StreamExt, TryStreamExt};
use moka::sync::Cache;
use parquet::arrow::ParquetRecordBatchStreamBuilder;
use parquet::arrow::arrow_reader::{ArrowReaderMetadata, ArrowReaderOptions};
use parquet::bloom_filter::Sbbf;
use parquet::file::metadata::PageIndexPolicy;
use std::sync::Arc;

/// Bytes of bloom filters that are kept: about a byte and a quarter a trace.
const FILTER_BYTES_MAX: u64 = 64 << 20;
/// Bytes of footers that are kept.
const FOOTER_BYTES_MAX: u64 = 64 << 20;
/// Filters that are read from the object store at once.
const LOADS_AT_ONCE: usize = 8;
/// Position of the trace id among the columns.
pub(super) const TRACE_ID_COLUMN: usize = 0;

/// The bloom filters of one segment, one a row group.
#[derive(Debug)]
pub(super) struct TraceFilter {
    row_groups: Vec<Option<Sbbf>>,
}

impl TraceFilter {
    /// False when the segment certainly has no span of the trace.
    pub(super) fn may_hold(&self, id: TraceId) -> bool {
        (0..self.row_groups.len()).any(|row_group| self.row_group_may_hold(row_group, id))
    }

    /// The same for one row group.
    pub(super) fn row_group_may_hold(&self, row_group: usize, id: TraceId) -> bool {
        match self.row_groups.get(row_group) {
            Some(Some(filter)) => filter.check(&id.0[..]),
            // A file without a filter, written by somebody else.
            _ => true,
        }
    }

    fn memory(&self) -> u32 {
        let blocks: usize = self.row_groups.iter().flatten().map(Sbbf::num_blocks).sum();
        u32::try_from(blocks * 32 + 128).unwrap_or(u32::MAX)
    }
}

/// Both caches.
#[derive(Debug)]
pub(crate) struct Filters {
    objects: Objects,
    counters: Arc<Counters>,
    filters: Cache<String, Arc<TraceFilter>>,
    footers: Cache<String, ArrowReaderMetadata>,
    attributes: Cache<String, Arc<Option<Sbbf>>>,
}

impl Filters {
    pub(crate) fn new(objects: Objects, counters: Arc<Counters>) -> Self {
        let filters = Cache::builder()
            .max_capacity(FILTER_BYTES_MAX)
            .weigher(|_, filter: &Arc<TraceFilter>| filter.memory())
            .build();
        let footers = Cache::builder()
            .max_capacity(FOOTER_BYTES_MAX)
            .weigher(|_, footer: &ArrowReaderMetadata| {
                u32::try_from(footer.metadata().memory_size()).unwrap_or(u32::MAX)
            })
            .build();
        let attributes = Cache::builder()
            .max_capacity(FILTER_BYTES_MAX)
            .weigher(|_, filter: &Arc<Option<Sbbf>>| {
                let blocks = filter.as_ref().as_ref().map_or(0, Sbbf::num_blocks);
                u32::try_from(blocks * 32 + 128).unwrap_or(u32::MAX)
            })
            .build();
        Self {
            objects,
            counters,
            filters,
            footers,
            attributes,
        }
    }

    /// A reader of the segment's file.
    pub(crate) fn reader(&self, segment: &Arc<Segment>) -> SegmentReader {
        SegmentReader {
            store: Arc::clone(self.objects.store()),
            segment: Arc::clone(segment),
        }
    }

    /// Counts a segment that is opened to answer a query.
    pub(crate) fn count_read(&self) {
        self.counters.segments_read.add(1);
    }

    /// The footer of a segment, with its page index.
    pub(crate) async fn footer(&self, segment: &Arc<Segment>) -> Result<ArrowReaderMetadata, Error> {
        if let Some(footer) = self.footers.get(&segment.meta.path) {
            return Ok(footer);
        }
        let options = ArrowReaderOptions::new().with_page_index_policy(PageIndexPolicy::Optional);
        let footer = ArrowReaderMetadata::load_async(&mut self.reader(segment), options)
            .await
            .map_err(failed(segment))?;
        self.footers.insert(segment.meta.path.clone(), footer.clone());
        Ok(footer)
    }

    /// The bloom filters of a segment.
    pub(super) async fn of(&self, segment: &Arc<Segment>) -> Result<Arc<TraceFilter>, Error> {
        if let Some(filter) = self.filters.get(&segment.meta.path) {
            return Ok(filter);
        }
        let footer = self.footer(segment).await?;
        let row_groups = footer.metadata().num_row_groups();
        let mut builder = ParquetRecordBatchStreamBuilder::new_with_metadata(self.reader(segment), footer);
        let mut filters = Vec::with_capacity(row_groups);
        for row_group in 0..row_groups {
            let filter = builder
                .get_row_group_column_bloom_filter(row_group, TRACE_ID_COLUMN)
                .await;
            filters.push(filter.map_err(failed(segment))?);
        }
        let filter = Arc::new(TraceFilter { row_groups: filters });
        self.filters.insert(segment.meta.path.clone(), Arc::clone(&filter));
        Ok(filter)
    }

    /// The filter over attribute values of a segment; none when it has none, and then it may hold any.
    pub(crate) async fn attributes(&self, segment: &Arc<Segment>) -> Result<Arc<Option<Sbbf>>, Error> {
        if let Some(filter) = self.attributes.get(&segment.meta.path) {
            return Ok(filter);
        }
        let footer = self.footer(segment).await?;
        let pairs = footer.metadata().file_metadata().key_value_metadata();
        let place = pairs.into_iter().flatten().find(|pair| pair.key == TOKENS_KEY);
        let place = place.and_then(|pair| pair.value.as_ref()?.split_once(' '));
        let place = place.and_then(|(offset, length)| Some((offset.parse::<u64>().ok()?, length.parse::<u64>().ok()?)));
        let filter = match place {
            Some((offset, length)) if offset + length <= segment.meta.bytes => {
                let bytes = self.objects.range(segment.location(), offset..offset + length).await?;
                Some(Sbbf::new(&bytes))
            }
            _ => None,
        };
        let filter = Arc::new(filter);
        self.attributes.insert(segment.meta.path.clone(), Arc::clone(&filter));
        Ok(filter)
    }

    /// The filters of many segments, in their order.
    pub(super) async fn of_all(&self, segments: &[Arc<Segment>]) -> Result<Vec<Arc<TraceFilter>>, Error> {
        futures::stream::iter(segments.to_vec())
            .map(|segment| async move { self.of(&segment).await })
            .buffered(LOADS_AT_ONCE)
            .try_collect()
            .await
    }

    /// Forgets a segment.
    pub(crate) fn forget(&self, segment: &Segment) {
        self.filters.invalidate(&segment.meta.path);
        self.footers.invalidate(&segment.meta.path);
        self.attributes.invalidate(&segment.meta.path);
    }
}

pub(crate) fn failed(segment: &Segment) -> impl FnOnce(parquet::errors::ParquetError) -> Error {
    let path = segment.meta.path.clone();
    move |source| Error::Segment { path, source }
}
