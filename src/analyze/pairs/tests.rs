//! How far clocks are apart, by calls of all kinds.

use super::*;
use epicenter_schema::{ResourceRow, SpanBatchBuilder, SpanRow};

pub(in super::super) const S: i64 = 1_000_000_000;
const MS: i64 = 1_000_000;

/// A span of half of a call: number of the call, machine, kind, start and length.
pub(in super::super) fn batch(spans: &[(u32, &str, SpanKind, i64, i64)]) -> SpanBatch {
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
            trace_id: u128::from(*call).to_be_bytes(),
            span_id: (u64::from(*call) * 2 + u64::from(answers)).to_be_bytes(),
            parent_span_id: answers.then_some((u64::from(*call) * 2).to_be_bytes()),
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
/// Scenario: a fault from the first span on, in which whoever calls `back` waits for a place in its pool for seconds; or
/// tries again within the same call, and the last answer is the only one that is traced.
/// Guarantees: its clock is believed, whichever of the machines the others are compared with; a clock that is off by
/// more than that is not.
#[test]
fn calls_that_wait_before_they_are_answered_move_no_clock() {
    for (wrong, hub_wrong) in [(0, 0), (60 * S, 0), (-60 * S, 0), (0, -40 * S)] {
        let mut spans = Vec::new();
        for call in 1..40 {
            let at = i64::from(call) * S;
            let wait = 2_200 * MS + i64::from(call) * 10 * MS;
            for (number, to) in ["back", "other", "third", "fourth"].into_iter().enumerate() {
                let id = call * 10 + number as u32;
                let (wait, off) = if to == "back" { (wait, wrong) } else { (MS, 0) };
                spans.push((id, "front", SpanKind::Client, at + hub_wrong, wait + 10 * MS));
                spans.push((id, to, SpanKind::Server, at + wait + off, 9 * MS));
            }
        }
        let groups = groups([batch(&spans)].iter());
        assert_eq!((groups.len(), groups[0].len()), (1, 5));
        for (machine, off) in &groups[0] {
            let truth = match machine.as_str() {
                "back" => wrong,
                "front" => hub_wrong,
                _ => 0,
            };
            assert_eq!(*off != 0, truth != 0, "{machine} {off}");
            assert!((off - truth).abs() <= 1_500 * MS, "{machine} {off}");
        }
    }
}

/// Guarantees: no times are so wild that they break anything.
#[test]
fn wild_times_break_nothing() {
    let wild = [i64::MIN, i64::MIN + 1, -1, 0, i64::MAX - 1, i64::MAX];
    let mut spans = Vec::new();
    for call in 1..200_u32 {
        let (asked, answered) = (wild[call as usize % 6], wild[call as usize / 6 % 6]);
        let (from, to) = [("a", "b"), ("b", "a"), ("b", "c")][call as usize % 3];
        spans.push((call, from, SpanKind::Client, asked, i64::MAX));
        spans.push((call, to, SpanKind::Server, answered, S));
    }
    let found = groups([batch(&spans)].iter());
    assert!(found.len() <= 1);
}

/// Scenario: calls from `a` to `b` wait for seconds, but both call `c`, seldom, which answers at once.
#[test]
fn narrow_bounds_count_before_wide_ones_of_more_calls() {
    let mut spans = Vec::new();
    for call in 1..60 {
        let (at, off) = (i64::from(call) * S, -1_500 * MS);
        spans.push((call, "a", SpanKind::Client, at, 2_210 * MS));
        spans.push((call, "b", SpanKind::Server, at + 2_200 * MS + off, 9 * MS));
        for (id, from, off) in [(call + 100, "a", 0), (call + 200, "b", off)] {
            if call % 4 == 0 {
                spans.push((id, from, SpanKind::Client, at + off, 10 * MS));
                spans.push((id, "c", SpanKind::Server, at + MS, 8 * MS));
            }
        }
    }
    let groups = groups([batch(&spans)].iter());
    assert_eq!(groups[0].len(), 3);
    for (machine, off) in &groups[0] {
        let truth = if machine == "b" { -1_500 * MS } else { 0 };
        assert!((off - truth).abs() <= 5 * MS, "{machine} {off}");
    }
}
