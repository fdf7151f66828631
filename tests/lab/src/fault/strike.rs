//! What a change does to the world, and what mends it.

use super::{Fault, How, Kind, day};
use crate::sim::{EdgeState, Naming, Pod, SECOND, Traffic, Trouble, World};
use crate::system::System;
use std::cell::RefCell;
use std::f64::consts::TAU;
use std::rc::Rc;

/// A machine that is gone is noticed after this, as Kubernetes does by default.
const NODE_NOTICED: u64 = 40 * SECOND;
/// Between two copies of a rollout.
const ROLLOUT: u64 = 6 * SECOND;
/// A killed copy is up again after this.
const RESTART: u64 = 12 * SECOND;
/// A store that hangs takes so many times as long.
const NEVER: f64 = 1e6;
/// Period of the compressed day.
const DAY_S: f64 = 1200.0;
/// How much traffic goes up and down.
const DAY_SWING: f64 = 0.45;
/// What is left of the traffic at night, and how long it takes to fall.
const NIGHT: f64 = 0.1;
const DUSK_S: f64 = 120.0;
/// How much traffic grows, over the whole run.
const GROWTH: f64 = 0.5;

/// When a change begins and ends, and when everything ends, in nanoseconds since the simulation began.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Campaign {
    pub(crate) begin: u64,
    pub(crate) end: u64,
    pub(crate) over: u64,
}

/// Changes a system before it runs, where a kind needs that.
pub(crate) fn prepare(fault: &Fault, system: &mut System) {
    // Whatever goes up and down by itself was sized for its peak.
    let peak = match fault.kind {
        Kind::Growth => 1.0 + GROWTH,
        Kind::DailyRhythm => 1.0 + DAY_SWING,
        _ => 1.0,
    };
    for entry in &mut system.entries {
        entry.rate /= peak;
    }
    if fault.kind != Kind::RetryStorm {
        return;
    }
    let services: Vec<usize> = system.ops.iter().map(|op| op.service).collect();
    system.change_calls(|call| {
        if services[call.op] == fault.service {
            // The recipe of every retry storm: impatient, stubborn, and in a hurry.
            call.retries = 4;
            call.back_off_ms = 10.0;
            call.timeout_ms = (call.timeout_ms / 3.0).max(150.0);
            call.fallback = None;
        }
    });
}

/// Lets a change happen in a world, at its times. To be called before the simulation runs.
pub(crate) fn strike(fault: &Fault, when: Campaign, world: &Rc<World>, traffic: &Rc<Traffic>) {
    if fault.kind == Kind::Day {
        day::live(fault, when, world, traffic);
        return;
    }
    set_rhythm(fault.kind, when, traffic);
    if fault.kind == Kind::NewService {
        world.services[fault.service].exists.set(false);
    }
    let (fault, own, traffic) = (fault.clone(), Rc::clone(world), Rc::clone(traffic));
    world.clock.spawn(async move {
        own.clock.sleep_until(when.begin).await;
        let hit: Rc<RefCell<Vec<Rc<Pod>>>> = Rc::default();
        hit_it(&fault, &own, &traffic, &hit);
        own.clock.sleep_until(when.end).await;
        mend(&fault, &own, &traffic, &hit);
    });
}

fn set_rhythm(kind: Kind, when: Campaign, traffic: &Traffic) {
    let second = |at: u64| at as f64 / SECOND as f64;
    let (begin, end, over) = (second(when.begin), second(when.end), second(when.over));
    let rhythm: Box<dyn Fn(u64) -> f64> = match kind {
        Kind::Growth => Box::new(move |at| 1.0 + GROWTH * second(at) / over),
        Kind::DailyRhythm => Box::new(move |at| 1.0 + DAY_SWING * (TAU * second(at) / DAY_S).sin()),
        Kind::QuietNight => Box::new(move |at| {
            let dark = ((second(at) - begin) / DUSK_S).min(1.0 - (second(at) - end) / DUSK_S);
            1.0 - (1.0 - NIGHT) * dark.clamp(0.0, 1.0)
        }),
        _ => return,
    };
    *traffic.rhythm.borrow_mut() = rhythm;
    traffic.rhythm_max.set(match kind {
        Kind::Growth => 1.0 + GROWTH,
        Kind::DailyRhythm => 1.0 + DAY_SWING,
        _ => 1.0,
    });
}

/// What is wrong with code, of a fault that is in code.
fn trouble(fault: &Fault) -> Trouble {
    let mut trouble = Trouble {
        op: fault.op,
        ..Trouble::NONE
    };
    match fault.how {
        How::Times(times) => trouble.slowness = times,
        How::Longer(ms) => trouble.extra_ms = ms,
        How::Share(share) => trouble.failing = share,
        How::Hangs => trouble.hangs = true,
        How::Gone => {}
    }
    trouble
}

