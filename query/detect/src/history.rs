//! The past of each operation and edge in one row, period after period: what is asked of the past is asked of one key
//! at a time, and a row is read from one end to the other.

use epicenter_graph::Sketch;
use hashbrown::HashMap;
use std::collections::BTreeMap;
use std::hash::Hash;

/// What each period has of a key, with the number of the period, in their order; periods without it are left out.
#[derive(Clone, Debug)]
pub(crate) struct Rows<K, V> {
    rows: HashMap<K, Vec<(u32, V)>>,
    len: usize,
}

impl<K, V> Default for Rows<K, V> {
    fn default() -> Self {
        Self {
            rows: HashMap::new(),
            len: 0,
        }
    }
}

impl<K: Eq + Hash, V: Clone> Rows<K, V> {
    /// Adds the newest period.
    pub(crate) fn push(&mut self, period: u32, values: HashMap<K, V>) {
        self.len += values.len();
        for (key, value) in values {
            self.rows.entry(key).or_default().push((period, value));
        }
    }

    /// Forgets the periods before `first`.
    pub(crate) fn forget(&mut self, first: u32) {
        self.rows.retain(|_, row| {
            let old = row.partition_point(|(period, _)| *period < first);
            row.drain(..old);
            !row.is_empty()
        });
        self.len = self.rows.values().map(Vec::len).sum();
    }

    /// How many values there are.
    pub(crate) fn len(&self) -> usize {
        self.len
    }

    /// The row of a key, the oldest first.
    pub(crate) fn of(&self, key: &K) -> &[(u32, V)] {
        self.rows.get(key).map_or(&[], Vec::as_slice)
    }

    /// Each row as one.
    pub(crate) fn sums(&self, merge: impl Fn(&mut V, &V)) -> HashMap<K, V>
    where
        K: Copy,
    {
        let sum = |(key, row): (&K, &Vec<(u32, V)>)| {
            let (first, others) = row.split_first()?;
            let mut sum = first.1.clone();
            others.iter().for_each(|(_, value)| merge(&mut sum, value));
            Some((*key, sum))
        };
        self.rows.iter().filter_map(sum).collect()
    }

    /// What the rows of several keys have in each period, as one sketch a period.
    pub(crate) fn together(&self, keys: &[K], which: impl Fn(&V) -> &Sketch) -> Vec<Sketch> {
        let mut sums: BTreeMap<u32, Sketch> = BTreeMap::new();
        for (period, value) in keys.iter().flat_map(|key| self.of(key)) {
            sums.entry(*period).or_default().merge(which(value));
        }
        sums.into_values().collect()
    }
}
