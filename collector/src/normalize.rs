//! Normalization: what the semantic conventions say, old names and new, as the promoted columns of the schema.
//!
//! Pure and one span at a time. While a span is walked its attributes are *observed*: a reference to each value that
//! matters is kept by meaning, not by name. At the end the columns are derived from those. The first attribute of a key
//! wins, as [`epicenter_schema::SpanRef::attribute`] reads it, and an empty text counts as absent.
//!
//! Source: OpenTelemetry semantic conventions 1.4 to 1.37 (the renamings are listed in `keys`).

mod keys;
mod peer;
mod resource;

pub(crate) use peer::HOST_PORT_MAX;
pub(crate) use resource::ResourceFacts;

use epicenter_schema::{RawValue, SpanRow};
use keys::{NUMBERS, Number, TEXTS, Text};

/// HTTP statuses from here on are failures, whoever says so.
const HTTP_SERVER_ERROR: i64 = 500;
const STATUS_OK: i32 = 1;
const STATUS_ERROR: i32 = 2;
/// gRPC statuses that are failures of the callee or of the way to it: UNKNOWN, DEADLINE_EXCEEDED, RESOURCE_EXHAUSTED,
/// UNIMPLEMENTED, INTERNAL, UNAVAILABLE, DATA_LOSS. The others tell the caller that it asked wrongly.
const GRPC_FAILURES: [i64; 7] = [2, 4, 8, 12, 13, 14, 15];
/// The gRPC statuses by name, in the order of their numbers.
const GRPC_NAMES: [&[u8]; 17] = [
    b"OK",
    b"CANCELLED",
    b"UNKNOWN",
    b"INVALID_ARGUMENT",
    b"DEADLINE_EXCEEDED",
    b"NOT_FOUND",
    b"ALREADY_EXISTS",
    b"PERMISSION_DENIED",
    b"RESOURCE_EXHAUSTED",
    b"FAILED_PRECONDITION",
    b"ABORTED",
    b"OUT_OF_RANGE",
    b"UNIMPLEMENTED",
    b"INTERNAL",
    b"UNAVAILABLE",
    b"DATA_LOSS",
    b"UNAUTHENTICATED",
];
/// Severities of log lines, kept as events, that tell of an error.
const ERROR_SEVERITIES: [&[u8]; 6] = [b"ERROR", b"error", b"Error", b"FATAL", b"fatal", b"CRITICAL"];
/// Databases that are caches by trade.
const CACHES: [&[u8]; 9] = [
    b"redis",
    b"memcached",
    b"valkey",
    b"hazelcast",
    b"keydb",
    b"dragonfly",
    b"ehcache",
    b"infinispan",
    b"ignite",
];

/// What the attributes of one span say, by meaning.
#[derive(Debug)]
pub(crate) struct SpanFacts<'a> {
    texts: [&'a [u8]; TEXTS],
    numbers: [Option<i64>; NUMBERS],
    is_database: bool,
    is_marked_failed: bool,
    exception_type: &'a [u8],
    error_logged: bool,
}

impl Default for SpanFacts<'_> {
    fn default() -> Self {
        Self {
            texts: [b""; TEXTS],
            numbers: [None; NUMBERS],
            is_database: false,
            is_marked_failed: false,
            exception_type: b"",
            error_logged: false,
        }
    }
}

/// The boundary that a span crosses.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Protocol {
    Http,
    Grpc,
    Rmi,
    Rpc,
    Messaging,
    Database,
    Cache,
}

impl Protocol {
    fn as_bytes(self) -> &'static [u8] {
        match self {
            Self::Http => b"http",
            Self::Grpc => b"grpc",
            Self::Rmi => b"rmi",
            Self::Rpc => b"rpc",
            Self::Messaging => b"messaging",
            Self::Database => b"database",
            Self::Cache => b"cache",
        }
    }

    fn peer_kind(self) -> &'static [u8] {
        match self {
            Self::Http | Self::Grpc | Self::Rmi | Self::Rpc => b"service",
            Self::Messaging => b"queue",
            Self::Database => b"database",
            Self::Cache => b"cache",
        }
    }
}

impl<'a> SpanFacts<'a> {
    /// Takes note of a span attribute that is not a list.
    #[inline]
    pub(crate) fn observe(&mut self, key: &'a [u8], value: RawValue<'a>) {
        match keys::meaning(key) {
            None => {}
            Some(keys::Meaning::Text(slot)) => {
                if let RawValue::String(text) = value
                    && self.texts[slot as usize].is_empty()
                {
                    self.texts[slot as usize] = text;
                }
            }
            Some(keys::Meaning::Number(slot)) => {
                let slot = &mut self.numbers[slot as usize];
                *slot = slot.or_else(|| number(value));
            }
            Some(keys::Meaning::DatabaseMark) => self.is_database = true,
            Some(keys::Meaning::ErrorMark) => {
                self.is_marked_failed |= matches!(value, RawValue::Bool(true) | RawValue::String(b"true"));
            }
        }
    }

    /// Takes note of an attribute of an event.
    #[inline]
    pub(crate) fn observe_event(&mut self, key: &'a [u8], value: RawValue<'a>) {
        let RawValue::String(text) = value else { return };
        match key {
            b"exception.type" if self.exception_type.is_empty() => self.exception_type = text,
            b"log.severity" | b"severity" | b"severity_text" | b"level" | b"log.level" => {
                self.error_logged |= ERROR_SEVERITIES.contains(&text);
            }
            _ => {}
        }
    }

