//! `edges` and `nodes`: the graph of all the time that is kept, a row for each slot in which an edge or a node was seen,
//! with the newest slots from memory. `at` is the end of a slot and `window_ns` its length; the last slot may still grow.

use crate::live::Past;
use crate::live::past::rows;
use datafusion::error::DataFusionError;
use datafusion::prelude::{DataFrame, ParquetReadOptions, SessionContext, col, lit};
use epicenter_incident::Slot;

const EDGES: [&str; 17] = [
    "caller",
    "callee",
    "callee_kind",
    "protocol",
    "rate",
    "error_ratio",
    "p50_ns",
    "p95_ns",
    "p99_ns",
    "health",
    "at",
    "window_ns",
    "caller_kind",
    "calls",
    "errors",
    "unanswered",
    "exemplar_trace_ids",
];
/// Columns of `nodes` and of the files.
const NODES: [(&str, &str); 15] = [
    ("name", "callee"),
    ("kind", "callee_kind"),
    ("system", "protocol"),
    ("rate", "rate"),
    ("error_ratio", "error_ratio"),
    ("p50_ns", "p50_ns"),
    ("p95_ns", "p95_ns"),
    ("p99_ns", "p99_ns"),
    ("health", "health"),
    ("at", "at"),
    ("window_ns", "window_ns"),
    ("requests", "calls"),
    ("errors", "errors"),
    ("instances", "instances"),
    ("exemplar_trace_ids", "exemplar_trace_ids"),
];

/// Whether a query may ask for one of the tables: the newest slots are worked out only then.
pub(super) fn is_asked_for(query: &str) -> bool {
    let query = query.to_ascii_lowercase();
    query.contains("edges") || query.contains("nodes")
}

/// Makes both tables known to a session; `young` are the slots that the past has not taken yet.
pub(super) async fn register(session: &SessionContext, past: &Past, young: Vec<Slot>) -> Result<(), DataFusionError> {
    let (paths, waiting) = past.now();
    let slots = waiting.iter().map(AsRef::as_ref).chain(&young);
    let mut all = session.read_batch(rows::write(slots)?)?;
    if !paths.is_empty() {
        let schema = rows::schema();
        let paths: Vec<String> = paths.iter().map(|path| path.to_string_lossy().into_owned()).collect();
        let options = ParquetReadOptions::default().schema(&schema);
        all = session.read_parquet(paths, options).await?.union(all)?;
    }
    let of = |row: &str| -> Result<DataFrame, DataFusionError> { all.clone().filter(col("row").eq(lit(row))) };
    let edges = of(rows::EDGE)?.select(EDGES.map(col))?;
    session.register_table("edges", edges.into_view())?;
    let nodes = NODES.map(|(name, column)| col(column).alias(name));
    session.register_table("nodes", of(rows::NODE)?.select(nodes)?.into_view())?;
    Ok(())
}
