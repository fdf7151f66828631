//! One line a convention: attributes in, promoted columns out.

use super::*;

/// `[protocol, peer_kind, peer, peer_system]` and the error flag, of a span of that kind and status.
fn check(kind: i32, status_code: i32, attributes: &[(&str, &str)], expected: [&str; 4], error: bool) {
    let mut facts = SpanFacts::default();
    for (key, value) in attributes {
        let value = match value.parse() {
            Ok(number) => RawValue::Int(number),
            Err(_) => RawValue::String(value.as_bytes()),
        };
        facts.observe(key.as_bytes(), value);
    }
    let mut row = SpanRow {
        kind,
        status_code,
        ..SpanRow::default()
    };
    facts.normalize(&mut row);
    let mut room = [0; HOST_PORT_MAX];
    let peer = facts.write_loopback(&row, &mut room).or(row.peer);
    let found = [row.protocol, row.peer_kind, peer, row.peer_system]
        .map(|text| String::from_utf8(text.unwrap_or_default().to_vec()).expect("text"));
    assert_eq!(
        (found, row.error),
        (expected.map(str::to_owned), error),
        "{attributes:?}"
    );
}

#[test]
fn http_old_and_new() {
    let http = |peer| ["http", "service", peer, ""];
    check(
        3,
        0,
        &[("http.method", "GET"), ("http.url", "http://u:p@cart:8080/x?y")],
        http("cart"),
        false,
    );
    check(
        3,
        0,
        &[
            ("http.request.method", "GET"),
            ("url.full", "https://cart/x"),
            ("server.address", "c"),
        ],
        http("c"),
        false,
    );
    check(
        3,
        0,
        &[
            ("http.request.method", "GET"),
            ("server.address", "localhost"),
            ("server.port", "81"),
        ],
        http("localhost:81"),
        false,
    );
    check(
        3,
        0,
        &[("url.full", "http://127.0.0.1:9000/a"), ("net.peer.name", "127.0.0.1")],
        http("127.0.0.1:9000"),
        false,
    );
    check(3, 0, &[("http.url", "http://[::1]:80/")], http("[::1]:80"), false);
    check(
        3,
        0,
        &[
            ("http.method", "GET"),
            ("http.host", "cart:80"),
            ("peer.service", "the-cart"),
        ],
        http("the-cart"),
        false,
    );
    check(
        2,
        0,
        &[("http.method", "GET"), ("net.peer.name", "caller")],
        ["http", "", "", ""],
        false,
    );
}

#[test]
fn errors() {
    let none = ["", "", "", ""];
    let http = ["http", "", "", ""];
    let grpc = ["grpc", "", "", ""];
    check(2, 0, &[("http.status_code", "503")], http, true);
    check(2, 0, &[("http.response.status_code", "499")], http, false);
    check(2, 1, &[("http.status_code", "503")], http, false);
    check(1, 2, &[], none, true);
    check(
        2,
        0,
        &[("rpc.system", "grpc"), ("rpc.grpc.status_code", "14")],
        grpc,
        true,
    );
    check(
        2,
        0,
        &[("rpc.system.name", "grpc"), ("rpc.response.status_code", "UNAVAILABLE")],
        grpc,
        true,
    );
    check(2, 0, &[("rpc.grpc.status_code", "5")], grpc, false);
    // No answer came, so there is no code; a code says more than a type.
    check(1, 0, &[("error.type", "timeout")], none, true);
    check(1, 1, &[("error.type", "timeout")], none, false);
    check(2, 0, &[("http.status_code", "404"), ("error.type", "404")], http, false);
    check(1, 0, &[("error", "true")], none, true);
    check(1, 1, &[("error", "true")], none, false);
    check(2, 0, &[("http.status_code", "404"), ("error", "true")], http, true);
    check(1, 0, &[("error", "false")], none, false);
}

