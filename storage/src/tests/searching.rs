//! Searching: what is found is what a look at every span finds, however the spans lie.

use super::fixture::*;
use crate::{Attribute, Condition, Hit, Operator, Order, Scope, Search, Store, Test};
use epicenter_schema::{Timestamp, TraceId};
use std::collections::HashMap;

pub(super) const SPANS: u64 = 400;
/// A list of nothing, as it reads.
const EMPTY_LIST: &str = r#"{"arrayValue":{"values":[]}}"#;

fn attribute(scope: Scope, key: &str, operator: Operator, text: &str) -> Condition {
    Condition::Attribute(Attribute {
        scope,
        key: key.to_owned(),
        test: Test::new(operator, text).expect("a test"),
    })
}

/// Searches, and which span numbers meet them.
#[expect(clippy::type_complexity, reason = "a table of cases")]
fn cases() -> Vec<(Vec<Condition>, Box<dyn Fn(u64) -> bool>)> {
    use Operator::{AtLeast, Differs, Equals, Exists, Less, Matches, MatchesNot};
    use Scope::{Any, Event, InstrumentationScope, Link, Resource, Span};
    vec![
        (vec![], Box::new(|_| true)),
        (vec![Condition::Service("service-1".into())], Box::new(|n| n % 3 == 1)),
        (vec![Condition::Service("nobody".into())], Box::new(|_| false)),
        (
            vec![Condition::Operation("SELECT".into()), Condition::Error(false)],
            Box::new(|n| n % 2 == 0),
        ),
        (vec![Condition::Status(2)], Box::new(|n| n % 3 == 2)),
        (vec![Condition::Kind(4)], Box::new(|n| n % 6 == 4)),
        (
            vec![Condition::DurationMin(20_000), Condition::DurationMax(50_000)],
            Box::new(|n| (25..=55).contains(&n)),
        ),
        (vec![attribute(Any, "number", Equals, "77")], Box::new(|n| n == 77)),
        (vec![attribute(Any, "number", Equals, "77.0")], Box::new(|n| n == 77)),
        (vec![attribute(Any, "number", Equals, "777")], Box::new(|_| false)),
        (vec![attribute(Span, "number", Less, "5.5")], Box::new(|n| n < 6)),
        (vec![attribute(Span, "number", AtLeast, "395")], Box::new(|n| n >= 395)),
        (vec![attribute(Event, "number", Exists, "")], Box::new(|_| false)),
        (vec![attribute(Any, "text", Equals, "123")], Box::new(|n| n == 123)),
        (
            vec![attribute(Any, "text", Matches, "^12.$")],
            Box::new(|n| (120..130).contains(&n)),
        ),
        // A key that comes twice: one of both has to meet it.
        (vec![attribute(Any, "text", Equals, "again")], Box::new(|_| true)),
        (vec![attribute(Any, "ratio", Equals, "-inf")], Box::new(|n| n % 2 == 1)),
        (vec![attribute(Any, "yes", Equals, "true")], Box::new(|n| n % 2 == 1)),
        (
            vec![attribute(Any, "raw", Equals, "00ff07")],
            Box::new(|n| n % 256 == 7),
        ),
        (vec![attribute(Any, "list", Exists, "")], Box::new(|_| true)),
        (vec![attribute(Any, "list", Equals, EMPTY_LIST)], Box::new(|_| true)),
        (vec![attribute(Any, "nothing", Exists, "")], Box::new(|_| true)),
        (vec![attribute(Any, "nothing", Equals, "")], Box::new(|_| true)),
        (vec![attribute(Any, "absent", Exists, "")], Box::new(|_| false)),
        (
            vec![attribute(Any, "exception.type", Equals, "Timeout")],
            Box::new(|n| n % 2 == 1),
        ),
        (
            vec![attribute(Event, "exception.type", MatchesNot, "Time")],
            Box::new(|_| false),
        ),
        (
            vec![attribute(Link, "exception.type", Equals, "Timeout")],
            Box::new(|_| false),
        ),
        (vec![attribute(Link, "why", Equals, "batch")], Box::new(|n| n % 2 == 1)),
        (
            vec![attribute(Resource, "shard", Equals, "2")],
            Box::new(|n| n % 3 == 2),
        ),
        (vec![attribute(Any, "shard", Differs, "2")], Box::new(|n| n % 3 != 2)),
        (
            vec![attribute(InstrumentationScope, "shard", Exists, "")],
            Box::new(|_| false),
        ),
        (
            vec![
                Condition::Service("service-0".into()),
                attribute(Any, "exception.type", Equals, "Timeout"),
                attribute(Any, "number", AtLeast, "200"),
            ],
            Box::new(|n| n % 6 == 3 && n >= 200),
        ),
    ]
}

