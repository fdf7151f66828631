//! Names as small numbers. Spans repeat the same few thousand names; a number is compared, hashed and kept in their place.
//!
//! Numbers are given in the order of arrival, so they must never decide an order that is seen outside.

use hashbrown::HashMap;
use std::sync::Arc;

/// Distinct names kept; beyond it all new ones share [`Names::OVERFLOW`].
const NAMES_MAX: usize = 500_000;

/// Number of a name.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct NameId(pub(crate) u32);

/// All names seen.
#[derive(Clone, Debug)]
pub struct Names {
    numbers: HashMap<Arc<str>, NameId>,
    names: Vec<Arc<str>>,
}

impl Default for Names {
    fn default() -> Self {
        let mut names = Self {
            numbers: HashMap::new(),
            names: Vec::new(),
        };
        names.intern("");
        names.intern("(too many names)");
        names
    }
}

impl Names {
    /// The empty name.
    pub const NONE: NameId = NameId(0);
    /// Stands for all names beyond the limit.
    pub const OVERFLOW: NameId = NameId(1);

    /// The number of a name, new or known.
    pub fn intern(&mut self, name: &str) -> NameId {
        if let Some(id) = self.numbers.get(name) {
            return *id;
        }
        if self.names.len() >= NAMES_MAX {
            return Self::OVERFLOW;
        }
        let id = NameId(self.names.len() as u32);
        let name: Arc<str> = name.into();
        self.names.push(Arc::clone(&name));
        self.numbers.insert(name, id);
        id
    }

    /// The name of a number that this collection gave.
    pub fn get(&self, id: NameId) -> &Arc<str> {
        &self.names[id.0 as usize]
    }

    /// The number of a known name.
    pub fn find(&self, name: &str) -> Option<NameId> {
        self.numbers.get(name).copied()
    }
}
