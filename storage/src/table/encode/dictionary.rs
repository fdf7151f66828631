//! A column chunk of a text column that is a dictionary already: each distinct text is looked at once, not once a row,
//! which the general writer has to do because it cannot know that the dictionary is one.
//!
//! Written are a dictionary page and data pages of version 2 with indices into it, as the general writer does.
//!
//! Source: Apache Parquet, Encodings.md, "Dictionary Encoding (RLE_DICTIONARY = 8)"; README.md, "Data Pages".

use super::PAGE_ROWS_MAX;
use super::runs;
use crate::table::texts::Texts;
use arrow::array::{Array, AsArray, DictionaryArray};
use arrow::datatypes::Int32Type;
use bytes::Bytes;
use parquet::basic::{Compression, Encoding, EncodingMask, PageType, ZstdLevel};
use parquet::column::page::{CompressedPage, Page, PageWriter};
use parquet::column::writer::ColumnCloseResult;
use parquet::data_type::ByteArray;
use parquet::errors::{ParquetError, Result};
use parquet::file::metadata::{ColumnChunkMetaData, PageEncodingStats};
use parquet::file::page_index::offset_index::{OffsetIndexMetaData, PageLocation};
use parquet::file::statistics::{Statistics, ValueStatistics};
use parquet::file::writer::{SerializedPageWriter, TrackedWrite};
use parquet::schema::types::ColumnDescPtr;

/// Bytes of texts beyond which a dictionary is not worth it: a reader of one page reads all of it.
const DICTIONARY_BYTES_MAX: usize = 1 << 20;
/// Longest text that is kept as the least or the greatest of a column.
const STATISTICS_BYTES_MAX: usize = 64;

/// Compresses page after page with one state.
pub(super) struct Compressor {
    zstd: zstd::bulk::Compressor<'static>,
    level: ZstdLevel,
}

impl Compressor {
    pub(super) fn new(level: ZstdLevel) -> Result<Self> {
        Ok(Self {
            zstd: zstd::bulk::Compressor::new(level.compression_level()).map_err(failed)?,
            level,
        })
    }

    fn compress(&mut self, bytes: &[u8]) -> Result<Vec<u8>> {
        self.zstd.compress(bytes).map_err(failed)
    }
}

fn failed(error: std::io::Error) -> ParquetError {
    ParquetError::External(Box::new(error))
}

/// The texts that the rows of a column use, numbered in the order of their first row.
struct Numbered {
    texts: Texts,
    /// Number of the text of each row; of rows without one, whatever.
    rows: Vec<u32>,
}

impl Numbered {
    /// None when the texts are too large together.
    fn new(column: &DictionaryArray<Int32Type>) -> Option<Self> {
        let values = column.values().as_string::<i32>();
        let mut texts = Texts::default();
        let mut numbers = vec![u32::MAX; values.len()];
        let mut rows = Vec::with_capacity(column.len());
        for (row, key) in column.keys().values().iter().enumerate() {
            if column.is_null(row) {
                rows.push(0);
                continue;
            }
            let key = *key as usize;
            if numbers[key] == u32::MAX {
                // A dictionary that was joined of several may hold a text more than once.
                numbers[key] = texts.intern(values.value(key).as_bytes()).0 as u32;
                if texts.bytes() > DICTIONARY_BYTES_MAX {
                    return None;
                }
            }
            rows.push(numbers[key]);
        }
        Some(Self { texts, rows })
    }
}

/// A chunk that grows: its bytes, and what its metadata says.
struct Chunk<'a> {
    sink: TrackedWrite<Vec<u8>>,
    compressor: &'a mut Compressor,
    uncompressed: usize,
    pages: Vec<PageLocation>,
}

impl Chunk<'_> {
    /// Writes a page; its offset and its length with its header.
    fn write(&mut self, page: Page, uncompressed: usize) -> Result<(u64, usize)> {
        let mut writer = SerializedPageWriter::new(&mut self.sink);
        let spec = writer.write_page(CompressedPage::new(page, uncompressed))?;
        self.uncompressed += spec.uncompressed_size;
        Ok((spec.offset, spec.compressed_size))
    }

    fn dictionary(&mut self, texts: &Texts) -> Result<usize> {
        let mut plain = Vec::with_capacity(texts.bytes() + texts.len() * size_of::<u32>());
        texts.each(|text| {
            plain.extend_from_slice(&(text.len() as u32).to_le_bytes());
            plain.extend_from_slice(text);
        });
        let page = Page::DictionaryPage {
            buf: self.compressor.compress(&plain)?.into(),
            num_values: texts.len() as u32,
            encoding: Encoding::PLAIN,
            is_sorted: false,
        };
        Ok(self.write(page, plain.len())?.1)
    }

    /// Rows from `first` on, as many as `rows` has; `present` tells which have a text, None when all do.
    fn data(&mut self, first: usize, rows: &[u32], present: Option<&[bool]>, levels: bool, width: u8) -> Result<()> {
        let nulls = present.map_or(0, |present| present.iter().filter(|present| !**present).count());
        let mut buffer = Vec::new();
        if levels {
            runs::encode(rows.len(), 1, |row| present.is_none_or(|p| p[row]).into(), &mut buffer);
        }
        let levels_bytes = buffer.len();
        let mut indices = vec![width];
        match present.filter(|_| nulls > 0) {
            None => runs::encode(rows.len(), width, |row| rows[row], &mut indices),
            Some(present) => {
                let there = rows.iter().zip(present).filter(|(_, present)| **present);
                let there: Vec<u32> = there.map(|(number, _)| *number).collect();
                runs::encode(there.len(), width, |row| there[row], &mut indices);
            }
        }
        let uncompressed = levels_bytes + indices.len();
        let compressed = self.compressor.compress(&indices)?;
        let is_compressed = compressed.len() < indices.len();
        buffer.extend_from_slice(if is_compressed { &compressed } else { &indices });
        let page = Page::DataPageV2 {
            buf: buffer.into(),
            num_values: rows.len() as u32,
            encoding: Encoding::RLE_DICTIONARY,
            num_nulls: nulls as u32,
            num_rows: rows.len() as u32,
            def_levels_byte_len: levels_bytes as u32,
            rep_levels_byte_len: 0,
            is_compressed,
            statistics: None,
        };
        let (offset, size) = self.write(page, uncompressed)?;
        self.pages.push(PageLocation {
            offset: offset as i64,
            compressed_page_size: size as i32,
            first_row_index: first as i64,
        });
        Ok(())
    }
}

