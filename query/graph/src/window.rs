//! What happened in a stretch of time, as counts and sketches that add up: two windows of different time, or of
//! different machines, merge into one by addition.

use crate::names::{NameId, Names};
use crate::record::PeerKind;
use crate::sample::Sample;
use crate::sketch::Sketch;
use crate::weight::Weight;
use epicenter_schema::{SpanKind, TraceId};
use hashbrown::HashMap;
use std::borrow::Cow;

/// Exemplar traces kept of each sort.
const EXEMPLARS_MAX: usize = 2;
/// Distinct operations, edges and dimension values of one window; what goes beyond is counted in `overflowed`.
const KEYS_MAX: usize = 400_000;
/// Distinct values of one dimension of one service in a window; what goes beyond is counted in `overflowed`.
const VALUES_MAX: u32 = 2_000;
/// Words that something may be called by.
const WORDS_MAX: usize = 8;
/// Distinct children remembered of one operation.
const CHILDREN_MAX: usize = 256;

/// An operation: what a service does under one span name.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct OpKey {
    /// The service.
    pub service: NameId,
    /// The span's name.
    pub name: NameId,
    /// The span's kind.
    pub kind: SpanKind,
}

/// Who is called.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub enum Callee {
    /// A service whose span answers the call.
    Service(NameId),
    /// Somebody known only by the name that the caller gives.
    Peer(PeerKind, NameId),
}

/// Calls from one operation to one callee.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct EdgeKey {
    /// The service that calls.
    pub caller: NameId,
    /// The name of the client span.
    pub via: NameId,
    /// Who is called.
    pub callee: Callee,
}

/// A property of instances along which badness may gather.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub enum Dimension {
    /// The running copy.
    Instance,
    /// The machine.
    Node,
    /// The version.
    Version,
    /// The container image, with its tag.
    Image,
    /// The Kubernetes namespace, else that of the service.
    Namespace,
    /// The availability zone, else the region.
    Zone,
    /// The Kubernetes cluster.
    Cluster,
    /// The deployment, stateful set, daemon set or job.
    Workload,
    /// The deployment environment.
    Environment,
    /// A label of the pod, by the label's name.
    Label(NameId),
}

impl Dimension {
    /// The word used in APIs; `label.` and the label's name for labels.
    pub fn name(self, names: &Names) -> Cow<'static, str> {
        Cow::Borrowed(match self {
            Self::Instance => "instance",
            Self::Node => "node",
            Self::Version => "version",
            Self::Image => "image",
            Self::Namespace => "namespace",
            Self::Zone => "zone",
            Self::Cluster => "cluster",
            Self::Workload => "workload",
            Self::Environment => "environment",
            Self::Label(label) => return Cow::Owned(format!("label.{}", names.get(label))),
        })
    }
}

/// A service under one value of a dimension.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct DimensionKey {
    /// The service.
    pub service: NameId,
    /// The dimension.
    pub dimension: Dimension,
    /// Its value.
    pub value: NameId,
}

/// Which way messages go.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub enum Direction {
    /// From a service into a queue.
    Publish,
    /// From a queue to a service.
    Deliver,
}

/// Messages between a service and a queue.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct FlowKey {
    /// The service.
    pub service: NameId,
    /// The queue.
    pub queue: NameId,
    /// Which way.
    pub direction: Direction,
}

/// Counts of messages between a service and a queue.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct FlowStats {
    /// Technology of the queue.
    pub system: Words,
    /// Messages, or batches of them: spans.
    pub count: u64,
    /// Those whose span failed.
    pub errors: u64,
    /// The same, with the spans that sampling left out.
    pub weighed: Weighed,
    /// How long publishing, or processing, took.
    pub duration: Sketch,
    /// The slowest.
    pub slowest: Exemplars,
    /// Failed ones.
    pub failed: Exemplars,
}

/// What something is called by most, of a few words.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Words(Tally<NameId>);

