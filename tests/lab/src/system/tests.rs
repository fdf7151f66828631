//! Properties of every drawn system, and that what was computed of it is what happens when it runs.

use super::*;
use crate::sim::{SECOND, Traffic, World};
use std::cell::Cell;
use std::rc::Rc;

fn drawn(seed: u64) -> System {
    draw(&mut fastrand::Rng::with_seed(seed))
}

#[test]
fn everything_is_reached_and_nothing_calls_in_circles() {
    let mut sizes = Vec::new();
    for seed in 0..40 {
        let system = drawn(seed);
        sizes.push(system.services.len());
        let rates = system.rates();
        for (op, what) in system.ops.iter().enumerate() {
            assert!(rates.ops[op] > 0.0, "seed {seed}: nobody asks for {}", what.name);
            for call in system.calls(op) {
                assert!(call.op > op, "seed {seed}: {} calls back", what.name);
                assert!(call.timeout_ms >= 100.0 && call.share > 0.0 && call.share <= 1.0);
            }
        }
        assert!(system.entries.iter().all(|entry| entry.rate > 0.0) && system.nodes.len() >= 3);
    }
    assert!(
        sizes.iter().any(|size| *size < 20) && sizes.iter().any(|size| *size > 120),
        "{sizes:?}"
    );
}

#[test]
fn names_are_all_different_and_say_nothing() {
    let system = drawn(3);
    let services = system.services.iter().map(|service| service.name.as_str());
    let stores = system.stores.iter().map(|store| store.address.as_str());
    let mut names: Vec<&str> = services.chain(stores).collect();
    let all = names.len();
    names.sort_unstable();
    names.dedup();
    assert_eq!(names.len(), all);
    for word in [
        "gateway", "front", "db", "cache", "redis", "auth", "cart", "slow", "bad",
    ] {
        assert!(!names.iter().any(|name| name.contains(word)), "{word}");
    }
}

#[test]
fn caches_keep_away_what_would_drown_the_database() {
    let (mut cached, mut drowning) = (0, 0);
    for seed in 0..20 {
        let system = drawn(seed);
        let rates = system.rates();
        for store in 0..system.stores.len() {
            if rates.without_caches[store] > 1.5 * rates.stores[store] {
                cached += 1;
                drowning += usize::from(drowns_without_cache(&system, &rates, store));
            }
        }
    }
    assert!(cached > 20 && drowning * 5 > cached, "{drowning} of {cached}");
}

#[test]
fn at_rest_a_system_does_what_was_computed_and_nobody_suffers() {
    for seed in 0..6 {
        let system = drawn(seed);
        let computed = load::spans_per_s(&system);
        let entries = system.entries.len();
        let world = World::new(system, seed);
        let spans = Rc::new(Cell::new(0));
        let counted = Rc::clone(&spans);
        *world.sink.borrow_mut() = Some(Box::new(move |_, _, records| {
            counted.set(counted.get() + records.len());
        }));
        let traffic = Traffic::new(entries);
        traffic.open(&world);
        world.clock.run_until(60 * SECOND);
        world.export_all();
        let measured = spans.get() as f64 / 60.0;
        assert!(
            (measured / computed - 1.0).abs() < 0.15,
            "seed {seed}: {measured} for {computed}"
        );
        let answers = traffic.answers.borrow();
        let failed = answers.iter().filter(|answer| !answer.is_ok).count();
        assert!(
            answers.len() > 300 && failed * 50 < answers.len(),
            "{failed} of {}",
            answers.len()
        );
        drop(answers);
        world.clock.end();
    }
}
