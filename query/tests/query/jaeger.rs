//! Jaeger's query API as its documentation and its clients have it: paths, parameters, envelopes, refusals.

use crate::server::Server;
use crate::spans::{MS, START, Span, second};
use epicenter_query::Config;
use reqwest::StatusCode;
use serde_json::{Value, json};

/// START as RFC 3339: 2023-11-14T22:13:20Z.
const FROM: &str = "2023-11-14T22:13:20Z";
const TO: &str = "2023-11-14T22:14:20Z";

/// Two seconds of a shop, the second of them broken, and a trace with everything in it whose id is short.
async fn server() -> Server {
    let server = Server::start(Config::default()).await;
    server.append(&second(0, false)).await;
    server.append(&second(1, true)).await;
    let rich = Span {
        trace: 0xab,
        id: 9,
        parent: Some(7),
        service: "slash/ed service".to_owned(),
        name: "rich".to_owned(),
        kind: 4,
        start: START + 30_000 * MS + 1,
        duration: 1_500_999,
        error: true,
        rich: true,
        ..Span::default()
    };
    server.append(&[rich]).await;
    server
}

fn v3_traces(parameters: &str) -> String {
    format!("/api/v3/traces?query.start_time_min={FROM}&query.start_time_max={TO}&{parameters}")
}

/// The distinct trace ids of an answer in OTLP/JSON.
fn otlp_ids(answer: &Value) -> Vec<String> {
    let mut ids = Vec::new();
    for resource in answer["result"]["resourceSpans"].as_array().expect("resource spans") {
        for scope in resource["scopeSpans"].as_array().expect("scope spans") {
            for span in scope["spans"].as_array().expect("spans") {
                ids.push(span["traceId"].as_str().expect("an id").to_owned());
            }
        }
    }
    ids.sort();
    ids.dedup();
    ids
}

#[tokio::test]
async fn services_and_operations_in_both_families() {
    let server = server().await;
    let names = json!(["cart", "gateway", "payment", "slash/ed service"]);
    assert_eq!(server.get("/api/v3/services").await, json!({ "services": names }));
    let classic = server.get("/api/services").await;
    assert_eq!(
        classic,
        json!({ "data": names, "total": 4, "limit": 0, "offset": 0, "errors": null })
    );

    let gateway = server.get("/api/v3/operations?service=gateway").await;
    let expected =
        json!([{ "name": "call cart", "spanKind": "client" }, { "name": "gateway work", "spanKind": "server" }]);
    assert_eq!(gateway["operations"], expected);
    for kind in ["span_kind=server", "spanKind=SPAN_KIND_SERVER"] {
        let servers = server.get(&format!("/api/v3/operations?service=gateway&{kind}")).await;
        assert_eq!(servers["operations"], json!([expected[1]]), "{kind}");
    }
    assert_eq!(
        server.get("/api/v3/operations?service=nobody").await,
        json!({ "operations": [] })
    );
    assert_eq!(server.get("/api/operations?service=gateway").await["data"], expected);
    let names = server.get("/api/services/gateway/operations").await;
    assert_eq!(
        (&names["data"], &names["total"]),
        (&json!(["call cart", "gateway work"]), &json!(2))
    );
    let escaped = server.get("/api/services/slash%2Fed%20service/operations").await;
    assert_eq!(escaped["data"], json!(["rich"]));
    assert_eq!(server.get("/api/services/nobody/operations").await["data"], json!([]));
}

#[tokio::test]
async fn a_trace_in_v3_is_otlp_json() {
    let server = server().await;
    for path in [
        "/api/v3/traces/ab",
        "/api/v3/traces/000000000000000000000000000000AB?raw_traces=true",
    ] {
        let answer = server.get(path).await;
        let resource = &answer["result"]["resourceSpans"][0];
        assert_eq!(resource["schemaUrl"], "https://schema", "{path}");
        assert_eq!(
            resource["resource"]["attributes"][1],
            json!({ "key": "shard", "value": { "intValue": "7" } })
        );
        let scope = &resource["scopeSpans"][0];
        assert_eq!(scope["scope"], json!({ "name": "lib", "version": "2" }));
        let span = &scope["spans"][0];
        assert_eq!(span["traceId"], "000000000000000000000000000000ab");
        assert_eq!(
            (&span["spanId"], &span["parentSpanId"]),
            (&json!("0000000000000009"), &json!("0000000000000007"))
        );
        assert_eq!(
            (&span["kind"], &span["status"]),
            (&json!(4), &json!({ "code": 2, "message": "it failed" }))
        );
        assert_eq!(span["startTimeUnixNano"], (START + 30_000 * MS + 1).to_string());
        assert_eq!(span["endTimeUnixNano"], (START + 30_000 * MS + 1_501_000).to_string());
        let attribute = |key: &str| {
            let all = span["attributes"].as_array().expect("attributes");
            all.iter().find(|found| found["key"] == key).expect(key)["value"].clone()
        };
        assert_eq!(attribute("large"), json!({ "intValue": i64::MAX.to_string() }));
        assert_eq!(attribute("nan"), json!({ "doubleValue": "NaN" }));
        assert_eq!(attribute("raw"), json!({ "bytesValue": "AP8=" }));
        assert_eq!(
            attribute("list"),
            json!({ "arrayValue": { "values": [{ "intValue": "1" }] } })
        );
        assert_eq!(span["events"][0]["name"], "exception");
        assert_eq!(span["links"][0]["traceId"], "cd".repeat(16));
    }
}

