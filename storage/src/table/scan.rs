//! Reading spans for the query engine: segments and unsealed requests, one after the other in each partition, as the
//! columns that are asked for.

use super::assemble::Assembler;
use super::filters::Filters;
use super::layout::is_flat;
use super::segment::Segment;
use crate::Error;
use crate::view::Unsealed;
use arrow::datatypes::{Schema, SchemaRef};
use arrow::error::ArrowError;
use arrow::record_batch::RecordBatch;
use datafusion::common::{DataFusionError, Result};
use datafusion::execution::TaskContext;
use datafusion::physical_expr::PhysicalExpr;
use datafusion::physical_expr::utils::{collect_columns, reassign_expr_columns, split_conjunction};
use datafusion::physical_plan::SendableRecordBatchStream;
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use datafusion::physical_plan::streaming::PartitionStream;
use futures::{StreamExt, TryStreamExt};
use parquet::arrow::arrow_reader::{ArrowPredicate, ArrowPredicateFn, RowFilter};
use parquet::arrow::{ParquetRecordBatchStreamBuilder, ProjectionMask};
use std::sync::Arc;

/// Rows of a batch that is read.
const BATCH_ROWS: usize = 8_192;

/// Something that holds spans.
#[derive(Clone, Debug)]
pub(super) enum Piece {
    Sealed(Arc<Segment>),
    Unsealed(Arc<Unsealed>),
}

/// What is to be read, of whichever piece.
#[derive(Clone, Debug)]
pub(super) struct Scan {
    filters: Arc<Filters>,
    assembler: Assembler,
    projection: Option<Vec<usize>>,
    /// Conditions on flat columns, which are cheap to judge before anything else is read.
    conditions: Vec<Arc<dyn PhysicalExpr>>,
}

impl Scan {
    pub(super) fn new(
        filters: Arc<Filters>,
        projection: Option<&[usize]>,
        predicate: Option<&Arc<dyn PhysicalExpr>>,
    ) -> Result<Self> {
        let is_cheap = |condition: &&Arc<dyn PhysicalExpr>| {
            let columns = collect_columns(condition);
            !columns.is_empty() && columns.iter().all(|column| is_flat(column.name()))
        };
        let conditions = predicate
            .map(|predicate| split_conjunction(predicate))
            .unwrap_or_default();
        Ok(Self {
            filters,
            assembler: Assembler::new(projection)?,
            projection: projection.map(<[usize]>::to_vec),
            conditions: conditions.into_iter().filter(is_cheap).cloned().collect(),
        })
    }

    pub(super) fn schema(&self) -> &SchemaRef {
        self.assembler.schema()
    }

    /// The pieces dealt out to at most `count` partitions.
    pub(super) fn partitions(&self, pieces: Vec<Piece>, count: usize) -> Vec<Arc<dyn PartitionStream>> {
        let count = count.clamp(1, pieces.len().max(1));
        let mut dealt = vec![Vec::new(); count];
        for (number, piece) in pieces.into_iter().enumerate() {
            dealt[number % count].push(piece);
        }
        let part = |pieces| -> Arc<dyn PartitionStream> {
            Arc::new(Part {
                scan: self.clone(),
                pieces,
            })
        };
        dealt.into_iter().map(part).collect()
    }

    async fn open(self, piece: Piece) -> Result<SendableRecordBatchStream> {
        let schema = Arc::clone(self.schema());
        match piece {
            Piece::Unsealed(record) => {
                let batch = self.unsealed(&record).map_err(external)?;
                let stream = futures::stream::once(async move { Ok(batch) });
                Ok(Box::pin(RecordBatchStreamAdapter::new(schema, stream)))
            }
            Piece::Sealed(segment) => {
                let rows = self.sealed(&segment).await?;
                Ok(Box::pin(RecordBatchStreamAdapter::new(schema, rows)))
            }
        }
    }

    fn unsealed(&self, record: &Unsealed) -> Result<RecordBatch, Error> {
        let put = |source: ArrowError| Error::Columns {
            path: "memory".to_owned(),
            source,
        };
        let all = if self.assembler.is_nested() {
            record.with_nested()?
        } else {
            record.spans.batch().clone()
        };
        match &self.projection {
            None => Ok(all.record_batch().clone()),
            Some(columns) => all.record_batch().project(columns).map_err(put),
        }
    }

    async fn sealed(
        &self,
        segment: &Arc<Segment>,
    ) -> Result<impl futures::Stream<Item = Result<RecordBatch>> + Send + use<>> {
        self.filters.count_read();
        let footer = self.filters.footer(segment).await.map_err(external)?;
        let columns = self.assembler.needed(footer.schema());
        let mask = ProjectionMask::roots(footer.parquet_schema(), columns);
        let mut judges: Vec<Box<dyn ArrowPredicate>> = Vec::new();
        for condition in &self.conditions {
            judges.push(judge(condition, footer.schema(), footer.parquet_schema())?);
        }
        let mut builder = ParquetRecordBatchStreamBuilder::new_with_metadata(self.filters.reader(segment), footer)
            .with_batch_size(BATCH_ROWS)
            .with_projection(mask);
        if !judges.is_empty() {
            builder = builder.with_row_filter(RowFilter::new(judges));
        }
        let (assembler, stream) = (self.assembler.clone(), builder.build()?);
        // The segment is held as long as it is read, so that its file is not deleted meanwhile.
        let held = Arc::clone(segment);
        Ok(stream.map(move |batch| {
            let _ = &held;
            assembler.assemble(&batch?).map_err(external)
        }))
    }
}

/// A condition for the reader, on the columns of the segment that it needs.
fn judge(
    condition: &Arc<dyn PhysicalExpr>,
    schema: &SchemaRef,
    parquet: &parquet::schema::types::SchemaDescriptor,
) -> Result<Box<dyn ArrowPredicate>> {
    let mut columns = Vec::new();
    for column in collect_columns(condition) {
        columns.push(schema.index_of(column.name())?);
    }
    columns.sort_unstable();
    let seen: Schema = schema.project(&columns)?;
    let condition = reassign_expr_columns(Arc::clone(condition), &seen)?;
    let mask = ProjectionMask::roots(parquet, columns);
    Ok(Box::new(ArrowPredicateFn::new(mask, move |batch: RecordBatch| {
        let judged = condition
            .evaluate(&batch)
            .and_then(|value| value.into_array(batch.num_rows()));
        let judged = judged.map_err(|error| ArrowError::ExternalError(Box::new(error)))?;
        Ok(arrow::array::AsArray::as_boolean(&judged).clone())
    })))
}

fn external(error: Error) -> DataFusionError {
    DataFusionError::External(Box::new(error))
}

/// The pieces of one partition.
#[derive(Debug)]
struct Part {
    scan: Scan,
    pieces: Vec<Piece>,
}

impl PartitionStream for Part {
    fn schema(&self) -> &SchemaRef {
        self.scan.schema()
    }

    fn execute(&self, _: Arc<TaskContext>) -> SendableRecordBatchStream {
        let scan = self.scan.clone();
        let opened = futures::stream::iter(self.pieces.clone()).then(move |piece| scan.clone().open(piece));
        Box::pin(RecordBatchStreamAdapter::new(
            Arc::clone(self.scan.schema()),
            opened.try_flatten(),
        ))
    }
}
