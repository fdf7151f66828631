//! What spans show of waiting, of death and of giving up, in a system of two services.

use super::*;
use crate::system::{self, Balance, Call, Entry, Protocol, Service, Step, System};
use std::cell::RefCell;
use std::rc::Rc;

/// `a` calls `b`, which works for 100 ms in one of two places.
fn two_services(is_threaded: bool) -> System {
    let mut system = system::draw(&mut fastrand::Rng::with_seed(1));
    let service = |name: &str, workers: usize, ops: Vec<usize>| Service {
        name: name.to_owned(),
        address: name.to_owned(),
        protocol: Protocol::Http,
        balance: Balance::InTurn,
        old_conventions: false,
        is_threaded,
        pods: 1,
        workers,
        queue: 50,
        pauses: 0.0,
        ops,
        ..system.services[0].clone()
    };
    system.services = vec![service("a", 500, vec![0]), service("b", 2, vec![1])];
    let op = |service: usize, work_ms: f64, steps: Vec<Step>| system::Op {
        service,
        name: "GET /".to_owned(),
        work_ms,
        sigma: 0.05,
        noise: 0.0,
        has_internal: false,
        steps,
    };
    let call = Call {
        op: 1,
        timeout_ms: 1000.0,
        retries: 1,
        back_off_ms: 20.0,
        is_optional: false,
        fallback: None,
        share: 1.0,
    };
    system.ops = vec![op(0, 1.0, vec![Step::Call(call)]), op(1, 100.0, Vec::new())];
    system.stores.clear();
    system.queues.clear();
    system.entries = vec![Entry { op: 0, rate: 15.0 }];
    system
}

/// Runs half a minute, `change` after ten seconds; what was written, with the service that wrote it.
fn play(system: System, change: impl FnOnce(&Rc<World>, &Traffic) + 'static) -> Vec<(usize, Record)> {
    let world = World::new(system, 7);
    let written: Rc<RefCell<Vec<(usize, Record)>>> = Rc::default();
    let own = Rc::clone(&written);
    *world.sink.borrow_mut() = Some(Box::new(move |_, pod, records| {
        own.borrow_mut()
            .extend(records.iter().map(|record| (pod.service, *record)));
    }));
    let traffic = Traffic::new(1);
    traffic.open(&world);
    world.clock.run_until(10 * SECOND);
    change(&world, &traffic);
    world.clock.run_until(30 * SECOND);
    world.export_all();
    world.clock.end();
    written.take()
}

fn longest_ms(records: &[(usize, Record)], of: usize, wanted: impl Fn(What) -> bool) -> u64 {
    let those = records
        .iter()
        .filter(|(service, record)| *service == of && wanted(record.what));
    those
        .map(|(_, record)| (record.end - record.start) / 1_000_000)
        .max()
        .unwrap_or(0)
}

fn is_server(what: What) -> bool {
    matches!(what, What::Server(_))
}

fn is_client(what: What) -> bool {
    matches!(what, What::Client { .. })
}

#[test]
fn the_wait_for_a_thread_is_a_gap_of_the_caller_and_otherwise_time_of_the_callee() {
    for is_threaded in [true, false] {
        // Twice what two places can do.
        let records = play(two_services(is_threaded), |_, traffic| traffic.times[0].set(2.7));
        assert!(
            longest_ms(&records, 0, is_client) >= 900,
            "callers wait until they give up"
        );
        let callee = longest_ms(&records, 1, is_server);
        assert_eq!(callee < 200, is_threaded, "{callee} ms at {is_threaded}");
    }
}

#[test]
fn a_dead_copy_writes_nothing_more_and_its_callers_are_refused() {
    let records = play(two_services(false), |world, _| {
        for pod in world.pods(1) {
            world.kill(&pod);
        }
    });
    assert!(
        records
            .iter()
            .all(|(service, record)| *service == 0 || record.end <= 10 * SECOND)
    );
    let after: Vec<&Record> = records
        .iter()
        .map(|(_, record)| record)
        .filter(|record| record.start > 10 * SECOND)
        .collect();
    assert!(after.len() > 300 && after.iter().all(|record| record.outcome.is_err()));
    let refused = after
        .iter()
        .filter(|record| record.outcome == Err(Failure::Refused))
        .count();
    let again = after
        .iter()
        .filter(|record| matches!(record.what, What::Client { attempt: 1, .. }))
        .count();
    assert!(refused > 400 && again > 200, "{refused} refused, {again} tried again");
}

#[test]
fn what_hangs_is_given_up_after_the_time_out() {
    let records = play(two_services(true), |world, _| {
        let trouble = Trouble {
            hangs: true,
            ..Trouble::NONE
        };
        world.services[1].trouble.borrow_mut().push(trouble);
    });
    let late = records
        .iter()
        .filter(|(_, record)| is_client(record.what) && record.start > 11 * SECOND);
    let lengths: Vec<u64> = late
        .map(|(_, record)| (record.end - record.start) / 1_000_000)
        .collect();
    assert!(
        lengths.len() > 200 && lengths.iter().all(|length| *length == 1000),
        "{lengths:?}"
    );
}

#[test]
fn a_lost_packet_is_sent_again_and_a_long_way_is_long_for_the_caller_alone() {
    let way = |way: EdgeState| {
        let mut system = two_services(false);
        // Few enough that nobody waits for a place.
        system.entries[0].rate = 3.0;
        system.services[1].workers = 20;
        play(system, move |world, _| {
            world.edges.borrow_mut().insert((Some(0), 1), way);
        })
    };
    let lossy = way(EdgeState {
        extra_ms: 0.0,
        loss: 0.2,
    });
    let clients: Vec<u64> = lossy
        .iter()
        .filter(|(_, record)| is_client(record.what) && record.start > 10 * SECOND)
        .map(|(_, record)| (record.end - record.start) / 1_000_000)
        .collect();
    let resent = clients.iter().filter(|length| **length >= 280).count();
    let share = resent as f64 / clients.len() as f64;
    // One of two ways loses: 1 - 0.8^2.
    assert!((0.25..0.5).contains(&share), "{share}");
    let slow = way(EdgeState {
        extra_ms: 400.0,
        loss: 0.0,
    });
    assert!(longest_ms(&slow, 0, is_client) > 400 && longest_ms(&slow, 1, is_server) < 350);
}
