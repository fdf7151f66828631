//! Building a [`SpanBatch`] span by span, straight from borrowed bytes.
//!
//! The columns are plain vectors in Arrow's own layout, so [`SpanBatchBuilder::finish`] moves them and copies nothing.
//! Texts are taken as bytes and each column is checked to be UTF-8 once, whole, at the end: that is several times
//! cheaper than checking every value, and a batch never holds text that is not text.
//!
//! The children of a span (attributes, events, links) are pushed as they are met, in any order between the kinds;
//! [`SpanBatchBuilder::commit`] then ends the span with its scalar values, or [`SpanBatchBuilder::rollback`] drops it.

mod attributes;
mod column;
mod nested;
mod row;

pub use nested::NestedBuilder;
pub use row::{LinkRow, RawValue, ResourceRow, SpanRow};

use crate::{Error, SpanBatch, arrow_schema, name};
use arrow::array::{ArrayRef, TimestampNanosecondArray};
use arrow::datatypes::{Int32Type, Int64Type, TimestampNanosecondType, UInt32Type};
use arrow::record_batch::RecordBatch;
use attributes::{AttributeColumn, EventColumn, LinkColumn};
use column::{Booleans, Bytes, Dictionary, Ids, Numbers};
use std::sync::Arc;

/// Bytes of a span's name that room is made for in advance.
const NAME_BYTES_EXPECTED: usize = 24;

/// A batch of spans that grows. See the module for the order of calls.
#[derive(Debug)]
pub struct SpanBatchBuilder {
    rows: usize,
    trace_id: Ids<16>,
    span_id: Ids<8>,
    parent_span_id: Ids<8>,
    trace_state: Bytes,
    flags: Numbers<UInt32Type>,
    name: Bytes,
    kind: Numbers<Int32Type>,
    start_time: Numbers<TimestampNanosecondType>,
    duration_ns: Numbers<Int64Type>,
    status_code: Numbers<Int32Type>,
    status_message: Bytes,
    error: Booleans,
    error_logged: Booleans,
    service_name: Dictionary,
    service_namespace: Dictionary,
    service_version: Dictionary,
    instance: Dictionary,
    node: Dictionary,
    zone: Dictionary,
    protocol: Dictionary,
    peer_kind: Dictionary,
    peer: Bytes,
    peer_system: Dictionary,
    http_method: Dictionary,
    http_route: Bytes,
    http_status_code: Numbers<Int32Type>,
    rpc_service: Bytes,
    rpc_method: Bytes,
    grpc_status_code: Numbers<Int32Type>,
    messaging_destination: Bytes,
    error_type: Bytes,
    attributes: AttributeColumn,
    events: EventColumn,
    links: LinkColumn,
    dropped_attributes_count: Numbers<UInt32Type>,
    dropped_events_count: Numbers<UInt32Type>,
    dropped_links_count: Numbers<UInt32Type>,
    resource: Dictionary,
    scope: Dictionary,
}

impl SpanBatchBuilder {
    /// A builder with room for about `spans` spans; it grows beyond that.
    pub fn with_capacity(spans: usize) -> Self {
        Self {
            rows: 0,
            trace_id: Ids::with_capacity(spans),
            span_id: Ids::with_capacity(spans),
            parent_span_id: Ids::with_capacity(spans),
            trace_state: Bytes::sparse(spans),
            flags: Numbers::with_capacity(spans),
            name: Bytes::with_capacity(spans, spans * NAME_BYTES_EXPECTED),
            kind: Numbers::with_capacity(spans),
            start_time: Numbers::with_capacity(spans),
            duration_ns: Numbers::with_capacity(spans),
            status_code: Numbers::with_capacity(spans),
            status_message: Bytes::sparse(spans),
            error: Booleans::default(),
            error_logged: Booleans::default(),
            service_name: Dictionary::sparse(spans),
            service_namespace: Dictionary::sparse(spans),
            service_version: Dictionary::sparse(spans),
            instance: Dictionary::sparse(spans),
            node: Dictionary::sparse(spans),
            zone: Dictionary::sparse(spans),
            protocol: Dictionary::sparse(spans),
            peer_kind: Dictionary::sparse(spans),
            peer: Bytes::sparse(spans),
            peer_system: Dictionary::sparse(spans),
            http_method: Dictionary::sparse(spans),
            http_route: Bytes::sparse(spans),
            http_status_code: Numbers::sparse(spans),
            rpc_service: Bytes::sparse(spans),
            rpc_method: Bytes::sparse(spans),
            grpc_status_code: Numbers::sparse(spans),
            messaging_destination: Bytes::sparse(spans),
            error_type: Bytes::sparse(spans),
            attributes: AttributeColumn::with_capacity(0),
            events: EventColumn::new(),
            links: LinkColumn::new(),
            dropped_attributes_count: Numbers::with_capacity(spans),
            dropped_events_count: Numbers::with_capacity(spans),
            dropped_links_count: Numbers::with_capacity(spans),
            resource: Dictionary::sparse(spans),
            scope: Dictionary::sparse(spans),
        }
    }

