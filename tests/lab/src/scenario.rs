//! A scenario: the system, who comes in, and what breaks, as TOML. `tests/scenarios/README.md` tells the format to people.

use anyhow::{Context, Result, ensure};
use serde::Deserialize;
use std::collections::HashSet;
use std::path::Path;
use std::time::Duration;

/// Machines that the copies are spread over: `node-1` and so on.
pub(crate) const NODES: usize = 4;
/// The demo's own system.
const SHOP: &str = include_str!("../../scenarios/shop.toml");

/// A system and its troubles.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Scenario {
    /// What it is called.
    pub name: String,
    /// Requests a second that come in.
    pub rate: f64,
    /// When things break and for how long.
    pub rhythm: Rhythm,
    /// The services.
    #[serde(rename = "service")]
    pub services: Vec<Service>,
    /// Databases, which send no spans.
    #[serde(rename = "database", default)]
    pub databases: Vec<Database>,
    /// Caches, which send no spans.
    #[serde(rename = "cache", default)]
    pub caches: Vec<Cache>,
    /// Queues, which send no spans.
    #[serde(rename = "queue", default)]
    pub queues: Vec<Queue>,
    /// Who comes in.
    #[serde(rename = "entry")]
    pub entries: Vec<Entry>,
    /// What breaks, one after the other.
    #[serde(rename = "fault", default)]
    pub faults: Vec<Fault>,
}

/// Healthy first, then broken and healthy in turns.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Rhythm {
    /// Until the first fault.
    #[serde(with = "humantime_serde")]
    pub healthy: Duration,
    /// How long a fault lasts.
    #[serde(with = "humantime_serde")]
    pub broken: Duration,
    /// Between faults.
    #[serde(with = "humantime_serde")]
    pub pause: Duration,
    /// Whether it begins again after the last fault.
    #[serde(default)]
    pub again: bool,
}

/// A service.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Service {
    /// `service.name`.
    pub name: String,
    /// How it is called.
    #[serde(default)]
    pub protocol: Protocol,
    /// Running copies.
    #[serde(default = "two")]
    pub pods: usize,
    /// Requests that one copy works on at once.
    #[serde(default = "workers")]
    pub workers: usize,
    /// Requests that wait for a worker before more are turned away.
    #[serde(default = "workers")]
    pub queue: usize,
    /// What it can do.
    #[serde(rename = "operation")]
    pub operations: Vec<Operation>,
}

/// How a service is called.
#[derive(Clone, Copy, Debug, Default, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "snake_case")]
pub enum Protocol {
    /// HTTP.
    #[default]
    Http,
    /// gRPC.
    Grpc,
    /// Java RMI.
    JavaRmi,
}

/// Something that a service can do.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Operation {
    /// `GET /cart` for HTTP, `package.Service/Method` otherwise.
    pub name: String,
    /// Typical time of its own, in milliseconds; log-normal.
    #[serde(default = "one")]
    pub work_ms: f64,
    /// What it does, in turn.
    #[serde(default)]
    pub steps: Vec<Step>,
}

/// One step of an operation.
#[derive(Clone, Debug, Deserialize)]
#[serde(untagged, deny_unknown_fields)]
pub enum Step {
    /// Calls another service.
    Call {
        /// Which.
        call: String,
        /// To do what.
        operation: String,
        /// How long it waits for the answer.
        #[serde(default = "timeout")]
        timeout_ms: u64,
        /// How often it tries again.
        #[serde(default)]
        retries: u32,
        /// Whether it can do without.
        #[serde(default)]
        optional: bool,
        /// How often it does this at all, 0 to 1.
        #[serde(default = "one")]
        share: f64,
    },
    /// Asks a database.
    Query {
        /// Which.
        query: String,
        /// `SELECT products`.
        statement: String,
        /// How long it waits.
        #[serde(default = "timeout")]
        timeout_ms: u64,
    },
    /// Looks into a cache, and asks the database behind it on a miss.
    Lookup {
        /// Which cache.
        lookup: String,
        /// The database behind it.
        behind: String,
        /// `SELECT products`.
        statement: String,
        /// How long it waits for the database.
        #[serde(default = "timeout")]
        timeout_ms: u64,
    },
    /// Puts a message into a queue and does not wait.
    Publish {
        /// Which queue.
        publish: String,
    },
    /// Does several steps at once.
    Parallel {
        /// Which.
        parallel: Vec<Step>,
    },
}