/// Requests as they were before sampling, as far as senders tell.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Weighed {
    /// All.
    pub count: Weight,
    /// Failed ones.
    pub errors: Weight,
}

impl Weighed {
    pub(crate) fn add(&mut self, weight: Weight, failed: bool) {
        self.count += weight;
        self.errors += weight.when(failed);
    }

    pub(crate) fn merge(&mut self, other: Self) {
        self.count += other.count;
        self.errors += other.errors;
    }
}

/// How often each of a few things was, in little room: most have one or two.
#[derive(Clone, Debug, PartialEq)]
pub struct Tally<K>(Vec<(K, u64)>);

impl<K> Default for Tally<K> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

impl<K: Copy + Ord> Tally<K> {
    /// Counts a thing, if it is known or there are fewer than `max` others.
    fn add(&mut self, key: K, count: u64, max: usize) {
        match self.0.binary_search_by_key(&key, |(known, _)| *known) {
            Ok(at) => self.0[at].1 += count,
            Err(at) if self.0.len() < max => {
                if self.0.is_empty() {
                    self.0.reserve_exact(1);
                }
                self.0.insert(at, (key, count));
            }
            Err(_) => {}
        }
    }

    fn merge(&mut self, other: &Self, max: usize) {
        other.0.iter().for_each(|(key, count)| self.add(*key, *count, max));
    }

    /// How often it was; none for never.
    pub fn get(&self, key: &K) -> Option<&u64> {
        let at = self.0.binary_search_by_key(key, |(known, _)| *known).ok()?;
        Some(&self.0[at].1)
    }

    /// The things of either, each with how often it was here and there, in no order that means anything.
    pub fn beside<'a>(&'a self, other: &'a Self) -> impl Iterator<Item = (K, u64, u64)> + 'a {
        let (mut here, mut there) = (self.0.as_slice(), other.0.as_slice());
        std::iter::from_fn(move || {
            let (a, b) = (here.first(), there.first());
            let key = match (a, b) {
                (Some(a), Some(b)) => a.0.min(b.0),
                (a, b) => a.or(b)?.0,
            };
            let take = |rest: &mut &'a [(K, u64)]| match rest.split_first() {
                Some(((first, count), others)) if *first == key => {
                    *rest = others;
                    *count
                }
                _ => 0,
            };
            Some((key, take(&mut here), take(&mut there)))
        })
    }

    /// The things, in no order that means anything.
    pub fn keys(&self) -> impl Iterator<Item = &K> {
        self.0.iter().map(|(key, _)| key)
    }

    /// The things with how often they were.
    pub fn iter(&self) -> impl Iterator<Item = (&K, &u64)> {
        self.0.iter().map(|(key, count)| (key, count))
    }
}

/// A few traces that show something: the largest by a measure, ties by id.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Exemplars {
    kept: [(i64, TraceId); EXEMPLARS_MAX],
    count: usize,
}

impl Exemplars {
    /// Offers a trace with its measure.
    pub fn offer(&mut self, measure: i64, trace: TraceId) {
        if self.count == EXEMPLARS_MAX && self.kept[EXEMPLARS_MAX - 1].0 > measure {
            return;
        }
        let mut offered = (measure, trace);
        if let Some(same) = self.kept[..self.count].iter_mut().find(|(_, kept)| *kept == trace) {
            // A trace that shows it several times counts by the most telling.
            same.0 = same.0.max(measure);
            self.kept[..self.count].sort_by(Self::order);
            return;
        }
        for kept in &mut self.kept[..self.count] {
            if Self::order(&offered, kept).is_lt() {
                std::mem::swap(&mut offered, kept);
            }
        }
        if self.count < EXEMPLARS_MAX {
            self.kept[self.count] = offered;
            self.count += 1;
        }
    }

    fn order(a: &(i64, TraceId), b: &(i64, TraceId)) -> std::cmp::Ordering {
        b.0.cmp(&a.0).then(a.1.0.cmp(&b.1.0))
    }

