//! The state of the simulated system: copies of services with workers and queues, stores, ways between them, and what is
//! broken at the moment. Faults change this state and nothing else.

use crate::scenario::{Fault, FaultKind, NODES, Scenario, Service};
use epicenter_proto::otlp::trace::Span;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};
use tokio::sync::{Notify, Semaphore};

/// Spans that wait in a copy's exporter before more are dropped, as in an SDK's batch processor.
const EXPORT_QUEUE_MAX: usize = 8_192;

/// A running copy of a service.
pub(crate) struct Pod {
    pub(crate) name: String,
    pub(crate) node: String,
    pub(crate) version: Mutex<String>,
    pub(crate) workers: Semaphore,
    pub(crate) waiting: AtomicUsize,
    pub(crate) alive: AtomicBool,
    /// Raised by every death: what was begun before is not finished.
    pub(crate) life: AtomicU64,
    pub(crate) died: Notify,
    pub(crate) hangs: AtomicBool,
    /// Per mille: 1000 is the usual speed.
    pub(crate) slowness: AtomicU64,
    /// Per mille of requests that fail in its own code.
    pub(crate) failing: AtomicU64,
    pub(crate) spans: Mutex<Vec<Span>>,
    pub(crate) dropped: AtomicU64,
}

/// A service with its copies.
pub(crate) struct Running {
    pub(crate) service: Service,
    pub(crate) pods: Vec<Pod>,
    next: AtomicUsize,
    /// Milliseconds added on the way to it.
    pub(crate) way_ms: AtomicU64,
}

/// A database or a cache.
pub(crate) struct Store {
    pub(crate) name: String,
    pub(crate) system: String,
    pub(crate) workers: Semaphore,
    pub(crate) work_ms: f64,
    pub(crate) alive: AtomicBool,
    pub(crate) slowness: AtomicU64,
    /// Per mille of look-ups that find something; of a database 0.
    pub(crate) hit: AtomicU64,
}

/// All of it.
pub(crate) struct World {
    pub(crate) scenario: Scenario,
    pub(crate) services: Vec<Running>,
    pub(crate) databases: Vec<Store>,
    pub(crate) caches: Vec<Store>,
    /// Per mille of the usual rate of requests.
    pub(crate) traffic: AtomicU64,
    rng: Mutex<fastrand::Rng>,
}

impl World {
    pub(crate) fn new(scenario: Scenario, seed: u64) -> Self {
        let mut rng = fastrand::Rng::with_seed(seed);
        let mut machine = 0;
        let services = scenario
            .services
            .iter()
            .map(|service| Running {
                pods: (0..service.pods)
                    .map(|_| Pod::new(service, &mut machine, &mut rng))
                    .collect(),
                service: service.clone(),
                next: AtomicUsize::new(0),
                way_ms: AtomicU64::new(0),
            })
            .collect();
        let databases = scenario
            .databases
            .iter()
            .map(|d| Store::new(&d.name, &d.system, d.workers, d.work_ms, 0.0));
        let caches = scenario
            .caches
            .iter()
            .map(|c| Store::new(&c.name, &c.system, 512, 0.3, c.hit));
        Self {
            services,
            databases: databases.collect(),
            caches: caches.collect(),
            traffic: AtomicU64::new(1000),
            rng: Mutex::new(rng),
            scenario,
        }
    }