/// The chunk of a column, and what the file's footer says of it; None when its texts are too large for a dictionary.
///
/// # Errors
/// When the compressor or the writer of pages refuses, which takes pages of more than 2 GiB.
pub(super) fn chunk(
    column: &DictionaryArray<Int32Type>,
    description: &ColumnDescPtr,
    compressor: &mut Compressor,
    with_statistics: bool,
) -> Result<Option<(Bytes, ColumnCloseResult)>> {
    let Some(Numbered { texts, rows }) = Numbered::new(column) else {
        return Ok(None);
    };
    let level = compressor.level;
    let mut chunk = Chunk {
        sink: TrackedWrite::new(Vec::new()),
        compressor,
        uncompressed: 0,
        pages: Vec::new(),
    };
    let dictionary_bytes = chunk.dictionary(&texts)?;
    let present: Option<Vec<bool>> = column.nulls().map(|nulls| nulls.iter().collect());
    let width = runs::bit_width(texts.len().saturating_sub(1) as u32);
    for first in (0..rows.len()).step_by(PAGE_ROWS_MAX) {
        let page = first..rows.len().min(first + PAGE_ROWS_MAX);
        let present = present.as_ref().map(|present| &present[page.clone()]);
        chunk.data(first, &rows[page], present, description.max_def_level() > 0, width)?;
    }
    let (pages, uncompressed) = (chunk.pages, chunk.uncompressed);
    let bytes: Bytes = chunk.sink.into_inner()?.into();
    let encodings = [Encoding::PLAIN, Encoding::RLE, Encoding::RLE_DICTIONARY];
    let page_counts = [
        (PageType::DICTIONARY_PAGE, Encoding::PLAIN, 1),
        (PageType::DATA_PAGE_V2, Encoding::RLE_DICTIONARY, pages.len()),
    ];
    let page_counts = page_counts.map(|(page_type, encoding, count)| PageEncodingStats {
        page_type,
        encoding,
        count: count as i32,
    });
    let mut metadata = ColumnChunkMetaData::builder(description.clone())
        .set_compression(Compression::ZSTD(level))
        .set_encodings_mask(EncodingMask::new_from_encodings(encodings.iter()))
        .set_page_encoding_stats(page_counts.to_vec())
        .set_total_compressed_size(bytes.len() as i64)
        .set_total_uncompressed_size(uncompressed as i64)
        .set_num_values(rows.len() as i64)
        .set_dictionary_page_offset(Some(0))
        .set_data_page_offset(dictionary_bytes as i64);
    if with_statistics {
        metadata = metadata.set_statistics(statistics(&texts, column.null_count()));
    }
    let close = ColumnCloseResult {
        bytes_written: bytes.len() as u64,
        rows_written: rows.len() as u64,
        metadata: metadata.build()?,
        bloom_filter: None,
        column_index: None,
        offset_index: Some(OffsetIndexMetaData {
            page_locations: pages,
            unencoded_byte_array_data_bytes: None,
        }),
    };
    Ok(Some((bytes, close)))
}

fn statistics(texts: &Texts, nulls: usize) -> Statistics {
    let (mut least, mut greatest): (Option<Vec<u8>>, Option<Vec<u8>>) = (None, None);
    texts.each(|text| {
        if least.as_deref().is_none_or(|least| text < least) {
            least = Some(text.to_vec());
        }
        if greatest.as_deref().is_none_or(|greatest| text > greatest) {
            greatest = Some(text.to_vec());
        }
    });
    let short = |text: Option<Vec<u8>>| {
        text.filter(|text| text.len() <= STATISTICS_BYTES_MAX)
            .map(ByteArray::from)
    };
    let (least, greatest) = (short(least), short(greatest));
    let both = least.is_some() && greatest.is_some();
    let (least, greatest) = if both { (least, greatest) } else { (None, None) };
    Statistics::ByteArray(ValueStatistics::new(least, greatest, None, Some(nulls as u64), false))
}