    fn merge(&mut self, other: &Self) {
        for (measure, trace) in &other.kept[..other.count] {
            self.offer(*measure, *trace);
        }
    }

    /// The traces, the most telling first.
    pub fn traces(&self) -> impl Iterator<Item = TraceId> {
        self.kept[..self.count].iter().map(|(_, trace)| *trace)
    }
}

/// Counts of one operation.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct OpStats {
    /// Spans.
    pub count: u64,
    /// Spans that failed.
    pub errors: u64,
    /// Spans that complain (failed, or logged an error) with no complaint below them.
    pub own_complaints: u64,
    /// Spans without a parent.
    pub roots: u64,
    /// Spans through which the service is entered: the parent is absent or of another service.
    pub entries: u64,
    /// Time not spent in children, of spans that call nobody remote.
    pub self_time: Sketch,
    /// Entries that failed.
    pub entry_errors: u64,
    /// Entries as they were before sampling.
    pub weighed: Weighed,
    /// Durations of entries.
    pub duration: Sketch,
    /// How many spans have a child of that service and name.
    pub children: Tally<(NameId, NameId)>,
    /// Which service did the last child of how many spans; the empty name for spans without children.
    pub last_child: Tally<NameId>,
    /// The slowest by self time, or by duration for entries.
    pub slowest: Exemplars,
    /// Failed ones.
    pub failed: Exemplars,
    /// Entries that did not fail, picked by chance.
    pub good: Sample,
}

/// Counts of one edge.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct EdgeStats {
    /// Protocol of the calls.
    pub protocol: Words,
    /// Technology of the callee.
    pub system: Words,
    /// Calls.
    pub count: u64,
    /// Calls that failed.
    pub errors: u64,
    /// Failed calls with no complaint below them: nobody deeper is to blame.
    pub own_errors: u64,
    /// Calls with no span behind them.
    pub unanswered: u64,
    /// Failed calls with no span behind them.
    pub unanswered_errors: u64,
    /// Calls whose client span has no parent and no child: they are compared in sum only.
    pub loose: u64,
    /// Calls that put a message into a queue, which are counted as a flow too.
    pub queued: u64,
    /// Calls as they were before sampling.
    pub weighed: Weighed,
    /// Durations at the caller.
    pub client: Sketch,
    /// Durations at the caller less those at the callee.
    pub gap: Sketch,
    /// The slowest.
    pub slowest: Exemplars,
    /// Failed ones.
    pub failed: Exemplars,
}

/// Counts of a service under one value of a dimension.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct DimensionStats {
    /// Spans.
    pub spans: u64,
    /// Entry spans.
    pub entries: u64,
    /// Entry spans that failed.
    pub entry_errors: u64,
    /// Spans that complain with no complaint below them.
    pub own_complaints: u64,
    /// Sum of the self times of all spans, in nanoseconds.
    pub self_ns: u64,
    /// Entries as they were before sampling.
    pub weighed: Weighed,
}

impl DimensionStats {
    fn merge(&mut self, other: &Self) {
        self.spans += other.spans;
        self.entries += other.entries;
        self.entry_errors += other.entry_errors;
        self.own_complaints += other.own_complaints;
        self.self_ns += other.self_ns;
        self.weighed.merge(other.weighed);
    }
}

/// What became of the spans of a stretch of time. Nothing that was received is missing without being counted here.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct SpanCounts {
    /// Spans in the window.
    pub counted: u64,
    /// Of those, the ones whose parent was not received: another service is not traced, or the span was lost.
    pub orphaned: u64,
    /// Of those, the ones that stand for more than themselves, because senders keep one in so many.
    pub sampled: u64,
    /// Of those, the ones that came after the window had been judged.
    pub late: u64,
    /// The same span again, sent twice: counted once.
    pub repeated: u64,
    /// Not in the window: too late, or beyond what is held at once.
    pub dropped: u64,
}

