//! What Linux tells of a process: the CPU time it used and the memory it holds.

use anyhow::{Context, Result};
use std::process::Command;

/// Clock ticks a second in `/proc/<pid>/stat`, as the system says.
pub(crate) fn ticks_per_second() -> Result<f64> {
    let output = Command::new("getconf")
        .arg("CLK_TCK")
        .output()
        .context("could not run getconf")?;
    String::from_utf8_lossy(&output.stdout)
        .trim()
        .parse()
        .context("getconf CLK_TCK is no number")
}

/// User and system time of the whole process since its start, in clock ticks.
pub(crate) fn cpu_ticks(pid: u32) -> Result<u64> {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).context("could not read the process's CPU time")?;
    parse_cpu_ticks(&stat).context("the process's stat line is not understood")
}

/// The most memory that the process held, in bytes.
pub(crate) fn memory_peak_bytes(pid: u32) -> Result<u64> {
    status_bytes(pid, "VmHWM:")
}

/// The memory that the process holds, in bytes.
pub(crate) fn memory_bytes(pid: u32) -> Result<u64> {
    status_bytes(pid, "VmRSS:")
}

fn status_bytes(pid: u32, field: &str) -> Result<u64> {
    let status =
        std::fs::read_to_string(format!("/proc/{pid}/status")).context("could not read the process's memory")?;
    let kib = status
        .lines()
        .find_map(|line| line.strip_prefix(field))
        .with_context(|| format!("no {field} in the process's status"))?;
    let kib: u64 = kib
        .trim()
        .trim_end_matches("kB")
        .trim()
        .parse()
        .with_context(|| format!("{field} is no number"))?;
    Ok(kib * 1024)
}

/// Fields 14 and 15; the name in field 2 may hold spaces, so counting starts after its closing bracket.
fn parse_cpu_ticks(stat: &str) -> Option<u64> {
    let mut fields = stat.rsplit_once(')')?.1.split_whitespace().skip(11);
    let user: u64 = fields.next()?.parse().ok()?;
    let system: u64 = fields.next()?.parse().ok()?;
    Some(user + system)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_with_brackets_do_not_shift_the_fields() {
        let stat = "7 (a) b) S 1 7 7 0 -1 4194560 1 0 0 0 120 30 0 0 20 0 1 0 9 1 1";
        assert_eq!(parse_cpu_ticks(stat), Some(150));
        assert_eq!(parse_cpu_ticks("no"), None);
    }

    #[test]
    fn this_process_has_time_and_memory() {
        assert!(ticks_per_second().unwrap() > 0.0);
        cpu_ticks(std::process::id()).unwrap();
        assert!(memory_peak_bytes(std::process::id()).unwrap() > 0);
    }
}
