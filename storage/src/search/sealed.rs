//! Search in a segment: each condition becomes a predicate of the Parquet reader on the columns that it needs, so that what
//! one rules out is not read for the next.

use super::condition::{Attribute, Condition, Scope};
use super::nested::{in_described, in_list};
use super::{Found, Order, Search};
use crate::Error;
use crate::table::{AttributeColumn, Filters, Place, Segment, Wanted, failed};
use arrow::array::{Array, ArrayRef, AsArray, BooleanArray};
use arrow::datatypes::{Float64Type, Int32Type, Int64Type, Schema, TimestampNanosecondType};
use arrow::error::ArrowError;
use arrow::record_batch::RecordBatch;
use epicenter_schema::{Timestamp, TraceId, name};
use futures::StreamExt;
use parquet::arrow::arrow_reader::{ArrowPredicate, ArrowPredicateFn, ArrowReaderMetadata, RowFilter};
use parquet::arrow::{ParquetRecordBatchStreamBuilder, ProjectionMask};
use std::sync::Arc;

/// Rows that are judged at once.
const BATCH_ROWS: usize = 16_384;

type Judge = Arc<dyn Fn(&RecordBatch) -> Result<Vec<bool>, ArrowError> + Send + Sync>;

/// False when what the manifest says of the segment rules out every span.
pub(super) fn may_match(segment: &Segment, search: &Search) -> bool {
    let meta = &segment.meta;
    let in_time =
        search.start.is_none_or(|from| meta.start_max >= from.0) && search.end.is_none_or(|to| meta.start_min < to.0);
    in_time
        && search.conditions.iter().all(|condition| match condition {
            Condition::Service(name) => meta.services.as_ref().is_none_or(|listed| listed.contains(name)),
            Condition::DurationMin(least) => meta.duration_max >= *least,
            _ => true,
        })
}

/// Adds the traces of the segment's spans that meet the search.
pub(super) async fn collect(
    segment: &Arc<Segment>,
    filters: &Arc<Filters>,
    search: &Search,
    found: &mut Found,
) -> Result<(), Error> {
    let footer = filters.footer(segment).await?;
    let mut judges = Vec::new();
    if search.start.is_some() || search.end.is_some() {
        judges.push(in_time(search.start, search.end));
    }
    for condition in &search.conditions {
        let judge = match condition {
            Condition::Attribute(wanted) => match attribute(segment, filters, &footer, wanted).await? {
                Some(judge) => judge,
                // Nobody here has it.
                None => return Ok(()),
            },
            flat => self::flat(flat),
        };
        judges.push(judge);
    }
    filters.count_read();
    let parquet = footer.parquet_schema();
    let schema = Arc::clone(footer.schema());
    let mut predicates: Vec<Box<dyn ArrowPredicate>> = Vec::new();
    for (columns, judge) in judges {
        let mask = roots(&schema, parquet, &columns).map_err(|error| failed(segment)(error.into()))?;
        predicates.push(Box::new(ArrowPredicateFn::new(mask, move |batch| {
            judge(&batch).map(BooleanArray::from)
        })));
    }
    let key = match search.order {
        Order::Newest => name::START_TIME,
        Order::Longest => name::DURATION_NS,
    };
    let wanted = [name::TRACE_ID.to_owned(), key.to_owned()];
    let mask = roots(&schema, parquet, &wanted).map_err(|error| failed(segment)(error.into()))?;
    let mut stream = ParquetRecordBatchStreamBuilder::new_with_metadata(filters.reader(segment), footer)
        .with_batch_size(BATCH_ROWS)
        .with_projection(mask)
        .with_row_filter(RowFilter::new(predicates))
        .build()
        .map_err(failed(segment))?;
    while let Some(batch) = stream.next().await {
        add(&batch.map_err(failed(segment))?, found);
    }
    Ok(())
}

