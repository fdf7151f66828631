//! What is true of a run. Written beside the spans for whoever scores; no program that judges the spans may read it.

use super::{Fault, How, Kind};
use crate::system::System;
use serde::Serialize;

/// The truth of a run, as `truth.json`. Times are nanoseconds since 1970, as texts.
#[derive(Clone, Debug, Serialize)]
pub struct Truth {
    /// The seed.
    pub seed: u64,
    /// What happened: a name of [`Kind`].
    pub fault: String,
    /// Whether nothing was wrong.
    pub harmless: bool,
    /// Who may be named first.
    pub culprits: Vec<Named>,
    /// Kinds of cause that are right.
    pub causes: Vec<&'static str>,
    /// The copy, machine or version that carries it, where one does.
    pub dimension: Option<Named>,
    /// How hard, in words.
    pub severity: String,
    /// When it began.
    pub fault_start_unix_nano: String,
    /// When it was mended.
    pub fault_end_unix_nano: String,
    /// When the first visitor felt it: the end of the first shaken request at an entry.
    pub first_shaken_unix_nano: Option<String>,
    /// Share of requests shaken during the fault, at the entry that suffered most.
    pub shaken: f64,
    /// Where requests come in.
    pub entry_points: Vec<EntryPoint>,
    /// How many services there are.
    pub services: usize,
    /// Spans written.
    pub spans: u64,
    /// Length of the whole run in seconds.
    pub seconds: u64,
}

/// An entity, as in the incidents API.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Named {
    /// `service`, `instance`, `node`, `version`, `edge`, `database`, `cache`, `external`.
    pub kind: &'static str,
    /// Its name.
    pub name: String,
    /// The service it belongs to.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub service: Option<String>,
}

/// Where requests come in.
#[derive(Clone, Debug, Serialize)]
pub struct EntryPoint {
    /// Service.
    pub service: String,
    /// Operation.
    pub operation: String,
}

impl Named {
    fn new(kind: &'static str, name: &str) -> Self {
        Self {
            kind,
            name: name.to_owned(),
            service: None,
        }
    }
}

/// Share of its questions that a store answers below which it looks from everywhere like one that never answers.
const ANSWERED_MIN: f64 = 0.2;

/// What is known of a run only when it runs.
#[derive(Clone, Debug, Default)]
pub(crate) struct Known {
    /// The copy that is hit.
    pub(crate) bad_pod: Option<String>,
    /// Share of the questions to the store that it answered while it was slow.
    pub(crate) answered: Option<f64>,
}

/// Who may be named first. A service also stands for everything that belongs to it.
pub(crate) fn culprits(fault: &Fault, system: &System, known: &Known) -> Vec<Named> {
    let service = |id: usize| Named::new("service", &system.services[id].name);
    let store = |kind: &'static str, id: usize| Named::new(kind, &system.stores[id].address);
    // Callers know a service that sends nothing by its address alone.
    let both = |id: usize| {
        let mut names = vec![service(id)];
        if system.services[id].address != system.services[id].name {
            names.push(Named::new("external", &system.services[id].address));
        }
        names
    };
    match fault.kind {
        Kind::Crash | Kind::Hang | Kind::SlowCode | Kind::Errors | Kind::BadDeploy | Kind::RetryStorm => {
            both(fault.service)
        }
        Kind::BadPod => {
            let mut names = both(fault.service);
            names.extend(known.bad_pod.as_ref().map(|pod| Named {
                kind: "instance",
                name: pod.clone(),
                service: Some(system.services[fault.service].name.clone()),
            }));
            names
        }
        Kind::CacheBreakdown => vec![store("cache", fault.cache), store("database", fault.store)],
        Kind::SlowDatabase | Kind::DeadDatabase => vec![store("database", fault.store)],
        Kind::SlowExternal | Kind::DeadExternal => vec![store("external", fault.store)],
        Kind::NodeDead | Kind::NodeSlow => vec![Named::new("node", &system.nodes[fault.node])],
        Kind::TrafficSurge => {
            let hit = system.entries.iter().enumerate();
            let mut names: Vec<Named> = hit
                .filter(|(entry, _)| fault.entry.is_none_or(|only| only == *entry))
                .map(|(_, entry)| service(system.ops[entry.op].service))
                .collect();
            names.dedup();
            names
        }
        Kind::NetworkDelay | Kind::NetworkLoss => ways(fault, system),
        _ => Vec::new(),
    }
}

/// The way itself, whichever ends it has, and the service all bad ways share; of a single way either end.
fn ways(fault: &Fault, system: &System) -> Vec<Named> {
    let callee = &system.services[fault.service];
    let mut callers: Vec<usize> = (0..system.ops.len())
        .filter(|op| {
            system
                .calls(*op)
                .any(|call| system.ops[call.op].service == fault.service)
        })
        .map(|op| system.ops[op].service)
        .filter(|caller| fault.caller.is_none_or(|only| only == *caller))
        .collect();
    callers.dedup();
    let mut names = vec![Named::new("service", &callee.name)];
    if callee.address != callee.name {
        names.push(Named::new("external", &callee.address));
    }
    if let [only] = callers[..] {
        names.push(Named::new("service", &system.services[only].name));
    }
    for caller in callers {
        let edge = format!("{} -> {}", system.services[caller].name, callee.name);
        names.push(Named::new("edge", &edge));
    }
    names
}

/// Kinds of cause that are right.
pub(crate) fn causes(fault: &Fault, known: &Known) -> Vec<&'static str> {
    match fault.kind {
        Kind::Crash | Kind::Hang | Kind::DeadDatabase | Kind::DeadExternal => vec!["unavailable"],
        Kind::SlowDatabase | Kind::SlowExternal if known.answered.is_some_and(|share| share < ANSWERED_MIN) => {
            vec!["slow", "unavailable"]
        }
        Kind::SlowCode | Kind::SlowDatabase | Kind::SlowExternal => vec!["slow"],
        Kind::Errors => vec!["errors"],
        Kind::CacheBreakdown => vec!["cache_breakdown"],
        Kind::TrafficSurge => vec!["traffic_surge"],
        Kind::NodeDead | Kind::NodeSlow | Kind::BadPod => vec!["infrastructure"],
        Kind::BadDeploy => vec!["bad_deploy"],
        Kind::NetworkDelay | Kind::NetworkLoss => vec!["network"],
        // What set it off, or what it ends in.
        Kind::RetryStorm => vec!["slow", "unavailable"],
        _ => Vec::new(),
    }
}

/// The copy, machine or version that carries it.
pub(crate) fn dimension(fault: &Fault, system: &System, known: &Known) -> Option<Named> {
    let of = |kind, name: &str| Named {
        kind,
        name: name.to_owned(),
        service: Some(system.services[fault.service].name.clone()),
    };
    match fault.kind {
        Kind::NodeDead | Kind::NodeSlow => Some(Named::new("node", &system.nodes[fault.node])),
        Kind::BadPod => known.bad_pod.as_ref().map(|pod| of("instance", pod)),
        Kind::BadDeploy => Some(of("version", &fault.version)),
        _ => None,
    }
}

/// In words, for people.
pub(crate) fn severity(fault: &Fault) -> String {
    if fault.kind == Kind::CacheBreakdown && fault.how != How::Gone {
        return "knows nothing".to_owned();
    }
    fault.severity()
}
