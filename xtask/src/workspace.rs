//! Where things are: the root of the repository, cargo, and the folder that cargo builds into.

use anyhow::{Context, Result, ensure};
use std::path::{Path, PathBuf};
use std::process::Command;

/// The root folder of the repository.
pub(crate) fn root() -> PathBuf {
    // Asked when it runs: a target folder shared by several clones may hold an xtask that was built in another one.
    let here = std::env::var_os("CARGO_MANIFEST_DIR").map_or_else(|| PathBuf::from("xtask"), PathBuf::from);
    here.parent().map_or_else(|| PathBuf::from("."), Path::to_path_buf)
}

/// What cargo tells a program that it runs of the program's package. A cargo that inherits it takes it for a change:
/// build scripts that look at these variables run again, and everything above them is built again.
const OF_THIS_PACKAGE: [&str; 5] = [
    "CARGO_PKG_",
    "CARGO_MANIFEST_",
    "CARGO_CRATE_",
    "CARGO_BIN_",
    "CARGO_PRIMARY_",
];

/// The cargo that runs this, so that chores use the same toolchain, as if it was called from a shell.
pub(crate) fn cargo() -> Command {
    let mut cargo = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    for (name, _) in std::env::vars_os() {
        let text = name.to_string_lossy();
        if OF_THIS_PACKAGE.iter().any(|prefix| text.starts_with(prefix)) {
            cargo.env_remove(&name);
        }
    }
    cargo
}

/// The folder that cargo builds into; asks cargo, which knows of `CARGO_TARGET_DIR` and of configuration files.
pub(crate) fn target() -> Result<PathBuf> {
    let output = cargo()
        .args(["metadata", "--no-deps", "--format-version", "1"])
        .current_dir(root())
        .output()
        .context("could not run cargo metadata")?;
    ensure!(
        output.status.success(),
        "cargo metadata failed: {}",
        String::from_utf8_lossy(&output.stderr)
    );
    let metadata: serde_json::Value =
        serde_json::from_slice(&output.stdout).context("could not read cargo metadata")?;
    let target = metadata["target_directory"]
        .as_str()
        .context("cargo metadata names no target directory")?;
    Ok(PathBuf::from(target))
}

/// Builds the product and the lab in release mode, cargo's own progress shown, and tells where `epicenter` is; the lab's
/// programs lie beside it. Always both together: another choice of packages is another choice of their dependencies'
/// features, and would build the engine once more.
pub(crate) fn release_build() -> Result<PathBuf> {
    let status = cargo()
        .args([
            "build",
            "--release",
            "--package",
            "epicenter",
            "--package",
            "epicenter-lab",
        ])
        .current_dir(root())
        .status()
        .context("could not run cargo")?;
    ensure!(status.success(), "the release build failed");
    Ok(target()?.join("release/epicenter"))
}
