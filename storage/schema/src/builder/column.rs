//! Growing columns: plain vectors laid out as Arrow wants them, so that finishing one moves it and copies nothing.
//!
//! Every column is written by row number. Rows that were skipped are null, and are only padded when the next row is
//! written or the column is finished, so a column that nobody fills costs nothing a row.

use crate::Error;
use arrow::array::{
    ArrayRef, ArrowPrimitiveType, BinaryArray, BooleanArray, DictionaryArray, FixedSizeBinaryArray, Int32Array,
    PrimitiveArray, StringArray,
};
use arrow::buffer::{BooleanBuffer, Buffer, NullBuffer, OffsetBuffer, ScalarBuffer};
use hashbrown::{DefaultHashBuilder, HashTable};
use std::hash::BuildHasher;
use std::sync::Arc;

/// What a bug in this crate would have to break for Arrow to refuse a column that is not text.
const SHAPE: &str = "the buffers of a column have the length of the batch";

/// Room that a bitmap makes at once: that of a usual request.
const BITMAP_BYTES_EXPECTED: usize = 64;

/// A bitmap that is zero where nothing was set.
#[derive(Debug, Default)]
pub(super) struct Bits {
    bytes: Vec<u8>,
}

impl Bits {
    #[inline]
    pub(super) fn set(&mut self, row: usize) {
        let byte = row / 8;
        if byte >= self.bytes.len() {
            self.grow(byte + 1);
        }
        self.bytes[byte] |= 1 << (row % 8);
    }

    #[cold]
    fn grow(&mut self, bytes: usize) {
        if self.bytes.capacity() == 0 {
            self.bytes.reserve(BITMAP_BYTES_EXPECTED.max(bytes));
        }
        self.bytes.resize(bytes, 0);
    }

    fn truncate(&mut self, rows: usize) {
        if rows.div_ceil(8) > self.bytes.len() {
            return;
        }
        self.bytes.truncate(rows.div_ceil(8));
        if let Some(last) = self.bytes.last_mut()
            && !rows.is_multiple_of(8)
        {
            *last &= (1 << (rows % 8)) - 1;
        }
    }

    fn finish(mut self, rows: usize) -> BooleanBuffer {
        self.bytes.resize(rows.div_ceil(8), 0);
        BooleanBuffer::new(Buffer::from_vec(self.bytes), 0, rows)
    }

    fn into_nulls(self, rows: usize) -> Option<NullBuffer> {
        Some(NullBuffer::new(self.finish(rows))).filter(|nulls| nulls.null_count() > 0)
    }
}

/// Offsets of a list or map: one push a row, no nulls.
#[derive(Debug)]
pub(super) struct Offsets(Vec<i32>);

impl Offsets {
    pub(super) fn new() -> Self {
        Self(vec![0])
    }

    /// Ends the current row at `end` children.
    pub(super) fn push(&mut self, end: usize) {
        self.0.push(end as i32);
    }

    pub(super) fn last(&self) -> usize {
        self.0.last().map_or(0, |&last| last as usize)
    }

    pub(super) fn truncate(&mut self, rows: usize) {
        self.0.truncate(rows + 1);
    }

    /// `children` is the true length of what the offsets point into: if it fits, no offset has wrapped.
    pub(super) fn finish(self, children: usize, column: &'static str) -> Result<OffsetBuffer<i32>, Error> {
        fits(children, column)?;
        Ok(OffsetBuffer::new(ScalarBuffer::from(self.0)))
    }
}

fn fits(len: usize, column: &'static str) -> Result<(), Error> {
    i32::try_from(len).map(drop).map_err(|_| Error::TooLong { column })
}

/// Texts or raw bytes: offsets and one buffer. Text is checked once, whole, when the column is finished.
#[derive(Debug)]
pub(super) struct Bytes {
    offsets: Vec<i32>,
    data: Vec<u8>,
    valid: Bits,
    /// Rows that room is made for when the first is written.
    rows_expected: usize,
}

impl Bytes {
    pub(super) fn with_capacity(rows: usize, bytes: usize) -> Self {
        let mut offsets = Vec::with_capacity(rows + 1);
        offsets.push(0);
        Self {
            offsets,
            data: Vec::with_capacity(bytes),
            valid: Bits::default(),
            rows_expected: rows,
        }
    }

    /// A column that may stay empty, and then takes no room.
    pub(super) fn sparse(rows: usize) -> Self {
        Self {
            offsets: Vec::new(),
            data: Vec::new(),
            valid: Bits::default(),
            rows_expected: rows,
        }
    }

    fn pad(&mut self, rows: usize) {
        if self.offsets.capacity() == 0 {
            self.offsets.reserve(self.rows_expected.max(rows) + 2);
        }
        if self.offsets.len() <= rows {
            let last = self.offsets.last().copied().unwrap_or(0);
            self.offsets.resize(rows + 1, last);
        }
    }

