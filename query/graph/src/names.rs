//! Names as small numbers. Spans repeat the same few thousand names; a number is compared, hashed and kept in their place.
//!
//! Numbers are given in the order of arrival, so they must never decide an order that is seen outside.

use crate::general::general;
use hashbrown::HashMap;
use std::sync::Arc;

/// Distinct names kept; beyond it all new ones share [`Names::OVERFLOW`].
const NAMES_MAX: usize = 500_000;

/// Number of a name.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct NameId(pub(crate) u32);

#[derive(Clone, Copy, Debug)]
struct Known {
    id: NameId,
    /// Whether it is known to be the general form of itself. It lies where there is room anyway.
    is_general: bool,
}

/// All names seen.
#[derive(Clone, Debug)]
pub struct Names {
    numbers: HashMap<Arc<str>, Known>,
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
        if let Some(known) = self.numbers.get(name) {
            return known.id;
        }
        if self.names.len() >= NAMES_MAX {
            return Self::OVERFLOW;
        }
        let id = NameId(self.names.len() as u32);
        let name: Arc<str> = name.into();
        self.names.push(Arc::clone(&name));
        self.numbers.insert(name, Known { id, is_general: false });
        id
    }

    /// The number of the general form of a span's name.
    /// Cost: for a name that is general, and known as that, one look; else two, and the way to the general form.
    pub(crate) fn intern_general(&mut self, name: &str) -> NameId {
        if let Some(known) = self.numbers.get(name)
            && known.is_general
        {
            return known.id;
        }
        self.find_general(name)
    }

    // Apart, so that the way of all known names stays short where it is put in line.
    #[inline(never)]
    fn find_general(&mut self, name: &str) -> NameId {
        let general = general(name);
        if let Some(known) = self.numbers.get_mut(general.as_ref()) {
            known.is_general = true;
            return known.id;
        }
        self.intern(&general)
    }

    /// The name of a number that this collection gave.
    pub fn get(&self, id: NameId) -> &Arc<str> {
        &self.names[id.0 as usize]
    }

    /// The number of a known name.
    pub fn find(&self, name: &str) -> Option<NameId> {
        self.numbers.get(name).map(|known| known.id)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Names of peers may look like paths, and stay as they are.
    #[test]
    fn what_is_known_as_it_was_sent_is_not_taken_for_general() {
        let mut names = Names::default();
        let peer = names.intern("/orders/17");
        for _ in 0..3 {
            let general = names.intern_general("/orders/17");
            assert_eq!(names.get(general).as_ref(), "/orders/{id}");
            assert_eq!(names.intern_general("/orders/{id}"), general);
            assert_eq!(names.intern("/orders/{id}"), general);
        }
        assert_eq!(names.intern("/orders/17"), peer);
    }
}
