//! The walk against prost: the same message, read twice, says the same; and bytes that are no message never panic.

use super::*;
use epicenter_proto::Message;
use epicenter_proto::otlp::collector_trace::ExportTraceServiceRequest;
use epicenter_proto::otlp::common::{AnyValue, ArrayValue, InstrumentationScope, KeyValue, KeyValueList, any_value};
use epicenter_proto::otlp::resource::Resource;
use epicenter_proto::otlp::trace::span::{Event, Link};
use epicenter_proto::otlp::trace::{ResourceSpans, ScopeSpans, Span, Status};
use epicenter_schema::{AttributeValue, Attributes, SpanRef};
use proptest::collection::vec;
use proptest::prelude::*;

fn any_text() -> impl Strategy<Value = String> {
    prop_oneof![
        Just(String::new()),
        "[a-z.]{1,12}",
        "\\PC{0,6}",
        "[\u{0}-\u{1f}\"\\\\é]{1,4}"
    ]
}

fn any_value() -> impl Strategy<Value = AnyValue> {
    let leaf = prop_oneof![
        Just(None),
        any_text().prop_map(|x| Some(any_value::Value::StringValue(x))),
        any::<bool>().prop_map(|x| Some(any_value::Value::BoolValue(x))),
        any::<i64>().prop_map(|x| Some(any_value::Value::IntValue(x))),
        prop_oneof![any::<f64>(), Just(f64::NAN), Just(f64::NEG_INFINITY), Just(-0.0)]
            .prop_map(|x| Some(any_value::Value::DoubleValue(x))),
        vec(any::<u8>(), 0..9).prop_map(|x| Some(any_value::Value::BytesValue(x))),
    ]
    .prop_map(|value| AnyValue { value });
    leaf.prop_recursive(4, 24, 4, |inner| {
        let pair = (any_text(), proptest::option::of(inner.clone()));
        let pair = pair.prop_map(|(key, value)| KeyValue {
            key,
            value,
            ..KeyValue::default()
        });
        prop_oneof![
            vec(inner, 0..4).prop_map(|values| any_value::Value::ArrayValue(ArrayValue { values })),
            vec(pair, 0..4).prop_map(|values| any_value::Value::KvlistValue(KeyValueList { values })),
        ]
        .prop_map(|value| AnyValue { value: Some(value) })
    })
}

fn attributes() -> impl Strategy<Value = Vec<KeyValue>> {
    let key = prop_oneof![
        any_text(),
        Just("http.status_code".to_owned()),
        Just("db.system".to_owned()),
        Just("server.address".to_owned()),
        Just("service.name".to_owned())
    ];
    vec((key, proptest::option::of(any_value())), 0..5).prop_map(|kvs| {
        kvs.into_iter()
            .map(|(key, value)| KeyValue {
                key,
                value,
                ..KeyValue::default()
            })
            .collect()
    })
}

fn id<const N: usize>() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![9 => any::<[u8; N]>().prop_map(|id| id.to_vec()), 1 => Just(vec![0; N]), 1 => vec(any::<u8>(), 0..20)]
}

fn event() -> impl Strategy<Value = Event> {
    (any::<u64>(), any_text(), attributes(), any::<u32>()).prop_map(|(time_unix_nano, name, attributes, dropped)| {
        Event {
            time_unix_nano,
            name,
            attributes,
            dropped_attributes_count: dropped,
        }
    })
}

fn link() -> impl Strategy<Value = Link> {
    (
        id::<16>(),
        id::<8>(),
        any_text(),
        attributes(),
        any::<u32>(),
        any::<u32>(),
    )
        .prop_map(
            |(trace_id, span_id, trace_state, attributes, dropped_attributes_count, flags)| Link {
                trace_id,
                span_id,
                trace_state,
                attributes,
                dropped_attributes_count,
                flags,
            },
        )
}

