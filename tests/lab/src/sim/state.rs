//! What there is at the moment, and what is wrong with it. Faults change this state and nothing else; cascades happen by
//! themselves.

use super::clock::{Clock, MILLISECOND};
use super::gate::Gate;
use super::record::{Failure, Record, What};
use crate::system::{OpId, ServiceId, StoreKind, System};
use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::rc::Rc;

/// Spans that wait in a copy's exporter before more are dropped, as in an SDK's batch processor.
const EXPORT_QUEUE_MAX: usize = 4_096;
/// Standard deviations beyond which a drawn time is cut off.
const DEVIATIONS_MAX: f64 = 4.0;

/// Something wrong with code, or with what it runs on.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Trouble {
    /// In this operation only.
    pub(crate) op: Option<OpId>,
    /// Times as long.
    pub(crate) slowness: f64,
    /// And longer by this.
    pub(crate) extra_ms: f64,
    /// Share of requests that fail.
    pub(crate) failing: f64,
    /// Requests are taken and never answered.
    pub(crate) hangs: bool,
}

impl Trouble {
    /// Nothing wrong yet.
    pub(crate) const NONE: Self = Self {
        op: None,
        slowness: 1.0,
        extra_ms: 0.0,
        failing: 0.0,
        hangs: false,
    };
}

/// A copy of a service. One that dies stays dead; whoever starts it again makes another.
pub(crate) struct Pod {
    pub(crate) service: ServiceId,
    pub(crate) name: String,
    pub(crate) node: usize,
    pub(crate) version: String,
    pub(crate) workers: Gate,
    /// Works and answers.
    pub(crate) alive: Cell<bool>,
    /// Requests are sent to it. A dead copy stays listed until that is noticed.
    pub(crate) listed: Cell<bool>,
    /// Its machine is gone: not even a refusal comes back.
    pub(crate) unreachable: Cell<bool>,
    pub(crate) busy: Cell<usize>,
    pub(crate) trouble: RefCell<Vec<Trouble>>,
    pub(crate) pools: RefCell<BTreeMap<usize, Gate>>,
    pub(crate) callers: RefCell<BTreeMap<u64, Rc<Reply>>>,
    pub(crate) spans: RefCell<Vec<Record>>,
    pub(crate) dropped: Cell<u64>,
}

impl Pod {
    pub(crate) fn record(&self, record: Record) {
        if !self.alive.get() {
            return;
        }
        let mut spans = self.spans.borrow_mut();
        if spans.len() < EXPORT_QUEUE_MAX {
            spans.push(record);
        } else {
            self.dropped.set(self.dropped.get() + 1);
        }
    }
}

/// Whether a service sends spans.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Tracing {
    #[default]
    Full,
    /// Sends nothing, but passes on the context that it got.
    Passes,
    /// Sends nothing, and whoever it calls begins a new trace.
    Breaks,
}

pub(crate) struct ServiceState {
    pub(crate) pods: RefCell<Vec<Rc<Pod>>>,
    pub(crate) turn: Cell<usize>,
    pub(crate) trouble: RefCell<Vec<Trouble>>,
    /// Calls to it are made at all: a service that is not there yet is not called.
    pub(crate) exists: Cell<bool>,
    pub(crate) tracing: Cell<Tracing>,
    pub(crate) started: Cell<usize>,
}

pub(crate) struct StoreState {
    pub(crate) workers: Gate,
    pub(crate) alive: Cell<bool>,
    pub(crate) slowness: Cell<f64>,
    pub(crate) hit: Cell<f64>,
    /// Questions so far, and those that got an answer.
    pub(crate) asked: Cell<u64>,
    pub(crate) answered: Cell<u64>,
}

#[derive(Default)]
pub(crate) struct NodeState {
    pub(crate) slowness: Cell<f64>,
}

/// The way between two services.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct EdgeState {
    pub(crate) extra_ms: f64,
    /// Share of packets lost.
    pub(crate) loss: f64,
}

/// Where an answer is awaited.
pub(crate) struct Reply {
    answer: Cell<Option<Result<(), Failure>>>,
    waiter: Cell<usize>,
}

/// Takes what a copy's exporter sends.
pub(crate) type Sink = Box<dyn FnMut(&System, &Pod, &[Record])>;

/// All of it.
pub(crate) struct World {
    pub(crate) clock: Clock,
    pub(crate) system: System,
    pub(crate) services: Vec<ServiceState>,
    pub(crate) stores: Vec<StoreState>,
    pub(crate) nodes: Vec<NodeState>,
    /// Ways that are not as usual, by caller (`None`: any) and callee.
    pub(crate) edges: RefCell<BTreeMap<(Option<ServiceId>, ServiceId), EdgeState>>,
    pub(crate) sink: RefCell<Option<Sink>>,
    /// Calls over HTTP and gRPC have spans of their own, those to third parties too.
    pub(crate) traces_calls: Cell<bool>,
    rng: RefCell<fastrand::Rng>,
    /// Ids have a source of their own, so that what is written changes nothing that happens.
    ids: RefCell<fastrand::Rng>,
    counted: Cell<u64>,
}

