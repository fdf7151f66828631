//! A random system from a seed: who there is first, then who calls whom, then what they ask, then how large everything
//! has to be for the load it gets.

use super::load::{self, mean_ms};
use super::names::{Names, capital};
use super::{
    Ask, Balance, Entry, Op, OpId, Protocol, Queue, Service, ServiceId, Step, Store, StoreId, StoreKind, System, shape,
};

/// Smallest and largest number of services.
const SERVICES: (f64, f64) = (10.0, 200.0);
/// Spans a second of the whole system.
const SPANS_PER_S: (f64, f64) = (400.0, 1600.0);
/// Requests a second of the whole system.
const REQUESTS_PER_S: (f64, f64) = (10.0, 90.0);
/// Share of workers that are busy at rest.
const BUSY: (f64, f64) = (0.2, 0.6);
const METHODS: [&str; 5] = ["GET", "GET", "GET", "POST", "PUT"];
const DATABASES: [&str; 4] = ["postgresql", "mysql", "mongodb", "mariadb"];

/// Draws a system.
pub(crate) fn draw(rng: &mut fastrand::Rng) -> System {
    let mut names = Names::default();
    let count = log_uniform(rng, SERVICES.0, SERVICES.1).round() as usize;
    let mut system = System {
        namespace: names.word(rng),
        services: Vec::new(),
        ops: Vec::new(),
        stores: Vec::new(),
        queues: Vec::new(),
        nodes: Vec::new(),
        entries: Vec::new(),
    };
    let layers = 3 + usize::from(count > 25) + usize::from(count > 80) + usize::from(chance(rng, 0.3));
    let mut placed: Vec<usize> = (0..count).map(|_| 1 + rng.usize(..layers - 1)).collect();
    let entries = (1 + rng.usize(..3)).min(count / 4);
    placed[..entries].fill(0);
    placed.sort_unstable();
    for layer in placed {
        add_service(&mut system, layer, &mut names, rng);
    }
    shape::connect(&mut system, rng);
    add_stores(&mut system, &mut names, rng);
    add_queues(&mut system, layers, &mut names, rng);
    add_entries(&mut system, rng);
    place(&mut system, rng);
    size(&mut system, rng);
    system
}

/// Whether something with this probability happens.
pub(super) fn chance(rng: &mut fastrand::Rng, share: f64) -> bool {
    rng.f64() < share
}

/// A number of which no size between the two is likelier than another.
pub(crate) fn log_uniform(rng: &mut fastrand::Rng, low: f64, high: f64) -> f64 {
    low * (high / low).powf(rng.f64())
}

fn add_service(system: &mut System, layer: usize, names: &mut Names, rng: &mut fastrand::Rng) -> ServiceId {
    let id = system.services.len();
    let name = names.service(rng);
    let address = match rng.f64() {
        d if d < 0.6 => name.clone(),
        d if d < 0.9 => format!("{name}.{}.svc.cluster.local", system.namespace),
        _ => format!("{}-svc", names.word(rng)),
    };
    system.services.push(Service {
        address,
        version: format!("{}.{}.{}", rng.usize(..9), rng.usize(..40), rng.usize(..30)),
        protocol: if chance(rng, 0.6) {
            Protocol::Http
        } else {
            Protocol::Grpc
        },
        balance: match rng.f64() {
            d if d < 0.5 => Balance::InTurn,
            d if d < 0.8 => Balance::AtRandom,
            _ => Balance::LeastBusy,
        },
        old_conventions: chance(rng, 0.35),
        // What stands at the edge takes everything in at once, or nobody would see the wait of a visitor.
        is_threaded: chance(rng, 0.5) && layer > 0,
        records_exceptions: chance(rng, 0.7),
        layer,
        pods: match rng.f64() {
            d if d < 0.15 => 1,
            d if d < 0.5 => 2,
            d if d < 0.8 => 3,
            _ => 4 + rng.usize(..3),
        },
        workers: 0,
        queue: 0,
        export_every_ms: log_uniform(rng, 1000.0, 5000.0),
        pauses: if chance(rng, 0.3) { 0.002 * rng.f64() } else { 0.0 },
        ops: Vec::new(),
        nodes: Vec::new(),
        pool: 0,
        name,
    });
    let ops = if layer == 0 {
        2 + rng.usize(..4)
    } else {
        1 + rng.usize(..3)
    };
    for _ in 0..ops {
        add_op(system, id, names, rng);
    }
    id
}

