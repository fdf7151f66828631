//! The conditions of a search, from the parameters of a request.

use super::attribute;
use super::cursor::Position;
use crate::http::params::{Params, Problem};
use epicenter_schema::Timestamp;
pub(crate) use epicenter_storage::Order;
use epicenter_storage::{Attribute, Operator, Scope, Test};

/// Traces on a page: by default and at most.
const LIMIT_DEFAULT: usize = 20;
const LIMIT_MAX: usize = 200;
/// Conditions on attributes.
const ATTRIBUTES_MAX: usize = 16;

/// A search.
#[derive(Clone, Debug, Default)]
pub(crate) struct Query {
    pub(crate) service: Option<String>,
    pub(crate) operation: Option<String>,
    /// OTLP number of the span kind.
    pub(crate) kind: Option<i32>,
    pub(crate) error: Option<bool>,
    /// OTLP number of the status code.
    pub(crate) status: Option<i32>,
    /// Whether only those count whose status is an error or whose sender said so by an attribute `error`.
    pub(crate) failed_or_tagged: bool,
    pub(crate) min_duration_ns: Option<i64>,
    pub(crate) max_duration_ns: Option<i64>,
    pub(crate) start: Option<Timestamp>,
    pub(crate) end: Option<Timestamp>,
    pub(crate) attributes: Vec<Attribute>,
    pub(crate) order: Order,
    pub(crate) limit: usize,
    pub(crate) after: Option<Position>,
}

/// Parameters that ask for an attribute, and where.
const ATTRIBUTES: [(&str, Scope); 6] = [
    ("attribute", Scope::Any),
    ("span_attribute", Scope::Span),
    ("resource_attribute", Scope::Resource),
    ("scope_attribute", Scope::InstrumentationScope),
    ("event_attribute", Scope::Event),
    ("link_attribute", Scope::Link),
];

/// OTLP number of the status of a failed span.
pub(crate) const STATUS_ERROR: i32 = 2;

/// Span kinds by name, in the order of their OTLP numbers.
const KINDS: [&str; 6] = ["unspecified", "internal", "server", "client", "producer", "consumer"];

const NAMES: &[&str] = &[
    "service",
    "operation",
    "kind",
    "status",
    "min_duration",
    "max_duration",
    "attribute",
    "span_attribute",
    "resource_attribute",
    "scope_attribute",
    "event_attribute",
    "link_attribute",
    "start",
    "end",
    "order",
    "limit",
    "cursor",
];

/// Reads the parameters of a request.
pub(crate) fn parse(query: Option<&str>) -> Result<Query, Problem> {
    let params = Params::parse(query, NAMES)?;
    let mut attributes = Vec::new();
    for (name, scope) in ATTRIBUTES {
        for text in params.all(name) {
            attributes.push(attribute::parse(name, scope, text)?);
        }
    }
    if attributes.len() > ATTRIBUTES_MAX {
        let found = format!("{} of them", attributes.len());
        return Err(Problem::parameter(
            "attribute",
            &found,
            &format!("at most {ATTRIBUTES_MAX}"),
        ));
    }
    let cursor = params.one("cursor")?;
    Ok(Query {
        service: params.one("service")?.map(str::to_owned),
        operation: params.one("operation")?.map(str::to_owned),
        kind: match params.one("kind")? {
            None => None,
            Some(name) => match KINDS.iter().position(|kind| *kind == name) {
                Some(number) => Some(number as i32),
                None => {
                    return Err(Problem::parameter(
                        "kind",
                        name,
                        &format!("one of {}", KINDS.join(", ")),
                    ));
                }
            },
        },
        error: match params.one("status")? {
            None => None,
            Some("error") => Some(true),
            Some("ok") => Some(false),
            Some(other) => return Err(Problem::parameter("status", other, "error or ok")),
        },
        status: None,
        failed_or_tagged: false,
        min_duration_ns: params.duration("min_duration")?,
        max_duration_ns: params.duration("max_duration")?,
        start: params.time("start")?,
        end: params.time("end")?,
        attributes,
        order: match params.one("order")? {
            None | Some("newest") => Order::Newest,
            Some("longest") => Order::Longest,
            Some(other) => return Err(Problem::parameter("order", other, "newest or longest")),
        },
        limit: params.count("limit", LIMIT_MAX)?.unwrap_or(LIMIT_DEFAULT),
        after: match cursor {
            None => None,
            Some(text) => Some(
                Position::decode(text)
                    .ok_or_else(|| Problem::parameter("cursor", text, "the next_cursor of an earlier answer"))?,
            ),
        },
    })
}