impl World {
    /// A system at rest, its copies started.
    pub(crate) fn new(system: System, seed: u64) -> Rc<Self> {
        let clock = Clock::new();
        let services = system.services.iter().map(|_| ServiceState {
            pods: RefCell::default(),
            turn: Cell::new(0),
            trouble: RefCell::default(),
            exists: Cell::new(true),
            tracing: Cell::default(),
            started: Cell::new(0),
        });
        let stores = system.stores.iter().map(|store| StoreState {
            workers: Gate::new(&clock, store.workers),
            alive: Cell::new(true),
            slowness: Cell::new(1.0),
            hit: Cell::new(store.hit),
            asked: Cell::new(0),
            answered: Cell::new(0),
        });
        let nodes = system.nodes.iter().map(|_| NodeState {
            slowness: Cell::new(1.0),
        });
        let world = Rc::new(Self {
            services: services.collect(),
            stores: stores.collect(),
            nodes: nodes.collect(),
            edges: RefCell::default(),
            sink: RefCell::default(),
            traces_calls: Cell::new(true),
            rng: RefCell::new(fastrand::Rng::with_seed(seed)),
            ids: RefCell::new(fastrand::Rng::with_seed(seed ^ 0x1d5)),
            counted: Cell::new(0),
            clock,
            system,
        });
        world.start_all();
        world
    }

    pub(crate) fn random<T>(&self, draw: impl FnOnce(&mut fastrand::Rng) -> T) -> T {
        draw(&mut self.rng.borrow_mut())
    }

    pub(crate) fn new_ids<T>(&self, draw: impl FnOnce(&mut fastrand::Rng) -> T) -> T {
        draw(&mut self.ids.borrow_mut())
    }

    pub(crate) fn chance(&self, share: f64) -> bool {
        share >= 1.0 || share > 0.0 && self.random(|rng| rng.f64() < share)
    }

    /// A log-normal time, in nanoseconds.
    pub(crate) fn time(&self, typical_ms: f64, sigma: f64) -> u64 {
        // Box and Muller's transform, one of its two.
        let (a, b) = self.random(|rng| (rng.f64(), rng.f64()));
        let normal = (-2.0 * (1.0 - a).ln()).sqrt() * (std::f64::consts::TAU * b).cos();
        let ms = typical_ms * (sigma * normal.clamp(-DEVIATIONS_MAX, DEVIATIONS_MAX)).exp();
        nanoseconds(ms)
    }

    /// A number that nobody else gets.
    pub(crate) fn count(&self) -> u64 {
        self.counted.replace(self.counted.get() + 1)
    }

    /// Whether a service with instrumentation writes a span of this.
    pub(super) fn traces(&self, what: What) -> bool {
        let is_call = match what {
            What::Client { .. } => true,
            What::Ask { store, .. } => self.system.stores[store].kind == StoreKind::External,
            What::Server(_) | What::Internal(_) | What::Producer(_) | What::Consumer(_) => false,
        };
        self.traces_calls.get() || !is_call
    }

    /// All that is wrong with an operation on a copy, together.
    pub(crate) fn trouble(&self, pod: &Pod, op: OpId) -> Trouble {
        let mut sum = Trouble::NONE;
        sum.slowness = self.nodes[pod.node].slowness.get();
        let everywhere = self.services[pod.service].trouble.borrow();
        let here = pod.trouble.borrow();
        for trouble in everywhere.iter().chain(here.iter()) {
            if trouble.op.is_none_or(|only| only == op) {
                sum.slowness *= trouble.slowness;
                sum.extra_ms += trouble.extra_ms;
                sum.failing = 1.0 - (1.0 - sum.failing) * (1.0 - trouble.failing);
                sum.hangs |= trouble.hangs;
            }
        }
        sum
    }

    /// The way between two services at the moment.
    pub(crate) fn edge(&self, caller: Option<ServiceId>, callee: ServiceId) -> EdgeState {
        let edges = self.edges.borrow();
        if edges.is_empty() {
            return EdgeState::default();
        }
        let get = |from: Option<ServiceId>| edges.get(&(from, callee)).copied();
        caller
            .and_then(|from| get(Some(from)))
            .or_else(|| get(None))
            .unwrap_or_default()
    }
}

/// Milliseconds as nanoseconds, at most an hour.
pub(crate) fn nanoseconds(ms: f64) -> u64 {
    (ms.clamp(0.0, 3_600_000.0) * MILLISECOND as f64) as u64
}

impl Reply {
    pub(crate) fn new() -> Rc<Self> {
        Rc::new(Self {
            answer: Cell::new(None),
            waiter: Cell::new(usize::MAX),
        })
    }

    /// Gives the answer; the first one counts.
    pub(crate) fn give(&self, clock: &Clock, answer: Result<(), Failure>) {
        if self.answer.get().is_none() {
            self.answer.set(Some(answer));
            if self.waiter.get() != usize::MAX {
                clock.wake(self.waiter.get());
            }
        }
    }

    /// Waits for the answer until a time.
    pub(crate) async fn wait(&self, clock: &Clock, until: u64) -> Result<(), Failure> {
        self.waiter.set(clock.current());
        let mut is_set = false;
        std::future::poll_fn(|_| {
            use std::task::Poll;
            if let Some(answer) = self.answer.get() {
                return Poll::Ready(answer);
            }
            if clock.now() >= until {
                return Poll::Ready(Err(Failure::Timeout));
            }
            if !is_set {
                is_set = true;
                clock.wake_at(until);
            }
            Poll::Pending
        })
        .await
    }
}
