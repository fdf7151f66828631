//! What a builder is given: borrowed rows, with texts as raw bytes that are checked when the batch is finished.

/// One attribute's value as received. Texts are bytes that claim to be UTF-8.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum RawValue<'a> {
    /// Text.
    String(&'a [u8]),
    /// A signed integer of 64 bits.
    Int(i64),
    /// A double, bit for bit.
    Double(f64),
    /// A truth value.
    Bool(bool),
    /// Raw bytes.
    Bytes(&'a [u8]),
    /// The OTLP/JSON of an array or key-value list.
    Json(&'a [u8]),
    /// A key without a value.
    Empty,
}

/// What all spans of one resource share. Texts are bytes that claim to be UTF-8.
#[derive(Clone, Copy, Debug, Default)]
pub struct ResourceRow<'a> {
    /// See [`crate::name::SERVICE_NAME`].
    pub service_name: &'a [u8],
    /// See [`crate::name::SERVICE_NAMESPACE`].
    pub service_namespace: Option<&'a [u8]>,
    /// See [`crate::name::SERVICE_VERSION`].
    pub service_version: Option<&'a [u8]>,
    /// See [`crate::name::INSTANCE`].
    pub instance: Option<&'a [u8]>,
    /// See [`crate::name::NODE`].
    pub node: Option<&'a [u8]>,
    /// See [`crate::name::ZONE`].
    pub zone: Option<&'a [u8]>,
    /// See [`crate::name::RESOURCE`].
    pub json: &'a [u8],
}

/// Everything of one span that is one value. Texts are bytes that claim to be UTF-8; field names are those of the
/// columns in [`crate::name`].
#[derive(Clone, Copy, Debug, Default)]
#[expect(
    missing_docs,
    reason = "each field is the column of its name, described in crate::name"
)]
pub struct SpanRow<'a> {
    pub trace_id: [u8; 16],
    pub span_id: [u8; 8],
    pub parent_span_id: Option<[u8; 8]>,
    /// Empty for none.
    pub trace_state: &'a [u8],
    pub flags: u32,
    pub name: &'a [u8],
    pub kind: i32,
    pub start_time: i64,
    pub duration_ns: i64,
    pub status_code: i32,
    /// Empty for none.
    pub status_message: &'a [u8],
    pub error: bool,
    pub error_logged: bool,
    pub protocol: Option<&'a [u8]>,
    pub peer_kind: Option<&'a [u8]>,
    pub peer: Option<&'a [u8]>,
    pub peer_system: Option<&'a [u8]>,
    pub http_method: Option<&'a [u8]>,
    pub http_route: Option<&'a [u8]>,
    pub http_status_code: Option<i32>,
    pub rpc_service: Option<&'a [u8]>,
    pub rpc_method: Option<&'a [u8]>,
    pub grpc_status_code: Option<i32>,
    pub messaging_destination: Option<&'a [u8]>,
    pub error_type: Option<&'a [u8]>,
    pub dropped_attributes_count: u32,
    pub dropped_events_count: u32,
    pub dropped_links_count: u32,
}

/// One link, without its attributes. Ids of a wrong length are given as zeros.
#[derive(Clone, Copy, Debug, Default)]
pub struct LinkRow<'a> {
    /// Trace of the other span.
    pub trace_id: [u8; 16],
    /// The other span.
    pub span_id: [u8; 8],
    /// W3C trace state of the other; empty for none.
    pub trace_state: &'a [u8],
    /// Attributes that the sender dropped.
    pub dropped_attributes_count: u32,
    /// W3C trace flags of the other.
    pub flags: u32,
}
