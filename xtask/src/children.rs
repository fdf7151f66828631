//! Programs that run beside a chore: each in a process group of its own, so that Ctrl-C reaches this process alone,
//! which then stops them in its own order. Dropping one stops it too.

use anyhow::{Context, Result, bail};
use std::io::{BufRead, BufReader};
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

/// How long a program may take to stop after SIGTERM before it is killed.
const STOP_PATIENCE: Duration = Duration::from_secs(10);
/// How often a program is asked whether it has ended.
const POLL: Duration = Duration::from_millis(50);

/// Set by SIGINT and SIGTERM.
#[derive(Clone, Debug)]
pub(crate) struct Interrupt(Arc<AtomicBool>);

impl Interrupt {
    /// From now on the two signals are noted instead of ending the process; a second one ends it at once.
    pub(crate) fn install() -> Result<Self> {
        let flag = Arc::new(AtomicBool::new(false));
        for signal in [signal_hook::consts::SIGINT, signal_hook::consts::SIGTERM] {
            signal_hook::flag::register_conditional_shutdown(signal, 130, Arc::clone(&flag))?;
            signal_hook::flag::register(signal, Arc::clone(&flag))?;
        }
        Ok(Self(flag))
    }

    pub(crate) fn requested(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}

/// Where a server that said `ready` can be reached.
#[derive(Debug, serde::Deserialize)]
pub(crate) struct Ready {
    pub(crate) otlp_grpc: String,
    pub(crate) otlp_http: String,
    pub(crate) http: String,
}

/// A running program.
#[derive(Debug)]
pub(crate) struct Running {
    name: &'static str,
    child: Child,
    stopped: bool,
}

impl Running {
    /// Starts it with an empty standard input; the rest is as `command` says.
    pub(crate) fn start(name: &'static str, command: &mut Command) -> Result<Self> {
        let child = command
            .stdin(Stdio::null())
            .process_group(0)
            .spawn()
            .with_context(|| format!("could not start {name}"))?;
        Ok(Self {
            name,
            child,
            stopped: false,
        })
    }

    /// Starts `epicenter serve` and waits for its ready line.
    pub(crate) fn serve(command: &mut Command) -> Result<(Self, Ready)> {
        let mut server = Self::start("epicenter serve", command.stdout(Stdio::piped()))?;
        let stdout = server
            .child
            .stdout
            .take()
            .context("the server has no standard output")?;
        for line in BufReader::new(stdout).lines() {
            let line = line.context("could not read what the server says")?;
            if let Ok(ready) = serde_json::from_str::<Ready>(&line) {
                return Ok((server, ready));
            }
            eprintln!("{line}");
        }
        let status = server.child.wait()?;
        server.stopped = true;
        bail!("the server ended before it was ready ({status})");
    }

    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    /// How it ended, if it has.
    pub(crate) fn ended(&mut self) -> Result<Option<ExitStatus>> {
        let ended = self
            .child
            .try_wait()
            .with_context(|| format!("could not watch {}", self.name))?;
        self.stopped |= ended.is_some();
        Ok(ended)
    }

    /// SIGKILL.
    pub(crate) fn kill(&mut self) -> Result<()> {
        self.child.kill()?;
        self.child.wait()?;
        self.stopped = true;
        Ok(())
    }

    /// SIGTERM, patience, SIGKILL. Says whether it stopped cleanly.
    pub(crate) fn stop(&mut self) -> Result<bool> {
        if self.stopped || self.ended()?.is_some() {
            return Ok(true);
        }
        let status = Command::new("kill").args(["-TERM", &self.id().to_string()]).status();
        if status.is_ok_and(|status| status.success()) {
            let polls = STOP_PATIENCE.as_millis() / POLL.as_millis();
            for _ in 0..polls {
                if let Some(ended) = self.ended()? {
                    return Ok(ended.success());
                }
                std::thread::sleep(POLL);
            }
        }
        eprintln!(
            "{} did not stop within {} s and is killed",
            self.name,
            STOP_PATIENCE.as_secs()
        );
        self.child.kill()?;
        self.child.wait()?;
        self.stopped = true;
        Ok(false)
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        if let Err(error) = self.stop() {
            eprintln!("could not stop {}: {error:#}", self.name);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_program_that_obeys_stops_cleanly() {
        let mut child = Running::start(
            "sh",
            Command::new("sh").args(["-c", "trap 'exit 0' TERM; echo; while :; do sleep 0.05; done"]),
        )
        .unwrap();
        std::thread::sleep(Duration::from_millis(300));
        assert!(child.stop().unwrap());
    }

    #[test]
    fn a_server_that_ends_early_is_an_error() {
        let error = Running::serve(Command::new("sh").args(["-c", "echo hello; exit 3"])).unwrap_err();
        assert!(error.to_string().contains("before it was ready"), "{error}");
    }

    #[test]
    fn the_ready_line_is_found() {
        let script = r#"echo '{"event":"ready","otlp_grpc":"a:1","otlp_http":"b:2","http":"c:3"}'; sleep 60"#;
        let (mut child, ready) = Running::serve(Command::new("sh").args(["-c", script])).unwrap();
        assert_eq!((ready.otlp_grpc.as_str(), ready.http.as_str()), ("a:1", "c:3"));
        assert!(child.ended().unwrap().is_none());
    }
}
