//! What went in comes out: spans of everything that OTLP can say, read back from memory, from the log after kill -9, from
//! Parquet, and from merged Parquet.

mod arbitrary;
mod json;

use crate::api::Api;
use crate::machine::busy;
use crate::otlp::{Exporter, now_unix_nano};
use crate::server::Server;
use crate::waiting::until;
use epicenter_proto::Message;
use epicenter_proto::otlp::common::{AnyValue, InstrumentationScope, KeyValue, any_value::Value};
use epicenter_proto::otlp::resource::Resource;
use epicenter_proto::otlp::trace::{ResourceSpans, ScopeSpans, Status};
use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

/// Requests, each with spans of several traces and resources.
const REQUESTS: u64 = 40;
/// Nothing is sealed unless asked.
const UNSEALED: &str = "[storage]\nseal_after = \"1h\"\n";
/// Sealed by the few, so that there is something to merge.
const SEALED: &str = "[storage]\nseal_after = \"100ms\"\nseal_spans = 40\n";
/// Until all is sealed and something was merged.
const PATIENCE: Duration = Duration::from_secs(60);
/// Spans of a large trace.
const LARGE: usize = 20_000;

/// The spans of each trace, each by itself with its resource and scope, encoded and sorted.
type Traces = BTreeMap<String, Vec<Vec<u8>>>;

/// Scenario: random requests (every type of value, nested, empty, NaN and infinite; events, links, doubled ids, several
/// roots, spans without kind, parent or service), with a trace of 20,000 spans; the server is killed, started, seals and
/// merges.
/// Guarantees: at every stage each trace is read back exactly, span by span, no span more and none less.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_went_in_comes_out() {
    let _machine = busy().await;
    let folder = tempfile::tempdir().expect("a folder");
    let server = serve(folder.path(), UNSEALED).await;
    let mut sent = Traces::new();
    let mut random = arbitrary::Random::new(11, now_unix_nano());
    let mut exporter = Exporter::grpc(server.otlp_grpc).await;
    for number in 0..REQUESTS {
        let request = if number == REQUESTS / 2 {
            random.large_trace(LARGE)
        } else {
            random.request()
        };
        assert!(exporter.export(&request).await, "request {number} is acknowledged");
        flatten(&request.resource_spans, &mut sent);
    }
    sent.values_mut().for_each(|spans| spans.sort());
    assert!(sent.values().any(|spans| spans.len() == LARGE));
    all_comes_out(&Api::new(&server), &sent, "memory").await;

    server.kill().await;
    let server = serve(folder.path(), UNSEALED).await;
    all_comes_out(&Api::new(&server), &sent, "the log").await;
    server.stop().await;

    let server = serve(folder.path(), SEALED).await;
    let api = Api::new(&server);
    all_comes_out(&api, &sent, "Parquet").await;
    // More of the like, in requests so far apart that each is a small segment.
    for _ in 0..16 {
        let request = random.request();
        assert!(Exporter::http(server.otlp_http).export(&request).await);
        let mut more = Traces::new();
        flatten(&request.resource_spans, &mut more);
        for (trace, mut spans) in more {
            spans.sort();
            sent.insert(trace, spans);
        }
        tokio::time::sleep(Duration::from_millis(250)).await;
    }
    until("merge of segments", PATIENCE, || async {
        let merged = api.metric("epicenter_storage_compacted_spans_total", "").await;
        let unsealed = api.metric("epicenter_storage_unsealed_spans", "").await;
        (merged > 0.0 && unsealed == 0.0).then_some(())
    })
    .await;
    all_comes_out(&api, &sent, "merged Parquet").await;
    server.stop().await;
}

async fn serve(folder: &Path, config: &str) -> Server {
    let path = folder.join("storage.toml");
    std::fs::write(&path, config).expect("a file");
    Server::start(folder, &["--config", path.to_str().expect("a plain path")]).await
}

async fn all_comes_out(api: &Api, sent: &Traces, from: &str) {
    for (trace, expected) in sent {
        let answer = api.get(&format!("/api/v3/traces/{trace}")).await;
        let mut found = Traces::new();
        flatten(&json::resource_spans(&answer["result"]["resourceSpans"]), &mut found);
        let mut found = found.remove(trace).unwrap_or_default();
        found.sort();
        for (e, f) in expected.iter().zip(&found) {
            let show = |bytes: &[u8]| ResourceSpans::decode(bytes).expect("was encoded above");
            assert!(e == f, "from {from}:\n{:#?}\nexpected:\n{:#?}", show(f), show(e));
        }
        assert_eq!(found.len(), expected.len(), "{trace} from {from}");
    }
    let expected: usize = sent.values().map(Vec::len).sum();
    let count = api.count("SELECT count(*) AS n FROM spans").await;
    assert_eq!(count, expected as u64, "from {from}");
}

/// Each span alone, in the one form that means the same as what was sent.
fn flatten(resource_spans: &[ResourceSpans], into: &mut Traces) {
    for of_resource in resource_spans {
        for of_scope in &of_resource.scope_spans {
            for span in &of_scope.spans {
                let mut span = span.clone();
                // A status of nothing is no status.
                span.status = span.status.filter(|status| *status != Status::default());
                span.attributes.iter_mut().for_each(plain);
                span.events.iter_mut().flat_map(|e| &mut e.attributes).for_each(plain);
                span.links.iter_mut().flat_map(|l| &mut l.attributes).for_each(plain);
                let trace = hex::encode(&span.trace_id);
                let mut resource = of_resource.resource.clone().filter(|r| *r != Resource::default());
                resource.iter_mut().flat_map(|r| &mut r.attributes).for_each(plain);
                let mut scope = of_scope.scope.clone().filter(|s| *s != InstrumentationScope::default());
                scope.iter_mut().flat_map(|s| &mut s.attributes).for_each(plain);
                let alone = ResourceSpans {
                    resource,
                    schema_url: of_resource.schema_url.clone(),
                    scope_spans: vec![ScopeSpans {
                        scope,
                        schema_url: of_scope.schema_url.clone(),
                        spans: vec![span],
                    }],
                };
                into.entry(trace).or_default().push(alone.encode_to_vec());
            }
        }
    }
}

/// An attribute without a value and one with an empty value are the same.
fn plain(attribute: &mut KeyValue) {
    attribute.value.get_or_insert_default();
    within(attribute.value.as_mut());
}

fn within(value: Option<&mut AnyValue>) {
    match value.and_then(|value| value.value.as_mut()) {
        Some(Value::ArrayValue(list)) => list.values.iter_mut().for_each(|value| within(Some(value))),
        Some(Value::KvlistValue(list)) => list.values.iter_mut().for_each(plain),
        _ => {}
    }
}
