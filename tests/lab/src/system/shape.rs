//! Who calls whom: fan-out by layers, so that everything is reached and no request becomes endless.

use super::draw::{chance, log_uniform};
use super::{Call, OpId, Step, System};

/// Spans of one request at an entry, aimed at.
const ENTRY_SPANS: (f64, f64) = (14.0, 55.0);
/// Calls of one operation, unless there is nobody else to make them.
const FAN_OUT_MAX: usize = 6;

/// Gives every operation its calls, from the last layer to the first. Time-outs are set later, when times are known.
pub(super) fn connect(system: &mut System, rng: &mut fastrand::Rng) {
    let budget = log_uniform(rng, ENTRY_SPANS.0, ENTRY_SPANS.1);
    let mut cost = vec![1.0; system.ops.len()];
    let mut is_called = vec![false; system.ops.len()];
    for op in (0..system.ops.len()).rev() {
        if !is_caller(system, op) {
            continue;
        }
        let layer = system.services[system.ops[op].service].layer;
        let budget = budget / (1.0 + 1.3 * layer as f64);
        let mut calls = Vec::new();
        for _ in 0..fan_out(layer, rng) {
            let Some(callee) = pick(system, op, &is_called, rng) else {
                break;
            };
            let share = if chance(rng, 0.7) { 1.0 } else { 0.2 + 0.7 * rng.f64() };
            let price = share * (1.0 + cost[callee]);
            if cost[op] + price > budget || calls.iter().any(|call: &Call| call.op == callee) {
                continue;
            }
            cost[op] += price;
            is_called[callee] = true;
            calls.push(draw_call(callee, share, rng));
        }
        system.ops[op].steps = arrange(calls, rng);
    }
    reach_the_rest(system, &is_called, rng);
}

/// Operations that nobody calls yet are called now and then, by somebody of an earlier layer.
fn reach_the_rest(system: &mut System, is_called: &[bool], rng: &mut fastrand::Rng) {
    for (op, is_called) in is_called.iter().enumerate() {
        let layer = system.services[system.ops[op].service].layer;
        if *is_called || layer == 0 || !may_be_called(system, op) {
            continue;
        }
        let callers: Vec<OpId> = (0..op)
            .filter(|caller| is_caller(system, *caller))
            .filter(|caller| system.services[system.ops[*caller].service].layer < layer)
            .collect();
        let few = |caller: &OpId| system.steps(*caller).len() < FAN_OUT_MAX;
        let free: Vec<OpId> = callers.iter().copied().filter(few).collect();
        let callers = if free.is_empty() { callers } else { free };
        let share = 0.15 + 0.5 * rng.f64();
        // Somebody near rather than the first layer, or the entries would call everybody.
        let from = callers.len().saturating_sub(1 + callers.len() / 2);
        let Some(caller) = callers.get(from + rng.usize(..(callers.len() - from).max(1))) else {
            continue;
        };
        let call = draw_call(op, share, rng);
        system.ops[*caller].steps.push(Step::Call(call));
    }
}

fn is_caller(system: &System, op: OpId) -> bool {
    let service = &system.services[system.ops[op].service];
    service.layer + 1 < layers(system)
}

fn may_be_called(system: &System, op: OpId) -> bool {
    system.services[system.ops[op].service].protocol != super::Protocol::Messages
}

fn layers(system: &System) -> usize {
    system.services.iter().map(|service| service.layer).max().unwrap_or(0) + 1
}

fn fan_out(layer: usize, rng: &mut fastrand::Rng) -> usize {
    let draw = rng.f64();
    if layer == 0 {
        return 1 + rng.usize(..4) + usize::from(draw < 0.3);
    }
    match draw {
        d if d < 0.12 => 0,
        d if d < 0.45 => 1,
        d if d < 0.78 => 2,
        d if d < 0.93 => 3,
        _ => 5,
    }
}

/// Somebody of the next layer mostly, and somebody whom nobody calls yet rather than others.
fn pick(system: &System, caller: OpId, is_called: &[bool], rng: &mut fastrand::Rng) -> Option<OpId> {
    let layer = |op: OpId| system.services[system.ops[op].service].layer;
    let own = layer(caller);
    let next_only = chance(rng, 0.7);
    let fresh_only = chance(rng, 0.6);
    let later: Vec<OpId> = (caller + 1..system.ops.len())
        .filter(|op| layer(*op) > own && may_be_called(system, *op))
        .collect();
    let choose = |wanted: &dyn Fn(OpId) -> bool, rng: &mut fastrand::Rng| {
        let those: Vec<OpId> = later.iter().copied().filter(|op| wanted(*op)).collect();
        (!those.is_empty()).then(|| those[rng.usize(..those.len())])
    };
    choose(
        &|op| (!next_only || layer(op) == own + 1) && (!fresh_only || !is_called[op]),
        rng,
    )
    .or_else(|| choose(&|_| true, rng))
}

fn draw_call(op: OpId, share: f64, rng: &mut fastrand::Rng) -> Call {
    Call {
        op,
        timeout_ms: 0.0,
        retries: if chance(rng, 0.4) {
            1 + u32::from(chance(rng, 0.3))
        } else {
            0
        },
        back_off_ms: log_uniform(rng, 10.0, 200.0),
        is_optional: chance(rng, 0.18),
        fallback: None,
        share,
    }
}

/// Some calls at once, some in turn.
fn arrange(calls: Vec<Call>, rng: &mut fastrand::Rng) -> Vec<Step> {
    let mut steps = Vec::new();
    let mut calls = calls.into_iter().map(Step::Call).peekable();
    while calls.peek().is_some() {
        let together = if chance(rng, 0.35) { 2 + rng.usize(..2) } else { 1 };
        let mut group: Vec<Step> = calls.by_ref().take(together).collect();
        if group.len() > 1 {
            steps.push(Step::Parallel(group));
        } else {
            steps.append(&mut group);
        }
    }
    steps
}
