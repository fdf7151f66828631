//! The storage's metrics, all of them.
//!
//! | name | what |
//! |---|---|
//! | `epicenter_storage_log_records_total` | requests written to the log |
//! | `epicenter_storage_log_bytes_written_total` | bytes written to the log |
//! | `epicenter_storage_log_sync_duration_seconds` | syncs of the log and the time they took |
//! | `epicenter_storage_log_failures_total` | writes or syncs that failed, their requests refused |
//! | `epicenter_storage_log_torn_total` | unfinished records cut off at the start |
//! | `epicenter_storage_log_damaged_total` | stretches of damage passed over |
//! | `epicenter_storage_log_undecodable_total` | sound records that the decoder refused |
//! | `epicenter_storage_log_segments`, `.._log_bytes` | files of the log and their size |
//! | `epicenter_storage_appended_spans_total` | spans appended and acknowledged |
//! | `epicenter_storage_overloads_total` | requests refused because something was full |
//! | `epicenter_storage_replayed_records_total`, `.._replayed_spans_total` | read back from the log at the start |
//! | `epicenter_storage_unsealed_records`, `.._unsealed_spans`, `.._unsealed_bytes` | in memory, not sealed yet |
//! | `epicenter_storage_sealed_spans_total`, `.._sealed_bytes_total` | sealed, and the Parquet that came of it |
//! | `epicenter_storage_seal_duration_seconds` | seals and the time they took |
//! | `epicenter_storage_seal_failures_total` | seals or commits that failed and are tried again |
//! | `epicenter_storage_compacted_spans_total` | spans written again when small segments were merged |
//! | `epicenter_storage_compact_duration_seconds` | merges of segments and the time they took |
//! | `epicenter_storage_commits_total` | manifests committed |
//! | `epicenter_storage_commit_rebases_total` | commits made again because another writer of the table came in between |
//! | `epicenter_storage_expired_spans_total` | spans dropped for their age |
//! | `epicenter_storage_segments`, `.._segment_spans`, `.._segment_bytes` | the table |
//! | `epicenter_storage_segments_read_total` | segments opened to answer a query |
//! | `epicenter_storage_tail_lost_records_total` | records that a tail came too late for |
//! | `epicenter_storage_catalog_overflows_total` | services or operations not listed for want of room |

