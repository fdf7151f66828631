//! What an operation asks of others: calls with time-outs, retries and fallbacks; questions to stores over a pool of
//! connections, a cache first where there is one.

use super::clock::{All, Boxed};
use super::flow::{self, Place};
use super::gate;
use super::message;
use super::record::{Failure, Record, What};
use super::state::{World, nanoseconds};
use crate::system::{Ask, Call, OpId, Step, StoreId, StoreKind};
use std::cell::Cell;

/// How long a request waits for a connection of its copy's own pool.
const POOL_MS: f64 = 2_000.0;
/// How long anybody waits for a cache.
const CACHE_MS: f64 = 100.0;
/// Retries of one call; configured numbers are smaller.
const RETRIES_MAX: u32 = 10;

/// Steps one after the other, until one fails.
pub(super) async fn steps(place: &Place, steps: &[Step]) -> Result<(), Failure> {
    let number = Cell::new(0);
    for step in steps {
        one(place, step, &number).await?;
        if !place.is_alive() {
            return Err(Failure::Reset);
        }
    }
    Ok(())
}

/// One step. `number` counts the steps of the operation that are not groups, in the order of `System::steps`.
fn one<'a>(place: &'a Place, step: &'a Step, number: &Cell<usize>) -> Boxed<'a, Result<(), Failure>> {
    let own = number.get();
    match step {
        Step::Parallel(steps) => {
            let all = All::new(steps.iter().map(|step| one(place, step, number)).collect());
            Box::pin(async move { all.await.into_iter().collect() })
        }
        Step::Call(step) => {
            number.set(own + 1);
            Box::pin(call(place, step))
        }
        Step::Ask(step) => {
            number.set(own + 1);
            Box::pin(ask(place, step, own))
        }
        Step::Publish(queue) => {
            number.set(own + 1);
            Box::pin(message::publish(place, *queue))
        }
    }
}

async fn call(place: &Place, call: &Call) -> Result<(), Failure> {
    let world = &place.world;
    let callee = world.system.ops[call.op].service;
    if !world.services[callee].exists.get() || !world.chance(call.share) {
        return Ok(());
    }
    let mut outcome = Ok(());
    for attempt in 0..=call.retries.min(RETRIES_MAX) {
        if attempt > 0 {
            let pause = call.back_off_ms * f64::from(1 << (attempt - 1));
            world.clock.sleep(world.time(pause, 0.2)).await;
            if !place.is_alive() {
                return Err(Failure::Reset);
            }
        }
        outcome = call_once(place, call.op, call.timeout_ms, attempt).await;
        if outcome.is_ok() {
            break;
        }
    }
    if let (Err(_), Some(instead)) = (outcome, call.fallback) {
        outcome = call_once(place, instead, call.timeout_ms, 0).await;
    }
    if call.is_optional { Ok(()) } else { outcome }
}

/// One attempt. The callee goes on working when the caller has given up.
async fn call_once(place: &Place, op: OpId, timeout_ms: f64, attempt: u32) -> Result<(), Failure> {
    let world = &place.world;
    let ids = place.child();
    let start = world.clock.now();
    let reply = flow::send(world, Some(place.pod.service), op, place.passes(ids));
    let outcome = reply.wait(&world.clock, start + nanoseconds(timeout_ms)).await;
    place.record(Record {
        ids,
        what: What::Client { op, attempt },
        start,
        end: world.clock.now(),
        outcome,
        is_own: false,
        link: None,
    });
    outcome
}

async fn ask(place: &Place, ask: &Ask, step: usize) -> Result<(), Failure> {
    let world = &place.world;
    if !world.chance(ask.share) {
        return Ok(());
    }
    if let Some(cache) = ask.cache {
        let found = question(place, cache, step, CACHE_MS).await;
        // A cache that does not answer is treated as one that knows nothing.
        if found.is_ok() && world.chance(world.stores[cache].hit.get()) {
            return Ok(());
        }
        if !place.is_alive() {
            return Err(Failure::Reset);
        }
    }
    let _connection = match world.system.stores[ask.store].kind {
        StoreKind::Database => Some(connection(place, ask.store).await?),
        _ => None,
    };
    question(place, ask.store, step, ask.timeout_ms).await
}

/// A connection of the copy's own pool. Waiting for one is in no span: it is time of the caller.
async fn connection(place: &Place, store: StoreId) -> Result<gate::Place, Failure> {
    let world = &place.world;
    let size = world.system.services[place.pod.service].pool;
    let pool = {
        let mut pools = place.pod.pools.borrow_mut();
        let pool = pools
            .entry(store)
            .or_insert_with(|| gate::Gate::new(&world.clock, size));
        pool.clone()
    };
    let until = world.clock.now() + nanoseconds(POOL_MS);
    pool.enter(until).await.ok_or(Failure::NoConnection)
}

/// One question to a store, and its span.
async fn question(place: &Place, store: StoreId, step: usize, timeout_ms: f64) -> Result<(), Failure> {
    let world = &place.world;
    let ids = place.child();
    let start = world.clock.now();
    let outcome = answer(world, store, start + nanoseconds(timeout_ms)).await;
    place.record(Record {
        ids,
        what: What::Ask {
            store,
            op: place.op,
            step,
        },
        start,
        end: world.clock.now(),
        outcome,
        is_own: false,
        link: None,
    });
    outcome
}

/// What a store does with a question. One that was given up is not worked on if it still waits; a query that runs is
/// cancelled.
async fn answer(world: &World, store: StoreId, until: u64) -> Result<(), Failure> {
    let (what, state) = (&world.system.stores[store], &world.stores[store]);
    state.asked.set(state.asked.get() + 1);
    world.clock.sleep(world.time(2.0 * super::flow::WAY_MS, 0.3)).await;
    if !state.alive.get() {
        return Err(Failure::Refused);
    }
    let Some(_worker) = state.workers.enter(until).await else {
        return Err(Failure::Timeout);
    };
    let end = world.clock.now() + world.time(what.work_ms * state.slowness.get(), what.sigma);
    world.clock.sleep_until(end.min(until)).await;
    if end > until {
        return Err(Failure::Timeout);
    }
    state.answered.set(state.answered.get() + 1);
    Ok(())
}
