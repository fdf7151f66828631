//! The page in a real browser while something is broken.

use crate::api::Api;
use crate::lab::Played;
use crate::machine::quiet;
use crate::server::Server;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;
use tokio::process::Command;

/// From the start of the demo to an incident that the browser can wait for.
const BROKEN_WITHIN: Duration = Duration::from_secs(180);

/// Scenario: a person on call opens the page during the opening scenario and follows the proof to a trace.
/// Guarantees: the page names the culprit that the API names, draws the graph, and shows the trace; screenshots are kept.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_page_shows_the_culprit() {
    let _machine = quiet().await;
    let folder = tempfile::tempdir().expect("a folder");
    let server = Server::start(folder.path(), &[]).await;
    let _demo = Played::start("opening.toml", &server, folder.path());
    let output = Command::new("npm")
        .args(["run", "--silent", "e2e"])
        .current_dir(crate::server::repository().join("ui/web"))
        .env("EPICENTER_URL", Api::new(&server).url())
        .env("EPICENTER_WAIT_MS", BROKEN_WITHIN.as_millis().to_string())
        .env("EPICENTER_ARTIFACTS", artifacts())
        .env("NO_COLOR", "1")
        .stdin(Stdio::null())
        .kill_on_drop(true)
        .output()
        .await
        .expect("npm runs");
    let (said, complained) = (
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr),
    );
    assert!(
        output.status.success(),
        "the browser's journey failed:\n{said}\n{complained}"
    );
    for name in ["live-culprit.png", "live-trace.png"] {
        assert!(artifacts().join(name).is_file(), "the screenshot {name} was not kept");
    }
    server.stop().await;
}

/// Where screenshots are kept: `EPICENTER_ARTIFACTS`, else `artifacts` in the target folder.
fn artifacts() -> PathBuf {
    let target = Path::new(env!("CARGO_TARGET_TMPDIR"))
        .parent()
        .expect("the target folder");
    std::env::var_os("EPICENTER_ARTIFACTS").map_or_else(|| target.join("artifacts"), PathBuf::from)
}
