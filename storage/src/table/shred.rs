//! Spans as they were received into the columns of a segment, see [`super::layout`]. Rows are given in the order of the
//! segment; each Span message is read once and every value is written to where it stays.

mod column;
mod lists;
mod tokens;

pub(super) use tokens::Tokens;
pub(crate) use tokens::{Place, Wanted};

use super::layout::{ATTRIBUTE_COLUMNS_MAX, Attribute, SHAPE_REST, Type};
use arrow::array::{ArrayRef, BinaryBuilder, DictionaryArray, Int32Array, StringArray};
use arrow::datatypes::Int32Type;
use arrow::error::ArrowError;
use column::Column;
use epicenter_schema::otlp::value::{Value, key_value};
use epicenter_schema::otlp::wire::Reader;
use epicenter_schema::otlp::{SPAN_ATTRIBUTE_TAG, WireError};
use hashbrown::HashMap;
use lists::{Events, Links};
use std::sync::Arc;

/// Stands for an attribute in the rest, where a shape lists columns.
const REST: u16 = u16::MAX;
/// Tag of field 1 with a length: the items of a KeyValueList.
const ITEM_TAG: u8 = 0x0a;

/// What is nested of a segment's spans, as it grows.
pub(super) struct Shredder {
    rows: usize,
    columns: Vec<Column>,
    /// Columns by key, one a type.
    by_key: HashMap<Box<[u8]>, [Option<u16>; 4]>,
    shape: Vec<u16>,
    /// Shape of the span before, and its number: neighbours mostly have the same.
    last_shape: Vec<u16>,
    last_number: i32,
    shapes: HashMap<Box<[u16]>, i32>,
    shape_of_row: Vec<i32>,
    rest: BinaryBuilder,
    /// The rest of the open span.
    open_rest: Vec<u8>,
    events: Events,
    links: Links,
    tokens: Tokens,
}

/// The columns of a segment beside the flat ones, in the order of [`super::layout::segment_schema`].
pub(super) struct Shredded {
    pub(super) attributes: Vec<Attribute>,
    pub(super) columns: Vec<ArrayRef>,
    /// Distinct values of each attribute column, where they were counted.
    pub(super) distinct: Vec<Option<usize>>,
    pub(super) tokens: Tokens,
}

impl Shredder {
    pub(super) fn with_capacity(rows: usize) -> Self {
        Self {
            rows: 0,
            columns: Vec::new(),
            by_key: HashMap::new(),
            shape: Vec::new(),
            last_shape: Vec::new(),
            last_number: -1,
            shapes: HashMap::new(),
            shape_of_row: Vec::with_capacity(rows),
            rest: BinaryBuilder::with_capacity(rows, 0),
            open_rest: Vec::new(),
            events: Events::default(),
            links: Links::default(),
            tokens: Tokens::default(),
        }
    }

    /// Adds a span: what is nested in its Span message.
    pub(super) fn span(&mut self, message: &[u8]) -> Result<(), WireError> {
        let mut fields = Reader::new(message, "Span");
        loop {
            while let Some(attribute) = fields.next_short(SPAN_ATTRIBUTE_TAG) {
                self.attribute(attribute)?;
            }
            let Some(field) = fields.next_field()? else { break };
            match field.number {
                9 => self.attribute(field.bytes()?)?,
                11 => self.events.event(field.bytes()?, &mut self.tokens)?,
                13 => self.links.link(field.bytes()?, &mut self.tokens)?,
                _ => {}
            }
        }
        self.close();
        Ok(())
    }

    #[inline]
    fn attribute(&mut self, message: &[u8]) -> Result<(), WireError> {
        let (key, value) = key_value(message)?;
        let kind = match &value {
            Some(Value::String(_)) => Type::String,
            Some(Value::Int(_)) => Type::Int,
            Some(Value::Double(_)) => Type::Double,
            Some(Value::Bool(_)) => Type::Bool,
            _ => return self.keep_in_rest(message),
        };
        let Some(index) = self.column(key, kind) else {
            return self.keep_in_rest(message);
        };
        let column = &mut self.columns[usize::from(index)];
        // A key may come twice: the second time there is no room in the column.
        if column.len() > self.rows {
            return self.keep_in_rest(message);
        }
        match value {
            Some(Value::String(text)) => column.set_text(self.rows, text),
            Some(Value::Int(number)) => column.set_int(self.rows, number),
            Some(Value::Double(number)) => column.set_double(self.rows, number),
            Some(Value::Bool(truth)) => column.set_bool(self.rows, truth),
            _ => {}
        }
        self.shape.push(index);
        Ok(())
    }

