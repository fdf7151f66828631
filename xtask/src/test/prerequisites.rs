//! What must be on the machine beside cargo, and what to do when it is not.

use anyhow::{Result, bail};
use std::process::{Command, Stdio};

/// The Node that the web page's tools ask for.
const NODE_MAJOR_MIN: u32 = 20;

/// What one tool is needed for, whether it is there, and how to get it.
struct Tool {
    name: &'static str,
    present: fn() -> bool,
    install: &'static str,
}

const BUILDING: [Tool; 3] = [
    Tool {
        name: "a C compiler",
        present: c_compiler,
        install: "apt-get install -y gcc",
    },
    Tool {
        name: "Node 20 or newer",
        present: node,
        install: "install Node 20 or newer (nodejs.org, or your system's package)",
    },
    Tool {
        name: "npm",
        present: || runs("npm", &["--version"]),
        install: "install npm, which comes with Node",
    },
];

const TESTING: [Tool; 3] = [
    Tool {
        name: "Python 3 with venv",
        present: || runs("python3", &["-c", "import venv, ensurepip"]),
        install: "apt-get install -y python3-venv",
    },
    Tool {
        name: "redis-server",
        present: || runs("redis-server", &["--version"]),
        install: "apt-get install -y redis-server",
    },
    Tool {
        name: "Chromium",
        present: chromium,
        install: "apt-get install -y chromium",
    },
];

/// Checks what `cargo xtask up` needs.
pub(crate) fn for_building() -> Result<()> {
    check(BUILDING.iter())
}

/// Checks what `cargo xtask test` needs.
pub(crate) fn for_testing() -> Result<()> {
    check(BUILDING.iter().chain(&TESTING))
}

fn check<'a>(tools: impl Iterator<Item = &'a Tool>) -> Result<()> {
    let missing: Vec<String> = tools
        .filter(|tool| !(tool.present)())
        .map(|tool| format!("\n  {}: {}", tool.name, tool.install))
        .collect();
    if missing.is_empty() {
        return Ok(());
    }
    bail!("this is missing on the machine:{}", missing.concat());
}

fn runs(program: &str, args: &[&str]) -> bool {
    Command::new(program)
        .args(args)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .is_ok_and(|status| status.success())
}

fn c_compiler() -> bool {
    ["cc", "gcc", "clang"].iter().any(|name| runs(name, &["--version"]))
}

/// Chromium where the browser tests look for it: named by `CHROMIUM`, else on the path.
fn chromium() -> bool {
    std::env::var_os("CHROMIUM").is_some_and(|path| std::path::Path::new(&path).is_file())
        || ["chromium", "chromium-browser", "google-chrome"]
            .iter()
            .any(|name| runs(name, &["--version"]))
}

fn node() -> bool {
    let output = Command::new("node").arg("--version").output();
    output.is_ok_and(|output| node_is_new_enough(&String::from_utf8_lossy(&output.stdout)))
}

fn node_is_new_enough(version: &str) -> bool {
    let major = version
        .trim()
        .trim_start_matches('v')
        .split('.')
        .next()
        .and_then(|major| major.parse::<u32>().ok());
    major.is_some_and(|major| major >= NODE_MAJOR_MIN)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn node_versions() {
        assert!(node_is_new_enough("v20.20.2\n") && node_is_new_enough("v24.1.0"));
        assert!(!node_is_new_enough("v18.19.0") && !node_is_new_enough(""));
    }

    #[test]
    fn every_missing_tool_is_named_with_its_cure() {
        let tools = [
            Tool {
                name: "present",
                present: || true,
                install: "-",
            },
            Tool {
                name: "warp drive",
                present: || runs("warp-drive-of-no-machine", &[]),
                install: "apt-get install warp",
            },
            Tool {
                name: "second",
                present: || false,
                install: "build it",
            },
        ];
        let error = check(tools.iter()).unwrap_err().to_string();
        assert!(
            error.contains("warp drive: apt-get install warp") && error.contains("second: build it"),
            "{error}"
        );
        assert!(!error.contains("present:"), "{error}");
    }
}
