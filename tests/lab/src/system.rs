//! What a simulated system is made of: services with operations, stores, queues, machines, and where requests come in.
//!
//! Everything refers to everything else by its index. Times are in milliseconds, rates in requests a second. Services are
//! in the order of their layers: an operation calls operations of later services only, so there are no circles.

mod draw;
mod load;
mod names;
mod reach;
mod shape;

pub(crate) use draw::{draw, log_uniform};
pub(crate) use load::{Rates, drowns_without_cache};
pub(crate) use names::tail as name_tail;

/// Index of an operation in [`System::ops`].
pub(crate) type OpId = usize;
/// Index of a service in [`System::services`].
pub(crate) type ServiceId = usize;
/// Index of a store in [`System::stores`].
pub(crate) type StoreId = usize;
/// Index of a queue in [`System::queues`].
pub(crate) type QueueId = usize;

/// A system as it was built.
#[derive(Clone, Debug)]
pub(crate) struct System {
    pub(crate) namespace: String,
    pub(crate) services: Vec<Service>,
    pub(crate) ops: Vec<Op>,
    pub(crate) stores: Vec<Store>,
    pub(crate) queues: Vec<Queue>,
    /// Machines, by name.
    pub(crate) nodes: Vec<String>,
    pub(crate) entries: Vec<Entry>,
}

/// How a service is called.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Protocol {
    Http,
    Grpc,
    /// Called by messages only.
    Messages,
}

/// How a service picks one of the callee's copies, seen from the callee: what stands before it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Balance {
    InTurn,
    AtRandom,
    LeastBusy,
}

/// A service.
#[derive(Clone, Debug)]
pub(crate) struct Service {
    pub(crate) name: String,
    /// What callers connect to.
    pub(crate) address: String,
    pub(crate) version: String,
    pub(crate) protocol: Protocol,
    pub(crate) balance: Balance,
    /// Writes the attribute names of semantic conventions before 1.21.
    pub(crate) old_conventions: bool,
    /// One thread a request: its span begins when a thread takes the request up, and the wait before is in no span of
    /// this service. Otherwise the span begins on arrival, and the wait is in it.
    pub(crate) is_threaded: bool,
    /// Writes an `exception` event into spans that fail by its own code.
    pub(crate) records_exceptions: bool,
    pub(crate) layer: usize,
    pub(crate) pods: usize,
    /// Requests a copy works on at once.
    pub(crate) workers: usize,
    /// Requests that wait in a copy before more are turned away.
    pub(crate) queue: usize,
    /// How often a copy's exporter sends.
    pub(crate) export_every_ms: f64,
    /// Share of requests that meet a pause of the process, such as a garbage collection.
    pub(crate) pauses: f64,
    pub(crate) ops: Vec<OpId>,
    /// The machines of its copies, in turn.
    pub(crate) nodes: Vec<usize>,
    /// Connections of a copy to each database it uses.
    pub(crate) pool: usize,
}

/// Something that a service can do.
#[derive(Clone, Debug)]
pub(crate) struct Op {
    pub(crate) service: ServiceId,
    /// `GET /a/{id}` for HTTP, `package.Service/Method` for gRPC.
    pub(crate) name: String,
    /// Typical time of its own.
    pub(crate) work_ms: f64,
    /// Spread of that time: of its logarithm.
    pub(crate) sigma: f64,
    /// Share of requests that fail for no reason, always.
    pub(crate) noise: f64,
    /// Has a span of its own inside of the process.
    pub(crate) has_internal: bool,
    pub(crate) steps: Vec<Step>,
}

/// One step of an operation.
#[derive(Clone, Debug)]
pub(crate) enum Step {
    /// Calls another service.
    Call(Call),
    /// Asks a database, directly or after a cache that did not know, or a third party.
    Ask(Ask),
    /// Puts a message into a queue and does not wait.
    Publish(QueueId),
    /// Several steps at once.
    Parallel(Vec<Step>),
}

