//! The fields of one protobuf message, one at a time.

use super::WireError;
use std::borrow::Cow;

/// Reads the fields of a message from its bytes.
#[derive(Clone, Copy, Debug)]
pub struct Reader<'a> {
    rest: &'a [u8],
    message: &'static str,
}

/// One field: its number and what the wire says.
#[derive(Clone, Copy, Debug)]
pub struct Field<'a> {
    /// The field's number.
    pub number: u32,
    value: Wire<'a>,
    message: &'static str,
}

#[derive(Clone, Copy, Debug)]
enum Wire<'a> {
    Varint(u64),
    Fixed64(u64),
    Bytes(&'a [u8]),
    Fixed32(u32),
}

impl<'a> Reader<'a> {
    /// Reads `bytes`, which are a message of this name.
    pub fn new(bytes: &'a [u8], message: &'static str) -> Self {
        Self { rest: bytes, message }
    }

    /// The next field; none at the end of the message.
    ///
    /// # Errors
    /// Bytes that are no field.
    #[inline]
    pub fn next_field(&mut self) -> Result<Option<Field<'a>>, WireError> {
        if self.rest.is_empty() {
            return Ok(None);
        }
        let tag = self.varint()?;
        let number = u32::try_from(tag >> 3)
            .ok()
            .filter(|n| (1..1 << 29).contains(n))
            .ok_or(WireError::Tag(tag))?;
        let value = match tag & 7 {
            0 => Wire::Varint(self.varint()?),
            1 => Wire::Fixed64(u64::from_le_bytes(self.array()?)),
            2 => {
                let len = usize::try_from(self.varint()?).map_err(|_| WireError::Truncated)?;
                Wire::Bytes(self.take(len)?)
            }
            3 | 4 => return Err(WireError::Group(number)),
            5 => Wire::Fixed32(u32::from_le_bytes(self.array()?)),
            _ => return Err(WireError::Tag(tag)),
        };
        Ok(Some(Field {
            number,
            value,
            message: self.message,
        }))
    }

    /// The next field when it begins with this tag and is shorter than 128 bytes, as nearly every attribute is: what is met
    /// most often, in one look. None when it is anything else, for [`Reader::next_field`] to read; both give the same.
    #[inline]
    pub fn next_short(&mut self, tag: u8) -> Option<&'a [u8]> {
        match self.rest {
            [found, length, rest @ ..] if *found == tag && *length < 0x80 => {
                let (field, rest) = rest.split_at_checked(usize::from(*length))?;
                self.rest = rest;
                Some(field)
            }
            _ => None,
        }
    }

    #[inline]
    fn take(&mut self, len: usize) -> Result<&'a [u8], WireError> {
        let (head, rest) = self.rest.split_at_checked(len).ok_or(WireError::Truncated)?;
        self.rest = rest;
        Ok(head)
    }

    #[inline]
    fn array<const N: usize>(&mut self) -> Result<[u8; N], WireError> {
        let (head, rest) = self.rest.split_first_chunk().ok_or(WireError::Truncated)?;
        self.rest = rest;
        Ok(*head)
    }

    #[inline]
    fn varint(&mut self) -> Result<u64, WireError> {
        match self.rest {
            [byte, rest @ ..] if *byte < 0x80 => {
                self.rest = rest;
                Ok(u64::from(*byte))
            }
            [low, high, rest @ ..] if *high < 0x80 => {
                self.rest = rest;
                Ok(u64::from(low & 0x7f) | u64::from(*high) << 7)
            }
            _ => self.long_varint(),
        }
    }

    fn long_varint(&mut self) -> Result<u64, WireError> {
        let mut value = 0u64;
        for (index, byte) in self.rest.iter().take(10).enumerate() {
            if index == 9 && *byte > 1 {
                return Err(WireError::Varint);
            }
            value |= u64::from(byte & 0x7f) << (7 * index);
            if *byte < 0x80 {
                self.rest = &self.rest[index + 1..];
                return Ok(value);
            }
        }
        Err(WireError::Truncated)
    }
}

impl<'a> Field<'a> {
    #[cold]
    fn wrong(&self) -> WireError {
        WireError::WireType {
            message: self.message,
            field: self.number,
        }
    }

    /// A string, bytes or a submessage.
    ///
    /// # Errors
    /// The field has another wire type.
    #[inline]
    pub fn bytes(&self) -> Result<&'a [u8], WireError> {
        if let Wire::Bytes(bytes) = self.value {
            Ok(bytes)
        } else {
            Err(self.wrong())
        }
    }

    /// An int64, uint64 or bool.
    ///
    /// # Errors
    /// The field has another wire type.
    #[inline]
    pub fn varint(&self) -> Result<u64, WireError> {
        if let Wire::Varint(value) = self.value {
            Ok(value)
        } else {
            Err(self.wrong())
        }
    }

    /// A uint32: the low bits of the varint.
    ///
    /// # Errors
    /// The field has another wire type.
    #[inline]
    pub fn uint32(&self) -> Result<u32, WireError> {
        Ok(self.varint()? as u32)
    }

    /// An int32 or an enum: the low bits of the varint.
    ///
    /// # Errors
    /// The field has another wire type.
    #[inline]
    pub fn int32(&self) -> Result<i32, WireError> {
        Ok(self.varint()? as i32)
    }

    /// A fixed64 or the bits of a double.
    ///
    /// # Errors
    /// The field has another wire type.
    #[inline]
    pub fn fixed64(&self) -> Result<u64, WireError> {
        if let Wire::Fixed64(value) = self.value {
            Ok(value)
        } else {
            Err(self.wrong())
        }
    }

    /// A fixed32.
    ///
    /// # Errors
    /// The field has another wire type.
    #[inline]
    pub fn fixed32(&self) -> Result<u32, WireError> {
        if let Wire::Fixed32(value) = self.value {
            Ok(value)
        } else {
            Err(self.wrong())
        }
    }
}

/// Adds another occurrence of a submessage: by the encoding's rules, messages are merged by joining their bytes.
pub fn merge<'a>(message: &mut Option<Cow<'a, [u8]>>, more: &'a [u8]) {
    match message {
        None => *message = Some(Cow::Borrowed(more)),
        Some(bytes) => bytes.to_mut().extend_from_slice(more),
    }
}
