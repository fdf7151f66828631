//! The order in which spans come changes nothing, as long as they come in time.

use super::*;

/// Spans of a few traces that start within so many milliseconds.
fn spans(within_ms: i64) -> impl Strategy<Value = Vec<S>> {
    let span = (
        1u8..6,
        1u8..20,
        0u8..20,
        0usize..3,
        0usize..3,
        1i32..4,
        0i64..within_ms,
        0i64..500,
        any::<bool>(),
    );
    let make = |(trace, id, parent, service, name, kind, start, duration, error)| {
        let parent = if parent == id { 0 } else { parent };
        let peer = (kind == 3).then_some("peer-db");
        S(
            trace,
            id,
            parent,
            ["a", "b", "c"][service],
            ["x", "y", "z"][name],
            kind,
            start,
            duration,
            error,
            peer,
        )
    };
    let unique = |mut spans: Vec<S>| {
        spans.sort_by_key(|span| (span.0, span.1));
        spans.dedup_by_key(|span| (span.0, span.1));
        spans
    };
    proptest::collection::vec(span.prop_map(make), 0..80).prop_map(unique)
}

/// Everything of the windows, with names for numbers.
fn seen(builder: &Builder, windows: &[(Timestamp, Window)]) -> String {
    let names = builder.names();
    let name = |id: &NameId| names.get(*id).to_string();
    let mut text = String::new();
    for (start, window) in windows {
        let Window { accounts, .. } = window;
        text.push_str(&format!("{start:?} {} {} {accounts:?}\n", window.traces, window.spans));
        for (key, op) in window.ops_sorted(names) {
            let mut children: Vec<(String, String, u64)> = op
                .children
                .iter()
                .map(|((service, child), count)| (name(service), name(child), *count))
                .collect();
            children.sort();
            let mut last: Vec<(String, u64)> = op.last_child.iter().map(|(id, count)| (name(id), *count)).collect();
            last.sort();
            let bare = OpStats {
                children: Tally::default(),
                last_child: Tally::default(),
                ..op.clone()
            };
            let of = (name(&key.service), name(&key.name), key.kind);
            text.push_str(&format!("{of:?} {bare:?} {children:?} {last:?}\n"));
        }
        for (key, edge) in window.edges_sorted(names) {
            let words = (edge.protocol.most(names), edge.system.most(names));
            let bare = EdgeStats {
                protocol: Words::default(),
                system: Words::default(),
                ..edge.clone()
            };
            let of = (
                name(&key.caller),
                name(&key.via),
                crate::callee_entity(key.callee, names),
            );
            text.push_str(&format!("{of:?} {bare:?} {words:?}\n"));
        }
        text.push_str(&format!("{:?}\n", Summary::new(window, names, DurationNs(1))));
    }
    text
}

proptest! {
    #[test]
    fn the_order_of_arrival_does_not_matter(spans in spans(20_000), cut in 0usize..80, seed in any::<u64>()) {
        let mut shuffled = spans.clone();
        shuffled.sort_by_key(|span| (u64::from(span.0) * 31 + u64::from(span.1)).wrapping_mul(seed | 1));
        let cut = cut.min(shuffled.len());
        let (one, first) = run(&[batch(&spans)]);
        let (other, second) = run(&[batch(&shuffled[..cut]), batch(&shuffled[cut..])]);
        prop_assert_eq!(seen(&one, &first), seen(&other, &second));
    }

    /// Guarantees: whatever comes within a minute after it ended is counted, and settled windows are the same, byte for
    /// byte, in whatever order and in however many batches spans came. Traces here last up to three minutes.
    #[test]
    fn settled_windows_do_not_depend_on_the_order_of_arrival(
        spans in spans(180_000),
        delays in proptest::collection::vec((0i64..60_000, 0i64..60_000), 80),
    ) {
        let delayed = |pick: fn(&(i64, i64)) -> i64| -> Vec<(i64, S)> {
            spans.iter().zip(&delays).map(|(span, delays)| (span.6 + span.7 + pick(delays), *span)).collect()
        };
        let prompt = arrive(spans.iter().map(|span| (span.6 + span.7, *span)).collect());
        let one = arrive(delayed(|delays| delays.0));
        let other = arrive(delayed(|delays| delays.1));
        prop_assert_eq!(&prompt, &one);
        prop_assert_eq!(&one, &other);
        let (builder, windows) = at_once(&spans);
        prop_assert_eq!(prompt, seen(&builder, &windows));
    }

    #[test]
    fn merging_windows_is_associative_and_commutes(spans in spans(20_000)) {
        let (_, windows) = run(&[batch(&spans)]);
        let windows: Vec<Window> = windows.into_iter().map(|(_, window)| window).collect();
        let sum = |order: &mut dyn Iterator<Item = &Window>| {
            let mut sum = Window::default();
            order.for_each(|window| sum.merge(window));
            sum
        };
        let forward = sum(&mut windows.iter());
        let backward = sum(&mut windows.iter().rev());
        prop_assert_eq!(&forward, &backward);
        let (left, right) = windows.split_at(windows.len() / 2);
        let (left, right) = (sum(&mut left.iter()), sum(&mut right.iter()));
        prop_assert_eq!(forward, sum(&mut [left, right].iter()));
    }
}

