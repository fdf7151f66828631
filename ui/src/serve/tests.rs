//! What a browser is given: with the page built, without it, and for paths that are no page.

use axum::http::Request;
use http_body_util::BodyExt as _;
use tower::ServiceExt as _;

use super::*;

/// A page as Vite builds it.
fn built(path: &str) -> Option<File> {
    let bytes: &'static [u8] = match path {
        "index.html" => b"<!doctype html><title>app</title>",
        "assets/app-1a2b.js" => b"run()",
        "favicon.svg" => b"<svg/>",
        _ => return None,
    };
    Some(File {
        bytes: bytes.into(),
        etag: format!("\"{path}\""),
        mime: embed::mime(path),
    })
}

fn get(path: &str, find: fn(&str) -> Option<File>) -> Response {
    answer(&Method::GET, path, &HeaderMap::new(), find)
}

fn header_of(response: &Response, name: header::HeaderName) -> &str {
    response.headers().get(name).map_or("", |value| value.to_str().unwrap())
}

#[test]
fn every_route_of_the_app_opens_the_page() {
    for path in ["/", "/trace/0af7651916cd43dd8448eb211c80319c", "/traces"] {
        let response = get(path, built);
        assert_eq!(response.status(), StatusCode::OK, "{path}");
        assert_eq!(header_of(&response, header::CONTENT_TYPE), "text/html; charset=utf-8");
        assert_eq!(header_of(&response, header::CACHE_CONTROL), CACHE_CHECKED);
    }
}

#[test]
fn hashed_files_are_kept_for_ever_and_others_checked() {
    let script = get("/assets/app-1a2b.js", built);
    assert_eq!(header_of(&script, header::CACHE_CONTROL), CACHE_HASHED);
    assert_eq!(
        header_of(&script, header::CONTENT_TYPE),
        "text/javascript; charset=utf-8"
    );
    let icon = get("/favicon.svg", built);
    assert_eq!(header_of(&icon, header::CACHE_CONTROL), CACHE_CHECKED);
    assert_eq!(header_of(&icon, header::CONTENT_TYPE), "image/svg+xml");
}

#[test]
fn a_missing_file_or_api_path_is_not_found() {
    for path in [
        "/assets/app-old.js",
        "/robots.txt",
        "/api/v1/nothing",
        "/api",
        "/v1/traces",
        "/../Cargo.toml",
    ] {
        assert_eq!(get(path, built).status(), StatusCode::NOT_FOUND, "{path}");
    }
}

#[test]
fn a_known_entity_tag_gets_an_empty_answer() {
    let mut headers = HeaderMap::new();
    headers.insert(
        header::IF_NONE_MATCH,
        HeaderValue::from_static("\"other\", W/\"index.html\""),
    );
    let response = answer(&Method::GET, "/", &headers, built);
    assert_eq!(response.status(), StatusCode::NOT_MODIFIED);
    assert_eq!(header_of(&response, header::ETAG), "\"index.html\"");
}

#[test]
fn only_reading_is_allowed() {
    let response = answer(&Method::POST, "/", &HeaderMap::new(), built);
    assert_eq!(response.status(), StatusCode::METHOD_NOT_ALLOWED);
    assert_eq!(header_of(&response, header::ALLOW), "GET, HEAD");
}

#[tokio::test]
async fn without_a_built_page_it_says_how_to_build_it() {
    let response = get("/", |_| None);
    assert_eq!(response.status(), StatusCode::SERVICE_UNAVAILABLE);
    let body = response.into_body().collect().await.unwrap().to_bytes();
    let text = std::str::from_utf8(&body).unwrap();
    assert!(
        text.contains("The web UI was not built") && text.contains("cargo xtask up"),
        "{text}"
    );
}

#[tokio::test]
async fn the_router_fences_every_answer_whatever_was_built() {
    for path in ["/", "/nothing.js", "/api/v1/nothing"] {
        let request = Request::builder().uri(path).body(Body::empty()).unwrap();
        let response = router().oneshot(request).await.unwrap();
        assert!(
            header_of(&response, header::CONTENT_SECURITY_POLICY).starts_with("default-src 'self'"),
            "{path}"
        );
        assert_eq!(header_of(&response, header::X_CONTENT_TYPE_OPTIONS), "nosniff");
    }
}
