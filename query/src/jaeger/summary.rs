//! What a list tells of a trace: the TraceSummary message of the v3 API.

use epicenter_schema::{SpanBatch, StatusCode, TraceId};
use serde_json::{Value, json};
use std::collections::{BTreeMap, HashSet};

/// Sums up a trace, whose spans are sorted by start.
pub(super) fn of(id: TraceId, batch: &SpanBatch) -> Value {
    let spans = batch.spans();
    let ids: HashSet<_> = spans.iter().map(|span| span.span_id()).collect();
    let mut services: BTreeMap<&str, (u32, u32)> = BTreeMap::new();
    let (mut first, mut last) = (u64::MAX, u64::MIN);
    let (mut errors, mut orphans) = (0, 0);
    for span in spans.iter() {
        let failed = u32::from(span.status_code() == StatusCode::Error);
        let service = services.entry(span.service_name()).or_default();
        service.0 += 1;
        service.1 += failed;
        errors += failed;
        orphans += u32::from(span.parent_span_id().is_some_and(|parent| !ids.contains(&parent)));
        first = first.min(span.start().0 as u64);
        last = last.max(span.end().0 as u64);
    }
    let root = spans.iter().find(|span| span.parent_span_id().is_none());
    let root = root.or_else(|| spans.iter().next());
    let services: Vec<Value> = services
        .into_iter()
        .map(|(name, (count, failed))| json!({ "name": name, "spanCount": count, "errorSpanCount": failed }))
        .collect();
    json!({
        "traceId": id.to_string(),
        "rootServiceName": root.map_or("", |span| span.service_name()),
        "rootOperationName": root.map_or("", |span| span.name()),
        "minStartTimeUnixNano": first.to_string(),
        "maxEndTimeUnixNano": last.to_string(),
        "spanCount": spans.len(),
        "errorSpanCount": errors,
        "orphanSpanCount": orphans,
        "services": services,
    })
}
