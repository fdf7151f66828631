//! The rules of the house that no compiler knows, checked on the files of the repository. Each rule is a function from
//! a [`Tree`] to [`Finding`]s, so that its tests feed it trees that break it: there is no rule that cannot fail.

mod arrows;
mod documents;
mod files;
mod locks;
mod purity;
#[cfg(test)]
mod tests;
mod tree;
mod words;

use crate::test::Tally;
use crate::workspace;
use anyhow::{Result, bail};
use tree::Tree;

/// Something that a rule does not like.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Finding {
    /// Warnings are shown and fail nothing.
    warning: bool,
    text: String,
}

impl Finding {
    fn error(text: impl Into<String>) -> Self {
        Self {
            warning: false,
            text: text.into(),
        }
    }

    fn warning(text: impl Into<String>) -> Self {
        Self {
            warning: true,
            text: text.into(),
        }
    }
}

type Rule = fn(&Tree) -> Vec<Finding>;

const RULES: [(&str, Rule); 12] = [
    ("crates depend on each other only along the arrows", arrows::check),
    ("pure crates depend on pure crates only", purity::dependencies),
    ("pure crates do no input, output, time or chance", purity::sources),
    ("files are small", files::sizes),
    ("no mod.rs", files::no_mod_rs),
    ("no module without a responsibility in its name", files::names),
    ("every Rust file says what it is for", files::opening),
    ("paths in documents exist", documents::paths),
    ("no path of one machine", words::machine_paths),
    ("one version of each engine", locks::one_version),
    ("crates come from the default registry", locks::cargo_sources),
    ("npm packages come from the default registry", locks::npm_sources),
];

/// Checks the repository; an error if a rule is broken.
pub(crate) fn run() -> Result<()> {
    let tally = check_repository()?;
    if tally.failed > 0 {
        bail!("{} of the rules of the house are broken", tally.failed);
    }
    Ok(())
}

/// Checks the repository and counts the rules that hold and those that do not.
pub(crate) fn check_repository() -> Result<Tally> {
    let tree = Tree::read(&workspace::root())?;
    let mut tally = Tally::default();
    for (name, rule) in RULES {
        let findings = rule(&tree);
        let broken = findings.iter().any(|finding| !finding.warning);
        tally += Tally {
            passed: u64::from(!broken),
            failed: u64::from(broken),
        };
        eprintln!("tidy: {} {name}", if broken { "FAIL" } else { "ok  " });
        for finding in findings {
            eprintln!(
                "      {}{}",
                if finding.warning { "warning: " } else { "" },
                finding.text
            );
        }
    }
    Ok(tally)
}
