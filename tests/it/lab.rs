//! The lab's simulated systems, played live against a server by the product's own `epicenter demo`.

use crate::server::{EPICENTER, Server};
use std::path::{Path, PathBuf};
use std::process::Stdio;
use tokio::process::{Child, Command};

/// A system that is being played; stops when dropped.
pub(crate) struct Played {
    child: Child,
    log: PathBuf,
}

impl Played {
    /// Plays a scenario of `tests/scenarios` in real time.
    pub(crate) fn start(scenario: &str, server: &Server, folder: &Path) -> Self {
        let scenario = crate::server::repository().join("tests/scenarios").join(scenario);
        let log = folder.join("demo.log");
        let said = std::fs::File::create(&log).expect("log file");
        let child = Command::new(EPICENTER)
            .args([
                "demo",
                "--endpoint",
                &format!("http://{}", server.otlp_grpc),
                "--scenario",
            ])
            .arg(&scenario)
            .stdin(Stdio::null())
            .stdout(said.try_clone().expect("log file"))
            .stderr(said)
            .kill_on_drop(true)
            .spawn()
            .expect("the demo starts");
        Self { child, log }
    }

    /// Fails the test if the demo has ended by itself with an error.
    pub(crate) fn goes_well(&mut self) {
        let ended = self.child.try_wait().expect("it can be watched");
        assert!(ended.is_none_or(|status| status.success()), "the demo ended: {ended:?}");
    }
}

impl Drop for Played {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!(
                "what the demo said:\n{}",
                std::fs::read_to_string(&self.log).unwrap_or_default()
            );
        }
    }
}
