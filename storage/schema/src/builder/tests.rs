//! A built batch reads back as what went in; a dropped span leaves nothing behind.

use super::*;
use crate::{AttributeValue, SpanId, TraceId};

fn row(id: u8) -> SpanRow<'static> {
    SpanRow {
        trace_id: [id; 16],
        span_id: [id; 8],
        name: b"op",
        ..SpanRow::default()
    }
}

#[test]
fn an_empty_builder_is_an_empty_batch() {
    let batch = SpanBatchBuilder::with_capacity(0).finish().expect("finishes");
    assert_eq!(batch, SpanBatch::empty());
}

#[test]
fn rows_read_back() {
    let mut builder = SpanBatchBuilder::with_capacity(2);
    builder.set_resource(&ResourceRow {
        service_name: b"shop",
        instance: Some(b"pod-1"),
        json: b"{\"resource\":{}}",
        ..ResourceRow::default()
    });
    builder.attribute(b"s", RawValue::String(b"text"));
    builder.attribute(b"i", RawValue::Int(-7));
    builder.attribute(b"d", RawValue::Double(f64::NAN));
    builder.attribute(b"b", RawValue::Bool(false));
    builder.attribute(b"r", RawValue::Bytes(&[0xff, 0]));
    builder.attribute(b"e", RawValue::Empty);
    builder.event_attribute(b"k", RawValue::String(b"v"));
    builder.event(12, b"boom", 3);
    builder.link(&LinkRow {
        trace_id: [9; 16],
        span_id: [8; 8],
        flags: 1,
        ..LinkRow::default()
    });
    builder.commit(&SpanRow {
        parent_span_id: Some([4; 8]),
        http_status_code: Some(503),
        error: true,
        ..row(1)
    });
    builder.set_resource(&ResourceRow {
        service_name: b"cart",
        json: b"{}",
        ..ResourceRow::default()
    });
    builder.commit(&SpanRow {
        protocol: Some(b"http"),
        peer: Some(b"db:1"),
        ..row(2)
    });
    let batch = builder.finish().expect("finishes");

    let spans = batch.spans();
    let (first, second) = (spans.get(0), spans.get(1));
    assert_eq!((first.service_name(), first.instance()), ("shop", Some("pod-1")));
    assert_eq!((second.service_name(), second.instance()), ("cart", None));
    assert_eq!(first.parent_span_id(), Some(SpanId([4; 8])));
    assert_eq!(second.parent_span_id(), None);
    assert_eq!((first.http_status_code(), second.http_status_code()), (Some(503), None));
    assert_eq!(
        (first.protocol(), second.protocol(), second.peer()),
        (None, Some("http"), Some("db:1"))
    );
    assert!(first.is_error() && !second.is_error());
    let values: Vec<_> = first.attributes().collect();
    assert_eq!(values[0], ("s", AttributeValue::String("text")));
    assert_eq!(values[1], ("i", AttributeValue::Int(-7)));
    assert!(matches!(values[2], ("d", AttributeValue::Double(d)) if d.is_nan()));
    assert_eq!(values[3], ("b", AttributeValue::Bool(false)));
    assert_eq!(values[4], ("r", AttributeValue::Bytes(&[0xff, 0])));
    assert_eq!(values[5], ("e", AttributeValue::Empty));
    assert_eq!(second.attributes().len(), 0);
    let event = first.events().next().expect("one event");
    assert_eq!(
        (event.time.0, event.name, event.dropped_attributes_count),
        (12, "boom", 3)
    );
    assert_eq!(
        event.attributes.collect::<Vec<_>>(),
        [("k", AttributeValue::String("v"))]
    );
    let link = first.links().next().expect("one link");
    assert_eq!((link.trace_id, link.trace_state), (TraceId([9; 16]), None));
}

#[test]
fn a_rolled_back_span_leaves_nothing_behind() {
    let mut builder = SpanBatchBuilder::with_capacity(0);
    let mut expected = SpanBatchBuilder::with_capacity(0);
    for id in 1..20u8 {
        for target in [Some(&mut builder), (id % 3 != 0).then_some(&mut expected)]
            .into_iter()
            .flatten()
        {
            target.attribute(b"id", RawValue::Int(i64::from(id)));
            target.attribute(b"odd", RawValue::Bool(id % 2 == 1));
            target.attribute(b"text", RawValue::String(&[b'a'; 3]));
            target.event_attribute(b"j", RawValue::Json(b"{}"));
            target.event(i64::from(id), b"e", 0);
            target.link_attribute(b"x", RawValue::Double(1.5));
            target.link(&LinkRow {
                trace_state: b"s",
                ..LinkRow::default()
            });
        }
        if id % 3 == 0 {
            builder.rollback().expect("all text");
        } else {
            builder.commit(&row(id));
            expected.commit(&row(id));
        }
    }
    assert_eq!(
        builder.finish().expect("finishes"),
        expected.finish().expect("finishes")
    );
}

#[test]
fn text_that_is_not_utf8_is_refused_kept_or_dropped() {
    let mut builder = SpanBatchBuilder::with_capacity(0);
    builder.attribute(b"k", RawValue::String(&[0xc3]));
    builder.attribute(b"k", RawValue::String(&[0xa9]));
    builder.commit(&row(1));
    assert!(
        matches!(builder.finish(), Err(Error::Text { .. })),
        "split in the middle of a character"
    );

    let mut builder = SpanBatchBuilder::with_capacity(0);
    builder.attribute(&[0xff], RawValue::Empty);
    assert!(matches!(
        builder.rollback(),
        Err(Error::Text {
            column: "attribute key"
        })
    ));
}
