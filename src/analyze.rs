//! `epicenter analyze`: the post-mortem from files. No server and no clock: event time at full speed.
//!
//! `read` turns files into batches, merged by time over all files; `report` is what a person reads. The judgement is
//! the same engine that watches live systems.

mod clocks;
mod pairs;
mod read;
mod report;

use crate::cli::AnalyzeArgs;
use crate::config::Config;
use anyhow::{Context, ensure};
use clocks::{Clocks, Corrected};
use epicenter_incident::Engine;
use epicenter_query::http::dto::incident::IncidentsDto;
use epicenter_schema::{DurationNs, SpanBatch, Timestamp};
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use read::Spans;
use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::mpsc::sync_channel;

/// How far behind the newest span seen a window stays open: files of many exporters are only roughly in order.
const LATENESS: DurationNs = DurationNs::from_secs(60);

/// Batches decoded ahead of the engine.
const BATCHES_AHEAD_MAX: usize = 64;

/// Runs the post-mortem and prints it. Fails when a file cannot be opened or when no file held a single span.
pub(crate) fn run(args: &AnalyzeArgs) -> anyhow::Result<ExitCode> {
    let config = match &args.config {
        Some(path) => Config::read(path)?,
        None => Config::default(),
    };
    config.incident.validate().context("section [incident]")?;
    let mut engine = Engine::new(config.incident);

    feed(&args.baseline, "learning the baseline", |batch| engine.learn(batch))?;
    let mut newest: Option<Timestamp> = None;
    let mut corrected = Corrected::new(|batch: &SpanBatch, clocks: &Clocks| {
        if clocks.are_right() {
            engine.observe(batch);
        } else {
            engine.observe_moved(batch, |span| clocks.by(span));
        }
        if let Some(last) = clocks.typical_end(batch) {
            newest = Some(newest.map_or(last, |n| n.max(last)));
        }
        if let Some(newest) = newest {
            engine.advance(newest - LATENESS);
        }
    });
    let seen = feed(&args.files, "reading the failure", |batch| corrected.push(batch))?;
    corrected.finish();
    drop(corrected);
    engine.finish();

    let mut out = std::io::stdout().lock();
    if args.json {
        serde_json::to_writer(&mut out, &IncidentsDto::from(engine.incidents()))?;
        writeln!(out)?;
    } else {
        out.write_all(report::render(engine.incidents(), &seen, args.baseline.is_empty()).as_bytes())?;
    }
    Ok(ExitCode::SUCCESS)
}

/// What was read, for the foot of the report.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Seen {
    /// Spans taken in.
    pub(crate) spans: u64,
    /// Spans refused, and records that could not be read.
    pub(crate) refused: u64,
    /// First start and last end.
    pub(crate) between: Option<(Timestamp, Timestamp)>,
}

/// Reads and decodes on a thread of its own, with a bar on standard error, and hands every batch to `take` in order.
fn feed(files: &[PathBuf], doing: &'static str, mut take: impl FnMut(&SpanBatch)) -> anyhow::Result<Seen> {
    let mut seen = Seen::default();
    if files.is_empty() {
        return Ok(seen);
    }
    let bar = progress(files, doing)?;
    let mut spans = Spans::open(files, &bar)?;
    let outcome = std::thread::scope(|scope| {
        let (sender, receiver) = sync_channel::<SpanBatch>(BATCHES_AHEAD_MAX);
        let reader = scope.spawn(move || {
            while let Some(batch) = spans.next_batch() {
                if sender.send(batch).is_err() {
                    break;
                }
            }
            spans
        });
        for batch in receiver {
            seen.spans += batch.len() as u64;
            seen.between = read::widen(seen.between, &batch);
            take(&batch);
        }
        reader.join()
    });
    bar.finish_and_clear();
    let spans = outcome.map_err(|_| anyhow::anyhow!("the reader of the files panicked"))?;
    seen.refused = spans.refused();
    for complaint in spans.complaints() {
        eprintln!("epicenter: {complaint}");
    }
    ensure!(seen.spans > 0, "no span was found in {}", list(files));
    Ok(seen)
}

fn list(files: &[PathBuf]) -> String {
    files
        .iter()
        .map(|f| f.display().to_string())
        .collect::<Vec<_>>()
        .join(", ")
}

fn progress(files: &[PathBuf], doing: &'static str) -> anyhow::Result<ProgressBar> {
    let mut total = 0;
    for file in files {
        total += std::fs::metadata(file)
            .with_context(|| format!("could not open {}", file.display()))?
            .len();
    }
    let style = ProgressStyle::with_template("{msg} [{bar:32}] {percent:>3} % {bytes_per_sec} {eta} left")?;
    Ok(ProgressBar::with_draw_target(Some(total), ProgressDrawTarget::stderr())
        .with_style(style)
        .with_message(doing))
}