use crate::store::Inner;
use std::fmt::{Display, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Duration;

/// A number that only grows.
#[derive(Debug, Default)]
pub(crate) struct Counter(AtomicU64);

impl Counter {
    pub(crate) fn add(&self, count: u64) {
        self.0.fetch_add(count, Relaxed);
    }

    pub(crate) fn get(&self) -> u64 {
        self.0.load(Relaxed)
    }
}

/// How often something was done and how long it took altogether.
#[derive(Debug, Default)]
pub(crate) struct Timer {
    count: AtomicU64,
    nanos: AtomicU64,
}

impl Timer {
    pub(crate) fn observe(&self, took: Duration) {
        self.count.fetch_add(1, Relaxed);
        self.nanos
            .fetch_add(u64::try_from(took.as_nanos()).unwrap_or(u64::MAX), Relaxed);
    }

    pub(crate) fn count(&self) -> u64 {
        self.count.load(Relaxed)
    }
}

/// Counts since the start: each field is the metric of its name.
#[derive(Debug, Default)]
pub(crate) struct Counters {
    pub(crate) log_records: Counter,
    pub(crate) log_bytes: Counter,
    pub(crate) log_sync: Timer,
    pub(crate) log_failures: Counter,
    pub(crate) log_torn: Counter,
    pub(crate) log_damaged: Counter,
    pub(crate) log_undecodable: Counter,
    pub(crate) appended_spans: Counter,
    pub(crate) overloads: Counter,
    pub(crate) replayed_records: Counter,
    pub(crate) replayed_spans: Counter,
    pub(crate) sealed_spans: Counter,
    pub(crate) sealed_bytes: Counter,
    pub(crate) seal: Timer,
    pub(crate) seal_failures: Counter,
    pub(crate) commits: Counter,
    pub(crate) rebases: Counter,
    pub(crate) expired_spans: Counter,
    pub(crate) segments_read: Counter,
    pub(crate) compacted_spans: Counter,
    pub(crate) compact: Timer,
    pub(crate) tail_lost: Counter,
}

/// The metrics of a store, alive as long as anyone holds them.
pub struct Metrics {
    pub(crate) inner: Arc<Inner>,
}

impl Metrics {
    /// Spans appended and acknowledged since the start.
    pub fn appended_spans(&self) -> u64 {
        self.inner.counters.appended_spans.get()
    }

    /// Spans sealed into segments since the start.
    pub fn sealed_spans(&self) -> u64 {
        self.inner.counters.sealed_spans.get()
    }

    /// Appends the metrics in Prometheus' text format.
    pub fn write_prometheus(&self, out: &mut String) {
        let mut text = Text(out);
        self.write_log_counters(&mut text);
        self.write_table_counters(&mut text);
        let counters = &self.inner.counters;
        let overflows = self.inner.catalog.overflowed();
        text.one(
            "catalog_overflows_total",
            "counter",
            "Services or operations not listed.",
            overflows,
        );
        text.timer("log_sync_duration_seconds", "Time to sync the log.", &counters.log_sync);
        text.timer("seal_duration_seconds", "Time to seal a segment.", &counters.seal);
        text.timer("compact_duration_seconds", "Time to merge segments.", &counters.compact);
        self.write_gauges(&mut text);
    }

    fn write_log_counters(&self, text: &mut Text<'_>) {
        let counters = &self.inner.counters;
        for (name, help, counter) in [
            (
                "log_records_total",
                "Requests written to the log.",
                &counters.log_records,
            ),
            (
                "log_bytes_written_total",
                "Bytes written to the log.",
                &counters.log_bytes,
            ),
            (
                "log_failures_total",
                "Writes or syncs of the log that failed.",
                &counters.log_failures,
            ),
            (
                "log_torn_total",
                "Unfinished records cut off at the start.",
                &counters.log_torn,
            ),
            (
                "log_damaged_total",
                "Stretches of damage passed over.",
                &counters.log_damaged,
            ),
            (
                "log_undecodable_total",
                "Sound records that the decoder refused.",
                &counters.log_undecodable,
            ),
            (
                "appended_spans_total",
                "Spans appended and acknowledged.",
                &counters.appended_spans,
            ),
            (
                "overloads_total",
                "Requests refused because something was full.",
                &counters.overloads,
            ),
            (
                "replayed_records_total",
                "Records read back from the log.",
                &counters.replayed_records,
            ),
            (
                "replayed_spans_total",
                "Spans read back from the log.",
                &counters.replayed_spans,
            ),
            (
                "tail_lost_records_total",
                "Records that a tail came too late for.",
                &counters.tail_lost,
            ),
        ] {
            text.one(name, "counter", help, counter.get());
        }
    }

    fn write_table_counters(&self, text: &mut Text<'_>) {
        let counters = &self.inner.counters;
        for (name, help, counter) in [
            (
                "sealed_spans_total",
                "Spans sealed into segments.",
                &counters.sealed_spans,
            ),
            ("sealed_bytes_total", "Bytes of Parquet sealed.", &counters.sealed_bytes),
            (
                "seal_failures_total",
                "Seals or commits that failed.",
                &counters.seal_failures,
            ),
            ("commits_total", "Manifests committed.", &counters.commits),
            (
                "commit_rebases_total",
                "Commits made again because another writer came in between.",
                &counters.rebases,
            ),
            (
                "compacted_spans_total",
                "Spans written again when small segments were merged.",
                &counters.compacted_spans,
            ),
            (
                "segments_read_total",
                "Segments opened to answer a query.",
                &counters.segments_read,
            ),
            (
                "expired_spans_total",
                "Spans dropped for their age.",
                &counters.expired_spans,
            ),
        ] {
            text.one(name, "counter", help, counter.get());
        }
    }

    fn write_gauges(&self, text: &mut Text<'_>) {
        let (records, spans, bytes) = self.inner.view.unsealed_size();
        let (log_segments, log_bytes) = self.inner.index.size();
        let segments = self.inner.view.segments();
        for (name, help, value) in [
            ("unsealed_records", "Records in memory, not sealed yet.", records as u64),
            ("unsealed_spans", "Spans in memory, not sealed yet.", spans as u64),
            (
                "unsealed_bytes",
                "Bytes of spans in memory, not sealed yet.",
                bytes as u64,
            ),
            ("log_segments", "Files of the log.", log_segments),
            ("log_bytes", "Size of the log.", log_bytes),
            ("segments", "Segments of the table.", segments.len() as u64),
            (
                "segment_spans",
                "Spans in the table.",
                segments.iter().map(|s| s.meta.rows).sum(),
            ),
            (
                "segment_bytes",
                "Size of the table.",
                segments.iter().map(|s| s.meta.bytes).sum(),
            ),
        ] {
            text.one(name, "gauge", help, value);
        }
    }
}

struct Text<'a>(&'a mut String);

impl Text<'_> {
    fn one(&mut self, name: &str, kind: &str, help: &str, value: u64) {
        self.family(name, kind, help);
        self.sample(name, value);
    }

    fn timer(&mut self, name: &str, help: &str, timer: &Timer) {
        self.family(name, "summary", help);
        self.sample(&format!("{name}_sum"), timer.nanos.load(Relaxed) as f64 / 1e9);
        self.sample(&format!("{name}_count"), timer.count());
    }

    fn family(&mut self, name: &str, kind: &str, help: &str) {
        let _ = writeln!(
            self.0,
            "# HELP epicenter_storage_{name} {help}\n# TYPE epicenter_storage_{name} {kind}"
        );
    }

    fn sample(&mut self, name: &str, value: impl Display) {
        let _ = writeln!(self.0, "epicenter_storage_{name} {value}");
    }
}
