//! The columns of a segment back into those of the schema: flat ones as they are, nested ones put together again.

use super::layout::{Attribute, REST, SHAPE, SHAPE_REST, Type, attributes_of, is_flat};
use crate::Error;
use arrow::array::{
    Array, ArrayRef, AsArray, BinaryArray, BooleanArray, DictionaryArray, Float64Array, Int64Array, ListArray,
    StringArray, StructArray,
};
use arrow::datatypes::{Float64Type, Int32Type, Int64Type, Schema, SchemaRef, TimestampNanosecondType, UInt32Type};
use arrow::error::ArrowError;
use arrow::record_batch::{RecordBatch, RecordBatchOptions};
use epicenter_schema::otlp::WireError;
use epicenter_schema::otlp::wire::Reader;
use epicenter_schema::{LinkRow, NestedBuilder, RawValue, arrow_schema, name};
use std::ops::Range;
use std::sync::Arc;

/// Puts together the columns that are asked for.
#[derive(Clone, Debug)]
pub(super) struct Assembler {
    /// The columns asked for, in their order.
    schema: SchemaRef,
    attributes: bool,
    events: bool,
    links: bool,
}

impl Assembler {
    /// Columns of the schema by position; none for all.
    pub(super) fn new(projection: Option<&[usize]>) -> Result<Self, ArrowError> {
        let schema = match projection {
            None => arrow_schema(),
            Some(columns) => Arc::new(arrow_schema().project(columns)?),
        };
        let has = |name: &str| schema.index_of(name).is_ok();
        Ok(Self {
            attributes: has(name::ATTRIBUTES),
            events: has(name::EVENTS),
            links: has(name::LINKS),
            schema,
        })
    }

    /// The columns that come out.
    pub(super) fn schema(&self) -> &SchemaRef {
        &self.schema
    }

    /// True when something nested is asked for.
    pub(super) fn is_nested(&self) -> bool {
        self.attributes || self.events || self.links
    }

    /// Positions of the columns of a segment that are needed.
    pub(super) fn needed(&self, segment: &Schema) -> Vec<usize> {
        let is_needed = |column: &str| {
            if self.attributes && (column == SHAPE || column == REST || Attribute::parse(column).is_some()) {
                return true;
            }
            self.schema.index_of(column).is_ok()
        };
        let fields = segment.fields().iter().enumerate();
        fields
            .filter(|(_, field)| is_needed(field.name()))
            .map(|(index, _)| index)
            .collect()
    }

    /// Turns rows of a segment, which has the needed columns at least, into rows of the schema.
    pub(super) fn assemble(&self, batch: &RecordBatch) -> Result<RecordBatch, Error> {
        let put = |error: AssembleError| Error::Columns {
            path: "a segment".to_owned(),
            source: error.into(),
        };
        let nested = if self.is_nested() {
            Some(self.nested(batch).map_err(put)?)
        } else {
            None
        };
        let mut columns: Vec<ArrayRef> = Vec::with_capacity(self.schema.fields().len());
        for field in self.schema.fields() {
            let nested = nested.as_ref().map(|nested| match field.name().as_str() {
                name::ATTRIBUTES => &nested[0],
                name::EVENTS => &nested[1],
                _ => &nested[2],
            });
            let column = match nested.filter(|_| !is_flat(field.name())) {
                Some(column) => Arc::clone(column),
                None => batch.column_by_name(field.name()).cloned().ok_or_else(|| {
                    put(AssembleError::Arrow(ArrowError::SchemaError(format!(
                        "no column {}",
                        field.name()
                    ))))
                })?,
            };
            columns.push(column);
        }
        let options = RecordBatchOptions::new().with_row_count(Some(batch.num_rows()));
        RecordBatch::try_new_with_options(Arc::clone(&self.schema), columns, &options)
            .map_err(|error| put(AssembleError::Arrow(error)))
    }

    fn nested(&self, batch: &RecordBatch) -> Result<[ArrayRef; 3], AssembleError> {
        let mut builder = NestedBuilder::with_capacity(if self.attributes { batch.num_rows() } else { 0 });
        let attributes = if self.attributes {
            Some(Attributes::new(batch)?)
        } else {
            None
        };
        let events = if self.events {
            Some(list_of(batch, name::EVENTS)?)
        } else {
            None
        };
        let links = if self.links {
            Some(list_of(batch, name::LINKS)?)
        } else {
            None
        };
        for row in 0..batch.num_rows() {
            if let Some(attributes) = &attributes {
                attributes.push(row, &mut builder)?;
            }
            if let Some(events) = events {
                push_events(events, row, &mut builder)?;
            }
            if let Some(links) = links {
                push_links(links, row, &mut builder)?;
            }
            builder.close();
        }
        Ok(builder.finish()?)
    }
}

