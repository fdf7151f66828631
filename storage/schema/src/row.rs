//! Reading a batch row by row: typed, borrowed, nothing copied.

use crate::{DurationNs, SpanId, Timestamp, TraceId};
use arrow::array::{
    Array, AsArray, BinaryArray, BooleanArray, DictionaryArray, FixedSizeBinaryArray, Float64Array, Int32Array,
    Int64Array, ListArray, MapArray, StringArray, StructArray, TimestampNanosecondArray, UInt32Array,
};
use arrow::datatypes::{Float64Type, Int32Type, Int64Type, TimestampNanosecondType, UInt32Type};
use arrow::record_batch::RecordBatch;
use std::ops::Range;

/// The OTLP span kind. Numbers outside the protocol read as `Unspecified`; the column keeps them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum SpanKind {
    /// 0: the sender did not say.
    Unspecified,
    /// 1: work inside a service.
    Internal,
    /// 2: a request handled.
    Server,
    /// 3: a request sent.
    Client,
    /// 4: a message sent.
    Producer,
    /// 5: a message handled.
    Consumer,
}

/// The OTLP status code. Numbers outside the protocol read as `Unset`; the column keeps them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum StatusCode {
    /// 0: nothing said.
    Unset,
    /// 1: explicitly well.
    Ok,
    /// 2: failed.
    Error,
}

/// One attribute's value. `Json` holds the OTLP/JSON AnyValue of an array or a key-value list.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum AttributeValue<'a> {
    /// Text.
    String(&'a str),
    /// A signed integer of 64 bits.
    Int(i64),
    /// A double.
    Double(f64),
    /// A truth value.
    Bool(bool),
    /// Raw bytes.
    Bytes(&'a [u8]),
    /// An array or key-value list, as the OTLP/JSON of its AnyValue.
    Json(&'a str),
    /// A key without a value.
    Empty,
}

impl<'a> AttributeValue<'a> {
    /// The text, if it is text.
    pub fn as_str(self) -> Option<&'a str> {
        if let Self::String(text) = self {
            Some(text)
        } else {
            None
        }
    }
}

macro_rules! span_columns {
    ($($field:ident: $array:ident),* $(,)?) => {
        /// The columns of a batch, down-cast: row `i` is [`Spans::get`]`(i)`.
        #[derive(Clone, Copy, Debug)]
        pub struct Spans<'a> {
            len: usize,
            $($field: &'a $array,)*
        }

        impl<'a> Spans<'a> {
            /// `batch` has the columns of [`crate::arrow_schema`] in that order, which [`crate::SpanBatch`] guarantees.
            pub(crate) fn new(batch: &'a RecordBatch) -> Self {
                let mut columns = batch.columns().iter();
                Self {
                    len: batch.num_rows(),
                    $($field: columns
                        .next()
                        .and_then(|column| column.as_any().downcast_ref::<$array>())
                        .expect("a span batch has the columns of its schema"),)*
                }
            }
        }
    };
}

type Dictionary = DictionaryArray<Int32Type>;

span_columns! {
    trace_id: FixedSizeBinaryArray,
    span_id: FixedSizeBinaryArray,
    parent_span_id: FixedSizeBinaryArray,
    trace_state: StringArray,
    flags: UInt32Array,
    name: StringArray,
    kind: Int32Array,
    start_time: TimestampNanosecondArray,
    duration_ns: Int64Array,
    status_code: Int32Array,
    status_message: StringArray,
    error: BooleanArray,
    error_logged: BooleanArray,
    service_name: Dictionary,
    service_namespace: Dictionary,
    service_version: Dictionary,
    instance: Dictionary,
    node: Dictionary,
    zone: Dictionary,
    protocol: Dictionary,
    peer_kind: Dictionary,
    peer: StringArray,
    peer_system: Dictionary,
    http_method: Dictionary,
    http_route: StringArray,
    http_status_code: Int32Array,
    rpc_service: StringArray,
    rpc_method: StringArray,
    grpc_status_code: Int32Array,
    messaging_destination: StringArray,
    error_type: StringArray,
    attributes: MapArray,
    events: ListArray,
    links: ListArray,
    dropped_attributes_count: UInt32Array,
    dropped_events_count: UInt32Array,
    dropped_links_count: UInt32Array,
    resource: Dictionary,
    scope: Dictionary,
}

impl<'a> Spans<'a> {
    /// How many rows.
    pub fn len(&self) -> usize {
        self.len
    }

    /// True when there are no rows.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Row `row`. Panics when it is out of range.
    pub fn get(&self, row: usize) -> SpanRef<'_> {
        assert!(row < self.len, "row {row} of {}", self.len);
        SpanRef { spans: self, row }
    }

    /// Whether any row is of that kind.
    pub fn has_kind(&self, kind: SpanKind) -> bool {
        self.kind.values().contains(&(kind as i32))
    }

    /// The rows in order.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = SpanRef<'_>> {
        (0..self.len).map(|row| self.get(row))
    }
}

