//! The columns: names, Arrow types, order. A change here is a change of format: raise [`SCHEMA_VERSION`], write it into
//! docs/formats/span-columns.md and keep a fixture of the old one.
//!
//! Texts of few distinct values a request (what the resource says, what normalization says) are dictionaries with
//! `Int32` keys; texts of many values are plain. An attribute is a typed value: a struct with one child a type, of which
//! one is not null, or none for an empty value.

use arrow::datatypes::{DataType, Field, Fields, Schema, SchemaRef, TimeUnit};
use std::sync::{Arc, LazyLock};

/// Version of the column layout, kept in every Parquet file's metadata under `epicenter.schema_version`.
pub const SCHEMA_VERSION: u32 = 2;

/// Column names, in the order of the schema.
pub mod name {
    /// 16 bytes, never all zero.
    pub const TRACE_ID: &str = "trace_id";
    /// 8 bytes, never all zero.
    pub const SPAN_ID: &str = "span_id";
    /// 8 bytes; null for a root span.
    pub const PARENT_SPAN_ID: &str = "parent_span_id";
    /// W3C `tracestate`; null when empty.
    pub const TRACE_STATE: &str = "trace_state";
    /// W3C trace flags and the protocol's is-remote bits, as received.
    pub const FLAGS: &str = "flags";
    /// Span name.
    pub const NAME: &str = "name";
    /// OTLP span kind number, 0 to 5, as received.
    pub const KIND: &str = "kind";
    /// Start, nanoseconds since the epoch, UTC; the 64 bits as received.
    pub const START_TIME: &str = "start_time";
    /// End minus start in nanoseconds, wrapping, so that start plus duration is the end as received.
    pub const DURATION_NS: &str = "duration_ns";
    /// OTLP status code number: 0 unset, 1 ok, 2 error, as received.
    pub const STATUS_CODE: &str = "status_code";
    /// Status message; null when empty.
    pub const STATUS_MESSAGE: &str = "status_message";
    /// Normalized: the span says that it failed: status error; where that is unset HTTP 5xx, a gRPC code that means failure, `error.type`
    /// where there is neither code, or `error` = true.
    pub const ERROR: &str = "error";
    /// Normalized: an event of the span tells of an error (an `exception`, or a log line of severity error or worse).
    pub const ERROR_LOGGED: &str = "error_logged";
    /// Resource `service.name`; `unknown_service` when the resource has none.
    pub const SERVICE_NAME: &str = "service_name";
    /// Resource `service.namespace`.
    pub const SERVICE_NAMESPACE: &str = "service_namespace";
    /// Resource `service.version`; else the tag of `container.image.tag(s)`.
    pub const SERVICE_VERSION: &str = "service_version";
    /// Resource `k8s.pod.name`; else `service.instance.id`; else `container.id`.
    pub const INSTANCE: &str = "instance";
    /// Resource `k8s.node.name`; else `host.name`.
    pub const NODE: &str = "node";
    /// Resource `cloud.availability_zone`.
    pub const ZONE: &str = "zone";
    /// Normalized: `http`, `grpc`, `rmi`, `rpc`, `messaging`, `database`, `cache`; null for spans that cross no boundary.
    pub const PROTOCOL: &str = "protocol";
    /// Normalized: kind of the callee as the caller knows it: `service`, `database`, `cache`, `queue`, `external`.
    pub const PEER_KIND: &str = "peer_kind";
    /// Normalized: the callee's name or address as the caller gives it; null when it gives none, and on spans of the callee.
    pub const PEER: &str = "peer";
    /// Normalized: what technology the peer is: `redis`, `mysql`, `kafka`.
    pub const PEER_SYSTEM: &str = "peer_system";
    /// `http.request.method`, or the older `http.method`.
    pub const HTTP_METHOD: &str = "http_method";
    /// `http.route`.
    pub const HTTP_ROUTE: &str = "http_route";
    /// `http.response.status_code`, or the older `http.status_code`.
    pub const HTTP_STATUS_CODE: &str = "http_status_code";
    /// `rpc.service`.
    pub const RPC_SERVICE: &str = "rpc_service";
    /// `rpc.method`.
    pub const RPC_METHOD: &str = "rpc_method";
    /// `rpc.grpc.status_code`.
    pub const GRPC_STATUS_CODE: &str = "grpc_status_code";
    /// `messaging.destination.name`, or the older `messaging.destination`.
    pub const MESSAGING_DESTINATION: &str = "messaging_destination";
    /// `error.type`; else `exception.type` of the first exception event.
    pub const ERROR_TYPE: &str = "error_type";
    /// Every attribute of the span, promoted ones included, in the order received.
    pub const ATTRIBUTES: &str = "attributes";
    /// Span events.
    pub const EVENTS: &str = "events";
    /// Span links.
    pub const LINKS: &str = "links";
    /// Attributes that the sender dropped.
    pub const DROPPED_ATTRIBUTES_COUNT: &str = "dropped_attributes_count";
    /// Events that the sender dropped.
    pub const DROPPED_EVENTS_COUNT: &str = "dropped_events_count";
    /// Links that the sender dropped.
    pub const DROPPED_LINKS_COUNT: &str = "dropped_links_count";
    /// The resource as OTLP/JSON: `{"resource":{..},"schemaUrl":".."}`.
    pub const RESOURCE: &str = "resource";
    /// The instrumentation scope as OTLP/JSON: `{"scope":{..},"schemaUrl":".."}`.
    pub const SCOPE: &str = "scope";
}

