//! Corners of the protobuf encoding, by hand.

use super::*;

fn field(number: u32, body: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    prost::encoding::encode_varint(u64::from(number << 3 | 2), &mut out);
    prost::encoding::encode_varint(body.len() as u64, &mut out);
    out.extend_from_slice(body);
    out
}

/// A request of one span: valid ids, then `fields`.
fn request_of(fields: &[u8]) -> Vec<u8> {
    let span = [&field(1, &[1; 16]), &field(2, &[2; 8]), fields].concat();
    field(1, &field(2, &field(2, &span)))
}

#[test]
fn nothing_is_a_request_of_nothing() {
    assert!(protobuf(b"").expect("a message").batch.is_empty());
}

#[test]
fn bytes_that_are_no_message_are_refused_by_name() {
    let check = |bytes: &[u8], expected: &str| {
        let error = protobuf(bytes).expect_err("no message").to_string();
        assert!(error.contains(expected), "{error:?} does not say {expected:?}");
    };
    check(b"not a protobuf", "not a field tag");
    check(&[0x0a], "ends within");
    check(&[0x0a, 0x05, 0x01], "ends within");
    check(&[0x08, 0x01], "wrong wire type");
    check(&[0x00], "not a field tag");
    check(&[0x0e], "not a field tag");
    check(&[0x13], "group");
    check(&[&[0xff; 9][..], &[0x02]].concat(), "varint");
    check(&[0xff; 10], "varint");
    check(&[0x80; 10], "varint");
    check(
        &[0x0a, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01],
        "ends within",
    );
    check(&request_of(&field(5, &[0xff, 0xfe])), "UTF-8");
    check(
        &request_of(&[field(9, &field(1, b"k")), field(6, b"")].concat()),
        "wrong wire type",
    );
}

#[test]
fn unknown_fields_are_skipped_and_the_last_of_a_scalar_wins() {
    let unknown = [
        &field(99, b"new"),
        &[0x98, 0x06, 0x05][..],
        &field(5, b"first"),
        &field(5, b"last"),
    ]
    .concat();
    let decoded = protobuf(&request_of(&unknown)).expect("a message");
    assert_eq!(decoded.batch.spans().get(0).name(), "last");
}

#[test]
fn resource_and_status_after_the_spans_still_count_and_merge() {
    let text = |key: &[u8], value: &[u8]| field(1, &[field(1, key), field(2, &field(1, value))].concat());
    let status = [field(15, &field(2, b"why")), field(15, &[0x18, 0x02])].concat();
    let span = [field(1, &[1; 16]), field(2, &[2; 8]), status].concat();
    let resource_spans = [
        field(2, &field(2, &span)),
        field(1, &text(b"service.name", b"late")),
        field(1, &text(b"host.name", b"node-1")),
        field(3, b"https://schema"),
    ]
    .concat();
    let decoded = protobuf(&field(1, &resource_spans)).expect("a message");
    let spans = decoded.batch.spans();
    let span = spans.get(0);
    assert_eq!((span.service_name(), span.node()), ("late", Some("node-1")));
    assert_eq!((span.status_message(), span.is_error()), (Some("why"), true));
    assert_eq!(
        span.resource(),
        Some(
            r#"{"resource":{"attributes":[{"key":"service.name","value":{"stringValue":"late"}},{"key":"host.name","value":{"stringValue":"node-1"}}]},"schemaUrl":"https://schema"}"#
        )
    );
}

#[test]
fn nesting_has_an_end() {
    let nest = |depth: usize| {
        let mut value = field(1, b"x");
        for _ in 0..depth {
            value = field(5, &field(1, &value));
        }
        request_of(&field(9, &[field(1, b"k"), field(2, &value)].concat()))
    };
    assert!(protobuf(&nest(VALUE_DEPTH_MAX)).is_ok());
    assert!(matches!(
        protobuf(&nest(VALUE_DEPTH_MAX + 1)),
        Err(DecodeError::Wire(WireError::TooDeep))
    ));
    assert!(matches!(
        protobuf(&nest(20_000)),
        Err(DecodeError::Wire(WireError::TooDeep))
    ));
}

#[test]
fn rejected_spans_are_counted_by_reason_and_the_rest_is_kept() {
    let span =
        |trace: &[u8], id: &[u8], parent: &[u8]| field(2, &[field(1, trace), field(2, id), field(4, parent)].concat());
    let spans = [
        span(&[0; 16], &[1; 8], b""),
        span(&[1; 15], &[1; 8], b""),
        span(&[1; 16], &[0; 8], b""),
        span(&[1; 16], b"", b""),
        span(&[1; 16], &[1; 8], &[1; 3]),
        span(&[1; 16], &[1; 8], &[0; 8]),
    ]
    .concat();
    let decoded = protobuf(&field(1, &field(2, &spans))).expect("a message");
    assert_eq!(decoded.batch.len(), 1);
    assert_eq!(decoded.batch.spans().get(0).parent_span_id(), None);
    assert_eq!(decoded.rejected.reasons().map(|(_, n)| n).collect::<Vec<_>>(), [1; 5]);
    let told = decoded.rejected.to_string();
    assert!(
        told.starts_with("5 spans rejected: trace_id is not 16 bytes: 1, trace_id is all zeros: 1"),
        "{told}"
    );
}

#[test]
fn an_end_before_the_start_is_kept_exactly_and_counted() {
    let times = [&[0x39][..], &200u64.to_le_bytes(), &[0x41], &50u64.to_le_bytes()].concat();
    let decoded = protobuf(&request_of(&times)).expect("a message");
    assert_eq!(decoded.end_before_start, 1);
    assert_eq!(decoded.batch.spans().get(0).duration().0, -150);
}

#[test]
fn a_small_request_cannot_take_much_memory() {
    let attributes = [0x4a, 0x00].repeat(ITEMS_MAX + 1);
    assert!(matches!(protobuf(&request_of(&attributes)), Err(DecodeError::TooMany)));
}
