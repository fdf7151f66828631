//! Traces and lists of traces.

use super::value::{AttributesDto, bag};
use crate::search::Page;
use epicenter_schema::{Event, Link, SpanKind, SpanRef, Spans, StatusCode, Timestamp, TraceId};
use serde::{Serialize, Serializer};
use serde_json::Value;

/// Spans of one trace that are written out; the answer tells how many there are.
pub const SPANS_MAX: usize = 20_000;

/// One trace.
#[derive(Serialize)]
pub struct TraceDto<'a> {
    /// Its id.
    pub trace_id: String,
    /// How many spans are kept of it.
    pub span_count: usize,
    /// Whether `spans` are only the first [`SPANS_MAX`] of them.
    pub truncated: bool,
    /// Its spans, by start, then id.
    pub spans: Vec<SpanDto<'a>>,
}

/// One span: exactly what was received.
#[derive(Serialize)]
pub struct SpanDto<'a> {
    /// Its id.
    pub span_id: String,
    /// The span that called it.
    pub parent_span_id: Option<String>,
    /// W3C trace state.
    pub trace_state: &'a str,
    /// W3C trace flags.
    pub flags: u32,
    /// Its operation.
    pub name: &'a str,
    /// `server`, `client`, `producer`, `consumer`, `internal` or `unspecified`.
    pub kind: &'static str,
    /// Who did it.
    pub service: &'a str,
    /// Which copy of the service.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub instance: Option<&'a str>,
    /// Which version of the service.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub version: Option<&'a str>,
    /// When it began.
    pub start_unix_nano: String,
    /// How long it took; negative when a clock ran backwards.
    pub duration_ns: String,
    /// What the sender said of its outcome.
    pub status: StatusDto<'a>,
    /// Whether it counts as failed.
    pub error: bool,
    /// Protocol of the call that it is an end of.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub protocol: Option<&'a str>,
    /// The callee as the caller names it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub peer: Option<&'a str>,
    /// Its attributes, in the order received.
    pub attributes: AttributesDto<'a>,
    /// Its events.
    #[serde(serialize_with = "events")]
    events: SpanRef<'a>,
    /// Its links.
    #[serde(serialize_with = "links")]
    links: SpanRef<'a>,
    /// Attributes that the sender dropped.
    pub dropped_attributes_count: u32,
    /// Events that the sender dropped.
    pub dropped_events_count: u32,
    /// Links that the sender dropped.
    pub dropped_links_count: u32,
    /// Who sent it, as OTLP/JSON.
    pub resource: Value,
    /// The library that made it, as OTLP/JSON.
    pub scope: Value,
}

/// Outcome of a span.
#[derive(Serialize)]
pub struct StatusDto<'a> {
    /// `unset`, `ok` or `error`.
    pub code: &'static str,
    /// In words.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub message: Option<&'a str>,
}

#[derive(Serialize)]
struct EventDto<'a> {
    time_unix_nano: String,
    name: &'a str,
    attributes: AttributesDto<'a>,
    dropped_attributes_count: u32,
}

#[derive(Serialize)]
struct LinkDto<'a> {
    trace_id: String,
    span_id: String,
    trace_state: &'a str,
    flags: u32,
    attributes: AttributesDto<'a>,
    dropped_attributes_count: u32,
}

/// A list of traces.
#[derive(Serialize)]
pub struct TracesDto<'a> {
    /// The traces in the order asked for.
    pub traces: Vec<TraceSummaryDto<'a>>,
    /// Where the next page begins; null on the last.
    pub next_cursor: Option<&'a str>,
    /// Traces on a page.
    pub limit: usize,
}

/// One trace in a list.
#[derive(Serialize)]
pub struct TraceSummaryDto<'a> {
    /// Its id.
    pub trace_id: String,
    /// Service of the span that has no parent, else of the first.
    pub root_service: &'a str,
    /// Name of that span.
    pub root_operation: &'a str,
    /// When its first span began.
    pub start_unix_nano: String,
    /// From there to the end of its last span.
    pub duration_ns: String,
    /// How many spans are kept of it.
    pub span_count: u64,
    /// How many of them failed.
    pub error_count: u64,
    /// Who took part, by name.
    pub services: Vec<&'a str>,
}

