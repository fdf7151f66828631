//! One attribute column as it grows. Rows that were skipped are null and are padded when the next one is written.

use super::tokens::Tokens;
use crate::table::layout::{Attribute, Type};
use crate::table::texts::Texts;
use arrow::array::{ArrayRef, BooleanArray, Float64Array, Int64Array};
use arrow::buffer::{BooleanBuffer, Buffer, NullBuffer, ScalarBuffer};
use arrow::error::ArrowError;
use hashbrown::HashSet;
use std::sync::Arc;

pub(super) struct Column {
    attribute: Attribute,
    values: Values,
    valid: Bits,
}

enum Values {
    Texts(Texts),
    Ints { values: Vec<i64>, distinct: HashSet<i64> },
    Doubles { values: Vec<f64>, distinct: HashSet<u64> },
    Bools { len: usize, values: Bits },
}

impl Column {
    pub(super) fn new(attribute: Attribute) -> Self {
        let values = match attribute.kind {
            Type::String => Values::Texts(Texts::default()),
            Type::Int => Values::Ints {
                values: Vec::new(),
                distinct: HashSet::new(),
            },
            Type::Double => Values::Doubles {
                values: Vec::new(),
                distinct: HashSet::new(),
            },
            Type::Bool => Values::Bools {
                len: 0,
                values: Bits::default(),
            },
        };
        Self {
            attribute,
            values,
            valid: Bits::default(),
        }
    }

    /// Whether it is the column of attributes with this key and type.
    #[inline]
    pub(super) fn is_of(&self, key: &[u8], kind: Type) -> bool {
        self.attribute.kind == kind && self.attribute.key.as_bytes() == key
    }

    /// Rows written, skipped ones included.
    pub(super) fn len(&self) -> usize {
        match &self.values {
            Values::Texts(texts) => texts.rows(),
            Values::Ints { values, .. } => values.len(),
            Values::Doubles { values, .. } => values.len(),
            Values::Bools { len, .. } => *len,
        }
    }

    pub(super) fn set_text(&mut self, row: usize, text: &[u8]) {
        if let Values::Texts(texts) = &mut self.values {
            texts.set(row, text);
            self.valid.set(row);
        }
    }

    pub(super) fn set_int(&mut self, row: usize, number: i64) {
        if let Values::Ints { values, distinct } = &mut self.values {
            values.resize(row, 0);
            if values.last() != Some(&number) {
                distinct.insert(number);
            }
            values.push(number);
            self.valid.set(row);
        }
    }

    pub(super) fn set_double(&mut self, row: usize, number: f64) {
        if let Values::Doubles { values, distinct } = &mut self.values {
            values.resize(row, 0.0);
            // Only whole numbers are looked up.
            if number.fract() == 0.0 && values.last() != Some(&number) {
                distinct.insert(number.to_bits());
            }
            values.push(number);
            self.valid.set(row);
        }
    }

    pub(super) fn set_bool(&mut self, row: usize, truth: bool) {
        if let Values::Bools { len, values } = &mut self.values {
            *len = row + 1;
            if truth {
                values.set(row);
            }
            self.valid.set(row);
        }
    }

    /// Distinct values, where they are counted.
    pub(super) fn distinct(&self) -> Option<usize> {
        match &self.values {
            Values::Texts(texts) => Some(texts.len()),
            Values::Ints { distinct, .. } => Some(distinct.len()),
            _ => None,
        }
    }

    /// Adds what a search for a value looks up.
    pub(super) fn tokens(&self, tokens: &mut Tokens) {
        let key = self.attribute.key.as_bytes();
        match &self.values {
            Values::Texts(texts) => texts.each(|text| tokens.text(key, text)),
            Values::Ints { distinct, .. } => distinct.iter().for_each(|number| tokens.int(key, *number)),
            Values::Doubles { distinct, .. } => distinct
                .iter()
                .for_each(|bits| tokens.double(key, f64::from_bits(*bits))),
            Values::Bools { .. } => [true, false].into_iter().for_each(|truth| tokens.bool(key, truth)),
        }
    }

    pub(super) fn finish(self, rows: usize) -> Result<(Attribute, ArrayRef), ArrowError> {
        let nulls = self.valid.into_nulls(rows);
        let array: ArrayRef = match self.values {
            Values::Texts(texts) => texts.finish(rows, nulls)?,
            Values::Ints { mut values, .. } => {
                values.resize(rows, 0);
                Arc::new(Int64Array::new(ScalarBuffer::from(values), nulls))
            }
            Values::Doubles { mut values, .. } => {
                values.resize(rows, 0.0);
                Arc::new(Float64Array::new(ScalarBuffer::from(values), nulls))
            }
            Values::Bools { values, .. } => Arc::new(BooleanArray::new(values.into_buffer(rows), nulls)),
        };
        Ok((self.attribute, array))
    }
}

/// A bitmap that is zero where nothing was set.
#[derive(Default)]
struct Bits {
    bytes: Vec<u8>,
}

impl Bits {
    #[inline]
    fn set(&mut self, row: usize) {
        let byte = row / 8;
        if byte >= self.bytes.len() {
            self.bytes.resize(byte + 1, 0);
        }
        self.bytes[byte] |= 1 << (row % 8);
    }

    fn into_buffer(mut self, rows: usize) -> BooleanBuffer {
        self.bytes.resize(rows.div_ceil(8), 0);
        BooleanBuffer::new(Buffer::from_vec(self.bytes), 0, rows)
    }

    fn into_nulls(self, rows: usize) -> Option<NullBuffer> {
        Some(NullBuffer::new(self.into_buffer(rows))).filter(|nulls| nulls.null_count() > 0)
    }
}
