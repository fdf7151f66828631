//! Cross-origin requests: which web pages may send spans from a browser. None, unless it is configured.
//!
//! Source: OTLP specification, section "OTLP/HTTP"; the Fetch standard, "CORS protocol".

use axum::http::{HeaderValue, Method, header};
use std::time::Duration;
use tower_http::cors::{AllowHeaders, AllowOrigin, CorsLayer};

/// How long a browser may remember that it was allowed.
const MAX_AGE: Duration = Duration::from_secs(2 * 3600);
/// Most origins that can be configured.
pub(crate) const ORIGINS_MAX: usize = 100;

/// Whether this can be configured as an origin: `*`, or a scheme and a host with at most one `*` in it.
pub(crate) fn is_origin(pattern: &str) -> bool {
    let plain = |c: char| c.is_ascii_alphanumeric() || ".-:*[]".contains(c);
    pattern == "*"
        || pattern.split_once("://").is_some_and(|(scheme, host)| {
            !scheme.is_empty()
                && scheme.chars().all(|c| c.is_ascii_alphanumeric())
                && !host.is_empty()
                && host.chars().all(plain)
                && host.matches('*').count() <= 1
        })
}

/// The layer that answers browsers; none when no origin is allowed.
pub(crate) fn layer(origins: &[String]) -> Option<CorsLayer> {
    if origins.is_empty() {
        return None;
    }
    let allowed = if origins.iter().any(|origin| origin == "*") {
        AllowOrigin::any()
    } else {
        let origins = origins.to_vec();
        AllowOrigin::predicate(move |origin: &HeaderValue, _| {
            origins.iter().any(|pattern| matches(pattern, origin.as_bytes()))
        })
    };
    Some(
        CorsLayer::new()
            .allow_origin(allowed)
            .allow_methods([Method::POST])
            // Exporters send what they were told to; there is nothing here that a header could open.
            .allow_headers(AllowHeaders::mirror_request())
            .expose_headers([header::RETRY_AFTER])
            .max_age(MAX_AGE),
    )
}

/// `*` stands for any text within the host.
fn matches(pattern: &str, origin: &[u8]) -> bool {
    match pattern.split_once('*') {
        None => origin.eq_ignore_ascii_case(pattern.as_bytes()),
        Some((before, after)) => {
            let (before, after) = (before.as_bytes(), after.as_bytes());
            origin.len() > before.len() + after.len()
                && origin[..before.len()].eq_ignore_ascii_case(before)
                && origin[origin.len() - after.len()..].eq_ignore_ascii_case(after)
                && !origin[before.len()..origin.len() - after.len()].contains(&b'/')
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(pattern: &str, origin: &str, expected: bool) {
        assert_eq!(matches(pattern, origin.as_bytes()), expected, "{pattern} {origin}");
    }

    #[test]
    fn a_star_stands_for_a_part_of_the_host() {
        check("https://shop.example", "https://shop.example", true);
        check("https://shop.example", "HTTPS://SHOP.EXAMPLE", true);
        check("https://shop.example", "http://shop.example", false);
        check("https://*.shop.example", "https://a.shop.example", true);
        check("https://*.shop.example", "https://shop.example", false);
        check("https://*.shop.example", "https://.shop.example", false);
        check("https://*.shop.example", "https://evil.example/.shop.example", false);
        check("http://localhost:*", "http://localhost:3000", true);
        check("http://localhost:*", "http://localhost.evil.example", false);
    }

    #[test]
    fn origins_are_a_scheme_and_a_host() {
        for good in [
            "*",
            "https://shop.example",
            "http://localhost:3000",
            "https://*.shop.example",
            "http://[::1]:80",
        ] {
            assert!(is_origin(good), "{good}");
        }
        for bad in [
            "",
            "shop.example",
            "https://",
            "https://a/b",
            "https://*.*.example",
            "https://a b",
        ] {
            assert!(!is_origin(bad), "{bad}");
        }
    }
}
