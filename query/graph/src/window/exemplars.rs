//! Traces that show what was counted.

use epicenter_schema::TraceId;

/// Exemplar traces kept of each sort.
const EXEMPLARS_MAX: usize = 2;

/// A few traces that show something: the largest by a measure, ties by id.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Exemplars {
    kept: [(i64, TraceId); EXEMPLARS_MAX],
    count: usize,
}

impl Exemplars {
    /// Offers a trace with its measure.
    pub fn offer(&mut self, measure: i64, trace: TraceId) {
        if self.count == EXEMPLARS_MAX && self.kept[EXEMPLARS_MAX - 1].0 > measure {
            return;
        }
        let mut offered = (measure, trace);
        if let Some(same) = self.kept[..self.count].iter_mut().find(|(_, kept)| *kept == trace) {
            // A trace that shows it several times counts by the most telling.
            same.0 = same.0.max(measure);
            self.kept[..self.count].sort_by(Self::order);
            return;
        }
        for kept in &mut self.kept[..self.count] {
            if Self::order(&offered, kept).is_lt() {
                std::mem::swap(&mut offered, kept);
            }
        }
        if self.count < EXEMPLARS_MAX {
            self.kept[self.count] = offered;
            self.count += 1;
        }
    }

    pub(crate) fn order(a: &(i64, TraceId), b: &(i64, TraceId)) -> std::cmp::Ordering {
        b.0.cmp(&a.0).then(a.1.0.cmp(&b.1.0))
    }

    pub(crate) fn merge(&mut self, other: &Self) {
        for (measure, trace) in &other.kept[..other.count] {
            self.offer(*measure, *trace);
        }
    }

    /// The traces, the most telling first.
    pub fn traces(&self) -> impl Iterator<Item = TraceId> {
        self.kept[..self.count].iter().map(|(_, trace)| *trace)
    }
}