    /// Takes note of the name of an event.
    #[inline]
    pub(crate) fn observe_event_name(&mut self, name: &[u8]) {
        self.error_logged |= name == b"exception";
    }

    /// Fills the promoted columns of a span whose kind and status are already in the row.
    pub(crate) fn normalize(&self, row: &mut SpanRow<'a>) {
        let protocol = self.protocol(row.kind);
        let http_status = self.first_number([Number::HttpStatus, Number::HttpStatusOld]);
        let grpc_status = self.numbers[Number::GrpcStatus as usize];
        row.protocol = protocol.map(Protocol::as_bytes);
        row.http_method = self.first([Text::HttpMethod, Text::HttpMethodOld]);
        row.http_route = self.first([Text::HttpRoute]);
        row.http_status_code = http_status.and_then(|code| i32::try_from(code).ok());
        row.grpc_status_code = grpc_status.and_then(|code| i32::try_from(code).ok());
        (row.rpc_service, row.rpc_method) = self.rpc();
        row.messaging_destination = self.destination(row.kind);
        row.error_type = self.first([Text::ErrorType]).or(non_empty(self.exception_type));
        row.error = match row.status_code {
            STATUS_ERROR => true,
            STATUS_OK => false,
            _ => self.is_failed(http_status, grpc_status),
        };
        row.error_logged = self.error_logged;
        self.normalize_peer(protocol, row);
    }

    /// Whether a span that has no status says otherwise that it failed: by the code of its protocol; where it has none, because no
    /// answer came, by the type of its error; or by the mark of OpenTracing.
    fn is_failed(&self, http_status: Option<i64>, grpc_status: Option<i64>) -> bool {
        let by_type = || !self.texts[Text::ErrorType as usize].is_empty();
        let by_code = match (http_status, grpc_status) {
            (None, None) => by_type(),
            (http, grpc) => {
                http.is_some_and(|code| code >= HTTP_SERVER_ERROR)
                    || grpc.is_some_and(|code| GRPC_FAILURES.contains(&code))
            }
        };
        by_code || self.is_marked_failed
    }

    fn protocol(&self, kind: i32) -> Option<Protocol> {
        let has = |slot: Text| !self.texts[slot as usize].is_empty();
        let rpc_system = self.first([Text::RpcSystem, Text::RpcSystemOld]);
        if has(Text::MessagingSystem) || peer::is_messaging_kind(kind) {
            Some(Protocol::Messaging)
        } else if let Some(system) = self.database_system() {
            Some(if CACHES.contains(&system) {
                Protocol::Cache
            } else {
                Protocol::Database
            })
        } else if self.is_database {
            Some(Protocol::Database)
        } else if let Some(system) = rpc_system {
            Some(match system {
                b"grpc" => Protocol::Grpc,
                b"java_rmi" => Protocol::Rmi,
                _ => Protocol::Rpc,
            })
        } else if self.numbers[Number::GrpcStatus as usize].is_some() {
            Some(Protocol::Grpc)
        } else if has(Text::RpcService) {
            Some(Protocol::Rpc)
        } else if has(Text::HttpMethod)
            || has(Text::HttpMethodOld)
            || has(Text::UrlFull)
            || has(Text::UrlFullOld)
            || self.first_number([Number::HttpStatus, Number::HttpStatusOld]).is_some()
        {
            Some(Protocol::Http)
        } else {
            None
        }
    }

    fn database_system(&self) -> Option<&'a [u8]> {
        self.first([Text::DbSystem, Text::DbSystemOld])
    }

    /// Service and method. The newest convention writes both into `rpc.method`, as `package.Service/Method`.
    fn rpc(&self) -> (Option<&'a [u8]>, Option<&'a [u8]>) {
        let service = self.first([Text::RpcService]);
        let method = self.first([Text::RpcMethod]);
        if service.is_none()
            && let Some(full) = method
            && let Some(slash) = full.iter().rposition(|b| *b == b'/')
        {
            return (non_empty(&full[..slash]), non_empty(&full[slash + 1..]));
        }
        (service, method)
    }

    fn destination(&self, kind: i32) -> Option<&'a [u8]> {
        let named = self.first([
            Text::Destination,
            Text::DestinationOld,
            Text::RoutingKey,
            Text::RoutingKeyOld,
        ])?;
        let is_rabbit = self.texts[Text::MessagingSystem as usize] == b"rabbitmq";
        Some(peer::queue_name(named, kind, is_rabbit))
    }

    fn first<const N: usize>(&self, slots: [Text; N]) -> Option<&'a [u8]> {
        slots
            .into_iter()
            .map(|slot| self.texts[slot as usize])
            .find(|text| !text.is_empty())
    }

    fn first_number<const N: usize>(&self, slots: [Number; N]) -> Option<i64> {
        slots.into_iter().find_map(|slot| self.numbers[slot as usize])
    }
}

fn non_empty(text: &[u8]) -> Option<&[u8]> {
    (!text.is_empty()).then_some(text)
}

/// An integer, also when the sender wrote it as text or, for gRPC, by name.
fn number(value: RawValue<'_>) -> Option<i64> {
    match value {
        RawValue::Int(number) => Some(number),
        RawValue::Double(number) if number.fract() == 0.0 => Some(number as i64),
        RawValue::String(text) => {
            let named = || {
                GRPC_NAMES
                    .iter()
                    .position(|name| *name == text)
                    .map(|index| index as i64)
            };
            std::str::from_utf8(text).ok()?.parse().ok().or_else(named)
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests;