    /// Writes a row of a nullable column.
    pub(super) fn set(&mut self, row: usize, value: &[u8]) {
        self.pad(row);
        self.valid.set(row);
        self.push(value);
    }

    /// Writes the next row of a column without nulls, which is then finished by `required`.
    pub(super) fn push(&mut self, value: &[u8]) {
        self.data.extend_from_slice(value);
        self.offsets.push(self.data.len() as i32);
    }

    /// Forgets the rows from `rows` on. Err if their bytes were not UTF-8 and `text` asks for that.
    pub(super) fn truncate(&mut self, rows: usize, text: Option<&'static str>) -> Result<(), Error> {
        if self.offsets.len() <= rows + 1 {
            return Ok(());
        }
        if let Some(column) = text {
            fits(self.data.len(), column)?;
            for pair in self.offsets[rows..].windows(2) {
                let value = &self.data[pair[0] as usize..pair[1] as usize];
                std::str::from_utf8(value).map_err(|_| Error::Text { column })?;
            }
        }
        self.data.truncate(self.offsets[rows] as usize);
        self.offsets.truncate(rows + 1);
        self.valid.truncate(rows);
        Ok(())
    }

    fn text(mut self, rows: usize, nullable: bool, column: &'static str) -> Result<StringArray, Error> {
        fits(self.data.len(), column)?;
        // No more rows come.
        self.rows_expected = rows;
        self.pad(rows);
        let nulls = if nullable { self.valid.into_nulls(rows) } else { None };
        let offsets = OffsetBuffer::new(ScalarBuffer::from(self.offsets));
        StringArray::try_new(offsets, Buffer::from_vec(self.data), nulls).map_err(|_| Error::Text { column })
    }

    pub(super) fn optional(self, rows: usize, column: &'static str) -> Result<ArrayRef, Error> {
        Ok(Arc::new(self.text(rows, true, column)?))
    }

    pub(super) fn required(self, rows: usize, column: &'static str) -> Result<ArrayRef, Error> {
        Ok(Arc::new(self.text(rows, false, column)?))
    }

    pub(super) fn binary(mut self, rows: usize, column: &'static str) -> Result<ArrayRef, Error> {
        fits(self.data.len(), column)?;
        // No more rows come.
        self.rows_expected = rows;
        self.pad(rows);
        let offsets = OffsetBuffer::new(ScalarBuffer::from(self.offsets));
        Ok(Arc::new(BinaryArray::new(
            offsets,
            Buffer::from_vec(self.data),
            self.valid.into_nulls(rows),
        )))
    }
}

/// Numbers of one width.
#[derive(Debug)]
pub(super) struct Numbers<T: ArrowPrimitiveType> {
    values: Vec<T::Native>,
    valid: Bits,
    /// Rows that room is made for when the first is written.
    rows_expected: usize,
}

impl<T: ArrowPrimitiveType> Numbers<T> {
    pub(super) fn with_capacity(rows: usize) -> Self {
        Self {
            values: Vec::with_capacity(rows),
            valid: Bits::default(),
            rows_expected: rows,
        }
    }

    /// A column that may stay empty, and then takes no room.
    pub(super) fn sparse(rows: usize) -> Self {
        Self {
            values: Vec::new(),
            valid: Bits::default(),
            rows_expected: rows,
        }
    }

    /// Writes a row of a nullable column.
    pub(super) fn set(&mut self, row: usize, value: T::Native) {
        if self.values.capacity() == 0 {
            self.values.reserve(self.rows_expected.max(row + 1));
        }
        if self.values.len() < row {
            self.values.resize(row, T::Native::default());
        }
        self.valid.set(row);
        self.values.push(value);
    }

    /// Writes the next row of a column without nulls.
    pub(super) fn push(&mut self, value: T::Native) {
        self.values.push(value);
    }

    pub(super) fn truncate(&mut self, rows: usize) {
        self.values.truncate(rows);
        self.valid.truncate(rows);
    }

    pub(super) fn optional(mut self, rows: usize) -> ArrayRef {
        self.values.resize(rows, T::Native::default());
        Arc::new(PrimitiveArray::<T>::new(
            ScalarBuffer::from(self.values),
            self.valid.into_nulls(rows),
        ))
    }

    pub(super) fn required(self) -> PrimitiveArray<T> {
        PrimitiveArray::new(ScalarBuffer::from(self.values), None)
    }
}

/// Truth values; `valid` is kept by columns that may be null.
#[derive(Debug, Default)]
pub(super) struct Booleans {
    values: Bits,
    valid: Bits,
}

