//! The condition that an attribute of a span, or of its resource, has a value: a function of the query engine.
//!
//! Values are compared as text: numbers and booleans by their usual form, bytes in hexadecimal.

use arrow::array::{Array, ArrayRef, AsArray, BooleanArray, DictionaryArray, MapArray};
use arrow::datatypes::{DataType, Float64Type, Int32Type, Int64Type};
use datafusion::common::{exec_err, not_impl_err};
use datafusion::error::Result;
use datafusion::logical_expr::{ColumnarValue, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, Volatility};
use datafusion::prelude::{Expr, ident};
use epicenter_schema::name;

/// True for spans that have an attribute of that key and value, or whose resource has.
pub(super) fn has_attribute(key: &str, value: &str) -> Expr {
    let function = HasAttribute {
        signature: Signature::any(2, Volatility::Immutable),
        key: key.to_owned(),
        value: value.to_owned(),
    };
    ScalarUDF::from(function).call(vec![ident(name::ATTRIBUTES), ident(name::RESOURCE)])
}

#[derive(Debug, Eq, Hash, PartialEq)]
struct HasAttribute {
    signature: Signature,
    key: String,
    value: String,
}

impl ScalarUDFImpl for HasAttribute {
    fn name(&self) -> &'static str {
        "has_attribute"
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, arguments: &[DataType]) -> Result<DataType> {
        match arguments {
            [DataType::Map(..), DataType::Dictionary(..)] => Ok(DataType::Boolean),
            _ => not_impl_err!("has_attribute of {arguments:?}"),
        }
    }

    fn invoke_with_args(&self, arguments: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let arrays = ColumnarValue::values_to_arrays(&arguments.args)?;
        let [attributes, resource] = arrays.as_slice() else {
            return exec_err!("has_attribute takes two arguments");
        };
        let mut found = self.in_attributes(attributes.as_map());
        let Some(resource) = resource.as_any().downcast_ref::<DictionaryArray<Int32Type>>() else {
            return exec_err!("resources are not a dictionary");
        };
        self.in_resource(resource, &mut found);
        Ok(ColumnarValue::Array(
            std::sync::Arc::new(BooleanArray::from(found)) as ArrayRef
        ))
    }
}

impl HasAttribute {
    fn in_attributes(&self, map: &MapArray) -> Vec<bool> {
        let (keys, values) = (map.keys().as_string::<i32>(), map.values().as_struct());
        let offsets = map.value_offsets();
        let strings = values.column(0).as_string::<i32>();
        let ints = values.column(1).as_primitive::<Int64Type>();
        let doubles = values.column(2).as_primitive::<Float64Type>();
        let booleans = values.column(3).as_boolean();
        let bytes = values.column(4).as_binary::<i32>();
        let int = self.value.parse::<i64>().ok();
        let double = self.value.parse::<f64>().ok();
        let boolean = self.value.parse::<bool>().ok();
        let raw = hex::decode(&self.value).ok();
        let is = |at: usize| {
            (strings.is_valid(at) && strings.value(at) == self.value)
                || (ints.is_valid(at) && Some(ints.value(at)) == int)
                || (doubles.is_valid(at) && Some(doubles.value(at)) == double)
                || (booleans.is_valid(at) && Some(booleans.value(at)) == boolean)
                || (bytes.is_valid(at) && Some(bytes.value(at)) == raw.as_deref())
        };
        (0..map.len())
            .map(|row| {
                let range = offsets[row] as usize..offsets[row + 1] as usize;
                range.into_iter().any(|at| keys.value(at) == self.key && is(at))
            })
            .collect()
    }

    fn in_resource(&self, resource: &DictionaryArray<Int32Type>, found: &mut [bool]) {
        let texts = resource.values().as_string::<i32>();
        let holds: Vec<bool> = (0..texts.len())
            .map(|at| texts.is_valid(at) && self.json_has(texts.value(at)))
            .collect();
        for (row, found) in found.iter_mut().enumerate() {
            *found = *found || resource.key(row).is_some_and(|key| holds[key]);
        }
    }

    fn json_has(&self, json: &str) -> bool {
        let Ok(resource) = serde_json::from_str::<serde_json::Value>(json) else {
            return false;
        };
        let attributes = resource["resource"]["attributes"].as_array();
        attributes.is_some_and(|all| {
            all.iter().any(|attribute| {
                attribute["key"] == self.key.as_str()
                    && attribute["value"].as_object().is_some_and(|value| {
                        value.values().any(|value| match value {
                            serde_json::Value::String(text) => *text == self.value,
                            serde_json::Value::Bool(boolean) => self.value.parse() == Ok(*boolean),
                            serde_json::Value::Number(number) => self.value.parse::<f64>().ok() == number.as_f64(),
                            _ => false,
                        })
                    })
            })
        })
    }
}
