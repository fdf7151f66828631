//! The table of the lab, as Markdown: a row a kind of fault, and what went wrong.

use super::verdict::Verdict;
use std::collections::BTreeMap;
use std::fmt::Write;

/// Figures of several runs.
#[derive(Clone, Debug, Default)]
pub(super) struct Sum {
    faults: usize,
    found: usize,
    first: usize,
    third: usize,
    cause: usize,
    dimensions: usize,
    dimension: usize,
    one: usize,
    false_incidents: usize,
    calm_hours: f64,
    delays_s: Vec<f64>,
}

impl Sum {
    fn add(&mut self, verdict: &Verdict) {
        self.false_incidents += verdict.false_incidents;
        self.calm_hours += verdict.calm_hours();
        if !verdict.is_fault() {
            return;
        }
        self.faults += 1;
        self.found += usize::from(verdict.incidents > 0);
        self.first += usize::from(verdict.place == Some(1));
        self.third += usize::from(verdict.place.is_some_and(|place| place <= 3));
        self.cause += usize::from(verdict.is_cause_right());
        self.dimensions += usize::from(verdict.dimension.is_some());
        self.dimension += usize::from(verdict.dimension == Some(true));
        self.one += usize::from(verdict.incidents == 1);
        self.delays_s.extend(verdict.delay_s);
    }

    /// Shares, by name.
    fn shares(&self) -> [(&'static str, f64); 5] {
        let share = |part: usize, of: usize| part as f64 / of.max(1) as f64;
        [
            ("culprit", share(self.first, self.faults)),
            ("culprit_of_three", share(self.third, self.faults)),
            ("cause", share(self.cause, self.faults)),
            ("dimension", share(self.dimension, self.dimensions)),
            ("one_incident", share(self.one, self.faults)),
        ]
    }

    /// Figures that are kept, by name: shares, and false incidents as a count.
    pub(super) fn figures(&self) -> BTreeMap<String, f64> {
        let mut figures: BTreeMap<String, f64> = BTreeMap::new();
        if self.faults > 0 {
            let shares = self.shares();
            figures.extend(shares.map(|(name, share)| (name.to_owned(), (share * 1000.0).round() / 1000.0)));
        }
        figures.insert("false_incidents".to_owned(), self.false_incidents as f64);
        figures
    }
}

/// A quantile of delays in seconds, in words.
pub(super) fn delay(delays_s: &[f64], quantile: f64) -> String {
    let mut delays = delays_s.to_vec();
    delays.sort_by(f64::total_cmp);
    let at = ((delays.len() as f64 * quantile).ceil() as usize).max(1) - 1;
    delays
        .get(at)
        .map_or_else(|| "-".to_owned(), |delay| format!("{delay:.1} s"))
}

/// All figures together.
pub(super) fn sum(verdicts: &[Verdict]) -> Sum {
    let mut sum = Sum::default();
    verdicts.iter().for_each(|verdict| sum.add(verdict));
    sum
}

/// One row a kind, faults and harmless changes apart, and one in all for each.
pub(super) fn render(verdicts: &[Verdict]) -> String {
    let mut out = String::from(
        "| fault | runs | found | AC@1 | AC@3 | cause | dimension | one incident | false | delay p50 | delay p95 |\n\
         |---|---|---|---|---|---|---|---|---|---|---|\n",
    );
    let of = |is_fault: bool| {
        let those = verdicts.iter().filter(move |verdict| verdict.is_fault() == is_fault);
        let mut kinds: BTreeMap<&str, Sum> = BTreeMap::new();
        let mut all = Sum::default();
        for verdict in those {
            kinds.entry(&verdict.truth.fault).or_default().add(verdict);
            all.add(verdict);
        }
        (kinds, all)
    };
    let (kinds, all) = of(true);
    for (kind, sum) in &kinds {
        row(&mut out, kind, sum);
    }
    if all.faults > 0 {
        row(&mut out, "**all faults**", &all);
    }
    let (kinds, all) = of(false);
    if !kinds.is_empty() {
        out.push_str("\n| harmless | runs | hours | false incidents |\n|---|---|---|---|\n");
        let runs = |kind: &str| verdicts.iter().filter(|verdict| verdict.truth.fault == kind).count();
        for (kind, sum) in &kinds {
            let _ = writeln!(
                out,
                "| {kind} | {} | {:.1} | {} |",
                runs(kind),
                sum.calm_hours,
                sum.false_incidents
            );
        }
        let _ = writeln!(
            out,
            "| **all** | {} | {:.1} | {} |",
            kinds.keys().map(|kind| runs(kind)).sum::<usize>(),
            all.calm_hours,
            all.false_incidents
        );
    }
    out
}

fn row(out: &mut String, kind: &str, sum: &Sum) {
    let [first, third, cause, dimension, one] = sum.shares().map(|(_, share)| format!("{share:.3}"));
    let dimension = if sum.dimensions == 0 { "-".to_owned() } else { dimension };
    let _ = writeln!(
        out,
        "| {kind} | {} | {:.3} | {first} | {third} | {cause} | {dimension} | {one} | {} | {} | {} |",
        sum.faults,
        sum.found as f64 / sum.faults.max(1) as f64,
        sum.false_incidents,
        delay(&sum.delays_s, 0.5),
        delay(&sum.delays_s, 0.95)
    );
}

/// Every run that is not right in all respects, with what was said instead.
pub(super) fn misses(verdicts: &[Verdict]) -> String {
    let mut out = String::new();
    for verdict in verdicts {
        let truth = &verdict.truth;
        let mut wrong = Vec::new();
        if verdict.false_incidents > 0 {
            wrong.push(format!("{} false incidents", verdict.false_incidents));
        }
        if verdict.is_fault() {
            match verdict.place {
                Some(1) => {}
                Some(place) => wrong.push(format!("culprit at place {place}")),
                None if verdict.incidents == 0 => wrong.push("not found".to_owned()),
                None => wrong.push("culprit absent".to_owned()),
            }
            if verdict.incidents > 0 && !verdict.is_cause_right() {
                let said = verdict.cause.as_deref().unwrap_or("nothing");
                wrong.push(format!("cause {said} for {}", truth.causes.join(" or ")));
            }
            if verdict.incidents > 0 && verdict.dimension == Some(false) {
                wrong.push("dimension wrong".to_owned());
            }
            if verdict.incidents > 1 {
                wrong.push(format!("{} incidents", verdict.incidents));
            }
        }
        if wrong.is_empty() {
            continue;
        }
        let culprits: Vec<&str> = truth.culprits.iter().map(|culprit| culprit.name.as_str()).collect();
        let _ = writeln!(
            out,
            "seed {} {} ({}, {} services): {}; truth {}; said {}",
            truth.seed,
            truth.fault,
            truth.severity,
            truth.services,
            wrong.join(", "),
            culprits.join(" or "),
            verdict.said.join(", ")
        );
    }
    out
}
