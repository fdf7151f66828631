//! The table of two faults at once, as Markdown, with what went wrong.

use super::{Relation, Verdict};
use std::collections::BTreeMap;
use std::fmt::Write;

/// Figures of several runs of one relation.
#[derive(Clone, Debug, Default)]
struct Sum {
    pairs: usize,
    /// Incidents that there should be.
    wanted: usize,
    named: usize,
    cause: usize,
    count: usize,
    right: usize,
    other: usize,
    false_incidents: usize,
    delays_s: Vec<f64>,
}

impl Sum {
    fn of<'a>(verdicts: impl Iterator<Item = &'a Verdict>) -> Self {
        let mut sum = Self::default();
        for verdict in verdicts {
            sum.pairs += 1;
            sum.wanted += verdict.incidents_wanted();
            sum.named += verdict.named();
            sum.count += usize::from(verdict.is_count_right());
            sum.right += usize::from(verdict.is_right());
            sum.other += usize::from(verdict.names_other);
            sum.false_incidents += verdict.false_incidents;
            for answer in verdict.answers.iter().flatten() {
                sum.cause += usize::from(answer.is_cause_right);
                sum.delays_s.extend(answer.delay_s);
            }
        }
        sum
    }
}

fn apart(verdicts: &[Verdict]) -> impl Iterator<Item = &Verdict> {
    verdicts.iter().filter(|verdict| !verdict.is_related())
}

fn related(verdicts: &[Verdict]) -> impl Iterator<Item = &Verdict> {
    verdicts.iter().filter(|verdict| verdict.is_related())
}

/// Figures that are kept, by name: shares, and false incidents as a count.
pub(in super::super) fn figures(verdicts: &[Verdict]) -> BTreeMap<String, f64> {
    let (apart, related) = (Sum::of(apart(verdicts)), Sum::of(related(verdicts)));
    let mut figures = BTreeMap::new();
    let mut keep = |name: &str, part: usize, of: usize| {
        if of > 0 {
            figures.insert(name.to_owned(), (part as f64 / of as f64 * 1000.0).round() / 1000.0);
        }
    };
    keep("apart_culprit", apart.named, apart.wanted);
    keep("apart_cause", apart.cause, apart.wanted);
    keep("apart_two_incidents", apart.count, apart.pairs);
    keep("apart_right", apart.right, apart.pairs);
    keep("related_culprit", related.named, related.wanted);
    keep("related_cause", related.cause, related.wanted);
    keep("related_other_of_three", related.other, related.pairs);
    keep("related_one_incident", related.count, related.pairs);
    keep("related_right", related.right, related.pairs);
    let false_incidents = apart.false_incidents + related.false_incidents;
    figures.insert("false_incidents".to_owned(), false_incidents as f64);
    figures
}

/// Faults apart, by whether an entry asks for both; then related ones, by which of the two is below.
pub(in super::super) fn render(verdicts: &[Verdict]) -> String {
    let mut out = String::from(
        "| faults apart | pairs | right culprit | right cause | two incidents | all right | false | delay p50 | delay p95 |\n\
         |---|---|---|---|---|---|---|---|---|\n",
    );
    let in_common = |is_any: bool| apart(verdicts).filter(move |one| (one.truth.entries_in_common > 0) == is_any);
    row(&mut out, "no entry in common", &Sum::of(in_common(false)), false);
    row(&mut out, "entries in common", &Sum::of(in_common(true)), false);
    row(&mut out, "**all**", &Sum::of(apart(verdicts)), false);
    out.push_str(
        "\n| related faults | pairs | either culprit | right cause | other of three | one incident | all right | false | delay p50 | delay p95 |\n\
         |---|---|---|---|---|---|---|---|---|---|\n",
    );
    let of = |relation: Relation| related(verdicts).filter(move |verdict| verdict.truth.relation == relation);
    row(&mut out, "the second below", &Sum::of(of(Relation::Below)), true);
    row(&mut out, "the second above", &Sum::of(of(Relation::Above)), true);
    row(&mut out, "**all**", &Sum::of(related(verdicts)), true);
    out
}