#[test]
fn databases_and_caches() {
    check(
        3,
        0,
        &[("db.system", "mysql")],
        ["database", "database", "mysql", "mysql"],
        false,
    );
    check(
        3,
        0,
        &[("db.system.name", "postgresql"), ("db.namespace", "shop")],
        ["database", "database", "shop", "postgresql"],
        false,
    );
    check(
        3,
        0,
        &[("db.system", "redis"), ("net.peer.name", "cache-0"), ("db.name", "0")],
        ["cache", "cache", "cache-0", "redis"],
        false,
    );
    check(
        3,
        0,
        &[
            ("db.system", "redis"),
            ("net.sock.peer.addr", "127.0.0.1"),
            ("net.peer.port", "6379"),
        ],
        ["cache", "cache", "127.0.0.1:6379", "redis"],
        false,
    );
    check(1, 0, &[("db.system", "sqlite")], ["database", "", "", "sqlite"], false);
    check(
        3,
        0,
        &[("db.statement", "SELECT"), ("server.address", "pg")],
        ["database", "database", "pg", ""],
        false,
    );
}

#[test]
fn queues_and_calls() {
    let kafka = [
        ("messaging.system", "kafka"),
        ("messaging.destination.name", "orders"),
        ("server.address", "broker"),
    ];
    check(4, 0, &kafka, ["messaging", "queue", "orders", "kafka"], false);
    check(5, 0, &kafka[..2], ["messaging", "queue", "orders", "kafka"], false);
    check(
        4,
        0,
        &[
            ("messaging.system", "rabbitmq"),
            ("messaging.destination", ""),
            ("messaging.rabbitmq.routing_key", "jobs"),
        ],
        ["messaging", "queue", "jobs", "rabbitmq"],
        false,
    );
    check(
        3,
        0,
        &[("rpc.system", "grpc"), ("rpc.service", "shop.v1.Cart")],
        ["grpc", "service", "Cart", ""],
        false,
    );
    check(
        3,
        0,
        &[("rpc.system", "java_rmi"), ("network.peer.address", "10.0.0.7")],
        ["rmi", "service", "10.0.0.7", ""],
        false,
    );
    check(
        3,
        0,
        &[("rpc.system.name", "dubbo"), ("rpc.method", "shop.Pay/Do")],
        ["rpc", "service", "Pay", ""],
        false,
    );
    check(3, 0, &[], ["", "", "", ""], false);
    check(
        3,
        0,
        &[("peer.service", "legacy")],
        ["", "service", "legacy", ""],
        false,
    );
}

#[test]
fn producers_and_consumers_name_the_same_queue() {
    let queue = |peer, system| ["messaging", "queue", peer, system];
    let named = |name| [("messaging.system", "rabbitmq"), ("messaging.destination.name", name)];
    check(4, 0, &named("shop:orders"), queue("shop:orders", "rabbitmq"), false);
    check(
        5,
        0,
        &named("shop:orders:mail"),
        queue("shop:orders", "rabbitmq"),
        false,
    );
    let kafka = [("messaging.system", "kafka"), ("messaging.destination.name", "a:b:c")];
    check(5, 0, &kafka, queue("a:b:c", "kafka"), false);
    check(
        4,
        0,
        &[
            ("messaging.system", "aws_sqs"),
            ("messaging.url", "https://sqs.eu-west-1.amazonaws.com/1234/orders"),
        ],
        queue("orders", "aws_sqs"),
        false,
    );
    check(
        4,
        0,
        &[("aws.sns.topic.arn", "arn:aws:sns:eu-west-1:1234:orders")],
        queue("orders", ""),
        false,
    );
    check(5, 0, &[("message_bus.destination", "jobs")], queue("jobs", ""), false);
}

#[test]
fn clouds_and_older_tracers() {
    check(
        3,
        0,
        &[
            ("rpc.system", "aws-api"),
            ("rpc.service", "Lambda"),
            ("faas.invoked_name", "resize"),
            ("server.address", "lambda.eu-west-1.amazonaws.com"),
        ],
        ["rpc", "service", "resize", ""],
        false,
    );
    check(
        3,
        0,
        &[
            ("db.system", "mysql"),
            ("db.connection_string", "mysql://orders-db:3306"),
        ],
        ["database", "database", "orders-db", "mysql"],
        false,
    );
    check(
        3,
        0,
        &[("db.type", "cassandra"), ("db.instance", "shop")],
        ["database", "database", "shop", "cassandra"],
        false,
    );
    check(
        3,
        0,
        &[("http.method", "GET"), ("peer.ipv4", "10.0.0.9"), ("peer.port", "80")],
        ["http", "service", "10.0.0.9", ""],
        false,
    );
}