/// A call of another service.
#[derive(Clone, Debug)]
pub(crate) struct Call {
    pub(crate) op: OpId,
    pub(crate) timeout_ms: f64,
    pub(crate) retries: u32,
    /// Pause before the first retry; doubles with each.
    pub(crate) back_off_ms: f64,
    /// Whether it can do without the answer.
    pub(crate) is_optional: bool,
    /// What is called instead when the call failed.
    pub(crate) fallback: Option<OpId>,
    /// How often it is made at all, 0 to 1.
    pub(crate) share: f64,
}

/// A question to a store.
#[derive(Clone, Debug)]
pub(crate) struct Ask {
    /// The cache that is asked first.
    pub(crate) cache: Option<StoreId>,
    pub(crate) store: StoreId,
    /// `SELECT x` for databases, `POST /x` for third parties.
    pub(crate) statement: String,
    pub(crate) timeout_ms: f64,
    pub(crate) share: f64,
}

/// What sends no spans.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum StoreKind {
    Database,
    Cache,
    External,
}

/// A database, a cache or a third party.
#[derive(Clone, Debug)]
pub(crate) struct Store {
    pub(crate) kind: StoreKind,
    /// Its address, as callers give it.
    pub(crate) address: String,
    /// `postgresql`, `redis`; of a third party nothing.
    pub(crate) system: &'static str,
    /// Name of the database in it.
    pub(crate) database: String,
    pub(crate) work_ms: f64,
    pub(crate) sigma: f64,
    /// Questions it works on at once.
    pub(crate) workers: usize,
    /// Share of look-ups that find something; caches only.
    pub(crate) hit: f64,
}

/// A queue of messages.
#[derive(Clone, Debug)]
pub(crate) struct Queue {
    pub(crate) name: String,
    pub(crate) system: &'static str,
    /// What is done with each message.
    pub(crate) consumer: OpId,
    /// Whether the consumer goes on in the trace of the sender, or begins its own with a link to it.
    pub(crate) same_trace: bool,
}

/// Where requests come in.
#[derive(Clone, Debug)]
pub(crate) struct Entry {
    pub(crate) op: OpId,
    /// Requests a second, at the usual time of day.
    pub(crate) rate: f64,
}

impl Service {
    /// The machines that its copies are on at first.
    pub(crate) fn machines(&self) -> impl Iterator<Item = usize> {
        self.nodes.iter().copied().cycle().take(self.pods)
    }
}

impl System {
    /// All steps of an operation, also those within parallel ones.
    pub(crate) fn steps(&self, op: OpId) -> Vec<&Step> {
        fn walk<'a>(steps: &'a [Step], into: &mut Vec<&'a Step>) {
            for step in steps {
                match step {
                    Step::Parallel(steps) => walk(steps, into),
                    step => into.push(step),
                }
            }
        }
        let mut all = Vec::new();
        walk(&self.ops[op].steps, &mut all);
        all
    }

    /// Calls made by an operation.
    pub(crate) fn calls(&self, op: OpId) -> impl Iterator<Item = &Call> {
        self.steps(op).into_iter().filter_map(|step| match step {
            Step::Call(call) => Some(call),
            _ => None,
        })
    }

    /// Questions asked by an operation.
    pub(crate) fn asks(&self, op: OpId) -> impl Iterator<Item = &Ask> {
        self.steps(op).into_iter().filter_map(|step| match step {
            Step::Ask(ask) => Some(ask),
            _ => None,
        })
    }

    /// Changes every call of the system.
    pub(crate) fn change_calls(&mut self, mut change: impl FnMut(&mut Call)) {
        fn walk(steps: &mut [Step], change: &mut dyn FnMut(&mut Call)) {
            for step in steps {
                match step {
                    Step::Parallel(steps) => walk(steps, change),
                    Step::Call(call) => change(call),
                    _ => {}
                }
            }
        }
        for op in &mut self.ops {
            walk(&mut op.steps, &mut change);
        }
    }

    /// Requests a second at every operation and questions a second at every store, nothing failing.
    pub(crate) fn rates(&self) -> Rates {
        load::rates(self)
    }

    /// Lets so few requests in that the whole system writes this many spans a second, if it wrote more.
    pub(crate) fn slow_down(&mut self, spans_per_s: f64) {
        let times = (spans_per_s / load::spans_per_s(self)).min(1.0);
        for entry in &mut self.entries {
            entry.rate *= times;
        }
    }
}

#[cfg(test)]
mod tests;