#[tokio::test]
async fn searches_in_v3() {
    let server = server().await;
    let count = async |parameters: &str| {
        let (status, answer) = server.try_get(&v3_traces(parameters)).await;
        match status {
            StatusCode::OK => otlp_ids(&answer).len(),
            StatusCode::NOT_FOUND => {
                assert_eq!(
                    answer,
                    json!({ "error": { "httpCode": 404, "message": "No traces found" } })
                );
                0
            }
            other => panic!("{parameters}: {other} {answer}"),
        }
    };
    assert_eq!(count("query.service_name=gateway").await, 40);
    assert_eq!(count("query.serviceName=gateway&query.searchDepth=7").await, 7);
    assert_eq!(count("query.service_name=gateway&query.num_traces=3").await, 3);
    assert_eq!(count("query.service_name=payment").await, 20);
    assert_eq!(count("query.service_name=nobody").await, 0);
    assert_eq!(
        count("query.service_name=gateway&query.operation_name=call%20cart").await,
        40
    );
    assert_eq!(count("query.duration_min=1.5ms&query.duration_max=1501us").await, 1);
    assert_eq!(count("query.duration_min=1h").await, 0);
    assert_eq!(
        count("query.attributes=%7B%22text%22%3A%22%C3%BC%20%5C%22quoted%5C%22%22%7D").await,
        1
    );
    assert_eq!(
        count("query.attributes=%7B%22exception.type%22%3A%22Timeout%22%2C%22shard%22%3A7%7D").await,
        1
    );
    assert_eq!(
        count("query.service_name=cart&query.attributes=%7B%22error%22%3A%22true%22%7D").await,
        20
    );
    assert_eq!(
        count("query.attributes=%7B%22span.kind%22%3A%22producer%22%7D").await,
        1
    );

    // The same instant in other zones, with a plus that was encoded and one that was not.
    for (from, to) in [
        ("2023-11-14T23:13:50%2B01:00", "2023-11-14T23:13:51%2B01:00"),
        ("2023-11-14T23:13:50+01:00", "2023-11-14T23:13:51+01:00"),
        ("2023-11-14T14:13:50.000000001-08:00", "2023-11-14T22:13:50.000000002Z"),
    ] {
        let path = format!("/api/v3/traces?query.startTimeMin={from}&query.startTimeMax={to}");
        assert_eq!(
            otlp_ids(&server.get(&path).await),
            ["000000000000000000000000000000ab"],
            "{path}"
        );
    }
}

#[tokio::test]
async fn summaries_and_dependencies_in_v3() {
    let server = server().await;
    let path = format!(
        "/api/v3/trace-summaries?query.start_time_min={FROM}&query.start_time_max={TO}&query.service_name=payment&query.search_depth=1"
    );
    let answer = server.get(&path).await;
    let summary = &answer["summaries"][0];
    assert_eq!(answer["summaries"].as_array().expect("a list").len(), 1);
    assert_eq!(
        (&summary["rootServiceName"], &summary["rootOperationName"]),
        (&json!("gateway"), &json!("gateway work"))
    );
    assert_eq!(
        (
            &summary["spanCount"],
            &summary["errorSpanCount"],
            &summary["orphanSpanCount"]
        ),
        (&json!(5), &json!(0), &json!(0))
    );
    assert_eq!(
        summary["services"][0],
        json!({ "name": "cart", "spanCount": 2, "errorSpanCount": 0 })
    );

    let answer = server
        .get(&format!("/api/v3/dependencies?start_time={FROM}&end_time={TO}"))
        .await;
    let expected = json!([
        { "parent": "cart", "child": "payment", "callCount": "20" },
        { "parent": "gateway", "child": "cart", "callCount": "40" },
    ]);
    assert_eq!(answer["dependencies"], expected);
}

