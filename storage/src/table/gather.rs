//! Rows of several batches in a new order, column by column.
//!
//! Dictionaries are joined by their texts: what many batches share is looked at once a batch and kept once, and the rows
//! are numbers all the way. Other columns are joined and then put in order.

use super::texts::Texts;
use arrow::array::{Array, ArrayRef, AsArray, UInt32Array, new_null_array};
use arrow::buffer::{BooleanBuffer, NullBuffer};
use arrow::compute::{concat, take};
use arrow::datatypes::{DataType, Int32Type, SchemaRef};
use arrow::error::ArrowError;
use arrow::record_batch::RecordBatch;

/// Where a row comes from: its batch, its row there, and its row among all.
#[derive(Clone, Copy, Debug)]
pub(super) struct Source {
    pub(super) batch: u32,
    pub(super) row: u32,
    pub(super) overall: u32,
}

/// The rows of `batches`, which have this schema, that `order` names.
///
/// # Errors
/// When Arrow refuses, which takes a column of more than 2 GiB.
pub(super) fn gather(schema: &SchemaRef, batches: &[RecordBatch], order: &[Source]) -> Result<RecordBatch, ArrowError> {
    let overall = UInt32Array::from_iter_values(order.iter().map(|source| source.overall));
    let columns = schema.fields().iter().enumerate().map(|(index, field)| {
        let parts: Vec<&dyn Array> = batches.iter().map(|batch| batch.column(index).as_ref()).collect();
        if parts.iter().all(|part| part.null_count() == part.len()) {
            return Ok(new_null_array(field.data_type(), order.len()));
        }
        match field.data_type() {
            DataType::Dictionary(_, _) => dictionary(&parts, order),
            _ => take(&concat(&parts)?, &overall, None),
        }
    });
    RecordBatch::try_new(schema.clone(), columns.collect::<Result<_, _>>()?)
}

fn dictionary(parts: &[&dyn Array], order: &[Source]) -> Result<ArrayRef, ArrowError> {
    let mut texts = Texts::default();
    let parts: Vec<_> = parts.iter().map(|part| part.as_dictionary::<Int32Type>()).collect();
    let numbers: Vec<Vec<i32>> = parts
        .iter()
        .map(|part| {
            let values = part.values().as_string::<i32>().iter();
            values
                .map(|text| texts.intern(text.unwrap_or_default().as_bytes()).0)
                .collect()
        })
        .collect();
    let keys: Vec<&[i32]> = parts.iter().map(|part| &**part.keys().values()).collect();
    let number = |source: &Source| {
        let key = keys[source.batch as usize][source.row as usize];
        // Of a row without a text the key may be anything.
        numbers[source.batch as usize].get(key as usize).copied().unwrap_or(0)
    };
    let nulls = parts.iter().any(|part| part.null_count() > 0).then(|| {
        let there = |at: usize| parts[order[at].batch as usize].is_valid(order[at].row as usize);
        NullBuffer::new(BooleanBuffer::collect_bool(order.len(), there))
    });
    texts.with_keys(order.iter().map(number).collect(), nulls)
}

#[cfg(test)]
mod tests {
    use super::*;
    use arrow::array::{DictionaryArray, Int64Array};
    use arrow::datatypes::{Field, Schema};
    use std::sync::Arc;

    fn batch(texts: &[Option<&str>], numbers: &[i64]) -> RecordBatch {
        let texts: DictionaryArray<Int32Type> = texts.iter().copied().collect();
        let fields = vec![
            Field::new("text", texts.data_type().clone(), true),
            Field::new("number", DataType::Int64, false),
        ];
        let columns: Vec<ArrayRef> = vec![Arc::new(texts), Arc::new(Int64Array::from(numbers.to_vec()))];
        RecordBatch::try_new(Arc::new(Schema::new(fields)), columns).expect("a batch")
    }

    #[test]
    fn rows_come_in_the_new_order_and_each_text_is_kept_once() {
        let batches = [
            batch(&[Some("a"), None, Some("b")], &[0, 1, 2]),
            batch(&[Some("b"), Some("c")], &[3, 4]),
        ];
        let places = [(0, 0), (0, 1), (0, 2), (1, 0), (1, 1)];
        let order = [4u32, 1, 3, 2, 0].map(|overall| Source {
            batch: places[overall as usize].0,
            row: places[overall as usize].1,
            overall,
        });
        let found = gather(&batches[0].schema(), &batches, &order).expect("gathers");
        let texts = found.column(0).as_dictionary::<Int32Type>();
        assert_eq!(texts.values().len(), 3);
        let values = texts.values().as_string::<i32>();
        let texts: Vec<_> = texts
            .keys()
            .iter()
            .map(|key| key.map(|key| values.value(key as usize)))
            .collect();
        assert_eq!(texts, [Some("c"), None, Some("b"), Some("b"), Some("a")]);
        assert_eq!(found.column(1).as_ref(), &Int64Array::from(vec![4, 1, 3, 2, 0]));
    }
}