fn add_op(system: &mut System, service: ServiceId, names: &mut Names, rng: &mut fastrand::Rng) -> OpId {
    let id = system.ops.len();
    let word = names.word(rng);
    let name = match system.services[service].protocol {
        Protocol::Http if chance(rng, 0.4) => format!("{} /{word}/{{id}}", METHODS[rng.usize(..METHODS.len())]),
        Protocol::Http => format!("{} /{word}", METHODS[rng.usize(..METHODS.len())]),
        Protocol::Grpc => {
            let of = capital(&system.services[service].name.replace('-', ""));
            format!("{}.v1.{of}/{}", system.namespace, capital(&word))
        }
        Protocol::Messages => format!("process {word}"),
    };
    system.ops.push(Op {
        service,
        name,
        work_ms: log_uniform(rng, 0.8, 12.0),
        sigma: 0.25 + 0.45 * rng.f64(),
        noise: if chance(rng, 0.1) {
            log_uniform(rng, 0.0005, 0.005)
        } else {
            0.0
        },
        has_internal: chance(rng, 0.15),
        steps: Vec::new(),
    });
    system.services[service].ops.push(id);
    id
}

fn add_store(system: &mut System, kind: StoreKind, names: &mut Names, rng: &mut fastrand::Rng) -> StoreId {
    let word = names.word(rng);
    let (system_name, address, work_ms) = match kind {
        StoreKind::Database => {
            let system_name = DATABASES[rng.usize(..DATABASES.len())];
            (
                system_name,
                format!("{word}-{}", rng.usize(..3)),
                log_uniform(rng, 1.0, 12.0),
            )
        }
        StoreKind::Cache => (
            "redis",
            format!("{word}-{}", rng.usize(..3)),
            log_uniform(rng, 0.2, 0.8),
        ),
        StoreKind::External => ("", format!("api.{word}.com"), log_uniform(rng, 25.0, 150.0)),
    };
    system.stores.push(Store {
        kind,
        address,
        system: system_name,
        database: names.word(rng),
        work_ms,
        sigma: 0.3 + 0.4 * rng.f64(),
        workers: if kind == StoreKind::Cache { 256 } else { 4096 },
        hit: if kind == StoreKind::Cache {
            0.85 + 0.14 * rng.f64()
        } else {
            0.0
        },
    });
    system.stores.len() - 1
}

/// Databases, caches in front of some of them, and third parties; every operation of the last layers asks something.
fn add_stores(system: &mut System, names: &mut Names, rng: &mut fastrand::Rng) {
    let services = system.services.len();
    let last = system.services.iter().map(|service| service.layer).max().unwrap_or(0);
    let databases: Vec<StoreId> = (0..2 + services / 6)
        .map(|_| add_store(system, StoreKind::Database, names, rng))
        .collect();
    // Databases with a cache in front are not shared with those who ask them directly.
    let cached: Vec<(StoreId, StoreId)> = (0..1 + services / 20)
        .map(|_| {
            let database = add_store(system, StoreKind::Database, names, rng);
            (add_store(system, StoreKind::Cache, names, rng), database)
        })
        .collect();
    let externals: Vec<StoreId> = (0..1 + services / 25)
        .map(|_| add_store(system, StoreKind::External, names, rng))
        .collect();
    for service in 0..services {
        let layer = system.services[service].layer;
        if layer == 0 {
            continue;
        }
        let share_of_askers = if layer == last { 0.8 } else { 0.35 };
        let own = databases[rng.usize(..databases.len())];
        let (cache, behind) = cached[rng.usize(..cached.len())];
        let external = externals[rng.usize(..externals.len())];
        let style = rng.f64();
        for op in system.services[service].ops.clone() {
            if !chance(rng, share_of_askers) {
                continue;
            }
            let word = names.word(rng);
            let sql = ["SELECT", "SELECT", "SELECT", "UPDATE", "INSERT"][rng.usize(..5)];
            let (cache, store, statement) = match style {
                d if d < 0.55 => (None, own, format!("{sql} {word}")),
                d if d < 0.9 => (Some(cache), behind, format!("SELECT {word}")),
                _ => (None, external, format!("POST /{word}")),
            };
            let ask = Step::Ask(Ask {
                cache,
                store,
                statement,
                timeout_ms: 0.0,
                share: if chance(rng, 0.8) { 1.0 } else { 0.4 + 0.5 * rng.f64() },
            });
            let at = rng.usize(..=system.ops[op].steps.len());
            system.ops[op].steps.insert(at, ask);
        }
    }
}

