//! The files of `web/dist`, found by path. Only this file knows how they came into the binary.

use std::borrow::Cow;
use std::fmt::Write as _;

/// The page that every route of the app opens with.
pub(crate) const INDEX: &str = "index.html";

/// Vite writes files with a hash of their content in the name here: what is under it never changes.
pub(crate) const HASHED_PREFIX: &str = "assets/";

#[derive(rust_embed::RustEmbed)]
#[folder = "web/dist"]
#[allow_missing = true]
struct Dist;

/// One file of the page.
pub(crate) struct File {
    /// Its bytes; borrowed from the binary in a release build.
    pub(crate) bytes: Cow<'static, [u8]>,
    /// A strong entity tag, quoted, from the SHA-256 of the bytes.
    pub(crate) etag: String,
    /// The media type, by the ending of the name.
    pub(crate) mime: &'static str,
}

/// The file at `path` (relative, with `/`), if the page was built and has it.
pub(crate) fn file(path: &str) -> Option<File> {
    if path.starts_with('.') {
        return None;
    }
    let embedded = Dist::get(path)?;
    Some(File {
        etag: etag(&embedded.metadata.sha256_hash()),
        mime: mime(path),
        bytes: embedded.data,
    })
}

/// Half of the hash is plenty to tell two builds apart, and keeps the header short.
fn etag(hash: &[u8; 32]) -> String {
    let mut tag = String::from("\"");
    for byte in &hash[..16] {
        // Writing to a string cannot fail.
        let _ = write!(tag, "{byte:02x}");
    }
    tag.push('"');
    tag
}

/// Media type by file ending. A file of an unknown kind is offered as bytes, which no browser runs.
pub(crate) fn mime(path: &str) -> &'static str {
    match path.rsplit_once('.').map_or("", |(_, ending)| ending) {
        "html" => "text/html; charset=utf-8",
        "js" | "mjs" => "text/javascript; charset=utf-8",
        "css" => "text/css; charset=utf-8",
        "svg" => "image/svg+xml",
        "json" | "map" => "application/json",
        "webmanifest" => "application/manifest+json",
        "png" => "image/png",
        "ico" => "image/x-icon",
        "woff2" => "font/woff2",
        "wasm" => "application/wasm",
        "txt" => "text/plain; charset=utf-8",
        _ => "application/octet-stream",
    }
}
