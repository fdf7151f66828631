//! Another engine reads the data of a running server, with the very query that the documentation gives.

use crate::api::{Api, number};
use crate::machine::busy;
use crate::otlp::{self, Exporter};
use crate::programs::{python, sources};
use crate::server::{Server, repository};
use crate::waiting::until;
use serde_json::Value;
use std::collections::BTreeMap;
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;
use tokio::io::AsyncWriteExt;
use tokio::process::Command;

/// Seals so early and so small that there are many segments, and a base below the manifest.
const SEALING: &str = "[storage]\nseal_after = \"100ms\"\nseal_spans = 40\n";
/// Requests, of 20 spans each.
const REQUESTS: u64 = 60;
const PATIENCE: Duration = Duration::from_secs(60);

/// Scenario: DuckDB reads the table folder of a running server by the statements of docs/formats/table.md.
/// Guarantees: it counts the same spans for every service as Epicenter's own SQL, and reads one trace the same.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn duckdb_reads_the_table_of_a_running_server() {
    let _machine = busy().await;
    let python = match python("duckdb").await {
        Ok(python) => python,
        Err(reason) => {
            eprintln!("skipped: DuckDB cannot be installed: {reason}");
            return;
        }
    };
    let folder = tempfile::tempdir().expect("a folder");
    let config = folder.path().join("sealing.toml");
    std::fs::write(&config, SEALING).expect("a file");
    let server = Server::start(folder.path(), &["--config", config.to_str().expect("a plain path")]).await;
    let mut exporter = Exporter::http(server.otlp_http);
    for request in 0..REQUESTS {
        let spans = otlp::spans(request, "GET /cart", 20);
        let service = format!("service-{}", request % 7);
        assert!(exporter.export(&otlp::request(&service, spans)).await);
    }
    let api = &Api::new(&server);
    until("end of sealing", PATIENCE, || async move {
        (api.metric("epicenter_storage_unsealed_spans", "").await == 0.0).then_some(())
    })
    .await;
    assert!(
        api.metric("epicenter_storage_segments", "").await > 16.0,
        "too few for a base"
    );

    let table = folder.path().join("data/table");
    let counts = "SELECT service_name, count(*) AS n FROM spans GROUP BY service_name";
    let by_service = |rows: Vec<Value>| -> BTreeMap<String, u64> {
        let pair = |row: &Value| (row["service_name"].as_str().expect("text").to_owned(), number(row, "n"));
        rows.iter().map(pair).collect()
    };
    let expected = by_service(api.sql(counts).await);
    assert_eq!(expected.values().sum::<u64>(), REQUESTS * 20);
    assert_eq!(by_service(ask(&python, &table, counts).await), expected);

    let span = "SELECT lower(hex(span_id)) AS span_id, service_name, name, duration_ns FROM spans";
    let theirs = format!("{span} WHERE trace_id = from_hex('00000000000000080000000000000003')");
    let theirs = ask(&python, &table, &theirs).await;
    let ours = "SELECT span_id, service_name, name, duration_ns FROM spans WHERE trace_id = X'00000000000000080000000000000003'";
    let ours = api.sql(ours).await;
    assert_eq!((theirs.len(), ours.len()), (1, 1), "{theirs:?} {ours:?}");
    for column in ["span_id", "service_name", "name"] {
        assert_eq!(theirs[0][column], ours[0][column], "{column}");
    }
    assert_eq!(number(&theirs[0], "duration_ns"), number(&ours[0], "duration_ns"));
    server.stop().await;
}

/// The rows of a query over the view `spans` that the documentation defines.
async fn ask(python: &Path, table: &Path, query: &str) -> Vec<Value> {
    let documented = std::fs::read_to_string(repository().join("docs/formats/table.md")).expect("the format's page");
    let statements = documented
        .split("```sql\n")
        .nth(1)
        .and_then(|rest| rest.split("```").next())
        .expect("the statements");
    let place = "'epicenter-data/table/'";
    assert!(statements.contains(place), "the statements name the folder");
    let statements = statements.replace(place, &format!("'{}/'", table.display()));
    let mut command = Command::new(python.join("bin/python"));
    command.arg(sources("duckdb").join("read.py"));
    command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    let mut child = command.kill_on_drop(true).spawn().expect("python starts");
    let mut input = child.stdin.take().expect("piped");
    input
        .write_all(format!("{statements}\n{query};\n").as_bytes())
        .await
        .expect("it reads");
    drop(input);
    let output = child.wait_with_output().await.expect("it ends");
    let complained = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{complained}");
    serde_json::from_slice(&output.stdout).expect("rows")
}