fn row(out: &mut String, name: &str, sum: &Sum, is_related: bool) {
    let share = |part: usize, of: usize| format!("{:.3} ({part} of {of})", part as f64 / of.max(1) as f64);
    let mut cells = vec![
        name.to_owned(),
        sum.pairs.to_string(),
        share(sum.named, sum.wanted),
        share(sum.cause, sum.wanted),
    ];
    if is_related {
        cells.push(share(sum.other, sum.pairs));
    }
    cells.push(share(sum.count, sum.pairs));
    cells.push(share(sum.right, sum.pairs));
    cells.push(sum.false_incidents.to_string());
    cells.push(delay(&sum.delays_s, 0.5));
    cells.push(delay(&sum.delays_s, 0.95));
    let _ = writeln!(out, "| {} |", cells.join(" | "));
}

fn delay(delays_s: &[f64], quantile: f64) -> String {
    super::super::table::delay(delays_s, quantile)
}

/// Every run that is not all right, or whose other culprit is not among the first three, with what was said instead.
pub(in super::super) fn misses(verdicts: &[Verdict]) -> String {
    let mut out = String::new();
    for verdict in verdicts {
        let truth = &verdict.truth;
        let mut wrong = Vec::new();
        if !verdict.is_count_right() {
            wrong.push(format!("{} incidents", verdict.incidents));
        }
        if verdict.is_related() && verdict.named() == 0 {
            wrong.push("names neither".to_owned());
        }
        if verdict.is_related() && verdict.named() > 0 && !verdict.names_other {
            wrong.push("the other is not of the first three".to_owned());
        }
        for (which, answer) in ["first", "second"].iter().zip(&verdict.answers) {
            match answer {
                None if !verdict.is_related() => wrong.push(format!("the {which} is missed")),
                Some(answer) if !answer.is_cause_right => wrong.push(format!("cause of the {which}")),
                _ => {}
            }
        }
        if verdict.false_incidents > 0 {
            wrong.push(format!("{} false", verdict.false_incidents));
        }
        if wrong.is_empty() {
            continue;
        }
        let faults = truth.faults.each_ref().map(|fault| {
            let culprit = fault.culprits.first().map_or("nobody", |culprit| culprit.name.as_str());
            format!("{} ({}) of {culprit}", fault.fault, fault.severity)
        });
        let lag_s = verdict.lag_s();
        let _ = writeln!(
            out,
            "seed {} {:?}, {} services, {} entries in common: {}; truth {}, and {lag_s:.0} s later {}; said {}",
            truth.seed,
            truth.relation,
            truth.faults[0].services,
            truth.entries_in_common,
            wrong.join(", "),
            faults[0],
            faults[1],
            verdict.said.join(" ")
        );
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::score::lab::pairs::tests::{check, incident};

    #[test]
    fn figures_are_of_either_relation_and_false_incidents_of_both() {
        let verdicts = [
            check("apart", &[incident(102, &["a"]), incident(132, &["b"])]),
            check("apart", &[incident(102, &["a", "b"])]),
            check("below", &[incident(20, &["x"]), incident(102, &["b", "a"])]),
        ];
        let figures = figures(&verdicts);
        let get = |name: &str| figures.get(name).copied();
        assert_eq!(get("apart_culprit"), Some(0.75));
        assert_eq!(get("apart_two_incidents"), Some(0.5));
        assert_eq!(get("related_other_of_three"), Some(1.0));
        assert_eq!(get("false_incidents"), Some(1.0));
        let table = render(&verdicts);
        assert!(table.contains("| **all** | 2 | 0.750 (3 of 4) |"), "{table}");
        let misses = misses(&verdicts);
        assert_eq!(misses.lines().count(), 2, "{misses}");
        assert!(misses.contains("the second is missed"), "{misses}");
    }
}