#[tokio::test]
async fn refusals_in_v3_have_the_shape_of_the_gateway() {
    let server = server().await;
    for (path, words) in [
        (
            "/api/v3/traces?query.service_name=a".to_owned(),
            "query.start_time_min and query.start_time_max are required",
        ),
        (
            format!("/api/v3/traces?query.start_time_min=noon&query.start_time_max={TO}"),
            "malformed parameter query.start_time_min",
        ),
        (
            v3_traces("query.duration_min=5"),
            "malformed parameter query.duration_min",
        ),
        (
            v3_traces("query.search_depth=many"),
            "malformed parameter query.search_depth",
        ),
        (
            v3_traces("query.search_depth=-1"),
            "malformed parameter query.search_depth",
        ),
        (
            v3_traces("query.raw_traces=perhaps"),
            "malformed parameter query.raw_traces",
        ),
        (v3_traces("query.attributes=x"), "malformed parameter query.attributes"),
        ("/api/v3/traces/xyz".to_owned(), "malformed parameter trace_id"),
        ("/api/v3/traces/0".to_owned(), "not all of them 0"),
        (
            format!("/api/v3/traces/{}", "a".repeat(33)),
            "malformed parameter trace_id",
        ),
        (
            "/api/v3/traces/ab?start_time=1".to_owned(),
            "malformed parameter start_time",
        ),
        (
            "/api/v3/operations?service=a&span_kind=big".to_owned(),
            "malformed parameter span_kind",
        ),
    ] {
        let (status, answer) = server.try_get(&path).await;
        assert_eq!(
            (status, &answer["error"]["httpCode"]),
            (StatusCode::BAD_REQUEST, &json!(400)),
            "{path}"
        );
        assert!(
            answer["error"]["message"].as_str().expect("a text").contains(words),
            "{path}: {answer}"
        );
    }
    let (status, answer) = server.try_get("/api/v3/traces/abcd").await;
    assert_eq!(status, StatusCode::NOT_FOUND);
    assert_eq!(
        answer,
        json!({ "error": { "httpCode": 404, "message": "trace not found" } })
    );
}

#[tokio::test]
async fn a_trace_in_the_classic_family() {
    let server = server().await;
    let answer = server.get("/api/traces/ab").await;
    let trace = &answer["data"][0];
    assert_eq!(
        (&trace["traceID"], &trace["warnings"]),
        (&json!("00000000000000ab"), &Value::Null)
    );
    assert_eq!(trace["processes"]["p1"]["serviceName"], "slash/ed service");
    assert_eq!(
        trace["processes"]["p1"]["tags"],
        json!([{ "key": "shard", "type": "int64", "value": 7 }])
    );
    let span = &trace["spans"][0];
    assert_eq!(
        (&span["operationName"], &span["processID"]),
        (&json!("rich"), &json!("p1"))
    );
    assert_eq!(span["startTime"], (START + 30_000 * MS) / 1_000);
    assert_eq!(span["duration"], 1_500);
    assert_eq!(
        span["references"],
        json!([
            { "refType": "CHILD_OF", "traceID": "00000000000000ab", "spanID": "0000000000000007" },
            { "refType": "FOLLOWS_FROM", "traceID": "cd".repeat(16), "spanID": "ef".repeat(8) },
        ])
    );
    let tag = |key: &str| {
        let all = span["tags"].as_array().expect("tags");
        let found = all.iter().find(|found| found["key"] == key).expect(key);
        (found["type"].clone(), found["value"].clone())
    };
    assert_eq!(tag("large"), (json!("int64"), json!(i64::MAX.to_string())));
    assert_eq!(tag("half"), (json!("float64"), json!(0.5)));
    assert_eq!(tag("nan"), (json!("float64"), json!("NaN")));
    assert_eq!(tag("raw"), (json!("binary"), json!("AP8=")));
    assert_eq!(tag("list"), (json!("string"), json!("[1]")));
    assert_eq!(tag("error"), (json!("bool"), json!(true)));
    assert_eq!(tag("span.kind"), (json!("string"), json!("producer")));
    assert_eq!(tag("otel.status_code"), (json!("string"), json!("ERROR")));
    assert_eq!(tag("otel.status_description"), (json!("string"), json!("it failed")));
    assert_eq!(tag("otel.scope.name"), (json!("string"), json!("lib")));
    let log = &span["logs"][0];
    assert_eq!(log["timestamp"], START / 1_000);
    assert_eq!(
        log["fields"][0],
        json!({ "key": "event", "type": "string", "value": "exception" })
    );
    assert_eq!(
        log["fields"][1],
        json!({ "key": "exception.type", "type": "string", "value": "Timeout" })
    );
    assert_eq!(
        log["fields"][2],
        json!({ "key": "otel.dropped_attributes_count", "type": "int64", "value": 2 })
    );
    assert_eq!(tag("otel.dropped_attributes_count"), (json!("int64"), json!(1)));
    assert_eq!(tag("otel.dropped_events_count"), (json!("int64"), json!(2)));
    assert_eq!(tag("otel.dropped_links_count"), (json!("int64"), json!(3)));
    let first = &span["tags"][0];
    assert_eq!(
        first["key"], "otel.scope.name",
        "Jaeger has the scope before the attributes"
    );
}

