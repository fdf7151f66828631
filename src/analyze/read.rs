//! Files of spans, as batches in time order.
//!
//! A file is OTLP/JSON, one `TracesData` or `ExportTraceServiceRequest` a line, or a sequence of the same messages in
//! protobuf, each preceded by its length as a varint; plain, gzip or zstd, told apart by their first bytes and not by
//! their names. Several files are merged by the start of the next batch of each, which keeps the engine's windows
//! small when every exporter wrote a file of its own. A record that cannot be read is counted, named, and passed over.

use anyhow::{Context, ensure};
use epicenter_collector::otlp::decode;
use epicenter_schema::{SpanBatch, Timestamp};
use indicatif::ProgressBar;
use std::fs::File;
use std::io::{BufRead, BufReader, Read};
use std::path::{Path, PathBuf};

/// Files read at the same time.
const FILES_MAX: usize = 512;
/// Bytes of one record; a longer line ends the reading of its file.
const RECORD_BYTES_MAX: u64 = 512 << 20;
/// Complaints kept word for word; the rest are counted.
const COMPLAINTS_MAX: usize = 10;
const BUFFER_BYTES: usize = 1 << 18;

/// The spans of several files.
pub(super) struct Spans {
    files: Vec<SpanFile>,
    refused: u64,
    complaints: Vec<String>,
}

struct SpanFile {
    path: PathBuf,
    input: Box<dyn BufRead + Send>,
    form: Form,
    /// Number of the record last read, from 1: the line, where records are lines.
    record: u64,
    next: Option<(Timestamp, SpanBatch)>,
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Form {
    JsonLines,
    /// One message over many lines, as a pretty-printer writes it.
    JsonDocument,
    LengthDelimitedProtobuf,
}

impl Spans {
    /// Opens every file and reads the first batch of each.
    ///
    /// # Errors
    /// A file that cannot be opened, or more than [`FILES_MAX`] of them.
    pub(super) fn open(paths: &[PathBuf], bar: &ProgressBar) -> anyhow::Result<Self> {
        ensure!(
            paths.len() <= FILES_MAX,
            "at most {FILES_MAX} files can be read at once, {} were given",
            paths.len()
        );
        let mut spans = Self {
            files: Vec::new(),
            refused: 0,
            complaints: Vec::new(),
        };
        for path in paths {
            let mut file = SpanFile::open(path, bar).with_context(|| format!("could not open {}", path.display()))?;
            spans.fill(&mut file);
            spans.files.push(file);
        }
        Ok(spans)
    }

    /// The batch that starts earliest among the next ones of all files; `None` at the end of all.
    pub(super) fn next_batch(&mut self) -> Option<SpanBatch> {
        let earliest = (0..self.files.len())
            .filter_map(|index| self.files[index].next.as_ref().map(|(start, _)| (*start, index)))
            .min()?
            .1;
        let (_, batch) = self.files[earliest].next.take()?;
        let mut file = std::mem::replace(&mut self.files[earliest], SpanFile::ended());
        self.fill(&mut file);
        self.files[earliest] = file;
        Some(batch)
    }

    /// Spans rejected by the decoder, and records that could not be read at all.
    pub(super) fn refused(&self) -> u64 {
        self.refused
    }

    /// What was wrong, where: the first few.
    pub(super) fn complaints(&self) -> &[String] {
        &self.complaints
    }

    fn fill(&mut self, file: &mut SpanFile) {
        loop {
            let outcome = match file.read_record() {
                Ok(None) => return,
                Ok(Some(record)) => file.decode(&record),
                Err(error) => {
                    self.complain(file, &format!("{error:#}; the rest of the file is not read"));
                    file.input = Box::new(std::io::empty());
                    return;
                }
            };
            match outcome {
                Ok((batch, rejected)) => {
                    if rejected > 0 {
                        self.refused += rejected - 1;
                        self.complain(file, &format!("{rejected} spans refused"));
                    }
                    if let Some(start) = oldest_start(&batch) {
                        file.next = Some((start, batch));
                        return;
                    }
                }
                Err(error) => self.complain(file, &format!("{error:#}")),
            }
        }
    }

    fn complain(&mut self, file: &SpanFile, what: &str) {
        self.refused += 1;
        if self.complaints.len() < COMPLAINTS_MAX {
            let unit = if file.form == Form::JsonLines { "line" } else { "record" };
            self.complaints
                .push(format!("{}, {unit} {}: {what}", file.path.display(), file.record));
        }
    }
}

impl SpanFile {
    fn open(path: &Path, bar: &ProgressBar) -> anyhow::Result<Self> {
        let raw = bar.wrap_read(File::open(path)?);
        let mut raw = BufReader::with_capacity(BUFFER_BYTES, raw);
        let mut input: Box<dyn BufRead + Send> = match raw.fill_buf()? {
            [0x1f, 0x8b, ..] => Box::new(BufReader::with_capacity(
                BUFFER_BYTES,
                flate2::bufread::MultiGzDecoder::new(raw),
            )),
            [0x28, 0xb5, 0x2f, 0xfd, ..] => Box::new(BufReader::with_capacity(
                BUFFER_BYTES,
                zstd::stream::read::Decoder::with_buffer(raw)?,
            )),
            _ => Box::new(raw),
        };
        let form = form_of(input.fill_buf()?);
        Ok(Self {
            path: path.to_owned(),
            input,
            form,
            record: 0,
            next: None,
        })
    }

