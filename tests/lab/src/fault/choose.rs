//! Draws whom a change hits and how hard. Whether it is felt is found out by trying it; later attempts hit harder.

use super::{Fault, How, Kind};
use crate::system::{OpId, Protocol, ServiceId, StoreId, StoreKind, System, drowns_without_cache};

/// Share of all requests that a place must see to be worth breaking.
const SHARE_MIN: f64 = 0.05;
/// How much harder each attempt hits.
const HARDER: f64 = 1.35;

/// A fault of a kind, or `None` when the system has nothing that can break like that.
pub(crate) fn choose(kind: Kind, system: &System, attempt: u32, rng: &mut fastrand::Rng) -> Option<Fault> {
    let mut choice = Choice {
        hardness: HARDER.powi(i32::try_from(attempt).unwrap_or(8).min(8)),
        rates: system.rates(),
        arrivals: system.entries.iter().map(|entry| entry.rate).sum(),
        fault: Fault {
            kind,
            service: 0,
            op: None,
            store: 0,
            cache: 0,
            node: 0,
            caller: None,
            entry: None,
            pods: 0,
            version: String::new(),
            how: How::Gone,
        },
        system,
        rng,
    };
    choice.make()?;
    Some(choice.fault)
}

struct Choice<'a> {
    system: &'a System,
    rates: crate::system::Rates,
    arrivals: f64,
    hardness: f64,
    fault: Fault,
    rng: &'a mut fastrand::Rng,
}

