//! What happened in a stretch of time, as counts and sketches that add up: two windows of different time, or of
//! different machines, merge into one by addition. By what is counted: `key`; what of each: `stats`.

mod exemplars;
mod key;
mod stats;
mod tally;

pub use exemplars::Exemplars;
pub use key::{Callee, Dimension, DimensionKey, Direction, EdgeKey, FlowKey, OpKey};
pub use stats::{DimensionStats, EdgeStats, FlowStats, OpStats, Weighed};
pub use tally::{Tally, Words};

use crate::names::{NameId, Names};
use hashbrown::HashMap;

/// Distinct operations, edges and dimension values of one window; what goes beyond is counted in `overflowed`.
const KEYS_MAX: usize = 400_000;
/// Distinct values of one dimension of one service in a window; what goes beyond is counted in `overflowed`.
const VALUES_MAX: u32 = 2_000;

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

/// How much a window holds: the next one probably needs as much room.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Room {
    ops: usize,
    edges: usize,
    dimensions: usize,
    values: usize,
    flows: usize,
}

impl Window {
    /// An empty one with room for so much.
    pub(crate) fn with_room(room: Room) -> Self {
        Self {
            ops: HashMap::with_capacity(room.ops),
            edges: HashMap::with_capacity(room.edges),
            dimensions: HashMap::with_capacity(room.dimensions),
            values: HashMap::with_capacity(room.values),
            flows: HashMap::with_capacity(room.flows),
            ..Self::default()
        }
    }

    pub(crate) fn room(&self) -> Room {
        Room {
            ops: self.ops.len(),
            edges: self.edges.len(),
            dimensions: self.dimensions.len(),
            values: self.values.len(),
            flows: self.flows.len(),
        }
    }

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
        if let Some(mine) = self.dimensions.get_mut(&key) {
            mine.merge(stats);
            return;
        }
        let values = self.values.entry((key.service, key.dimension)).or_default();
        if *values >= VALUES_MAX || self.dimensions.len() >= KEYS_MAX {
            self.overflowed += 1;
            return;
        }
        *values += 1;
        self.dimensions.insert(key, *stats);
    }

    /// Adds another window. Where there is no room for all of its keys, those with the lowest numbers of names come first.
    pub fn merge(&mut self, other: &Self) {
        self.traces += other.traces;
        self.spans += other.spans;
        self.overflowed += other.overflowed;
        let has_room = |mine: usize, more: usize| mine + more <= KEYS_MAX;
        let is_ordered = !has_room(self.ops.len(), other.ops.len());
        for_each(&other.ops, is_ordered, |key, stats| {
            if let Some(mine) = self.op(key) {
                mine.merge(stats);
            }
        });
        let is_ordered = !has_room(self.edges.len(), other.edges.len());
        for_each(&other.edges, is_ordered, |key, stats| {
            if let Some(mine) = self.edge(key) {
                mine.merge(stats);
            }
        });
        self.add_dimensions(other);
        let is_ordered = !has_room(self.flows.len(), other.flows.len());
        for_each(&other.flows, is_ordered, |key, stats| {
            if let Some(mine) = self.flow(key) {
                mine.merge(stats);
            }
        });
        self.accounts.merge(other.accounts);
    }

    /// Adds what another window says of copies, versions and machines, and of how many requests each of those seen stands for.
    pub fn merge_dimensions(&mut self, other: &Self) {
        self.spans += other.spans;
        let has_room = |mine: usize, more: usize| mine + more <= KEYS_MAX;
        for_each(&other.ops, !has_room(self.ops.len(), other.ops.len()), |key, stats| {
            if let Some(mine) = self.op(key) {
                mine.entries += stats.entries;
                mine.weighed.merge(stats.weighed);
            }
        });
        self.add_dimensions(other);
        self.accounts.merge(other.accounts);
    }

    fn add_dimensions(&mut self, other: &Self) {
        let has_room = self.dimensions.len() + other.dimensions.len() <= KEYS_MAX && self.has_room_for_values(other);
        for_each(&other.dimensions, !has_room, |key, stats| {
            self.add_dimension(key, stats)
        });
    }

    /// Whether no dimension can come to have too many values.
    fn has_room_for_values(&self, other: &Self) -> bool {
        let mine = |of| self.values.get(of).copied().unwrap_or_default();
        other.values.iter().all(|(of, more)| mine(of) + more <= VALUES_MAX)
    }
}

/// Calls for every key; in order where it decides what there is room for, because a hash map has another order in every
/// process.
fn for_each<K: Copy + Ord, V>(map: &HashMap<K, V>, is_ordered: bool, mut call: impl FnMut(K, &V)) {
    if !is_ordered {
        map.iter().for_each(|(key, value)| call(*key, value));
        return;
    }
    let mut all: Vec<(K, &V)> = map.iter().map(|(key, value)| (*key, value)).collect();
    all.sort_unstable_by_key(|(key, _)| *key);
    all.into_iter().for_each(|(key, value)| call(key, value));
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

#[cfg(test)]
mod tests;
