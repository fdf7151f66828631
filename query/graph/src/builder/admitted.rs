//! Names that a service may have: ids and addresses in span names would make a graph of their own.

use crate::names::{NameId, Names};
use hashbrown::{HashMap, HashSet};

/// Operations of one service, and peers of one service, that are told apart.
const NAMES_OF_A_SERVICE_MAX: usize = 1_000;

/// Names that a service may have of one sort.
#[derive(Clone, Debug, Default)]
pub(super) struct Admitted {
    names: HashSet<(NameId, NameId)>,
    counts: HashMap<NameId, usize>,
}

impl Admitted {
    /// The name, or the one that stands for all beyond the limit.
    pub(super) fn admit(&mut self, service: NameId, name: NameId) -> NameId {
        if self.names.contains(&(service, name)) {
            return name;
        }
        let count = self.counts.entry(service).or_default();
        if *count >= NAMES_OF_A_SERVICE_MAX {
            return Names::OVERFLOW;
        }
        *count += 1;
        self.names.insert((service, name));
        name
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_service_has_a_bounded_number_of_operations() {
        let mut admitted = Admitted::default();
        let mut names = Names::default();
        let service = names.intern("web");
        for number in 0..NAMES_OF_A_SERVICE_MAX {
            let name = names.intern(&format!("GET /{number}"));
            assert_eq!(admitted.admit(service, name), name);
        }
        let beyond = names.intern("GET /one-more");
        assert_eq!(admitted.admit(service, beyond), Names::OVERFLOW);
    }
}
