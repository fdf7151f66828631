//! Attribute maps, events and links as they grow.

use super::column::{Booleans, Bytes, Ids, Numbers, Offsets};
use super::{LinkRow, RawValue};
use crate::Error;
use crate::columns::{
    attribute_map_type, entry_fields, event_fields, event_list_type, link_fields, link_list_type, value_fields,
};
use arrow::array::{ArrayRef, ListArray, MapArray, StructArray, TimestampNanosecondArray};
use arrow::datatypes::{DataType, Float64Type, Int64Type, TimestampNanosecondType, UInt32Type};
use std::sync::Arc;

const SHAPE: &str = "the children have the types of the schema and one length";

/// A map column: entries pile up, `close` ends the row.
#[derive(Debug)]
pub(super) struct AttributeColumn {
    rows: Offsets,
    entries: usize,
    key: Bytes,
    string: Bytes,
    int: Numbers<Int64Type>,
    double: Numbers<Float64Type>,
    boolean: Booleans,
    bytes: Bytes,
    json: Bytes,
}

impl AttributeColumn {
    pub(super) fn with_capacity(entries: usize) -> Self {
        Self {
            rows: Offsets::new(),
            entries: 0,
            key: Bytes::with_capacity(entries, entries * 16),
            string: Bytes::with_capacity(entries, entries * 16),
            int: Numbers::with_capacity(0),
            double: Numbers::with_capacity(0),
            boolean: Booleans::default(),
            bytes: Bytes::with_capacity(0, 0),
            json: Bytes::with_capacity(0, 0),
        }
    }

    pub(super) fn push(&mut self, key: &[u8], value: RawValue<'_>) {
        let row = self.entries;
        self.key.push(key);
        match value {
            RawValue::String(text) => self.string.set(row, text),
            RawValue::Int(number) => self.int.set(row, number),
            RawValue::Double(number) => self.double.set(row, number),
            RawValue::Bool(truth) => self.boolean.set(row, truth),
            RawValue::Bytes(raw) => self.bytes.set(row, raw),
            RawValue::Json(text) => self.json.set(row, text),
            RawValue::Empty => {}
        }
        self.entries += 1;
    }

    pub(super) fn close(&mut self) {
        self.rows.push(self.entries);
    }

    /// Forgets the open row.
    pub(super) fn reopen(&mut self) -> Result<(), Error> {
        let entries = self.rows.last();
        self.key.truncate(entries, Some("attribute key"))?;
        self.string.truncate(entries, Some("attribute value"))?;
        self.int.truncate(entries);
        self.double.truncate(entries);
        self.boolean.truncate(entries);
        self.bytes.truncate(entries, None)?;
        self.json.truncate(entries, Some("attribute value"))?;
        self.entries = entries;
        Ok(())
    }

    /// Forgets the rows from `rows` on, and the open one.
    fn truncate(&mut self, rows: usize) -> Result<(), Error> {
        self.rows.truncate(rows);
        self.reopen()
    }

    pub(super) fn finish(self) -> Result<ArrayRef, Error> {
        let n = self.entries;
        let value = StructArray::try_new_with_length(
            value_fields(),
            vec![
                self.string.optional(n, "attribute value")?,
                self.int.optional(n),
                self.double.optional(n),
                self.boolean.finish(n),
                self.bytes.binary(n, "attribute value")?,
                self.json.optional(n, "attribute value")?,
            ],
            None,
            n,
        )
        .expect(SHAPE);
        let key = self.key.required(n, "attribute key")?;
        let entries = StructArray::try_new(entry_fields(), vec![key, Arc::new(value)], None).expect(SHAPE);
        let offsets = self.rows.finish(n, "attributes")?;
        let DataType::Map(field, ordered) = attribute_map_type() else {
            unreachable!("attributes are a map")
        };
        Ok(Arc::new(
            MapArray::try_new(field, offsets, entries, None, ordered).expect(SHAPE),
        ))
    }
}

/// The events of all spans: a list column.
#[derive(Debug)]
pub(super) struct EventColumn {
    rows: Offsets,
    items: usize,
    time: Numbers<TimestampNanosecondType>,
    name: Bytes,
    pub(super) attributes: AttributeColumn,
    dropped: Numbers<UInt32Type>,
}

