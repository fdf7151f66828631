//! The real binary: started in a folder of its own on free ports, stopped politely or not.

use serde_json::Value;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Stdio};
use std::time::Duration;
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::{Child, Command};

/// The program under test.
pub(crate) const EPICENTER: &str = env!("CARGO_BIN_EXE_epicenter");
/// From start to the ready line, also after a crash.
const START_PATIENCE: Duration = Duration::from_secs(60);
/// The product promises to stop within 10 s of SIGTERM.
const STOP_PATIENCE: Duration = Duration::from_secs(10);
/// Lines of the server's log shown when a journey fails.
const LOG_LINES_SHOWN: usize = 60;

/// A running `epicenter serve`. Killed when dropped; its log is shown if the test is failing.
pub(crate) struct Server {
    child: Child,
    log: PathBuf,
    pub(crate) otlp_grpc: SocketAddr,
    pub(crate) otlp_http: SocketAddr,
    pub(crate) http: SocketAddr,
}

impl Server {
    /// Starts it on `folder/data` with free ports and waits until it is ready.
    pub(crate) async fn start(folder: &Path, extra: &[&str]) -> Self {
        Self::start_with(folder, extra, &[]).await
    }

    /// The same with something in its environment.
    pub(crate) async fn start_with(folder: &Path, extra: &[&str], environment: &[(&str, &str)]) -> Self {
        let log = folder.join("server.log");
        let stderr = std::fs::OpenOptions::new()
            .create(true)
            .append(true)
            .open(&log)
            .expect("log file");
        let any = "127.0.0.1:0";
        let mut child = Command::new(EPICENTER)
            .args([
                "serve",
                "--otlp-grpc",
                any,
                "--otlp-http",
                any,
                "--http",
                any,
                "--data-dir",
            ])
            .arg(folder.join("data"))
            .args(extra)
            .envs(environment.iter().copied())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(stderr)
            .kill_on_drop(true)
            .spawn()
            .expect("the server starts");
        let mut lines = BufReader::new(child.stdout.take().expect("piped")).lines();
        let said = tokio::time::timeout(START_PATIENCE, lines.next_line()).await;
        let Ok(Ok(Some(line))) = said else {
            let log = std::fs::read_to_string(&log).unwrap_or_default();
            panic!("the server was not ready: {said:?}; its log:\n{log}");
        };
        let ready: Value = serde_json::from_str(&line).expect("the ready line is JSON");
        assert_eq!(ready["event"], "ready");
        let address = |key: &str| ready[key].as_str().expect("an address").parse().expect("an address");
        Self {
            child,
            log,
            otlp_grpc: address("otlp_grpc"),
            otlp_http: address("otlp_http"),
            http: address("http"),
        }
    }

    /// kill -9, and waits until the process is gone.
    pub(crate) async fn kill(mut self) {
        self.child.kill().await.expect("the server can be killed");
    }

    /// SIGTERM; the server must stop by itself, cleanly and in time.
    pub(crate) async fn stop(mut self) {
        let status = terminate(&mut self.child, STOP_PATIENCE)
            .await
            .expect("the server stops within 10 s of SIGTERM");
        assert!(status.success(), "the server stopped with {status}");
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        if std::thread::panicking() {
            let log = std::fs::read_to_string(&self.log).unwrap_or_default();
            let lines: Vec<_> = log.lines().collect();
            let shown = &lines[lines.len().saturating_sub(LOG_LINES_SHOWN)..];
            eprintln!("the end of the server's log:\n{}", shown.join("\n"));
        }
    }
}

/// Sends SIGTERM and waits; none if it did not end in time.
pub(crate) async fn terminate(child: &mut Child, patience: Duration) -> Option<ExitStatus> {
    let id = child.id().expect("it runs").to_string();
    let sent = Command::new("kill")
        .args(["-TERM", &id])
        .status()
        .await
        .expect("kill runs");
    assert!(sent.success(), "SIGTERM could not be sent");
    tokio::time::timeout(patience, child.wait())
        .await
        .ok()
        .map(|status| status.expect("it can be waited for"))
}

/// The root folder of the repository, asked when the tests run: a target folder may be shared by several clones.
pub(crate) fn repository() -> std::path::PathBuf {
    std::env::var_os("CARGO_MANIFEST_DIR").expect("cargo sets it").into()
}
