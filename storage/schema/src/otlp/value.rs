//! Attribute values: the typed ones as they are, arrays and key-value lists as OTLP/JSON.
//!
//! An empty value inside a list is `{}`; a double that JSON has no number for is `"NaN"`, `"Infinity"` or
//! `"-Infinity"`, and finite ones are printed with as many digits as bring back the same bits.
//!
//! Source: OTLP specification, JSON Protobuf Encoding; the ProtoJSON mapping.

use super::wire::Reader;
use super::{VALUE_DEPTH_MAX, WireError, text};
use crate::RawValue;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use std::borrow::Cow;
use std::io::Write;

/// An AnyValue, with lists not looked into yet.
#[derive(Clone, Debug)]
pub enum Value<'a> {
    /// No alternative is set.
    Empty,
    /// Text, which claims to be UTF-8.
    String(&'a [u8]),
    /// A truth value.
    Bool(bool),
    /// A signed integer.
    Int(i64),
    /// A double, bit for bit.
    Double(f64),
    /// The bytes of an ArrayValue message.
    Array(Cow<'a, [u8]>),
    /// The bytes of a KeyValueList message.
    KeyValues(Cow<'a, [u8]>),
    /// Raw bytes.
    Bytes(&'a [u8]),
}

impl<'a> Value<'a> {
    /// Merges the fields of an AnyValue message into this one: the last alternative wins, but a list met again grows.
    #[inline]
    fn merge(&mut self, message: &'a [u8]) -> Result<(), WireError> {
        let mut fields = Reader::new(message, "AnyValue");
        while let Some(field) = fields.next_field()? {
            match field.number {
                1 => *self = Self::String(field.bytes()?),
                2 => *self = Self::Bool(field.varint()? != 0),
                3 => *self = Self::Int(field.varint()? as i64),
                4 => *self = Self::Double(f64::from_bits(field.fixed64()?)),
                5 => match self {
                    Self::Array(items) => items.to_mut().extend_from_slice(field.bytes()?),
                    _ => *self = Self::Array(Cow::Borrowed(field.bytes()?)),
                },
                6 => match self {
                    Self::KeyValues(items) => items.to_mut().extend_from_slice(field.bytes()?),
                    _ => *self = Self::KeyValues(Cow::Borrowed(field.bytes()?)),
                },
                7 => *self = Self::Bytes(field.bytes()?),
                // An index into the dictionary of profiles; elsewhere it reads as an empty value.
                8 => {
                    field.varint()?;
                    *self = Self::Empty;
                }
                _ => {}
            }
        }
        Ok(())
    }

    /// As the builder takes it; lists are written to `scratch`, which is cleared first.
    ///
    /// # Errors
    /// A list that is none.
    #[inline]
    pub fn raw<'b>(&'b self, scratch: &'b mut Vec<u8>) -> Result<RawValue<'b>, WireError> {
        Ok(match self.scalar() {
            Some(scalar) => scalar,
            None => {
                scratch.clear();
                write_value(scratch, self, 0)?;
                RawValue::Json(scratch)
            }
        })
    }

    /// As the builder takes it, unless it is a list.
    #[inline]
    pub fn scalar(&self) -> Option<RawValue<'a>> {
        Some(match self {
            Self::Empty => RawValue::Empty,
            Self::String(text) => RawValue::String(text),
            Self::Bool(truth) => RawValue::Bool(*truth),
            Self::Int(number) => RawValue::Int(*number),
            Self::Double(number) => RawValue::Double(*number),
            Self::Bytes(raw) => RawValue::Bytes(raw),
            Self::Array(_) | Self::KeyValues(_) => return None,
        })
    }

    /// The first text of an array.
    pub fn first_text(&self) -> Option<&[u8]> {
        let Self::Array(items) = self else { return None };
        let mut fields = Reader::new(items, "ArrayValue");
        while let Ok(Some(field)) = fields.next_field() {
            let mut value = Value::Empty;
            if field.number == 1 && value.merge(field.bytes().ok()?).is_ok() {
                return if let Value::String(text) = value {
                    Some(text)
                } else {
                    None
                };
            }
        }
        None
    }
}

/// A KeyValue message. `None` for the value when the message has no value field, which reads like an empty one. Costs
/// no look at texts and lists.
///
/// # Errors
/// Bytes that are no KeyValue.
#[inline]
pub fn key_value(message: &[u8]) -> Result<(&[u8], Option<Value<'_>>), WireError> {
    match usual(message) {
        Some((key, value)) => Ok((key, Some(value))),
        None => read_key_value(message),
    }
}

/// Key and value as nearly every sender writes them: the key, then a scalar, each once, with lengths of one byte. None for
/// anything else, which is then read field by field; both give the same.
#[inline]
fn usual(message: &[u8]) -> Option<(&[u8], Value<'_>)> {
    let (key, rest) = short(message, 0x0a)?;
    let (value, rest) = short(rest, 0x12)?;
    if !rest.is_empty() {
        return None;
    }
    let value = match value {
        [0x0a, ..] => {
            let (text, rest) = short(value, 0x0a)?;
            if !rest.is_empty() {
                return None;
            }
            Value::String(text)
        }
        [0x10, truth @ (0 | 1)] => Value::Bool(*truth == 1),
        [0x18, number] if *number < 0x80 => Value::Int(i64::from(*number)),
        [0x18, low, high] if *low >= 0x80 && *high < 0x80 => Value::Int(i64::from(low & 0x7f) | i64::from(*high) << 7),
        [0x21, bits @ ..] => Value::Double(f64::from_le_bytes(bits.try_into().ok()?)),
        _ => return None,
    };
    Some((key, value))
}

/// A field with this tag and a length of one byte, and what follows it.
#[inline]
fn short(message: &[u8], tag: u8) -> Option<(&[u8], &[u8])> {
    match message {
        [found, length, rest @ ..] if *found == tag && *length < 0x80 => rest.split_at_checked(usize::from(*length)),
        _ => None,
    }
}

fn read_key_value(message: &[u8]) -> Result<(&[u8], Option<Value<'_>>), WireError> {
    let mut key: &[u8] = b"";
    let mut value: Option<Value<'_>> = None;
    let mut fields = Reader::new(message, "KeyValue");
    while let Some(field) = fields.next_field()? {
        match field.number {
            1 => key = field.bytes()?,
            2 => value.get_or_insert(Value::Empty).merge(field.bytes()?)?,
            3 => drop(field.varint()?),
            _ => {}
        }
    }
    Ok((key, value))
}

/// The same, with every text in it checked to be UTF-8 and every list in it read to its end.
///
/// # Errors
/// Bytes that are no KeyValue, text that is none, or lists nested too deep.
#[inline]
pub fn checked_key_value(message: &[u8]) -> Result<(&[u8], Option<Value<'_>>), WireError> {
    // Tags and lengths of the usual form are ASCII as well: one look at the whole message is enough for its texts.
    if message.is_ascii()
        && let Some((key, value)) = usual(message)
    {
        return Ok((key, Some(value)));
    }
    let (key, value) = key_value(message)?;
    text(key)?;
    match &value {
        Some(Value::String(value)) => drop(text(value)?),
        Some(list @ (Value::Array(_) | Value::KeyValues(_))) => check(list, 0)?,
        _ => {}
    }
    Ok((key, value))
}

fn check(value: &Value<'_>, depth: usize) -> Result<(), WireError> {
    if depth > VALUE_DEPTH_MAX {
        return Err(WireError::TooDeep);
    }
    match value {
        Value::String(value) => drop(text(value)?),
        Value::Array(items) => {
            let mut fields = Reader::new(items, "ArrayValue");
            while let Some(field) = fields.next_field()? {
                if field.number == 1 {
                    let mut item = Value::Empty;
                    item.merge(field.bytes()?)?;
                    check(&item, depth + 1)?;
                }
            }
        }
        Value::KeyValues(items) => {
            let mut fields = Reader::new(items, "KeyValueList");
            while let Some(field) = fields.next_field()? {
                if field.number == 1 {
                    let (key, value) = key_value(field.bytes()?)?;
                    text(key)?;
                    if let Some(value) = value {
                        check(&value, depth + 1)?;
                    }
                }
            }
        }
        _ => {}
    }
    Ok(())
}

fn write_value(out: &mut Vec<u8>, value: &Value<'_>, depth: usize) -> Result<(), WireError> {
    if depth > VALUE_DEPTH_MAX {
        return Err(WireError::TooDeep);
    }
    match value {
        Value::Empty => out.extend_from_slice(b"{}"),
        Value::String(text) => {
            out.extend_from_slice(b"{\"stringValue\":");
            write_text(out, text);
            out.push(b'}');
        }
        Value::Bool(truth) => put(out, format_args!("{{\"boolValue\":{truth}}}")),
        Value::Int(number) => put(out, format_args!("{{\"intValue\":\"{number}\"}}")),
        Value::Double(number) => write_double(out, *number),
        Value::Bytes(raw) => put(out, format_args!("{{\"bytesValue\":\"{}\"}}", STANDARD.encode(raw))),
        Value::Array(items) => {
            out.extend_from_slice(b"{\"arrayValue\":{\"values\":[");
            let mut fields = Reader::new(items, "ArrayValue");
            let mut separator: &[u8] = b"";
            while let Some(field) = fields.next_field()? {
                if field.number == 1 {
                    let mut item = Value::Empty;
                    item.merge(field.bytes()?)?;
                    out.extend_from_slice(separator);
                    write_value(out, &item, depth + 1)?;
                    separator = b",";
                }
            }
            out.extend_from_slice(b"]}}");
        }
        Value::KeyValues(items) => {
            out.extend_from_slice(b"{\"kvlistValue\":{\"values\":[");
            let mut fields = Reader::new(items, "KeyValueList");
            let mut separator: &[u8] = b"";
            while let Some(field) = fields.next_field()? {
                if field.number == 1 {
                    out.extend_from_slice(separator);
                    write_key_value(out, field.bytes()?, depth + 1)?;
                    separator = b",";
                }
            }
            out.extend_from_slice(b"]}}");
        }
    }
    Ok(())
}

/// Writes a KeyValue message as OTLP/JSON.
///
/// # Errors
/// Bytes that are no KeyValue, or lists nested too deep, counted from `depth`.
pub fn write_key_value(out: &mut Vec<u8>, message: &[u8], depth: usize) -> Result<(), WireError> {
    let (key, value) = key_value(message)?;
    out.extend_from_slice(b"{\"key\":");
    write_text(out, key);
    if let Some(value) = value {
        out.extend_from_slice(b",\"value\":");
        write_value(out, &value, depth)?;
    }
    out.push(b'}');
    Ok(())
}

fn write_double(out: &mut Vec<u8>, number: f64) {
    if number.is_nan() {
        out.extend_from_slice(b"{\"doubleValue\":\"NaN\"}");
    } else if number.is_infinite() {
        let sign = if number < 0.0 { "-" } else { "" };
        put(out, format_args!("{{\"doubleValue\":\"{sign}Infinity\"}}"));
    } else {
        put(out, format_args!("{{\"doubleValue\":{number:?}}}"));
    }
}

fn put(out: &mut Vec<u8>, text: std::fmt::Arguments<'_>) {
    out.write_fmt(text).expect("memory takes what is written to it");
}

/// Writes a JSON string. Bytes that are not UTF-8 pass through, to be found when the column is checked.
pub fn write_text(out: &mut Vec<u8>, text: &[u8]) {
    out.push(b'"');
    let mut rest = text;
    while let Some(at) = rest.iter().position(|b| matches!(b, b'"' | b'\\' | 0..0x20)) {
        out.extend_from_slice(&rest[..at]);
        match rest[at] {
            b'\n' => out.extend_from_slice(b"\\n"),
            byte @ (b'"' | b'\\') => out.extend_from_slice(&[b'\\', byte]),
            byte => put(out, format_args!("\\u{byte:04x}")),
        }
        rest = &rest[at + 1..];
    }
    out.extend_from_slice(rest);
    out.push(b'"');
}
