//! Clocks that are off, told by calls and by the order of a file.

use super::super::pairs::tests::{S, batch};
use super::*;
use epicenter_schema::SpanKind;

/// Five machines that send a batch every two seconds, by clocks that are off by so many seconds.
fn after(seconds: i64, off: [i64; 5]) -> Clocks {
    let mut clocks = Clocks::default();
    for second in (0..seconds).step_by(2) {
        for (number, off) in off.iter().enumerate() {
            clocks.note(&[(&format!("node-{number}"), (1_000 + second + off) * S)]);
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
            let call = (second * 2 + number as i64 + 1) as u32;
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
    for wrong in [120, -120] {
        let mut clocks = after(40, [0, 0, 0, 0, wrong]);
        let group = (0..5).map(|number| (format!("node-{number}"), if number == 4 { wrong * S } else { 0 }));
        clocks.begin_again(vec![group.collect()]);
        for second in (0..60_i64).step_by(2) {
            for number in 0..5 {
                let off = if number == 4 && second < 20 { wrong } else { 0 };
                clocks.note(&[(&format!("node-{number}"), (1_000 + second + off) * S)]);
            }
            let moved = clocks.moved("node-4") / S;
            match second {
                0..20 => assert_eq!(moved, -wrong, "{second}"),
                36.. => assert_eq!(moved, 0, "{second}"),
                _ => {}
            }
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
        clocks.note(&[(&machine, (number * 7919 % 3_600) * S)]);
    }
    assert!((0..5).all(|number| clocks.moved(&format!("node-{number}")) == 0));
}

/// Scenario: two machines call each other and send each second; most machines work off queues, make no calls, and send
/// every half minute what ended since, so that they seem to be seconds behind.
/// Guarantees: who is told by calls is not held to what the order tells no better than by half a minute.
#[test]
fn machines_that_call_are_not_moved_to_slow_exporters() {
    let mut clocks = Clocks::default();
    let pair = || ["n1", "n2"].map(|name| (name.to_owned(), 0)).to_vec();
    for again in [false, true] {
        for second in 0..300_i64 {
            for (number, machine) in ["w1", "w2", "w3"].into_iter().enumerate() {
                if second > 30 && second % 30 == number as i64 * 3 {
                    clocks.note(&[(machine, (1_000 + second - 15) * S)]);
                }
            }
            clocks.note(&[("n1", (1_000 + second) * S)]);
            clocks.note(&[("n2", (1_000 + second) * S)]);
            for machine in ["n1", "n2", "w1", "w2", "w3"] {
                assert!(!again || clocks.moved(machine) == 0, "{machine} {second}");
            }
        }
        if !again {
            clocks.begin_again(vec![pair()]);
            assert!(clocks.middle < -5 * S, "{}", clocks.middle);
        }
    }
    assert!(clocks.are_right());
}

/// Scenario: all machines of one group are minutes ahead of most others, which call nobody.
/// Guarantees: the group is moved as a whole, and who is off within it as well.
#[test]
fn a_group_that_is_minutes_off_is_moved_as_a_whole() {
    let mut clocks = Clocks::default();
    let off = [
        ("n1", 120),
        ("n2", 120),
        ("n3", 117),
        ("w1", 0),
        ("w2", 0),
        ("w3", 0),
        ("w4", 0),
    ];
    let go_on = |clocks: &mut Clocks| {
        for second in 0..40_i64 {
            for (machine, off) in off {
                clocks.note(&[(machine, (1_000 + second + off) * S)]);
            }
        }
    };
    go_on(&mut clocks);
    let group = [("n1", 0), ("n2", 0), ("n3", -3 * S)];
    clocks.begin_again(vec![group.map(|(name, off)| (name.to_owned(), off)).to_vec()]);
    go_on(&mut clocks);
    for (machine, off) in off {
        let left = clocks.moved(machine) + off * S;
        assert!(left.abs() <= 8 * S, "{machine} {left}");
    }
    assert_eq!(clocks.moved("n1") - clocks.moved("n3"), -3 * S);
}

/// Calls from `front` to `back-1`, whose clock is off by a minute and a half, and others, all in so many records. The first
/// span of each is another's.
fn moved_of_mixed(records: i64) -> Vec<(String, i64)> {
    let mut found = Vec::new();
    let mut corrected = Corrected::new(|batch: &SpanBatch, clocks: &Clocks| {
        for span in batch.spans().iter() {
            found.push((machine_of(span).to_owned(), clocks.by(span).0 / S));
        }
    });
    for record in 0..records {
        let mut spans = Vec::new();
        for number in 0..600 / records {
            let second = record * (600 / records) + number;
            for (place, (back, off)) in [("back-0", 0), ("back-1", 90 * S), ("back-2", -20 * S)]
                .into_iter()
                .enumerate()
            {
                // One that came late.
                if back == "back-2" && second < 500 {
                    continue;
                }
                let (call, at) = (second as u32 * 3 + place as u32 + 1, (1_000 + second) * S);
                spans.push((call, "front", SpanKind::Client, at, S / 5));
                spans.push((call, back, SpanKind::Server, at + S / 20 + off, S / 10));
            }
            // Who calls nobody, and works only at the end.
            if second > 500 {
                spans.push((
                    second as u32 + 5_000,
                    "worker",
                    SpanKind::Consumer,
                    (1_000 + second) * S,
                    S,
                ));
            }
        }
        let first = record as usize % spans.len();
        spans.rotate_left(first);
        corrected.push(&batch(&spans));
    }
    corrected.finish();
    drop(corrected);
    found.sort();
    found.dedup();
    found
}

/// Scenario: records hold spans of many machines, as a collector writes them; or all is one document.
#[test]
fn records_that_mix_machines_tell_of_each_of_them() {
    for records in [1, 2, 20, 300] {
        let of = |name: &str, by| (name.to_owned(), by);
        let expected = [
            of("back-0", 0),
            of("back-1", -90),
            of("back-2", 20),
            of("front", 0),
            of("worker", 0),
        ];
        assert_eq!(moved_of_mixed(records), expected, "{records}");
    }
}

/// Scenario: a machine of which calls tell was in none of the records that were noted.
#[test]
fn machines_that_only_calls_tell_of_are_moved() {
    let mut clocks = after(40, [0; 5]);
    assert!(clocks.are_right());
    clocks.begin_again(vec![vec![("node-0".to_owned(), 0), ("other".to_owned(), 5 * S)]]);
    assert!(!clocks.are_right());
    assert_eq!(clocks.moved("other"), -5 * S);
    assert_eq!(clocks.moved("node-0"), 0);
}

/// Guarantees: no times are so wild that they break anything.
#[test]
fn wild_ends_break_nothing() {
    let mut clocks = Clocks::default();
    let wild = [i64::MAX, i64::MIN, 0, i64::MIN, i64::MAX];
    for number in 0..100 {
        let machine = format!("node-{}", number % 7);
        clocks.note(&[(&machine, wild[number % 5]), ("same", wild[number / 5 % 5])]);
        clocks.moved(&machine);
    }
    clocks.begin_again(vec![vec![
        ("node-0".to_owned(), i64::MIN),
        ("node-1".to_owned(), i64::MAX),
    ]]);
    clocks.note(&[("node-0", i64::MAX), ("node-1", i64::MIN)]);
    clocks.moved("node-0");
}