/// A database.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Database {
    /// Its address, as callers give it.
    pub name: String,
    /// `postgresql`, `mysql`.
    pub system: String,
    /// Queries it works on at once.
    pub workers: usize,
    /// Typical time of a query, in milliseconds.
    pub work_ms: f64,
}

/// A cache.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Cache {
    /// Its address, as callers give it.
    pub name: String,
    /// `redis`.
    pub system: String,
    /// Share of look-ups that find something.
    pub hit: f64,
}

/// A queue.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Queue {
    /// Its name.
    pub name: String,
    /// `kafka`.
    pub system: String,
    /// The service that takes messages out.
    pub consumer: String,
    /// What it does with each.
    pub operation: String,
}

/// Requests from outside.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Entry {
    /// Where they arrive.
    pub service: String,
    /// What they want.
    pub operation: String,
    /// Their weight among the entries.
    #[serde(default = "one")]
    pub weight: f64,
}

/// Something that breaks.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Fault {
    /// How.
    pub kind: FaultKind,
    /// Whom: a service, a database, a cache, a node; the callee of a network fault. Nobody for a surge.
    #[serde(default)]
    pub target: String,
}

/// How something breaks. Each changes the world only; spans show what follows.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq)]
#[serde(rename_all = "snake_case")]
pub enum FaultKind {
    /// All copies of the service die.
    Crash,
    /// All copies accept requests and never answer.
    Hang,
    /// Its code takes twenty times as long.
    Slow,
    /// Its code fails most of the time.
    Errors,
    /// The cache is emptied and keeps nothing.
    CacheBreakdown,
    /// Six times as many requests come in.
    Surge,
    /// The database takes thirty times as long.
    SlowDatabase,
    /// The database is gone.
    DeadDatabase,
    /// Calls to the service take 400 ms longer on the way.
    Network,
    /// One copy of the service is very slow.
    BadPod,
    /// A new version runs on half of the copies, and fails.
    BadDeploy,
    /// Every copy on one machine is very slow.
    SlowNode,
}

fn one() -> f64 {
    1.0
}

fn two() -> usize {
    2
}

fn workers() -> usize {
    32
}

fn timeout() -> u64 {
    2_000
}

impl Scenario {
    /// The shop of the demo.
    pub fn shop() -> Result<Self> {
        Self::parse(SHOP).context("the shop")
    }

    /// Reads a scenario from a file.
    pub fn read(path: &Path) -> Result<Self> {
        let text = std::fs::read_to_string(path).with_context(|| format!("could not read {}", path.display()))?;
        Self::parse(&text).with_context(|| format!("the scenario {}", path.display()))
    }

    /// Reads a scenario and checks that everything that it names exists.
    pub fn parse(text: &str) -> Result<Self> {
        let scenario: Self = toml::from_str(text)?;
        ensure!(
            scenario.rate > 0.0 && scenario.rate <= 10_000.0,
            "rate: must be more than 0 and at most 10000"
        );
        ensure!(!scenario.entries.is_empty(), "there must be at least one [[entry]]");
        let mut operations = HashSet::new();
        for service in &scenario.services {
            ensure!(
                service.pods > 0 && service.workers > 0,
                "service {}: pods and workers must be at least 1",
                service.name
            );
            operations.extend(
                service
                    .operations
                    .iter()
                    .map(|o| (service.name.as_str(), o.name.as_str())),
            );
        }
        let known = |service: &str, operation: &str| {
            ensure!(
                operations.contains(&(service, operation)),
                "there is no operation {operation:?} of a service {service:?}"
            );
            Ok(())
        };
        for entry in &scenario.entries {
            known(&entry.service, &entry.operation)?;
        }
        for queue in &scenario.queues {
            known(&queue.consumer, &queue.operation)?;
        }
        for fault in &scenario.faults {
            ensure!(
                scenario.can_break(fault),
                "a fault {:?} needs another target than {:?}",
                fault.kind,
                fault.target
            );
        }
        for operation in scenario.services.iter().flat_map(|service| &service.operations) {
            for step in &operation.steps {
                scenario
                    .check_step(step, &known)
                    .with_context(|| format!("operation {}", operation.name))?;
            }
        }
        Ok(scenario)
    }