impl SpanCounts {
    /// Adds others.
    pub fn merge(&mut self, other: Self) {
        self.counted += other.counted;
        self.orphaned += other.orphaned;
        self.sampled += other.sampled;
        self.late += other.late;
        self.repeated += other.repeated;
        self.dropped += other.dropped;
    }
}

/// A stretch of time.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Window {
    /// Operations.
    pub ops: HashMap<OpKey, OpStats>,
    /// Edges.
    pub edges: HashMap<EdgeKey, EdgeStats>,
    /// Dimensions.
    pub dimensions: HashMap<DimensionKey, DimensionStats>,
    /// How many values the dimensions have.
    values: HashMap<(NameId, Dimension), u32>,
    /// Messages.
    pub flows: HashMap<FlowKey, FlowStats>,
    /// Traces that ended here.
    pub traces: u64,
    /// Spans in them.
    pub spans: u64,
    /// What became of the spans.
    pub accounts: SpanCounts,
    /// Counts lost to [`KEYS_MAX`].
    pub overflowed: u64,
}

impl Window {
    /// Operations in the order of their names.
    pub fn ops_sorted(&self, names: &Names) -> Vec<(OpKey, &OpStats)> {
        let mut ops: Vec<_> = self.ops.iter().map(|(key, stats)| (*key, stats)).collect();
        ops.sort_unstable_by_key(|(key, _)| (names.get(key.service), names.get(key.name), key.kind));
        ops
    }

    /// Edges in the order of their names.
    pub fn edges_sorted(&self, names: &Names) -> Vec<(EdgeKey, &EdgeStats)> {
        let mut edges: Vec<_> = self.edges.iter().map(|(key, stats)| (*key, stats)).collect();
        edges.sort_unstable_by_key(|(key, _)| {
            let (rank, name) = match key.callee {
                Callee::Service(name) => (None, name),
                Callee::Peer(kind, name) => (Some(kind), name),
            };
            (names.get(key.caller), rank, names.get(name), names.get(key.via))
        });
        edges
    }

    /// Flows in the order of their names.
    pub fn flows_sorted(&self, names: &Names) -> Vec<(FlowKey, &FlowStats)> {
        let mut flows: Vec<_> = self.flows.iter().map(|(key, stats)| (*key, stats)).collect();
        flows.sort_unstable_by_key(|(key, _)| (names.get(key.service), names.get(key.queue), key.direction));
        flows
    }

    /// Dimensions in the order of their names.
    pub fn dimensions_sorted(&self, names: &Names) -> Vec<(DimensionKey, DimensionStats)> {
        let mut all: Vec<_> = self.dimensions.iter().map(|(key, stats)| (*key, *stats)).collect();
        all.sort_by_cached_key(|(key, _)| {
            let dimension = key.dimension.name(names);
            (names.get(key.service).clone(), dimension, names.get(key.value).clone())
        });
        all
    }

    pub(crate) fn op(&mut self, key: OpKey) -> Option<&mut OpStats> {
        entry(&mut self.ops, key, &mut self.overflowed)
    }

    pub(crate) fn edge(&mut self, key: EdgeKey) -> Option<&mut EdgeStats> {
        entry(&mut self.edges, key, &mut self.overflowed)
    }

    pub(crate) fn flow(&mut self, key: FlowKey) -> Option<&mut FlowStats> {
        entry(&mut self.flows, key, &mut self.overflowed)
    }

    pub(crate) fn add_dimension(&mut self, key: DimensionKey, stats: &DimensionStats) {
        if !self.dimensions.contains_key(&key) {
            let values = self.values.entry((key.service, key.dimension)).or_default();
            if *values >= VALUES_MAX {
                self.overflowed += 1;
                return;
            }
            *values += 1;
        }
        if let Some(mine) = entry(&mut self.dimensions, key, &mut self.overflowed) {
            mine.merge(stats);
        }
    }

