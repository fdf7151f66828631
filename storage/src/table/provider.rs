//! The table `spans` for DataFusion: Parquet segments and unsealed batches of one snapshot, side by side in one plan.

use super::filters::Filters;
use super::objects::Objects;
use super::prune::Known;
use super::segment::Segment;
use crate::view::{Snapshot, View};
use arrow::datatypes::SchemaRef;
use arrow::record_batch::RecordBatch;
use async_trait::async_trait;
use datafusion::catalog::{Session, TableProvider};
use datafusion::common::{DFSchema, DataFusionError, Result};
use datafusion::datasource::listing::PartitionedFile;
use datafusion::datasource::memory::MemorySourceConfig;
use datafusion::datasource::object_store::ObjectStoreUrl;
use datafusion::datasource::physical_plan::parquet::CachedParquetFileReaderFactory;
use datafusion::datasource::physical_plan::{FileGroup, FileScanConfigBuilder, ParquetSource};
use datafusion::datasource::source::DataSourceExec;
use datafusion::logical_expr::utils::conjunction;
use datafusion::logical_expr::{Expr, TableProviderFilterPushDown, TableType};
use datafusion::physical_expr::PhysicalExpr;
use datafusion::physical_optimizer::pruning::PruningPredicateBuilder;
use datafusion::physical_plan::ExecutionPlan;
use datafusion::physical_plan::union::UnionExec;
use epicenter_schema::{arrow_schema, name};
use object_store::ObjectMeta;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// Tells the object stores of several stores in one session apart.
static STORES: AtomicU64 = AtomicU64::new(0);

/// The table of all spans.
#[derive(Debug)]
pub(crate) struct Spans {
    view: Arc<View>,
    objects: Objects,
    filters: Arc<Filters>,
    url: ObjectStoreUrl,
}

impl Spans {
    pub(crate) fn new(view: Arc<View>, objects: Objects, filters: Arc<Filters>) -> Self {
        let number = STORES.fetch_add(1, Ordering::Relaxed);
        let url = ObjectStoreUrl::parse(format!("epicenter://spans-{number}")).expect("scheme and host are valid");
        Self {
            view,
            objects,
            filters,
            url,
        }
    }

    /// The segments that the filter does not rule out.
    async fn prune(
        &self,
        segments: &[Arc<Segment>],
        predicate: Option<&Arc<dyn PhysicalExpr>>,
    ) -> Result<Vec<Arc<Segment>>> {
        let builder = PruningPredicateBuilder::new().with_file_schema(arrow_schema());
        let Some(pruning) = predicate.and_then(|predicate| builder.build(Arc::clone(predicate))) else {
            return Ok(segments.to_vec());
        };
        // Two passes, so that the filters are only read of segments that times and services have not ruled out.
        let known = Known {
            segments,
            filters: Vec::new(),
        };
        let segments = kept(segments, &pruning.prune(&known)?);
        let asks_for_traces = pruning
            .literal_guarantees()
            .iter()
            .any(|guarantee| guarantee.column.name == name::TRACE_ID);
        if !asks_for_traces || segments.is_empty() {
            return Ok(segments);
        }
        let filters = self.filters.of_all(&segments).await.map_err(external)?;
        let known = Known {
            segments: &segments,
            filters,
        };
        let keep = pruning.prune(&known)?;
        Ok(kept(&segments, &keep))
    }

    fn sealed(
        &self,
        state: &dyn Session,
        segments: Vec<Arc<Segment>>,
        predicate: Option<Arc<dyn PhysicalExpr>>,
        projection: Option<&Vec<usize>>,
        limit: Option<usize>,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        let runtime = state.runtime_env();
        runtime.register_object_store(self.url.as_ref(), Arc::clone(self.objects.store()));
        let footers = runtime.cache_manager.get_file_metadata_cache();
        let reader = CachedParquetFileReaderFactory::new(Arc::clone(self.objects.store()), footers);
        let mut source = ParquetSource::new(arrow_schema())
            .with_table_parquet_options(state.default_table_options().parquet)
            .with_parquet_file_reader_factory(Arc::new(reader))
            .with_pushdown_filters(true);
        if let Some(predicate) = predicate {
            source = source.with_predicate(predicate);
        }
        let files = segments.into_iter().map(file).collect();
        let groups = FileGroup::new(files).split_files(state.config().target_partitions());
        let config = FileScanConfigBuilder::new(self.url.clone(), Arc::new(source))
            .with_file_groups(groups)
            .with_projection_indices(projection.cloned())?
            .with_limit(limit)
            .build();
        Ok(DataSourceExec::from_data_source(config))
    }
}

#[async_trait]
impl TableProvider for Spans {
    fn schema(&self) -> SchemaRef {
        arrow_schema()
    }

    fn table_type(&self) -> TableType {
        TableType::Base
    }

    fn supports_filters_pushdown(&self, filters: &[&Expr]) -> Result<Vec<TableProviderFilterPushDown>> {
        Ok(vec![TableProviderFilterPushDown::Inexact; filters.len()])
    }

    async fn scan(
        &self,
        state: &dyn Session,
        projection: Option<&Vec<usize>>,
        filters: &[Expr],
        limit: Option<usize>,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        let schema = DFSchema::try_from(arrow_schema())?;
        let predicate = conjunction(filters.to_vec())
            .map(|filter| state.create_physical_expr(filter, &schema))
            .transpose()?;
        let Snapshot { segments, unsealed } = self.view.snapshot();
        let segments = self.prune(&segments, predicate.as_ref()).await?;

        let batches: Vec<RecordBatch> = unsealed
            .iter()
            .map(|record| record.batch.record_batch().clone())
            .collect();
        let memory = MemorySourceConfig::try_new(&[batches], arrow_schema(), projection.cloned())?.with_limit(limit);
        let memory: Arc<dyn ExecutionPlan> = DataSourceExec::from_data_source(memory);
        if segments.is_empty() {
            return Ok(memory);
        }
        let sealed = self.sealed(state, segments, predicate, projection, limit)?;
        if unsealed.is_empty() {
            return Ok(sealed);
        }
        UnionExec::try_new(vec![sealed, memory])
    }
}

/// The file of a segment. It carries a reference to the segment, so that the file stays as long as the plan.
fn file(segment: Arc<Segment>) -> PartitionedFile {
    PartitionedFile::new_from_meta(ObjectMeta {
        location: segment.location().clone(),
        // Segments are immutable: a fixed time lets what is cached of them be found again.
        last_modified: Default::default(),
        size: segment.meta.bytes,
        e_tag: None,
        version: None,
    })
    .with_extension(segment)
}

fn kept(segments: &[Arc<Segment>], keep: &[bool]) -> Vec<Arc<Segment>> {
    let pairs = segments.iter().zip(keep);
    pairs
        .filter(|(_, keep)| **keep)
        .map(|(segment, _)| Arc::clone(segment))
        .collect()
}

fn external(error: crate::Error) -> DataFusionError {
    DataFusionError::External(Box::new(error))
}
