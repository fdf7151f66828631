//! A batch of spans: an Arrow record batch whose schema is known to be [`crate::arrow_schema`].

use crate::{Error, Spans, arrow_schema};
use arrow::record_batch::RecordBatch;

/// Spans as columns, in the order received. Cloning is cheap: the columns are shared.
#[derive(Clone, Debug, PartialEq)]
pub struct SpanBatch {
    batch: RecordBatch,
}

impl SpanBatch {
    /// A batch of no spans.
    pub fn empty() -> Self {
        Self {
            batch: RecordBatch::new_empty(arrow_schema()),
        }
    }

    /// Takes a record batch that has exactly the columns of [`arrow_schema`], by name, type and order; metadata and
    /// nullability are not compared, because readers of Parquet widen both.
    ///
    /// # Errors
    /// [`Error::Schema`] names the first column that differs.
    pub fn try_new(batch: RecordBatch) -> Result<Self, Error> {
        let expected = arrow_schema();
        let found = batch.schema();
        let wide = expected.fields().len().max(found.fields().len());
        for index in 0..wide {
            let (e, f) = (expected.fields().get(index), found.fields().get(index));
            let same = match (e, f) {
                (Some(e), Some(f)) => e.name() == f.name() && e.data_type().equals_datatype(f.data_type()),
                _ => false,
            };
            if !same {
                let show = |field: Option<&arrow::datatypes::FieldRef>| {
                    field.map_or_else(|| "absent".to_owned(), |x| format!("{} {}", x.name(), x.data_type()))
                };
                return Err(Error::Schema {
                    index,
                    found: show(f),
                    expected: show(e),
                });
            }
        }
        Ok(Self { batch })
    }

    /// The columns, in the order of [`arrow_schema`].
    pub fn record_batch(&self) -> &RecordBatch {
        &self.batch
    }

    /// How many spans.
    pub fn len(&self) -> usize {
        self.batch.num_rows()
    }

    /// True for a batch of no spans.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Bytes of memory that the columns hold, shared buffers counted whole.
    pub fn memory_size(&self) -> usize {
        self.batch.get_array_memory_size()
    }

    /// Typed access to the rows. Down-casting is done here, once a call, not once a row.
    pub fn spans(&self) -> Spans<'_> {
        Spans::new(&self.batch)
    }
}
