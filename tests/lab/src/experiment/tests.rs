//! The same seed gives the same bytes, every kind can be shown and is felt, and spans hold what spans may hold.

use super::*;
use epicenter_proto::Message;
use epicenter_proto::otlp::collector_trace::ExportTraceServiceRequest;
use epicenter_proto::otlp::trace::{Span, span::SpanKind};
use std::collections::{BTreeMap, BTreeSet};

/// A run short enough for a test.
fn short(seed: u64, kind: Kind) -> Plan {
    Plan {
        healthy: Duration::from_secs(60),
        broken: Duration::from_secs(60),
        after: Duration::from_secs(10),
        ..Plan::of_kind(seed, kind)
    }
}

/// Plays a plan; the bytes of its spans and the text of its truth.
fn play(plan: &Plan) -> (Vec<u8>, String) {
    let folder = tempfile::tempdir().expect("a folder");
    run(plan, folder.path()).expect("it runs");
    let spans = std::fs::read(folder.path().join(SPANS)).expect("spans");
    let truth = std::fs::read_to_string(folder.path().join(TRUTH)).expect("truth");
    (spans, truth)
}

/// Spans of a file, with the service that sent each.
fn spans_of(file: &[u8]) -> Vec<(String, Span)> {
    let bytes = zstd::decode_all(file).expect("zstd");
    let mut rest = bytes.as_slice();
    let mut spans = Vec::new();
    while !rest.is_empty() {
        let request = ExportTraceServiceRequest::decode_length_delimited(&mut rest).expect("a request");
        for resource_spans in request.resource_spans {
            let resource = resource_spans.resource.expect("a resource");
            let name = resource
                .attributes
                .iter()
                .find(|attribute| attribute.key == "service.name");
            let name = format!("{:?}", name.expect("a name").value);
            for scope_spans in resource_spans.scope_spans {
                spans.extend(scope_spans.spans.into_iter().map(|span| (name.clone(), span)));
            }
        }
    }
    spans
}

#[test]
fn the_same_seed_gives_the_same_bytes_and_another_seed_others() {
    let first = play(&short(5, Kind::SlowCode));
    assert!(first == play(&short(5, Kind::SlowCode)));
    assert!(first.0 != play(&short(6, Kind::SlowCode)).0);
}

#[test]
fn every_fault_can_be_shown_and_is_felt_in_services() {
    check_kinds(&Kind::all()[..9]);
}

#[test]
fn every_fault_can_be_shown_and_is_felt_around_services() {
    check_kinds(&Kind::all()[9..17]);
}

#[test]
fn every_harmless_change_can_be_shown_and_is_not_felt() {
    let kinds = Kind::all();
    assert!(kinds[17..].iter().all(|kind| kind.is_harmless()) && kinds.len() == 24);
    check_kinds(&kinds[17..]);
}

/// Plays every kind once and looks at its truth.
fn check_kinds(kinds: &[Kind]) {
    for kind in kinds.iter().copied() {
        let (_, truth) = play(&short(12, kind));
        let truth: serde_json::Value = serde_json::from_str(&truth).expect("JSON");
        assert_eq!(truth["fault"], kind.name());
        assert_eq!(truth["harmless"], kind.is_harmless(), "{}", kind.name());
        let culprits = truth["culprits"].as_array().expect("a list");
        let causes = truth["causes"].as_array().expect("a list");
        assert_eq!(culprits.is_empty(), kind.is_harmless(), "{}", kind.name());
        assert_eq!(causes.is_empty(), kind.is_harmless(), "{}", kind.name());
        let time = |key: &str| truth[key].as_str().and_then(|text| text.parse::<u64>().ok());
        let (start, end) = (time("fault_start_unix_nano"), time("fault_end_unix_nano"));
        assert!(start.is_some() && start < end, "{}", kind.name());
        if kind.is_harmless() {
            assert!(truth["first_shaken_unix_nano"].is_null(), "{}", kind.name());
        } else {
            let first = time("first_shaken_unix_nano");
            assert!(start <= first && first < end, "{}: {truth}", kind.name());
            assert!(
                truth["shaken"].as_f64().is_some_and(|share| share >= 0.1),
                "{}",
                kind.name()
            );
        }
        let has_dimension = matches!(kind, Kind::NodeDead | Kind::NodeSlow | Kind::BadPod | Kind::BadDeploy);
        assert_eq!(truth["dimension"].is_object(), has_dimension, "{}", kind.name());
    }
}

