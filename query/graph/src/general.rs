//! The general form of a span's name: `GET /orders/81723?x=1` is `GET /orders/{id}`.
//!
//! Many instrumentations name spans by raw paths. Each path would be an operation of its own, seen once or twice: nothing
//! would be known of what is usual, and the bounds on operations and names would be reached within minutes. So whatever
//! in a path is an identifier is written `{id}`, and the query is left out; everything else stays as it was sent.
//!
//! What is an identifier is told from one segment alone, by shape, never by what else was seen: a name has the same form
//! in every process and at every time, whatever came before it. A segment that is wrongly kept makes an operation too
//! many; one that is wrongly replaced puts two operations together, of which one may hide the other. The rules lean to
//! keeping where few values are possible.
//!
//! Source: OpenTelemetry, trace API, Span ("The span name SHOULD be the most general string that identifies a
//! (statistically) interesting class of Spans") and semantic conventions for HTTP spans (`{method} {http.route}`; a path
//! is no name).

mod segment;

use std::borrow::Cow;

/// What stands for an identifier, as most frameworks write it in routes.
const PLACEHOLDER: &str = "{id}";

/// The general form of a span's name. Applied to itself it changes nothing.
///
/// Only names with a path change: it begins at the first `/` (after the host, where an URL is given whole) and ends before
/// the first white space. Segments that are identifiers become `{id}`, and a query or fragment is left out, with all
/// that comes after it.
/// Cost: one look at each byte of a name that has no path, or no digit, `?` or `#`; a few looks for others, and an
/// allocation where an identifier is found. It grows with the length of the name and no faster.
pub(crate) fn general(name: &str) -> Cow<'_, str> {
    if !is_suspect(name.as_bytes()) {
        return Cow::Borrowed(name);
    }
    let Some(path) = Path::of(name.as_bytes()) else {
        return Cow::Borrowed(name);
    };
    // All places where the name is cut are beside ASCII bytes, or its end: boundaries of characters.
    let kept = if path.has_query { &name[..path.end] } else { name };
    let mut general = String::new();
    // Up to where `kept` was copied.
    let mut copied = 0;
    let mut at = path.begin;
    for segment in name.as_bytes()[path.begin..path.end].split(|byte| *byte == b'/') {
        if let Some(identifier) = segment::identifier(segment) {
            if copied == 0 {
                general.reserve(kept.len() + PLACEHOLDER.len());
            }
            general.push_str(&kept[copied..at + identifier.start]);
            general.push_str(PLACEHOLDER);
            copied = at + identifier.end;
        }
        at += segment.len() + 1;
    }
    if copied == 0 {
        return Cow::Borrowed(kept);
    }
    general.push_str(&kept[copied..]);
    Cow::Owned(general)
}

/// Whether anything in a name might change. Without a branch a byte: the compiler looks at many at once.
fn is_suspect(name: &[u8]) -> bool {
    let (mut has_path, mut has_more) = (false, false);
    for byte in name {
        has_path |= *byte == b'/';
        has_more |= byte.is_ascii_digit() | (*byte == b'?') | (*byte == b'#');
    }
    has_path & has_more
}

/// Where the path of a name lies.
struct Path {
    begin: usize,
    end: usize,
    /// Whether it ends where a query or a fragment begins.
    has_query: bool,
}

impl Path {
    fn of(name: &[u8]) -> Option<Self> {
        let slash = name.iter().position(|byte| *byte == b'/')?;
        let (before, after) = name.split_at(slash);
        let is_url = before.ends_with(b":") && after.starts_with(b"//");
        let begin = if is_url {
            // Behind the host, whose port is no identifier. There may be a query without a path.
            let is_end = |byte: &u8| matches!(byte, b'/' | b'?' | b'#') || byte.is_ascii_whitespace();
            let host = &after[2..];
            slash + 2 + host.iter().position(is_end).unwrap_or(host.len())
        } else {
            slash
        };
        // Words stand right before a path such as `api/orders#show`: that is no fragment, but a method.
        let is_absolute = is_url || before.last().is_none_or(u8::is_ascii_whitespace);
        let path = &name[begin..];
        let end = path.iter().enumerate().position(|(at, byte)| match byte {
            b' ' | b'\t' | b'\n' | b'\r' | b'\x0c' => true,
            b'?' => begins_query(path, at),
            b'#' => is_absolute,
            _ => false,
        });
        let end = end.map_or(name.len(), |end| begin + end);
        Some(Self {
            begin,
            end,
            has_query: matches!(name.get(end), Some(b'?' | b'#')),
        })
    }
}

/// Whether the `?` there begins a query. Not all do: `{controller}/{id?}`, `/:id?/items`, `/(?P<id>[0-9]+)` and `/orders/?$`
/// are routes, which are as general as can be.
fn begins_query(path: &[u8], at: usize) -> bool {
    let (before, after) = (&path[..at], &path[at + 1..]);
    let is_of_group = before.ends_with(b"(");
    let is_optional = matches!(after.first(), Some(b'}' | b'>' | b')' | b'/'));
    let is_at_end = after.starts_with(b"$") && after.get(1).is_none_or(u8::is_ascii_whitespace);
    !(is_of_group || is_optional || is_at_end)
}

#[cfg(test)]
mod tests;
