//! Texts of which each distinct one is kept once, and numbered.

use arrow::array::{ArrayRef, BinaryArray, DictionaryArray, Int32Array, StringArray};
use arrow::buffer::{Buffer, NullBuffer, OffsetBuffer, ScalarBuffer};
use arrow::datatypes::Int32Type;
use arrow::error::ArrowError;
use hashbrown::{DefaultHashBuilder, HashTable};
use std::hash::BuildHasher;
use std::sync::Arc;

/// Texts, each distinct one kept once.
pub(in crate::table) struct Texts {
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
    pub(in crate::table) fn intern(&mut self, text: &[u8]) -> (i32, bool) {
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

    /// Rows that were set, skipped ones included.
    pub(in crate::table) fn rows(&self) -> usize {
        self.keys.len()
    }

    /// Gives a row a text; rows before it that have none are skipped.
    pub(in crate::table) fn set(&mut self, row: usize, text: &[u8]) {
        self.keys.resize(row, 0);
        let (key, _) = self.intern(text);
        self.keys.push(key);
    }

    /// Distinct texts.
    pub(in crate::table) fn len(&self) -> usize {
        self.offsets.len() - 1
    }

    /// Bytes of the distinct texts.
    pub(in crate::table) fn bytes(&self) -> usize {
        self.data.len()
    }

    /// Calls `of` with every distinct text, in the order of their numbers.
    pub(in crate::table) fn each(&self, mut of: impl FnMut(&[u8])) {
        for ends in self.offsets.windows(2) {
            of(&self.data[ends[0] as usize..ends[1] as usize]);
        }
    }

    /// The column of the rows that were set, of this many rows.
    ///
    /// # Errors
    /// When a text is not UTF-8.
    pub(in crate::table) fn finish(mut self, rows: usize, nulls: Option<NullBuffer>) -> Result<ArrayRef, ArrowError> {
        let mut keys = std::mem::take(&mut self.keys);
        keys.resize(rows, 0);
        self.with_keys(keys, nulls)
    }

    /// The column of rows with these numbers.
    ///
    /// # Errors
    /// When a text is not UTF-8, or there is no text of a number.
    pub(in crate::table) fn with_keys(self, keys: Vec<i32>, nulls: Option<NullBuffer>) -> Result<ArrayRef, ArrowError> {
        let offsets = OffsetBuffer::new(ScalarBuffer::from(self.offsets));
        let values = BinaryArray::try_new(offsets, Buffer::from_vec(self.data), None)?;
        let values = StringArray::try_from_binary(values)?;
        let keys = Int32Array::new(ScalarBuffer::from(keys), nulls);
        Ok(Arc::new(DictionaryArray::<Int32Type>::try_new(keys, Arc::new(values))?))
    }
}
