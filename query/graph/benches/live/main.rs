//! What a span costs the live graph, and what a large system needs of memory: `cargo bench -p epicenter-graph`.
//!
//! Traces of nine spans over four services with ten operations each come in batches of 512 spans, as many traces at a time
//! as a system of 2,000 spans a second has; learning the names, settling the traces and settling the windows again are
//! included. The large system has 10,000 services and 100,000 edges, each of which is seen in every window. Last comes the
//! first system again, whose server spans are now named by raw paths, each of which is seen in one trace only. A
//! fingerprint of what was counted is printed: a change that only makes it faster leaves it as it is.
#![expect(clippy::print_stdout, reason = "a program that prints")]
#![expect(clippy::unwrap_used, reason = "a measurement that cannot go on")]

mod fingerprint;

use epicenter_graph::{Builder, Summary};
use epicenter_schema::{DurationNs, ResourceRow, SpanBatch, SpanBatchBuilder, SpanRow, Timestamp};
use fingerprint::fingerprint;

const MS: i64 = 1_000_000;
const SPANS_A_BATCH: usize = 512;
const TRACES: u64 = 60_000;
const SERVICES: u64 = 10_000;
const EDGES_A_SERVICE: u64 = 10;
const WINDOWS: u64 = 30;

/// Processor time of this thread, in nanoseconds.
fn cpu_ns() -> u64 {
    let text = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap();
    text.split(' ').next().unwrap().parse().unwrap()
}

fn resident_mib() -> u64 {
    let text = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = text.lines().find(|line| line.starts_with("VmRSS:")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse::<u64>().unwrap() / 1024
}

/// Batches with the time at which each is received.
struct Batches {
    builder: SpanBatchBuilder,
    done: Vec<(Timestamp, SpanBatch)>,
}

/// One span to be made.
struct Made<'a> {
    trace: u64,
    id: u64,
    parent: u64,
    service: &'a str,
    name: &'a str,
    kind: i32,
    start: i64,
    duration: i64,
    peer: Option<&'a str>,
}

impl Batches {
    fn new() -> Self {
        Self {
            builder: SpanBatchBuilder::with_capacity(SPANS_A_BATCH),
            done: Vec::new(),
        }
    }

    fn push(&mut self, span: &Made<'_>, received: i64) {
        let resource = format!(
            "{{\"resource\":{{\"attributes\":[{{\"key\":\"service.name\",\"value\":{{\"stringValue\":\"{}\"}}}}]}}}}",
            span.service
        );
        self.builder.set_resource(&ResourceRow {
            service_name: span.service.as_bytes(),
            instance: Some(span.service.as_bytes()),
            json: resource.as_bytes(),
            ..ResourceRow::default()
        });
        let mut trace_id = [7; 16];
        trace_id[..8].copy_from_slice(&span.trace.wrapping_mul(0x9e37_79b9_7f4a_7c15).to_be_bytes());
        let id = |id: u64| (span.trace << 8 | id).to_be_bytes();
        self.builder.commit(&SpanRow {
            trace_id,
            span_id: id(span.id),
            parent_span_id: (span.parent != 0).then(|| id(span.parent)),
            name: span.name.as_bytes(),
            kind: span.kind,
            start_time: span.start,
            duration_ns: span.duration,
            protocol: Some(b"http"),
            peer: span.peer.map(str::as_bytes),
            peer_kind: span.peer.map(|_| &b"service"[..]),
            ..SpanRow::default()
        });
        if self.builder.len() == SPANS_A_BATCH {
            self.cut(received);
        }
    }

    fn cut(&mut self, received: i64) {
        let builder = std::mem::replace(&mut self.builder, SpanBatchBuilder::with_capacity(SPANS_A_BATCH));
        self.done.push((Timestamp(received), builder.finish().unwrap()));
    }
}

/// What the server spans of a trace are named by.
#[derive(Clone, Copy)]
enum Named {
    Route,
    /// Each trace has a path of its own.
    RawPath,
}

impl Named {
    fn name(self, trace: u64) -> String {
        let way = char::from(b'a' + (trace % 10) as u8);
        match self {
            Self::Route => format!("GET /api/v1/{way}/{{id}}"),
            Self::RawPath => format!("GET /api/v1/{way}/{}", 1_000_000 + trace),
        }
    }
}

