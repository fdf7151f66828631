//! What a look at a large system costs: `cargo bench -p epicenter-localize`.
//!
//! 10,000 services in nine layers, 100,000 edges, each request a path from the top layer to the bottom one, two routes
//! and two copies a service. Half of all requests end in one service of the bottom layer, the hub, so that whatever
//! breaks there is felt by everybody: the dearest case. The system at rest is as many periods as the live engine
//! remembers. Printed are medians, and the shortest time, by the clock; the argument is the number of periods pushed.
#![expect(clippy::print_stdout, reason = "a program that prints")]
#![expect(clippy::unwrap_used, reason = "a measurement that cannot go on")]

use epicenter_detect::{Baseline, symptoms};
use epicenter_graph::{Builder, Names, Window};
use epicenter_localize::{Scene, diagnose};
use epicenter_schema::{DurationNs, ResourceRow, SpanBatchBuilder, SpanRow};
use std::time::Instant;

const MS: i64 = 1_000_000;
const LAYERS: u64 = 9;
const A_LAYER: u64 = 10_000 / LAYERS;
const CALLEES: u64 = 11;
const REQUESTS: u64 = 130_000;
const PERIODS: usize = 240;
const LOOKS: usize = 11;
const WINDOW: DurationNs = DurationNs::from_secs(5);

/// What is wrong with the hub.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Fault {
    Nothing,
    Slow,
    /// Slow, and everybody who waits for it is slow by itself too.
    SlowWithQueues,
    Errors,
    Dead,
}

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