impl Booleans {
    pub(super) fn set(&mut self, row: usize, value: bool) {
        self.valid.set(row);
        if value {
            self.values.set(row);
        }
    }

    pub(super) fn truncate(&mut self, rows: usize) {
        self.values.truncate(rows);
        self.valid.truncate(rows);
    }

    pub(super) fn finish(self, rows: usize) -> ArrayRef {
        Arc::new(BooleanArray::new(self.values.finish(rows), self.valid.into_nulls(rows)))
    }
}

/// Identifiers of `N` bytes.
#[derive(Debug)]
pub(super) struct Ids<const N: usize> {
    data: Vec<u8>,
    valid: Bits,
}

impl<const N: usize> Ids<N> {
    pub(super) fn with_capacity(rows: usize) -> Self {
        Self {
            data: Vec::with_capacity(rows * N),
            valid: Bits::default(),
        }
    }

    pub(super) fn set(&mut self, row: usize, id: [u8; N]) {
        self.data.resize(row * N, 0);
        self.valid.set(row);
        self.data.extend_from_slice(&id);
    }

    pub(super) fn truncate(&mut self, rows: usize) {
        self.data.truncate(rows * N);
        self.valid.truncate(rows);
    }

    pub(super) fn finish(mut self, rows: usize) -> ArrayRef {
        self.data.resize(rows * N, 0);
        let nulls = self.valid.into_nulls(rows);
        Arc::new(FixedSizeBinaryArray::try_new(N as i32, Buffer::from_vec(self.data), nulls).expect(SHAPE))
    }
}

/// Texts of few distinct values. Either rows are set one by one, or a value holds from a row until it is switched.
#[derive(Debug)]
pub(super) struct Dictionary {
    keys: Vec<i32>,
    valid: Bits,
    values: Bytes,
    table: HashTable<i32>,
    hasher: DefaultHashBuilder,
    current: Option<i32>,
    last: i32,
    /// Rows that room is made for when the first is written.
    rows_expected: usize,
}

impl Dictionary {
    pub(super) fn sparse(rows: usize) -> Self {
        Self {
            keys: Vec::new(),
            valid: Bits::default(),
            values: Bytes::with_capacity(0, 0),
            table: HashTable::new(),
            hasher: DefaultHashBuilder::default(),
            current: None,
            last: 0,
            rows_expected: rows,
        }
    }

    fn value(values: &Bytes, key: i32) -> &[u8] {
        let key = key as usize;
        &values.data[values.offsets[key] as usize..values.offsets[key + 1] as usize]
    }

    fn intern(&mut self, value: &[u8]) -> i32 {
        let Self {
            values,
            table,
            hasher,
            last,
            ..
        } = self;
        if values.offsets.len() > 1 && Self::value(values, *last) == value {
            return *last;
        }
        let hash = hasher.hash_one(value);
        let entry = table.entry(
            hash,
            |&key| Self::value(values, key) == value,
            |&key| hasher.hash_one(Self::value(values, key)),
        );
        *last = match entry {
            hashbrown::hash_table::Entry::Occupied(found) => *found.get(),
            hashbrown::hash_table::Entry::Vacant(free) => {
                let key = (values.offsets.len() - 1) as i32;
                free.insert(key);
                values.push(value);
                key
            }
        };
        *last
    }

    fn fill(&mut self, rows: usize) {
        if self.keys.capacity() == 0 {
            self.keys.reserve(self.rows_expected.max(rows));
        }
        if self.keys.len() < rows {
            if self.current.is_some() {
                for row in self.keys.len()..rows {
                    self.valid.set(row);
                }
            }
            self.keys.resize(rows, self.current.unwrap_or(0));
        }
    }

    /// Writes one row; the rows skipped are null.
    pub(super) fn set(&mut self, row: usize, value: &[u8]) {
        self.fill(row);
        let key = self.intern(value);
        self.valid.set(row);
        self.keys.push(key);
    }

    /// True once a value holds for the rows to come.
    pub(super) fn is_switched(&self) -> bool {
        self.current.is_some()
    }

    /// From row `row` on, every row has this value, until it is switched again.
    pub(super) fn switch(&mut self, row: usize, value: Option<&[u8]>) {
        self.fill(row);
        self.current = value.map(|value| self.intern(value));
    }

    pub(super) fn finish(mut self, rows: usize, column: &'static str) -> Result<ArrayRef, Error> {
        // No more rows come.
        self.rows_expected = rows;
        self.fill(rows);
        let distinct = self.values.offsets.len() - 1;
        let values = self.values.required(distinct, column)?;
        let keys = Int32Array::new(ScalarBuffer::from(self.keys), self.valid.into_nulls(rows));
        Ok(Arc::new(
            DictionaryArray::try_new(keys, values).expect("every key was given out by the dictionary"),
        ))
    }
}
