//! What of a small system is sent, and how.

use epicenter_schema::{ResourceRow, SpanBatch, SpanBatchBuilder, SpanRow};
use std::collections::HashMap;

pub(super) const CLIENT: i32 = 3;

/// Which spans are sent. What hung below others hangs below whatever is above those.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(in crate::tests) enum Sends {
    /// All.
    All,
    /// None of calls to services: those to stores remain.
    NoCalls,
    /// None of a service.
    NoneOf(&'static str),
}

impl Sends {
    fn leaves_out(self, span: &Made) -> bool {
        match self {
            Self::All => false,
            Self::NoCalls => span.kind == CLIENT && span.peer.is_none_or(|(kind, _)| kind == "service"),
            Self::NoneOf(service) => span.service == service,
        }
    }

    pub(super) fn of(self, mut spans: Vec<Made>) -> Vec<Made> {
        let left_out = spans.iter().filter(|span| self.leaves_out(span));
        let above: HashMap<u64, u64> = left_out.map(|span| (span.id, span.parent)).collect();
        spans.retain(|span| !above.contains_key(&span.id));
        for span in &mut spans {
            while let Some(parent) = above.get(&span.parent) {
                span.parent = *parent;
            }
        }
        spans
    }
}

/// One span, owned.
#[derive(Clone, Debug)]
pub(super) struct Made {
    pub(super) trace: u64,
    pub(super) id: u64,
    pub(super) parent: u64,
    pub(super) service: &'static str,
    pub(super) pod: u64,
    pub(super) version: &'static str,
    pub(super) name: String,
    pub(super) kind: i32,
    pub(super) start: i64,
    pub(super) duration: i64,
    pub(super) error: bool,
    pub(super) peer: Option<(&'static str, &'static str)>,
}

pub(super) fn batch(spans: &[Made]) -> SpanBatch {
    let mut builder = SpanBatchBuilder::with_capacity(spans.len());
    for span in spans {
        let instance = format!("{}-{}", span.service, span.pod);
        let node = format!("node-{}", span.pod);
        builder.set_resource(&ResourceRow {
            service_name: span.service.as_bytes(),
            service_version: Some(span.version.as_bytes()),
            instance: Some(instance.as_bytes()),
            node: Some(node.as_bytes()),
            json: b"{}",
            ..ResourceRow::default()
        });
        let mut trace_id = [0; 16];
        trace_id[8..].copy_from_slice(&(span.trace + 1).to_be_bytes());
        builder.commit(&SpanRow {
            trace_id,
            span_id: span.id.to_be_bytes(),
            parent_span_id: (span.parent != 0).then(|| span.parent.to_be_bytes()),
            name: span.name.as_bytes(),
            kind: span.kind,
            start_time: span.start,
            duration_ns: span.duration,
            status_code: if span.error { 2 } else { 0 },
            error: span.error,
            peer_kind: span.peer.map(|(kind, _)| kind.as_bytes()),
            peer: span.peer.map(|(_, name)| name.as_bytes()),
            protocol: span
                .peer
                .map(|(kind, _)| if kind == "service" { "http" } else { kind }.as_bytes()),
            ..SpanRow::default()
        });
    }
    builder.finish().expect("valid text")
}

/// Source: splitmix64 (Steele, Lea, Flood 2014).
pub(super) fn mix(value: u64) -> u64 {
    let z = value.wrapping_mul(0x9e37_79b9_7f4a_7c15);
    let z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}