    /// How many spans were committed.
    pub fn len(&self) -> usize {
        self.rows
    }

    /// True before the first commit.
    pub fn is_empty(&self) -> bool {
        self.rows == 0
    }

    /// The resource of the spans committed from here on. Costs nothing a span. Before the first call it is that of
    /// `unknown_service`.
    pub fn set_resource(&mut self, resource: &ResourceRow<'_>) {
        let row = self.rows;
        self.service_name.switch(row, Some(resource.service_name));
        self.service_namespace.switch(row, resource.service_namespace);
        self.service_version.switch(row, resource.service_version);
        self.instance.switch(row, resource.instance);
        self.node.switch(row, resource.node);
        self.zone.switch(row, resource.zone);
        self.resource.switch(row, Some(resource.json));
    }

    /// The scope of the spans committed from here on, as OTLP/JSON, see [`name::SCOPE`]. Costs nothing a span.
    /// Before the first call it is `{}`.
    pub fn set_scope(&mut self, json: &[u8]) {
        self.scope.switch(self.rows, Some(json));
    }

    /// Adds an attribute to the open span.
    pub fn attribute(&mut self, key: &[u8], value: RawValue<'_>) {
        self.attributes.push(key, value);
    }

    /// Adds an attribute to the open event.
    pub fn event_attribute(&mut self, key: &[u8], value: RawValue<'_>) {
        self.events.attributes.push(key, value);
    }

    /// Ends an event of the open span; the attributes pushed since the last event are its own.
    pub fn event(&mut self, time_unix_nano: i64, name: &[u8], dropped_attributes_count: u32) {
        self.events.push(time_unix_nano, name, dropped_attributes_count);
    }

    /// Adds an attribute to the open link.
    pub fn link_attribute(&mut self, key: &[u8], value: RawValue<'_>) {
        self.links.attributes.push(key, value);
    }

    /// Ends a link of the open span; the attributes pushed since the last link are its own.
    pub fn link(&mut self, link: &LinkRow<'_>) {
        self.links.push(link);
    }

    /// Drops the open span: whatever was pushed since the last commit.
    ///
    /// # Errors
    /// [`Error::Text`] when what is dropped held text that is not UTF-8, which makes the whole message malformed.
    pub fn rollback(&mut self) -> Result<(), Error> {
        self.attributes.reopen()?;
        self.events.reopen()?;
        self.links.reopen()
    }

    /// Ends the open span with its scalar values; what was pushed since the last commit is its own.
    pub fn commit(&mut self, span: &SpanRow<'_>) {
        let row = self.rows;
        if row == 0 {
            self.commit_first();
        }
        self.trace_id.set(row, span.trace_id);
        self.span_id.set(row, span.span_id);
        if let Some(parent) = span.parent_span_id {
            self.parent_span_id.set(row, parent);
        }
        if !span.trace_state.is_empty() {
            self.trace_state.set(row, span.trace_state);
        }
        self.flags.push(span.flags);
        self.name.push(span.name);
        self.kind.push(span.kind);
        self.start_time.push(span.start_time);
        self.duration_ns.push(span.duration_ns);
        self.status_code.push(span.status_code);
        if !span.status_message.is_empty() {
            self.status_message.set(row, span.status_message);
        }
        self.error.set(row, span.error);
        self.error_logged.set(row, span.error_logged);
        self.commit_normalized(row, span);
        self.attributes.close();
        self.events.close();
        self.links.close();
        self.dropped_attributes_count.push(span.dropped_attributes_count);
        self.dropped_events_count.push(span.dropped_events_count);
        self.dropped_links_count.push(span.dropped_links_count);
        self.rows += 1;
    }

