//! How often each of a few things was, in little room.

use crate::names::{NameId, Names};

/// Words that something may be called by.
const WORDS_MAX: usize = 8;

const _: () = assert!(size_of::<Words>() == 24);

/// How often each of a few things was, in little room: most have one or two.
#[derive(Clone, Debug, PartialEq)]
pub struct Tally<K>(Kept<K>);

/// Sorted by thing. What is equal looks equal: one alone is always kept in place.
#[derive(Clone, Debug, PartialEq)]
enum Kept<K> {
    One((K, u64)),
    NoneOrMany(Vec<(K, u64)>),
}

impl<K> Default for Tally<K> {
    fn default() -> Self {
        Self(Kept::NoneOrMany(Vec::new()))
    }
}

impl<K: Copy + Ord> Tally<K> {
    /// Counts a thing, if it is known or there are fewer than `max` others.
    pub(crate) fn add(&mut self, key: K, count: u64, max: usize) {
        let known = self.as_slice();
        let at = match known.binary_search_by_key(&key, |(known, _)| *known) {
            Ok(at) => {
                self.as_mut_slice()[at].1 += count;
                return;
            }
            Err(at) if known.len() < max => at,
            Err(_) => return,
        };
        match &mut self.0 {
            Kept::One(one) => {
                let mut both = vec![*one; 2];
                both[at] = (key, count);
                self.0 = Kept::NoneOrMany(both);
            }
            Kept::NoneOrMany(many) if many.is_empty() => self.0 = Kept::One((key, count)),
            Kept::NoneOrMany(many) => many.insert(at, (key, count)),
        }
    }

    fn as_slice(&self) -> &[(K, u64)] {
        match &self.0 {
            Kept::One(one) => std::slice::from_ref(one),
            Kept::NoneOrMany(many) => many,
        }
    }

    fn as_mut_slice(&mut self) -> &mut [(K, u64)] {
        match &mut self.0 {
            Kept::One(one) => std::slice::from_mut(one),
            Kept::NoneOrMany(many) => many,
        }
    }

    pub(crate) fn merge(&mut self, other: &Self, max: usize) {
        other
            .as_slice()
            .iter()
            .for_each(|(key, count)| self.add(*key, *count, max));
    }

    /// How often it was; none for never.
    pub fn get(&self, key: &K) -> Option<&u64> {
        let known = self.as_slice();
        let at = known.binary_search_by_key(key, |(known, _)| *known).ok()?;
        Some(&known[at].1)
    }

    /// The things of either, each with how often it was here and there, in no order that means anything.
    pub fn beside<'a>(&'a self, other: &'a Self) -> impl Iterator<Item = (K, u64, u64)> + 'a {
        let (mut here, mut there) = (self.as_slice(), other.as_slice());
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
        self.as_slice().iter().map(|(key, _)| key)
    }

    /// The things with how often they were.
    pub fn iter(&self) -> impl Iterator<Item = (&K, &u64)> {
        self.as_slice().iter().map(|(key, count)| (key, count))
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
