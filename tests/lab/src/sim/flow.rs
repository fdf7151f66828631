//! A request at a service: the way to it, the wait for a worker, the work, the answer.

use super::outgoing;
use super::record::{Failure, Ids, Record, What};
use super::state::{EdgeState, Pod, Reply, Tracing, World, nanoseconds};
use crate::system::{Balance, OpId, ServiceId};
use std::rc::Rc;

/// The way between two copies, one direction.
pub(super) const WAY_MS: f64 = 0.25;
/// The first time after which a lost packet is sent again; doubles with each.
const RESEND_MS: f64 = 200.0;
/// Losses in a row after which nothing arrives any more.
const LOSSES_MAX: u32 = 6;
/// How long a process stands still for a garbage collection.
const PAUSE_MS: f64 = 80.0;

/// Where a request is being worked on, and as which span.
#[derive(Clone)]
pub(super) struct Place {
    pub(super) world: Rc<World>,
    pub(super) pod: Rc<Pod>,
    pub(super) op: OpId,
    pub(super) ids: Ids,
}

impl Place {
    /// What a span below the one of this place is called; without instrumentation there are no spans to be below.
    pub(super) fn child(&self) -> Ids {
        match self.tracing() {
            Tracing::Full => self.world.new_ids(|rng| self.ids.child(rng)),
            Tracing::Passes => self.ids,
            Tracing::Breaks => self.world.new_ids(Ids::root),
        }
    }

    /// What the callee's span is below, the call's own ids being `call`: the span around the call where calls have none.
    pub(super) fn passes(&self, call: Ids) -> Ids {
        if self.tracing() == Tracing::Full && !self.world.traces_calls.get() {
            self.ids
        } else {
            call
        }
    }

    pub(super) fn record(&self, record: Record) {
        if self.tracing() == Tracing::Full && self.world.traces(record.what) {
            self.pod.record(record);
        }
    }

    /// Whether what is worked on is still of use: a copy that died does nothing more.
    pub(super) fn is_alive(&self) -> bool {
        self.pod.alive.get()
    }

    fn tracing(&self) -> Tracing {
        self.world.services[self.pod.service].tracing.get()
    }
}

/// Sends a request to a service and says where the answer will be.
pub(super) fn send(world: &Rc<World>, caller: Option<ServiceId>, op: OpId, from: Ids) -> Rc<Reply> {
    let reply = Reply::new();
    let (told, own) = (Rc::clone(&reply), Rc::clone(world));
    world.clock.spawn(async move {
        let edge = own.edge(caller, own.system.ops[op].service);
        if let Some(answer) = arrive(&own, edge, op, from, &told).await {
            told.give(&own.clock, answer);
        }
    });
    reply
}

/// `None` when no answer ever arrives.
async fn arrive(
    world: &Rc<World>,
    edge: EdgeState,
    op: OpId,
    from: Ids,
    reply: &Rc<Reply>,
) -> Option<Result<(), Failure>> {
    travel(world, edge).await?;
    let Some(pod) = pick(world, world.system.ops[op].service) else {
        travel(world, edge).await?;
        return Some(Err(Failure::Refused));
    };
    if !pod.alive.get() {
        if pod.unreachable.get() {
            return None;
        }
        travel(world, edge).await?;
        return Some(Err(Failure::Refused));
    }
    let number = world.count();
    pod.callers.borrow_mut().insert(number, Rc::clone(reply));
    pod.busy.set(pod.busy.get() + 1);
    let answer = serve(world, &pod, op, from).await;
    pod.busy.set(pod.busy.get() - 1);
    // Not there: it died meanwhile, and whoever waited was told, or nobody can be told.
    pod.callers.borrow_mut().remove(&number)?;
    travel(world, edge).await?;
    Some(answer)
}

/// One way; `None` when too much is lost on it.
pub(super) async fn travel(world: &World, edge: EdgeState) -> Option<()> {
    let mut way = world.time(WAY_MS, 0.3);
    if edge.extra_ms > 0.0 {
        way += world.time(edge.extra_ms / 2.0, 0.2);
    }
    let mut losses = 0;
    while edge.loss > 0.0 && world.chance(edge.loss) {
        if losses == LOSSES_MAX {
            return None;
        }
        way += nanoseconds(RESEND_MS * f64::from(1 << losses));
        losses += 1;
    }
    world.clock.sleep(way).await;
    Some(())
}

