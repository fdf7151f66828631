//! A slot of the graph as rows: one for each node, one for each edge, one for what became of the spans. The columns that
//! people ask for come first; those behind `weighed_calls` make the row addable. See docs/formats/graph-history.md.

use arrow::array::{
    Array, ArrayRef, AsArray, BinaryBuilder, Float64Builder, Int64Builder, RecordBatch, StringBuilder,
    TimestampNanosecondBuilder, UInt64Builder,
};
use arrow::datatypes::{DataType, Field, Int64Type, Schema, SchemaRef, TimeUnit, TimestampNanosecondType, UInt64Type};
use arrow::error::ArrowError;
use epicenter_incident::{
    Entity, EntityKind, Health, NodeSum, Part, Sketch, Slot, SpanCounts, Summary, Traffic, Weighed, Weight,
};
use epicenter_schema::{DurationNs, Timestamp, TraceId};
use serde::{Deserialize, Serialize};
use std::sync::{Arc, LazyLock};

const UTC: &str = "UTC";
/// What a row is.
pub(crate) const EDGE: &str = "edge";
pub(crate) const NODE: &str = "node";
const SPANS: &str = "spans";

/// The columns of a file.
pub(crate) fn schema() -> SchemaRef {
    static SCHEMA: LazyLock<SchemaRef> = LazyLock::new(|| {
        use DataType::{Binary, Float64, Int64, UInt64, Utf8};
        let time = DataType::Timestamp(TimeUnit::Nanosecond, Some(UTC.into()));
        let required = |name: &str, data_type| Field::new(name, data_type, false);
        let optional = |name: &str, data_type| Field::new(name, data_type, true);
        Arc::new(Schema::new(vec![
            required("start", time.clone()),
            required("at", time),
            required("window_ns", Int64),
            required("row", Utf8),
            optional("caller", Utf8),
            optional("caller_kind", Utf8),
            optional("callee", Utf8),
            optional("callee_kind", Utf8),
            optional("protocol", Utf8),
            required("calls", UInt64),
            required("errors", UInt64),
            required("unanswered", UInt64),
            required("rate", Float64),
            required("error_ratio", Float64),
            required("p50_ns", Int64),
            required("p95_ns", Int64),
            required("p99_ns", Int64),
            required("health", Utf8),
            required("instances", UInt64),
            required("exemplar_trace_ids", Utf8),
            required("weighed_calls", UInt64),
            required("weighed_errors", UInt64),
            required("latency", Binary),
            optional("detail", Utf8),
        ]))
    });
    SCHEMA.clone()
}

/// The part of a node's requests under one value of a dimension, as JSON.
#[derive(Deserialize, Serialize)]
struct PartDto {
    dimension: String,
    value: String,
    count: u64,
    errors: u64,
    weighed_count: u64,
    weighed_errors: u64,
}

/// What became of spans, as JSON.
#[derive(Deserialize, Serialize)]
#[serde(default)]
#[derive(Default)]
struct SpansDto {
    counted: u64,
    orphaned: u64,
    sampled: u64,
    late: u64,
    repeated: u64,
    dropped: u64,
}

#[derive(Default)]
struct Columns {
    start: TimestampNanosecondBuilder,
    at: TimestampNanosecondBuilder,
    window: Int64Builder,
    row: StringBuilder,
    ends: [StringBuilder; 4],
    protocol: StringBuilder,
    counts: [UInt64Builder; 3],
    shares: [Float64Builder; 2],
    quantiles: [Int64Builder; 3],
    health: StringBuilder,
    instances: UInt64Builder,
    exemplars: StringBuilder,
    weighed: [UInt64Builder; 2],
    latency: BinaryBuilder,
    detail: StringBuilder,
}