/// One span, borrowed from its batch.
#[derive(Clone, Copy, Debug)]
pub struct SpanRef<'a> {
    spans: &'a Spans<'a>,
    row: usize,
}

macro_rules! texts {
    ($($(#[$doc:meta])* $field:ident),* $(,)?) => { $(
        $(#[$doc])*
        pub fn $field(self) -> Option<&'a str> {
            text(self.spans.$field, self.row)
        }
    )* };
}

macro_rules! dictionaries {
    ($($(#[$doc:meta])* $field:ident),* $(,)?) => { $(
        $(#[$doc])*
        pub fn $field(self) -> Option<&'a str> {
            dictionary_text(self.spans.$field, self.row)
        }
    )* };
}

impl<'a> SpanRef<'a> {
    /// The trace this span belongs to.
    pub fn trace_id(self) -> TraceId {
        TraceId(bytes(self.spans.trace_id, self.row))
    }

    /// The span's own id.
    pub fn span_id(self) -> SpanId {
        SpanId(bytes(self.spans.span_id, self.row))
    }

    /// The parent's id; none for a root.
    pub fn parent_span_id(self) -> Option<SpanId> {
        let column = self.spans.parent_span_id;
        column.is_valid(self.row).then(|| SpanId(bytes(column, self.row)))
    }

    /// W3C trace flags and is-remote bits.
    pub fn flags(self) -> u32 {
        self.spans.flags.value(self.row)
    }

    /// Span name.
    pub fn name(self) -> &'a str {
        self.spans.name.value(self.row)
    }

    /// Span kind.
    pub fn kind(self) -> SpanKind {
        match self.kind_number() {
            1 => SpanKind::Internal,
            2 => SpanKind::Server,
            3 => SpanKind::Client,
            4 => SpanKind::Producer,
            5 => SpanKind::Consumer,
            _ => SpanKind::Unspecified,
        }
    }

    /// Span kind as the number received.
    pub fn kind_number(self) -> i32 {
        self.spans.kind.value(self.row)
    }

    /// When it started.
    pub fn start(self) -> Timestamp {
        Timestamp(self.spans.start_time.value(self.row))
    }

    /// When it ended.
    pub fn end(self) -> Timestamp {
        Timestamp(self.start().0.wrapping_add(self.duration().0))
    }

    /// End minus start; negative when the sender's clock ran backwards.
    pub fn duration(self) -> DurationNs {
        DurationNs(self.spans.duration_ns.value(self.row))
    }

    /// Status code.
    pub fn status_code(self) -> StatusCode {
        match self.status_code_number() {
            1 => StatusCode::Ok,
            2 => StatusCode::Error,
            _ => StatusCode::Unset,
        }
    }

    /// Status code as the number received.
    pub fn status_code_number(self) -> i32 {
        self.spans.status_code.value(self.row)
    }

    /// Normalized failure, see [`crate::name::ERROR`].
    pub fn is_error(self) -> bool {
        self.spans.error.value(self.row)
    }

    /// An event tells of an error, see [`crate::name::ERROR_LOGGED`].
    pub fn is_error_logged(self) -> bool {
        self.spans.error_logged.value(self.row)
    }

    /// Keys of service, version, instance, node and resource in their dictionaries; none for null. Rows of one batch with
    /// the same keys have the same sender; what a key stands for differs from batch to batch.
    pub fn sender_keys(self) -> [Option<u32>; 5] {
        let Spans {
            service_name,
            service_version,
            instance,
            node,
            resource,
            ..
        } = self.spans;
        [service_name, service_version, instance, node, resource]
            .map(|column| column.key(self.row).map(|key| key as u32))
    }

    /// Resource `service.name`, or `unknown_service`.
    pub fn service_name(self) -> &'a str {
        dictionary_text(self.spans.service_name, self.row).unwrap_or("unknown_service")
    }

    texts! {
        /// W3C trace state.
        trace_state,
        /// Status message.
        status_message,
        /// The callee as the caller names it, see [`crate::name::PEER`].
        peer,
        /// `http.route`.
        http_route,
        /// `rpc.service`.
        rpc_service,
        /// `rpc.method`.
        rpc_method,
        /// Message queue or topic.
        messaging_destination,
        /// Class of the error.
        error_type,
    }

    dictionaries! {
        /// Namespace of the service.
        service_namespace,
        /// Version of the service.
        service_version,
        /// Instance (pod) of the service, see [`crate::name::INSTANCE`].
        instance,
        /// Machine under the instance, see [`crate::name::NODE`].
        node,
        /// Availability zone.
        zone,
        /// Protocol of the call, see [`crate::name::PROTOCOL`].
        protocol,
        /// Kind of the callee, see [`crate::name::PEER_KIND`].
        peer_kind,
        /// Technology of the callee.
        peer_system,
        /// HTTP method.
        http_method,
        /// Resource as OTLP/JSON, see [`crate::name::RESOURCE`].
        resource,
        /// Scope as OTLP/JSON, see [`crate::name::SCOPE`].
        scope,
    }

    /// HTTP status code of the response.
    pub fn http_status_code(self) -> Option<i32> {
        let column = self.spans.http_status_code;
        column.is_valid(self.row).then(|| column.value(self.row))
    }

    /// gRPC status code of the response.
    pub fn grpc_status_code(self) -> Option<i32> {
        let column = self.spans.grpc_status_code;
        column.is_valid(self.row).then(|| column.value(self.row))
    }

    /// Attributes, events and links that the sender dropped.
    pub fn dropped_counts(self) -> (u32, u32, u32) {
        (
            self.spans.dropped_attributes_count.value(self.row),
            self.spans.dropped_events_count.value(self.row),
            self.spans.dropped_links_count.value(self.row),
        )
    }

    /// Every attribute, in the order received.
    pub fn attributes(self) -> Attributes<'a> {
        Attributes::new(self.spans.attributes, self.row)
    }

    /// The value of the first attribute of that key. Linear in the number of attributes.
    pub fn attribute(self, key: &str) -> Option<AttributeValue<'a>> {
        self.attributes().find(|(k, _)| *k == key).map(|(_, value)| value)
    }

    /// Events, in the order received.
    pub fn events(self) -> impl ExactSizeIterator<Item = Event<'a>> {
        let (items, range) = list(self.spans.events, self.row);
        range.map(move |row| Event {
            time: Timestamp(items.column(0).as_primitive::<TimestampNanosecondType>().value(row)),
            name: items.column(1).as_string::<i32>().value(row),
            attributes: Attributes::new(items.column(2).as_map(), row),
            dropped_attributes_count: items.column(3).as_primitive::<UInt32Type>().value(row),
        })
    }

    /// Links, in the order received.
    pub fn links(self) -> impl ExactSizeIterator<Item = Link<'a>> {
        let (items, range) = list(self.spans.links, self.row);
        range.map(move |row| Link {
            trace_id: TraceId(bytes(items.column(0).as_fixed_size_binary(), row)),
            span_id: SpanId(bytes(items.column(1).as_fixed_size_binary(), row)),
            trace_state: text(items.column(2).as_string::<i32>(), row),
            attributes: Attributes::new(items.column(3).as_map(), row),
            dropped_attributes_count: items.column(4).as_primitive::<UInt32Type>().value(row),
            flags: items.column(5).as_primitive::<UInt32Type>().value(row),
        })
    }
}

