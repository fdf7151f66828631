//! Spans while they wait for the rest of their trace: 40 bytes each. What many spans share, who sent them and what they
//! did, is kept once and numbered.

use crate::names::{NameId, Names};
use crate::record::{PeerKind, Record};
use epicenter_schema::{SpanKind, SpanRef};
use hashbrown::HashMap;
use std::hash::Hash;

/// Distinct senders, and distinct kinds of work, kept; what goes beyond shares the first, which has no names.
const SHARED_MAX: usize = 1_000_000;
/// Where the flags begin in the word of the sender.
const FLAGS_AT: u32 = 29;
const ERROR: u32 = 1 << FLAGS_AT;
const COMPLAINS: u32 = 1 << (FLAGS_AT + 1);
const HAS_PARENT: u32 = 1 << (FLAGS_AT + 2);

const _: () = assert!(SHARED_MAX < 1 << FLAGS_AT && size_of::<Packed>() == 40);

/// Who sent a span.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct Source {
    service: NameId,
    instance: NameId,
    node: NameId,
    version: NameId,
}

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
    span_id: [u8; 8],
    parent: [u8; 8],
    start: i64,
    duration: i64,
    /// Number of the sender, and the flags.
    source: u32,
    work: u32,
}

/// Values by number and numbers by value.
#[derive(Debug)]
struct Shared<T> {
    values: Vec<T>,
    numbers: HashMap<T, u32>,
}

impl<T: Copy + Eq + Hash> Shared<T> {
    fn new(first: T) -> Self {
        Self {
            values: vec![first],
            numbers: HashMap::new(),
        }
    }

    fn number(&mut self, value: T) -> u32 {
        if let Some(number) = self.numbers.get(&value) {
            return *number;
        }
        if self.values.len() >= SHARED_MAX {
            return 0;
        }
        let number = self.values.len() as u32;
        self.values.push(value);
        self.numbers.insert(value, number);
        number
    }
}

/// What waiting spans share.
#[derive(Debug)]
pub(crate) struct Packer {
    sources: Shared<Source>,
    work: Shared<Work>,
}

impl Default for Packer {
    fn default() -> Self {
        let overflow = Names::OVERFLOW;
        Self {
            sources: Shared::new(Source {
                service: overflow,
                instance: Names::NONE,
                node: Names::NONE,
                version: Names::NONE,
            }),
            work: Shared::new(Work {
                name: overflow,
                kind: SpanKind::Unspecified,
                protocol: Names::NONE,
                peer: Names::NONE,
                peer_kind: PeerKind::Service,
                peer_system: Names::NONE,
            }),
        }
    }
}

/// The sender of the span before, of the same batch: neighbours mostly have the same.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Last(Option<([Option<u32>; 4], u32, NameId)>);

impl Packer {
    /// A span to wait. `admit` tells what a name counts as, given the service, and likewise a peer's.
    pub(crate) fn pack(
        &mut self,
        span: SpanRef<'_>,
        names: &mut Names,
        last: &mut Last,
        mut admit: impl FnMut(NameId, NameId, bool) -> NameId,
    ) -> Packed {
        let keys = span.sender_keys();
        let (source, service) = match last.0 {
            Some((same, source, service)) if same == keys => (source, service),
            _ => {
                let source = Source {
                    service: names.intern(span.service_name()),
                    instance: optional(names, span.instance()),
                    node: optional(names, span.node()),
                    version: optional(names, span.service_version()),
                };
                let number = self.sources.number(source);
                last.0 = Some((keys, number, source.service));
                (number, source.service)
            }
        };
        let name = names.intern(span.name());
        let peer = match span.peer() {
            Some(peer) => {
                let peer = names.intern(peer);
                admit(service, peer, true)
            }
            None => Names::NONE,
        };
        let work = self.work.number(Work {
            name: admit(service, name, false),
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
        });
        let parent = span.parent_span_id();
        let error = span.is_error();
        let flag = |on: bool, flag: u32| if on { flag } else { 0 };
        Packed {
            span_id: span.span_id().0,
            parent: parent.map_or([0; 8], |id| id.0),
            start: span.start().0,
            duration: span.duration().0.max(0),
            source: source
                | flag(error, ERROR)
                | flag(error || span.is_error_logged(), COMPLAINS)
                | flag(parent.is_some(), HAS_PARENT),
            work,
        }
    }

    /// The span again.
    pub(crate) fn unpack(&self, packed: &Packed) -> Record {
        let source = self.sources.values[(packed.source & (ERROR - 1)) as usize];
        let work = self.work.values[packed.work as usize];
        let has = |flag: u32| packed.source & flag != 0;
        Record {
            span_id: packed.span_id,
            parent: has(HAS_PARENT).then_some(packed.parent),
            service: source.service,
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
            instance: source.instance,
            node: source.node,
            version: source.version,
        }
    }
}

impl Packed {
    pub(crate) fn end(&self) -> i64 {
        self.start.saturating_add(self.duration)
    }
}

fn optional(names: &mut Names, name: Option<&str>) -> NameId {
    name.map_or(Names::NONE, |name| names.intern(name))
}
