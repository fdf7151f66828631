//! One file with what all exporters send, in the order in which it would reach a collector: a sequence of
//! `ExportTraceServiceRequest`, each preceded by its length as a varint, compressed with zstd.

use super::degrade::{Degrade, Skew};
use super::words;
use crate::sim::{Pod, Record};
use crate::system::System;
use anyhow::{Context, Result};
use epicenter_proto::Message;
use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::Path;

/// Compression: speed counts, the file is read once.
const ZSTD_LEVEL: i32 = 1;

/// A file that is being written.
pub(crate) struct SpanFile {
    out: zstd::stream::write::Encoder<'static, BufWriter<File>>,
    degrade: Degrade,
    skew: Skew,
    epoch_ns: u64,
    trace_state: String,
    buffer: Vec<u8>,
    spans: u64,
    failed: Option<std::io::Error>,
}

impl SpanFile {
    /// # Errors
    /// The file cannot be made.
    pub(crate) fn create(path: &Path, epoch_ns: u64, degrade: &Degrade, skew: Skew) -> Result<Self> {
        let file = File::create(path).with_context(|| format!("could not make {}", path.display()))?;
        Ok(Self {
            out: zstd::stream::write::Encoder::new(BufWriter::new(file), ZSTD_LEVEL)?,
            trace_state: degrade.trace_state(),
            degrade: degrade.clone(),
            skew,
            epoch_ns,
            buffer: Vec::new(),
            spans: 0,
            failed: None,
        })
    }

    /// Writes what an exporter sends. A write that fails is told at the end.
    pub(crate) fn take(&mut self, system: &System, pod: &Pod, records: &[Record]) {
        let kept = records
            .iter()
            .copied()
            .filter(|record| self.degrade.keeps(record.ids.trace));
        let shift = i64::try_from(self.epoch_ns).unwrap_or(i64::MAX / 2) + self.skew.of(pod.node);
        let Some(request) = words::request(system, pod, kept, shift, &self.trace_state, &self.degrade.bare) else {
            return;
        };
        self.spans += request.resource_spans[0].scope_spans[0].spans.len() as u64;
        self.buffer.clear();
        let written = request
            .encode_length_delimited(&mut self.buffer)
            .map_err(std::io::Error::other)
            .and_then(|()| self.out.write_all(&self.buffer));
        if let Err(error) = written {
            self.failed.get_or_insert(error);
        }
    }

    /// Ends the file, and tells how many spans are in it.
    ///
    /// # Errors
    /// Something could not be written.
    pub(crate) fn finish(self) -> Result<u64> {
        if let Some(error) = self.failed {
            return Err(error).context("could not write the spans");
        }
        self.out.finish()?.flush()?;
        Ok(self.spans)
    }
}
