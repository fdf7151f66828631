//! Which attribute values a segment holds, as a bloom filter: a search opens only segments that may hold what it asks for.
//!
//! A token is an attribute's key and value, wherever on the span it stands: on the span itself, its resource, its scope, an
//! event or a link. Whole doubles have the token of the integer, truth values and bytes that of their text; doubles with a
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

/// Bits of the filter for each token: of absent values, three in a hundred are not recognised.
const BITS_A_TOKEN: usize = 8;
/// Bytes of a block of the filter.
const BLOCK_BYTES: usize = 32;
/// Most tokens of one segment: the filter is then 4 MiB. A segment with more has no filter.
const TOKENS_MAX: usize = 4 << 20;

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

    pub(super) fn text(&mut self, key: &[u8], text: &[u8]) {
        self.push(token(key, b's', text));
    }

    pub(super) fn int(&mut self, key: &[u8], number: i64) {
        self.push(token(key, b'i', &number.to_le_bytes()));
    }

    pub(super) fn double(&mut self, key: &[u8], number: f64) {
        if let Some(number) = whole(number) {
            self.int(key, number);
        }
    }

    pub(super) fn bool(&mut self, key: &[u8], truth: bool) {
        self.text(key, if truth { b"true" } else { b"false" });
    }

    /// Adds an attribute that is a KeyValue message.
    pub(super) fn attribute(&mut self, message: &[u8]) -> Result<(), WireError> {
        let (key, value) = key_value(message)?;
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
    pub(super) fn list(&mut self, list: &[u8]) -> Result<(), WireError> {
        let mut fields = Reader::new(list, "KeyValueList");
        while let Some(field) = fields.next()? {
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

/// A value that is asked for, as the tokens that it may have.
#[derive(Clone, Debug)]
pub(crate) struct Wanted {
    tokens: Vec<u64>,
}

impl Wanted {
    /// An attribute whose value reads like this text. None when it may be a value that has no token.
    pub(crate) fn new(key: &str, text: &str) -> Option<Self> {
        let key = key.as_bytes();
        let mut tokens = vec![token(key, b's', text.as_bytes())];
        if let Ok(number) = text.parse::<i64>() {
            tokens.push(token(key, b'i', &number.to_le_bytes()));
        }
        if let Ok(number) = text.parse::<f64>() {
            tokens.push(token(key, b'i', &whole(number)?.to_le_bytes()));
        }
        Some(Self { tokens })
    }

    /// False when no attribute of the filter's segment reads like that.
    pub(crate) fn may_be_in(&self, filter: &Sbbf) -> bool {
        self.tokens.iter().any(|token| filter.check(&token.to_le_bytes()[..]))
    }
}

/// The integer that a double is, if it is one.
fn whole(number: f64) -> Option<i64> {
    let is_whole = number.fract() == 0.0 && (-9.0e18..9.0e18).contains(&number);
    is_whole.then_some(number as i64)
}

fn token(key: &[u8], kind: u8, value: &[u8]) -> u64 {
    XxHash64::oneshot(XxHash64::oneshot(u64::from(kind), key), value)
}