impl Columns {
    fn push(
        &mut self,
        slot: &Slot,
        row: &str,
        ends: [Option<&Entity>; 2],
        traffic: &Traffic,
        rest: (u64, Option<String>),
    ) {
        let length = slot.summary.length;
        self.start.append_value(slot.start.0);
        self.at.append_value((slot.start + length).0);
        self.window.append_value(length.0);
        self.row.append_value(row);
        for (index, end) in ends.into_iter().enumerate() {
            self.ends[2 * index].append_option(end.map(|end| end.name.as_str()));
            self.ends[2 * index + 1].append_option(end.map(|end| end.kind.as_str()));
        }
        self.protocol.append_option(traffic.word.as_deref());
        for (column, count) in self
            .counts
            .iter_mut()
            .zip([traffic.count, traffic.errors, traffic.unanswered])
        {
            column.append_value(count);
        }
        self.shares[0].append_value(traffic.rate_per_s(length));
        self.shares[1].append_value(traffic.error_ratio());
        for (column, q) in self.quantiles.iter_mut().zip([0.5, 0.95, 0.99]) {
            column.append_value(traffic.latency.quantile(q) as i64);
        }
        self.health.append_value(traffic.health.as_str());
        self.instances.append_value(rest.0);
        let exemplars: Vec<String> = traffic.exemplars.iter().map(TraceId::to_string).collect();
        self.exemplars.append_value(exemplars.join(" "));
        self.weighed[0].append_value(traffic.weighed.count.steps());
        self.weighed[1].append_value(traffic.weighed.errors.steps());
        self.latency.append_value(traffic.latency.to_bytes());
        self.detail.append_option(rest.1);
    }

    fn finish(self) -> Result<RecordBatch, ArrowError> {
        let time = |mut builder: TimestampNanosecondBuilder| Arc::new(builder.finish().with_timezone(UTC)) as ArrayRef;
        let text = |mut builder: StringBuilder| Arc::new(builder.finish()) as ArrayRef;
        let number = |mut builder: UInt64Builder| Arc::new(builder.finish()) as ArrayRef;
        let float = |mut builder: Float64Builder| Arc::new(builder.finish()) as ArrayRef;
        let length = |mut builder: Int64Builder| Arc::new(builder.finish()) as ArrayRef;
        let mut latency = self.latency;
        let mut columns = vec![time(self.start), time(self.at), length(self.window), text(self.row)];
        columns.extend(self.ends.map(text));
        columns.push(text(self.protocol));
        columns.extend(self.counts.map(number));
        columns.extend(self.shares.map(float));
        columns.extend(self.quantiles.map(length));
        columns.extend([text(self.health), number(self.instances), text(self.exemplars)]);
        columns.extend(self.weighed.map(number));
        columns.extend([Arc::new(latency.finish()) as ArrayRef, text(self.detail)]);
        RecordBatch::try_new(schema(), columns)
    }
}

/// The rows of slots, in their order.
pub(crate) fn write<'a>(slots: impl IntoIterator<Item = &'a Slot>) -> Result<RecordBatch, ArrowError> {
    let mut columns = Columns::default();
    let json = |error: serde_json::Error| ArrowError::JsonError(error.to_string());
    for slot in slots {
        let spans = &slot.summary.accounts;
        let spans = SpansDto {
            counted: spans.counted,
            orphaned: spans.orphaned,
            sampled: spans.sampled,
            late: spans.late,
            repeated: spans.repeated,
            dropped: spans.dropped,
        };
        let spans = serde_json::to_string(&spans).map_err(json)?;
        columns.push(slot, SPANS, [None, None], &Traffic::default(), (0, Some(spans)));
        for (entity, node) in &slot.summary.nodes {
            let parts: Vec<PartDto> = node.parts.iter().map(part).collect();
            let parts = serde_json::to_string(&parts).map_err(json)?;
            columns.push(
                slot,
                NODE,
                [None, Some(entity)],
                &node.traffic,
                (node.instances, Some(parts)),
            );
        }
        for ((caller, callee), traffic) in &slot.summary.edges {
            columns.push(slot, EDGE, [Some(caller), Some(callee)], traffic, (0, None));
        }
    }
    columns.finish()
}

fn part(((dimension, value), part): (&(String, String), &Part)) -> PartDto {
    PartDto {
        dimension: dimension.clone(),
        value: value.clone(),
        count: part.count,
        errors: part.errors,
        weighed_count: part.weighed.count.steps(),
        weighed_errors: part.weighed.errors.steps(),
    }
}