    fn ended() -> Self {
        Self {
            path: PathBuf::new(),
            input: Box::new(std::io::empty()),
            form: Form::JsonLines,
            record: 0,
            next: None,
        }
    }

    /// The bytes of the next record that is not blank; `None` at the end of the file.
    fn read_record(&mut self) -> anyhow::Result<Option<Vec<u8>>> {
        match self.form {
            Form::JsonLines => self.read_line(),
            Form::JsonDocument => self.read_document(),
            Form::LengthDelimitedProtobuf => self.read_delimited(),
        }
    }

    fn read_line(&mut self) -> anyhow::Result<Option<Vec<u8>>> {
        loop {
            let mut line = Vec::new();
            self.record += 1;
            let read = (&mut self.input)
                .take(RECORD_BYTES_MAX + 1)
                .read_until(b'\n', &mut line)?;
            ensure!(
                read as u64 <= RECORD_BYTES_MAX,
                "a line longer than {RECORD_BYTES_MAX} bytes"
            );
            if read == 0 {
                return Ok(None);
            }
            if !line.iter().all(u8::is_ascii_whitespace) {
                return Ok(Some(line));
            }
        }
    }

    fn read_document(&mut self) -> anyhow::Result<Option<Vec<u8>>> {
        let mut document = Vec::new();
        self.record += 1;
        let read = (&mut self.input)
            .take(RECORD_BYTES_MAX + 1)
            .read_to_end(&mut document)?;
        ensure!(
            read as u64 <= RECORD_BYTES_MAX,
            "a document longer than {RECORD_BYTES_MAX} bytes"
        );
        Ok((!document.is_empty()).then_some(document))
    }

    fn read_delimited(&mut self) -> anyhow::Result<Option<Vec<u8>>> {
        self.record += 1;
        let mut length = 0u64;
        for shift in (0..).step_by(7) {
            let mut byte = [0u8];
            if self.input.read(&mut byte)? == 0 {
                ensure!(shift == 0, "the file ends within the length of a record");
                return Ok(None);
            }
            length |= u64::from(byte[0] & 0x7f) << shift;
            if byte[0] & 0x80 == 0 {
                break;
            }
            ensure!(shift < 28, "the length of a record is not a varint of at most 5 bytes");
        }
        ensure!(
            length <= RECORD_BYTES_MAX,
            "a record of {length} bytes, more than {RECORD_BYTES_MAX}"
        );
        let mut record = Vec::new();
        (&mut self.input).take(length).read_to_end(&mut record)?;
        ensure!(
            record.len() as u64 == length,
            "a record of {length} bytes was announced, {} were left",
            record.len()
        );
        Ok(Some(record))
    }

    fn decode(&self, record: &[u8]) -> anyhow::Result<(SpanBatch, u64)> {
        let decoded = match self.form {
            Form::JsonLines | Form::JsonDocument => decode::protobuf(&decode::json_to_protobuf(record)?)?,
            Form::LengthDelimitedProtobuf => decode::protobuf(record)?,
        };
        Ok((decoded.batch, decoded.rejected.count()))
    }
}

/// JSON starts with a brace, and after it a blank or the quote of a key. A protobuf record of 123 bytes starts with
/// the same byte, but its second is a field tag, 0x0a, and its third the length of a message, never a blank or a quote.
fn form_of(head: &[u8]) -> Form {
    let text = head
        .strip_prefix(&[0xef, 0xbb, 0xbf])
        .unwrap_or(head)
        .trim_ascii_start();
    match text {
        [b'{', b'\r', b'\n', ..] | [b'{', b'\n', b'"' | b' ' | b'\t' | b'}', ..] => Form::JsonDocument,
        [b'{', b'"' | b' ' | b'}' | b'\t', ..] | [b'{'] => Form::JsonLines,
        _ => Form::LengthDelimitedProtobuf,
    }
}

fn oldest_start(batch: &SpanBatch) -> Option<Timestamp> {
    batch.spans().iter().map(|span| span.start()).min()
}

/// The median of the ends of a batch: where it stands in time. One span with a broken clock does not move it.
pub(super) fn middle_end(mut ends: Vec<Timestamp>) -> Option<Timestamp> {
    let middle = ends.len() / 2;
    (!ends.is_empty()).then(|| *ends.select_nth_unstable(middle).1)
}

/// Widens a first start and last end by those of a batch.
pub(super) fn widen(between: Option<(Timestamp, Timestamp)>, batch: &SpanBatch) -> Option<(Timestamp, Timestamp)> {
    let newest_end = batch.spans().iter().map(|span| span.end()).max();
    let (Some(start), Some(end)) = (oldest_start(batch), newest_end) else {
        return between;
    };
    Some(between.map_or((start, end), |(a, b)| (a.min(start), b.max(end))))
}
