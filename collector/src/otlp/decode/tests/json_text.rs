//! OTLP/JSON in all the forms that senders write.

use super::*;

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

    /// The JSON of another implementation gives the same spans back. It has no text for doubles that are not finite.
    #[test]
    fn the_json_of_the_protocol_crate_reads_back(request in request()) {
        let told = format!("{request:?}");
        if !told.contains("NaN") && !told.contains("(inf") && !told.contains("(-inf") {
            let json = serde_json::to_vec(&request).expect("serializes");
            let bytes = json_to_protobuf(&json).expect("OTLP/JSON");
            same_request(&protobuf(&bytes).expect("a message"), &request);
        }
    }
}

fn decode(json: &str) -> ExportTraceServiceRequest {
    let bytes = json_to_protobuf(json.as_bytes()).expect("OTLP/JSON");
    ExportTraceServiceRequest::decode(bytes.as_slice()).expect("a message")
}

fn span(body: &str) -> Span {
    let request = decode(&format!(
        r#"{{"resourceSpans":[{{"scopeSpans":[{{"spans":[{{{body}}}]}}]}}]}}"#
    ));
    request.resource_spans[0].scope_spans[0].spans[0].clone()
}

#[test]
fn empty_and_unknown_is_success() {
    for json in [
        "{}",
        r#"{"resourceSpans":[]}"#,
        r#"{"resourceSpans":null,"later":[{"x":1}]}"#,
        "\u{feff}{}",
    ] {
        assert_eq!(decode(json), ExportTraceServiceRequest::default());
    }
}

#[test]
fn numbers_are_texts_or_numbers_and_ids_any_case() {
    let a = span(
        r#""traceId":"5B8EFFF798038103D269B633813FC60C","spanId":"eee19b7ec3c1b174","startTimeUnixNano":"1544712660000000000","kind":2,"flags":1"#,
    );
    let b = span(
        r#""traceId":"5b8efff798038103d269b633813fc60c","spanId":"EEE19B7EC3C1B174","startTimeUnixNano":1544712660000000000,"kind":"SPAN_KIND_SERVER","flags":"1","unknown":{"deep":[1,{}]}"#,
    );
    assert_eq!(a, b);
    assert_eq!(
        (a.trace_id.len(), a.kind, a.start_time_unix_nano),
        (16, 2, 1_544_712_660_000_000_000)
    );
}

#[test]
fn values_of_every_type() {
    let value = |json: &str| {
        let span = span(&format!(r#""attributes":[{{"key":"k","value":{json}}}]"#));
        span.attributes[0].value.clone().and_then(|value| value.value)
    };
    use any_value::Value as V;
    assert_eq!(value(r#"{"stringValue":""}"#), Some(V::StringValue(String::new())));
    assert_eq!(
        value(r#"{"intValue":"-9223372036854775808"}"#),
        Some(V::IntValue(i64::MIN))
    );
    assert_eq!(value(r#"{"intValue":7,"notYet":{"a":1}}"#), Some(V::IntValue(7)));
    assert_eq!(value(r#"{"boolValue":false}"#), Some(V::BoolValue(false)));
    assert_eq!(value(r#"{"doubleValue":5}"#), Some(V::DoubleValue(5.0)));
    assert_eq!(
        value(r#"{"doubleValue":"-Infinity"}"#),
        Some(V::DoubleValue(f64::NEG_INFINITY))
    );
    assert!(matches!(value(r#"{"doubleValue":"NaN"}"#), Some(V::DoubleValue(d)) if d.is_nan()));
    assert_eq!(value(r#"{"bytesValue":"-_8"}"#), Some(V::BytesValue(vec![0xfb, 0xff])));
    assert_eq!(value("{}"), None);
    assert_eq!(value("null"), None);
    assert_eq!(
        value(r#"{"arrayValue":{}}"#),
        Some(V::ArrayValue(ArrayValue::default()))
    );
    assert_eq!(
        value(r#"{"kvlistValue":{"values":[]}}"#),
        Some(V::KvlistValue(KeyValueList::default()))
    );
}

#[test]
fn what_is_not_otlp_is_refused() {
    for json in [
        "",
        "[]",
        "nonsense",
        r#"{"resourceSpans":{}}"#,
        r#"{"resourceSpans":[{"scopeSpans":[{"spans":[{"traceId":"xyz"}]}]}]}"#,
        r#"{"resourceSpans":[{"scopeSpans":[{"spans":[{"startTimeUnixNano":-1}]}]}]}"#,
    ] {
        assert!(json_to_protobuf(json.as_bytes()).is_err(), "{json}");
    }
    let deep = format!("{}{}", r#"{"arrayValue":{"values":["#.repeat(5000), "]}}".repeat(5000));
    let json = format!(r#"{{"resourceSpans":[{{"resource":{{"attributes":[{{"key":"k","value":{deep}}}]}}}}]}}"#);
    assert!(json_to_protobuf(json.as_bytes()).is_err());
}
