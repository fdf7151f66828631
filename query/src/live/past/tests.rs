//! Slots in, files out, and what they say after a restart, thinned out, damaged or too large.

use super::*;
use epicenter_incident::{Entity, EntityKind, Health, NodeSum, Part, Sketch, Traffic, Weighed, Weight};
use epicenter_schema::TraceId;

const SLOT: i64 = 30 * 1_000_000_000;

/// A slot in which `web` called `orders` so many times; a fifth of the calls failed.
fn slot(number: i64, calls: u64) -> Slot {
    let mut latency = Sketch::default();
    (0..calls).for_each(|call| latency.add(1_000_000 + call as i64 * 1000));
    let weighed = Weighed {
        count: Weight::from_steps(calls * 4 * 1024),
        errors: Weight::from_steps(calls / 5 * 4 * 1024),
    };
    let traffic = Traffic {
        count: calls,
        errors: calls / 5,
        weighed,
        unanswered: 1,
        latency,
        word: Some("http".to_owned()),
        exemplars: vec![TraceId([(number % 200) as u8 + 1; 16])],
        health: if number % 2 == 0 { Health::Ok } else { Health::Degraded },
    };
    let part = Part {
        count: calls,
        errors: calls / 5,
        weighed,
    };
    let node = NodeSum {
        traffic: traffic.clone(),
        instances: 2,
        parts: [(("version".to_owned(), "1".to_owned()), part)].into(),
    };
    let (web, orders) = (Entity::service("web"), Entity::new(EntityKind::Queue, "orders"));
    let mut summary = Summary {
        length: DurationNs(SLOT),
        ..Summary::default()
    };
    summary.accounts.counted = calls;
    summary.nodes.insert(web.clone(), node);
    summary.edges.insert((web, orders), traffic);
    Slot {
        start: Timestamp(number * SLOT),
        summary,
    }
}

fn open(folder: &Path) -> Past {
    Past::open(folder.to_owned(), DurationNs(30 * DAY), 1 << 30).expect("opens")
}

fn fill(past: &Past, numbers: std::ops::Range<i64>) {
    for number in numbers {
        if past.put(vec![slot(number, 10)]) {
            past.keep();
        }
    }
}

fn between(past: &Past, from: i64, to: i64) -> Option<Summary> {
    past.between(Timestamp(from * SLOT), Timestamp(to * SLOT))
}

#[test]
fn what_is_written_is_read_after_a_restart_and_taken_once() {
    let folder = tempfile::tempdir().expect("a folder");
    let past = open(folder.path());
    fill(&past, 0..5);
    assert_eq!((past.size().files, past.now().1.len()), (1, 1));
    assert_eq!(between(&past, 4, 5), Some(slot(4, 10).summary), "from memory");
    drop(past);
    std::fs::write(folder.path().join("next.new"), b"torn").expect("written");
    let past = open(folder.path());
    assert!(!folder.path().join("next.new").exists());
    assert_eq!(between(&past, 3, 4), Some(slot(3, 10).summary));
    assert_eq!(between(&past, 4, 5), None, "it was only in memory");
    assert_eq!(between(&past, 3, 3), None);
    fill(&past, 0..9);
    past.keep();
    assert_eq!(past.taken(), Timestamp(9 * SLOT));
    for number in 0..9 {
        assert_eq!(
            between(&past, number, number + 1),
            Some(slot(number, 10).summary),
            "{number}"
        );
    }
    let sum = between(&past, 0, 9).expect("known");
    assert_eq!((sum.length, sum.accounts.counted), (DurationNs(9 * SLOT), 90));
}

/// Five days: nothing is lost or there twice when slots become longer and files larger.
#[test]
fn the_past_is_thinned_out_and_stays_whole() {
    let folder = tempfile::tempdir().expect("a folder");
    let past = open(folder.path());
    // Two minutes an hour are busy, so that the test is quick.
    let hours = 5 * 24;
    for hour in 0..hours {
        for number in 0..4 {
            past.put(vec![slot(hour * 120 + number, 10)]);
            if number % 2 == 1 {
                past.keep();
            }
        }
    }
    (0..hours).for_each(|_| past.keep());
    let sum = between(&past, 0, hours * 120).expect("known");
    assert_eq!(sum.accounts.counted, hours as u64 * 40);
    let edge = sum.edges.values().next().expect("an edge");
    assert_eq!(
        (edge.count, edge.unanswered, edge.health),
        (hours as u64 * 40, hours as u64 * 4, Health::Degraded)
    );
    let size = past.size();
    assert!(size.files <= 100, "{size:?}");
    let steps: std::collections::BTreeSet<i64> = past.state().pieces.iter().map(|piece| piece.step).collect();
    assert_eq!(steps.into_iter().collect::<Vec<_>>(), [SLOT, 5 * MINUTE, HOUR]);
    assert_eq!(
        sum.length.0,
        hours * 4 * SLOT,
        "gaps are no time in which nothing happened"
    );
    let on_disk = std::fs::read_dir(folder.path()).expect("listed").count();
    drop(past);
    let past = open(folder.path());
    assert_eq!(past.size().bytes, size.bytes);
    assert!(on_disk <= size.files + TOGETHER_MAX);
    assert_eq!(between(&past, 0, hours * 120), Some(sum));
}

#[test]
fn what_is_old_or_too_much_goes() {
    let folder = tempfile::tempdir().expect("a folder");
    let past = Past::open(folder.path().to_owned(), DurationNs(HOUR), 1 << 30).expect("opens");
    fill(&past, 0..1000);
    assert_eq!(between(&past, 0, 500), None);
    assert!(between(&past, 900, 1000).is_some());
    let past = Past::open(folder.path().to_owned(), DurationNs(30 * DAY), 1).expect("opens");
    past.keep();
    assert_eq!(past.size().files, 0);
    let folder = tempfile::tempdir().expect("a folder");
    let past = Past::open(folder.path().to_owned(), DurationNs(30 * DAY), 300_000).expect("opens");
    fill(&past, 0..4000);
    let size = past.size();
    assert!((1..=330_000).contains(&size.bytes), "{size:?}");
    assert!(between(&past, 3900, 4000).is_some());
}

#[test]
fn a_damaged_file_is_in_nobodys_way() {
    let folder = tempfile::tempdir().expect("a folder");
    let past = open(folder.path());
    fill(&past, 0..8);
    let (paths, _) = past.now();
    std::fs::write(&paths[0], b"nothing that can be read").expect("written");
    std::fs::write(folder.path().join("hello.parquet"), b"not ours").expect("written");
    assert_eq!(between(&past, 0, 4), None);
    assert_eq!(between(&past, 0, 8).expect("the rest").accounts.counted, 40);
    fill(&past, 8..600);
    assert!(paths[0].with_extension("damaged").exists());
    assert_eq!(between(&past, 0, 600).expect("the rest").accounts.counted, 5960);
}

#[test]
fn what_the_disk_is_too_slow_for_is_counted() {
    let folder = tempfile::tempdir().expect("a folder");
    let past = open(folder.path());
    let slots = (0..WAITING_MAX as i64 + 3).map(|number| slot(number, 1)).collect();
    assert!(past.put(slots));
    assert_eq!(past.size().lost, 3);
}