/// A chain of four services, each with a server span, a call and some work of its own.
fn small(named: Named) -> Vec<(Timestamp, SpanBatch)> {
    let mut batches = Batches::new();
    for trace in 0..TRACES {
        let (at, path) = (trace as i64 * 9 * MS / 2, named.name(trace));
        for depth in 0..4u64 {
            let (service, next) = (format!("service-{depth}"), format!("service-{}", depth + 1));
            let (begin, jitter) = (
                at + depth as i64 * MS,
                (trace.wrapping_mul(2_654_435_761) % 1000) as i64 * 500,
            );
            let mut push = |id, parent, name: &str, kind, from: i64, peer| {
                let span = Made {
                    trace: trace + 1,
                    id,
                    parent,
                    service: &service,
                    name,
                    kind,
                    start: begin + from,
                    duration: 20 * MS - 4 * depth as i64 * MS + jitter - 2 * from,
                    peer,
                };
                batches.push(&span, at + 2_000 * MS);
            };
            let server = 3 * depth + 1;
            push(server, if depth == 0 { 0 } else { server - 2 }, &path, 2, 0, None);
            if depth < 3 {
                push(server + 1, server, "GET", 3, 1000, Some(next.as_str()));
            } else {
                push(server + 1, server, "work", 1, 1000, None);
            }
        }
    }
    batches.cut(TRACES as i64 * 9 * MS / 2);
    batches.done
}

/// One window of the large system: a call along every edge.
fn large(window: u64) -> Vec<(Timestamp, SpanBatch)> {
    let mut batches = Batches::new();
    let at = window as i64 * 5_000 * MS;
    for service in 0..SERVICES {
        let caller = format!("service-{service}");
        for edge in 0..EDGES_A_SERVICE {
            let callee = format!("service-{}", (service * 7 + edge * 131 + 1) % SERVICES);
            let trace = window * SERVICES * EDGES_A_SERVICE + service * EDGES_A_SERVICE + edge + 1;
            for (id, kind, who) in [(1, 3, &caller), (2, 2, &callee)] {
                let span = Made {
                    trace,
                    id,
                    parent: id - 1,
                    service: who,
                    name: "GET",
                    kind,
                    start: at,
                    duration: 10 * MS / id as i64,
                    peer: (kind == 3).then_some(callee.as_str()),
                };
                batches.push(&span, at + 100 * MS);
            }
        }
    }
    batches.cut(at + 100 * MS);
    batches.done
}

fn measure_small(named: Named) {
    let batches = small(named);
    let spans: usize = batches.iter().map(|(_, batch)| batch.len()).sum();
    for _ in 0..3 {
        let mut builder = Builder::new(DurationNs::from_secs(5));
        let (before, mut windows, mut last) = (cpu_ns(), 0, None);
        for (received, batch) in &batches {
            builder.observe_received(batch, *received);
            let judged = builder.advance(*received - DurationNs::from_secs(7));
            windows += judged.len() + builder.take_settled().len();
            last = judged.into_iter().next_back().or(last);
        }
        windows += builder.finish().len();
        let ns = (cpu_ns() - before) as f64 / spans as f64;
        let seen = last.map_or(0, |(_, window)| fingerprint(0, &window, builder.names()));
        println!(
            "{ns:.0} ns of CPU a span, {spans} spans, {windows} windows judged or settled, fingerprint {seen:016x}"
        );
    }
}

fn main() {
    measure_small(Named::Route);
    measure_large();
    println!("the small system, named by raw paths:");
    measure_small(Named::RawPath);
}

fn measure_large() {
    let before = resident_mib();
    let mut builder = Builder::new(DurationNs::from_secs(5));
    let mut held = std::collections::VecDeque::new();
    let (mut cpu, mut spans, mut edges) = (0, 0, 0);
    for window in 0..WINDOWS {
        let batches = large(window);
        let start = cpu_ns();
        for (received, batch) in &batches {
            builder.observe_received(batch, *received);
            spans += batch.len();
            held.extend(builder.advance(*received - DurationNs::from_secs(7)));
            // As many windows as the judgement looks at together.
            while held.len() > 3 {
                held.pop_front();
            }
            builder.take_settled();
        }
        cpu += cpu_ns() - start;
        edges = held.back().map_or(0, |(_, window)| window.edges.len());
    }
    let memory = resident_mib() - before;
    println!(
        "{SERVICES} services, {edges} edges: {memory} MiB with {} windows in hand, {} ns of CPU a span",
        held.len(),
        cpu / spans as u64
    );
    let seen = held
        .iter()
        .fold(0, |hash, (_, window)| fingerprint(hash, window, builder.names()));
    println!("fingerprint of the windows in hand {seen:016x}");
    let start = cpu_ns();
    let summary = held
        .back()
        .map(|(_, window)| Summary::new(window, builder.names(), DurationNs::from_secs(5)));
    let nodes = summary.map_or(0, |summary| summary.nodes.len());
    println!(
        "the graph of one window, {nodes} nodes: {} ms",
        (cpu_ns() - start) / 1_000_000
    );
}
