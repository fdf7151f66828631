//! What is kept of who sent a span, and how many names a sender may have.

use super::*;

#[test]
fn resources_give_dimensions() {
    let resource = br#"{"resource":{"attributes":[{"key":"k8s.pod.label.track","value":{"stringValue":"canary"}},
        {"key":"container.image.name","value":{"stringValue":"shop/web"}}]}}"#;
    let mut builder = SpanBatchBuilder::with_capacity(1);
    builder.set_resource(&ResourceRow {
        service_name: b"web",
        service_version: Some(b"2"),
        instance: Some(b"web-0"),
        json: resource,
        ..ResourceRow::default()
    });
    for id in 1..4 {
        builder.commit(&SpanRow {
            trace_id: [id; 16],
            span_id: [id; 8],
            name: b"GET /",
            kind: 2,
            duration_ns: MS,
            error: id == 1,
            ..SpanRow::default()
        });
    }
    let (builder, windows) = run(&[builder.finish().expect("valid")]);
    let names = builder.names();
    let found: Vec<String> = windows[0]
        .1
        .dimensions_sorted(names)
        .into_iter()
        .map(|(key, stats)| {
            let value = names.get(key.value);
            format!(
                "{} = {value}: {} of {}",
                key.dimension.name(names),
                stats.entry_errors,
                stats.entries
            )
        })
        .collect();
    let expected = [
        "image = shop/web",
        "instance = web-0",
        "label.track = canary",
        "version = 2",
    ];
    assert_eq!(found, expected.map(|dimension| format!("{dimension}: 1 of 3")));
}

/// Scenario: a service puts what no rule knows for ids into its span names, and each comes twice.
#[test]
fn names_beyond_the_limit_share_one_however_often_they_come() {
    let mut builder = SpanBatchBuilder::with_capacity(2_010);
    builder.set_resource(&ResourceRow {
        service_name: b"web",
        json: b"{}",
        ..ResourceRow::default()
    });
    for number in 0..2_010u64 {
        builder.commit(&SpanRow {
            trace_id: [1; 16],
            span_id: (number + 1).to_be_bytes(),
            name: format!("GET /page{}", number % 1_005).as_bytes(),
            kind: 2,
            duration_ns: MS,
            ..SpanRow::default()
        });
    }
    let (builder, windows) = run(&[builder.finish().expect("valid")]);
    let service = builder.names().find("web").expect("known");
    let ops = &windows[0].1.ops;
    let shared = OpKey {
        service,
        name: Names::OVERFLOW,
        kind: SpanKind::Server,
    };
    assert_eq!((ops.len(), ops[&shared].count), (1_001, 10));
    assert!(ops.iter().all(|(key, op)| *key == shared || op.count == 2));
}

/// Two senders whose texts are the same when put one after the other.
#[test]
fn senders_are_told_apart_by_each_of_their_texts() {
    let mut builder = SpanBatchBuilder::with_capacity(2);
    for (id, instance, node) in [(1, "ab", "c"), (2, "a", "bc")] {
        builder.set_resource(&ResourceRow {
            service_name: b"web",
            instance: Some(instance.as_bytes()),
            node: Some(node.as_bytes()),
            json: b"{}",
            ..ResourceRow::default()
        });
        builder.commit(&SpanRow {
            trace_id: [id; 16],
            span_id: [id; 8],
            name: b"GET /",
            kind: 2,
            ..SpanRow::default()
        });
    }
    let (builder, windows) = run(&[builder.finish().expect("valid")]);
    let all = windows[0].1.dimensions_sorted(builder.names());
    let values: Vec<&str> = all
        .iter()
        .map(|(key, _)| builder.names().get(key.value).as_ref())
        .collect();
    assert_eq!(values, ["a", "ab", "bc", "c"]);
}