/// Why columns do not go together again: damage, or a bug.
#[derive(Debug, thiserror::Error)]
pub(super) enum AssembleError {
    #[error(transparent)]
    Arrow(#[from] ArrowError),
    #[error(transparent)]
    Wire(#[from] WireError),
    #[error(transparent)]
    Schema(#[from] epicenter_schema::Error),
    #[error("{0:?} is not the shape of a span")]
    Shape(String),
}

impl From<AssembleError> for ArrowError {
    fn from(error: AssembleError) -> Self {
        match error {
            AssembleError::Arrow(error) => error,
            other => Self::ExternalError(Box::new(other)),
        }
    }
}

/// One attribute column.
enum Values<'a> {
    Texts(&'a DictionaryArray<Int32Type>, &'a StringArray),
    Ints(&'a Int64Array),
    Doubles(&'a Float64Array),
    Bools(&'a BooleanArray),
}

/// The attribute columns of a batch and the shapes of its rows.
pub(super) struct Attributes<'a> {
    columns: Vec<(String, Values<'a>)>,
    shape_of_row: &'a DictionaryArray<Int32Type>,
    /// Columns of each shape; none for one of the rest.
    shapes: Vec<Vec<Option<usize>>>,
    rest: &'a BinaryArray,
}

impl<'a> Attributes<'a> {
    pub(super) fn new(batch: &'a RecordBatch) -> Result<Self, AssembleError> {
        let mut columns = Vec::new();
        for (index, attribute) in attributes_of(&batch.schema()) {
            let column = batch.column(index);
            let values = match attribute.kind {
                Type::String => {
                    let texts = dictionary(column, &attribute.column())?;
                    Values::Texts(texts, texts.values().as_string())
                }
                Type::Int => Values::Ints(column.as_primitive::<Int64Type>()),
                Type::Double => Values::Doubles(column.as_primitive::<Float64Type>()),
                Type::Bool => Values::Bools(column.as_boolean()),
            };
            columns.push((attribute.key, values));
        }
        let shape_of_row = dictionary(column_of(batch, SHAPE)?, SHAPE)?;
        let texts = shape_of_row.values().as_string::<i32>();
        let shapes = texts
            .iter()
            .map(|text| parse_shape(text.unwrap_or_default(), columns.len()));
        Ok(Self {
            shapes: shapes.collect::<Result<_, _>>()?,
            shape_of_row,
            rest: column_of(batch, REST)?.as_binary(),
            columns,
        })
    }

    /// Adds the attributes of a row, in the order received.
    fn push(&self, row: usize, out: &mut NestedBuilder) -> Result<(), AssembleError> {
        let Some(shape) = self.shape_of_row.key(row) else {
            return Ok(());
        };
        let rest = if self.rest.is_valid(row) {
            self.rest.value(row)
        } else {
            b""
        };
        let mut rest = Reader::new(rest, "KeyValueList");
        for column in &self.shapes[shape] {
            let Some(column) = column else {
                let item = rest.next_field()?.ok_or(WireError::Truncated)?;
                out.attribute_message(item.bytes()?)?;
                continue;
            };
            let (key, values) = &self.columns[*column];
            let value = match values {
                Values::Texts(texts, values) => {
                    let text = texts.key(row).map_or("", |key| values.value(key));
                    RawValue::String(text.as_bytes())
                }
                Values::Ints(values) => RawValue::Int(values.value(row)),
                Values::Doubles(values) => RawValue::Double(values.value(row)),
                Values::Bools(values) => RawValue::Bool(values.value(row)),
            };
            out.attribute(key.as_bytes(), value);
        }
        Ok(())
    }
}

/// Columns that a shape lists; none for one of the rest.
pub(super) fn parse_shape(text: &str, columns: usize) -> Result<Vec<Option<usize>>, AssembleError> {
    let wrong = || AssembleError::Shape(text.to_owned());
    let parts = text.split(',').filter(|part| !part.is_empty());
    parts
        .map(|part| {
            if part == SHAPE_REST {
                return Ok(None);
            }
            let column = part.parse().ok().filter(|column| *column < columns);
            column.map(Some).ok_or_else(wrong)
        })
        .collect()
}

fn column_of<'a>(batch: &'a RecordBatch, name: &str) -> Result<&'a ArrayRef, ArrowError> {
    let column = batch.column_by_name(name);
    column.ok_or_else(|| ArrowError::SchemaError(format!("no column {name}")))
}

fn dictionary<'a>(column: &'a ArrayRef, name: &str) -> Result<&'a DictionaryArray<Int32Type>, ArrowError> {
    let dictionary = column.as_any().downcast_ref();
    dictionary.ok_or_else(|| ArrowError::SchemaError(format!("column {name} is {}", column.data_type())))
}

fn list_of<'a>(batch: &'a RecordBatch, name: &str) -> Result<&'a ListArray, ArrowError> {
    let column = column_of(batch, name)?;
    let list = column.as_any().downcast_ref();
    list.ok_or_else(|| ArrowError::SchemaError(format!("column {name} is {}", column.data_type())))
}

fn items(list: &ListArray, row: usize) -> (&StructArray, Range<usize>) {
    let offsets = list.value_offsets();
    (
        list.values().as_struct(),
        offsets[row] as usize..offsets[row + 1] as usize,
    )
}

fn push_events(list: &ListArray, row: usize, out: &mut NestedBuilder) -> Result<(), WireError> {
    let (events, range) = items(list, row);
    for at in range {
        out.event(
            events.column(0).as_primitive::<TimestampNanosecondType>().value(at),
            events.column(1).as_string::<i32>().value(at).as_bytes(),
            events.column(2).as_binary::<i32>().value(at),
            events.column(3).as_primitive::<UInt32Type>().value(at),
        )?;
    }
    Ok(())
}

fn push_links(list: &ListArray, row: usize, out: &mut NestedBuilder) -> Result<(), WireError> {
    let (links, range) = items(list, row);
    for at in range {
        let state = links.column(2).as_string::<i32>();
        let link = LinkRow {
            trace_id: links
                .column(0)
                .as_fixed_size_binary()
                .value(at)
                .try_into()
                .unwrap_or_default(),
            span_id: links
                .column(1)
                .as_fixed_size_binary()
                .value(at)
                .try_into()
                .unwrap_or_default(),
            trace_state: if state.is_valid(at) {
                state.value(at).as_bytes()
            } else {
                b""
            },
            dropped_attributes_count: links.column(4).as_primitive::<UInt32Type>().value(at),
            flags: links.column(5).as_primitive::<UInt32Type>().value(at),
        };
        out.link(&link, links.column(3).as_binary::<i32>().value(at))?;
    }
    Ok(())
}
