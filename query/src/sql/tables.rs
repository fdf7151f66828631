//! The small table beside `spans` and the graph, made anew for each query.
//!
//! `incidents`: `id`, `state`, `started`, `detected`, `resolved`, `cause`, `confidence`, `culprit`,
//! `culprit_kind`, `score`, `affected` (number of services).

use crate::http::dto::incident::IncidentDto;
use arrow::array::{ArrayRef, Float64Array, RecordBatch, StringArray, TimestampNanosecondArray, UInt64Array};
use datafusion::error::DataFusionError;
use std::sync::Arc;

const UTC: &str = "UTC";

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