fn add(batch: &RecordBatch, found: &mut Found) {
    let (Some(ids), Some(keys)) = (batch.column_by_name(name::TRACE_ID), batch.columns().last()) else {
        return;
    };
    let ids = ids.as_fixed_size_binary();
    let start = keys.as_primitive_opt::<TimestampNanosecondType>();
    let duration = keys.as_primitive_opt::<Int64Type>();
    for row in 0..batch.num_rows() {
        let key = start.map_or_else(
            || duration.map_or(0, |column| column.value(row)),
            |column| column.value(row),
        );
        found.add(TraceId(ids.value(row).try_into().unwrap_or_default()), key);
    }
}

fn roots(
    schema: &Schema,
    parquet: &parquet::schema::types::SchemaDescriptor,
    columns: &[String],
) -> Result<ProjectionMask, ArrowError> {
    let roots: Vec<usize> = columns
        .iter()
        .map(|name| schema.index_of(name))
        .collect::<Result<_, _>>()?;
    Ok(ProjectionMask::roots(parquet, roots))
}

fn column<'a>(batch: &'a RecordBatch, name: &str) -> Result<&'a ArrayRef, ArrowError> {
    let column = batch.column_by_name(name);
    column.ok_or_else(|| ArrowError::SchemaError(format!("no column {name}")))
}

fn in_time(start: Option<Timestamp>, end: Option<Timestamp>) -> (Vec<String>, Judge) {
    let judge: Judge = Arc::new(move |batch| {
        let starts = column(batch, name::START_TIME)?.as_primitive::<TimestampNanosecondType>();
        let values = starts.values().iter();
        let is_in = |at: &i64| start.is_none_or(|from| *at >= from.0) && end.is_none_or(|to| *at < to.0);
        Ok(values.map(is_in).collect())
    });
    (vec![name::START_TIME.to_owned()], judge)
}

/// A condition on a flat column.
fn flat(condition: &Condition) -> (Vec<String>, Judge) {
    let condition = condition.clone();
    let name = match condition {
        Condition::Service(_) => name::SERVICE_NAME,
        Condition::Operation(_) => name::NAME,
        Condition::Error(_) => name::ERROR,
        Condition::Kind(_) => name::KIND,
        _ => name::DURATION_NS,
    };
    let judge: Judge = Arc::new(move |batch| {
        let column = column(batch, name)?;
        Ok(match &condition {
            Condition::Service(wanted) => by_text(column, |text| text == wanted),
            Condition::Operation(wanted) => {
                let texts = column.as_string::<i32>();
                (0..texts.len()).map(|row| texts.value(row) == wanted).collect()
            }
            Condition::Error(wanted) => column
                .as_boolean()
                .values()
                .iter()
                .map(|error| error == *wanted)
                .collect(),
            Condition::Kind(wanted) => {
                let kinds = column.as_primitive::<Int32Type>();
                kinds.values().iter().map(|kind| kind == wanted).collect()
            }
            Condition::DurationMin(least) => durations(column, |duration| duration >= *least),
            Condition::DurationMax(most) => durations(column, |duration| duration <= *most),
            Condition::Attribute(_) => vec![false; batch.num_rows()],
        })
    });
    (vec![name.to_owned()], judge)
}

fn durations(column: &ArrayRef, is_met: impl Fn(i64) -> bool) -> Vec<bool> {
    let values = column.as_primitive::<Int64Type>().values();
    values.iter().map(|duration| is_met(*duration)).collect()
}

/// Judges each distinct text once.
fn by_text(column: &ArrayRef, is_met: impl Fn(&str) -> bool) -> Vec<bool> {
    let texts = column.as_dictionary::<Int32Type>();
    let values = texts.values().as_string::<i32>();
    let mut judged: Vec<Option<bool>> = vec![None; values.len()];
    let keys = texts.keys().iter();
    keys.map(|key| {
        key.is_some_and(|key| {
            let key = key as usize;
            *judged[key].get_or_insert_with(|| is_met(values.value(key)))
        })
    })
    .collect()
}

