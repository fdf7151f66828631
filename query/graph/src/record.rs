//! What the graph needs of a span: fixed size, no text.

use crate::names::NameId;
use crate::weight::Weight;
use epicenter_schema::SpanKind;

/// What kind of thing a client names as its callee.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub enum PeerKind {
    /// A service, perhaps one that sends spans itself.
    Service,
    /// A database.
    Database,
    /// A cache.
    Cache,
    /// A message queue.
    Queue,
}

/// A span, reduced.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Record {
    pub(crate) span_id: [u8; 8],
    pub(crate) parent: Option<[u8; 8]>,
    pub(crate) service: NameId,
    pub(crate) name: NameId,
    pub(crate) kind: SpanKind,
    pub(crate) start: i64,
    pub(crate) duration: i64,
    pub(crate) error: bool,
    /// It failed, or logged an error or an exception.
    pub(crate) complains: bool,
    pub(crate) protocol: NameId,
    pub(crate) peer: NameId,
    pub(crate) peer_kind: PeerKind,
    pub(crate) peer_system: NameId,
    /// Number of the sender.
    pub(crate) source: u32,
    pub(crate) weight: Weight,
}

impl Record {
    pub(crate) fn end(&self) -> i64 {
        self.start.saturating_add(self.duration)
    }

    pub(crate) fn answers(&self) -> bool {
        matches!(self.kind, SpanKind::Server | SpanKind::Consumer)
    }

    /// Whether it puts a message into a queue that is known.
    pub(crate) fn publishes(&self) -> bool {
        self.kind == SpanKind::Producer && self.peer_kind == PeerKind::Queue && self.peer != NameId(0)
    }

    pub(crate) fn calls(&self) -> bool {
        matches!(self.kind, SpanKind::Client | SpanKind::Producer)
    }
}
