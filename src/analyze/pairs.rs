//! How far the clocks of machines are from one another, told by calls from one to another.
//!
//! A call lies around its answer: it begins before and ends after it. So the clock of the machine that answers is ahead of
//! the caller's by no more than the answer begins after the call, and by no less than it ends after it. The shortest
//! difference in length tells the most: within milliseconds, and whatever the order of the file is. Where every call waits
//! for seconds before it is answered, the bounds are wide, and a clock that may be right within them is believed.

use epicenter_schema::{SpanBatch, SpanId, SpanKind, SpanRef, TraceId};
use std::cmp::Reverse;
use std::collections::{BTreeMap, HashMap};

/// Machines that are told apart, and pairs of them; the clocks of more are believed.
pub(super) const MACHINES_MAX: usize = 10_000;
const LINKS_MAX: usize = 100_000;
/// Calls between two machines that are looked at, the tightest ones, and how many there must be.
const CALLS_MAX: usize = 256;
const TIGHTEST: usize = 31;
const CALLS_MIN: usize = 5;
/// The bounds of half of them must agree so well; otherwise one clock changed, or ids are used twice. Wider bounds count
/// where there are no narrower ones.
const AGREE: i64 = 500_000_000;
/// Clocks that are no more than this off are right.
const RIGHT: i64 = 1_000_000_000;

/// Machines that call one another over any number of others, each with how far its clock is ahead of the middle of them;
/// 0 where it may be right.
pub(super) type Group = Vec<(String, i64)>;

/// Whose clock timed a span: the machine, else the copy, else the service.
pub(super) fn machine_of(span: SpanRef<'_>) -> &str {
    span.node()
        .or_else(|| span.instance())
        .unwrap_or_else(|| span.service_name())
}

/// The groups of machines in these batches. Of machines that nobody calls and that call nobody nothing is known.
pub(super) fn groups<'a>(batches: impl Iterator<Item = &'a SpanBatch> + Clone) -> Vec<Group> {
    let mut names: Vec<String> = Vec::new();
    let mut calls: HashMap<(TraceId, SpanId), (u32, i64, i64)> = HashMap::new();
    let mut numbers: HashMap<String, u32> = HashMap::new();
    for batch in batches.clone() {
        for span in batch.spans().iter() {
            let machine = machine_of(span);
            let number = match numbers.get(machine) {
                Some(number) => *number,
                None if names.len() >= MACHINES_MAX => continue,
                None => {
                    let number = names.len() as u32;
                    numbers.insert(machine.to_owned(), number);
                    names.push(machine.to_owned());
                    number
                }
            };
            if span.kind() == SpanKind::Client {
                calls.insert(
                    (span.trace_id(), span.span_id()),
                    (number, span.start().0, span.end().0),
                );
            }
        }
    }
    // By machines: how much longer the call is than its answer, and between what the clock of the second is ahead.
    let mut links: BTreeMap<(u32, u32), Vec<(i64, Bounds)>> = BTreeMap::new();
    for batch in batches {
        for span in batch.spans().iter().filter(|span| span.kind() == SpanKind::Server) {
            let call = span.parent_span_id().and_then(|id| calls.get(&(span.trace_id(), id)));
            let (Some((from, start, end)), Some(to)) = (call, numbers.get(machine_of(span))) else {
                continue;
            };
            let (least, most) = (span.end().0.saturating_sub(*end), span.start().0.saturating_sub(*start));
            let longer = most.saturating_sub(least);
            if from == to || longer < 0 || span.duration().0 < 0 {
                continue;
            }
            let (key, least, most) = if from < to {
                ((*from, *to), least, most)
            } else {
                ((*to, *from), most.saturating_neg(), least.saturating_neg())
            };
            if links.len() >= LINKS_MAX && !links.contains_key(&key) {
                continue;
            }
            let link = links.entry(key).or_default();
            if link.len() < CALLS_MAX {
                link.push((longer, (least, most)));
            }
        }
    }
    let mut sure: Vec<(bool, Reverse<usize>, Link)> = Vec::new();
    for ((from, to), mut calls) in links {
        let count = calls.len();
        calls.sort_unstable();
        calls.truncate(TIGHTEST);
        let mut least: Vec<i64> = calls.iter().map(|(_, (least, _))| *least).collect();
        let mut most: Vec<i64> = calls.iter().map(|(_, (_, most))| *most).collect();
        least.sort_unstable();
        most.sort_unstable();
        let (middle, quarter) = (calls.len() / 2, calls.len() / 4);
        let do_agree = least[calls.len() - 1 - quarter].saturating_sub(most[quarter]) <= AGREE;
        if count >= CALLS_MIN && do_agree {
            let ahead = (least[middle].min(most[middle]), least[middle].max(most[middle]));
            let is_wide = ahead.1.saturating_sub(ahead.0) > AGREE;
            sure.push((is_wide, Reverse(count), Link { from, to, ahead }));
        }
    }
    sure.sort_unstable_by_key(|(is_wide, count, link)| (*is_wide, *count, link.from, link.to));
    join(&names, sure.into_iter().map(|(_, _, link)| link))
}

