//! The small tables beside `spans`, made anew for each query.
//!
//! `edges`: `caller`, `callee`, `callee_kind`, `protocol`, `rate` (calls a second), `error_ratio`, `p50_ns`, `p95_ns`, `p99_ns`,
//! `health`, `at`, `window_ns`. `incidents`: `id`, `state`, `started`, `detected`, `resolved`, `cause`, `confidence`, `culprit`,
//! `culprit_kind`, `score`, `affected` (number of services).

use crate::http::dto::incident::IncidentDto;
use arrow::array::{
    ArrayRef, Float64Array, Int64Array, RecordBatch, StringArray, TimestampNanosecondArray, UInt64Array,
};
use datafusion::error::DataFusionError;
use epicenter_incident::GraphSnapshot;
use std::sync::Arc;

const UTC: &str = "UTC";

pub(super) fn edges(graph: &GraphSnapshot) -> Result<RecordBatch, DataFusionError> {
    let edges = &graph.edges;
    let texts = |pick: &dyn Fn(&epicenter_incident::Edge) -> Option<String>| -> ArrayRef {
        Arc::new(StringArray::from_iter(edges.iter().map(pick)))
    };
    let floats = |pick: &dyn Fn(&epicenter_incident::Edge) -> f64| -> ArrayRef {
        Arc::new(Float64Array::from_iter_values(edges.iter().map(pick)))
    };
    let times = |pick: &dyn Fn(&epicenter_incident::Edge) -> i64| -> ArrayRef {
        Arc::new(Int64Array::from_iter_values(edges.iter().map(pick)))
    };
    let at = TimestampNanosecondArray::from_iter_values(edges.iter().map(|_| graph.at.0)).with_timezone(UTC);
    Ok(RecordBatch::try_from_iter([
        ("caller", texts(&|e| Some(e.caller.name.clone()))),
        ("callee", texts(&|e| Some(e.callee.name.clone()))),
        ("callee_kind", texts(&|e| Some(e.callee.kind.as_str().to_owned()))),
        ("protocol", texts(&|e| e.protocol.clone())),
        ("rate", floats(&|e| e.rate_per_s)),
        ("error_ratio", floats(&|e| e.error_ratio)),
        ("p50_ns", times(&|e| e.latency.p50.0)),
        ("p95_ns", times(&|e| e.latency.p95.0)),
        ("p99_ns", times(&|e| e.latency.p99.0)),
        ("health", texts(&|e| Some(e.health.as_str().to_owned()))),
        ("at", Arc::new(at) as ArrayRef),
        ("window_ns", times(&|_| graph.window.0)),
    ])?)
}

pub(super) fn incidents(incidents: &[Arc<IncidentDto>]) -> Result<RecordBatch, DataFusionError> {
    let texts = |pick: &dyn Fn(&IncidentDto) -> Option<String>| -> ArrayRef {
        Arc::new(StringArray::from_iter(incidents.iter().map(|i| pick(i))))
    };
    let times = |pick: &dyn Fn(&IncidentDto) -> Option<i64>| -> ArrayRef {
        Arc::new(
            incidents
                .iter()
                .map(|i| pick(i))
                .collect::<TimestampNanosecondArray>()
                .with_timezone(UTC),
        )
    };
    let first_score = Float64Array::from_iter(incidents.iter().map(|i| i.suspects.first().map(|s| s.score)));
    let confidence = Float64Array::from_iter_values(incidents.iter().map(|i| i.cause.confidence));
    let affected = UInt64Array::from_iter_values(incidents.iter().map(|i| i.affected.len() as u64));
    Ok(RecordBatch::try_from_iter([
        ("id", texts(&|i| Some(i.id.clone()))),
        ("state", texts(&|i| Some(i.state.clone()))),
        ("started", times(&|i| i.started_unix_nano.parse().ok())),
        ("detected", times(&|i| i.detected_unix_nano.parse().ok())),
        ("resolved", times(&|i| i.resolved_unix_nano.as_ref()?.parse().ok())),
        ("cause", texts(&|i| Some(i.cause.kind.clone()))),
        ("confidence", Arc::new(confidence) as ArrayRef),
        ("culprit", texts(&|i| i.suspects.first().map(|s| s.entity.name.clone()))),
        (
            "culprit_kind",
            texts(&|i| i.suspects.first().map(|s| s.entity.kind.clone())),
        ),
        ("score", Arc::new(first_score) as ArrayRef),
        ("affected", Arc::new(affected) as ArrayRef),
    ])?)
}