/// Queues, each with a service of its own that works off its messages.
fn add_queues(system: &mut System, layers: usize, names: &mut Names, rng: &mut fastrand::Rng) {
    let callers: Vec<OpId> = (0..system.ops.len()).collect();
    for _ in 0..1 + system.services.len() / 18 {
        let service = add_service(system, layers, names, rng);
        system.services[service].protocol = Protocol::Messages;
        let consumer = system.services[service].ops[0];
        system.services[service].ops.truncate(1);
        system.ops.truncate(consumer + 1);
        system.ops[consumer].name = format!("process {}", names.word(rng));
        let queue = system.queues.len();
        system.queues.push(Queue {
            name: format!("{}-{}", names.word(rng), names.word(rng)),
            system: if chance(rng, 0.6) { "kafka" } else { "rabbitmq" },
            consumer,
            same_trace: chance(rng, 0.5),
        });
        for _ in 0..1 + rng.usize(..3) {
            let sender = callers[rng.usize(..callers.len())];
            system.ops[sender].steps.push(Step::Publish(queue));
        }
        let databases: Vec<StoreId> = (0..system.stores.len())
            .filter(|id| system.stores[*id].kind == StoreKind::Database)
            .filter(|id| !is_behind_a_cache(system, *id))
            .collect();
        if let Some(store) = databases.get(rng.usize(..databases.len().max(1))) {
            system.ops[consumer].steps.push(Step::Ask(Ask {
                cache: None,
                store: *store,
                statement: format!("INSERT {}", names.word(rng)),
                timeout_ms: 0.0,
                share: 1.0,
            }));
        }
    }
}

pub(super) fn is_behind_a_cache(system: &System, store: StoreId) -> bool {
    (0..system.ops.len())
        .flat_map(|op| system.steps(op))
        .any(|step| matches!(step, Step::Ask(ask) if ask.store == store && ask.cache.is_some()))
}

fn add_entries(system: &mut System, rng: &mut fastrand::Rng) {
    let ops: Vec<OpId> = (0..system.ops.len())
        .filter(|op| system.services[system.ops[*op].service].layer == 0)
        .collect();
    for op in ops {
        system.entries.push(Entry {
            op,
            rate: log_uniform(rng, 0.15, 1.0),
        });
    }
    let weights: f64 = system.entries.iter().map(|entry| entry.rate).sum();
    for entry in &mut system.entries {
        entry.rate /= weights;
    }
    let spans = log_uniform(rng, SPANS_PER_S.0, SPANS_PER_S.1);
    let rate = (spans / load::spans_per_s(system)).clamp(REQUESTS_PER_S.0, REQUESTS_PER_S.1);
    for entry in &mut system.entries {
        entry.rate *= rate;
    }
}

/// Puts copies on machines.
fn place(system: &mut System, rng: &mut fastrand::Rng) {
    let pods: usize = system.services.iter().map(|service| service.pods).sum();
    let nodes = (pods / (5 + rng.usize(..6))).clamp(3, 60);
    let style = chance(rng, 0.5);
    system.nodes = (0..nodes)
        .map(|_| {
            if style {
                format!("ip-10-{}-{}-{}.internal", rng.u8(..64), rng.u8(..), rng.u8(..))
            } else {
                format!("pool-{}-{}", super::names::tail(rng, 4), super::names::tail(rng, 5))
            }
        })
        .collect();
    for service in &mut system.services {
        let mut order: Vec<usize> = (0..nodes).collect();
        rng.shuffle(&mut order);
        service.nodes = order;
    }
}

