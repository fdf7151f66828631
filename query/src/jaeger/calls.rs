//! Who called whom how often, from the spans that are kept: a span whose parent belongs to another service is a call.

use super::Refusal;
use crate::http::Shared;
use crate::http::params::Problem;
use arrow::array::AsArray;
use arrow::datatypes::Int64Type;
use axum::http::StatusCode;
use epicenter_schema::Timestamp;

/// Caller, callee and calls of spans that start within the times, both included, sorted.
pub(super) async fn between(
    shared: &Shared,
    start: Timestamp,
    end: Timestamp,
) -> Result<Vec<(String, String, u64)>, Refusal> {
    let bounds = |alias: &str| {
        format!(
            "{alias}.start_time >= to_timestamp_nanos({}) and {alias}.start_time <= to_timestamp_nanos({})",
            start.0, end.0
        )
    };
    let query = format!(
        "select cast(p.service_name as varchar) as parent, cast(c.service_name as varchar) as child, count(*) as calls \
         from spans c join spans p on c.trace_id = p.trace_id and c.parent_span_id = p.span_id \
         where {} and {} and c.service_name <> p.service_name group by 1, 2 order by 1, 2",
        bounds("c"),
        bounds("p"),
    );
    let rows = shared.sql.query(query).await.map_err(Problem::from)?;
    if rows.truncated {
        return Err(Refusal {
            status: StatusCode::UNPROCESSABLE_ENTITY,
            message: "more pairs of services call each other than one answer holds: ask for a shorter time, or use SQL"
                .to_owned(),
        });
    }
    let mut links = Vec::new();
    for batch in &rows.batches {
        let columns: Vec<_> = (0..2)
            .map(|index| arrow::compute::cast(batch.column(index), &arrow::datatypes::DataType::Utf8))
            .collect::<Result<_, _>>()
            .map_err(|error| Problem::internal(error.to_string()))?;
        let (parent, child) = (columns[0].as_string::<i32>(), columns[1].as_string::<i32>());
        let calls = batch.column(2).as_primitive::<Int64Type>();
        for row in 0..batch.num_rows() {
            let count = u64::try_from(calls.value(row)).unwrap_or(0);
            links.push((parent.value(row).to_owned(), child.value(row).to_owned(), count));
        }
    }
    Ok(links)
}
