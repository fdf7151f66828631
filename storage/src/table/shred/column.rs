//! One attribute column as it grows. Rows that were skipped are null and are padded when the next one is written.

use super::tokens::Tokens;
use crate::table::layout::{Attribute, Type};
use arrow::array::{
    ArrayRef, BinaryArray, BooleanArray, DictionaryArray, Float64Array, Int32Array, Int64Array, StringArray,
};
use arrow::buffer::{BooleanBuffer, Buffer, NullBuffer, OffsetBuffer, ScalarBuffer};
use arrow::datatypes::Int32Type;
use arrow::error::ArrowError;
use hashbrown::{DefaultHashBuilder, HashSet, HashTable};
use std::hash::BuildHasher;
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
            Values::Texts(texts) => texts.keys.len(),
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
            Values::Texts(texts) => Some(texts.distinct()),
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

/// Texts, each distinct one kept once.
pub(super) struct Texts {
    keys: Vec<i32>,
    offsets: Vec<i32>,
    data: Vec<u8>,
    table: HashTable<i32>,
    hasher: DefaultHashBuilder,
    last: i32,
}

impl Default for Texts {
    fn default() -> Self {
        Self {
            keys: Vec::new(),
            offsets: vec![0],
            data: Vec::new(),
            table: HashTable::new(),
            hasher: DefaultHashBuilder::default(),
            last: -1,
        }
    }
}

impl Texts {
    /// Number of a text, and whether it was not there before.
    pub(super) fn intern(&mut self, text: &[u8]) -> (i32, bool) {
        let Self {
            offsets,
            data,
            table,
            hasher,
            last,
            ..
        } = self;
        let place = |offsets: &[i32], key: i32| offsets[key as usize] as usize..offsets[key as usize + 1] as usize;
        if *last >= 0 && data[place(offsets, *last)] == *text {
            return (*last, false);
        }
        let hash = hasher.hash_one(text);
        let found = table.entry(
            hash,
            |key| data[place(offsets, *key)] == *text,
            |key| hasher.hash_one(&data[place(offsets, *key)]),
        );
        let (key, new) = match found {
            hashbrown::hash_table::Entry::Occupied(found) => (*found.get(), false),
            hashbrown::hash_table::Entry::Vacant(free) => {
                let key = (offsets.len() - 1) as i32;
                free.insert(key);
                data.extend_from_slice(text);
                offsets.push(data.len() as i32);
                (key, true)
            }
        };
        *last = key;
        (key, new)
    }

    fn set(&mut self, row: usize, text: &[u8]) {
        self.keys.resize(row, 0);
        let (key, _) = self.intern(text);
        self.keys.push(key);
    }

    fn distinct(&self) -> usize {
        self.offsets.len() - 1
    }

    fn each(&self, mut of: impl FnMut(&[u8])) {
        for ends in self.offsets.windows(2) {
            of(&self.data[ends[0] as usize..ends[1] as usize]);
        }
    }

    fn finish(mut self, rows: usize, nulls: Option<NullBuffer>) -> Result<ArrayRef, ArrowError> {
        self.keys.resize(rows, 0);
        let offsets = OffsetBuffer::new(ScalarBuffer::from(self.offsets));
        let values = BinaryArray::try_new(offsets, Buffer::from_vec(self.data), None)?;
        let values = StringArray::try_from_binary(values)?;
        let keys = Int32Array::new(ScalarBuffer::from(self.keys), nulls);
        Ok(Arc::new(DictionaryArray::<Int32Type>::try_new(keys, Arc::new(values))?))
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
