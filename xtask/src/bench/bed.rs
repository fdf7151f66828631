//! What every bench needs: the release programs, a folder, a server on it, a load, and lines to say.

use super::procfs;
use crate::children::{Ready, Running};
use crate::workspace;
use anyhow::{Context, Result, ensure};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// The server counts as settled when it used at most this many ticks between two looks.
const SETTLED_TICKS: u64 = 2;
/// Time between two looks.
const LOOK: Duration = Duration::from_secs(1);
/// Quiet looks in a row that make it settled: sealing and deleting what was merged work in bursts.
const QUIET_LOOKS: u32 = 5;
/// A server is watched at least so long: what is young is sealed by its age.
const SETTLE_MIN: Duration = Duration::from_secs(45);
/// Most looks at a server that does not settle.
const LOOKS_MAX: u32 = 180;

/// A folder to measure in.
pub(super) struct Bed {
    program: PathBuf,
    data: PathBuf,
    /// To be removed at the end.
    scratch: Option<PathBuf>,
}

/// What to send.
pub(super) struct Plan<'a> {
    pub(super) spans: u64,
    pub(super) connections: u32,
    pub(super) shape: &'a str,
    pub(super) transport: &'a str,
    pub(super) rate: u64,
}

/// What the load program says of itself, one JSON line.
#[derive(Debug, Deserialize)]
pub(super) struct Load {
    pub(super) spans: u64,
    pub(super) otlp_bytes: u64,
    pub(super) seconds: f64,
    pub(super) requests_retried: u64,
    pub(super) ack_ms_p50: f64,
    pub(super) ack_ms_p99: f64,
    pub(super) prost_us_per_span: f64,
}

/// A load that is running.
pub(super) struct Sending(Child);

/// The server's memory, looked at once a second.
pub(super) struct Watched(Vec<(f64, f64)>);

impl Bed {
    /// Builds the programs and makes the folder.
    pub(super) fn prepare(data_dir: Option<PathBuf>) -> Result<Self> {
        let program = workspace::release_build()?;
        let scratch = workspace::target()?
            .join("xtask")
            .join(format!("bench-{}", std::process::id()));
        let data = data_dir.clone().unwrap_or_else(|| scratch.clone());
        std::fs::create_dir_all(&data).with_context(|| format!("could not create {}", data.display()))?;
        Ok(Self {
            program,
            data,
            scratch: data_dir.is_none().then_some(scratch),
        })
    }

    pub(super) fn data(&self) -> &Path {
        &self.data
    }

    /// Starts the server.
    pub(super) fn serve(&self, extra: &[&str]) -> Result<(Running, Ready)> {
        let any = "127.0.0.1:0";
        let flags = [
            "serve",
            "--otlp-grpc",
            any,
            "--otlp-http",
            any,
            "--http",
            any,
            "--data-dir",
        ];
        let mut command = Command::new(&self.program);
        Running::serve(command.args(flags).arg(&self.data).args(extra).stderr(Stdio::null()))
    }

    /// Begins to send.
    pub(super) fn load(&self, ready: &Ready, plan: &Plan<'_>) -> Result<Sending> {
        let endpoint = if plan.transport == "http" {
            &ready.otlp_http
        } else {
            &ready.otlp_grpc
        };
        let child = Command::new(self.program.with_file_name("load"))
            .args(["--endpoint", &format!("http://{endpoint}")])
            .args(["--shape", plan.shape, "--transport", plan.transport])
            .args(["--rate", &plan.rate.to_string(), "--spans", &plan.spans.to_string()])
            .args(["--connections", &plan.connections.to_string()])
            .stdout(Stdio::piped())
            .spawn()
            .context("could not run the load")?;
        Ok(Sending(child))
    }

    /// Runs `ask` and reads its line.
    pub(super) fn ask<T: DeserializeOwned>(&self, ready: &Ready, args: &[&str]) -> Result<T> {
        let output = Command::new(self.program.with_file_name("ask"))
            .args(["--endpoint", &format!("http://{}", ready.http)])
            .args(args)
            .stderr(Stdio::inherit())
            .output()
            .context("could not run the asker")?;
        ensure!(output.status.success(), "the asker failed");
        serde_json::from_slice(&output.stdout).context("what the asker says is not understood")
    }