prop_compose! {
    fn span()(
        trace_id in id::<16>(), span_id in id::<8>(),
        parent_span_id in prop_oneof![3 => Just(Vec::new()), 9 => any::<[u8; 8]>().prop_map(|x| x.to_vec()), 1 => Just(vec![1])],
        (trace_state, name, message) in (any_text(), any_text(), any_text()),
        (kind, code, flags) in (any::<i32>(), prop_oneof![0..3i32, any::<i32>()], any::<u32>()),
        (start, end) in (any::<u64>(), any::<u64>()),
        attributes in attributes(), events in vec(event(), 0..3), links in vec(link(), 0..3),
        dropped in any::<[u32; 3]>(), has_status in any::<bool>(),
    ) -> Span {
        Span {
            trace_id, span_id, trace_state, parent_span_id, flags, name, kind,
            start_time_unix_nano: start, end_time_unix_nano: end,
            attributes, dropped_attributes_count: dropped[0],
            events, dropped_events_count: dropped[1], links, dropped_links_count: dropped[2],
            status: has_status.then_some(Status { message, code }),
        }
    }
}

fn request() -> impl Strategy<Value = ExportTraceServiceRequest> {
    let scope =
        (any_text(), any_text(), attributes(), any::<u32>()).prop_map(|(name, version, attributes, dropped)| {
            InstrumentationScope {
                name,
                version,
                attributes,
                dropped_attributes_count: dropped,
            }
        });
    let scope_spans =
        (proptest::option::of(scope), vec(span(), 0..4), any_text()).prop_map(|(scope, spans, schema_url)| {
            ScopeSpans {
                scope,
                spans,
                schema_url,
            }
        });
    let resource = (attributes(), any::<u32>()).prop_map(|(attributes, dropped_attributes_count)| Resource {
        attributes,
        dropped_attributes_count,
        entity_refs: Vec::new(),
    });
    let resource_spans = (proptest::option::of(resource), vec(scope_spans, 0..3), any_text()).prop_map(
        |(resource, scope_spans, schema_url)| ResourceSpans {
            resource,
            scope_spans,
            schema_url,
        },
    );
    vec(resource_spans, 0..3).prop_map(|resource_spans| ExportTraceServiceRequest { resource_spans })
}

fn is_accepted(span: &Span) -> bool {
    let valid = |id: &[u8], len| id.len() == len && id.iter().any(|b| *b != 0);
    valid(&span.trace_id, 16) && valid(&span.span_id, 8) && matches!(span.parent_span_id.len(), 0 | 8)
}

/// The JSON of a value, as serde_json reads what the walk wrote.
fn json_of(value: &AnyValue) -> serde_json::Value {
    use any_value::Value as V;
    match &value.value {
        None | Some(V::StringValueStrindex(_)) => serde_json::json!({}),
        Some(V::StringValue(x)) => serde_json::json!({ "stringValue": x }),
        Some(V::BoolValue(x)) => serde_json::json!({ "boolValue": x }),
        Some(V::IntValue(x)) => serde_json::json!({ "intValue": x.to_string() }),
        Some(V::DoubleValue(x)) if x.is_nan() => serde_json::json!({ "doubleValue": "NaN" }),
        Some(V::DoubleValue(x)) if x.is_infinite() => {
            serde_json::json!({ "doubleValue": if *x > 0.0 { "Infinity" } else { "-Infinity" } })
        }
        Some(V::DoubleValue(x)) => serde_json::json!({ "doubleValue": format!("{x:?}") }),
        Some(V::BytesValue(x)) => {
            serde_json::json!({ "bytesValue": base64::Engine::encode(&base64::engine::general_purpose::STANDARD, x) })
        }
        Some(V::ArrayValue(x)) => {
            serde_json::json!({ "arrayValue": { "values": x.values.iter().map(json_of).collect::<Vec<_>>() } })
        }
        Some(V::KvlistValue(x)) => {
            serde_json::json!({ "kvlistValue": { "values": x.values.iter().map(json_of_pair).collect::<Vec<_>>() } })
        }
    }
}

fn json_of_pair(pair: &KeyValue) -> serde_json::Value {
    let mut object = serde_json::json!({ "key": pair.key });
    if let Some(value) = &pair.value {
        object["value"] = json_of(value);
    }
    object
}