#[tokio::test]
async fn searches_in_the_classic_family() {
    let server = server().await;
    let (from, to) = (START / 1_000, START / 1_000 + 60_000_000);
    let search = async |parameters: &str| {
        let answer = server
            .get(&format!("/api/traces?start={from}&end={to}&{parameters}"))
            .await;
        assert_eq!(answer["errors"], Value::Null, "{parameters}");
        answer["data"].as_array().expect("a list").len()
    };
    assert_eq!(search("service=gateway").await, 40);
    assert_eq!(search("service=gateway&limit=5&lookback=1h").await, 5);
    assert_eq!(search("service=gateway&operation=all").await, 40);
    assert_eq!(search("service=gateway&operation=nothing").await, 0);
    assert_eq!(search("service=nobody").await, 0);
    assert_eq!(search("service=gateway&minDuration=30ms&maxDuration=30ms").await, 8);
    assert_eq!(search("service=cart&tags=%7B%22error%22%3A%22true%22%7D").await, 20);
    assert_eq!(
        search("service=slash%2Fed%20service&tag=exception.type:Timeout&tag=half:0.5").await,
        1
    );
    assert_eq!(search("service=slash%2Fed%20service&tag=exception.type:Time").await, 0);
    // Without times it looks two days back from now.
    assert_eq!(
        server.get("/api/traces?service=gateway").await["data"]
            .as_array()
            .expect("a list")
            .len(),
        1
    );

    let both = server.get("/api/traces?traceID=ab&traceID=abcd").await;
    assert_eq!(both["data"].as_array().expect("a list").len(), 1);
    assert_eq!(
        both["errors"],
        json!([{ "msg": "trace not found", "traceID": "000000000000abcd" }])
    );

    let end = START / 1_000_000 + 60_000;
    let calls = server
        .get(&format!("/api/dependencies?endTs={end}&lookback=60000"))
        .await;
    let expected = json!([
        { "parent": "cart", "child": "payment", "callCount": 20 },
        { "parent": "gateway", "child": "cart", "callCount": 40 },
    ]);
    assert_eq!(calls["data"], expected);
    let of_payment = server
        .get(&format!("/api/dependencies?endTs={end}&lookback=60000&service=payment"))
        .await;
    assert_eq!(of_payment["data"], json!([expected[0]]));
}

#[tokio::test]
async fn refusals_in_the_classic_family_have_its_envelope() {
    let server = server().await;
    for (path, words) in [
        ("/api/traces", "parameter 'service' is required"),
        ("/api/operations", "parameter 'service' is required"),
        ("/api/traces?service=a&limit=0", "limit must be greater than 0"),
        ("/api/traces?service=a&limit=x", "limit"),
        ("/api/traces?service=a&start=x", "unable to parse param 'start'"),
        (
            "/api/traces?service=a&start=2&end=1",
            "start time must be before end time",
        ),
        (
            "/api/traces?service=a&minDuration=5",
            "unable to parse param 'minDuration'",
        ),
        (
            "/api/traces?service=a&minDuration=2s&maxDuration=1s",
            "'maxDuration' should be greater",
        ),
        ("/api/traces?service=a&tag=x", "malformed 'tag' parameter"),
        ("/api/traces?service=a&tags=x", "malformed 'tags' parameter"),
        ("/api/traces?traceID=x", "not a trace id"),
        ("/api/traces/x", "not a trace id"),
        ("/api/dependencies?endTs=x", "unable to parse param 'endTs'"),
    ] {
        let (status, answer) = server.try_get(path).await;
        assert_eq!(
            (status, &answer["data"]),
            (StatusCode::BAD_REQUEST, &Value::Null),
            "{path}"
        );
        assert_eq!(answer["errors"][0]["code"], 400, "{path}");
        assert!(
            answer["errors"][0]["msg"].as_str().expect("a text").contains(words),
            "{path}: {answer}"
        );
    }
    let (status, answer) = server.try_get("/api/traces/abcd").await;
    assert_eq!(status, StatusCode::NOT_FOUND);
    assert_eq!(answer["errors"], json!([{ "code": 404, "msg": "trace not found" }]));
}