    /// Waits until the server does nothing any more, so that sealing and the live loop are paid for too.
    pub(super) fn settle(&self, server: &mut Running) -> Result<()> {
        let begun = Instant::now();
        let (mut quiet, mut before) = (0, procfs::cpu_ticks(server.id())?);
        for _ in 0..LOOKS_MAX {
            std::thread::sleep(LOOK);
            ensure!(server.ended()?.is_none(), "the server ended during the measurement");
            let now = procfs::cpu_ticks(server.id())?;
            quiet = if now - before <= SETTLED_TICKS { quiet + 1 } else { 0 };
            before = now;
            if quiet >= QUIET_LOOKS && begun.elapsed() >= SETTLE_MIN {
                return Ok(());
            }
        }
        eprintln!("bench: the server did not settle within {LOOKS_MAX} s; its background work goes on");
        Ok(())
    }

    /// Takes the files of the table out of the page cache.
    pub(super) fn chill(&self) -> Result<()> {
        for file in files(&self.data)? {
            let status = Command::new("dd")
                .arg(format!("if={}", file.display()))
                .args(["iflag=nocache", "count=0", "status=none"])
                .status()
                .context("could not run dd")?;
            ensure!(status.success(), "dd could not drop {}", file.display());
        }
        Ok(())
    }

    /// Removes the folder, if it was made for this.
    pub(super) fn remove(&self) -> Result<()> {
        match &self.scratch {
            Some(scratch) => {
                std::fs::remove_dir_all(scratch).with_context(|| format!("could not remove {}", scratch.display()))
            }
            None => Ok(()),
        }
    }
}

impl Sending {
    /// Waits for the end of the load, with an eye on the server's memory.
    pub(super) fn finish(mut self, server: u32) -> Result<(Load, Watched)> {
        let begun = Instant::now();
        let mut watched = Vec::new();
        while self.0.try_wait()?.is_none() {
            std::thread::sleep(LOOK);
            watched.push((begun.elapsed().as_secs_f64(), procfs::memory_bytes(server)? as f64));
        }
        let output = self.0.wait_with_output()?;
        ensure!(output.status.success(), "the load failed");
        let said = serde_json::from_slice(&output.stdout).context("what the load says is not understood")?;
        Ok((said, Watched(watched)))
    }

    /// Ends it early.
    pub(super) fn stop(mut self) -> Result<()> {
        self.0.kill()?;
        self.0.wait()?;
        Ok(())
    }
}

impl Watched {
    /// Mean in bytes and slope in bytes a second (least squares) over the second half of the time.
    pub(super) fn second_half(&self) -> (f64, f64) {
        let half = &self.0[self.0.len() / 2..];
        let count = half.len().max(1) as f64;
        let mean = |of: fn(&(f64, f64)) -> f64| half.iter().map(of).sum::<f64>() / count;
        let (at, bytes) = (mean(|look| look.0), mean(|look| look.1));
        let both: f64 = half.iter().map(|look| (look.0 - at) * (look.1 - bytes)).sum();
        let spread: f64 = half.iter().map(|look| (look.0 - at).powi(2)).sum();
        (bytes, if spread > 0.0 { both / spread } else { 0.0 })
    }
}

/// One line of a report.
#[expect(clippy::print_stdout, reason = "this is what a bench is for")]
pub(super) fn say(name: &str, value: &str) {
    println!("{name:<42}{value}");
}

pub(super) fn mib(bytes: u64) -> String {
    format!("{:.0} MiB", bytes as f64 / f64::from(1 << 20))
}

fn files(folder: &Path) -> Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).with_context(|| format!("could not list {}", folder.display()))? {
        let entry = entry?;
        if entry.file_type()?.is_dir() {
            found.extend(files(&entry.path())?);
        } else {
            found.push(entry.path());
        }
    }
    Ok(found)
}

/// Bytes of all files below.
pub(super) fn folder_bytes(folder: &Path) -> Result<u64> {
    let sizes = files(folder)?.into_iter().map(|file| Ok(file.metadata()?.len()));
    sizes.sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slope_is_that_of_the_second_half() {
        let looks = (0..100).map(|s| (f64::from(s), if s < 50 { 1e9 } else { 1e6 + 10.0 * f64::from(s) }));
        let (mean, slope) = Watched(looks.collect()).second_half();
        assert!((slope - 10.0).abs() < 1e-6, "{slope}");
        assert!((mean - 1_000_745.0).abs() < 1.0, "{mean}");
        assert_eq!(Watched(Vec::new()).second_half(), (0.0, 0.0));
    }
}
