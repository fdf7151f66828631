//! How often each of a few things was, in little room.

use crate::names::{NameId, Names};

/// Words that something may be called by.
const WORDS_MAX: usize = 8;

/// How often each of a few things was, in little room: most have one or two.
#[derive(Clone, Debug, PartialEq)]
pub struct Tally<K>(Vec<(K, u64)>);

impl<K> Default for Tally<K> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

impl<K: Copy + Ord> Tally<K> {
    /// Counts a thing, if it is known or there are fewer than `max` others.
    pub(crate) fn add(&mut self, key: K, count: u64, max: usize) {
        match self.0.binary_search_by_key(&key, |(known, _)| *known) {
            Ok(at) => self.0[at].1 += count,
            Err(at) if self.0.len() < max => {
                if self.0.is_empty() {
                    self.0.reserve_exact(1);
                }
                self.0.insert(at, (key, count));
            }
            Err(_) => {}
        }
    }

    pub(crate) fn merge(&mut self, other: &Self, max: usize) {
        other.0.iter().for_each(|(key, count)| self.add(*key, *count, max));
    }

    /// How often it was; none for never.
    pub fn get(&self, key: &K) -> Option<&u64> {
        let at = self.0.binary_search_by_key(key, |(known, _)| *known).ok()?;
        Some(&self.0[at].1)
    }

    /// The things of either, each with how often it was here and there, in no order that means anything.
    pub fn beside<'a>(&'a self, other: &'a Self) -> impl Iterator<Item = (K, u64, u64)> + 'a {
        let (mut here, mut there) = (self.0.as_slice(), other.0.as_slice());
        std::iter::from_fn(move || {
            let (a, b) = (here.first(), there.first());
            let key = match (a, b) {
                (Some(a), Some(b)) => a.0.min(b.0),
                (a, b) => a.or(b)?.0,
            };
            let take = |rest: &mut &'a [(K, u64)]| match rest.split_first() {
                Some(((first, count), others)) if *first == key => {
                    *rest = others;
                    *count
                }
                _ => 0,
            };
            Some((key, take(&mut here), take(&mut there)))
        })
    }

    /// The things, in no order that means anything.
    pub fn keys(&self) -> impl Iterator<Item = &K> {
        self.0.iter().map(|(key, _)| key)
    }

    /// The things with how often they were.
    pub fn iter(&self) -> impl Iterator<Item = (&K, &u64)> {
        self.0.iter().map(|(key, count)| (key, count))
    }
}

/// What something is called by most, of a few words.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Words(Tally<NameId>);

impl Words {
    /// Counts a word; none is counted for the empty one.
    pub(crate) fn add(&mut self, word: NameId, count: u64) {
        if word != Names::NONE {
            self.0.add(word, count, WORDS_MAX);
        }
    }

    pub(crate) fn merge(&mut self, other: &Self) {
        self.0.merge(&other.0, WORDS_MAX);
    }

    /// The most frequent one, of equals the first by name.
    pub fn most<'a>(&self, names: &'a Names) -> Option<&'a str> {
        let word = |id: &NameId| names.get(*id).as_ref();
        let most = self
            .0
            .iter()
            .max_by_key(|(id, count)| (**count, std::cmp::Reverse(word(id))));
        most.map(|(id, _)| word(id))
    }
}
