//! Hosts whose clocks are wrong by seconds or by an hour.

use super::*;

/// The trace of `TREE` each second, with the clock of orders' host off by so much; spans come half a second after they
/// ended. What is judged, by the start of the window in seconds.
fn watch(off_ms: i64, seconds: i64) -> (Builder, Vec<(i64, Window)>) {
    let mut builder = Builder::new(DurationNs::from_secs(5));
    let mut judged = Vec::new();
    for second in 0..seconds {
        let received = Timestamp((1_000_000 + second * 1000 + 600) * MS);
        for side in [&TREE[2..], &TREE[..2]] {
            let spans = side.iter().map(|span| {
                let mut span = *span;
                span.0 = second as u8 + 1;
                span.6 += 1_000_000 + second * 1000 + if span.3 == "orders" { off_ms } else { 0 };
                span
            });
            builder.observe_received(&batch(&spans.collect::<Vec<S>>()), received);
        }
        let windows = builder.advance(received - DurationNs::from_secs(7));
        judged.extend(windows.into_iter().map(|(start, window)| (start.0 / MS / 1000, window)));
    }
    (builder, judged)
}

#[test]
fn clocks_minutes_ahead_or_behind_move_no_trace_and_lose_no_span() {
    let (straight, expected) = watch(0, 60);
    for off_ms in [
        -3_600_000, -300_000, -45_000, -10_000, 3_000, 40_000, 300_000, 3_600_000,
    ] {
        let (builder, judged) = watch(off_ms, 60);
        assert_eq!(builder.counters().late, 0, "{off_ms}");
        let shape = |builder: &Builder, windows: &[(i64, Window)]| -> Vec<String> {
            let names = builder.names();
            let of = |(start, window): &(i64, Window)| {
                let edges = window.edges_sorted(names);
                let edges = edges.into_iter().map(|(key, edge)| {
                    let callee = crate::callee_entity(key.callee, names).name;
                    (
                        names.get(key.caller).to_string(),
                        callee,
                        edge.count,
                        edge.unanswered,
                        ms(&edge.gap),
                    )
                });
                format!("{start} {} {:?}", window.traces, edges.collect::<Vec<_>>())
            };
            windows.iter().map(of).collect()
        };
        assert_eq!(shape(&builder, &judged), shape(&straight, &expected), "{off_ms} ms");
    }
}

/// Scenario: a host whose clock is minutes off sends traces of its own, with nobody else in them.
#[test]
fn a_host_alone_with_a_wrong_clock_is_heard_in_time() {
    for off_ms in [-600_000, 600_000] {
        let mut builder = Builder::new(DurationNs::from_secs(5));
        let (mut spans, mut last) = (0, 0);
        for second in 0..60 {
            let now = 1_000_000 + second * 1000;
            let span = S(
                second as u8 + 1,
                1,
                0,
                "cron",
                "job",
                1,
                now + off_ms - 500,
                100,
                false,
                None,
            );
            builder.observe_received(&batch(&[span]), Timestamp(now * MS));
            for (start, window) in builder.advance(Timestamp((now - 7_000) * MS)) {
                spans += window.spans;
                last = start.0 / MS;
            }
        }
        assert!(spans >= 35, "{spans} spans with a clock off by {off_ms} ms");
        assert_eq!(last, 1_045_000, "off by {off_ms} ms");
    }
}

/// Scenario: a recording, in which it is known how far each clock is off.
#[test]
fn spans_whose_clocks_are_known_to_be_off_count_when_they_were() {
    let mut skewed = TREE;
    for span in &mut skewed[2..] {
        span.6 += 40_000;
    }
    let mut builder = Builder::new(DurationNs::from_secs(5));
    builder.observe_moved(&batch(&skewed), |span| {
        DurationNs(if span.service_name() == "orders" {
            -40_000 * MS
        } else {
            0
        })
    });
    let windows = builder.finish();
    let starts: Vec<_> = windows.iter().map(|(start, window)| (start.0, window.spans)).collect();
    assert_eq!(starts, [(0, 4)]);
}
