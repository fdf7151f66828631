//! How two faults of one system stand to each other: apart, or one above the other on a call path.
//!
//! What the system was built like decides, not what spans show, so that whoever judges the spans can be held against it.
//! Pairs that are neither are of no use to a ruler, and nor are two faults of which one undoes the other.

use super::{Fault, Kind, truth};
use crate::system::{OpId, ServiceId, StoreId, System};
use clap::ValueEnum;
use serde::Serialize;
use std::collections::BTreeSet;

/// How the second fault stands to the first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ValueEnum)]
#[serde(rename_all = "snake_case")]
pub enum Relation {
    /// No service of either leads to one of the other over calls or messages, and no service has both: two events.
    Apart,
    /// What the first one hits asks for what the second one hits: one event.
    Below,
    /// The other way round.
    Above,
}

/// Where a fault sits.
struct Site {
    /// What is hit, or asks for it where it is a store.
    ops: BTreeSet<OpId>,
    services: BTreeSet<ServiceId>,
    /// A store asks for nothing.
    is_store: bool,
}

/// The relation of two faults; `None` when it is none of the three, or when one changes what the other one has changed.
pub(crate) fn relation(first: &Fault, second: &Fault, system: &System) -> Option<Relation> {
    if is_same_culprit(first, second, system) || !changed(first, system).is_disjoint(&changed(second, system)) {
        return None;
    }
    let (one, other) = (Site::of(first, system), Site::of(second, system));
    let is_connected = one.leads_to(&other, system) || other.leads_to(&one, system);
    if !is_connected && spreads_by_calls_alone(first) && spreads_by_calls_alone(second) {
        return Some(Relation::Apart);
    }
    // A loose connection is none: an operation that is hit must ask for one that is hit.
    match (one.asks_for(&other, system), other.asks_for(&one, system)) {
        (true, false) => Some(Relation::Below),
        (false, true) => Some(Relation::Above),
        _ => None,
    }
}

/// How many entries ask for what either fault hits.
pub(crate) fn entries_in_common(first: &Fault, second: &Fault, system: &System) -> usize {
    let (one, other) = (Site::of(first, system), Site::of(second, system));
    let asks = system.entries.iter().map(|entry| system.asked_by(&[entry.op].into()));
    asks.filter(|asked| !asked.is_disjoint(&one.ops) && !asked.is_disjoint(&other.ops))
        .count()
}

impl Site {
    fn of(fault: &Fault, system: &System) -> Self {
        let all = 0..system.ops.len();
        let stores = stores(fault);
        let ops: BTreeSet<OpId> = match fault.kind {
            _ if !stores.is_empty() => all.filter(|op| asks(system, *op, &stores)).collect(),
            Kind::TrafficSurge => {
                let entries = system.entries.iter().enumerate();
                let hit = entries.filter(|(entry, _)| fault.entry.is_none_or(|only| only == *entry));
                hit.map(|(_, entry)| entry.op).collect()
            }
            _ => {
                let services = changed(fault, system);
                let services = if services.is_empty() {
                    BTreeSet::from([fault.service])
                } else {
                    services
                };
                all.filter(|op| services.contains(&system.ops[*op].service))
                    .filter(|op| fault.op.is_none_or(|only| only == *op))
                    .collect()
            }
        };
        let mut services: BTreeSet<ServiceId> = ops.iter().map(|op| system.ops[*op].service).collect();
        // A way has two ends.
        if matches!(fault.kind, Kind::NetworkDelay | Kind::NetworkLoss) {
            services.extend(fault.caller);
        }
        Self {
            ops,
            services,
            is_store: !stores.is_empty(),
        }
    }

    fn leads_to(&self, other: &Self, system: &System) -> bool {
        !system.led_to_by(&self.services).is_disjoint(&other.services)
    }

    /// Whether an operation that is hit here asks for what is hit there.
    fn asks_for(&self, other: &Self, system: &System) -> bool {
        !self.is_store && !system.asked_by(&self.ops).is_disjoint(&other.ops)
    }
}

/// More requests, unlike anything else, reach others also over the databases that they share.
fn spreads_by_calls_alone(fault: &Fault) -> bool {
    fault.kind != Kind::TrafficSurge
}

fn is_same_culprit(first: &Fault, second: &Fault, system: &System) -> bool {
    let nothing = truth::Known::default();
    let of = |fault| truth::culprits(fault, system, &nothing);
    let others = of(second);
    let names = |name: &str| others.iter().any(|other| other.name == name);
    of(first).iter().any(|culprit| names(&culprit.name))
}

/// Services whose code or copies are not what they were.
fn changed(fault: &Fault, system: &System) -> BTreeSet<ServiceId> {
    match fault.kind {
        Kind::Crash
        | Kind::Hang
        | Kind::SlowCode
        | Kind::Errors
        | Kind::RetryStorm
        | Kind::BadPod
        | Kind::BadDeploy => [fault.service].into(),
        Kind::NodeDead | Kind::NodeSlow => {
            let is_on_it = |id: &ServiceId| system.services[*id].machines().any(|node| node == fault.node);
            (0..system.services.len()).filter(is_on_it).collect()
        }
        _ => BTreeSet::new(),
    }
}

/// What is hit that sends no spans.
fn stores(fault: &Fault) -> Vec<StoreId> {
    match fault.kind {
        Kind::SlowDatabase | Kind::DeadDatabase | Kind::SlowExternal | Kind::DeadExternal => vec![fault.store],
        Kind::CacheBreakdown => vec![fault.cache, fault.store],
        _ => Vec::new(),
    }
}

fn asks(system: &System, op: OpId, stores: &[StoreId]) -> bool {
    system.asks(op).any(|ask| {
        let cache = ask.cache.is_some_and(|cache| stores.contains(&cache));
        cache || stores.contains(&ask.store)
    })
}

#[cfg(test)]
mod tests;
