//! Counts by bucket. In a large system most sketches of a window hold one or two values: those need no memory of their own.

use super::Sketch;

/// Buckets that are kept in place.
const FEW: usize = 2;

const _: () = assert!(size_of::<Sketch>() == 32);

/// Buckets with how many values they hold, by bucket. What is equal looks equal: there are many only where few is too little.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Counts {
    /// Those that are not empty, then zeros.
    Few([(u16, u32); FEW]),
    Many(Vec<(u16, u32)>),
}

impl Default for Counts {
    fn default() -> Self {
        Self::Few([(0, 0); FEW])
    }
}

impl Counts {
    /// Of buckets in order, none of them empty.
    pub(super) fn of_sorted(counts: Vec<(u16, u32)>) -> Self {
        if counts.len() > FEW {
            return Self::Many(counts);
        }
        let mut few = [(0, 0); FEW];
        few[..counts.len()].copy_from_slice(&counts);
        Self::Few(few)
    }

    pub(super) fn as_slice(&self) -> &[(u16, u32)] {
        match self {
            Self::Few(few) => &few[..used(few)],
            Self::Many(many) => many,
        }
    }

    /// Adds to a bucket a count that is not zero.
    pub(super) fn add(&mut self, bucket: u16, count: u32) {
        let at = self.as_slice().binary_search_by_key(&bucket, |(known, _)| *known);
        match (self, at) {
            (Self::Few(few), Ok(at)) => few[at].1 = few[at].1.saturating_add(count),
            (Self::Many(many), Ok(at)) => many[at].1 = many[at].1.saturating_add(count),
            (Self::Many(many), Err(at)) => many.insert(at, (bucket, count)),
            (Self::Few(few), Err(at)) if used(few) < FEW => {
                few[at..].rotate_right(1);
                few[at] = (bucket, count);
            }
            (this @ Self::Few(_), Err(at)) => {
                let mut many = Vec::with_capacity(2 * FEW);
                many.extend_from_slice(this.as_slice());
                many.insert(at, (bucket, count));
                *this = Self::Many(many);
            }
        }
    }
}

fn used(few: &[(u16, u32); FEW]) -> usize {
    few.iter().filter(|(_, count)| *count > 0).count()
}
