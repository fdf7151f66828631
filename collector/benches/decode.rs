//! What a span costs to decode: prost into structs, against the walk into columns, of the same bytes in one run.

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use epicenter_collector::otlp::decode;
use epicenter_proto::Message;
use epicenter_proto::otlp::collector_trace::ExportTraceServiceRequest;
use payload::{Generator, SPANS_PER_REQUEST, SPANS_PER_TRACE};

#[path = "../../tests/lab/src/payload.rs"]
#[expect(
    unreachable_pub,
    reason = "shared with the lab by path: a dependency on it would be an arrow that is not in the table"
)]
#[expect(dead_code, reason = "the bench needs requests only")]
mod payload;

const REQUESTS: usize = 16;

fn payloads() -> Vec<Vec<u8>> {
    let mut generator = Generator::new(payload::Shape::Shop, 7, 1_700_000_000_000_000_000);
    let payloads: Vec<Vec<u8>> = (0..REQUESTS).map(|_| generator.request()).collect();
    let bytes: usize = payloads.iter().map(Vec::len).sum();
    let spans = REQUESTS * SPANS_PER_REQUEST;
    eprintln!(
        "{spans} spans in traces of {SPANS_PER_TRACE}, {} OTLP bytes each",
        bytes / spans
    );
    payloads
}

fn bench(criterion: &mut Criterion) {
    let payloads = payloads();
    let mut group = criterion.benchmark_group("decode");
    group.throughput(Throughput::Elements((REQUESTS * SPANS_PER_REQUEST) as u64));
    group.bench_function("prost", |bencher| {
        bencher.iter(|| {
            for payload in &payloads {
                let request = ExportTraceServiceRequest::decode(payload.as_slice()).expect("a message");
                std::hint::black_box(request);
            }
        });
    });
    group.bench_function("walk", |bencher| {
        bencher.iter(|| {
            for payload in &payloads {
                std::hint::black_box(decode::protobuf(payload).expect("a message"));
            }
        });
    });
    group.bench_function("flat", |bencher| {
        bencher.iter(|| {
            for payload in &payloads {
                std::hint::black_box(decode::flat(payload).expect("a message"));
            }
        });
    });
    group.finish();
}

criterion_group!(benches, bench);
criterion_main!(benches);