/// All windows as they are once they have settled.
fn settled(builder: &mut Builder, judged: Vec<(Timestamp, Window)>) -> Vec<(Timestamp, Window)> {
    let mut judged: BTreeMap<Timestamp, Window> = judged.into_iter().collect();
    let settled = builder.take_settled().into_iter().map(|settled| {
        let mut window = match settled.window {
            Some(window) => window,
            None => judged.remove(&settled.start).expect("a window that was judged"),
        };
        window.accounts.late = 0;
        (settled.start, window)
    });
    settled.filter(|(_, window)| window.spans > 0).collect()
}

fn at_once(spans: &[S]) -> (Builder, Vec<(Timestamp, Window)>) {
    let (mut builder, judged) = run(&[batch(spans)]);
    let windows = settled(&mut builder, judged);
    (builder, windows)
}

/// Each span comes alone at its time, in ms; windows are judged seven seconds after their end.
fn arrive(mut spans: Vec<(i64, S)>) -> String {
    spans.sort_by_key(|(at, span)| (*at, span.0, span.1));
    let mut builder = Builder::new(DurationNs::from_secs(5));
    let mut judged = Vec::new();
    for (at, span) in spans {
        let received = Timestamp(at * MS);
        builder.observe_received(&batch(&[span]), received);
        judged.extend(builder.advance(received - DurationNs::from_secs(7)));
    }
    judged.extend(builder.finish());
    assert_eq!((builder.counters().late, builder.open_spans), (0, 0));
    let windows = settled(&mut builder, judged);
    seen(&builder, &windows)
}

#[test]
fn a_late_span_joins_its_trace_and_a_later_one_is_counted_as_lost() {
    let mut builder = Builder::new(DurationNs::from_secs(5));
    let at = |seconds: i64| Timestamp(seconds * 1000 * MS);
    builder.observe_received(&batch(&TREE[..2]), at(1));
    let judged = builder.advance(at(6));
    assert_eq!(judged.len(), 1);
    let unanswered = |window: &Window| window.edges.values().map(|edge| edge.unanswered).sum::<u64>();
    assert_eq!(unanswered(&judged[0].1), 1);
    builder.observe_received(&batch(&TREE[2..]), at(50));
    assert!(builder.advance(at(70)).is_empty(), "late spans open no window");
    builder.advance(at(200));
    assert_eq!(builder.counters().late_counted, 2);
    let settled = builder.take_settled();
    let window = settled[0].window.as_ref().expect("it changed");
    assert_eq!(
        (settled[0].start, window.accounts.late, window.spans),
        (Timestamp(0), 2, 4)
    );
    assert!(window.edges.keys().any(|key| matches!(key.callee, Callee::Service(_))));
    builder.observe_received(&batch(&TREE), at(59));
    builder.advance(at(240));
    assert_eq!(builder.counters().late, 4);
    builder.observe_received(
        &batch(&[S(9, 1, 0, "web", "GET /", 2, 241_000, 1, false, None)]),
        at(242),
    );
    let judged = builder.advance(at(260));
    assert_eq!(judged[0].1.accounts.dropped, 4, "what is lost is told");
}