    /// What every span must have and nobody gave.
    fn commit_first(&mut self) {
        if !self.resource.is_switched() {
            self.set_resource(&ResourceRow {
                service_name: b"unknown_service",
                json: b"{}",
                ..ResourceRow::default()
            });
        }
        if !self.scope.is_switched() {
            self.set_scope(b"{}");
        }
    }

    fn commit_normalized(&mut self, row: usize, span: &SpanRow<'_>) {
        let dictionaries = [
            (&mut self.protocol, span.protocol),
            (&mut self.peer_kind, span.peer_kind),
            (&mut self.peer_system, span.peer_system),
            (&mut self.http_method, span.http_method),
        ];
        for (column, value) in dictionaries {
            if let Some(value) = value {
                column.set(row, value);
            }
        }
        let texts = [
            (&mut self.peer, span.peer),
            (&mut self.http_route, span.http_route),
            (&mut self.rpc_service, span.rpc_service),
            (&mut self.rpc_method, span.rpc_method),
            (&mut self.messaging_destination, span.messaging_destination),
            (&mut self.error_type, span.error_type),
        ];
        for (column, value) in texts {
            if let Some(value) = value {
                column.set(row, value);
            }
        }
        if let Some(code) = span.http_status_code {
            self.http_status_code.set(row, code);
        }
        if let Some(code) = span.grpc_status_code {
            self.grpc_status_code.set(row, code);
        }
    }

    /// The batch. An open span is dropped.
    ///
    /// # Errors
    /// [`Error::Text`] when a text is not UTF-8; [`Error::TooLong`] when a column holds more than 2 GiB.
    pub fn finish(mut self) -> Result<SpanBatch, Error> {
        self.rollback()?;
        let n = self.rows;
        let start_time: TimestampNanosecondArray = self.start_time.required().with_timezone("UTC");
        let columns: Vec<ArrayRef> = vec![
            self.trace_id.finish(n),
            self.span_id.finish(n),
            self.parent_span_id.finish(n),
            self.trace_state.optional(n, name::TRACE_STATE)?,
            Arc::new(self.flags.required()),
            self.name.required(n, name::NAME)?,
            Arc::new(self.kind.required()),
            Arc::new(start_time),
            Arc::new(self.duration_ns.required()),
            Arc::new(self.status_code.required()),
            self.status_message.optional(n, name::STATUS_MESSAGE)?,
            self.error.finish(n),
            self.error_logged.finish(n),
            self.service_name.finish(n, name::SERVICE_NAME)?,
            self.service_namespace.finish(n, name::SERVICE_NAMESPACE)?,
            self.service_version.finish(n, name::SERVICE_VERSION)?,
            self.instance.finish(n, name::INSTANCE)?,
            self.node.finish(n, name::NODE)?,
            self.zone.finish(n, name::ZONE)?,
            self.protocol.finish(n, name::PROTOCOL)?,
            self.peer_kind.finish(n, name::PEER_KIND)?,
            self.peer.optional(n, name::PEER)?,
            self.peer_system.finish(n, name::PEER_SYSTEM)?,
            self.http_method.finish(n, name::HTTP_METHOD)?,
            self.http_route.optional(n, name::HTTP_ROUTE)?,
            self.http_status_code.optional(n),
            self.rpc_service.optional(n, name::RPC_SERVICE)?,
            self.rpc_method.optional(n, name::RPC_METHOD)?,
            self.grpc_status_code.optional(n),
            self.messaging_destination.optional(n, name::MESSAGING_DESTINATION)?,
            self.error_type.optional(n, name::ERROR_TYPE)?,
            self.attributes.finish()?,
            self.events.finish()?,
            self.links.finish()?,
            Arc::new(self.dropped_attributes_count.required()),
            Arc::new(self.dropped_events_count.required()),
            Arc::new(self.dropped_links_count.required()),
            self.resource.finish(n, name::RESOURCE)?,
            self.scope.finish(n, name::SCOPE)?,
        ];
        let batch = RecordBatch::try_new(arrow_schema(), columns).expect("the builder has the columns of the schema");
        SpanBatch::try_new(batch)
    }
}

#[cfg(test)]
mod tests;
