//! What is not said is gone from a span, and nothing else is.

use super::*;
use epicenter_proto::otlp::common::{AnyValue, KeyValue, any_value::Value};
use epicenter_proto::otlp::trace::{Status, status::StatusCode};
use std::collections::BTreeSet;

fn attribute(key: &str) -> KeyValue {
    KeyValue {
        key: key.to_owned(),
        value: Some(AnyValue {
            value: Some(Value::StringValue(format!("value of {key}"))),
        }),
        ..KeyValue::default()
    }
}

/// A failed request to a route with a parameter.
fn failed(kind: SpanKind, id: u64) -> Span {
    Span {
        span_id: id.to_be_bytes().to_vec(),
        name: "GET /orders/{id}".to_owned(),
        kind: kind.into(),
        attributes: vec![attribute("http.request.method"), attribute("http.response.status_code")],
        status: Some(Status {
            code: StatusCode::Error.into(),
            message: "internal error".to_owned(),
        }),
        ..Span::default()
    }
}

fn stripped(without: &[Without], mut span: Span) -> Span {
    Bare::new(without).strip(&mut span);
    span
}

/// `change` is all that becomes of a span.
fn check(without: &[Without], change: impl Fn(&mut Span)) {
    for kind in [SpanKind::Server, SpanKind::Client, SpanKind::Internal] {
        let mut expected = failed(kind, 12_345);
        change(&mut expected);
        assert_eq!(
            stripped(without, failed(kind, 12_345)),
            expected,
            "{without:?} of {kind:?}"
        );
    }
}

#[test]
fn nothing_is_taken_out_unless_asked_for_and_calls_are_not_taken_out_here() {
    check(&[], |_| {});
    check(&[Without::Calls], |_| {});
}

#[test]
fn without_kinds_every_kind_is_unspecified() {
    check(&[Without::Kinds], |span| span.kind = 0);
}

#[test]
fn without_status_there_is_none_and_codes_stay() {
    check(&[Without::Status], |span| span.status = None);
}

#[test]
fn without_routes_names_of_servers_and_clients_hold_an_identifier() {
    check(&[Without::Routes], |span| {
        if span.kind() != SpanKind::Internal {
            span.name = "GET /orders/2345".to_owned();
        }
    });
    let mut rng = fastrand::Rng::with_seed(1);
    let names: BTreeSet<String> = (0..100_000)
        .map(|_| stripped(&[Without::Routes], failed(SpanKind::Server, rng.u64(..))).name)
        .collect();
    assert_eq!(names.len() as u64, IDENTIFIERS);
}

#[test]
fn without_current_names_all_have_their_old_ones_and_their_values() {
    let attributes = |keys: &[&str]| -> Vec<KeyValue> { keys.iter().map(|key| attribute(key)).collect() };
    let mut span = failed(SpanKind::Client, 1);
    span.attributes = attributes(&OLD_NAMES.map(|(new, _)| new));
    span.attributes.extend(attributes(&["http.route", "http.method"]));
    let after = stripped(&[Without::Names], span.clone());
    let keys: Vec<&str> = after
        .attributes
        .iter()
        .map(|attribute| attribute.key.as_str())
        .collect();
    assert_eq!(
        keys,
        [
            "http.method",
            "http.status_code",
            "http.url",
            "http.target",
            "net.peer.name",
            "net.peer.port",
            "db.system",
            "db.statement",
            "db.operation",
            "messaging.destination",
            "http.route",
            "http.method",
        ]
    );
    let values = |span: &Span| -> Vec<_> { span.attributes.iter().map(|each| each.value.clone()).collect() };
    assert_eq!(values(&after), values(&span));
    check(&[Without::Names], |span| {
        span.attributes[0].key = "http.method".to_owned();
        span.attributes[1].key = "http.status_code".to_owned();
    });
}

#[test]
fn several_are_taken_out_together_in_any_order() {
    use Without::{Kinds, Names, Routes, Status};
    for without in [[Kinds, Status, Routes, Names], [Names, Routes, Status, Kinds]] {
        check(&without, |span| {
            if span.kind() != SpanKind::Internal {
                span.name = "GET /orders/2345".to_owned();
            }
            span.kind = 0;
            span.status = None;
            span.attributes[0].key = "http.method".to_owned();
            span.attributes[1].key = "http.status_code".to_owned();
        });
    }
}