impl Choice<'_> {
    fn make(&mut self) -> Option<()> {
        match self.fault.kind {
            Kind::Crash => self.a_service(1)?,
            Kind::Hang => {
                self.a_service(1)?;
                self.fault.how = How::Hangs;
            }
            Kind::SlowCode | Kind::Errors => {
                let op = self.an_op(1)?;
                self.fault.service = self.system.ops[op].service;
                self.fault.op = Some(op);
                self.fault.how = if self.fault.kind == Kind::Errors {
                    self.share(0.25, 1.0)
                } else {
                    self.slowness()
                };
            }
            Kind::CacheBreakdown => self.a_cache()?,
            Kind::TrafficSurge => {
                let busiest = |system: &System, rng: &mut fastrand::Rng| rng.usize(..system.entries.len());
                if self.rng.f64() < 0.6 {
                    self.fault.entry = Some(busiest(self.system, self.rng));
                }
                self.fault.how = self.times(2.5, 5.0, 12.0);
            }
            Kind::NodeDead | Kind::NodeSlow => self.a_node()?,
            Kind::BadPod => {
                self.a_service(2)?;
                self.fault.pods = 1;
                self.fault.how = self.badness();
                if self.rng.f64() < 0.25 {
                    self.fault.how = How::Hangs;
                }
            }
            Kind::BadDeploy => {
                self.a_service(2)?;
                self.fault.pods = 1 + self.rng.usize(..self.pods() - 1);
                self.fault.version = self.next_version();
                self.fault.how = self.badness();
            }
            Kind::SlowDatabase | Kind::DeadDatabase => self.a_store(StoreKind::Database)?,
            Kind::SlowExternal | Kind::DeadExternal => self.a_store(StoreKind::External)?,
            Kind::NetworkDelay | Kind::NetworkLoss => self.a_way()?,
            Kind::RetryStorm => {
                self.a_service(1)?;
                self.fault.how = self.times(2.5, 7.0, 25.0);
            }
            Kind::HealthyDeploy => {
                self.a_service(1)?;
                self.fault.pods = self.pods();
                self.fault.version = self.next_version();
            }
            Kind::NewService | Kind::Day => self.a_service(1)?,
            Kind::PodRestart => {
                self.a_service(2)?;
                self.fault.pods = 1;
            }
            Kind::Calm | Kind::Growth | Kind::DailyRhythm | Kind::QuietNight => {}
        }
        Some(())
    }

    fn pods(&self) -> usize {
        self.system.services[self.fault.service].pods
    }

    /// Operations that see enough requests, of services with enough copies. The first layer is hit more rarely.
    fn an_op(&mut self, pods: usize) -> Option<OpId> {
        // The way from visitors to an entry is in no span, and an entry is no new service.
        let never = matches!(
            self.fault.kind,
            Kind::NewService | Kind::Day | Kind::NetworkDelay | Kind::NetworkLoss
        );
        let with_entries = self.rng.f64() < 0.1 && !never;
        let fits = |op: &OpId| {
            let service = &self.system.services[self.system.ops[*op].service];
            service.protocol != Protocol::Messages
                && service.pods >= pods
                && (service.layer > 0 || with_entries)
                && self.rates.ops[*op] >= SHARE_MIN * self.arrivals
        };
        let those: Vec<OpId> = (0..self.system.ops.len()).filter(fits).collect();
        (!those.is_empty()).then(|| those[self.rng.usize(..those.len())])
    }

    fn a_service(&mut self, pods: usize) -> Option<()> {
        let op = self.an_op(pods)?;
        self.fault.service = self.system.ops[op].service;
        Some(())
    }

    fn a_store(&mut self, kind: StoreKind) -> Option<()> {
        let fits =
            |id: &StoreId| self.system.stores[*id].kind == kind && self.rates.stores[*id] >= SHARE_MIN * self.arrivals;
        let those: Vec<StoreId> = (0..self.system.stores.len()).filter(fits).collect();
        self.fault.store = *those.get(self.rng.usize(..those.len().max(1)))?;
        self.fault.how = match self.fault.kind {
            Kind::SlowDatabase | Kind::SlowExternal => self.times(8.0, 50.0, 400.0),
            _ if self.rng.f64() < 0.3 => How::Hangs,
            _ => How::Gone,
        };
        Some(())
    }

    /// A cache whose database drowns without it.
    fn a_cache(&mut self) -> Option<()> {
        let mut pairs: Vec<(StoreId, StoreId)> = Vec::new();
        for op in 0..self.system.ops.len() {
            for ask in self.system.asks(op) {
                if let Some(cache) = ask.cache
                    && drowns_without_cache(self.system, &self.rates, ask.store)
                    && self.rates.stores[cache] >= SHARE_MIN * self.arrivals
                    && !pairs.contains(&(cache, ask.store))
                {
                    pairs.push((cache, ask.store));
                }
            }
        }
        (self.fault.cache, self.fault.store) = *pairs.get(self.rng.usize(..pairs.len().max(1)))?;
        self.fault.how = if self.rng.f64() < 0.3 {
            How::Gone
        } else {
            How::Share(1.0)
        };
        Some(())
    }

    /// A machine with copies of at least two services that see enough requests: with one alone nobody could tell the machine
    /// from the copy.
    fn a_node(&mut self) -> Option<()> {
        let system = self.system;
        let homes = |node: usize| {
            let is_on_it = move |id: &ServiceId| system.services[*id].machines().any(|machine| machine == node);
            let services = (0..system.services.len()).filter(is_on_it);
            services.collect::<Vec<ServiceId>>()
        };
        let busy = |id: &ServiceId| {
            let service = &self.system.services[*id];
            let rate: f64 = service.ops.iter().map(|op| self.rates.ops[*op]).sum();
            rate >= SHARE_MIN * self.arrivals && service.protocol != Protocol::Messages
        };
        let those: Vec<usize> = (0..self.system.nodes.len())
            .filter(|node| {
                let homes = homes(*node);
                homes.iter().filter(|id| busy(id)).count() >= 2
            })
            .collect();
        self.fault.node = *those.get(self.rng.usize(..those.len().max(1)))?;
        if self.fault.kind == Kind::NodeSlow {
            self.fault.how = self.times(8.0, 50.0, 200.0);
        }
        Some(())
    }

    /// The way to a service, from all its callers or from one.
    fn a_way(&mut self) -> Option<()> {
        self.a_service(1)?;
        let callee = self.fault.service;
        if self.rng.f64() < 0.4 {
            let callers: Vec<ServiceId> = (0..self.system.ops.len())
                .filter(|op| self.rates.ops[*op] >= SHARE_MIN * self.arrivals)
                .filter(|op| {
                    self.system
                        .calls(*op)
                        .any(|call| self.system.ops[call.op].service == callee)
                })
                .map(|op| self.system.ops[op].service)
                .collect();
            self.fault.caller = callers.get(self.rng.usize(..callers.len().max(1))).copied();
        }
        self.fault.how = if self.fault.kind == Kind::NetworkDelay {
            How::Longer((crate::system::log_uniform(self.rng, 60.0, 600.0) * self.hardness).min(2000.0))
        } else {
            self.share(0.08, 0.45)
        };
        Some(())
    }

    fn times(&mut self, low: f64, high: f64, most: f64) -> How {
        How::Times((crate::system::log_uniform(self.rng, low, high) * self.hardness).min(most))
    }

    fn share(&mut self, low: f64, high: f64) -> How {
        let share = low + (high - low) * self.rng.f64();
        How::Share((share * self.hardness).min(high.max(0.6)))
    }

    fn slowness(&mut self) -> How {
        if self.rng.f64() < 0.5 {
            self.times(10.0, 60.0, 400.0)
        } else {
            How::Longer((crate::system::log_uniform(self.rng, 100.0, 1500.0) * self.hardness).min(5000.0))
        }
    }

    fn badness(&mut self) -> How {
        if self.rng.f64() < 0.5 {
            self.share(0.4, 1.0)
        } else {
            self.slowness()
        }
    }

    fn next_version(&mut self) -> String {
        let now = &self.system.services[self.fault.service].version;
        let mut parts = now.split('.').map(|part| part.parse::<u32>().unwrap_or(0));
        let (major, minor) = (parts.next().unwrap_or(0), parts.next().unwrap_or(0));
        format!("{major}.{}.{}", minor + 1, self.rng.u32(..5))
    }
}