/// Makes everything as large as its load at rest wants it, no larger.
fn size(system: &mut System, rng: &mut fastrand::Rng) {
    let rates = load::rates(system);
    for id in 0..system.stores.len() {
        if system.stores[id].kind == StoreKind::Database {
            size_database(system, &rates, id, rng);
        }
    }
    let times = load::times(system);
    set_time_outs(system, &times, rng);
    for id in 0..system.services.len() {
        let busy_at_once: f64 = system.services[id]
            .ops
            .iter()
            .map(|op| rates.ops[*op] * times[*op] / 1000.0)
            .sum();
        let service = &mut system.services[id];
        let share = BUSY.0 + (BUSY.1 - BUSY.0) * rng.f64();
        let least = [2, 3, 4, 8][rng.usize(..4)];
        let a_pod = busy_at_once / service.pods as f64;
        service.workers = ((a_pod / share).ceil() as usize).max(least);
        service.queue = service.workers * (2 + rng.usize(..8)) + 4;
        service.pool = (service.workers / (1 + rng.usize(..2))).max(2);
    }
}

fn size_database(system: &mut System, rates: &load::Rates, id: StoreId, rng: &mut fastrand::Rng) {
    let is_cached = rates.without_caches[id] > 1.5 * rates.stores[id];
    let store = &mut system.stores[id];
    if is_cached {
        store.work_ms = log_uniform(rng, 8.0, 40.0);
    }
    let share = BUSY.0 + (BUSY.1 - BUSY.0) * rng.f64();
    let busy = rates.stores[id] * mean_ms(store.work_ms, store.sigma) / 1000.0;
    let least = if is_cached { 1 } else { 2 + rng.usize(..4) };
    store.workers = ((busy / share).ceil() as usize).max(least);
    if is_cached {
        // What the cache keeps away would drown it: that is why there is a cache.
        let drowned = store.workers as f64 * (1.4 + 1.8 * rng.f64());
        let busy = rates.without_caches[id] * mean_ms(store.work_ms, store.sigma) / 1000.0;
        store.work_ms = (store.work_ms * (drowned / busy).max(1.0)).min(90.0);
    }
}

fn set_time_outs(system: &mut System, times: &[f64], rng: &mut fastrand::Rng) {
    let round = [500.0, 1000.0, 2000.0, 3000.0, 5000.0];
    let mut patience = |usual_ms: f64| {
        let least = (5.0 * usual_ms).max(200.0);
        if chance(rng, 0.6) {
            let start = rng.usize(..round.len());
            let fits = round[start..].iter().find(|time| **time >= least);
            return fits.copied().unwrap_or(10_000.0_f64.max(least));
        }
        least * (1.0 + 2.0 * rng.f64())
    };
    for op in 0..system.ops.len() {
        let mut steps = std::mem::take(&mut system.ops[op].steps);
        set_in(system, &mut steps, times, &mut patience);
        system.ops[op].steps = steps;
    }
    add_fallbacks(system, rng);
}

fn set_in(system: &System, steps: &mut [Step], times: &[f64], patience: &mut dyn FnMut(f64) -> f64) {
    for step in steps {
        match step {
            Step::Call(call) => call.timeout_ms = patience(times[call.op]).round(),
            Step::Ask(ask) => {
                let store = &system.stores[ask.store];
                ask.timeout_ms = patience(mean_ms(store.work_ms, store.sigma)).round();
            }
            Step::Parallel(steps) => set_in(system, steps, times, patience),
            Step::Publish(_) => {}
        }
    }
}

/// A few calls have something else to ask when they fail: an operation of the last layer.
fn add_fallbacks(system: &mut System, rng: &mut fastrand::Rng) {
    let layer = |system: &System, op: OpId| system.services[system.ops[op].service].layer;
    let callable = |system: &System, op: OpId| {
        let service = &system.services[system.ops[op].service];
        service.protocol != Protocol::Messages
    };
    let last = (0..system.ops.len())
        .filter(|op| callable(system, *op))
        .map(|op| layer(system, op))
        .max()
        .unwrap_or(0);
    let leaves: Vec<OpId> = (0..system.ops.len())
        .filter(|op| callable(system, *op) && layer(system, *op) == last)
        .collect();
    if leaves.is_empty() {
        return;
    }
    let layers: Vec<usize> = (0..system.ops.len()).map(|op| layer(system, op)).collect();
    system.change_calls(|call| {
        let instead = leaves[rng.usize(..leaves.len())];
        if layers[call.op] < last && rng.f64() < 0.06 && instead != call.op {
            call.fallback = Some(instead);
        }
    });
}