/// Between what the clock of the second machine is ahead of that of the first.
struct Link {
    from: u32,
    to: u32,
    ahead: Bounds,
}

type Bounds = (i64, i64);

/// Joins machines along links, the first of them first.
fn join(names: &[String], links: impl Iterator<Item = Link>) -> Vec<Group> {
    let mut group_of: Vec<usize> = (0..names.len()).collect();
    let mut members: Vec<Vec<usize>> = (0..names.len()).map(|machine| vec![machine]).collect();
    let mut links_of: Vec<Vec<(usize, Bounds)>> = vec![Vec::new(); names.len()];
    for link in links {
        let (from, to) = (link.from as usize, link.to as usize);
        let (mut into, mut gone) = (group_of[from], group_of[to]);
        if into == gone {
            continue;
        }
        let (least, most) = link.ahead;
        links_of[from].push((to, (least, most)));
        links_of[to].push((from, (most.saturating_neg(), least.saturating_neg())));
        if members[into].len() < members[gone].len() {
            std::mem::swap(&mut into, &mut gone);
        }
        for machine in std::mem::take(&mut members[gone]) {
            group_of[machine] = into;
            members[into].push(machine);
        }
    }
    members.retain(|group| group.len() > 1);
    let named = |(machine, off): (usize, i64)| (names[machine].clone(), off);
    // From the machine of most links, which makes paths short and bounds narrow.
    let links = |machine: &&usize| (links_of[**machine].len(), Reverse(**machine));
    let firsts = members.iter().filter_map(|group| group.iter().max_by_key(links));
    firsts
        .map(|first| place(*first, &links_of).into_iter().map(named).collect())
        .collect()
}

/// How far every machine that links lead to is off.
fn place(first: usize, links_of: &[Vec<(usize, Bounds)>]) -> Vec<(usize, i64)> {
    let mut placed: Vec<(usize, Bounds)> = vec![(first, (0, 0))];
    // Links are a tree: everyone is reached once, but for whom one came from.
    let mut came_from = vec![first];
    let mut next = 0;
    while let Some(&(machine, (least, most))) = placed.get(next) {
        for (to, ahead) in &links_of[machine] {
            if *to != came_from[next] {
                placed.push((*to, (least.saturating_add(ahead.0), most.saturating_add(ahead.1))));
                came_from.push(machine);
            }
        }
        next += 1;
    }
    let middle = middle(&placed);
    let between = |(least, most): Bounds| (least / 2).saturating_add(most / 2);
    // The middle is an end of bounds; what lies between narrow ones around it is nearer.
    let are_close = |(least, most): Bounds| !is_off((least, most), middle) && most.saturating_sub(least) <= AGREE;
    let mut close: Vec<i64> = placed
        .iter()
        .filter(|(_, it)| are_close(*it))
        .map(|(_, it)| between(*it))
        .collect();
    close.sort_unstable();
    let right = close.get(close.len() / 2).copied().unwrap_or(middle);
    let off = |it: Bounds| {
        if is_off(it, middle) {
            between(it).saturating_sub(right)
        } else {
            0
        }
    };
    placed
        .into_iter()
        .map(|(machine, bounds)| (machine, off(bounds)))
        .collect()
}

/// The time that the bounds of all are least away from: the median of their ends. In a stretch of such times, the one
/// that leaves the fewest clocks wrong.
fn middle(placed: &[(usize, Bounds)]) -> i64 {
    let mut ends: Vec<i64> = placed.iter().flat_map(|(_, (least, most))| [*least, *most]).collect();
    ends.sort_unstable();
    let (below, above) = (ends[placed.len() - 1], ends[placed.len()]);
    let wrong = |middle| placed.iter().filter(|(_, bounds)| is_off(*bounds, middle)).count();
    [0.clamp(below, above), below, above]
        .into_iter()
        .min_by_key(|middle| wrong(*middle))
        .unwrap_or(0)
}

fn is_off((least, most): Bounds, middle: i64) -> bool {
    least.saturating_sub(middle) > RIGHT || middle.saturating_sub(most) > RIGHT
}

#[cfg(test)]
pub(super) mod tests;
