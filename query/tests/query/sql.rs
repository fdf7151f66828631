//! SQL: what it answers, and what it will not do.

use crate::server::Server;
use crate::spans::{Span, second};
use arrow::array::AsArray;
use arrow::datatypes::Int64Type;
use arrow::ipc::reader::StreamReader;
use epicenter_query::Config;
use reqwest::{Method, StatusCode};
use serde_json::json;
use std::time::Duration;

const ROWS_MAX: usize = 50;

async fn server() -> Server {
    let config = Config {
        rows_max: ROWS_MAX,
        timeout: Duration::from_secs(2),
        memory_max: bytesize::ByteSize::mib(16),
        ..Config::default()
    };
    let server = Server::start(config).await;
    server.append(&second(0, false)).await;
    server
        .append(&[Span {
            trace: 1,
            id: 1,
            rich: true,
            service: "odd".into(),
            ..Span::default()
        }])
        .await;
    server
}

/// Guarantees: rows come as objects, with the names and types of the columns; ids in hexadecimal, times in RFC 3339.
#[tokio::test(flavor = "multi_thread")]
async fn rows_come_as_json() {
    let server = server().await;
    let body = server
        .sql("SELECT service_name, count(*) AS n, avg(duration_ns) / 0 AS x FROM spans GROUP BY 1 ORDER BY 1")
        .await;
    assert_eq!(
        body["rows"][0],
        json!({ "service_name": "cart", "n": 40, "x": null }),
        "{body}"
    );
    assert_eq!((&body["truncated"], &body["limit"]), (&false.into(), &ROWS_MAX.into()));
    assert_eq!(body["columns"][1], json!({ "name": "n", "type": "Int64" }));
    let body = server
        .sql("SELECT trace_id, start_time FROM spans ORDER BY start_time DESC LIMIT 1")
        .await;
    assert_eq!(
        body["rows"][0],
        json!({ "trace_id": "00000000000000140000000000000001", "start_time": "2023-11-14T22:13:20.764Z" })
    );
    let body = server.sql("SELECT * FROM spans WHERE service_name = 'odd'").await;
    assert_eq!(
        body["rows"].as_array().expect("a list").len(),
        1,
        "every column can be written: {body}"
    );
    let body = server.sql("SELECT 1 AS one WHERE false").await;
    assert_eq!(body["rows"], json!([]));
}

/// Guarantees: those who accept Arrow get an Arrow stream.
#[tokio::test(flavor = "multi_thread")]
async fn rows_come_as_arrow() {
    let server = server().await;
    let request = server
        .request(Method::POST, "/api/v1/sql")
        .header("accept", "application/vnd.apache.arrow.stream");
    let answer = request
        .json(&json!({ "query": "SELECT count(*) AS n FROM spans" }))
        .send()
        .await
        .expect("an answer");
    assert_eq!(answer.headers()["content-type"], "application/vnd.apache.arrow.stream");
    assert_eq!(answer.headers()["x-epicenter-truncated"], "false");
    let bytes = answer.bytes().await.expect("a body");
    let mut reader = StreamReader::try_new(&bytes[..], None).expect("a stream");
    let batch = reader.next().expect("a batch").expect("sound");
    assert_eq!(batch.column(0).as_primitive::<Int64Type>().value(0), 101);
}

/// Guarantees: nothing can be changed, read from elsewhere, or set.
#[tokio::test(flavor = "multi_thread")]
async fn it_only_reads() {
    let server = server().await;
    let target = server.dir.path().join("stolen.parquet");
    for query in [
        "CREATE TABLE t AS SELECT * FROM spans".to_owned(),
        "CREATE VIEW v AS SELECT 1".to_owned(),
        "DROP TABLE spans".to_owned(),
        "INSERT INTO spans SELECT * FROM spans".to_owned(),
        "DELETE FROM spans".to_owned(),
        "UPDATE spans SET name = 'x'".to_owned(),
        format!("COPY spans TO '{}'", target.display()),
        "CREATE EXTERNAL TABLE t STORED AS CSV LOCATION '/etc/passwd'".to_owned(),
        "SELECT * FROM '/etc/passwd'".to_owned(),
        "SET datafusion.execution.batch_size = 1".to_owned(),
        "SELECT 1; SELECT 2".to_owned(),
        "SELECT".to_owned(),
        "SELECT nonsense FROM spans".to_owned(),
        "SELECT repeat('x', 1000000000)".to_owned(),
        String::new(),
    ] {
        let (status, body) = server.try_sql(&query).await;
        assert_eq!(status, StatusCode::BAD_REQUEST, "{query}: {body}");
        assert_eq!(body["error"]["code"], "invalid_argument", "{query}");
        assert!(!body["error"]["message"].as_str().expect("text").is_empty(), "{query}");
    }
    assert!(!target.exists());
    assert_eq!(server.sql("SELECT count(*) AS n FROM spans").await["rows"][0]["n"], 101);
}

/// Guarantees: too many rows are cut and said to be; too much time or memory is an error that names the limit.
#[tokio::test(flavor = "multi_thread")]
async fn it_has_limits() {
    let server = server().await;
    let body = server.sql("SELECT span_id FROM spans").await;
    assert_eq!(body["rows"].as_array().expect("a list").len(), ROWS_MAX);
    assert_eq!(body["truncated"], true);
    let body = server.sql(&format!("SELECT span_id FROM spans LIMIT {ROWS_MAX}")).await;
    assert_eq!(body["truncated"], false);

    // Small on the side that a join holds in memory, without an end on the other.
    let pairs = "(SELECT a.name FROM spans a, spans b)";
    let product = format!("{pairs} x, (SELECT y.name FROM {pairs} y, spans c) z");
    let (status, body) = server
        .try_sql(&format!("SELECT count(x.name || z.name) AS n FROM {product}"))
        .await;
    assert_eq!(
        (status, &body["error"]["code"]),
        (StatusCode::GATEWAY_TIMEOUT, &"timeout".into()),
        "{body}"
    );
    assert!(
        body["error"]["message"].as_str().expect("text").contains("2s"),
        "{body}"
    );

    let wide = format!("a.name || '{}'", "x".repeat(4096));
    let query = format!("SELECT {wide} AS x, b.span_id FROM spans a, spans b ORDER BY x, b.span_id");
    let (status, body) = server.try_sql(&query).await;
    assert_eq!(
        (status, &body["error"]["code"]),
        (StatusCode::UNPROCESSABLE_ENTITY, &"resource_exhausted".into()),
        "{body}"
    );

    // It still answers, and it was not the requests that hung.
    assert_eq!(server.sql("SELECT count(*) AS n FROM spans").await["rows"][0]["n"], 101);
}
