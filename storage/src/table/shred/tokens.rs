//! Which attribute values a segment holds, as a bloom filter: a search opens only segments that may hold what it asks for.
//!
//! A token is an attribute's key and value, and for attributes without a column of their own also the key and where it is,
//! so that what is costly to read is only read where it can help. A value has the same token wherever it stands: on the
//! span, its resource, its scope, an event or a link. Whole doubles have the token of the integer, truth values and bytes that of their text; doubles with a
//! fraction and lists have none.
//! The filter is the split block filter of Parquet. Source: the Parquet format, "Bloom Filter"; F. Putze, P. Sanders, J.
//! Singler, "Cache-, Hash- and Space-Efficient Bloom Filters", 2007.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use epicenter_schema::otlp::WireError;
use epicenter_schema::otlp::value::{Value, key_value};
use epicenter_schema::otlp::wire::Reader;
use parquet::bloom_filter::Sbbf;
use parquet::errors::ParquetError;
use twox_hash::XxHash64;

/// Bits of the filter for each token: of absent values, about one in a hundred is not recognised.
const BITS_A_TOKEN: usize = 10;
/// Bytes of a block of the filter.
const BLOCK_BYTES: usize = 32;
/// Most tokens of one segment: the filter is then 4 MiB. A segment with more has no filter.
const TOKENS_MAX: usize = 4 << 20;

/// Up to here every integer is a double of its own.
const EXACT_MAX: u64 = 1 << 53;

/// Kinds of tokens.
const KEY: u8 = b'k';
const TEXT: u8 = b's';
const INT: u8 = b'i';

/// Where an attribute stands that has no column of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Place {
    /// On the resource or the scope.
    Described,
    /// On an event, a link, or on the span without a column of its own.
    Nested,
}

/// The tokens of one segment, with repetitions.
#[derive(Default)]
pub(in crate::table) struct Tokens {
    tokens: Vec<u64>,
    overflown: bool,
}

impl Tokens {
    fn push(&mut self, token: u64) {
        if self.tokens.len() == TOKENS_MAX {
            self.tokens.sort_unstable();
            self.tokens.dedup();
            self.overflown |= self.tokens.len() > TOKENS_MAX / 2;
        }
        if !self.overflown {
            self.tokens.push(token);
        }
    }

    /// Adds a key.
    pub(super) fn key(&mut self, place: Place, key: &[u8]) {
        self.push(token(KEY, key, &[place as u8]));
    }

    pub(in crate::table) fn text(&mut self, key: &[u8], text: &[u8]) {
        self.push(token(TEXT, key, text));
    }

    pub(in crate::table) fn int(&mut self, key: &[u8], number: i64) {
        self.push(token(INT, key, &number.to_le_bytes()));
    }

    pub(in crate::table) fn double(&mut self, key: &[u8], number: f64) {
        if let Some(number) = whole(number) {
            self.int(key, number);
        }
    }

    pub(in crate::table) fn bool(&mut self, key: &[u8], truth: bool) {
        self.text(key, if truth { b"true" } else { b"false" });
    }

    /// Adds an attribute that is a KeyValue message.
    pub(super) fn attribute(&mut self, message: &[u8]) -> Result<(), WireError> {
        let (key, value) = key_value(message)?;
        self.key(Place::Nested, key);
        match value {
            Some(Value::String(text)) => self.text(key, text),
            Some(Value::Int(number)) => self.int(key, number),
            Some(Value::Double(number)) => self.double(key, number),
            Some(Value::Bool(truth)) => self.bool(key, truth),
            Some(Value::Bytes(bytes)) => self.text(key, hex::encode(bytes).as_bytes()),
            _ => {}
        }
        Ok(())
    }

    /// Adds the attributes of a KeyValueList message.
    pub(in crate::table) fn list(&mut self, list: &[u8]) -> Result<(), WireError> {
        let mut fields = Reader::new(list, "KeyValueList");
        while let Some(field) = fields.next_field()? {
            if field.number == 1 {
                self.attribute(field.bytes()?)?;
            }
        }
        Ok(())
    }

