//! Runs one command of a chore: its output is shown line by line as it comes, and kept, so that what a test runner
//! says at its end can be counted.

use anyhow::{Context, Result};
use std::io::{BufRead, BufReader, Write};
use std::process::{Command, Stdio};

/// Most output of one command that is kept for counting; what comes before is only shown.
const OUTPUT_BYTES_MAX: usize = 8 << 20;

/// How a command ended and what it wrote to its standard output.
#[derive(Debug)]
pub(crate) struct Finished {
    pub(crate) success: bool,
    pub(crate) output: String,
}

/// Runs `command` to its end; its standard error goes straight to ours.
///
/// # Errors
/// Only if it cannot be started or read; a command that fails is `success: false`.
pub(crate) fn run(command: &mut Command) -> Result<Finished> {
    let name = command.get_program().to_string_lossy().into_owned();
    let mut child = command
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .spawn()
        .with_context(|| format!("could not start {name}"))?;
    let stdout = child.stdout.take().context("the child has no standard output")?;
    let mut output = String::new();
    let mut reader = BufReader::new(stdout);
    let mut line = Vec::new();
    while reader
        .read_until(b'\n', &mut line)
        .with_context(|| format!("could not read what {name} says"))?
        > 0
    {
        std::io::stdout().write_all(&line)?;
        if output.len() + line.len() > OUTPUT_BYTES_MAX {
            output.clear();
        }
        output.push_str(&String::from_utf8_lossy(&line));
        line.clear();
    }
    let status = child.wait().with_context(|| format!("could not wait for {name}"))?;
    Ok(Finished {
        success: status.success(),
        output,
    })
}
