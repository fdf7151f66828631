//! Search: which traces hold a span that meets every condition, newest or longest first.
//!
//! A condition is met by single spans. A trace is ordered by the start of its newest such span, or by the duration of its
//! longest one; ties by trace id. Both keys are maxima, so segments are read from the one with the largest possible key
//! down, and reading ends where no unread segment can change the page: its answer is as exact as if all were read.

mod condition;
mod nested;
mod sealed;
mod unsealed;

pub use condition::{Attribute, Condition, Operator, Scope, Test, WrongTest};

use crate::table::{Filters, Segment};
use crate::view::Snapshot;
use crate::{Error, Store};
use epicenter_schema::{Timestamp, TraceId};
use std::collections::HashMap;
use std::sync::Arc;

/// Most traces that one search keeps in mind.
const TRACES_MAX: usize = 2_000_000;

/// Which traces come first.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Order {
    /// Those with the newest matching span.
    #[default]
    Newest,
    /// Those with the longest matching span.
    Longest,
}

/// A search.
#[derive(Clone, Debug, Default)]
pub struct Search {
    /// All of them are met by a span that counts.
    pub conditions: Vec<Condition>,
    /// Spans that start earlier do not count.
    pub start: Option<Timestamp>,
    /// Spans that start then or later do not count.
    pub end: Option<Timestamp>,
    /// What comes first.
    pub order: Order,
    /// The last hit of the page before.
    pub after: Option<Hit>,
    /// Most hits, at least 1.
    pub limit: usize,
}

/// A trace that was found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Hit {
    /// What it is ordered by: nanoseconds since 1970 of the start of its newest matching span, or nanoseconds of the
    /// duration of its longest.
    pub key: i64,
    /// The trace.
    pub trace: TraceId,
}

impl Hit {
    /// Larger keys first, then smaller ids.
    fn rank(&self) -> (std::cmp::Reverse<i64>, TraceId) {
        (std::cmp::Reverse(self.key), self.trace)
    }
}

impl Store {
    /// Finds traces, sorted, without repetition: at most `limit`, and all when there are fewer. Sees one consistent
    /// snapshot. Costs what has to be read to be sure of the page: segments that cannot hold a match are not opened.
    ///
    /// # Errors
    /// When a segment cannot be read, or more than two million traces would have to be remembered.
    pub async fn search(&self, search: &Search) -> Result<Vec<Hit>, Error> {
        let snapshot = self.inner.view.snapshot();
        find(&snapshot, &self.inner.filters, search).await
    }
}

async fn find(snapshot: &Snapshot, filters: &Arc<Filters>, search: &Search) -> Result<Vec<Hit>, Error> {
    let mut found = Found::default();
    for record in &snapshot.unsealed {
        unsealed::collect(record, search, &mut found)?;
    }
    let best = |segment: &Segment| match search.order {
        Order::Newest => segment.meta.start_max,
        Order::Longest => segment.meta.duration_max,
    };
    let mut segments: Vec<&Arc<Segment>> = snapshot
        .segments
        .iter()
        .filter(|segment| sealed::may_match(segment, search))
        .collect();
    segments.sort_by_key(|segment| (std::cmp::Reverse(best(segment)), segment.meta.first_sequence));
    for segment in segments {
        if found.is_enough(search, best(segment)) {
            break;
        }
        sealed::collect(segment, filters, search, &mut found).await?;
        found.check()?;
    }
    Ok(found.page(search))
}

/// The largest key of each trace so far.
#[derive(Default)]
struct Found {
    keys: HashMap<TraceId, i64>,
}

impl Found {
    fn add(&mut self, trace: TraceId, key: i64) {
        let known = self.keys.entry(trace).or_insert(key);
        *known = key.max(*known);
    }

    fn check(&self) -> Result<(), Error> {
        if self.keys.len() > TRACES_MAX {
            return Err(Error::SearchTooWide { limit: TRACES_MAX });
        }
        Ok(())
    }

    /// The traces behind the last page.
    fn behind(&self, search: &Search) -> impl Iterator<Item = Hit> {
        let hits = self.keys.iter().map(|(trace, key)| Hit {
            key: *key,
            trace: *trace,
        });
        let after = search.after.map(|hit| hit.rank());
        hits.filter(move |hit| after.is_none_or(|after| hit.rank() > after))
    }

    /// True when keys up to `best` cannot change the page any more.
    fn is_enough(&self, search: &Search, best: i64) -> bool {
        self.behind(search).filter(|hit| hit.key > best).count() >= search.limit
    }

    fn page(&self, search: &Search) -> Vec<Hit> {
        let mut hits: Vec<Hit> = self.behind(search).collect();
        hits.sort_unstable_by_key(Hit::rank);
        hits.truncate(search.limit);
        hits
    }
}