    /// Adds the attributes of a `resource` or `scope` in OTLP/JSON, as its column has it.
    pub(in crate::table) fn described(&mut self, json: &str, what: &str) {
        let Ok(described) = serde_json::from_str::<serde_json::Value>(json) else {
            return;
        };
        for attribute in described[what]["attributes"].as_array().into_iter().flatten() {
            let key = attribute["key"].as_str().unwrap_or_default().as_bytes();
            let value = &attribute["value"];
            self.key(Place::Described, key);
            if let Some(text) = value["stringValue"].as_str() {
                self.text(key, text.as_bytes());
            } else if let Some(number) = value["intValue"].as_str().and_then(|text| text.parse().ok()) {
                self.int(key, number);
            } else if let Some(number) = value["doubleValue"].as_f64() {
                self.double(key, number);
            } else if let Some(truth) = value["boolValue"].as_bool() {
                self.bool(key, truth);
            } else if let Some(bytes) = value["bytesValue"].as_str().and_then(|text| STANDARD.decode(text).ok()) {
                self.text(key, hex::encode(bytes).as_bytes());
            }
        }
    }

    /// The filter as bytes; none when there are too many tokens for one.
    pub(in crate::table) fn filter(mut self) -> Result<Option<Vec<u8>>, ParquetError> {
        if self.overflown {
            return Ok(None);
        }
        self.tokens.sort_unstable();
        self.tokens.dedup();
        let blocks = (self.tokens.len() * BITS_A_TOKEN / 8).div_ceil(BLOCK_BYTES).max(1);
        let mut filter = Sbbf::new(&vec![0; blocks * BLOCK_BYTES]);
        for token in &self.tokens {
            filter.insert(&token.to_le_bytes()[..]);
        }
        let mut bytes = Vec::with_capacity(blocks * BLOCK_BYTES);
        filter.write_bitset(&mut bytes)?;
        Ok(Some(bytes))
    }
}

/// An attribute that is asked for, as the tokens that it may have.
#[derive(Clone, Debug)]
pub(crate) struct Wanted {
    key: Vec<u8>,
    /// Kinds and values, of which one is there; none when the value may be one without a token.
    values: Option<Vec<(u8, Vec<u8>)>>,
}

impl Wanted {
    /// An attribute of that key, and with a value that reads like `text` when one is given.
    pub(crate) fn new(key: &str, text: Option<&str>) -> Self {
        Self {
            key: key.as_bytes().to_vec(),
            values: text.and_then(values),
        }
    }

    /// False when no span of the filter's segment has it anywhere.
    pub(crate) fn may_be_in(&self, filter: &Sbbf) -> bool {
        let mut values = self.values.iter().flatten().peekable();
        values.peek().is_none() || values.any(|(kind, value)| has(filter, token(*kind, &self.key, value)))
    }

    /// False when no span of the filter's segment has the key there. What has a column has no token: the schema tells.
    pub(crate) fn may_be_at(&self, place: Place, filter: &Sbbf) -> bool {
        has(filter, token(KEY, &self.key, &[place as u8]))
    }
}

fn has(filter: &Sbbf, token: u64) -> bool {
    filter.check(&token.to_le_bytes()[..])
}

/// The tokens of a value that reads like this. None when it may be one without a token: an empty value, a list, a double
/// with a fraction, or one that an integer is near to without being the same.
fn values(text: &str) -> Option<Vec<(u8, Vec<u8>)>> {
    if text.is_empty() || text.starts_with('{') {
        return None;
    }
    let mut values = vec![(TEXT, text.as_bytes().to_vec())];
    let number = match text.parse::<i64>() {
        Ok(number) if number.unsigned_abs() > EXACT_MAX => return None,
        Ok(number) => Some(number),
        // A double with a fraction has no token.
        Err(_) => text
            .parse()
            .ok()
            .map(whole)
            .map_or(Some(None), |whole| whole.map(Some))?,
    };
    values.extend(number.map(|number| (INT, number.to_le_bytes().to_vec())));
    Some(values)
}

/// The integer that a double is, if it is one and no other integer reads as the same double.
fn whole(number: f64) -> Option<i64> {
    let is_whole = number.fract() == 0.0 && number.abs() <= EXACT_MAX as f64;
    is_whole.then_some(number as i64)
}

fn token(kind: u8, key: &[u8], value: &[u8]) -> u64 {
    XxHash64::oneshot(XxHash64::oneshot(u64::from(kind), key), value)
}
