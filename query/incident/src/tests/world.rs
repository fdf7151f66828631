//! A small system that makes spans: services that call each other and stores, and what can be wrong with them.
//!
//! Time is in milliseconds since the start of the world. Durations jitter by a hash of the request's number, so a run is
//! the same each time.

mod fault;
mod sent;

use epicenter_schema::SpanBatch;
pub(super) use fault::{Fault, Service};
pub(super) use sent::Sends;
use sent::{CLIENT, Made, batch, mix};

const MS: i64 = 1_000_000;
/// When the world began.
pub(super) const EPOCH_NS: i64 = 1_700_000_000_000_000_000;

const INTERNAL: i32 = 1;
const SERVER: i32 = 2;

pub(super) struct World {
    services: Vec<Service>,
    entries: Vec<&'static str>,
    spans: Vec<Made>,
    next: u64,
    trace: u64,
    faults: Vec<Fault>,
    /// An entry that is asked once in so many seconds, whatever the others are.
    pub(super) rare: Option<(&'static str, i64)>,
    /// A callee that is called by one request in so many only.
    pub(super) seldom: Option<(&'static str, u64)>,
    /// A service that, when a call fails, has its other calls cut before they arrive.
    pub(super) cuts: Option<&'static str>,
    /// Which spans are sent.
    pub(super) sends: Sends,
    /// A service whose hosts' clocks are ahead by so many milliseconds.
    pub(super) wrong_clock: Option<(&'static str, i64)>,
}

impl World {
    pub(super) fn new(services: &[(&'static str, f64, &[&'static str])]) -> Self {
        let entries = vec![services[0].0];
        let services: Vec<Service> = services
            .iter()
            .map(|(name, work_ms, calls)| Service {
                name,
                work_ms: *work_ms,
                calls: calls.to_vec(),
                pods: 3,
            })
            .collect();
        Self {
            services,
            entries,
            spans: Vec::new(),
            next: 0,
            trace: 0,
            faults: Vec::new(),
            rare: None,
            seldom: None,
            cuts: None,
            sends: Sends::All,
            wrong_clock: None,
        }
    }

    /// A second way in.
    pub(super) fn add_entry(&mut self, name: &'static str, work_ms: f64, calls: &[&'static str]) {
        self.services.push(Service {
            name,
            work_ms,
            calls: calls.to_vec(),
            pods: 3,
        });
        self.entries.push(name);
    }

    pub(super) fn set(&mut self, faults: &[Fault]) {
        self.faults = faults.to_vec();
    }

    /// One second of requests at the first service, as one batch a service, in the order of `shuffle`.
    pub(super) fn second(&mut self, second: i64, rate: u64, shuffle: u64) -> Vec<SpanBatch> {
        let surge = self.faults.iter().find_map(|f| {
            if let Fault::Surge(times) = f {
                Some(*times)
            } else {
                None
            }
        });
        let rate = (rate as f64 * surge.unwrap_or(1.0)) as u64;
        for number in 0..rate {
            self.trace += 1;
            let at = EPOCH_NS + second * 1000 * MS + (number * 1000 / rate) as i64 * MS;
            for entry in self.entries.clone() {
                let is_due = |every: i64| number == 0 && second % every == 0;
                if self.rare.is_some_and(|(rare, every)| rare == entry && !is_due(every)) {
                    continue;
                }
                self.serve(entry, 0, at);
                self.trace += 1;
            }
        }
        let mut spans = self.sends.of(std::mem::take(&mut self.spans));
        for span in &mut spans {
            let ahead = self.wrong_clock.filter(|(service, _)| *service == span.service);
            span.start += ahead.map_or(0, |(_, ms)| ms * MS);
        }
        spans.sort_by_key(|span| mix(span.id ^ shuffle.wrapping_mul(0x9e37_79b9)));
        if shuffle == 0 {
            spans.sort_by_key(|span| (span.service, span.start));
        }
        spans.chunks(17).map(batch).collect()
    }

    fn random(&mut self) -> f64 {
        self.next += 1;
        (mix(self.next) >> 11) as f64 / (1u64 << 53) as f64
    }

    fn jitter(&mut self, ms: f64) -> i64 {
        let factor = 0.8 + 0.4 * self.random();
        (ms * factor * MS as f64) as i64
    }

    fn extra(&self, name: &str, pod: u64) -> f64 {
        let of = |fault: &Fault| match fault {
            Fault::Slow(who, ms) if *who == name => *ms,
            Fault::SlowPod(who, bad, ms) if *who == name && *bad == pod => *ms,
            _ => 0.0,
        };
        self.faults.iter().map(of).sum()
    }

    /// A request at a service. Returns when it ended and whether it failed; `None` when nobody answers.
    fn serve(&mut self, name: &'static str, parent: u64, at: i64) -> Option<(i64, bool)> {
        if self.faults.contains(&Fault::Dead(name)) {
            return None;
        }
        let service = self.services.iter().find(|service| service.name == name)?.clone();
        self.next += 1;
        let id = self.next;
        let pod = (self.random() * service.pods as f64) as u64;
        let half = self.jitter((service.work_ms + self.extra(name, pod)) / 2.0);
        let mut now = at + half;
        let is_broken = self.faults.contains(&Fault::Broken(name));
        let mut failed = false;
        for callee in service.calls.iter().filter(|_| !is_broken) {
            if failed {
                self.cut(name, pod, id, callee, now);
                continue;
            }
            let is_left_out =
                |(seldom, one_in): (&str, u64)| seldom == *callee && !(self.trace / 2).is_multiple_of(one_in);
            if self.seldom.is_some_and(is_left_out) || self.faults.contains(&Fault::Unused(callee)) {
                continue;
            }
            let times = if self
                .faults
                .iter()
                .any(|f| matches!(f, Fault::CacheEmpty(_, db) if db == callee))
            {
                4
            } else {
                1
            };
            for _ in 0..times {
                let (end, error) = self.call(name, pod, id, callee, now);
                now = end;
                failed |= error;
            }
            if failed && self.cuts != Some(name) {
                break;
            }
        }
        let bad_version = self.faults.iter().find_map(|f| match f {
            Fault::BadVersion(who, share) if *who == name && pod == 0 => Some(*share),
            _ => None,
        });
        let share = self.faults.iter().find_map(|f| match f {
            Fault::Errors(who, share) if *who == name => Some(*share),
            _ => None,
        });
        let own = is_broken || self.random() < share.or(bad_version).unwrap_or(0.0005);
        now += self.jitter(service.work_ms / 2.0);
        let version = if bad_version.is_some() { "v2" } else { "v1" };
        self.push(Made {
            trace: self.trace,
            id,
            parent,
            service: name,
            pod,
            version,
            name: format!("GET /{name}"),
            kind: SERVER,
            start: at,
            duration: now - at,
            error: failed || own,
            peer: None,
        });
        Some((now, failed || own))
    }

    fn call(&mut self, caller: &'static str, pod: u64, parent: u64, callee: &'static str, at: i64) -> (i64, bool) {
        self.next += 1;
        let id = self.next;
        let network = self.faults.iter().find_map(|f| match f {
            Fault::Network(who, ms) if *who == callee => Some(*ms),
            _ => None,
        });
        let way = self.jitter(0.5 + network.unwrap_or(0.0) / 2.0);
        let (peer, end, error) = match callee.split_once(':') {
            Some((kind, store)) => {
                let usual = if kind == "cache" { 0.5 } else { 4.0 };
                let dead = self.faults.contains(&Fault::Dead(callee));
                let work = self.jitter(usual + self.extra(callee, 0));
                (
                    (if kind == "cache" { "cache" } else { "database" }, store),
                    at + work,
                    dead,
                )
            }
            None if self.is_lost(callee) => (("service", callee), at + MS, true),
            None => match self.serve(callee, id, at + way) {
                Some((end, error)) => (("service", callee), end + way, error),
                None => (("service", callee), at + MS, true),
            },
        };
        if callee.contains(':') && self.random() < 0.2 {
            let inner = self.next + 1;
            self.next = inner;
            self.push(Made {
                trace: self.trace,
                id: inner,
                parent: id,
                service: caller,
                pod,
                version: "v1",
                name: "connect".to_owned(),
                kind: INTERNAL,
                start: at,
                duration: (end - at) / 4,
                error: error && self.faults.contains(&Fault::Dead(callee)),
                peer: None,
            });
        }
        self.push(Made {
            id,
            start: at,
            duration: end - at,
            error,
            peer: Some(peer),
            ..self.made_call(caller, pod, parent, callee)
        });
        (end, error)
    }

    /// A call that fails at once, for others to say more of.
    fn made_call(&self, caller: &'static str, pod: u64, parent: u64, callee: &'static str) -> Made {
        Made {
            trace: self.trace,
            id: self.next,
            parent,
            service: caller,
            pod,
            version: "v1",
            name: format!("call {callee}"),
            kind: CLIENT,
            start: 0,
            duration: MS,
            error: true,
            peer: Some(("service", callee)),
        }
    }

    /// A call to a service that does not arrive.
    fn cut(&mut self, caller: &'static str, pod: u64, parent: u64, callee: &'static str, at: i64) {
        self.next += 1;
        self.push(Made {
            start: at,
            ..self.made_call(caller, pod, parent, callee)
        });
    }

    fn is_lost(&mut self, callee: &str) -> bool {
        let share = self.faults.iter().find_map(|f| match f {
            Fault::Lossy(who, share) if *who == callee => Some(*share),
            _ => None,
        });
        share.is_some_and(|share| self.random() < share)
    }

    fn push(&mut self, span: Made) {
        self.spans.push(span);
    }
}
