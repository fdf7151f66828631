//! The columns of a segment file. The flat columns are those of [`arrow_schema`]; what is nested is laid out so that each
//! attribute key is a column of its own, which is what makes it small and lets a search read one attribute and no other.
//!
//! `attribute_shape` tells for each span which columns its attributes are in, in the order received; what has no column
//! of its own is in `attributes_rest`. See docs/formats/table.md.

use arrow::datatypes::{DataType, Field, Fields, Schema, SchemaRef, TimeUnit};
use epicenter_schema::{arrow_schema, name};
use std::sync::Arc;

/// Column of the shapes: positions of attribute columns, separated by commas, [`SHAPE_REST`] for an attribute in the rest.
pub(super) const SHAPE: &str = "attribute_shape";
/// Column of the attributes that have no column: an OTLP KeyValueList message, null for none.
pub(super) const REST: &str = "attributes_rest";
/// What stands in a shape for the next attribute of the rest.
pub(super) const SHAPE_REST: &str = "r";
/// What the names of attribute columns begin with.
const PREFIX: &str = "attributes.";
/// Most attribute columns of one segment; further keys go to the rest.
pub(super) const ATTRIBUTE_COLUMNS_MAX: usize = 256;

/// The types that have columns. Other values (bytes, lists, none) are in the rest.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) enum Type {
    String,
    Int,
    Double,
    Bool,
}

impl Type {
    const ALL: [(Self, &'static str); 4] = [
        (Self::String, "string"),
        (Self::Int, "int"),
        (Self::Double, "double"),
        (Self::Bool, "bool"),
    ];

    fn name(self) -> &'static str {
        Self::ALL[self as usize].1
    }

    fn data_type(self) -> DataType {
        match self {
            Self::String => dictionary(),
            Self::Int => DataType::Int64,
            Self::Double => DataType::Float64,
            Self::Bool => DataType::Boolean,
        }
    }
}

/// An attribute that has a column.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) struct Attribute {
    pub(super) key: String,
    pub(super) kind: Type,
}

impl Attribute {
    /// Name of its column: `attributes.http.route:string`.
    pub(super) fn column(&self) -> String {
        format!("{PREFIX}{}:{}", self.key, self.kind.name())
    }

    /// The attribute of a column, None when the name is not that of one.
    pub(super) fn parse(column: &str) -> Option<Self> {
        let (key, kind) = column.strip_prefix(PREFIX)?.rsplit_once(':')?;
        let (kind, _) = Type::ALL.into_iter().find(|(_, name)| *name == kind)?;
        Some(Self {
            key: key.to_owned(),
            kind,
        })
    }

    fn field(&self) -> Field {
        Field::new(self.column(), self.kind.data_type(), true)
    }
}

/// What a search has to know of the columns.
pub(crate) struct AttributeColumn;

impl AttributeColumn {
    /// The column of attributes without a column of their own: an OTLP KeyValueList message.
    pub(crate) const REST: &str = REST;

    /// The columns of a key, one a type that it has in the segment.
    pub(crate) fn of_key(schema: &Schema, key: &str) -> Vec<String> {
        let columns = attributes_of(schema).into_iter();
        let of_key = columns.filter(|(_, attribute)| attribute.key == key);
        of_key.map(|(_, attribute)| attribute.column()).collect()
    }
}

fn dictionary() -> DataType {
    DataType::Dictionary(Box::new(DataType::Int32), Box::new(DataType::Utf8))
}

/// True for the columns of the logical schema that lie in a segment as they are.
pub(super) fn is_flat(column: &str) -> bool {
    ![name::ATTRIBUTES, name::EVENTS, name::LINKS].contains(&column)
}

/// Positions of the flat columns in the logical schema.
pub(super) fn flat_columns() -> Vec<usize> {
    let schema = arrow_schema();
    let fields = schema.fields().iter().enumerate();
    fields
        .filter(|(_, field)| is_flat(field.name()))
        .map(|(index, _)| index)
        .collect()
}

/// The attribute columns among the columns of a segment, in their order, with their positions.
pub(super) fn attributes_of(schema: &Schema) -> Vec<(usize, Attribute)> {
    let fields = schema.fields().iter().enumerate();
    fields
        .filter_map(|(index, field)| Attribute::parse(field.name()).map(|attribute| (index, attribute)))
        .collect()
}

/// The schema of a segment that has these attribute columns.
pub(super) fn segment_schema(attributes: &[Attribute]) -> SchemaRef {
    let logical = arrow_schema();
    let mut fields: Vec<Field> = flat_columns()
        .into_iter()
        .map(|index| logical.field(index).clone())
        .collect();
    fields.push(Field::new(SHAPE, dictionary(), false));
    fields.push(Field::new(REST, DataType::Binary, true));
    fields.push(Field::new(name::EVENTS, list(event_fields()), false));
    fields.push(Field::new(name::LINKS, list(link_fields()), false));
    fields.extend(attributes.iter().map(Attribute::field));
    Arc::new(Schema::new(fields))
}

pub(super) fn list(fields: Fields) -> DataType {
    DataType::List(Arc::new(Field::new("item", DataType::Struct(fields), false)))
}

/// Children of an event; the attributes are an OTLP KeyValueList message.
pub(super) fn event_fields() -> Fields {
    let time = DataType::Timestamp(TimeUnit::Nanosecond, Some("UTC".into()));
    Fields::from(vec![
        Field::new("time", time, false),
        Field::new("name", DataType::Utf8, false),
        Field::new("attributes", DataType::Binary, false),
        Field::new("dropped_attributes_count", DataType::UInt32, false),
    ])
}

/// Children of a link; the attributes are an OTLP KeyValueList message.
pub(super) fn link_fields() -> Fields {
    Fields::from(vec![
        Field::new("trace_id", DataType::FixedSizeBinary(16), false),
        Field::new("span_id", DataType::FixedSizeBinary(8), false),
        Field::new("trace_state", DataType::Utf8, true),
        Field::new("attributes", DataType::Binary, false),
        Field::new("dropped_attributes_count", DataType::UInt32, false),
        Field::new("flags", DataType::UInt32, false),
    ])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn column_names_come_back_whatever_the_key() {
        for key in ["http.route", "", "a:int", "attributes.", "ü \"quoted\""] {
            for (kind, _) in Type::ALL {
                let attribute = Attribute {
                    key: key.to_owned(),
                    kind,
                };
                assert_eq!(Attribute::parse(&attribute.column()), Some(attribute));
            }
        }
        for column in [
            "attributes",
            "attributes_rest",
            "attributes.x",
            "attributes.x:text",
            "name",
        ] {
            assert_eq!(Attribute::parse(column), None, "{column}");
        }
    }
}
