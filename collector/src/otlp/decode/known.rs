//! Resources that were read before. Senders repeat theirs with every request, and one read costs as much as several spans.
//!
//! What is known changes nothing but the time it takes: the bytes of a resource are the key, whole.

use crate::normalize::ResourceFacts;
use hashbrown::HashMap;
use std::sync::{Arc, PoisonError, RwLock};

/// Most resources that are remembered; beyond it all are forgotten and learned again.
const RESOURCES_MAX: usize = 16_384;
/// Most bytes of them, and of what was made of them.
const BYTES_MAX: usize = 16 << 20;

/// A resource as it was read.
#[derive(Debug)]
pub(super) struct Known {
    pub(super) facts: ResourceFacts,
    /// All of it, as OTLP/JSON.
    pub(super) json: Vec<u8>,
}

/// The bytes of a resource and of its schema URL.
type Key = (Box<[u8]>, Box<[u8]>);

#[derive(Debug, Default)]
struct State {
    known: HashMap<Key, Arc<Known>>,
    bytes: usize,
}

/// Resources that were read before, shared by all decoders of a receiver.
#[derive(Debug, Default)]
pub struct Resources(RwLock<State>);

/// A resource and its schema URL as received.
#[derive(Clone, Copy, Hash)]
struct Asked<'a>(&'a [u8], &'a [u8]);

impl hashbrown::Equivalent<Key> for Asked<'_> {
    fn equivalent(&self, (resource, schema_url): &Key) -> bool {
        *self.0 == **resource && *self.1 == **schema_url
    }
}

impl Resources {
    pub(super) fn get(&self, resource: &[u8], schema_url: &[u8]) -> Option<Arc<Known>> {
        let state = self.0.read().unwrap_or_else(PoisonError::into_inner);
        state.known.get(&Asked(resource, schema_url)).map(Arc::clone)
    }

    pub(super) fn put(&self, resource: &[u8], schema_url: &[u8], known: Known) -> Arc<Known> {
        let known = Arc::new(known);
        // Each attribute is kept twice, and the rest is small.
        let bytes = 2 * resource.len() + schema_url.len() + known.json.len();
        if bytes <= BYTES_MAX / 64 {
            let mut state = self.0.write().unwrap_or_else(PoisonError::into_inner);
            if state.known.len() >= RESOURCES_MAX || state.bytes + bytes > BYTES_MAX {
                *state = State::default();
            }
            let key = (Box::from(resource), Box::from(schema_url));
            if state.known.insert(key, Arc::clone(&known)).is_none() {
                state.bytes += bytes;
            }
        }
        known
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn known(json: &[u8]) -> Known {
        Known {
            facts: ResourceFacts::default(),
            json: json.to_vec(),
        }
    }

    #[test]
    fn a_resource_is_found_by_all_of_its_bytes() {
        let resources = Resources::default();
        resources.put(b"ab", b"c", known(b"1"));
        resources.put(b"a", b"bc", known(b"2"));
        let json = |resource, url| resources.get(resource, url).map(|known| known.json.clone());
        assert_eq!(json(b"ab", b"c"), Some(b"1".to_vec()));
        assert_eq!(json(b"a", b"bc"), Some(b"2".to_vec()));
        assert_eq!(json(b"abc", b""), None);
    }

    #[test]
    fn memory_is_bounded_in_number_and_in_bytes() {
        let resources = Resources::default();
        for number in 0..RESOURCES_MAX + 10 {
            resources.put(&number.to_le_bytes(), b"", known(b"{}"));
        }
        assert!(resources.0.read().expect("sound").known.len() <= 10);
        let large = vec![b'x'; BYTES_MAX / 200];
        for number in 0..500u64 {
            resources.put(&[&number.to_le_bytes()[..], &large].concat(), b"", known(b"{}"));
            assert!(resources.0.read().expect("sound").bytes <= BYTES_MAX);
        }
        let huge = vec![b'x'; BYTES_MAX];
        resources.put(&huge, b"", known(b"{}"));
        assert!(resources.get(&huge, b"").is_none());
    }
}
