//! HTTP for the embedded files: which path gives which file, how long it may be kept, and the headers that fence the page in.
//!
//! Every path that is not a file and does not look like one (no dot in its last part) is a route of the app and gets `index.html`; the app
//! reads the path itself. A missing file is 404, so that a stale page asking for last week's script fails loudly instead of running HTML.

use axum::Router;
use axum::body::Body;
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, Uri, header};
use axum::response::{IntoResponse, Response};

use crate::embed::{self, File, HASHED_PREFIX, INDEX};

/// Nothing from anywhere but this server: no inline script or style, no frame around the page, no form to elsewhere.
const CONTENT_SECURITY_POLICY: &str = "default-src 'self'; img-src 'self' data:; object-src 'none'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'";

/// A year: the name of the file changes when its content does.
const CACHE_HASHED: &str = "public, max-age=31536000, immutable";

/// Kept, but asked for again each time; the entity tag makes the answer empty when nothing changed.
const CACHE_CHECKED: &str = "no-cache";

/// Paths of the APIs, never the app: an unknown one is 404, not a page.
const NOT_APP: [&str; 4] = ["/api/", "/v1/", "/metrics", "/healthz"];

/// Answers every path that nothing else answers: meant to be merged, or used as the fallback, beside the API's own routes.
///
/// `GET` and `HEAD` only. Without a built page it answers 503 and says how to build it.
pub fn router() -> Router {
    Router::new().fallback(handle)
}

async fn handle(method: Method, uri: Uri, headers: HeaderMap) -> Response {
    let mut response = answer(&method, uri.path(), &headers, embed::file);
    fence(response.headers_mut());
    response
}

/// The answer without the security headers. `find` is [`embed::file`], or what a test says was built.
fn answer(method: &Method, path: &str, headers: &HeaderMap, find: impl Fn(&str) -> Option<File>) -> Response {
    if !matches!(*method, Method::GET | Method::HEAD) {
        return (
            StatusCode::METHOD_NOT_ALLOWED,
            [(header::ALLOW, "GET, HEAD")],
            "only GET and HEAD here",
        )
            .into_response();
    }
    if NOT_APP.iter().any(|prefix| path.starts_with(prefix)) || path == "/api" {
        return not_found();
    }
    let relative = path.trim_start_matches('/');
    if !relative.is_empty()
        && let Some(file) = find(relative)
    {
        return give(file, relative, headers);
    }
    let last = relative.rsplit('/').next().unwrap_or_default();
    if relative.starts_with(HASHED_PREFIX) || last.contains('.') {
        return not_found();
    }
    match find(INDEX) {
        Some(file) => give(file, INDEX, headers),
        None => not_built(),
    }
}

fn give(file: File, name: &str, headers: &HeaderMap) -> Response {
    let cache = if name.starts_with(HASHED_PREFIX) {
        CACHE_HASHED
    } else {
        CACHE_CHECKED
    };
    let known = headers
        .get_all(header::IF_NONE_MATCH)
        .iter()
        .any(|value| matches_tag(value, &file.etag));
    let mut response = if known {
        StatusCode::NOT_MODIFIED.into_response()
    } else {
        ([(header::CONTENT_TYPE, file.mime)], Body::from(file.bytes.into_owned())).into_response()
    };
    let out = response.headers_mut();
    out.insert(header::CACHE_CONTROL, HeaderValue::from_static(cache));
    if let Ok(tag) = HeaderValue::from_str(&file.etag) {
        out.insert(header::ETAG, tag);
    }
    response
}

/// `If-None-Match` is a list of tags or `*`; a weak tag is as good as a strong one here (RFC 9110, 13.1.2).
fn matches_tag(value: &HeaderValue, etag: &str) -> bool {
    let Ok(list) = value.to_str() else { return false };
    list.split(',')
        .map(str::trim)
        .any(|tag| tag == "*" || tag.trim_start_matches("W/") == etag)
}

fn not_found() -> Response {
    let body = r#"{"error":{"code":"not_found","message":"nothing is at this path; the APIs are under /api/v1/"}}"#;
    (
        StatusCode::NOT_FOUND,
        [(header::CONTENT_TYPE, "application/json")],
        body,
    )
        .into_response()
}

fn not_built() -> Response {
    let headers = [
        (header::CONTENT_TYPE, "text/html; charset=utf-8"),
        (header::CACHE_CONTROL, "no-store"),
    ];
    (StatusCode::SERVICE_UNAVAILABLE, headers, include_str!("not_built.html")).into_response()
}

fn fence(headers: &mut HeaderMap) {
    let fixed = [
        (header::CONTENT_SECURITY_POLICY, CONTENT_SECURITY_POLICY),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::X_FRAME_OPTIONS, "DENY"),
        (header::REFERRER_POLICY, "no-referrer"),
    ];
    for (name, value) in fixed {
        headers.insert(name, HeaderValue::from_static(value));
    }
    headers.insert("cross-origin-opener-policy", HeaderValue::from_static("same-origin"));
    headers.insert(
        "permissions-policy",
        HeaderValue::from_static("camera=(), geolocation=(), microphone=()"),
    );
}

#[cfg(test)]
mod tests;
