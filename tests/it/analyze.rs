//! The post-mortem on files: `epicenter analyze`.

use crate::otlp;
use crate::server::EPICENTER;
use epicenter_proto::otlp::collector_trace::ExportTraceServiceRequest;
use epicenter_proto::otlp::trace::{Span, Status, span, status};
use flate2::Compression;
use flate2::write::GzEncoder;
use serde_json::Value;
use std::fmt::Write as _;
use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Output};

const SECOND_NS: u64 = 1_000_000_000;
/// Traces a second in the recordings.
const RATE: u64 = 5;
/// Start of the recording of the failure; the baseline's is a day earlier and its clock need not fit.
const FAILURE_START: u64 = 1_700_000_000 * SECOND_NS;
const DAY_NS: u64 = 86_400 * SECOND_NS;

/// The chain of the recorded system: a caller and the one it calls, down to the last.
const CHAIN: [&str; 3] = ["web", "checkout", "payment"];

/// Scenario: two recordings of a chain web -> checkout -> payment, one at rest, one in which payment begins to fail.
/// Guarantees: both outputs name payment, and the JSON is the incidents API's.
#[test]
fn the_report_names_what_broke() {
    let folder = tempfile::tempdir().expect("a folder");
    let (rest, failure) = (folder.path().join("rest.jsonl"), folder.path().join("failure.jsonl.gz"));
    std::fs::write(&rest, recording(FAILURE_START - DAY_NS, 300, u64::MAX)).expect("a file");
    let mut gzip = GzEncoder::new(std::fs::File::create(&failure).expect("a file"), Compression::fast());
    gzip.write_all(recording(FAILURE_START, 180, 60).as_bytes())
        .expect("a file");
    gzip.finish().expect("a file");

    let json = analyze(&["--json"], &rest, &failure);
    let said: Value = serde_json::from_slice(&json.stdout).expect("JSON on standard output, and nothing else");
    let incidents = said["incidents"].as_array().expect("incidents");
    assert_eq!(incidents.len(), 1, "{said:#}");
    let incident = &incidents[0];
    assert_eq!(incident["suspects"][0]["entity"]["name"], "payment", "{incident:#}");
    assert_eq!(incident["cause"]["kind"], "errors", "{incident:#}");
    assert!(
        incident["started_unix_nano"]
            .as_str()
            .is_some_and(|text| text.parse::<u64>().is_ok()),
        "{incident:#}"
    );

    let report = analyze(&[], &rest, &failure);
    let text = String::from_utf8(report.stdout).expect("text");
    assert!(
        text.lines().next().is_some_and(|line| line.contains("payment")),
        "the culprit comes first:\n{text}"
    );
}

/// Scenario: a file that is not there, and one that is no OTLP.
/// Guarantees: the exit code says failure and the message names the file.
#[test]
fn a_file_that_cannot_be_read_is_named() {
    let folder = tempfile::tempdir().expect("a folder");
    let garbage = folder.path().join("garbage.jsonl");
    std::fs::write(&garbage, "{\"resourceSpans\": 7}\n").expect("a file");
    for file in [folder.path().join("not-there.jsonl"), garbage] {
        let output = Command::new(EPICENTER)
            .arg("analyze")
            .arg(&file)
            .output()
            .expect("it runs");
        let complained = String::from_utf8_lossy(&output.stderr);
        assert!(!output.status.success(), "{}", file.display());
        let name = file.file_name().expect("a name").to_string_lossy();
        assert!(complained.contains(&*name), "{complained}");
    }
}

fn analyze(flags: &[&str], baseline: &Path, file: &Path) -> Output {
    let output = Command::new(EPICENTER)
        .arg("analyze")
        .args(flags)
        .arg("--baseline")
        .arg(baseline)
        .arg(file)
        .output()
        .expect("it runs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    output
}

/// OTLP/JSON lines of so many seconds; from `broken_after_s` on, most calls of payment fail and those who wait with them.
fn recording(start: u64, seconds: u64, broken_after_s: u64) -> String {
    let mut lines = String::new();
    for number in 0..seconds * RATE {
        let at = start + number * SECOND_NS / RATE;
        let fails = number / RATE >= broken_after_s && number % 5 != 0;
        for request in trace(at, number, fails) {
            let line = serde_json::to_string(&request).expect("OTLP/JSON");
            writeln!(lines, "{line}").expect("into memory");
        }
    }
    lines
}

/// One request from web down to payment: a request to the log for each service.
fn trace(at: u64, number: u64, fails: bool) -> Vec<ExportTraceServiceRequest> {
    let trace_id = u128::from(at)
        .rotate_left(64)
        .wrapping_add(u128::from(number) + 1)
        .to_be_bytes()
        .to_vec();
    let (mut parent, mut requests) = (Vec::new(), Vec::new());
    for (depth, service) in CHAIN.iter().enumerate() {
        let depth = depth as u64;
        let jitter = (number * 7919) % 1_000_000;
        let mut spans = Vec::new();
        let callee = CHAIN.get(depth as usize + 1);
        let kinds = [
            (span::SpanKind::Server, Some(service)),
            (span::SpanKind::Client, callee),
        ];
        for (step, (kind, of)) in kinds.into_iter().enumerate() {
            let Some(of) = of else { continue };
            let inset = (2 * depth + step as u64) * 1_000_000;
            let span_id = (((number + 1) << 8) | (2 * depth + step as u64 + 1))
                .to_be_bytes()
                .to_vec();
            spans.push(Span {
                trace_id: trace_id.clone(),
                span_id: span_id.clone(),
                parent_span_id: std::mem::replace(&mut parent, span_id),
                name: format!("POST /{of}"),
                kind: kind as i32,
                start_time_unix_nano: at + inset,
                end_time_unix_nano: at + 20_000_000 + jitter - inset,
                status: fails.then(|| Status {
                    code: status::StatusCode::Error as i32,
                    ..Status::default()
                }),
                ..Span::default()
            });
        }
        requests.push(otlp::request(service, spans));
    }
    requests
}
