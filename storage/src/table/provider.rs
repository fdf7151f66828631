//! The table `spans` for DataFusion: Parquet segments and unsealed batches of one snapshot, side by side in one plan.

use super::filters::Filters;
use super::prune::Known;
use super::scan::{Piece, Scan};
use super::segment::Segment;
use crate::view::{Snapshot, View};
use arrow::datatypes::SchemaRef;
use async_trait::async_trait;
use datafusion::catalog::{Session, TableProvider};
use datafusion::common::{DFSchema, DataFusionError, Result};
use datafusion::logical_expr::utils::conjunction;
use datafusion::logical_expr::{Expr, TableProviderFilterPushDown, TableType};
use datafusion::physical_expr::PhysicalExpr;
use datafusion::physical_optimizer::pruning::PruningPredicateBuilder;
use datafusion::physical_plan::ExecutionPlan;
use datafusion::physical_plan::streaming::StreamingTableExec;
use epicenter_schema::{arrow_schema, name};
use std::sync::Arc;

/// The table of all spans.
#[derive(Debug)]
pub(crate) struct Spans {
    view: Arc<View>,
    filters: Arc<Filters>,
}

impl Spans {
    pub(crate) fn new(view: Arc<View>, filters: Arc<Filters>) -> Self {
        Self { view, filters }
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

        let scan = Scan::new(
            Arc::clone(&self.filters),
            projection.map(Vec::as_slice),
            predicate.as_ref(),
        )?;
        let pieces = unsealed.into_iter().map(Piece::Unsealed);
        let pieces = pieces.chain(segments.into_iter().map(Piece::Sealed)).collect();
        let partitions = scan.partitions(pieces, state.config().target_partitions());
        let schema = Arc::clone(scan.schema());
        let plan = StreamingTableExec::try_new(schema, partitions, None, [], false, limit)?;
        Ok(Arc::new(plan))
    }
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