/// Adds the condition that a span has an attribute of that key which reads like `value`, anywhere, or one of the tags that
/// other systems make of what is no attribute here. A word that no such tag has can only be an attribute.
pub(crate) fn equals(query: &mut Query, key: &str, value: &str) -> Result<(), Problem> {
    match (key, value.to_ascii_lowercase().as_str()) {
        ("error", "true") => query.failed_or_tagged = true,
        ("error", "false") => query.error = Some(false),
        ("otel.status_code" | "status.code", "unset") => query.status = Some(0),
        ("otel.status_code" | "status.code", "ok") => query.status = Some(1),
        ("otel.status_code" | "status.code", "error") => query.status = Some(STATUS_ERROR),
        ("span.kind", word) if KINDS.contains(&word) => {
            query.kind = KINDS.iter().position(|kind| *kind == word).map(|kind| kind as i32);
        }
        _ => {
            let wrong = |expected: &str| Problem::parameter(key, value, expected);
            if query.attributes.len() >= ATTRIBUTES_MAX {
                return Err(wrong(&format!("at most {ATTRIBUTES_MAX} attributes")));
            }
            let test = Test::new(Operator::Equals, value).map_err(|error| wrong(&error.to_string()))?;
            query.attributes.push(Attribute {
                scope: Scope::Any,
                key: key.to_owned(),
                test,
            });
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(query: &str) -> Result<Query, String> {
        parse(Some(query)).map_err(|problem| problem.message)
    }

    #[test]
    fn reads_every_parameter() {
        let query = check(
            "service=a%20b&operation=GET+/&status=error&min_duration=1.5ms&max_duration=2s&attribute=http.route%3D/x%3Dy&event_attribute=a>1&kind=client\
             &start=2026-01-01T00:00:00%2B01:00&end=1767225600000000000&order=longest&limit=7",
        )
        .expect("valid");
        assert_eq!(query.service.as_deref(), Some("a b"));
        assert_eq!(query.operation.as_deref(), Some("GET /"));
        assert_eq!(
            (query.min_duration_ns, query.max_duration_ns),
            (Some(1_500_000), Some(2_000_000_000))
        );
        let attribute = &query.attributes[0];
        assert_eq!((attribute.key.as_str(), attribute.scope), ("http.route", Scope::Any));
        assert_eq!(query.attributes[1].scope, Scope::Event);
        assert_eq!(query.kind, Some(3));
        assert_eq!(query.start, Some(Timestamp(1_767_222_000_000_000_000)));
        assert_eq!(query.end, Some(Timestamp(1_767_225_600_000_000_000)));
        assert_eq!((query.order, query.limit, query.error), (Order::Longest, 7, Some(true)));
    }

    #[test]
    fn says_what_is_wrong_and_what_would_be_right() {
        for (query, words) in [
            ("servce=a", "servce"),
            ("status=bad", "error or ok"),
            ("limit=0", "1 to 200"),
            ("limit=201", "1 to 200"),
            ("min_duration=fast", "min_duration"),
            ("attribute=%3Dnothing", "key=value"),
            ("link_attribute=a<b", "is not a number"),
            ("kind=big", "producer"),
            ("start=yesterday", "start"),
            ("cursor=xx", "next_cursor"),
            ("service=a&service=b", "once"),
        ] {
            let message = check(query).expect_err(query);
            assert!(message.contains(words), "{query}: {message}");
        }
    }
}