/// The copy that takes the next request; one that is dead and still listed may be it.
pub(super) fn pick(world: &World, service: ServiceId) -> Option<Rc<Pod>> {
    let state = &world.services[service];
    let pods = state.pods.borrow();
    let listed = pods.iter().filter(|pod| pod.listed.get()).count();
    if listed == 0 {
        return None;
    }
    let mut choice = pods.iter().filter(|pod| pod.listed.get());
    let turn = state.turn.replace(state.turn.get() + 1);
    match world.system.services[service].balance {
        Balance::InTurn => choice.nth(turn % listed),
        Balance::AtRandom => choice.nth(world.random(|rng| rng.usize(..listed))),
        Balance::LeastBusy => choice
            .enumerate()
            .min_by_key(|(at, pod)| (pod.busy.get(), (at + turn) % listed))
            .map(|(_, pod)| pod),
    }
    .cloned()
}

async fn serve(world: &Rc<World>, pod: &Rc<Pod>, op: OpId, from: Ids) -> Result<(), Failure> {
    let service = &world.system.services[pod.service];
    let mut place = Place {
        world: Rc::clone(world),
        pod: Rc::clone(pod),
        op,
        ids: from,
    };
    if world.trouble(pod, op).hangs {
        std::future::pending::<()>().await;
    }
    let is_full = pod.workers.waiting() >= service.queue;
    let mut begun = world.clock.now();
    if is_full && service.is_threaded {
        // Its line of connections is full: the operating system answers.
        return Err(Failure::Refused);
    }
    if place.tracing() != Tracing::Breaks {
        place.ids = place.child();
    }
    if is_full {
        server(&place, begun, Err(Failure::Full), false);
        return Err(Failure::Full);
    }
    let _worker = pod.workers.enter(u64::MAX).await;
    if service.is_threaded {
        begun = world.clock.now();
    }
    let (outcome, is_own) = work(&place).await;
    server(&place, begun, outcome, is_own);
    outcome.map_err(|_| Failure::Error)
}

fn server(place: &Place, start: u64, outcome: Result<(), Failure>, is_own: bool) {
    place.record(Record {
        ids: place.ids,
        what: What::Server(place.op),
        start,
        end: place.world.clock.now(),
        outcome,
        is_own,
        link: None,
    });
}

/// The operation itself; also says whether a failure is of its own making.
pub(super) async fn work(place: &Place) -> (Result<(), Failure>, bool) {
    let world = &place.world;
    let op = &world.system.ops[place.op];
    let trouble = world.trouble(&place.pod, place.op);
    let mut own = world.time(op.work_ms * trouble.slowness, op.sigma) + nanoseconds(trouble.extra_ms);
    if world.chance(world.system.services[op.service].pauses) {
        own += world.time(PAUSE_MS, 0.4);
    }
    let before = (own as f64 * (0.3 + 0.4 * world.random(fastrand::Rng::f64))) as u64;
    world.clock.sleep(before).await;
    if !place.is_alive() {
        return (Err(Failure::Reset), false);
    }
    if world.chance(op.noise) || world.chance(trouble.failing) {
        return (Err(Failure::Error), true);
    }
    let outcome = if op.has_internal {
        within(place).await
    } else {
        outgoing::steps(place, &op.steps).await
    };
    if outcome.is_ok() {
        world.clock.sleep(own - before).await;
    }
    (outcome, outcome == Err(Failure::NoConnection))
}

/// The steps inside of a span of their own.
async fn within(place: &Place) -> Result<(), Failure> {
    let mut inner = place.clone();
    inner.ids = match place.tracing() {
        Tracing::Breaks => place.ids,
        _ => place.child(),
    };
    let start = place.world.clock.now();
    let steps = &place.world.system.ops[place.op].steps;
    let outcome = outgoing::steps(&inner, steps).await;
    inner.record(Record {
        ids: inner.ids,
        what: What::Internal(place.op),
        start,
        end: place.world.clock.now(),
        outcome,
        is_own: false,
        link: None,
    });
    outcome
}
