//! Bare telemetry is that of the same run: the same traces, spans and truth, less what is not said.

use super::*;
use epicenter_proto::otlp::common::KeyValue;

/// A system with stores, third parties and queues, some of whose calls fail.
fn plan() -> Plan {
    Plan {
        healthy: Duration::from_secs(20),
        broken: Duration::from_secs(20),
        after: Duration::from_secs(5),
        ..Plan::of_kind(4, Kind::Errors)
    }
}

/// Spans and truth.
fn written(plan: Plan, without: &[Without]) -> (Vec<Span>, String) {
    let without = without.to_vec();
    let (file, truth) = play(&Plan { without, ..plan });
    (spans_of(&file).into_iter().map(|(_, span)| span).collect(), truth)
}

fn has(span: &Span, prefix: &str) -> bool {
    span.attributes
        .iter()
        .any(|attribute| attribute.key.starts_with(prefix))
}

fn is_call(span: &Span) -> bool {
    span.kind() == SpanKind::Client && !has(span, "db.") && !has(span, "messaging.")
}

fn is_of_third_party(span: &Span) -> bool {
    let url = span.attributes.iter().find(|attribute| attribute.key == "url.full");
    url.is_some_and(|url| format!("{:?}", url.value).contains("https:"))
}

/// Every span with what is not said made equal, and how many spans differed in it.
fn compare(full: &[Span], bare: &[Span], level: impl Fn(&mut Span)) -> usize {
    assert_eq!(full.len(), bare.len());
    let mut differ = 0;
    for (full, bare) in full.iter().zip(bare) {
        differ += usize::from(full != bare);
        let (mut full, mut bare) = (full.clone(), bare.clone());
        level(&mut full);
        level(&mut bare);
        assert_eq!(full, bare);
    }
    differ
}

#[test]
fn what_a_span_does_not_say_changes_nothing_else() {
    let (full, truth) = written(plan(), &[]);
    let servers = full.iter().filter(|span| span.kind() == SpanKind::Server).count();
    let failed = full.iter().filter(|span| span.status.is_some()).count();
    assert!(servers > 1000 && failed > 100, "{servers} servers, {failed} failed");
    assert!(full.iter().any(|span| has(span, "messaging.")) && full.iter().any(|span| has(span, "db.")));
    assert!(full.iter().any(|span| is_call(span) && is_of_third_party(span)));

    let (kinds, same) = written(plan(), &[Without::Kinds]);
    assert!(kinds.iter().all(|span| span.kind == 0) && same == truth);
    assert_eq!(compare(&full, &kinds, |span| span.kind = 0), full.len());

    let (status, same) = written(plan(), &[Without::Status]);
    assert!(status.iter().all(|span| span.status.is_none()) && same == truth);
    assert_eq!(compare(&full, &status, |span| span.status = None), failed);

    let (routes, same) = written(plan(), &[Without::Routes]);
    assert!(routes.iter().all(|span| !span.name.contains('{')) && same == truth);
    let differ = compare(&full, &routes, |span| span.name.clear());
    assert_eq!(differ, full.iter().filter(|span| span.name.contains("{id}")).count());
    assert!(differ > 100, "{differ}");

    let (names, same) = written(plan(), &[Without::Names]);
    let current = [
        "http.request.method",
        "http.response.status_code",
        "url.",
        "server.",
        "db.system.name",
    ];
    let is_current = |span: &Span| current.iter().any(|prefix| has(span, prefix));
    assert!(full.iter().any(is_current) && same == truth);
    assert!(!names.iter().any(is_current));
    let clear = |attribute: &mut KeyValue| attribute.key.clear();
    compare(&full, &names, |span| span.attributes.iter_mut().for_each(clear));
}

/// Who is meant by an id when spans of calls are gone, as told by `bare`.
struct Around<'a> {
    calls: BTreeMap<&'a [u8], &'a Span>,
    rest: BTreeSet<&'a [u8]>,
    moved: usize,
}

impl<'a> Around<'a> {
    fn new(full: &'a [Span]) -> Self {
        let (calls, rest): (Vec<&Span>, Vec<&Span>) = full.iter().partition(|span| is_call(span));
        Self {
            calls: calls.into_iter().map(|span| (span.span_id.as_slice(), span)).collect(),
            rest: rest.into_iter().map(|span| span.span_id.as_slice()).collect(),
            moved: 0,
        }
    }

    /// The id of the span around a call instead of that of the call.
    fn lift(&mut self, id: &mut Vec<u8>, bare: &[u8]) {
        if let Some(call) = self.calls.get(id.as_slice()) {
            id.clone_from(&call.parent_span_id);
            self.moved += 1;
        } else if !id.is_empty() && !self.rest.contains(id.as_slice()) {
            // Still waited for at the end, and in no file: the span around it may be.
            *id = bare.to_vec();
        }
    }
}

#[test]
fn without_calls_their_callees_are_below_whoever_called() {
    // Services without instrumentation pass on who called them, or nothing.
    let untraced = Plan {
        untraced: 0.3,
        ..plan()
    };
    for plan in [plan(), untraced] {
        let (full, truth) = written(plan.clone(), &[]);
        let (bare, same) = written(plan, &[Without::Calls]);
        assert_eq!(but_for_spans(&truth), but_for_spans(&same));
        assert!(bare.iter().all(|span| !is_call(span)));
        let stores = bare.iter().filter(|span| span.kind() == SpanKind::Client).count();
        assert!(stores > 100, "{stores}");

        let mut around = Around::new(&full);
        let newest = full.iter().map(|span| span.end_time_unix_nano).max().expect("spans");
        assert_eq!(around.rest.len(), bare.len());
        let rest = full.iter().filter(|span| !is_call(span));
        for (mut expected, bare) in rest.cloned().zip(&bare) {
            around.lift(&mut expected.parent_span_id, &bare.parent_span_id);
            for (link, of) in expected.links.iter_mut().zip(&bare.links) {
                around.lift(&mut link.span_id, &of.span_id);
            }
            assert_eq!(&expected, bare);
            let is_there = bare.parent_span_id.is_empty() || around.rest.contains(bare.parent_span_id.as_slice());
            // Some still run at the end.
            assert!(is_there || newest - bare.end_time_unix_nano < SECOND, "{}", bare.name);
        }
        assert!(around.moved > 1000, "{}", around.moved);
    }
}

/// A truth without the number of spans, of which there are fewer.
fn but_for_spans(truth: &str) -> serde_json::Value {
    let mut truth: serde_json::Value = serde_json::from_str(truth).expect("JSON");
    truth["spans"].take();
    truth
}
