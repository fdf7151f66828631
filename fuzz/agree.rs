//! What must hold for any bytes at all: nothing panics, and what prost reads and we read is the same. Run by the fuzzer on
//! bytes that it invents, and by the collector's tests on the corpus.

use epicenter_collector::otlp::decode::{flat, json_to_protobuf, protobuf};
use epicenter_proto::Message;
use epicenter_proto::otlp::collector_trace::ExportTraceServiceRequest;

/// Panics when the bytes are read differently, as protobuf or as JSON.
pub(crate) fn agree(bytes: &[u8]) {
    as_protobuf(bytes);
    if let Ok(request) = json_to_protobuf(bytes) {
        ExportTraceServiceRequest::decode(request.as_slice()).expect("JSON becomes a message");
        as_protobuf(&request);
    }
}

fn as_protobuf(bytes: &[u8]) {
    let whole = protobuf(bytes);
    let reduced = flat(bytes);
    assert_eq!(whole.is_ok(), reduced.is_ok(), "{whole:?} {reduced:?}");
    let (Ok(whole), Ok(reduced)) = (whole, reduced) else {
        // Refused: for being no message, or for a limit that prost has not.
        return;
    };
    let request = ExportTraceServiceRequest::decode(bytes).expect("what the walk takes is a message");
    let scopes = request.resource_spans.iter().flat_map(|resource| &resource.scope_spans);
    let sent: Vec<_> = scopes.flat_map(|scope| &scope.spans).collect();
    assert_eq!(whole.batch.len() as u64 + whole.rejected.count(), sent.len() as u64);
    assert_eq!(whole.rejected.count(), reduced.rejected.count());
    let kept: Vec<_> = sent
        .iter()
        .filter(|span| is_id(&span.trace_id, 16) && is_id(&span.span_id, 8))
        .collect();
    let spans = whole.batch.spans();
    let flat_spans = reduced.spans.batch().spans();
    if spans.len() != kept.len() {
        // Something else was rejected, such as a parent's id that is none.
        return;
    }
    for ((span, reduced), sent) in spans.iter().zip(flat_spans.iter()).zip(kept) {
        assert_eq!(span.trace_id().0, sent.trace_id.as_slice());
        assert_eq!(span.span_id().0, sent.span_id.as_slice());
        assert_eq!(span.name(), sent.name);
        assert_eq!(span.kind_number(), sent.kind);
        assert_eq!(span.start().0, sent.start_time_unix_nano as i64);
        assert_eq!(span.attributes().len(), sent.attributes.len());
        assert_eq!(reduced.name(), sent.name);
        assert_eq!(reduced.is_error(), span.is_error());
    }
}

fn is_id(bytes: &[u8], length: usize) -> bool {
    bytes.len() == length && bytes.iter().any(|byte| *byte != 0)
}
