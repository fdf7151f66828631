//! The accuracy table, as Markdown.

use super::case::Outcome;
use anyhow::{Context, Result};
use std::collections::BTreeMap;
use std::fmt::Write;
use std::path::Path;

const BEGIN: &str = "<!-- score:begin -->";
const END: &str = "<!-- score:end -->";

/// Hits among the first k places, of a number of cases.
#[derive(Clone, Copy, Default)]
struct Tally {
    cases: usize,
    hits: [usize; 5],
}

impl Tally {
    fn add(&mut self, place: Option<usize>) {
        self.cases += 1;
        for (index, hits) in self.hits.iter_mut().enumerate() {
            *hits += usize::from(place.is_some_and(|place| place <= index + 1));
        }
    }

    fn accuracy(&self, k: usize) -> f64 {
        self.hits[k - 1] as f64 / self.cases.max(1) as f64
    }

    fn average(&self) -> f64 {
        (1..=5).map(|k| self.accuracy(k)).sum::<f64>() / 5.0
    }
}

/// One row a fault kind and one in all for each set.
pub(super) fn render(outcomes: &[Outcome]) -> String {
    let mut sets: BTreeMap<&str, BTreeMap<&str, Tally>> = BTreeMap::new();
    for outcome in outcomes {
        let faults = sets.entry(&outcome.set).or_default();
        faults.entry(&outcome.fault).or_default().add(outcome.place());
    }
    let mut out = String::from("| set | fault | cases | AC@1 | AC@3 | AC@5 | Avg@5 |\n|---|---|---|---|---|---|---|\n");
    for (set, faults) in sets {
        let mut all = Tally::default();
        for (fault, tally) in faults {
            row(&mut out, set, fault, &tally);
            all.cases += tally.cases;
            for (sum, hits) in all.hits.iter_mut().zip(tally.hits) {
                *sum += hits;
            }
        }
        row(&mut out, set, "**all**", &all);
    }
    out
}

fn row(out: &mut String, set: &str, fault: &str, tally: &Tally) {
    let _ = writeln!(
        out,
        "| {set} | {fault} | {} | {:.3} | {:.3} | {:.3} | {:.3} |",
        tally.cases,
        tally.accuracy(1),
        tally.accuracy(3),
        tally.accuracy(5),
        tally.average()
    );
}

/// Every case without a true culprit in first place, with what was said instead.
pub(super) fn misses(outcomes: &[Outcome]) -> String {
    let mut out = String::new();
    for outcome in outcomes.iter().filter(|outcome| outcome.place() != Some(1)) {
        let said: Vec<&str> = outcome.ranking.iter().take(5).map(String::as_str).collect();
        let place = outcome
            .place()
            .map_or_else(|| "absent".to_owned(), |place| format!("place {place}"));
        let _ = writeln!(
            out,
            "{} {} ({}): {} is at {place}; said {} of {}",
            outcome.set,
            outcome.case,
            outcome.fault,
            outcome.culprits.join(" or "),
            outcome.cause,
            said.join(", ")
        );
    }
    out
}

/// Puts the table into a document in place of what stands between the two marks.
pub(super) fn write_between_marks(file: &Path, table: &str) -> Result<()> {
    let text = std::fs::read_to_string(file).with_context(|| format!("could not read {}", file.display()))?;
    let (head, rest) = text
        .split_once(BEGIN)
        .with_context(|| format!("{} has no line {BEGIN}", file.display()))?;
    let (_, tail) = rest
        .split_once(END)
        .with_context(|| format!("{} has no line {END}", file.display()))?;
    std::fs::write(file, format!("{head}{BEGIN}\n{table}{END}{tail}"))?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn outcome(fault: &str, ranking: &[&str]) -> Outcome {
        Outcome {
            set: "s".into(),
            case: "c".into(),
            fault: fault.into(),
            culprits: vec!["x".into()],
            ranking: ranking.iter().map(|s| (*s).to_owned()).collect(),
            cause: "slow".into(),
        }
    }

    #[test]
    fn counts_hits_by_place() {
        let outcomes = [
            outcome("delay", &["x", "y"]),
            outcome("delay", &["y", "z", "x"]),
            outcome("abort", &["y"]),
            outcome("abort", &["a", "b", "c", "d", "x"]),
        ];
        let table = render(&outcomes);
        assert!(
            table.contains("| s | delay | 2 | 0.500 | 1.000 | 1.000 | 0.800 |"),
            "{table}"
        );
        assert!(
            table.contains("| s | abort | 2 | 0.000 | 0.000 | 0.500 | 0.100 |"),
            "{table}"
        );
        assert!(
            table.contains("| s | **all** | 4 | 0.250 | 0.500 | 0.750 | 0.450 |"),
            "{table}"
        );
        assert_eq!(misses(&outcomes).lines().count(), 3);
    }
}