/// All hits, found by looking at every span.
fn expected(search: &Search, is_met: impl Fn(u64) -> bool) -> Vec<Hit> {
    let mut keys: HashMap<TraceId, i64> = HashMap::new();
    for number in (0..SPANS).filter(|number| is_met(*number)) {
        let start = start_of(number);
        let in_time = search.start.is_none_or(|from| start >= from.0) && search.end.is_none_or(|to| start < to.0);
        if in_time {
            let key = match search.order {
                Order::Newest => start,
                Order::Longest => (number as i64 - 5) * 1_000,
            };
            let known = keys.entry(TraceId(trace_id(number))).or_insert(key);
            *known = key.max(*known);
        }
    }
    let mut hits: Vec<Hit> = keys.into_iter().map(|(trace, key)| Hit { key, trace }).collect();
    hits.sort_by_key(|hit| (std::cmp::Reverse(hit.key), hit.trace));
    hits
}

pub(super) async fn check(store: &Store) {
    for order in [Order::Newest, Order::Longest] {
        for (start, end) in [(None, None), (Some(100), Some(300))] {
            for (conditions, is_met) in cases() {
                let at = |number: Option<u64>| number.map(|number| Timestamp(start_of(number)));
                let mut search = Search {
                    conditions,
                    start: at(start),
                    end: at(end),
                    order,
                    after: None,
                    limit: 7,
                };
                let expected = expected(&search, is_met);
                let mut found = Vec::new();
                loop {
                    let page = store.search(&search).await.expect("found");
                    assert!(page.len() <= 7);
                    let Some(last) = page.last() else { break };
                    search.after = Some(*last);
                    found.extend(page);
                }
                assert_eq!(found, expected, "{search:?}");
            }
        }
    }
}

#[tokio::test]
async fn pages_hold_what_a_look_at_every_span_finds() {
    let lab = Lab::new();
    let (store, mut service) = lab.open().await;
    // Requests of 6 spans cut traces of 4 apart, and so do segments.
    for first in (0..SPANS).step_by(8) {
        append(&store, first, 8).await.expect("appended");
        if first == 0 {
            // Half a sealed and an unsealed part at the end, nothing but unsealed at first.
            continue;
        }
        if first % 80 == 0 && first < 320 {
            seal_all(&store, &mut service).await.expect("sealed");
        }
    }
    check(&store).await;
    seal_all(&store, &mut service).await.expect("sealed");
    assert!(lab.table_files().len() >= 4);
    check(&store).await;
}

#[tokio::test]
async fn segments_that_cannot_hold_a_match_are_not_opened() {
    let lab = Lab::new();
    let (store, mut service) = lab.open().await;
    for first in (0..SPANS).step_by(40) {
        append(&store, first, 40).await.expect("appended");
        seal_all(&store, &mut service).await.expect("sealed");
    }
    for (condition, order, at_most) in [
        (
            attribute(Scope::Any, "number", Operator::Equals, "77"),
            Order::Newest,
            1,
        ),
        (
            attribute(Scope::Any, "number", Operator::Equals, "-1"),
            Order::Newest,
            0,
        ),
        (Condition::DurationMin(394_000), Order::Longest, 1),
        // The newest segment alone has a page of them.
        (Condition::Service("service-1".into()), Order::Newest, 1),
    ] {
        let read = store.inner.counters.segments_read.get();
        let search = Search {
            conditions: vec![condition],
            order,
            limit: 5,
            ..Search::default()
        };
        store.search(&search).await.expect("found");
        // Of absent values the filter lets a few in a hundred pass.
        let read = store.inner.counters.segments_read.get() - read;
        assert!(read <= at_most + 1, "{search:?}: {read}");
    }
}
