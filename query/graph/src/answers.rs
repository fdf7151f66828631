//! Which service answers under which name: learned from calls that were answered, used for those that are not.

use crate::names::{NameId, Names};
use hashbrown::{HashMap, HashSet};

/// Callers times peer names remembered.
const ANSWERS_MAX: usize = 200_000;

/// Something learned: caller, the name it calls, and who answered; or who asks several services, in which work, and no name.
pub(crate) type Learned = (NameId, NameId, NameId);

/// What was learned up to a window.
#[derive(Clone, Debug, Default)]
pub(crate) struct Answers {
    by_peer: HashMap<(NameId, NameId), NameId>,
    /// Work, by service and name, that asks several services, so that it is no call of one: the calls have no spans.
    several: HashSet<(NameId, NameId)>,
    /// The same as a number that does not depend on the order in which it was learned.
    digest: u128,
    news: Vec<Learned>,
}

impl Answers {
    /// A call to a name was answered.
    pub(crate) fn learn(&mut self, caller: NameId, peer: NameId, callee: NameId) {
        if peer == Names::NONE {
            return;
        }
        let is_full = self.by_peer.len() >= ANSWERS_MAX;
        match self.by_peer.get_mut(&(caller, peer)) {
            Some(known) if *known == callee => return,
            Some(known) => {
                self.digest = self.digest.wrapping_sub(mix((caller, peer, *known)));
                *known = callee;
            }
            None if is_full => return,
            None => {
                self.by_peer.insert((caller, peer), callee);
            }
        }
        self.digest = self.digest.wrapping_add(mix((caller, peer, callee)));
        self.news.push((caller, peer, callee));
    }

    /// Some work asked several services by calls that have no spans.
    pub(crate) fn learn_several(&mut self, service: NameId, work: NameId) {
        if self.several.len() < ANSWERS_MAX && self.several.insert((service, work)) {
            let learned = (service, work, Names::NONE);
            self.digest = self.digest.wrapping_add(mix(learned));
            self.news.push(learned);
        }
    }

    /// Whether some work is known to ask several.
    pub(crate) fn asks_several(&self, service: NameId, work: NameId) -> bool {
        self.several.contains(&(service, work))
    }

    /// Takes what was learned elsewhere.
    pub(crate) fn take(&mut self, (caller, peer, callee): Learned) {
        match callee {
            Names::NONE => self.learn_several(caller, peer),
            _ => self.learn(caller, peer, callee),
        }
    }

    /// Who answered to the name last.
    pub(crate) fn find(&self, caller: NameId, peer: NameId) -> Option<NameId> {
        self.by_peer.get(&(caller, peer)).copied()
    }

    /// Equal for equal knowledge.
    pub(crate) fn digest(&self) -> u128 {
        self.digest
    }

    /// What was learned since this was asked last, in order.
    pub(crate) fn take_news(&mut self) -> Vec<Learned> {
        std::mem::take(&mut self.news)
    }
}

/// Spreads something learned over 128 bits. Source of the multiplier: Steele, Vigna: Computationally easy, spectrally good
/// multipliers for congruential pseudorandom number generators (2021), 128 bits.
fn mix((caller, peer, callee): Learned) -> u128 {
    const MULTIPLIER: u128 = 0xdb36_357734e34abb0050d0761fcdfc15;
    let word = (u128::from(caller.0) << 64) | (u128::from(peer.0) << 32) | u128::from(callee.0);
    let mut mixed = word.wrapping_add(1).wrapping_mul(MULTIPLIER);
    mixed ^= mixed >> 61;
    mixed = mixed.wrapping_mul(MULTIPLIER);
    mixed ^ (mixed >> 67)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_knowledge_has_equal_digests() {
        let [a, b, c, d] = [2, 3, 4, 5].map(NameId);
        let (mut one, mut other) = (Answers::default(), Answers::default());
        one.learn(a, b, c);
        one.learn(a, d, c);
        other.learn(a, d, b);
        other.learn(a, b, c);
        assert_ne!(one.digest(), other.digest());
        other.learn(a, d, c);
        other.learn(a, d, c);
        assert_eq!(one.digest(), other.digest());
        assert_eq!(other.take_news(), [(a, d, b), (a, b, c), (a, d, c)]);
        assert_eq!((other.take_news().len(), other.find(a, d)), (0, Some(c)));
        one.learn_several(a, b);
        assert_ne!(one.digest(), other.digest());
        for learned in one.take_news().split_off(2) {
            other.take(learned);
            other.take(learned);
        }
        assert_eq!(one.digest(), other.digest());
        assert!(other.asks_several(a, b) && !other.asks_several(a, c) && other.find(a, b) == Some(c));
    }
}