/// Adds rows to the slots that they are of; the rows of a slot follow one another. Rows that cannot be read are left out.
pub(crate) fn read(batch: &RecordBatch, slots: &mut Vec<Slot>) {
    if batch.schema().fields() != schema().fields() {
        return;
    }
    for index in 0..batch.num_rows() {
        let row = Row { batch, index };
        let start = Timestamp(
            row.batch
                .column(0)
                .as_primitive::<TimestampNanosecondType>()
                .value(index),
        );
        if slots.last().is_none_or(|slot| slot.start != start) {
            slots.push(Slot {
                start,
                summary: Summary {
                    length: DurationNs(row.int(2)),
                    ..Summary::default()
                },
            });
        }
        if let Some(slot) = slots.last_mut() {
            row.add_to(&mut slot.summary);
        }
    }
}

struct Row<'a> {
    batch: &'a RecordBatch,
    index: usize,
}

impl Row<'_> {
    fn int(&self, column: usize) -> i64 {
        self.batch.column(column).as_primitive::<Int64Type>().value(self.index)
    }

    fn number(&self, column: usize) -> u64 {
        self.batch.column(column).as_primitive::<UInt64Type>().value(self.index)
    }

    fn text(&self, column: usize) -> Option<&str> {
        let column = self.batch.column(column).as_string::<i32>();
        column.is_valid(self.index).then(|| column.value(self.index))
    }

    fn entity(&self, column: usize) -> Option<Entity> {
        Some(Entity::new(kind(self.text(column + 1)?)?, self.text(column)?))
    }

    fn traffic(&self) -> Option<Traffic> {
        let latency = self.batch.column(22).as_binary::<i32>().value(self.index);
        let exemplars = self.text(19)?.split_whitespace();
        Some(Traffic {
            count: self.number(9),
            errors: self.number(10),
            unanswered: self.number(11),
            weighed: self.weighed(20),
            latency: Sketch::from_bytes(latency)?,
            word: self.text(8).map(str::to_owned),
            exemplars: exemplars.filter_map(|id| id.parse().ok()).collect(),
            health: health(self.text(17)?),
        })
    }

    fn weighed(&self, column: usize) -> Weighed {
        Weighed {
            count: Weight::from_steps(self.number(column)),
            errors: Weight::from_steps(self.number(column + 1)),
        }
    }

    fn add_to(&self, summary: &mut Summary) -> Option<()> {
        match self.text(3)? {
            EDGE => {
                summary
                    .edges
                    .insert((self.entity(4)?, self.entity(6)?), self.traffic()?);
            }
            NODE => {
                let parts: Vec<PartDto> = serde_json::from_str(self.text(23)?).ok()?;
                let part = |part: PartDto| {
                    let weighed = Weighed {
                        count: Weight::from_steps(part.weighed_count),
                        errors: Weight::from_steps(part.weighed_errors),
                    };
                    let sum = Part {
                        count: part.count,
                        errors: part.errors,
                        weighed,
                    };
                    ((part.dimension, part.value), sum)
                };
                let node = NodeSum {
                    traffic: self.traffic()?,
                    instances: self.number(18),
                    parts: parts.into_iter().map(part).collect(),
                };
                summary.nodes.insert(self.entity(6)?, node);
            }
            SPANS => {
                let spans: SpansDto = serde_json::from_str(self.text(23)?).ok()?;
                summary.accounts.merge(SpanCounts {
                    counted: spans.counted,
                    orphaned: spans.orphaned,
                    sampled: spans.sampled,
                    late: spans.late,
                    repeated: spans.repeated,
                    dropped: spans.dropped,
                });
            }
            _ => {}
        }
        Some(())
    }
}

fn kind(word: &str) -> Option<EntityKind> {
    use EntityKind::{Cache, Database, External, Queue, Service};
    [Service, Database, Cache, Queue, External]
        .into_iter()
        .find(|kind| kind.as_str() == word)
}

fn health(word: &str) -> Health {
    use Health::{Degraded, Failing, Ok, Silent, Unknown};
    let all = [Ok, Degraded, Failing, Silent];
    all.into_iter()
        .find(|health| health.as_str() == word)
        .unwrap_or(Unknown)
}