    /// Adds another window.
    pub fn merge(&mut self, other: &Self) {
        self.traces += other.traces;
        self.spans += other.spans;
        self.overflowed += other.overflowed;
        for (key, stats) in &other.ops {
            if let Some(mine) = self.op(*key) {
                mine.merge(stats);
            }
        }
        for (key, stats) in &other.edges {
            if let Some(mine) = self.edge(*key) {
                mine.merge(stats);
            }
        }
        for (key, stats) in &other.dimensions {
            self.add_dimension(*key, stats);
        }
        for (key, stats) in &other.flows {
            if let Some(mine) = self.flow(*key) {
                mine.merge(stats);
            }
        }
        self.accounts.merge(other.accounts);
    }
}

fn entry<'a, K: Eq + std::hash::Hash, V: Default>(
    map: &'a mut HashMap<K, V>,
    key: K,
    overflowed: &mut u64,
) -> Option<&'a mut V> {
    if map.len() >= KEYS_MAX && !map.contains_key(&key) {
        *overflowed += 1;
        return None;
    }
    Some(map.entry(key).or_default())
}

impl OpStats {
    pub(crate) fn child(&mut self, service: NameId, name: NameId) {
        self.children.add((service, name), 1, CHILDREN_MAX);
    }

    pub(crate) fn last_child(&mut self, service: NameId) {
        self.last_child.add(service, 1, CHILDREN_MAX);
    }

    /// Adds those of another stretch of time.
    pub fn merge(&mut self, other: &Self) {
        self.count += other.count;
        self.errors += other.errors;
        self.own_complaints += other.own_complaints;
        self.roots += other.roots;
        self.entries += other.entries;
        self.entry_errors += other.entry_errors;
        self.weighed.merge(other.weighed);
        self.self_time.merge(&other.self_time);
        self.duration.merge(&other.duration);
        self.children.merge(&other.children, CHILDREN_MAX);
        self.last_child.merge(&other.last_child, CHILDREN_MAX);
        self.slowest.merge(&other.slowest);
        self.failed.merge(&other.failed);
        self.good.merge(&other.good);
    }
}

impl Words {
    /// Counts a word; none is counted for the empty one.
    pub(crate) fn add(&mut self, word: NameId, count: u64) {
        if word != Names::NONE {
            self.0.add(word, count, WORDS_MAX);
        }
    }

    fn merge(&mut self, other: &Self) {
        self.0.merge(&other.0, WORDS_MAX);
    }

    /// The most frequent one, of equals the first by name.
    pub fn most<'a>(&self, names: &'a Names) -> Option<&'a str> {
        let word = |id: &NameId| names.get(*id).as_ref();
        let most = self
            .0
            .iter()
            .max_by_key(|(id, count)| (**count, std::cmp::Reverse(word(id))));
        most.map(|(id, _)| word(id))
    }
}

impl FlowStats {
    fn merge(&mut self, other: &Self) {
        self.system.merge(&other.system);
        self.count += other.count;
        self.errors += other.errors;
        self.weighed.merge(other.weighed);
        self.duration.merge(&other.duration);
        self.slowest.merge(&other.slowest);
        self.failed.merge(&other.failed);
    }
}

impl EdgeStats {
    /// Adds those of another stretch of time.
    pub fn merge(&mut self, other: &Self) {
        self.protocol.merge(&other.protocol);
        self.system.merge(&other.system);
        self.count += other.count;
        self.errors += other.errors;
        self.own_errors += other.own_errors;
        self.unanswered += other.unanswered;
        self.unanswered_errors += other.unanswered_errors;
        self.loose += other.loose;
        self.queued += other.queued;
        self.weighed.merge(other.weighed);
        self.client.merge(&other.client);
        self.gap.merge(&other.gap);
        self.slowest.merge(&other.slowest);
        self.failed.merge(&other.failed);
    }
}