/// Doubles are compared by the text that Rust prints for them, which gives the same bits back.
fn with_doubles_as_text(json: &str) -> serde_json::Value {
    fn visit(value: &mut serde_json::Value) {
        match value {
            serde_json::Value::Object(map) => {
                for (key, value) in map {
                    match value.as_number() {
                        Some(number) if key == "doubleValue" => {
                            let number: f64 = number.to_string().parse().expect("a number");
                            *value = format!("{number:?}").into();
                        }
                        _ => visit(value),
                    }
                }
            }
            serde_json::Value::Array(items) => items.iter_mut().for_each(visit),
            _ => {}
        }
    }
    let mut value = serde_json::from_str(json).expect("the walk writes JSON");
    visit(&mut value);
    value
}

fn same_attributes(found: Attributes<'_>, expected: &[KeyValue]) {
    use any_value::Value as V;
    assert_eq!(found.len(), expected.len());
    for ((key, found), pair) in found.zip(expected) {
        assert_eq!(key, pair.key);
        match (found, pair.value.as_ref().and_then(|v| v.value.as_ref())) {
            (AttributeValue::String(a), Some(V::StringValue(b))) => assert_eq!(a, b),
            (AttributeValue::Int(a), Some(V::IntValue(b))) => assert_eq!(a, *b),
            (AttributeValue::Double(a), Some(V::DoubleValue(b))) => assert_eq!(a.to_bits(), b.to_bits()),
            (AttributeValue::Bool(a), Some(V::BoolValue(b))) => assert_eq!(a, *b),
            (AttributeValue::Bytes(a), Some(V::BytesValue(b))) => assert_eq!(a, b),
            (AttributeValue::Empty, None) => {}
            (AttributeValue::Json(a), Some(b @ (V::ArrayValue(_) | V::KvlistValue(_)))) => {
                assert_eq!(with_doubles_as_text(a), json_of(&AnyValue { value: Some(b.clone()) }));
            }
            (found, expected) => panic!("{key}: {found:?} against {expected:?}"),
        }
    }
}

fn same_span(found: SpanRef<'_>, expected: &Span) {
    assert_eq!(found.trace_id().0.as_slice(), expected.trace_id);
    assert_eq!(found.span_id().0.as_slice(), expected.span_id);
    let parent = found.parent_span_id().map(|id| id.0.to_vec()).unwrap_or_default();
    assert_eq!(parent, expected.parent_span_id);
    assert_eq!(found.trace_state().unwrap_or_default(), expected.trace_state);
    assert_eq!(
        (found.flags(), found.name(), found.kind_number()),
        (expected.flags, &*expected.name, expected.kind)
    );
    assert_eq!(found.start().0 as u64, expected.start_time_unix_nano);
    assert_eq!(found.end().0 as u64, expected.end_time_unix_nano);
    let status = expected.status.clone().unwrap_or_default();
    assert_eq!(
        (found.status_code_number(), found.status_message().unwrap_or_default()),
        (status.code, &*status.message)
    );
    let dropped = (
        expected.dropped_attributes_count,
        expected.dropped_events_count,
        expected.dropped_links_count,
    );
    assert_eq!(found.dropped_counts(), dropped);
    same_attributes(found.attributes(), &expected.attributes);
    assert_eq!(found.events().len(), expected.events.len());
    for (found, expected) in found.events().zip(&expected.events) {
        assert_eq!(
            (found.time.0 as u64, found.name),
            (expected.time_unix_nano, &*expected.name)
        );
        assert_eq!(found.dropped_attributes_count, expected.dropped_attributes_count);
        same_attributes(found.attributes, &expected.attributes);
    }
    assert_eq!(found.links().len(), expected.links.len());
    for (found, expected) in found.links().zip(&expected.links) {
        assert_eq!(
            found.trace_id.0,
            <[u8; 16]>::try_from(&*expected.trace_id).unwrap_or_default()
        );
        assert_eq!(
            found.span_id.0,
            <[u8; 8]>::try_from(&*expected.span_id).unwrap_or_default()
        );
        assert_eq!(found.trace_state.unwrap_or_default(), expected.trace_state);
        assert_eq!(
            (found.flags, found.dropped_attributes_count),
            (expected.flags, expected.dropped_attributes_count)
        );
        same_attributes(found.attributes, &expected.attributes);
    }
}