#[test]
fn at_rest_every_parent_is_there_and_lasts_from_before_to_after_its_child() {
    let spans = spans_of(&play(&short(3, Kind::Calm)).0);
    let by_id: BTreeMap<&[u8], &Span> = spans.iter().map(|(_, span)| (span.span_id.as_slice(), span)).collect();
    assert_eq!(by_id.len(), spans.len(), "every id is there once");
    let newest = spans
        .iter()
        .map(|(_, span)| span.end_time_unix_nano)
        .max()
        .expect("spans");
    let (mut roots, mut failed) = (0, 0);
    for (service, span) in &spans {
        assert!(span.end_time_unix_nano >= span.start_time_unix_nano);
        failed += usize::from(span.status.as_ref().is_some_and(|status| status.code == 2));
        if span.parent_span_id.is_empty() {
            roots += 1;
            assert!(
                matches!(span.kind(), SpanKind::Server | SpanKind::Consumer),
                "{service}"
            );
            continue;
        }
        let Some(parent) = by_id.get(span.parent_span_id.as_slice()) else {
            // Still running at the end: its own end is not far from that of the run.
            assert!(
                newest - span.end_time_unix_nano < 10 * SECOND,
                "{service} {}",
                span.name
            );
            continue;
        };
        assert_eq!(parent.trace_id, span.trace_id);
        assert!(parent.start_time_unix_nano <= span.start_time_unix_nano);
    }
    assert!(
        roots > 100 && failed * 50 < spans.len(),
        "{roots} roots, {failed} of {} failed",
        spans.len()
    );
}

#[test]
fn sampling_keeps_whole_traces_with_their_threshold_and_changes_nothing_else() {
    let plan = short(9, Kind::Errors);
    let all = spans_of(&play(&plan).0);
    let kept = spans_of(&play(&Plan { keep_one_in: 4, ..plan }).0);
    let traces = |spans: &[(String, Span)]| -> BTreeMap<Vec<u8>, usize> {
        let mut traces = BTreeMap::new();
        for (_, span) in spans {
            *traces.entry(span.trace_id.clone()).or_insert(0) += 1;
        }
        traces
    };
    assert!(kept.iter().all(|(_, span)| span.trace_state == "ot=th:c"));
    assert!(all.iter().all(|(_, span)| span.trace_state.is_empty()));
    let (all, kept) = (traces(&all), traces(&kept));
    assert!(kept.iter().all(|(trace, spans)| all.get(trace) == Some(spans)));
    let share = kept.len() as f64 / all.len() as f64;
    assert!((0.2..0.3).contains(&share), "{share}");
}

#[test]
fn services_without_instrumentation_send_nothing_and_half_of_them_break_the_trace() {
    let plan = short(4, Kind::Crash);
    let services = |spans: &[(String, Span)]| {
        spans
            .iter()
            .map(|(service, _)| service.clone())
            .collect::<BTreeSet<_>>()
    };
    let roots = |spans: &[(String, Span)]| {
        let is_root = |span: &Span| span.kind() == SpanKind::Server && span.parent_span_id.is_empty();
        spans.iter().filter(|(_, span)| is_root(span)).count()
    };
    let all = spans_of(&play(&plan).0);
    let fewer = spans_of(&play(&Plan { untraced: 0.3, ..plan }).0);
    assert!(services(&fewer).len() < services(&all).len());
    assert!(services(&fewer).is_subset(&services(&all)));
    assert!(roots(&fewer) > roots(&all), "{} of {}", roots(&fewer), roots(&all));
}

#[test]
fn clocks_that_are_off_move_whole_machines() {
    let plan = short(8, Kind::Crash);
    let all = spans_of(&play(&plan).0);
    let clock_skew = Duration::from_secs(180);
    let skewed = spans_of(&play(&Plan { clock_skew, ..plan }).0);
    assert_eq!(all.len(), skewed.len());
    let mut shifts: BTreeSet<i64> = BTreeSet::new();
    for ((_, right), (_, wrong)) in all.iter().zip(&skewed) {
        assert_eq!(right.span_id, wrong.span_id);
        let shift = wrong
            .start_time_unix_nano
            .wrapping_sub(right.start_time_unix_nano)
            .cast_signed();
        assert_eq!(
            wrong.end_time_unix_nano,
            right.end_time_unix_nano.wrapping_add_signed(shift)
        );
        shifts.insert(shift);
    }
    assert!(shifts.len() > 2 && shifts.iter().all(|shift| shift.unsigned_abs() <= 180 * SECOND));
}

#[test]
fn spans_hold_what_the_conventions_name_and_nothing_else() {
    const PREFIXES: [&str; 8] = [
        "http.",
        "url.",
        "rpc.",
        "db.",
        "messaging.",
        "server.",
        "net.",
        "error.",
    ];
    for (service, span) in spans_of(&play(&short(10, Kind::BadDeploy)).0) {
        for attribute in &span.attributes {
            assert!(
                PREFIXES.iter().any(|prefix| attribute.key.starts_with(prefix)),
                "{service}: {}",
                attribute.key
            );
        }
    }
}

mod bare;
mod pairs;