    /// The column of an attribute, a new one when there is none yet. None when there are too many, or the key is not text.
    fn column(&mut self, key: &[u8], kind: Type) -> Option<u16> {
        if let Some(index) = self.last_shape.get(self.shape.len())
            && self
                .columns
                .get(usize::from(*index))
                .is_some_and(|column| column.is_of(key, kind))
        {
            return Some(*index);
        }
        if let Some(columns) = self.by_key.get(key)
            && let Some(index) = columns[kind as usize]
        {
            return Some(index);
        }
        if self.columns.len() >= ATTRIBUTE_COLUMNS_MAX {
            return None;
        }
        let attribute = Attribute {
            key: std::str::from_utf8(key).ok()?.to_owned(),
            kind,
        };
        let index = self.columns.len() as u16;
        self.columns.push(Column::new(attribute));
        self.by_key.entry(key.into()).or_default()[kind as usize] = Some(index);
        Some(index)
    }

    fn keep_in_rest(&mut self, message: &[u8]) -> Result<(), WireError> {
        self.tokens.attribute(message)?;
        push_item(&mut self.open_rest, message);
        self.shape.push(REST);
        Ok(())
    }

    fn close(&mut self) {
        if self.last_number < 0 || self.shape != self.last_shape {
            self.last_number = match self.shapes.get(self.shape.as_slice()) {
                Some(shape) => *shape,
                None => {
                    let shape = self.shapes.len() as i32;
                    self.shapes.insert(self.shape.as_slice().into(), shape);
                    shape
                }
            };
            std::mem::swap(&mut self.shape, &mut self.last_shape);
        }
        self.shape_of_row.push(self.last_number);
        self.shape.clear();
        if self.open_rest.is_empty() {
            self.rest.append_null();
        } else {
            self.rest.append_value(&self.open_rest);
            self.open_rest.clear();
        }
        self.events.close();
        self.links.close();
        self.rows += 1;
    }

    /// Everything, for as many rows as spans were added.
    pub(super) fn finish(mut self) -> Result<Shredded, ArrowError> {
        let mut shapes: Vec<(&Box<[u16]>, &i32)> = self.shapes.iter().collect();
        shapes.sort_unstable_by_key(|(_, number)| **number);
        let texts: StringArray = shapes.iter().map(|(shape, _)| Some(shape_text(shape))).collect();
        let shape = DictionaryArray::<Int32Type>::try_new(Int32Array::from(self.shape_of_row), Arc::new(texts))?;
        let mut columns: Vec<ArrayRef> = vec![
            Arc::new(shape),
            Arc::new(self.rest.finish()),
            self.events.finish()?,
            self.links.finish()?,
        ];
        let mut attributes = Vec::with_capacity(self.columns.len());
        let mut distinct = Vec::with_capacity(self.columns.len());
        for column in self.columns {
            column.tokens(&mut self.tokens);
            distinct.push(column.distinct());
            let (attribute, values) = column.finish(self.rows)?;
            attributes.push(attribute);
            columns.push(values);
        }
        Ok(Shredded {
            attributes,
            columns,
            distinct,
            tokens: self.tokens,
        })
    }
}

/// Appends an item to the bytes of a KeyValueList message.
fn push_item(list: &mut Vec<u8>, message: &[u8]) {
    list.push(ITEM_TAG);
    let mut length = message.len();
    while length >= 0x80 {
        list.push(length as u8 | 0x80);
        length >>= 7;
    }
    list.push(length as u8);
    list.extend_from_slice(message);
}

/// A shape with other positions; `position` gives the new one of an old one.
pub(super) fn remap_shape(text: &str, position: impl Fn(usize) -> Option<usize>) -> Result<String, ArrowError> {
    let wrong = || ArrowError::SchemaError(format!("{text:?} is not the shape of a span"));
    let parts = text.split(',').filter(|part| !part.is_empty()).map(|part| {
        if part == SHAPE_REST {
            return Ok(part.to_owned());
        }
        let position = part.parse().ok().and_then(&position).ok_or_else(wrong)?;
        Ok(position.to_string())
    });
    Ok(parts.collect::<Result<Vec<_>, ArrowError>>()?.join(","))
}

fn shape_text(shape: &[u16]) -> String {
    let mut text = String::new();
    for (at, column) in shape.iter().enumerate() {
        if at > 0 {
            text.push(',');
        }
        if *column == REST {
            text.push_str(SHAPE_REST);
        } else {
            text.push_str(&column.to_string());
        }
    }
    text
}
