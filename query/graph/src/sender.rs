//! Who sent a span: found by its keys within a batch, else by what the batch says of the sender, as one text.

use crate::names::{NameId, Names};
use crate::packed::{Shared, optional};
use crate::source::{self, Source};
use epicenter_schema::SpanRef;
use hashbrown::HashMap;

/// Senders that are found by their text; others are read again in each batch.
const KNOWN_MAX: usize = 50_000;

/// Keys of the parts of a sender in a batch; [`NO_KEY`] for none.
type Keys = [u32; 5];

const NO_KEY: u32 = u32::MAX;

/// A sender, as a batch needs it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Sender {
    pub(crate) number: u32,
    pub(crate) service: NameId,
}

/// The senders of a batch by their keys in it. Neighbours mostly have the same.
#[derive(Debug, Default)]
pub(crate) struct Senders {
    last: Option<(Keys, Sender)>,
    known: HashMap<Keys, Sender>,
}

impl Senders {
    /// Forgets them: keys mean something else in the next batch.
    pub(crate) fn clear(&mut self) {
        self.last = None;
        self.known.clear();
    }

    /// The sender of a span of this batch, from `find` where it is new.
    pub(crate) fn find(&mut self, span: SpanRef<'_>, find: impl FnOnce() -> Sender) -> Sender {
        let keys = span.sender_keys().map(|key| key.unwrap_or(NO_KEY));
        if let Some((same, sender)) = self.last
            && same == keys
        {
            return sender;
        }
        let sender = *self.known.entry(keys).or_insert_with(find);
        self.last = Some((keys, sender));
        sender
    }
}

/// Senders by everything that is said of them.
#[derive(Debug, Default)]
pub(crate) struct KnownSenders {
    by_text: HashMap<Box<[u8]>, Sender>,
    text: Vec<u8>,
}

impl KnownSenders {
    /// The sender of a span, numbered by `sources`. Cost: one look for one that is known.
    pub(crate) fn find(&mut self, span: SpanRef<'_>, names: &mut Names, sources: &mut Shared<Source>) -> Sender {
        let service = span.service_name();
        let (instance, node, version) = (span.instance(), span.node(), span.service_version());
        let resource = span.resource().unwrap_or_default();
        let parts = [Some(service), instance, node, version, Some(resource)];
        // Begun by the length, and one for being there, of each part: no two senders have the same text.
        let lengths = parts.map(|part| part.map_or([0; 8], |part| (part.len() as u64 + 1).to_le_bytes()));
        self.text.clear();
        self.text.extend_from_slice(lengths.as_flattened());
        for part in parts.into_iter().flatten() {
            self.text.extend_from_slice(part.as_bytes());
        }
        if let Some(sender) = self.by_text.get(self.text.as_slice()) {
            return *sender;
        }
        let service = names.intern(service);
        let source = Source {
            service,
            instance: optional(names, instance),
            node: optional(names, node),
            version: optional(names, version),
            tags: source::tags(resource, names),
        };
        let sender = Sender {
            number: sources.number(source),
            service,
        };
        if self.by_text.len() < KNOWN_MAX {
            self.by_text.insert(self.text.as_slice().into(), sender);
        }
        sender
    }
}
