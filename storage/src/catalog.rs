//! The services and operations that spans were seen of. Small, bounded, kept beside the manifest, so that listing them
//! never opens a segment.

use epicenter_schema::{DurationNs, SpanBatch, SpanKind, Timestamp};
use hashbrown::{HashMap, HashSet};
use std::collections::BTreeMap;
use std::hash::{BuildHasher, Hasher};
use std::sync::{PoisonError, RwLock};

/// Most services; spans of further ones are kept but not listed.
const SERVICES_MAX: usize = 10_000;
/// Most operations of one service.
const OPERATIONS_MAX: usize = 2_000;
/// Most operations altogether.
const OPERATIONS_TOTAL_MAX: usize = 100_000;
/// Longest name that is listed, in bytes.
pub(crate) const NAME_BYTES_MAX: usize = 1_024;
/// How exactly the last sighting is kept: to the hour, so that the catalogue seldom changes.
const SIGHTING_NS: i64 = 3_600_000_000_000;

/// An operation: a span name with the kind of its spans.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Operation {
    /// Span name.
    pub name: String,
    /// Span kind.
    pub kind: SpanKind,
}

/// A service and its operations.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServiceOperations {
    /// `service.name`.
    pub service: String,
    /// Sorted by name, then kind.
    pub operations: Vec<Operation>,
}

/// One line of the persisted catalogue.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Entry {
    pub(crate) service: String,
    pub(crate) operation: Operation,
    /// When it was last seen, rounded down to the hour.
    pub(crate) seen: Timestamp,
}

#[derive(Debug, Default)]
struct State {
    /// Hashes of what was seen in `hour`: the fast way out for every span but the first of its kind.
    known: HashSet<u64>,
    hour: i64,
    services: BTreeMap<String, BTreeMap<Operation, i64>>,
    operations: usize,
    /// Raised by every change.
    version: u64,
    /// Spans whose service or operation found no room, or has too long a name.
    overflowed: u64,
}

/// The catalogue.
#[derive(Debug, Default)]
pub(crate) struct Catalog {
    state: RwLock<State>,
    hasher: hashbrown::DefaultHashBuilder,
}

impl Catalog {
    /// The catalogue as it was persisted.
    pub(crate) fn restore(entries: Vec<Entry>) -> Self {
        let catalog = Self::default();
        catalog.merge(entries);
        catalog
    }

    /// Adds what another catalogue knows.
    pub(crate) fn merge(&self, entries: Vec<Entry>) {
        let mut state = self.state.write().unwrap_or_else(PoisonError::into_inner);
        for entry in entries {
            state.insert(&entry.service, entry.operation, entry.seen.0);
        }
    }

    /// Takes note of what a batch is of.
    pub(crate) fn learn(&self, batch: &SpanBatch, received: Timestamp) {
        let hour = received.0 - received.0.rem_euclid(SIGHTING_NS);
        let spans = batch.spans();
        let mut fresh: HashMap<u64, usize> = HashMap::new();
        {
            let state = self.state.read().unwrap_or_else(PoisonError::into_inner);
            for row in 0..spans.len() {
                let span = spans.get(row);
                let mut hasher = self.hasher.build_hasher();
                hasher.write(span.service_name().as_bytes());
                hasher.write_u8(0xff);
                hasher.write(span.name().as_bytes());
                hasher.write_u8(span.kind() as u8);
                let hash = hasher.finish();
                if state.hour != hour || !state.known.contains(&hash) {
                    fresh.entry(hash).or_insert(row);
                }
            }
        }
        if fresh.is_empty() {
            return;
        }
        let mut state = self.state.write().unwrap_or_else(PoisonError::into_inner);
        if state.hour != hour {
            state.known.clear();
            state.hour = hour;
        }
        for (hash, row) in fresh {
            let span = spans.get(row);
            let operation = Operation {
                name: span.name().to_owned(),
                kind: span.kind(),
            };
            state.insert(span.service_name(), operation, hour);
            if state.known.len() < OPERATIONS_TOTAL_MAX {
                state.known.insert(hash);
            }
        }
    }

    /// Services with their operations, sorted.
    pub(crate) fn services(&self) -> Vec<ServiceOperations> {
        let state = self.state.read().unwrap_or_else(PoisonError::into_inner);
        let services = state.services.iter();
        services
            .map(|(service, operations)| ServiceOperations {
                service: service.clone(),
                operations: operations.keys().cloned().collect(),
            })
            .collect()
    }

    /// Everything, in order, and the version it has; None when the version is still `known`.
    pub(crate) fn changed_since(&self, known: u64) -> Option<(u64, Vec<Entry>)> {
        let state = self.state.read().unwrap_or_else(PoisonError::into_inner);
        if state.version == known {
            return None;
        }
        let entries = state.services.iter().flat_map(|(service, operations)| {
            operations.iter().map(|(operation, seen)| Entry {
                service: service.clone(),
                operation: operation.clone(),
                seen: Timestamp(*seen),
            })
        });
        Some((state.version, entries.collect()))
    }

    /// Forgets what was last seen before `cutoff`.
    pub(crate) fn expire(&self, cutoff: Timestamp) {
        // The hour of a sighting is rounded down.
        let cutoff = (cutoff - DurationNs(SIGHTING_NS)).0;
        let mut state = self.state.write().unwrap_or_else(PoisonError::into_inner);
        let before = state.operations;
        state.services.retain(|_, operations| {
            operations.retain(|_, seen| *seen >= cutoff);
            !operations.is_empty()
        });
        state.operations = state.services.values().map(BTreeMap::len).sum();
        if state.operations != before {
            state.version += 1;
            state.known.clear();
        }
    }

    /// Spans whose operation was not listed for want of room, each operation counted about once an hour.
    pub(crate) fn overflowed(&self) -> u64 {
        self.state.read().unwrap_or_else(PoisonError::into_inner).overflowed
    }
}

impl State {
    fn insert(&mut self, service: &str, operation: Operation, seen: i64) {
        if let Some(last) = self
            .services
            .get_mut(service)
            .and_then(|known| known.get_mut(&operation))
        {
            if *last < seen {
                *last = seen;
                self.version += 1;
            }
            return;
        }
        let of_service = self.services.get(service).map(BTreeMap::len);
        let room = self.operations < OPERATIONS_TOTAL_MAX
            && of_service.map_or(self.services.len() < SERVICES_MAX, |known| known < OPERATIONS_MAX);
        let is_short = service.len() <= NAME_BYTES_MAX && operation.name.len() <= NAME_BYTES_MAX;
        if !room || !is_short {
            self.overflowed += 1;
            return;
        }
        self.services
            .entry(service.to_owned())
            .or_default()
            .insert(operation, seen);
        self.operations += 1;
        self.version += 1;
    }
}