#[tokio::test]
async fn parameters_of_v3_have_two_spellings_and_camel_case_counts() {
    let server = server().await;
    let both = format!(
        "/api/v3/traces?query.service_name=cart&query.serviceName=slash/ed%20service&query.startTimeMin={FROM}\
         &query.start_time_max={TO}&query.numTraces=5"
    );
    assert_eq!(
        otlp_ids(&server.get(&both).await),
        ["000000000000000000000000000000ab"],
        "the canonical spelling counts"
    );
    for name in [
        "query.startTimeMin",
        "query.durationMax",
        "query.searchDepth",
        "query.num_traces",
        "query.rawTraces",
    ] {
        let (status, answer) = server.try_get(&v3_traces(&format!("{name}=noon"))).await;
        assert_eq!(status, StatusCode::BAD_REQUEST, "{name}");
        let message = answer["error"]["message"].as_str().expect("a text");
        assert!(message.contains(&format!("malformed parameter {name}:")), "{message}");
    }
}

#[tokio::test]
async fn attributes_of_v3_may_be_entries_of_a_map_and_times_may_be_beyond_all_nanoseconds() {
    let server = server().await;
    let broken = otlp_ids(
        &server
            .get(&v3_traces("query.attributes%5Berror%5D=true&query.num_traces=1500"))
            .await,
    );
    let json = v3_traces("query.attributes=%7B%22error%22:%22true%22%7D&query.num_traces=1500");
    assert_eq!(broken, otlp_ids(&server.get(&json).await));
    assert!(!broken.is_empty());
    let all = "/api/v3/traces?query.start_time_min=0001-01-01T00:00:00Z&query.start_time_max=9999-12-31T23:59:59Z\
               &query.service_name=slash/ed%20service&query.search_depth=4000000000";
    assert_eq!(otlp_ids(&server.get(all).await), ["000000000000000000000000000000ab"]);
}

#[tokio::test]
async fn the_end_of_a_search_in_v3_is_excluded() {
    let server = server().await;
    let search = |end: &str| {
        format!(
            "/api/v3/traces?query.service_name=slash/ed%20service&query.start_time_min={FROM}&query.start_time_max={end}"
        )
    };
    let (status, _) = server.try_get(&search("2023-11-14T22:13:50.000000001Z")).await;
    assert_eq!(status, StatusCode::NOT_FOUND);
    let found = server.get(&search("2023-11-14T22:13:50.000000002Z")).await;
    assert_eq!(otlp_ids(&found), ["000000000000000000000000000000ab"]);
}

#[tokio::test]
async fn dependencies_of_v3_require_both_times_in_order() {
    let server = server().await;
    for (times, words) in [
        (String::new(), "startTime and endTime"),
        (format!("start_time={FROM}"), "startTime and endTime"),
        (format!("endTime={TO}"), "startTime and endTime"),
        (
            format!("startTime={TO}&endTime={FROM}"),
            "endTime (end_time) must be after",
        ),
        (
            format!("start_time={TO}&end_time={TO}"),
            "endTime (end_time) must be after",
        ),
        (format!("startTime=noon&endTime={TO}"), "malformed parameter startTime"),
    ] {
        let (status, answer) = server.try_get(&format!("/api/v3/dependencies?{times}")).await;
        assert_eq!(status, StatusCode::BAD_REQUEST, "{times}");
        let message = answer["error"]["message"].as_str().expect("a text");
        assert!(message.contains(words), "{times}: {message}");
    }
}

