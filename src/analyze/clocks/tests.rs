//! Clocks that are off, told by calls and by the order of a file.

use super::super::pairs::tests::{S, batch};
use super::*;
use epicenter_schema::SpanKind;

/// Five machines that send a batch every two seconds, by clocks that are off by so many seconds.
fn after(seconds: i64, off: [i64; 5]) -> Clocks {
    let mut clocks = Clocks::default();
    for second in (0..seconds).step_by(2) {
        for (number, off) in off.iter().enumerate() {
            clocks.note(&format!("node-{number}"), (1_000 + second + off) * S);
        }
    }
    clocks
}

#[test]
fn a_clock_that_is_off_is_taken_for_the_time_of_the_others() {
    for off in [[0, 0, 1, 0, 120], [-150, 0, 2, 1, 0]] {
        let clocks = after(60, off);
        for (number, off) in off.iter().enumerate() {
            let moved = clocks.moved(&format!("node-{number}"));
            assert_eq!(moved != 0, off.abs() > 30, "{number}");
            // Half of the batches that the common time rests on are older.
            assert!(moved == 0 || (moved + off * S).abs() <= 8 * S, "{moved}");
        }
    }
}

/// Calls from `front` to the other machines, once a second; by the clocks of machines. What each batch was moved by, and
/// where the last one stands.
fn moved(seconds: i64, off: impl Fn(&str, i64) -> i64, is_sorted: bool) -> (Vec<(String, i64)>, i64) {
    let mut batches = Vec::new();
    for second in 0..seconds {
        for (number, back) in ["back-0", "back-1"].into_iter().enumerate() {
            let call = (second * 2 + number as i64 + 1) as u8;
            let at = |machine: &str| (1_000 + second + off(machine, second)) * S;
            let answer = (call, back, SpanKind::Server, at(back) + S / 10, S / 10);
            let ask = (call, "front", SpanKind::Client, at("front"), 3 * S / 10);
            batches.push((at(back), batch(&[answer])));
            batches.push((at("front"), batch(&[ask])));
        }
    }
    if is_sorted {
        batches.sort_by_key(|(at, _)| *at);
    }
    let (mut found, mut last) = (Vec::new(), 0);
    let mut corrected = Corrected::new(|batch: &SpanBatch, clocks: &Clocks| {
        let spans = batch.spans();
        let span = spans.get(0);
        found.push((machine_of(span).to_owned(), clocks.by(span).0 / S));
        last = clocks.typical_end(batch).expect("not empty").0 / S;
    });
    batches.iter().for_each(|(_, batch)| corrected.push(batch));
    corrected.finish();
    drop(corrected);
    found.dedup();
    (found, last)
}

/// Scenario: clocks that are off by less than the order of a file can tell, and by minutes.
/// Guarantees: calls tell, from the first span on.
#[test]
fn calls_tell_of_clocks_that_are_off() {
    for wrong in [-170, -20, 3, 20, 170] {
        let off = |machine: &str, _| if machine == "back-1" { wrong } else { 0 };
        let (found, last) = moved(40, off, false);
        let by = |name: &str| if name == "back-1" { -wrong } else { 0 };
        assert!(found.iter().all(|(name, moved)| *moved == by(name)), "{found:?}");
        assert_eq!(last, 1_039);
    }
    let (found, _) = moved(40, |_, _| 0, false);
    assert!(found.iter().all(|(_, moved)| *moved == 0));
}

/// Scenario: a clock is set while the file goes on, after what is read ahead.
#[test]
fn a_clock_that_is_set_is_right_from_then_on() {
    let mut clocks = after(40, [0, 0, 0, 0, 120]);
    let group = (0..5).map(|number| (format!("node-{number}"), if number == 4 { 120 * S } else { 0 }));
    clocks.begin_again(vec![group.collect()]);
    for second in (0..60_i64).step_by(2) {
        for number in 0..5 {
            let off = if number == 4 && second < 20 { 120 } else { 0 };
            clocks.note(&format!("node-{number}"), (1_000 + second + off) * S);
        }
        let moved = clocks.moved("node-4") / S;
        match second {
            0..20 => assert_eq!(moved, -120, "{second}"),
            36.. => assert_eq!(moved, 0, "{second}"),
            _ => {}
        }
    }
}

/// Scenario: what was recorded is sorted by what the clocks said.
/// Guarantees: spans that would come too late are believed; those that are off by less than that are not.
#[test]
fn a_file_that_is_sorted_by_wrong_clocks_is_not_moved_far() {
    for (wrong, by) in [(100, 0), (20, -20)] {
        let (found, _) = moved(100, |machine, _| if machine == "back-1" { wrong } else { 0 }, true);
        assert!(
            found
                .iter()
                .all(|(name, moved)| *moved == if name == "back-1" { by } else { 0 }),
            "{found:?}"
        );
    }
}

#[test]
fn clocks_that_are_right_and_files_in_another_order_are_left_alone() {
    let clocks = after(60, [0, 3, -5, 12, 1]);
    assert!((0..5).all(|number| clocks.moved(&format!("node-{number}")) == 0));
    let mut clocks = Clocks::default();
    for number in 0_i64..200 {
        let machine = format!("node-{}", number % 5);
        clocks.note(&machine, (number * 7919 % 3_600) * S);
    }
    assert!((0..5).all(|number| clocks.moved(&format!("node-{number}")) == 0));
}