impl<'a> TracesDto<'a> {
    pub(crate) fn new(page: &'a Page, limit: usize) -> Self {
        let traces = page.traces.iter().map(|trace| TraceSummaryDto {
            trace_id: trace.trace.to_string(),
            root_service: &trace.root_service,
            root_operation: &trace.root_operation,
            start_unix_nano: unix_nano(Timestamp(trace.start)),
            duration_ns: trace.end.saturating_sub(trace.start).to_string(),
            span_count: trace.spans,
            error_count: trace.errors,
            services: trace.services.iter().map(String::as_str).collect(),
        });
        Self {
            traces: traces.collect(),
            next_cursor: page.next.as_deref(),
            limit,
        }
    }
}

impl<'a> TraceDto<'a> {
    /// The first spans of a trace, whose spans are sorted.
    pub fn new(trace: TraceId, batches: &'a [Spans<'a>]) -> Self {
        let span_count = batches.iter().map(Spans::len).sum();
        let all = batches.iter().flat_map(Spans::iter);
        let spans = all.take(SPANS_MAX).map(SpanDto::new).collect();
        Self {
            trace_id: trace.to_string(),
            span_count,
            truncated: span_count > SPANS_MAX,
            spans,
        }
    }
}

impl<'a> SpanDto<'a> {
    fn new(span: SpanRef<'a>) -> Self {
        let (dropped_attributes_count, dropped_events_count, dropped_links_count) = span.dropped_counts();
        Self {
            span_id: span.span_id().to_string(),
            parent_span_id: span.parent_span_id().map(|id| id.to_string()),
            trace_state: span.trace_state().unwrap_or_default(),
            flags: span.flags(),
            name: span.name(),
            kind: kind_word(span.kind()),
            service: span.service_name(),
            instance: span.instance(),
            version: span.service_version(),
            start_unix_nano: unix_nano(span.start()),
            duration_ns: span.duration().0.to_string(),
            status: StatusDto {
                code: status_word(span.status_code()),
                message: span.status_message(),
            },
            error: span.is_error(),
            protocol: span.protocol(),
            peer: span.peer(),
            attributes: AttributesDto(span.attributes()),
            events: span,
            links: span,
            dropped_attributes_count,
            dropped_events_count,
            dropped_links_count,
            resource: bag(span.resource(), "resource"),
            scope: bag(span.scope(), "scope"),
        }
    }
}

/// Nanoseconds since 1970 as OTLP has them, without a sign: a `Timestamp` carries the upper half of them as negative numbers.
pub(crate) fn unix_nano(time: Timestamp) -> String {
    (time.0 as u64).to_string()
}

fn events<S: Serializer>(span: &SpanRef<'_>, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_seq(span.events().map(|event: Event<'_>| EventDto {
        time_unix_nano: unix_nano(event.time),
        name: event.name,
        attributes: AttributesDto(event.attributes),
        dropped_attributes_count: event.dropped_attributes_count,
    }))
}

fn links<S: Serializer>(span: &SpanRef<'_>, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_seq(span.links().map(|link: Link<'_>| LinkDto {
        trace_id: link.trace_id.to_string(),
        span_id: link.span_id.to_string(),
        trace_state: link.trace_state.unwrap_or_default(),
        flags: link.flags,
        attributes: AttributesDto(link.attributes),
        dropped_attributes_count: link.dropped_attributes_count,
    }))
}

/// The word for a span kind.
pub(crate) fn kind_word(kind: SpanKind) -> &'static str {
    match kind {
        SpanKind::Unspecified => "unspecified",
        SpanKind::Internal => "internal",
        SpanKind::Server => "server",
        SpanKind::Client => "client",
        SpanKind::Producer => "producer",
        SpanKind::Consumer => "consumer",
    }
}

fn status_word(code: StatusCode) -> &'static str {
    match code {
        StatusCode::Unset => "unset",
        StatusCode::Ok => "ok",
        StatusCode::Error => "error",
    }
}
