//! How far the clocks of machines are from one another, told by calls from one to another.
//!
//! A call lies around its answer: it begins before and ends after it. So the clock of the machine that answers is ahead of
//! the caller's by no more than the answer begins after the call, and by no less than it ends after it. The shortest
//! difference in length tells the most: within milliseconds, and whatever the order of the file is.

use epicenter_schema::{SpanBatch, SpanId, SpanKind, SpanRef, TraceId};
use std::collections::{BTreeMap, HashMap};

/// Machines whose clocks are compared, and pairs of them; more are left out.
const MACHINES_MAX: usize = 10_000;
const LINKS_MAX: usize = 100_000;
/// Calls between two machines that are looked at, the tightest ones, and how many there must be.
const CALLS_MAX: usize = 256;
const TIGHTEST: usize = 31;
const CALLS_MIN: usize = 5;
/// Half of them must agree so well; otherwise one clock changed, or ids are used twice.
const AGREE: i64 = 500_000_000;

/// Machines that call one another over any number of others, each with how far its clock is from the first one's.
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
    // By machines: differences in length, and how far the middles of call and answer are apart.
    let mut links: BTreeMap<(u32, u32), Vec<(i64, i64)>> = BTreeMap::new();
    for batch in batches {
        for span in batch.spans().iter().filter(|span| span.kind() == SpanKind::Server) {
            let call = span.parent_span_id().and_then(|id| calls.get(&(span.trace_id(), id)));
            let (Some((from, start, end)), Some(to)) = (call, numbers.get(machine_of(span))) else {
                continue;
            };
            let longer = (end - start) - span.duration().0;
            if from == to || longer < 0 || span.duration().0 < 0 {
                continue;
            }
            let apart = ((span.start().0 - start) + (span.end().0 - end)) / 2;
            let (key, apart) = if from < to {
                ((*from, *to), apart)
            } else {
                ((*to, *from), -apart)
            };
            if links.len() >= LINKS_MAX && !links.contains_key(&key) {
                continue;
            }
            let link = links.entry(key).or_default();
            if link.len() < CALLS_MAX {
                link.push((longer, apart));
            }
        }
    }
    let mut sure: Vec<(usize, u32, u32, i64)> = Vec::new();
    for ((from, to), mut calls) in links {
        let count = calls.len();
        calls.sort_unstable();
        calls.truncate(TIGHTEST);
        let mut apart: Vec<i64> = calls.into_iter().map(|(_, apart)| apart).collect();
        apart.sort_unstable();
        let quarter = apart.len() / 4;
        let do_agree = apart[apart.len() - 1 - quarter] - apart[quarter] <= AGREE;
        if count >= CALLS_MIN && do_agree {
            sure.push((count, from, to, apart[apart.len() / 2]));
        }
    }
    sure.sort_unstable_by_key(|(count, from, to, _)| (std::cmp::Reverse(*count), *from, *to));
    join(names, &sure)
}

/// Joins machines along links, those of most calls first.
fn join(names: Vec<String>, links: &[(usize, u32, u32, i64)]) -> Vec<Group> {
    let mut group_of: Vec<usize> = (0..names.len()).collect();
    let mut members: Vec<Vec<usize>> = (0..names.len()).map(|machine| vec![machine]).collect();
    let mut offsets = vec![0_i64; names.len()];
    for (_, from, to, apart) in links {
        let (from, to) = (*from as usize, *to as usize);
        let (mut into, mut gone) = (group_of[from], group_of[to]);
        if into == gone {
            continue;
        }
        let mut shift = offsets[from] + apart - offsets[to];
        if members[into].len() < members[gone].len() {
            std::mem::swap(&mut into, &mut gone);
            shift = -shift;
        }
        for machine in std::mem::take(&mut members[gone]) {
            group_of[machine] = into;
            offsets[machine] += shift;
            members[into].push(machine);
        }
    }
    members.retain(|group| group.len() > 1);
    let named = |machine: usize| (names[machine].clone(), offsets[machine]);
    members
        .into_iter()
        .map(|group| group.into_iter().map(named).collect())
        .collect()
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use epicenter_schema::{ResourceRow, SpanBatchBuilder, SpanRow};

    pub(in super::super) const S: i64 = 1_000_000_000;
    const MS: i64 = 1_000_000;

    /// A span of half of a call: number of the call, machine, kind, start and length.
    pub(in super::super) fn batch(spans: &[(u8, &str, SpanKind, i64, i64)]) -> SpanBatch {
        let mut builder = SpanBatchBuilder::with_capacity(spans.len());
        for (call, machine, kind, start, length) in spans {
            builder.set_resource(&ResourceRow {
                service_name: machine.as_bytes(),
                node: Some(machine.as_bytes()),
                json: b"{}",
                ..ResourceRow::default()
            });
            let answers = *kind == SpanKind::Server;
            builder.commit(&SpanRow {
                trace_id: [*call; 16],
                span_id: [*call + if answers { 100 } else { 0 }; 8],
                parent_span_id: answers.then_some([*call; 8]),
                name: b"call",
                kind: *kind as i32,
                start_time: *start,
                duration_ns: *length,
                ..SpanRow::default()
            });
        }
        builder.finish().expect("valid")
    }

    #[test]
    fn calls_tell_how_far_clocks_are_apart_in_whatever_order_they_come() {
        let mut batches = Vec::new();
        for call in 1..10 {
            let at = i64::from(call) * S;
            // a asks b, whose clock is 20 s behind, and c asks a, whose clock is 100 s ahead of its own. Answers get shorter.
            let width = (20 - i64::from(call)) * MS;
            let ask = (call, "a", SpanKind::Client, at, 40 * MS);
            let answer = (call, "b", SpanKind::Server, at - 20 * S + width, 40 * MS - width);
            let asked = (call + 50, "a", SpanKind::Server, at, 50 * MS);
            let asks = (call + 50, "c", SpanKind::Client, at - 100 * S - MS, 52 * MS);
            // A message is taken up whenever there is time.
            let late = (call, "d", SpanKind::Consumer, at + 500 * S, MS);
            batches.push(batch(&[answer, asked, late]));
            batches.push(batch(&[asks, ask]));
        }
        for turned in [false, true] {
            if turned {
                batches.reverse();
            }
            let groups = groups(batches.iter());
            assert_eq!(groups.len(), 1);
            let offset = |name: &str| groups[0].iter().find(|(machine, _)| machine == name).expect("known").1;
            let (b, c) = (offset("b") - offset("a"), offset("c") - offset("a"));
            assert!((b + 20 * S).abs() <= 10 * MS, "{b}");
            assert!((c + 100 * S).abs() <= 2 * MS, "{c}");
            assert_eq!(groups[0].len(), 3);
        }
    }

    #[test]
    fn calls_that_do_not_agree_tell_nothing() {
        let spans = (1..20).flat_map(|call| {
            let at = i64::from(call) * S;
            let off = i64::from(call % 3) * 10 * S;
            [
                (call, "a", SpanKind::Client, at, MS),
                (call, "b", SpanKind::Server, at + off, MS),
            ]
        });
        assert!(groups([batch(&spans.collect::<Vec<_>>())].iter()).is_empty());
    }
}