/// A condition on an attribute, on every column that it can be in. None when no span of the segment can have it.
async fn attribute(
    segment: &Arc<Segment>,
    filters: &Arc<Filters>,
    footer: &ArrowReaderMetadata,
    wanted: &Attribute,
) -> Result<Option<(Vec<String>, Judge)>, Error> {
    let filter = filters.attributes(segment).await?;
    let token = Wanted::new(&wanted.key, wanted.test.equals());
    let filter = filter.as_ref().as_ref();
    if filter.is_some_and(|filter| !token.may_be_in(filter)) {
        return Ok(None);
    }
    let may_be = |place| filter.is_none_or(|filter| token.may_be_at(place, filter));
    let scope = wanted.scope;
    let mut columns = Vec::new();
    if scope.has(Scope::Span) {
        columns.extend(AttributeColumn::of_key(footer.schema(), &wanted.key));
    }
    let nested = may_be(Place::Nested);
    let described = may_be(Place::Described);
    for (is_there, name) in [
        (described && scope.has(Scope::Resource), name::RESOURCE),
        (described && scope.has(Scope::InstrumentationScope), name::SCOPE),
        (nested && scope.has(Scope::Span), AttributeColumn::REST),
        (nested && scope.has(Scope::Event), name::EVENTS),
        (nested && scope.has(Scope::Link), name::LINKS),
    ] {
        if is_there {
            columns.push(name.to_owned());
        }
    }
    if columns.is_empty() {
        return Ok(None);
    }
    let wanted = wanted.clone();
    let judge: Judge = Arc::new(move |batch| {
        let mut met = vec![false; batch.num_rows()];
        for (field, column) in batch.schema().fields().iter().zip(batch.columns()) {
            judge_column(&wanted, field.name(), column, &mut met)?;
        }
        Ok(met)
    });
    Ok(Some((columns, judge)))
}

fn judge_column(wanted: &Attribute, name: &str, column: &ArrayRef, met: &mut [bool]) -> Result<(), ArrowError> {
    let wire = |error| ArrowError::ExternalError(Box::new(error));
    let test = &wanted.test;
    let found: Vec<bool> = match name {
        name::RESOURCE => by_text(column, |json| in_described(wanted, json, "resource")),
        name::SCOPE => by_text(column, |json| in_described(wanted, json, "scope")),
        AttributeColumn::REST => {
            let lists = column.as_binary::<i32>();
            let judged = lists
                .iter()
                .map(|list| list.map_or(Ok(false), |list| in_list(wanted, list)));
            judged.collect::<Result<_, _>>().map_err(wire)?
        }
        name::EVENTS | name::LINKS => {
            let lists = column.as_list::<i32>();
            let items = lists.values().as_struct();
            let attributes = items
                .column_by_name("attributes")
                .ok_or_else(|| ArrowError::SchemaError(format!("{name} have no attributes")))?;
            let attributes = attributes.as_binary::<i32>();
            let judged = attributes.iter().map(|list| in_list(wanted, list.unwrap_or_default()));
            let judged: Vec<bool> = judged.collect::<Result<_, _>>().map_err(wire)?;
            let ends = lists.value_offsets().windows(2);
            ends.map(|ends| judged[ends[0] as usize..ends[1] as usize].contains(&true))
                .collect()
        }
        _ if column.as_dictionary_opt::<Int32Type>().is_some() => by_text(column, |text| test.text(text)),
        _ => (0..column.len())
            .map(|row| column.is_valid(row) && scalar_is_met(wanted, column, row))
            .collect(),
    };
    for (met, found) in met.iter_mut().zip(found) {
        *met |= found;
    }
    Ok(())
}

fn scalar_is_met(wanted: &Attribute, column: &ArrayRef, row: usize) -> bool {
    let test = &wanted.test;
    if let Some(ints) = column.as_primitive_opt::<Int64Type>() {
        test.int(ints.value(row))
    } else if let Some(doubles) = column.as_primitive_opt::<Float64Type>() {
        test.double(doubles.value(row))
    } else {
        column
            .as_boolean_opt()
            .is_some_and(|truths| test.bool(truths.value(row)))
    }
}
