//! What spans share: resource and scope. Each is walked once, however many spans it has.

use super::known::Known;
use super::{DecodeError, Walk};
use crate::normalize::ResourceFacts;
use epicenter_schema::otlp::value::{key_value, write_key_value, write_text};
use epicenter_schema::otlp::wire::{Reader, merge};
use std::borrow::Cow;
use std::io::Write;

impl Walk<'_> {
    /// A ResourceSpans message: first what its spans share, wherever in the message it stands, then the spans.
    pub(super) fn resource_spans(&mut self, message: &[u8]) -> Result<(), DecodeError> {
        let shared = Shared::read(message, "ResourceSpans")?;
        self.set_resource(&shared)?;
        let mut fields = Reader::new(message, "ResourceSpans");
        while let Some(field) = fields.next_field()? {
            if field.number == 2 {
                self.scope_spans(field.bytes()?)?;
            }
        }
        Ok(())
    }

    fn scope_spans(&mut self, message: &[u8]) -> Result<(), DecodeError> {
        let shared = Shared::read(message, "ScopeSpans")?;
        self.set_scope(&shared)?;
        let mut fields = Reader::new(message, "ScopeSpans");
        while let Some(field) = fields.next_field()? {
            if field.number == 2 {
                self.span(field.bytes()?)?;
            }
        }
        Ok(())
    }

    fn set_resource(&mut self, shared: &Shared<'_>) -> Result<(), DecodeError> {
        let Some(described) = &shared.described else {
            let out = &mut self.scratch;
            out.clear();
            out.push(b'{');
            shared.write_schema_url(out);
            out.push(b'}');
            self.builder.set_resource(&ResourceFacts::default().row(out));
            return Ok(());
        };
        let known = match self.resources.get(described, shared.schema_url) {
            Some(known) => known,
            None => {
                let known = read_resource(described, shared)?;
                self.resources.put(described, shared.schema_url, known)
            }
        };
        self.builder.set_resource(&known.facts.row(&known.json));
        Ok(())
    }

    fn set_scope(&mut self, shared: &Shared<'_>) -> Result<(), DecodeError> {
        let out = &mut self.scratch;
        out.clear();
        out.push(b'{');
        if let Some(scope) = &shared.described {
            out.extend_from_slice(b"\"scope\":");
            let mut object = Object::open(out);
            let (mut name, mut version, mut dropped): (&[u8], &[u8], u32) = (b"", b"", 0);
            let mut fields = Reader::new(scope, "InstrumentationScope");
            while let Some(field) = fields.next_field()? {
                match field.number {
                    1 => name = field.bytes()?,
                    2 => version = field.bytes()?,
                    3 => write_key_value(object.item("attributes"), field.bytes()?, 0)?,
                    4 => dropped = field.uint32()?,
                    _ => {}
                }
            }
            object.text("name", name);
            object.text("version", version);
            object.number("droppedAttributesCount", dropped);
            object.close();
        }
        shared.write_schema_url(out);
        out.push(b'}');
        self.builder.set_scope(out);
        Ok(())
    }
}

/// A Resource message, and the schema URL beside it.
fn read_resource(resource: &[u8], shared: &Shared<'_>) -> Result<Known, DecodeError> {
    let mut facts = ResourceFacts::default();
    let mut json = b"{\"resource\":".to_vec();
    let mut object = Object::open(&mut json);
    let mut dropped = 0;
    let mut fields = Reader::new(resource, "Resource");
    while let Some(field) = fields.next_field()? {
        match field.number {
            1 => {
                let message = field.bytes()?;
                write_key_value(object.item("attributes"), message, 0)?;
                let (key, value) = key_value(message)?;
                if let Some(value) = value {
                    facts.observe(key, value.scalar(), value.first_text());
                }
            }
            2 => dropped = field.uint32()?,
            3 => drop(field.bytes()?),
            _ => {}
        }
    }
    object.number("droppedAttributesCount", dropped);
    write_entity_refs(&mut object, resource)?;
    object.close();
    shared.write_schema_url(&mut json);
    json.push(b'}');
    json.shrink_to_fit();
    Ok(Known { facts, json })
}

