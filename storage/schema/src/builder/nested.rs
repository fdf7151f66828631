//! What of a span is nested, as columns: attributes, events, links, built span by span from OTLP's own bytes or from
//! what a segment has of them.

use super::attributes::{AttributeColumn, EventColumn, LinkColumn};
use super::{LinkRow, RawValue};
use crate::Error;
use crate::otlp::WireError;
use crate::otlp::value::{Value, key_value};
use crate::otlp::wire::Reader;
use arrow::array::ArrayRef;

/// Attributes a span that room is made for in advance.
const ATTRIBUTES_EXPECTED: usize = 12;

/// The columns `attributes`, `events` and `links` as they grow. What is pushed belongs to the open span, which
/// [`NestedBuilder::close`] ends.
#[derive(Debug)]
pub struct NestedBuilder {
    attributes: AttributeColumn,
    events: EventColumn,
    links: LinkColumn,
    /// JSON in the making, kept for its memory.
    scratch: Vec<u8>,
}

impl NestedBuilder {
    /// A builder with room for about `spans` spans; it grows beyond that.
    pub fn with_capacity(spans: usize) -> Self {
        Self {
            attributes: AttributeColumn::with_capacity(spans * ATTRIBUTES_EXPECTED),
            events: EventColumn::new(),
            links: LinkColumn::new(),
            scratch: Vec::new(),
        }
    }

    /// Adds everything nested of a Span message to the open span.
    ///
    /// # Errors
    /// Bytes that are no Span.
    pub fn span(&mut self, message: &[u8]) -> Result<(), WireError> {
        let mut fields = Reader::new(message, "Span");
        while let Some(field) = fields.next_field()? {
            match field.number {
                9 => self.attribute_message(field.bytes()?)?,
                11 => self.event_message(field.bytes()?)?,
                13 => self.link_message(field.bytes()?)?,
                _ => {}
            }
        }
        Ok(())
    }

    /// Adds the links of a Span message, and nothing else of it, to the open span.
    ///
    /// # Errors
    /// Bytes that are no Span.
    pub fn links_of(&mut self, message: &[u8]) -> Result<(), WireError> {
        let mut fields = Reader::new(message, "Span");
        while let Some(field) = fields.next_field()? {
            if field.number == 13 {
                self.link_message(field.bytes()?)?;
            }
        }
        Ok(())
    }

    /// Adds an attribute.
    pub fn attribute(&mut self, key: &[u8], value: RawValue<'_>) {
        self.attributes.push(key, value);
    }

    /// Adds an attribute that is a KeyValue message.
    ///
    /// # Errors
    /// Bytes that are no KeyValue.
    pub fn attribute_message(&mut self, message: &[u8]) -> Result<(), WireError> {
        push(&mut self.attributes, &mut self.scratch, message)
    }

    /// Adds an event; `attributes` are a KeyValueList message.
    ///
    /// # Errors
    /// Bytes that are no KeyValueList.
    pub fn event(&mut self, time: i64, name: &[u8], attributes: &[u8], dropped: u32) -> Result<(), WireError> {
        let mut fields = Reader::new(attributes, "KeyValueList");
        while let Some(field) = fields.next_field()? {
            if field.number == 1 {
                push(&mut self.events.attributes, &mut self.scratch, field.bytes()?)?;
            }
        }
        self.events.push(time, name, dropped);
        Ok(())
    }

    /// Adds a link; `attributes` are a KeyValueList message.
    ///
    /// # Errors
    /// Bytes that are no KeyValueList.
    pub fn link(&mut self, link: &LinkRow<'_>, attributes: &[u8]) -> Result<(), WireError> {
        let mut fields = Reader::new(attributes, "KeyValueList");
        while let Some(field) = fields.next_field()? {
            if field.number == 1 {
                push(&mut self.links.attributes, &mut self.scratch, field.bytes()?)?;
            }
        }
        self.links.push(link);
        Ok(())
    }

    fn event_message(&mut self, message: &[u8]) -> Result<(), WireError> {
        let (mut time, mut name, mut dropped): (u64, &[u8], u32) = (0, b"", 0);
        let mut fields = Reader::new(message, "Event");
        while let Some(field) = fields.next_field()? {
            match field.number {
                1 => time = field.fixed64()?,
                2 => name = field.bytes()?,
                3 => push(&mut self.events.attributes, &mut self.scratch, field.bytes()?)?,
                4 => dropped = field.uint32()?,
                _ => {}
            }
        }
        self.events.push(time as i64, name, dropped);
        Ok(())
    }

    fn link_message(&mut self, message: &[u8]) -> Result<(), WireError> {
        let mut link = LinkRow::default();
        let mut fields = Reader::new(message, "Link");
        while let Some(field) = fields.next_field()? {
            match field.number {
                1 => link.trace_id = field.bytes()?.try_into().unwrap_or_default(),
                2 => link.span_id = field.bytes()?.try_into().unwrap_or_default(),
                3 => link.trace_state = field.bytes()?,
                4 => push(&mut self.links.attributes, &mut self.scratch, field.bytes()?)?,
                5 => link.dropped_attributes_count = field.uint32()?,
                6 => link.flags = field.fixed32()?,
                _ => {}
            }
        }
        self.links.push(&link);
        Ok(())
    }

    /// Ends the open span.
    pub fn close(&mut self) {
        self.attributes.close();
        self.events.close();
        self.links.close();
    }

    /// The columns `attributes`, `events` and `links`, a row a closed span.
    ///
    /// # Errors
    /// [`Error::Text`] when a text is not UTF-8; [`Error::TooLong`] when a column holds more than 2 GiB.
    pub fn finish(self) -> Result<[ArrayRef; 3], Error> {
        Ok([self.attributes.finish()?, self.events.finish()?, self.links.finish()?])
    }
}

fn push(column: &mut AttributeColumn, scratch: &mut Vec<u8>, message: &[u8]) -> Result<(), WireError> {
    let (key, value) = key_value(message)?;
    column.push(key, value.unwrap_or(Value::Empty).raw(scratch)?);
    Ok(())
}