/// Source: splitmix64 (Steele, Lea, Flood 2014).
fn mix(value: u64) -> u64 {
    let z = value.wrapping_mul(0x9e37_79b9_7f4a_7c15);
    let z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

/// The service that one in a layer calls by its edge of that number; edge 0 of the last but one layer leads to the hub.
fn callee(layer: u64, place: u64, edge: u64) -> u64 {
    if layer + 2 == LAYERS && edge == 0 {
        0
    } else {
        (place * 7 + edge * 131 + 1) % A_LAYER
    }
}

struct World {
    builder: Builder,
    windows: i64,
    spans: u64,
}

impl World {
    /// One window of requests.
    fn window(&mut self, fault: Fault) -> Window {
        let at = self.windows * WINDOW.0;
        self.windows += 1;
        let mut batch = SpanBatchBuilder::with_capacity(4096);
        for request in 0..REQUESTS {
            self.request(request, at, fault, &mut batch);
            if batch.len() > 4000 {
                let full = std::mem::replace(&mut batch, SpanBatchBuilder::with_capacity(4096));
                self.builder.observe(&full.finish().unwrap());
            }
        }
        self.builder.observe(&batch.finish().unwrap());
        let mut closed = self.builder.finish();
        closed.pop().unwrap().1
    }

    /// One request: a path of services, each with a server span and a client span but the last.
    fn request(&mut self, request: u64, at: i64, fault: Fault, batch: &mut SpanBatchBuilder) {
        let trace = mix(request ^ (at as u64).wrapping_mul(31));
        let mut path = [0; LAYERS as usize];
        path[0] = request % A_LAYER;
        for layer in 1..LAYERS {
            let random = mix(trace ^ layer);
            let edge = match layer + 1 == LAYERS && random >> 63 == 0 {
                true => 0,
                false => random % CALLEES,
            };
            path[layer as usize] = callee(layer - 1, path[layer as usize - 1], edge);
        }
        let is_hit = path[LAYERS as usize - 1] == 0 && fault != Fault::Nothing;
        let depth = LAYERS - u64::from(is_hit && fault == Fault::Dead);
        let fails = is_hit && matches!(fault, Fault::Dead | Fault::Errors);
        let mut below = 0;
        // From the bottom up, so that each knows how long what it calls takes.
        for layer in (0..depth).rev() {
            let own = match (fault, is_hit, layer + 1 == LAYERS) {
                (Fault::Slow | Fault::SlowWithQueues, true, true) => 200,
                (Fault::SlowWithQueues, true, false) => 20 + 5 * (LAYERS - layer) as i64,
                _ => 2,
            };
            let random = mix(trace ^ (layer << 8));
            let own = own * MS + (random % (MS as u64)) as i64;
            let (place, start) = (path[layer as usize], at + layer as i64 * MS / 4);
            let service = format!("service-{layer}-{place}");
            let instance = format!("{service}-{}", random % 2);
            let node = format!("node-{}", mix(place ^ layer ^ (random % 2)) % 500);
            batch.set_resource(&ResourceRow {
                service_name: service.as_bytes(),
                service_version: Some(b"v1"),
                instance: Some(instance.as_bytes()),
                node: Some(node.as_bytes()),
                json: b"{}",
                ..ResourceRow::default()
            });
            let mut trace_id = [7; 16];
            trace_id[..8].copy_from_slice(&trace.to_be_bytes());
            let id = |number: u64| (trace << 6 | number).to_be_bytes();
            if layer + 1 < LAYERS {
                let peer = format!("service-{}-{}", layer + 1, path[layer as usize + 1]);
                below += MS / 2;
                batch.commit(&SpanRow {
                    trace_id,
                    span_id: id(2 * layer + 2),
                    parent_span_id: Some(id(2 * layer + 1)),
                    name: b"GET",
                    kind: 3,
                    start_time: start + MS / 8,
                    duration_ns: below,
                    status_code: if fails { 2 } else { 0 },
                    error: fails,
                    protocol: Some(b"http"),
                    peer: Some(peer.as_bytes()),
                    peer_kind: Some(b"service"),
                    ..SpanRow::default()
                });
                self.spans += 1;
            }
            below += own;
            let name = if place % 2 == random % 2 { "GET /a" } else { "GET /b" };
            batch.commit(&SpanRow {
                trace_id,
                span_id: id(2 * layer + 1),
                parent_span_id: (layer > 0).then(|| id(2 * layer)),
                name: name.as_bytes(),
                kind: 2,
                start_time: start,
                duration_ns: below,
                status_code: if fails { 2 } else { 0 },
                error: fails,
                ..SpanRow::default()
            });
            self.spans += 1;
        }
    }
}

/// How long a look takes by the clock: the median, and the shortest, which others on the machine disturbed least.
fn took_ms(mut look: impl FnMut()) -> (f64, f64) {
    let mut times: Vec<u64> = (0..LOOKS)
        .map(|_| {
            let start = Instant::now();
            look();
            start.elapsed().as_nanos() as u64
        })
        .collect();
    times.sort_unstable();
    (times[LOOKS / 2] as f64 / 1e6, times[0] as f64 / 1e6)
}

/// Tells whether two runs found the same to the last bit.
fn fingerprint(found: &impl std::fmt::Debug) -> u64 {
    let text = format!("{found:?}");
    text.bytes().fold(0, |hash, byte| mix(hash ^ u64::from(byte)))
}

fn look(fault: Fault, window: &Window, baseline: &Baseline, names: &Names) {
    let scene = Scene {
        window,
        length: WINDOW,
        baseline,
        names,
        same_load: true,
        whole: None,
        explained: None,
    };
    let found = symptoms(window, WINDOW, baseline, names);
    let (count, print) = (found.len(), fingerprint(&found));
    let symptoms = took_ms(|| drop(symptoms(window, WINDOW, baseline, names)));
    let diagnosis = diagnose(&scene);
    let print = (print, fingerprint(&diagnosis));
    let time = took_ms(|| drop(diagnose(&scene)));
    let answer = diagnosis.map_or("nothing".to_owned(), |diagnosis| {
        let best = &diagnosis.suspects[0];
        let sum: usize = diagnosis.suspects.iter().map(|suspect| suspect.evidence.len()).sum();
        format!(
            "{} {} {:?} {:?}, {} suspects, {sum} reasons, {} affected",
            best.entity.kind.as_str(),
            best.entity.name,
            best.score,
            diagnosis.cause,
            diagnosis.suspects.len(),
            diagnosis.affected.len()
        )
    });
    let ((symptoms, least_symptoms), (time, least)) = (symptoms, time);
    println!(
        "{fault:?}: symptoms {symptoms:.1} ms, at least {least_symptoms:.1} ({count} found), diagnose {time:.1} ms, at least {least:.1}: {answer}; {print:x?}"
    );
}

fn main() {
    let periods = std::env::args().find_map(|arg| arg.parse().ok()).unwrap_or(PERIODS);
    let mut world = World {
        builder: Builder::new(WINDOW),
        windows: 1,
        spans: 0,
    };
    let rest: Vec<Window> = (0..2).map(|_| world.window(Fault::Nothing)).collect();
    println!(
        "{} operations, {} edges, {} dimension values, {} spans a window",
        rest[0].ops.len(),
        rest[0].edges.len(),
        rest[0].dimensions.len(),
        world.spans / 2
    );
    let (before, start) = (resident_mib(), cpu_ns());
    let mut baseline = Baseline::default();
    for period in 0..periods {
        baseline.push(rest[period % rest.len()].clone(), WINDOW);
    }
    println!(
        "{periods} periods: {} MiB, {} ms each to learn",
        resident_mib().saturating_sub(before),
        (cpu_ns() - start) / periods.max(1) as u64 / 1_000_000
    );
    drop(rest);
    for fault in [
        Fault::Nothing,
        Fault::Slow,
        Fault::SlowWithQueues,
        Fault::Errors,
        Fault::Dead,
    ] {
        let window = world.window(fault);
        look(fault, &window, &baseline, world.builder.names());
    }
}
