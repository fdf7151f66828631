//! Bare telemetry: spans of instrumentation that says less than the conventions ask for. What happens in the system is the same
//! with and without, and so are the ids of traces and spans.
//!
//! Whatever a span does not say is taken out of it when it gets its words. Calls alone are known to the world (`sim`), since the
//! span of the callee is then below the one around the call, and it has to be told so when it begins.

use crate::sim::World;
use clap::ValueEnum;
use epicenter_proto::otlp::trace::{Span, span::SpanKind};

/// Concrete identifiers that stand for one placeholder.
const IDENTIFIERS: u64 = 5_000;
/// What a name holds where a route has a parameter.
const PLACEHOLDER: &str = "{id}";
/// Attribute names of the conventions at present, and what they were before.
///
/// Source: OpenTelemetry semantic conventions, the migration guides of HTTP and of databases, and the list of deprecated names.
const OLD_NAMES: [(&str, &str); 10] = [
    ("http.request.method", "http.method"),
    ("http.response.status_code", "http.status_code"),
    ("url.full", "http.url"),
    ("url.path", "http.target"),
    ("server.address", "net.peer.name"),
    ("server.port", "net.peer.port"),
    ("db.system.name", "db.system"),
    ("db.query.text", "db.statement"),
    ("db.operation.name", "db.operation"),
    ("messaging.destination.name", "messaging.destination"),
];

/// Something that instrumentation does not say.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Without {
    /// Every span's kind
    Kinds,
    /// Spans of calls over HTTP and gRPC, to third parties too; what is asked of databases and caches, and messages, stay
    Calls,
    /// Every span's status; codes of HTTP and gRPC stay
    Status,
    /// Routes in names: each holds one of 5,000 identifiers instead of a placeholder
    Routes,
    /// Current names of attributes: old ones instead
    Names,
}

/// All that is not said.
#[derive(Clone, Debug, Default)]
pub(crate) struct Bare(Vec<Without>);

impl Bare {
    pub(crate) fn new(without: &[Without]) -> Self {
        Self(without.to_vec())
    }

    fn lacks(&self, what: Without) -> bool {
        self.0.contains(&what)
    }

    /// Takes the instrumentation of calls out of a world, before anything happens in it.
    pub(crate) fn untrace_calls(&self, world: &World) {
        world.traces_calls.set(!self.lacks(Without::Calls));
    }

    /// Takes out of a span what it does not say.
    pub(super) fn strip(&self, span: &mut Span) {
        // Which names hold a route depends on the kind, so it goes last.
        if self.lacks(Without::Routes) && matches!(span.kind(), SpanKind::Server | SpanKind::Client) {
            span.name = span.name.replace(PLACEHOLDER, &identifier(span).to_string());
        }
        if self.lacks(Without::Names) {
            for attribute in &mut span.attributes {
                if let Some((_, old)) = OLD_NAMES.iter().find(|(new, _)| *new == attribute.key) {
                    (*old).clone_into(&mut attribute.key);
                }
            }
        }
        if self.lacks(Without::Status) {
            span.status = None;
        }
        if self.lacks(Without::Kinds) {
            span.kind = SpanKind::Unspecified.into();
        }
    }
}

/// Of one span always the same. Span ids are random, so that all identifiers are as frequent.
fn identifier(span: &Span) -> u64 {
    let id = span.span_id.iter().fold(0, |id, byte| (id << 8) | u64::from(*byte));
    id % IDENTIFIERS
}

#[cfg(test)]
mod tests;
