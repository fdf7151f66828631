//! One span: its flat columns, and every byte of what is nested in it checked.

use super::{DecodeError, Reason, Walk};
use crate::normalize::{HOST_PORT_MAX, SpanFacts};
use epicenter_schema::SpanRow;
use epicenter_schema::otlp::value::{Value, checked_key_value};
use epicenter_schema::otlp::wire::Reader;
use epicenter_schema::otlp::{SPAN_ATTRIBUTE_TAG, text};

/// Identifiers and times as received; judged when the span ends.
#[derive(Default)]
struct Raw<'a> {
    trace_id: &'a [u8],
    span_id: &'a [u8],
    parent_span_id: &'a [u8],
    start: u64,
    end: u64,
}

impl Walk<'_> {
    pub(super) fn span(&mut self, message: &[u8]) -> Result<(), DecodeError> {
        let mut raw = Raw::default();
        let mut row = SpanRow::default();
        let mut facts = SpanFacts::default();
        let mut fields = Reader::new(message, "Span");
        loop {
            while let Some(attribute) = fields.next_short(SPAN_ATTRIBUTE_TAG) {
                self.attribute(attribute, &mut facts)?;
            }
            let Some(field) = fields.next_field()? else { break };
            match field.number {
                1 => raw.trace_id = field.bytes()?,
                2 => raw.span_id = field.bytes()?,
                3 => row.trace_state = text(field.bytes()?)?,
                4 => raw.parent_span_id = field.bytes()?,
                5 => row.name = text(field.bytes()?)?,
                6 => row.kind = field.int32()?,
                7 => raw.start = field.fixed64()?,
                8 => raw.end = field.fixed64()?,
                9 => self.attribute(field.bytes()?, &mut facts)?,
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
                self.messages.push(self.place(message));
            }
            Err(reason) => self.rejected.add(reason),
        }
        Ok(())
    }

    /// Offset and length of a part of the request. Both fit: a request is at most 256 MiB.
    fn place(&self, message: &[u8]) -> (u32, u32) {
        let offset = message.as_ptr().addr() - self.request;
        (offset as u32, message.len() as u32)
    }

    #[inline]
    fn attribute<'a>(&mut self, message: &'a [u8], facts: &mut SpanFacts<'a>) -> Result<(), DecodeError> {
        self.count_item()?;
        let (key, value) = checked_key_value(message)?;
        if let Some(scalar) = value.unwrap_or(Value::Empty).scalar() {
            facts.observe(key, scalar);
        }
        Ok(())
    }

    fn event<'a>(&mut self, message: &'a [u8], facts: &mut SpanFacts<'a>) -> Result<(), DecodeError> {
        self.count_item()?;
        let mut fields = Reader::new(message, "Event");
        while let Some(field) = fields.next_field()? {
            match field.number {
                1 => drop(field.fixed64()?),
                2 => facts.observe_event_name(text(field.bytes()?)?),
                3 => {
                    self.count_item()?;
                    let (key, value) = checked_key_value(field.bytes()?)?;
                    if let Some(scalar) = value.unwrap_or(Value::Empty).scalar() {
                        facts.observe_event(key, scalar);
                    }
                }
                4 => drop(field.uint32()?),
                _ => {}
            }
        }
        Ok(())
    }

    fn link(&mut self, message: &[u8]) -> Result<(), DecodeError> {
        self.count_item()?;
        let mut fields = Reader::new(message, "Link");
        while let Some(field) = fields.next_field()? {
            match field.number {
                1 | 2 => drop(field.bytes()?),
                3 => drop(text(field.bytes()?)?),
                4 => {
                    self.count_item()?;
                    checked_key_value(field.bytes()?)?;
                }
                5 => drop(field.uint32()?),
                6 => drop(field.fixed32()?),
                _ => {}
            }
        }
        Ok(())
    }
}

/// Merges a Status message into the span.
fn status<'a>(message: &'a [u8], row: &mut SpanRow<'a>) -> Result<(), DecodeError> {
    let mut fields = Reader::new(message, "Status");
    while let Some(field) = fields.next_field()? {
        match field.number {
            2 => row.status_message = text(field.bytes()?)?,
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
