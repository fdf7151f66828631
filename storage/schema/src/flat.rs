//! Spans whose nested parts still lie in the bytes of their request.
//!
//! Most spans are asked for nothing nested between their arrival and their sealing. So a request is first turned into its
//! flat columns only, and beside each row stands where its Span message lies in the request; attributes, events and links
//! become columns when somebody asks, or when they are sealed.

use crate::{Error, NestedBuilder, SpanBatch, SpanKind, arrow_schema, name};
use arrow::array::ArrayRef;
use arrow::record_batch::RecordBatch;
use std::ops::Range;

/// The flat columns of one request's spans, and where in the request each span is. The columns `attributes`, `events` and
/// `links` of the batch are empty in every row.
#[derive(Clone, Debug)]
pub struct FlatBatch {
    batch: SpanBatch,
    /// Offset and length of each row's Span message.
    messages: Vec<(u32, u32)>,
}

impl FlatBatch {
    /// Puts together what a walk over a request found: row `n` of the batch is the Span message at `messages[n]`, given
    /// as offset and length.
    ///
    /// # Panics
    /// When there are not as many messages as rows.
    pub fn new(batch: SpanBatch, messages: Vec<(u32, u32)>) -> Self {
        assert_eq!(batch.len(), messages.len(), "one message a row");
        Self { batch, messages }
    }

    /// The flat columns.
    pub fn batch(&self) -> &SpanBatch {
        &self.batch
    }

    /// How many spans.
    pub fn len(&self) -> usize {
        self.messages.len()
    }

    /// True for a request of no spans.
    pub fn is_empty(&self) -> bool {
        self.messages.is_empty()
    }

    /// Bytes of memory held, the request not counted.
    pub fn memory_size(&self) -> usize {
        self.batch.memory_size() + self.messages.capacity() * size_of::<(u32, u32)>()
    }

    /// Where the Span message of a row lies in the request.
    pub fn message(&self, row: usize) -> Range<usize> {
        let (offset, length) = self.messages[row];
        offset as usize..offset as usize + length as usize
    }

    /// All columns, nested ones included; `payload` is the request that this was made of. Costs a walk over it.
    ///
    /// # Errors
    /// When `payload` is another request.
    pub fn with_nested(&self, payload: &[u8]) -> Result<SpanBatch, Error> {
        let rows: Vec<u32> = (0..self.len() as u32).collect();
        with_nested(self.batch.record_batch(), self, payload, &rows)
    }

    /// The flat columns, and the links of the consumer spans that name no queue: which messages they took is told by
    /// nothing else. Costs a walk over those spans only; mostly there are none.
    ///
    /// # Errors
    /// When `payload` is another request.
    pub fn with_consumer_links(&self, payload: &[u8]) -> Result<SpanBatch, Error> {
        let spans = self.batch.spans();
        let asks = |row: usize| {
            let span = spans.get(row);
            span.kind() == SpanKind::Consumer && span.peer().is_none()
        };
        if !spans.has_kind(SpanKind::Consumer) || !(0..self.len()).any(asks) {
            return Ok(self.batch.clone());
        }
        let mut nested = NestedBuilder::with_capacity(0);
        for row in 0..self.len() {
            if asks(row) {
                let message = payload.get(self.message(row));
                nested.links_of(message.ok_or(crate::otlp::WireError::Truncated)?)?;
            }
            nested.close();
        }
        SpanBatch::try_new(replace_nested(self.batch.record_batch(), nested.finish()?)?)
    }

    /// Spans of which only the flat columns are there, in the order of [`arrow_schema`]; nothing is nested in them.
    ///
    /// # Errors
    /// [`Error::Schema`] when it is other columns.
    pub fn without_nested(flat: &RecordBatch) -> Result<SpanBatch, Error> {
        let mut nested = NestedBuilder::with_capacity(0);
        for _ in 0..flat.num_rows() {
            nested.close();
        }
        let mut flat = flat.columns().iter();
        let mut nested = nested.finish()?.into_iter();
        let schema = arrow_schema();
        let columns = schema.fields().iter().map(|field| {
            let is_nested = [name::ATTRIBUTES, name::EVENTS, name::LINKS].contains(&field.name().as_str());
            if is_nested { nested.next() } else { flat.next().cloned() }
        });
        let columns: Vec<ArrayRef> = columns.flatten().collect();
        SpanBatch::try_new(RecordBatch::try_new(schema, columns)?)
    }

    /// All columns of some rows, in the order given.
    ///
    /// # Errors
    /// When `payload` is another request.
    pub fn rows_with_nested(&self, payload: &[u8], rows: &[u32]) -> Result<SpanBatch, Error> {
        let indices = arrow::array::UInt32Array::from(rows.to_vec());
        let taken = arrow::compute::take_record_batch(self.batch.record_batch(), &indices)?;
        with_nested(&taken, self, payload, rows)
    }
}

fn with_nested(columns: &RecordBatch, flat: &FlatBatch, payload: &[u8], rows: &[u32]) -> Result<SpanBatch, Error> {
    let mut nested = NestedBuilder::with_capacity(rows.len());
    for row in rows {
        let message = payload.get(flat.message(*row as usize));
        nested.span(message.ok_or(crate::otlp::WireError::Truncated)?)?;
        nested.close();
    }
    SpanBatch::try_new(replace_nested(columns, nested.finish()?)?)
}

/// The batch with other columns `attributes`, `events` and `links`.
fn replace_nested(batch: &RecordBatch, nested: [ArrayRef; 3]) -> Result<RecordBatch, Error> {
    let mut columns = batch.columns().to_vec();
    for (name, column) in [name::ATTRIBUTES, name::EVENTS, name::LINKS].into_iter().zip(nested) {
        let index = arrow_schema().index_of(name)?;
        columns[index] = column;
    }
    Ok(RecordBatch::try_new(arrow_schema(), columns)?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{SpanBatchBuilder, SpanRow, TraceId};

    #[test]
    fn only_consumers_that_name_no_queue_are_asked_for_their_links() {
        // A Span message that is one link: to span 2222.. of trace 1111..
        let mut message = vec![0x6a, 28, 0x0a, 16];
        message.extend([0x11; 16]);
        message.extend([0x12, 8]);
        message.extend([0x22; 8]);
        let mut builder = SpanBatchBuilder::with_capacity(3);
        for (id, kind, peer) in [(1, 5, None), (2, 5, Some(&b"orders"[..])), (3, 2, None)] {
            builder.commit(&SpanRow {
                trace_id: [id; 16],
                span_id: [id; 8],
                kind,
                peer,
                ..SpanRow::default()
            });
        }
        let messages = vec![(0, message.len() as u32); 3];
        let flat = FlatBatch::new(builder.finish().expect("valid"), messages);
        let shown = flat.with_consumer_links(&message).expect("readable");
        let links: Vec<Vec<TraceId>> = shown
            .spans()
            .iter()
            .map(|span| span.links().map(|link| link.trace_id).collect())
            .collect();
        assert_eq!(links, [vec![TraceId([0x11; 16])], vec![], vec![]]);
        assert!(flat.with_consumer_links(&message[..9]).is_err(), "another request");
    }
}