/// Fields 1 and 3 of ResourceSpans and of ScopeSpans: the resource or scope, and the schema URL.
struct Shared<'a> {
    described: Option<Cow<'a, [u8]>>,
    schema_url: &'a [u8],
}

impl<'a> Shared<'a> {
    fn read(message: &'a [u8], name: &'static str) -> Result<Self, DecodeError> {
        let mut shared = Self {
            described: None,
            schema_url: b"",
        };
        let mut fields = Reader::new(message, name);
        while let Some(field) = fields.next_field()? {
            match field.number {
                1 => merge(&mut shared.described, field.bytes()?),
                3 => shared.schema_url = field.bytes()?,
                _ => {}
            }
        }
        Ok(shared)
    }

    fn write_schema_url(&self, out: &mut Vec<u8>) {
        if !self.schema_url.is_empty() {
            out.extend_from_slice(if self.described.is_some() {
                b",\"schemaUrl\":"
            } else {
                b"\"schemaUrl\":"
            });
            write_text(out, self.schema_url);
        }
    }
}

fn write_entity_refs(object: &mut Object<'_>, resource: &[u8]) -> Result<(), DecodeError> {
    let mut fields = Reader::new(resource, "Resource");
    while let Some(field) = fields.next_field()? {
        if field.number != 3 {
            continue;
        }
        let mut entity = Object::open(object.item("entityRefs"));
        let (mut schema_url, mut kind): (&[u8], &[u8]) = (b"", b"");
        let message = field.bytes()?;
        // One list after the other: a list of the object is written in one go.
        for list in [3, 4] {
            let mut fields = Reader::new(message, "EntityRef");
            while let Some(field) = fields.next_field()? {
                match field.number {
                    1 => schema_url = field.bytes()?,
                    2 => kind = field.bytes()?,
                    3 | 4 => {
                        let key = field.bytes()?;
                        if field.number == list {
                            write_text(entity.item(if list == 3 { "idKeys" } else { "descriptionKeys" }), key);
                        }
                    }
                    _ => {}
                }
            }
        }
        entity.text("schemaUrl", schema_url);
        entity.text("type", kind);
        entity.close();
    }
    Ok(())
}

/// A JSON object in the making, of lists, texts and numbers; defaults are left out.
struct Object<'a> {
    out: &'a mut Vec<u8>,
    list: Option<&'static str>,
    is_empty: bool,
}

impl<'a> Object<'a> {
    fn open(out: &'a mut Vec<u8>) -> Self {
        out.push(b'{');
        Self {
            out,
            list: None,
            is_empty: true,
        }
    }

    fn key(&mut self, key: &'static str) {
        if self.list.take().is_some() {
            self.out.push(b']');
        }
        if !std::mem::replace(&mut self.is_empty, false) {
            self.out.push(b',');
        }
        write_text(self.out, key.as_bytes());
        self.out.push(b':');
    }

    /// Where to write the next item of list `key`; items of one list follow each other.
    fn item(&mut self, key: &'static str) -> &mut Vec<u8> {
        if self.list == Some(key) {
            self.out.push(b',');
        } else {
            self.key(key);
            self.out.push(b'[');
            self.list = Some(key);
        }
        self.out
    }

    fn text(&mut self, key: &'static str, text: &[u8]) {
        if !text.is_empty() {
            self.key(key);
            write_text(self.out, text);
        }
    }

    fn number(&mut self, key: &'static str, number: u32) {
        if number != 0 {
            self.key(key);
            write!(self.out, "{number}").expect("memory takes what is written to it");
        }
    }

    fn close(self) {
        if self.list.is_some() {
            self.out.push(b']');
        }
        self.out.push(b'}');
    }
}
