//! One span, with its attributes, events and links.

use super::value::{Value, key_value};
use super::wire::Reader;
use super::{DecodeError, Reason, Walk};
use crate::normalize::{HOST_PORT_MAX, SpanFacts};
use epicenter_schema::{LinkRow, SpanRow};

/// Identifiers and times as received; judged when the span ends.
#[derive(Default)]
struct Raw<'a> {
    trace_id: &'a [u8],
    span_id: &'a [u8],
    parent_span_id: &'a [u8],
    start: u64,
    end: u64,
}

impl Walk {
    pub(super) fn span(&mut self, message: &[u8]) -> Result<(), DecodeError> {
        let mut raw = Raw::default();
        let mut row = SpanRow::default();
        let mut facts = SpanFacts::default();
        let mut fields = Reader::new(message, "Span");
        while let Some(field) = fields.next()? {
            match field.number {
                1 => raw.trace_id = field.bytes()?,
                2 => raw.span_id = field.bytes()?,
                3 => row.trace_state = field.bytes()?,
                4 => raw.parent_span_id = field.bytes()?,
                5 => row.name = field.bytes()?,
                6 => row.kind = field.int32()?,
                7 => raw.start = field.fixed64()?,
                8 => raw.end = field.fixed64()?,
                9 => {
                    let (key, value) = key_value(field.bytes()?)?;
                    let value = value.unwrap_or(Value::Empty);
                    if let Some(scalar) = value.scalar() {
                        facts.observe(key, scalar);
                    }
                    self.count_item()?;
                    self.builder.attribute(key, value.raw(&mut self.scratch)?);
                }
                10 => row.dropped_attributes_count = field.uint32()?,
                11 => self.event(field.bytes()?, &mut facts)?,
                12 => row.dropped_events_count = field.uint32()?,
                13 => self.link(field.bytes()?)?,
                14 => row.dropped_links_count = field.uint32()?,
                15 => status(field.bytes()?, &mut row)?,
                16 => row.flags = field.fixed32()?,
                _ => {}
            }
        }
        match raw.judge(&mut row) {
            Ok(()) => {
                facts.normalize(&mut row);
                self.end_before_start += u64::from(raw.end < raw.start);
                let mut room = [0; HOST_PORT_MAX];
                match facts.write_loopback(&row, &mut room) {
                    Some(peer) => self.builder.commit(&SpanRow {
                        peer: Some(peer),
                        ..row
                    }),
                    None => self.builder.commit(&row),
                }
            }
            Err(reason) => {
                self.rejected.add(reason);
                self.builder.rollback()?;
                for text in [row.name, row.trace_state, row.status_message] {
                    std::str::from_utf8(text).map_err(|_| epicenter_schema::Error::Text {
                        column: "rejected span",
                    })?;
                }
            }
        }
        Ok(())
    }

    fn event<'a>(&mut self, message: &'a [u8], facts: &mut SpanFacts<'a>) -> Result<(), DecodeError> {
        let (mut time, mut name, mut dropped): (u64, &[u8], u32) = (0, b"", 0);
        let mut fields = Reader::new(message, "Event");
        while let Some(field) = fields.next()? {
            match field.number {
                1 => time = field.fixed64()?,
                2 => name = field.bytes()?,
                3 => {
                    let (key, value) = key_value(field.bytes()?)?;
                    let value = value.unwrap_or(Value::Empty);
                    if let Some(scalar) = value.scalar() {
                        facts.observe_event(key, scalar);
                    }
                    self.count_item()?;
                    self.builder.event_attribute(key, value.raw(&mut self.scratch)?);
                }
                4 => dropped = field.uint32()?,
                _ => {}
            }
        }
        self.count_item()?;
        self.builder.event(time as i64, name, dropped);
        Ok(())
    }

    fn link(&mut self, message: &[u8]) -> Result<(), DecodeError> {
        let mut link = LinkRow::default();
        let mut fields = Reader::new(message, "Link");
        while let Some(field) = fields.next()? {
            match field.number {
                1 => link.trace_id = field.bytes()?.try_into().unwrap_or_default(),
                2 => link.span_id = field.bytes()?.try_into().unwrap_or_default(),
                3 => link.trace_state = field.bytes()?,
                4 => {
                    let (key, value) = key_value(field.bytes()?)?;
                    let value = value.unwrap_or(Value::Empty);
                    self.count_item()?;
                    self.builder.link_attribute(key, value.raw(&mut self.scratch)?);
                }
                5 => link.dropped_attributes_count = field.uint32()?,
                6 => link.flags = field.fixed32()?,
                _ => {}
            }
        }
        self.count_item()?;
        self.builder.link(&link);
        Ok(())
    }
}

/// Merges a Status message into the span.
fn status<'a>(message: &'a [u8], row: &mut SpanRow<'a>) -> Result<(), DecodeError> {
    let mut fields = Reader::new(message, "Status");
    while let Some(field) = fields.next()? {
        match field.number {
            2 => row.status_message = field.bytes()?,
            3 => row.status_code = field.int32()?,
            _ => {}
        }
    }
    Ok(())
}

impl Raw<'_> {
    /// Moves ids and times into the row, or says why the span cannot be kept.
    fn judge(&self, row: &mut SpanRow<'_>) -> Result<(), Reason> {
        row.trace_id = self.trace_id.try_into().map_err(|_| Reason::TraceIdLength)?;
        if row.trace_id == [0; 16] {
            return Err(Reason::TraceIdZero);
        }
        row.span_id = self.span_id.try_into().map_err(|_| Reason::SpanIdLength)?;
        if row.span_id == [0; 8] {
            return Err(Reason::SpanIdZero);
        }
        row.parent_span_id = match self.parent_span_id {
            [] => None,
            id => Some(id.try_into().map_err(|_| Reason::ParentSpanIdLength)?).filter(|id| *id != [0; 8]),
        };
        row.start_time = self.start as i64;
        row.duration_ns = self.end.wrapping_sub(self.start) as i64;
        Ok(())
    }
}
