//! Requests from outside: who comes in, how often, and what came of it as the visitor saw it.

use super::clock::SECOND;
use super::flow;
use super::record::Ids;
use super::state::World;
use std::cell::{Cell, RefCell};
use std::rc::Rc;

/// How long a visitor waits.
const PATIENCE: u64 = 30 * SECOND;
/// Requests from outside that are in the system at once; beyond it visitors are turned away before they are in.
const IN_FLIGHT_MAX: usize = 20_000;

/// What a visitor got.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Answer {
    /// Index in the system's entries.
    pub(crate) entry: usize,
    pub(crate) start: u64,
    pub(crate) end: u64,
    pub(crate) is_ok: bool,
}

/// How many come in, and what they got.
pub(crate) struct Traffic {
    /// Times the usual rate, by entry.
    pub(crate) times: Vec<Cell<f64>>,
    /// Times the usual rate, as the day goes, at a time.
    pub(crate) rhythm: RefCell<Box<dyn Fn(u64) -> f64>>,
    /// The largest value of the rhythm.
    pub(crate) rhythm_max: Cell<f64>,
    pub(crate) answers: RefCell<Vec<Answer>>,
    in_flight: Cell<usize>,
}

impl Traffic {
    pub(crate) fn new(entries: usize) -> Rc<Self> {
        Rc::new(Self {
            times: (0..entries).map(|_| Cell::new(1.0)).collect(),
            rhythm: RefCell::new(Box::new(|_| 1.0)),
            rhythm_max: Cell::new(1.0),
            answers: RefCell::default(),
            in_flight: Cell::new(0),
        })
    }

    /// Lets visitors in at random, every entry by its own rate.
    pub(crate) fn open(self: &Rc<Self>, world: &Rc<World>) {
        for entry in 0..world.system.entries.len() {
            let (traffic, world) = (Rc::clone(self), Rc::clone(world));
            let clock = world.clock.clone();
            clock.spawn(async move {
                loop {
                    let times = traffic.times[entry].get();
                    let most = world.system.entries[entry].rate * times * traffic.rhythm_max.get();
                    let pause = world.random(|rng| -(1.0 - rng.f64()).ln()) / most;
                    // Looks up now and then, so that a change of the rate is not slept through.
                    if pause > 1.0 {
                        world.clock.sleep(SECOND).await;
                        continue;
                    }
                    world.clock.sleep((pause * SECOND as f64) as u64).await;
                    let now = (*traffic.rhythm.borrow())(world.clock.now());
                    if world.chance(now / traffic.rhythm_max.get()) {
                        traffic.enter(&world, entry);
                    }
                }
            });
        }
    }

    fn enter(self: &Rc<Self>, world: &Rc<World>, entry: usize) {
        if self.in_flight.get() >= IN_FLIGHT_MAX {
            return;
        }
        self.in_flight.set(self.in_flight.get() + 1);
        let (traffic, world) = (Rc::clone(self), Rc::clone(world));
        let clock = world.clock.clone();
        clock.spawn(async move {
            let start = world.clock.now();
            let root = world.new_ids(Ids::root);
            let reply = flow::send(&world, None, world.system.entries[entry].op, root);
            let outcome = reply.wait(&world.clock, start + PATIENCE).await;
            traffic.in_flight.set(traffic.in_flight.get() - 1);
            traffic.answers.borrow_mut().push(Answer {
                entry,
                start,
                end: world.clock.now(),
                is_ok: outcome.is_ok(),
            });
        });
    }
}