/// One event of a span.
#[derive(Clone, Debug)]
pub struct Event<'a> {
    /// When it happened.
    pub time: Timestamp,
    /// Its name.
    pub name: &'a str,
    /// Its attributes.
    pub attributes: Attributes<'a>,
    /// Attributes that the sender dropped.
    pub dropped_attributes_count: u32,
}

/// One link of a span to another.
#[derive(Clone, Debug)]
pub struct Link<'a> {
    /// Trace of the other span.
    pub trace_id: TraceId,
    /// The other span.
    pub span_id: SpanId,
    /// W3C trace state of the other.
    pub trace_state: Option<&'a str>,
    /// Attributes of the link.
    pub attributes: Attributes<'a>,
    /// Attributes that the sender dropped.
    pub dropped_attributes_count: u32,
    /// W3C trace flags of the other.
    pub flags: u32,
}

/// Iterates over attributes as `(key, value)`, in the order received.
#[derive(Clone, Debug)]
pub struct Attributes<'a> {
    keys: &'a StringArray,
    string: &'a StringArray,
    int: &'a Int64Array,
    double: &'a Float64Array,
    boolean: &'a BooleanArray,
    bytes: &'a BinaryArray,
    json: &'a StringArray,
    rows: Range<usize>,
}

impl<'a> Attributes<'a> {
    fn new(map: &'a MapArray, row: usize) -> Self {
        let offsets = map.value_offsets();
        let values = map.values().as_struct();
        Self {
            keys: map.keys().as_string(),
            string: values.column(0).as_string(),
            int: values.column(1).as_primitive::<Int64Type>(),
            double: values.column(2).as_primitive::<Float64Type>(),
            boolean: values.column(3).as_boolean(),
            bytes: values.column(4).as_binary(),
            json: values.column(5).as_string(),
            rows: offsets[row] as usize..offsets[row + 1] as usize,
        }
    }

