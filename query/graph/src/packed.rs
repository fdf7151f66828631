//! Spans while they wait for the rest of their trace: 40 bytes each. What many spans share, who sent them and what they
//! did, is kept once and numbered.

use crate::names::{NameId, Names};
use crate::record::{PeerKind, Record};
use crate::sender::{KnownSenders, Sender, Senders};
use crate::source::Source;
use crate::weight::Weight;
use epicenter_schema::{SpanKind, SpanRef};
use hashbrown::HashMap;
use std::hash::Hash;

/// Distinct senders, and distinct kinds of work, kept; what goes beyond shares the first, which has no names.
const SHARED_MAX: usize = 1_000_000;
/// What services do whose number is found at once.
const KNOWN_WORK_MAX: usize = 400_000;
/// Where the flags begin in the word of the sender.
const FLAGS_AT: u32 = 29;
const ERROR: u32 = 1 << FLAGS_AT;
const COMPLAINS: u32 = 1 << (FLAGS_AT + 1);
const HAS_PARENT: u32 = 1 << (FLAGS_AT + 2);
/// Where the number of the weight begins in the word of the work, and how many there are.
const WEIGHT_AT: u32 = 20;
const WEIGHTS_MAX: usize = 1 << (32 - WEIGHT_AT);

const _: () = assert!(SHARED_MAX < 1 << FLAGS_AT && SHARED_MAX < 1 << WEIGHT_AT && size_of::<Packed>() == 40);

/// What a span did.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct Work {
    name: NameId,
    kind: SpanKind,
    protocol: NameId,
    peer: NameId,
    peer_kind: PeerKind,
    peer_system: NameId,
}

/// A span that waits.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Packed {
    pub(crate) span_id: [u8; 8],
    parent: [u8; 8],
    start: i64,
    duration: i64,
    /// Number of the sender, and the flags.
    source: u32,
    /// Number of the work, and of the weight.
    work: u32,
}

/// Values by number and numbers by value.
#[derive(Debug)]
pub(crate) struct Shared<T> {
    values: Vec<T>,
    numbers: HashMap<T, u32>,
}

impl<T: Clone + Eq + Hash> Shared<T> {
    fn new(first: T) -> Self {
        Self {
            values: vec![first.clone()],
            numbers: HashMap::from([(first, 0)]),
        }
    }

    pub(crate) fn number(&mut self, value: T) -> u32 {
        if let Some(number) = self.numbers.get(&value) {
            return *number;
        }
        if self.values.len() >= SHARED_MAX {
            return 0;
        }
        let number = self.values.len() as u32;
        self.values.push(value.clone());
        self.numbers.insert(value, number);
        number
    }
}

/// What waiting spans share.
#[derive(Debug)]
pub(crate) struct Packer {
    sources: Shared<Source>,
    work: Shared<Work>,
    weights: Shared<Weight>,
    /// Numbers of what services do as they tell of it, where all names of it are admitted: found at once, in place of a
    /// look for each name and one for the work.
    known_work: HashMap<(NameId, Work), u32>,
    known_senders: KnownSenders,
}

impl Default for Packer {
    fn default() -> Self {
        let overflow = Names::OVERFLOW;
        let mut weights = Shared::new(Weight::ONE);
        for power in Weight::powers() {
            weights.number(power);
        }
        Self {
            sources: Shared::new(Source {
                service: overflow,
                instance: Names::NONE,
                node: Names::NONE,
                version: Names::NONE,
                tags: Box::default(),
            }),
            work: Shared::new(Work {
                name: overflow,
                kind: SpanKind::Unspecified,
                protocol: Names::NONE,
                peer: Names::NONE,
                peer_kind: PeerKind::Service,
                peer_system: Names::NONE,
            }),
            weights,
            known_work: HashMap::new(),
            known_senders: KnownSenders::default(),
        }
    }
}

impl Packer {
    /// Who sent a span of the batch that `senders` knows.
    pub(crate) fn sender(&mut self, span: SpanRef<'_>, names: &mut Names, senders: &mut Senders) -> Sender {
        let Self {
            sources, known_senders, ..
        } = self;
        senders.find(span, || known_senders.find(span, names, sources))
    }

