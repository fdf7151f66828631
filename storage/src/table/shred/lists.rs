//! Events and links as list columns. Their attributes stay the bytes that they were.

use super::push_item;
use super::tokens::Tokens;
use crate::table::layout::{event_fields, link_fields, list};
use crate::table::texts::Texts;
use arrow::array::{
    ArrayRef, BinaryBuilder, FixedSizeBinaryBuilder, ListArray, StringBuilder, StructArray, TimestampNanosecondArray,
    UInt32Array,
};
use arrow::buffer::{OffsetBuffer, ScalarBuffer};
use arrow::datatypes::{DataType, Fields};
use arrow::error::ArrowError;
use epicenter_schema::otlp::WireError;
use epicenter_schema::otlp::wire::Reader;
use std::sync::Arc;

/// The attributes of all items, and which of them were seen before, so that each set is looked into once.
#[derive(Default)]
struct Attributes {
    values: BinaryBuilder,
    open: Vec<u8>,
    seen: Texts,
}

impl Attributes {
    fn push(&mut self, message: &[u8]) {
        push_item(&mut self.open, message);
    }

    /// Ends the open item.
    fn close(&mut self, tokens: &mut Tokens) -> Result<(), WireError> {
        let (_, new) = self.seen.intern(&self.open);
        if new {
            tokens.list(&self.open)?;
        }
        self.values.append_value(&self.open);
        self.open.clear();
        Ok(())
    }
}

/// The events of all spans.
#[derive(Default)]
pub(super) struct Events {
    ends: Vec<i32>,
    time: Vec<i64>,
    name: StringBuilder,
    attributes: Attributes,
    dropped: Vec<u32>,
}

impl Events {
    pub(super) fn event(&mut self, message: &[u8], tokens: &mut Tokens) -> Result<(), WireError> {
        let (mut time, mut name, mut dropped): (u64, &[u8], u32) = (0, b"", 0);
        let mut fields = Reader::new(message, "Event");
        while let Some(field) = fields.next_field()? {
            match field.number {
                1 => time = field.fixed64()?,
                2 => name = field.bytes()?,
                3 => self.attributes.push(field.bytes()?),
                4 => dropped = field.uint32()?,
                _ => {}
            }
        }
        self.attributes.close(tokens)?;
        self.time.push(time as i64);
        self.name
            .append_value(std::str::from_utf8(name).map_err(|_| WireError::Text)?);
        self.dropped.push(dropped);
        Ok(())
    }

    pub(super) fn close(&mut self) {
        self.ends.push(self.time.len() as i32);
    }

    pub(super) fn finish(mut self) -> Result<ArrayRef, ArrowError> {
        let children: Vec<ArrayRef> = vec![
            Arc::new(TimestampNanosecondArray::from(self.time).with_timezone("UTC")),
            Arc::new(self.name.finish()),
            Arc::new(self.attributes.values.finish()),
            Arc::new(UInt32Array::from(self.dropped)),
        ];
        lists(event_fields(), children, self.ends)
    }
}

/// The links of all spans.
pub(super) struct Links {
    ends: Vec<i32>,
    trace_id: FixedSizeBinaryBuilder,
    span_id: FixedSizeBinaryBuilder,
    trace_state: StringBuilder,
    attributes: Attributes,
    dropped: Vec<u32>,
    flags: Vec<u32>,
}

impl Default for Links {
    fn default() -> Self {
        Self {
            ends: Vec::new(),
            trace_id: FixedSizeBinaryBuilder::new(16),
            span_id: FixedSizeBinaryBuilder::new(8),
            trace_state: StringBuilder::new(),
            attributes: Attributes::default(),
            dropped: Vec::new(),
            flags: Vec::new(),
        }
    }
}

impl Links {
    pub(super) fn link(&mut self, message: &[u8], tokens: &mut Tokens) -> Result<(), WireError> {
        let (mut trace_id, mut span_id, mut state): ([u8; 16], [u8; 8], &[u8]) = Default::default();
        let (mut dropped, mut flags) = (0, 0);
        let mut fields = Reader::new(message, "Link");
        while let Some(field) = fields.next_field()? {
            match field.number {
                1 => trace_id = field.bytes()?.try_into().unwrap_or_default(),
                2 => span_id = field.bytes()?.try_into().unwrap_or_default(),
                3 => state = field.bytes()?,
                4 => self.attributes.push(field.bytes()?),
                5 => dropped = field.uint32()?,
                6 => flags = field.fixed32()?,
                _ => {}
            }
        }
        self.attributes.close(tokens)?;
        let width = "the ids have the width of their columns";
        self.trace_id.append_value(trace_id).expect(width);
        self.span_id.append_value(span_id).expect(width);
        let state = std::str::from_utf8(state).map_err(|_| WireError::Text)?;
        self.trace_state
            .append_option(Some(state).filter(|state| !state.is_empty()));
        self.dropped.push(dropped);
        self.flags.push(flags);
        Ok(())
    }

    pub(super) fn close(&mut self) {
        self.ends.push(self.flags.len() as i32);
    }

    pub(super) fn finish(mut self) -> Result<ArrayRef, ArrowError> {
        let children: Vec<ArrayRef> = vec![
            Arc::new(self.trace_id.finish()),
            Arc::new(self.span_id.finish()),
            Arc::new(self.trace_state.finish()),
            Arc::new(self.attributes.values.finish()),
            Arc::new(UInt32Array::from(self.dropped)),
            Arc::new(UInt32Array::from(self.flags)),
        ];
        lists(link_fields(), children, self.ends)
    }
}

/// A list column of structs, a list a row that ends where `ends` says.
fn lists(fields: Fields, children: Vec<ArrayRef>, ends: Vec<i32>) -> Result<ArrayRef, ArrowError> {
    let items = StructArray::try_new(fields.clone(), children, None)?;
    let mut offsets = Vec::with_capacity(ends.len() + 1);
    offsets.push(0);
    offsets.extend(ends);
    let DataType::List(item) = list(fields) else {
        unreachable!("a list is a list")
    };
    let offsets = OffsetBuffer::new(ScalarBuffer::from(offsets));
    Ok(Arc::new(ListArray::try_new(item, offsets, Arc::new(items), None)?))
}