    fn value(&self, row: usize) -> AttributeValue<'a> {
        if self.string.is_valid(row) {
            AttributeValue::String(self.string.value(row))
        } else if self.int.is_valid(row) {
            AttributeValue::Int(self.int.value(row))
        } else if self.double.is_valid(row) {
            AttributeValue::Double(self.double.value(row))
        } else if self.boolean.is_valid(row) {
            AttributeValue::Bool(self.boolean.value(row))
        } else if self.bytes.is_valid(row) {
            AttributeValue::Bytes(self.bytes.value(row))
        } else if self.json.is_valid(row) {
            AttributeValue::Json(self.json.value(row))
        } else {
            AttributeValue::Empty
        }
    }
}

impl<'a> Iterator for Attributes<'a> {
    type Item = (&'a str, AttributeValue<'a>);

    fn next(&mut self) -> Option<Self::Item> {
        let row = self.rows.next()?;
        Some((self.keys.value(row), self.value(row)))
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        self.rows.size_hint()
    }
}

impl ExactSizeIterator for Attributes<'_> {}

fn bytes<const N: usize>(column: &FixedSizeBinaryArray, row: usize) -> [u8; N] {
    column.value(row).try_into().expect("the column's type gives the width")
}

fn text(column: &StringArray, row: usize) -> Option<&str> {
    column.is_valid(row).then(|| column.value(row))
}

fn dictionary_text(column: &Dictionary, row: usize) -> Option<&str> {
    let key = column.key(row)?;
    let values = column.values().as_string::<i32>();
    values.is_valid(key).then(|| values.value(key))
}

fn list(column: &ListArray, row: usize) -> (&StructArray, Range<usize>) {
    let offsets = column.value_offsets();
    (
        column.values().as_struct(),
        offsets[row] as usize..offsets[row + 1] as usize,
    )
}