#[tokio::test]
async fn an_operation_without_a_kind_is_listed_as_internal_in_v3() {
    let server = server().await;
    let spans = [0, 1].map(|kind| Span {
        trace: 0xcd,
        id: 11 + kind as u64,
        service: "quiet".to_owned(),
        name: "work".to_owned(),
        kind,
        start: START,
        duration: 5,
        ..Span::default()
    });
    server.append(&spans).await;
    let expected = json!({ "operations": [{ "name": "work", "spanKind": "internal" }] });
    for filter in ["", "&span_kind=internal", "&spanKind=SPAN_KIND_UNSPECIFIED"] {
        let answer = server.get(&format!("/api/v3/operations?service=quiet{filter}")).await;
        assert_eq!(answer, expected, "{filter}");
    }
    let answer = server.get("/api/v3/operations?service=quiet&spanKind=server").await;
    assert_eq!(answer, json!({ "operations": [] }));
}

#[tokio::test]
async fn paths_may_end_in_a_slash_and_names_may_hold_one() {
    let server = server().await;
    for path in [
        "/api/services",
        "/api/v3/services",
        "/api/traces/ab",
        "/api/v3/traces/AB",
    ] {
        assert_eq!(server.get(path).await, server.get(&format!("{path}/")).await, "{path}");
    }
    for path in [
        "slash%2Fed%20service/operations",
        "slash/ed%20service/operations",
        "slash/ed%20service/operations/",
    ] {
        let answer = server.get(&format!("/api/services/{path}")).await;
        assert_eq!(answer["data"], json!(["rich"]), "{path}");
    }
    for path in [
        "/api/services/cart",
        "/api/services/operations",
        "/api/services//operations",
    ] {
        let (status, answer) = server.try_get(path).await;
        assert_eq!(
            (status, &answer["errors"][0]["code"]),
            (StatusCode::NOT_FOUND, &json!(404)),
            "{path}"
        );
    }
}

#[tokio::test]
async fn times_beyond_2_to_the_63_have_no_sign() {
    let server = server().await;
    let span = Span {
        trace: 0xef,
        id: 1,
        service: "far".to_owned(),
        name: "future".to_owned(),
        kind: 2,
        start: -2,
        duration: 1,
        ..Span::default()
    };
    server.append(&[span]).await;
    let own = server.get(&format!("/api/v1/traces/{:032x}", 0xef)).await;
    assert_eq!(own["spans"][0]["start_unix_nano"], "18446744073709551614");
    let classic = server.get("/api/traces/ef").await;
    assert_eq!(classic["data"][0]["spans"][0]["startTime"], json!(u64::MAX / 1_000));
    let all = "query.start_time_min=1900-01-01T00:00:00Z&query.start_time_max=9999-01-01T00:00:00Z";
    let answer = server
        .get(&format!("/api/v3/trace-summaries?{all}&query.service_name=far"))
        .await;
    let summary = &answer["summaries"][0];
    assert_eq!(
        (&summary["minStartTimeUnixNano"], &summary["maxEndTimeUnixNano"]),
        (&json!("18446744073709551614"), &json!("18446744073709551615"))
    );
}

#[tokio::test]
async fn the_tag_error_is_a_status_or_an_attribute() {
    let server = server().await;
    let spans =
        [(1, true, false), (2, false, true), (3, true, true), (4, false, false)].map(|(place, error, error_tag)| {
            Span {
                trace: 0xf0 + place as u128,
                id: 100 + place,
                service: "legacy".to_owned(),
                name: "work".to_owned(),
                kind: 2,
                start: START + place as i64 * MS,
                duration: 5,
                error,
                error_tag,
                ..Span::default()
            }
        });
    server.append(&spans).await;
    let found = async |limit: usize, tags: &str| {
        let end = (START + 60_000 * MS) / 1_000;
        let path = format!("/api/traces?service=legacy&start=0&end={end}&limit={limit}&tags={tags}");
        let answer = server.get(&path).await;
        let traces = answer["data"].as_array().expect("traces");
        let ids = traces
            .iter()
            .map(|trace| trace["traceID"].as_str().expect("an id")[14..].to_owned());
        ids.collect::<Vec<_>>()
    };
    let error = "%7B%22error%22:%22true%22%7D";
    assert_eq!(found(9, error).await, ["f3", "f2", "f1"], "newest first, each once");
    assert_eq!(found(2, error).await, ["f3", "f2"]);
    let status = "%7B%22error%22:%22true%22,%22otel.status_code%22:%22unset%22%7D";
    assert_eq!(found(9, status).await, ["f2"]);
    // What no span of Jaeger's has is no mistake, it finds nothing.
    for tags in [
        "%7B%22span.kind%22:%22bogus%22%7D",
        "%7B%22otel.status_code%22:%22bogus%22%7D",
    ] {
        assert!(found(9, tags).await.is_empty(), "{tags}");
    }
}