fn shared_json(
    outer: &str,
    attributes: &[KeyValue],
    rest: &[(&str, serde_json::Value)],
    url: &str,
) -> serde_json::Value {
    let mut object = serde_json::Map::new();
    if !attributes.is_empty() {
        object.insert("attributes".to_owned(), attributes.iter().map(json_of_pair).collect());
    }
    for (key, value) in rest {
        if *value != serde_json::json!("") && *value != serde_json::json!(0) {
            object.insert((*key).to_owned(), value.clone());
        }
    }
    let mut json = serde_json::json!({ outer: object });
    if !url.is_empty() {
        json["schemaUrl"] = url.into();
    }
    json
}

fn same_request(found: &Decoded, expected: &ExportTraceServiceRequest) {
    let mut rejected = 0;
    let batch = found.batch.spans();
    let mut rows = batch.iter();
    for resource_spans in &expected.resource_spans {
        for scope_spans in &resource_spans.scope_spans {
            for span in &scope_spans.spans {
                if !is_accepted(span) {
                    rejected += 1;
                    continue;
                }
                let row = rows.next().expect("a row a span");
                same_span(row, span);
                if let Some(resource) = &resource_spans.resource {
                    let dropped = ("droppedAttributesCount", resource.dropped_attributes_count.into());
                    let json = shared_json("resource", &resource.attributes, &[dropped], &resource_spans.schema_url);
                    assert_eq!(with_doubles_as_text(row.resource().expect("a resource")), json);
                }
                if let Some(scope) = &scope_spans.scope {
                    let rest = [
                        ("name", scope.name.clone().into()),
                        ("version", scope.version.clone().into()),
                        ("droppedAttributesCount", scope.dropped_attributes_count.into()),
                    ];
                    let json = shared_json("scope", &scope.attributes, &rest, &scope_spans.schema_url);
                    assert_eq!(with_doubles_as_text(row.scope().expect("a scope")), json);
                }
            }
        }
    }
    assert_eq!(rows.len(), 0);
    assert_eq!(found.rejected.count(), rejected);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 192, ..ProptestConfig::default() })]

    #[test]
    fn the_walk_says_what_prost_says(request in request()) {
        let bytes = request.encode_to_vec();
        same_request(&protobuf(&bytes).expect("a message"), &request);
    }

    #[test]
    fn joined_messages_are_merged_as_prost_merges_them(first in request(), second in request()) {
        let bytes = [first.encode_to_vec(), second.encode_to_vec()].concat();
        let expected = ExportTraceServiceRequest::decode(bytes.as_slice()).expect("a message");
        same_request(&protobuf(&bytes).expect("a message"), &expected);
    }

    #[test]
    fn broken_bytes_are_refused_or_read_as_prost_reads_them(
        request in request(), flips in vec((any::<prop::sample::Index>(), any::<u8>()), 0..4), cut in any::<prop::sample::Index>(),
    ) {
        let mut bytes = request.encode_to_vec();
        bytes.truncate(cut.index(bytes.len() + 1));
        if !bytes.is_empty() {
            for (at, byte) in flips {
                let at = at.index(bytes.len());
                bytes[at] = byte;
            }
        }
        if let (Ok(found), Ok(expected)) = (protobuf(&bytes), ExportTraceServiceRequest::decode(bytes.as_slice())) {
            let spans: usize = expected.resource_spans.iter().flat_map(|r| &r.scope_spans).map(|s| s.spans.len()).sum();
            prop_assert_eq!(found.batch.len() as u64 + found.rejected.count(), spans as u64);
        }
    }

    #[test]
    fn any_bytes_do_no_harm(bytes in vec(any::<u8>(), 0..200)) {
        let _ = protobuf(&bytes);
        let _ = json_to_protobuf(&bytes);
    }
}

mod json_text;
mod wire_format;