fn hit_it(fault: &Fault, world: &Rc<World>, traffic: &Traffic, hit: &Rc<RefCell<Vec<Rc<Pod>>>>) {
    match fault.kind {
        Kind::Crash => {
            for pod in world.pods(fault.service) {
                world.kill(&pod);
                hit.borrow_mut().push(pod);
            }
        }
        Kind::Hang | Kind::SlowCode | Kind::Errors | Kind::RetryStorm => {
            world.services[fault.service].trouble.borrow_mut().push(trouble(fault));
        }
        Kind::CacheBreakdown => {
            world.stores[fault.cache].hit.set(0.0);
            world.stores[fault.cache].alive.set(fault.how != How::Gone);
        }
        Kind::TrafficSurge => {
            let How::Times(times) = fault.how else { return };
            for (entry, now) in traffic.times.iter().enumerate() {
                if fault.entry.is_none_or(|only| only == entry) {
                    now.set(times);
                }
            }
        }
        Kind::NodeDead => {
            for service in 0..world.services.len() {
                for pod in world.pods(service).into_iter().filter(|pod| pod.node == fault.node) {
                    world.lose(&pod, NODE_NOTICED);
                    hit.borrow_mut().push(pod);
                }
            }
        }
        Kind::NodeSlow => {
            if let How::Times(times) = fault.how {
                world.nodes[fault.node].slowness.set(times);
            }
        }
        Kind::BadPod => {
            for pod in world.pods(fault.service).into_iter().take(fault.pods) {
                pod.trouble.borrow_mut().push(trouble(fault));
                hit.borrow_mut().push(pod);
            }
        }
        Kind::BadDeploy | Kind::HealthyDeploy => roll_out(fault, world, hit),
        Kind::SlowDatabase | Kind::SlowExternal | Kind::DeadDatabase | Kind::DeadExternal => {
            let store = &world.stores[fault.store];
            match fault.how {
                How::Times(times) => store.slowness.set(times),
                How::Hangs => store.slowness.set(NEVER),
                _ => store.alive.set(false),
            }
        }
        Kind::NetworkDelay | Kind::NetworkLoss => {
            let mut way = EdgeState::default();
            match fault.how {
                How::Longer(ms) => way.extra_ms = ms,
                How::Share(share) => way.loss = share,
                _ => {}
            }
            world.edges.borrow_mut().insert((fault.caller, fault.service), way);
        }
        Kind::NewService => world.services[fault.service].exists.set(true),
        Kind::PodRestart => {
            for pod in world.pods(fault.service).into_iter().take(fault.pods) {
                world.kill(&pod);
                restart(world, pod);
            }
        }
        Kind::Calm | Kind::Growth | Kind::DailyRhythm | Kind::QuietNight | Kind::Day => {}
    }
}

/// A copy that was killed is up again after a while.
pub(super) fn restart(world: &Rc<World>, pod: Rc<Pod>) {
    let own = Rc::clone(world);
    world.clock.spawn(async move {
        own.clock.sleep(RESTART).await;
        own.start_instead(&pod, pod.version.clone(), Naming::Same);
    });
}

/// Copies with the new version take the places of old ones, one after the other.
pub(super) fn roll_out(fault: &Fault, world: &Rc<World>, hit: &Rc<RefCell<Vec<Rc<Pod>>>>) {
    let (own, fault, hit) = (Rc::clone(world), fault.clone(), Rc::clone(hit));
    world.clock.spawn(async move {
        for old in own.pods(fault.service).into_iter().take(fault.pods) {
            let new = own.start_instead(&old, fault.version.clone(), Naming::New);
            if fault.kind == Kind::BadDeploy {
                new.trouble.borrow_mut().push(trouble(&fault));
            }
            own.stop(&old);
            hit.borrow_mut().push(new);
            own.clock.sleep(ROLLOUT).await;
        }
    });
}

fn mend(fault: &Fault, world: &Rc<World>, traffic: &Traffic, hit: &Rc<RefCell<Vec<Rc<Pod>>>>) {
    let again = |pod: &Rc<Pod>, naming: Naming| {
        world.kill(pod);
        world.start_instead(pod, pod.version.clone(), naming);
    };
    match fault.kind {
        Kind::Crash => hit.borrow().iter().for_each(|pod| again(pod, Naming::Same)),
        Kind::NodeDead => hit.borrow().iter().for_each(|pod| again(pod, Naming::New)),
        Kind::Hang => {
            world.services[fault.service].trouble.borrow_mut().clear();
            // Whoever mends a hung process starts it again.
            world
                .pods(fault.service)
                .iter()
                .for_each(|pod| again(pod, Naming::Same));
        }
        Kind::BadPod => hit.borrow().iter().for_each(|pod| again(pod, Naming::New)),
        Kind::SlowCode | Kind::Errors | Kind::RetryStorm => {
            world.services[fault.service].trouble.borrow_mut().clear();
        }
        Kind::CacheBreakdown => {
            world.stores[fault.cache].alive.set(true);
            world.stores[fault.cache].hit.set(world.system.stores[fault.cache].hit);
        }
        Kind::TrafficSurge => traffic.times.iter().for_each(|times| times.set(1.0)),
        Kind::NodeSlow => world.nodes[fault.node].slowness.set(1.0),
        Kind::BadDeploy => {
            let good = &world.system.services[fault.service].version;
            for pod in hit.borrow().iter() {
                world.start_instead(pod, good.clone(), Naming::New);
                world.stop(pod);
            }
        }
        Kind::SlowDatabase | Kind::SlowExternal | Kind::DeadDatabase | Kind::DeadExternal => {
            world.stores[fault.store].alive.set(true);
            world.stores[fault.store].slowness.set(1.0);
        }
        Kind::NetworkDelay | Kind::NetworkLoss => {
            world.edges.borrow_mut().remove(&(fault.caller, fault.service));
        }
        _ => {}
    }
}