    /// A span to wait, its name in its general form, its clock set right by `shift`. `admit` tells what a name counts as,
    /// given the service, and likewise a peer's.
    pub(crate) fn pack(
        &mut self,
        span: SpanRef<'_>,
        sender: Sender,
        shift: i64,
        names: &mut Names,
        admit: impl FnMut(NameId, NameId, bool) -> NameId,
    ) -> Packed {
        let name = names.intern_general(span.name());
        let peer = optional(names, span.peer());
        let told = Work {
            name,
            kind: span.kind(),
            protocol: optional(names, span.protocol()),
            peer,
            peer_kind: match span.peer_kind() {
                Some("database") => PeerKind::Database,
                Some("cache") => PeerKind::Cache,
                Some("queue") => PeerKind::Queue,
                _ => PeerKind::Service,
            },
            peer_system: optional(names, span.peer_system()),
        };
        let work = match self.known_work.get(&(sender.service, told)) {
            Some(work) => *work,
            None => self.find_work(sender.service, told, admit),
        };
        let weight = span.trace_state().map_or(0, |state| self.weight(state));
        let parent = span.parent_span_id();
        let error = span.is_error();
        let flag = |on: bool, flag: u32| if on { flag } else { 0 };
        Packed {
            span_id: span.span_id().0,
            parent: parent.map_or([0; 8], |id| id.0),
            start: span.start().0.saturating_add(shift),
            duration: span.duration().0.max(0),
            source: sender.number
                | flag(error, ERROR)
                | flag(error || span.is_error_logged(), COMPLAINS)
                | flag(parent.is_some(), HAS_PARENT),
            work: work | (weight << WEIGHT_AT),
        }
    }

    fn find_work(&mut self, service: NameId, told: Work, mut admit: impl FnMut(NameId, NameId, bool) -> NameId) -> u32 {
        let peer = match told.peer {
            Names::NONE => Names::NONE,
            peer => admit(service, peer, true),
        };
        let admitted = Work {
            name: admit(service, told.name, false),
            peer,
            ..told
        };
        let number = self.work.number(admitted);
        // Names that are not admitted may be any number, and are looked for one by one.
        if admitted == told && self.known_work.len() < KNOWN_WORK_MAX {
            self.known_work.insert((service, told), number);
        }
        number
    }

    fn weight(&mut self, trace_state: &str) -> u32 {
        let weight = Weight::of_trace_state(trace_state);
        if self.weights.values.len() < WEIGHTS_MAX || self.weights.numbers.contains_key(&weight) {
            self.weights.number(weight)
        } else {
            self.weights.number(weight.rounded())
        }
    }

    /// A sender by its number.
    pub(crate) fn source(&self, number: u32) -> &Source {
        &self.sources.values[number as usize]
    }

    /// The span again.
    pub(crate) fn unpack(&self, packed: &Packed) -> Record {
        let source = packed.source & (ERROR - 1);
        let work = self.work.values[(packed.work & ((1 << WEIGHT_AT) - 1)) as usize];
        let has = |flag: u32| packed.source & flag != 0;
        Record {
            span_id: packed.span_id,
            parent: has(HAS_PARENT).then_some(packed.parent),
            service: self.sources.values[source as usize].service,
            name: work.name,
            kind: work.kind,
            start: packed.start,
            duration: packed.duration,
            error: has(ERROR),
            complains: has(COMPLAINS),
            protocol: work.protocol,
            peer: work.peer,
            peer_kind: work.peer_kind,
            peer_system: work.peer_system,
            source,
            weight: self.weights.values[(packed.work >> WEIGHT_AT) as usize],
        }
    }
}

impl Packed {
    pub(crate) fn end(&self) -> i64 {
        self.start.saturating_add(self.duration)
    }
}

pub(crate) fn optional(names: &mut Names, name: Option<&str>) -> NameId {
    name.map_or(Names::NONE, |name| names.intern(name))
}
