//! Attributes of OTLP/JSON.

use super::scalar::{base64_option, double_option, flexible_option, nullable};
use prost::{Message, Oneof};
use serde::{Deserialize, Deserializer};

#[derive(Clone, PartialEq, Message, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(super) struct KeyValue {
    #[prost(string, tag = "1")]
    #[serde(deserialize_with = "nullable")]
    key: String,
    #[prost(message, optional, tag = "2")]
    value: Option<AnyValue>,
}

#[derive(Clone, PartialEq, Message)]
struct AnyValue {
    #[prost(oneof = "Value", tags = "1, 2, 3, 4, 5, 6, 7")]
    value: Option<Value>,
}

#[derive(Clone, PartialEq, Oneof)]
enum Value {
    #[prost(string, tag = "1")]
    String(String),
    #[prost(bool, tag = "2")]
    Bool(bool),
    #[prost(int64, tag = "3")]
    Int(i64),
    #[prost(double, tag = "4")]
    Double(f64),
    #[prost(message, tag = "5")]
    Array(ArrayValue),
    #[prost(message, tag = "6")]
    KeyValues(KeyValueList),
    #[prost(bytes, tag = "7")]
    Bytes(Vec<u8>),
}

#[derive(Clone, PartialEq, Message, Deserialize)]
#[serde(default)]
struct ArrayValue {
    #[prost(message, repeated, tag = "1")]
    #[serde(deserialize_with = "nullable")]
    values: Vec<AnyValue>,
}

#[derive(Clone, PartialEq, Message, Deserialize)]
#[serde(default)]
struct KeyValueList {
    #[prost(message, repeated, tag = "1")]
    #[serde(deserialize_with = "nullable")]
    values: Vec<KeyValue>,
}

/// The alternatives side by side, as JSON has them; at most one is meant to be there, the first one found is taken.
#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Alternatives {
    string_value: Option<String>,
    bool_value: Option<bool>,
    #[serde(deserialize_with = "flexible_option")]
    int_value: Option<i64>,
    #[serde(deserialize_with = "double_option")]
    double_value: Option<f64>,
    array_value: Option<ArrayValue>,
    kvlist_value: Option<KeyValueList>,
    #[serde(deserialize_with = "base64_option")]
    bytes_value: Option<Vec<u8>>,
}

impl<'de> Deserialize<'de> for AnyValue {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let found = Alternatives::deserialize(from)?;
        let value = found
            .string_value
            .map(Value::String)
            .or(found.bool_value.map(Value::Bool))
            .or(found.int_value.map(Value::Int))
            .or(found.double_value.map(Value::Double))
            .or(found.array_value.map(Value::Array))
            .or(found.kvlist_value.map(Value::KeyValues))
            .or(found.bytes_value.map(Value::Bytes));
        Ok(Self { value })
    }
}