    fn can_break(&self, fault: &Fault) -> bool {
        let target = fault.target.as_str();
        match fault.kind {
            FaultKind::Surge => target.is_empty(),
            FaultKind::CacheBreakdown => self.caches.iter().any(|c| c.name == target),
            FaultKind::SlowDatabase | FaultKind::DeadDatabase => self.databases.iter().any(|d| d.name == target),
            FaultKind::SlowNode => (1..=NODES).any(|node| target == format!("node-{node}")),
            _ => self.services.iter().any(|s| s.name == target),
        }
    }

    fn check_step(&self, step: &Step, known: &impl Fn(&str, &str) -> Result<()>) -> Result<()> {
        let database = |name: &str| {
            ensure!(
                self.databases.iter().any(|d| d.name == name),
                "there is no database {name:?}"
            );
            Ok(())
        };
        match step {
            Step::Call { call, operation, .. } => known(call, operation),
            Step::Query { query, .. } => database(query),
            Step::Lookup { lookup, behind, .. } => {
                ensure!(
                    self.caches.iter().any(|c| c.name == *lookup),
                    "there is no cache {lookup:?}"
                );
                database(behind)
            }
            Step::Publish { publish } => {
                ensure!(
                    self.queues.iter().any(|q| q.name == *publish),
                    "there is no queue {publish:?}"
                );
                Ok(())
            }
            Step::Parallel { parallel } => parallel.iter().try_for_each(|step| self.check_step(step, known)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SMALL: &str = r#"
        name = "small"
        rate = 1.0
        rhythm = { healthy = "1s", broken = "1s", pause = "1s" }
        entry = [{ service = "a", operation = "GET /" }]
        service = [{ name = "a", operation = [{ name = "GET /", steps = [STEP] }] }]
    "#;

    fn check(step: &str, complaint: &str) {
        let error = Scenario::parse(&SMALL.replace("STEP", step)).expect_err(step);
        assert!(format!("{error:#}").contains(complaint), "{step}: {error:#}");
    }

    #[test]
    fn the_shop_is_a_scenario_of_at_least_twelve_services() {
        let shop = Scenario::shop().expect("valid");
        assert!(shop.services.len() >= 12 && shop.databases.len() >= 2);
        assert!(!shop.caches.is_empty() && !shop.queues.is_empty() && shop.faults.len() >= 10);
    }

    #[test]
    fn a_fault_needs_a_target_of_its_kind() {
        for (kind, target) in [
            ("crash", "nobody"),
            ("slow_database", "a"),
            ("slow_node", "node-9"),
            ("surge", "a"),
        ] {
            let fault = format!("fault = [{{ kind = \"{kind}\", target = \"{target}\" }}]\n");
            let error = Scenario::parse(&(fault + &SMALL.replace("STEP", ""))).expect_err(kind);
            assert!(format!("{error:#}").contains(target), "{kind}: {error:#}");
        }
    }

    #[test]
    fn a_name_that_does_not_exist_is_an_error_that_tells_it() {
        Scenario::parse(&SMALL.replace("STEP", "")).expect("valid without steps");
        check(r#"{ call = "b", operation = "GET /" }"#, "\"b\"");
        check(r#"{ query = "db", statement = "SELECT" }"#, "\"db\"");
        check(r#"{ publish = "events" }"#, "\"events\"");
        check(
            r#"{ lookup = "redis", behind = "db", statement = "SELECT" }"#,
            "\"redis\"",
        );
    }
}
