//! What a system at rest does: how often everything is asked, how long it takes, and how many places it needs for that.
//!
//! Rates go from the entries down, times from the leaves up; both are exact for a system without circles, without
//! failures and without waiting.

use super::{Ask, OpId, Step, Store, StoreKind, System};

/// The way there and back between two copies.
pub(crate) const WAY_MS: f64 = 0.7;

/// Requests or questions a second.
#[derive(Clone, Debug)]
pub(crate) struct Rates {
    pub(crate) ops: Vec<f64>,
    pub(crate) stores: Vec<f64>,
    /// What databases would be asked if no cache knew anything.
    pub(crate) without_caches: Vec<f64>,
}

pub(super) fn rates(system: &System) -> Rates {
    let mut rates = Rates {
        ops: vec![0.0; system.ops.len()],
        stores: vec![0.0; system.stores.len()],
        without_caches: vec![0.0; system.stores.len()],
    };
    for entry in &system.entries {
        rates.ops[entry.op] += entry.rate;
    }
    // Callees come after their callers; consumers are taken again at the end, since they may stand anywhere.
    let mut messages = vec![0.0; system.queues.len()];
    for op in 0..system.ops.len() {
        spread(system, op, rates.ops[op], &mut rates, &mut messages);
    }
    for (queue, rate) in messages.into_iter().enumerate() {
        let consumer = system.queues[queue].consumer;
        rates.ops[consumer] += rate;
        let mut nothing = vec![0.0; system.queues.len()];
        spread(system, consumer, rate, &mut rates, &mut nothing);
    }
    rates
}

fn spread(system: &System, op: OpId, rate: f64, rates: &mut Rates, messages: &mut [f64]) {
    for step in system.steps(op) {
        match step {
            Step::Call(call) => rates.ops[call.op] += rate * call.share,
            Step::Ask(ask) => {
                let asked = rate * ask.share;
                let mut missed = asked;
                if let Some(cache) = ask.cache {
                    rates.stores[cache] += asked;
                    missed *= 1.0 - system.stores[cache].hit;
                }
                rates.stores[ask.store] += missed;
                rates.without_caches[ask.store] += asked;
            }
            Step::Publish(queue) => messages[*queue] += rate,
            Step::Parallel(_) => {}
        }
    }
}

/// Typical time of every operation with all that it waits for, in milliseconds.
pub(super) fn times(system: &System) -> Vec<f64> {
    let mut times = vec![0.0; system.ops.len()];
    for op in (0..system.ops.len()).rev() {
        let waits: f64 = system.ops[op].steps.iter().map(|step| wait(system, step, &times)).sum();
        times[op] = mean_ms(system.ops[op].work_ms, system.ops[op].sigma) + waits;
    }
    times
}

fn wait(system: &System, step: &Step, times: &[f64]) -> f64 {
    match step {
        Step::Call(call) => call.share * (times[call.op] + WAY_MS),
        Step::Ask(ask) => ask.share * ask_ms(system, ask),
        Step::Publish(_) => 1.0,
        Step::Parallel(steps) => steps.iter().map(|step| wait(system, step, times)).fold(0.0, f64::max),
    }
}

/// Typical time of a question, cache and store together.
pub(super) fn ask_ms(system: &System, ask: &Ask) -> f64 {
    let time = |store: &Store| mean_ms(store.work_ms, store.sigma) + WAY_MS;
    let store = time(&system.stores[ask.store]);
    ask.cache.map_or(store, |cache| {
        let cache = &system.stores[cache];
        time(cache) + (1.0 - cache.hit) * store
    })
}

/// Mean of a log-normal time.
pub(super) fn mean_ms(typical_ms: f64, sigma: f64) -> f64 {
    typical_ms * (sigma * sigma / 2.0).exp()
}

pub(super) fn spans_per_s(system: &System) -> f64 {
    let rates = rates(system);
    let mut sum = 0.0;
    for (op, rate) in rates.ops.iter().enumerate() {
        let internal = f64::from(u8::from(system.ops[op].has_internal));
        let calls: f64 = system.calls(op).map(|call| call.share).sum();
        let messages = system
            .steps(op)
            .iter()
            .filter(|step| matches!(step, Step::Publish(_)))
            .count();
        sum += rate * (1.0 + internal + calls + messages as f64);
    }
    sum + rates.stores.iter().sum::<f64>()
}

/// Whether a database drowns when no cache in front of it knows anything.
pub(crate) fn drowns_without_cache(system: &System, rates: &Rates, store: usize) -> bool {
    let database = &system.stores[store];
    let busy = rates.without_caches[store] * mean_ms(database.work_ms, database.sigma) / 1000.0;
    database.kind == StoreKind::Database && busy > 1.2 * database.workers as f64
}