    pub(crate) fn random<T>(&self, draw: impl FnOnce(&mut fastrand::Rng) -> T) -> T {
        draw(&mut self.rng.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// A log-normal time around `typical_ms`, in milliseconds.
    pub(crate) fn work_ms(&self, typical_ms: f64) -> f64 {
        // A sum of uniform draws is normal enough.
        let normal: f64 =
            self.random(|rng| (0..6).map(|_| rng.f64()).sum::<f64>() - 3.0) / std::f64::consts::FRAC_1_SQRT_2;
        typical_ms * (0.35 * normal).exp()
    }

    pub(crate) fn chance(&self, share: f64) -> bool {
        share >= 1.0 || self.random(|rng| rng.f64() < share)
    }

    pub(crate) fn service(&self, name: &str) -> &Running {
        self.services
            .iter()
            .find(|s| s.service.name == name)
            .expect("the scenario was checked")
    }

    pub(crate) fn database(&self, name: &str) -> &Store {
        self.databases
            .iter()
            .find(|s| s.name == name)
            .expect("the scenario was checked")
    }

    pub(crate) fn cache(&self, name: &str) -> &Store {
        self.caches
            .iter()
            .find(|s| s.name == name)
            .expect("the scenario was checked")
    }

    /// Breaks something, and says what in words.
    pub(crate) fn break_it(&self, fault: &Fault) -> String {
        let target = fault.target.as_str();
        let service = self.services.iter().find(|s| s.service.name == target);
        let pods = || service.into_iter().flat_map(|s| &s.pods);
        match fault.kind {
            FaultKind::Crash => {
                pods().for_each(Pod::die);
                format!("{target} crashes, all copies of it")
            }
            FaultKind::Hang => {
                pods().for_each(|pod| pod.hangs.store(true, Ordering::Relaxed));
                format!("{target} hangs: it takes requests and never answers")
            }
            FaultKind::Slow => {
                pods().for_each(|pod| pod.slowness.store(20_000, Ordering::Relaxed));
                format!("the code of {target} takes 20 times as long")
            }
            FaultKind::Errors => {
                pods().for_each(|pod| pod.failing.store(700, Ordering::Relaxed));
                format!("the code of {target} fails in 7 of 10 requests")
            }
            FaultKind::CacheBreakdown => {
                self.caches
                    .iter()
                    .filter(|c| c.name == target)
                    .for_each(|c| c.hit.store(0, Ordering::Relaxed));
                format!("the cache {target} is empty and keeps nothing")
            }
            FaultKind::Surge => {
                self.traffic.store(6_000, Ordering::Relaxed);
                "six times as many requests come in".to_owned()
            }
            FaultKind::SlowDatabase | FaultKind::DeadDatabase => {
                let dead = fault.kind == FaultKind::DeadDatabase;
                for store in self.databases.iter().filter(|d| d.name == target) {
                    store.slowness.store(30_000, Ordering::Relaxed);
                    store.alive.store(!dead, Ordering::Relaxed);
                }
                let how = if dead { "is gone" } else { "takes 30 times as long" };
                format!("the database {target} {how}")
            }
            FaultKind::Network => {
                service.into_iter().for_each(|s| s.way_ms.store(400, Ordering::Relaxed));
                format!("the way to {target} takes 400 ms longer")
            }
            FaultKind::BadPod => {
                let bad = pods().next();
                bad.into_iter()
                    .for_each(|pod| pod.slowness.store(40_000, Ordering::Relaxed));
                format!("one copy of {target} is very slow: {}", bad.map_or("", |pod| &pod.name))
            }
            FaultKind::BadDeploy => {
                pods().step_by(2).for_each(|pod| {
                    *pod.version.lock().unwrap_or_else(PoisonError::into_inner) = "2.0.0".to_owned();
                    pod.failing.store(800, Ordering::Relaxed);
                });
                format!("version 2.0.0 of {target} is rolled out to half of its copies, and fails")
            }
            FaultKind::SlowNode => {
                let all = self
                    .services
                    .iter()
                    .flat_map(|s| &s.pods)
                    .filter(|pod| pod.node == target);
                all.for_each(|pod| pod.slowness.store(40_000, Ordering::Relaxed));
                format!("the machine {target} is very slow, with every copy on it")
            }
        }
    }

    /// Mends everything.
    pub(crate) fn mend(&self) {
        self.traffic.store(1000, Ordering::Relaxed);
        for running in &self.services {
            running.way_ms.store(0, Ordering::Relaxed);
            for pod in &running.pods {
                if pod.hangs.swap(false, Ordering::Relaxed) {
                    // Whoever mends a hung process restarts it.
                    pod.die();
                }
                pod.slowness.store(1000, Ordering::Relaxed);
                pod.failing.store(0, Ordering::Relaxed);
                *pod.version.lock().unwrap_or_else(PoisonError::into_inner) = "1.0.0".to_owned();
                pod.alive.store(true, Ordering::Relaxed);
            }
        }
        for (store, hit) in self.caches.iter().zip(self.scenario.caches.iter().map(|c| c.hit)) {
            store.hit.store((hit * 1000.0) as u64, Ordering::Relaxed);
        }
        for store in &self.databases {
            store.slowness.store(1000, Ordering::Relaxed);
            store.alive.store(true, Ordering::Relaxed);
        }
    }
}

impl Running {
    /// The copy that takes the next request: in turn, dead ones skipped; none when all are dead.
    pub(crate) fn next_pod(&self) -> Option<&Pod> {
        let first = self.next.fetch_add(1, Ordering::Relaxed);
        (0..self.pods.len())
            .map(|step| &self.pods[(first + step) % self.pods.len()])
            .find(|pod| pod.alive.load(Ordering::Relaxed))
    }
}

impl Pod {
    fn new(service: &Service, machine: &mut usize, rng: &mut fastrand::Rng) -> Self {
        *machine += 1;
        let tail: String = (0..5).map(|_| rng.lowercase()).collect();
        Self {
            name: format!("{}-{:08x}-{tail}", service.name.to_lowercase(), rng.u32(..)),
            node: format!("node-{}", *machine % NODES + 1),
            version: Mutex::new("1.0.0".to_owned()),
            workers: Semaphore::new(service.workers),
            waiting: AtomicUsize::new(0),
            alive: AtomicBool::new(true),
            life: AtomicU64::new(0),
            died: Notify::new(),
            hangs: AtomicBool::new(false),
            slowness: AtomicU64::new(1000),
            failing: AtomicU64::new(0),
            spans: Mutex::new(Vec::new()),
            dropped: AtomicU64::new(0),
        }
    }

    /// Dies, and takes with it what it was doing and what it had not sent.
    pub(crate) fn die(&self) {
        self.alive.store(false, Ordering::Relaxed);
        self.life.fetch_add(1, Ordering::Relaxed);
        self.spans.lock().unwrap_or_else(PoisonError::into_inner).clear();
        self.died.notify_waiters();
    }

    pub(crate) fn record(&self, life: u64, span: Span) {
        if self.life.load(Ordering::Relaxed) != life {
            return;
        }
        let mut spans = self.spans.lock().unwrap_or_else(PoisonError::into_inner);
        if spans.len() < EXPORT_QUEUE_MAX {
            spans.push(span);
        } else {
            self.dropped.fetch_add(1, Ordering::Relaxed);
        }
    }

    pub(crate) fn take_spans(&self) -> Vec<Span> {
        std::mem::take(&mut self.spans.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Store {
    fn new(name: &str, system: &str, workers: usize, work_ms: f64, hit: f64) -> Self {
        Self {
            name: name.to_owned(),
            system: system.to_owned(),
            workers: Semaphore::new(workers),
            work_ms,
            alive: AtomicBool::new(true),
            slowness: AtomicU64::new(1000),
            hit: AtomicU64::new((hit * 1000.0) as u64),
        }
    }
}
