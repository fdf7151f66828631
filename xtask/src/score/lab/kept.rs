//! The figures that must not fall: a small table in `tests/scenarios/lab-kept.toml`, one section a choice of seeds and of
//! what is spoiled.

use anyhow::{Context, Result, bail};
use std::collections::BTreeMap;
use std::path::PathBuf;

/// Shares are kept with three digits; less than this is no fall.
const SLACK: f64 = 0.0006;

/// Shares by name, and `false_incidents` as a count.
pub(super) type Figures = BTreeMap<String, f64>;
type Kept = BTreeMap<String, Figures>;

fn path() -> PathBuf {
    crate::workspace::root().join("tests/scenarios/lab-kept.toml")
}

fn read() -> Result<Kept> {
    match std::fs::read_to_string(path()) {
        Ok(text) => toml::from_str(&text).with_context(|| format!("could not read {}", path().display())),
        Err(_) => Ok(Kept::new()),
    }
}

/// Writes the figures of a run in place of those of the same name.
pub(super) fn write(name: &str, figures: &Figures) -> Result<()> {
    let mut kept = read()?;
    kept.insert(name.to_owned(), figures.clone());
    let head = "# Written by `cargo xtask score --lab --accept`, looked at by `--check`: shares must not fall, false incidents not rise.\n\n";
    std::fs::write(path(), head.to_owned() + &toml::to_string(&kept)?)?;
    eprintln!("score: kept in {}", path().display());
    Ok(())
}

/// # Errors
/// Figures that are worse than the kept ones, or that are not kept yet.
pub(super) fn check(name: &str, figures: &Figures) -> Result<()> {
    let kept = read()?;
    let Some(kept) = kept.get(name) else {
        bail!("no figures are kept for {name:?}: keep them with --accept");
    };
    let worse = worse(kept, figures);
    if !worse.is_empty() {
        bail!("worse than what is kept for {name:?}: {}", worse.join(", "));
    }
    eprintln!("score: nothing is worse than what is kept");
    Ok(())
}

fn worse(kept: &Figures, now: &Figures) -> Vec<String> {
    let mut worse = Vec::new();
    for (figure, before) in kept {
        let Some(now) = now.get(figure) else {
            worse.push(format!("{figure} is missing"));
            continue;
        };
        let lost = if figure == "false_incidents" {
            now - before
        } else {
            before - now
        };
        if lost > SLACK {
            worse.push(format!("{figure} {now:.3} after {before:.3}"));
        }
    }
    worse
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_must_not_fall_and_false_incidents_not_rise() {
        let figures = |culprit: f64, false_incidents: f64| {
            BTreeMap::from([
                ("culprit".to_owned(), culprit),
                ("false_incidents".to_owned(), false_incidents),
            ])
        };
        let kept = figures(0.9, 1.0);
        assert!(worse(&kept, &figures(0.95, 0.0)).is_empty());
        assert_eq!(worse(&kept, &figures(0.89, 1.0)), ["culprit 0.890 after 0.900"]);
        assert_eq!(worse(&kept, &figures(0.9, 2.0)), ["false_incidents 2.000 after 1.000"]);
        assert_eq!(worse(&kept, &BTreeMap::new()).len(), 2);
    }
}