fn dictionary() -> DataType {
    DataType::Dictionary(Box::new(DataType::Int32), Box::new(DataType::Utf8))
}

/// Children of an attribute's value struct, in order: `string`, `int`, `double`, `bool`, `bytes`, and `json` for arrays
/// and key-value lists, which hold the OTLP/JSON of the AnyValue. At most one child is not null; none for an empty value.
pub(crate) fn value_fields() -> Fields {
    Fields::from(vec![
        Field::new("string", DataType::Utf8, true),
        Field::new("int", DataType::Int64, true),
        Field::new("double", DataType::Float64, true),
        Field::new("bool", DataType::Boolean, true),
        Field::new("bytes", DataType::Binary, true),
        Field::new("json", DataType::Utf8, true),
    ])
}

pub(crate) fn entry_fields() -> Fields {
    Fields::from(vec![
        Field::new("key", DataType::Utf8, false),
        Field::new("value", DataType::Struct(value_fields()), true),
    ])
}

/// The type of every attribute column: a map from text to a struct of typed children. Keys may repeat if the sender
/// repeated them.
pub fn attribute_map_type() -> DataType {
    DataType::Map(
        Arc::new(Field::new("entries", DataType::Struct(entry_fields()), false)),
        false,
    )
}

pub(crate) fn event_fields() -> Fields {
    Fields::from(vec![
        Field::new(
            "time",
            DataType::Timestamp(TimeUnit::Nanosecond, Some("UTC".into())),
            false,
        ),
        Field::new("name", DataType::Utf8, false),
        Field::new("attributes", attribute_map_type(), false),
        Field::new("dropped_attributes_count", DataType::UInt32, false),
    ])
}

pub(crate) fn link_fields() -> Fields {
    Fields::from(vec![
        Field::new("trace_id", DataType::FixedSizeBinary(16), false),
        Field::new("span_id", DataType::FixedSizeBinary(8), false),
        Field::new("trace_state", DataType::Utf8, true),
        Field::new("attributes", attribute_map_type(), false),
        Field::new("dropped_attributes_count", DataType::UInt32, false),
        Field::new("flags", DataType::UInt32, false),
    ])
}

/// The type of the events column: a list of structs.
pub fn event_list_type() -> DataType {
    DataType::List(Arc::new(Field::new("item", DataType::Struct(event_fields()), false)))
}

/// The type of the links column: a list of structs. Link ids of a wrong length are stored as zeros.
pub fn link_list_type() -> DataType {
    DataType::List(Arc::new(Field::new("item", DataType::Struct(link_fields()), false)))
}

/// The Arrow schema of a [`crate::SpanBatch`] and of every Parquet segment. Cheap to call.
pub fn arrow_schema() -> SchemaRef {
    static SCHEMA: LazyLock<SchemaRef> = LazyLock::new(|| {
        use DataType::{Boolean, FixedSizeBinary, Int32, Int64, UInt32, Utf8};
        let required = |name: &str, data_type| Field::new(name, data_type, false);
        let optional = |name: &str, data_type| Field::new(name, data_type, true);
        Arc::new(Schema::new(vec![
            required(name::TRACE_ID, FixedSizeBinary(16)),
            required(name::SPAN_ID, FixedSizeBinary(8)),
            optional(name::PARENT_SPAN_ID, FixedSizeBinary(8)),
            optional(name::TRACE_STATE, Utf8),
            required(name::FLAGS, UInt32),
            required(name::NAME, Utf8),
            required(name::KIND, Int32),
            required(
                name::START_TIME,
                DataType::Timestamp(TimeUnit::Nanosecond, Some("UTC".into())),
            ),
            required(name::DURATION_NS, Int64),
            required(name::STATUS_CODE, Int32),
            optional(name::STATUS_MESSAGE, Utf8),
            required(name::ERROR, Boolean),
            required(name::ERROR_LOGGED, Boolean),
            required(name::SERVICE_NAME, dictionary()),
            optional(name::SERVICE_NAMESPACE, dictionary()),
            optional(name::SERVICE_VERSION, dictionary()),
            optional(name::INSTANCE, dictionary()),
            optional(name::NODE, dictionary()),
            optional(name::ZONE, dictionary()),
            optional(name::PROTOCOL, dictionary()),
            optional(name::PEER_KIND, dictionary()),
            optional(name::PEER, Utf8),
            optional(name::PEER_SYSTEM, dictionary()),
            optional(name::HTTP_METHOD, dictionary()),
            optional(name::HTTP_ROUTE, Utf8),
            optional(name::HTTP_STATUS_CODE, Int32),
            optional(name::RPC_SERVICE, Utf8),
            optional(name::RPC_METHOD, Utf8),
            optional(name::GRPC_STATUS_CODE, Int32),
            optional(name::MESSAGING_DESTINATION, Utf8),
            optional(name::ERROR_TYPE, Utf8),
            required(name::ATTRIBUTES, attribute_map_type()),
            required(name::EVENTS, event_list_type()),
            required(name::LINKS, link_list_type()),
            required(name::DROPPED_ATTRIBUTES_COUNT, UInt32),
            required(name::DROPPED_EVENTS_COUNT, UInt32),
            required(name::DROPPED_LINKS_COUNT, UInt32),
            required(name::RESOURCE, dictionary()),
            required(name::SCOPE, dictionary()),
        ]))
    });
    SCHEMA.clone()
}