impl EventColumn {
    pub(super) fn new() -> Self {
        Self {
            rows: Offsets::new(),
            items: 0,
            time: Numbers::with_capacity(0),
            name: Bytes::with_capacity(0, 0),
            attributes: AttributeColumn::with_capacity(0),
            dropped: Numbers::with_capacity(0),
        }
    }

    pub(super) fn push(&mut self, time: i64, name: &[u8], dropped: u32) {
        self.time.push(time);
        self.name.push(name);
        self.attributes.close();
        self.dropped.push(dropped);
        self.items += 1;
    }

    pub(super) fn close(&mut self) {
        self.rows.push(self.items);
    }

    pub(super) fn reopen(&mut self) -> Result<(), Error> {
        self.items = self.rows.last();
        self.time.truncate(self.items);
        self.name.truncate(self.items, Some("event name"))?;
        self.attributes.truncate(self.items)?;
        self.dropped.truncate(self.items);
        Ok(())
    }

    pub(super) fn finish(self) -> Result<ArrayRef, Error> {
        let time: TimestampNanosecondArray = self.time.required().with_timezone("UTC");
        let children: Vec<ArrayRef> = vec![
            Arc::new(time),
            self.name.required(self.items, "event name")?,
            self.attributes.finish()?,
            Arc::new(self.dropped.required()),
        ];
        let items = StructArray::try_new(event_fields(), children, None).expect(SHAPE);
        list(event_list_type(), self.rows, items, "events")
    }
}

/// The links of all spans: a list column.
#[derive(Debug)]
pub(super) struct LinkColumn {
    rows: Offsets,
    items: usize,
    trace_id: Ids<16>,
    span_id: Ids<8>,
    trace_state: Bytes,
    pub(super) attributes: AttributeColumn,
    dropped: Numbers<UInt32Type>,
    flags: Numbers<UInt32Type>,
}

impl LinkColumn {
    pub(super) fn new() -> Self {
        Self {
            rows: Offsets::new(),
            items: 0,
            trace_id: Ids::with_capacity(0),
            span_id: Ids::with_capacity(0),
            trace_state: Bytes::with_capacity(0, 0),
            attributes: AttributeColumn::with_capacity(0),
            dropped: Numbers::with_capacity(0),
            flags: Numbers::with_capacity(0),
        }
    }

    pub(super) fn push(&mut self, link: &LinkRow<'_>) {
        self.trace_id.set(self.items, link.trace_id);
        self.span_id.set(self.items, link.span_id);
        if !link.trace_state.is_empty() {
            self.trace_state.set(self.items, link.trace_state);
        }
        self.attributes.close();
        self.dropped.push(link.dropped_attributes_count);
        self.flags.push(link.flags);
        self.items += 1;
    }

    pub(super) fn close(&mut self) {
        self.rows.push(self.items);
    }

    pub(super) fn reopen(&mut self) -> Result<(), Error> {
        self.items = self.rows.last();
        self.trace_id.truncate(self.items);
        self.span_id.truncate(self.items);
        self.trace_state.truncate(self.items, Some("link trace state"))?;
        self.attributes.truncate(self.items)?;
        self.dropped.truncate(self.items);
        self.flags.truncate(self.items);
        Ok(())
    }

    pub(super) fn finish(self) -> Result<ArrayRef, Error> {
        let children: Vec<ArrayRef> = vec![
            self.trace_id.finish(self.items),
            self.span_id.finish(self.items),
            self.trace_state.optional(self.items, "link trace state")?,
            self.attributes.finish()?,
            Arc::new(self.dropped.required()),
            Arc::new(self.flags.required()),
        ];
        let items = StructArray::try_new(link_fields(), children, None).expect(SHAPE);
        list(link_list_type(), self.rows, items, "links")
    }
}

fn list(data_type: DataType, rows: Offsets, items: StructArray, column: &'static str) -> Result<ArrayRef, Error> {
    let DataType::List(field) = data_type else {
        unreachable!("events and links are lists")
    };
    let offsets = rows.finish(arrow::array::Array::len(&items), column)?;
    Ok(Arc::new(
        ListArray::try_new(field, offsets, Arc::new(items), None).expect(SHAPE),
    ))
}
