//! The name under which a log feeds a table. It lies beside the log's files and goes where they go: a log that is begun
//! anew is another writer, whose records are numbered anew.

use crate::Error;
use std::fs::{self, File};
use std::hash::{BuildHasher, Hasher, RandomState};
use std::io::Write;
use std::path::Path;

/// Name of the file.
const FILE: &str = "writer";
/// Hexadecimal digits of a name.
const DIGITS: usize = 16;

/// The name of the log in this folder; a new one is drawn and made durable when there is none.
///
/// # Errors
/// When the file cannot be read or written.
pub(crate) fn writer_of(log_dir: &Path) -> Result<String, Error> {
    let path = log_dir.join(FILE);
    if path.exists() {
        let text = fs::read_to_string(&path).map_err(Error::io("read", &path))?;
        let name = text.trim();
        if name.len() == DIGITS && name.chars().all(|digit| digit.is_ascii_hexdigit()) {
            return Ok(name.to_owned());
        }
        // Torn before anything was sealed under it, since it is synced first.
        tracing::warn!(path = %path.display(), "the name of the log was not readable, it gets a new one");
    }
    let name = format!("{:016x}", random());
    let unfinished = log_dir.join("writer.new");
    let write = || -> std::io::Result<()> {
        let mut file = File::create(&unfinished)?;
        file.write_all(name.as_bytes())?;
        file.sync_all()?;
        fs::rename(&unfinished, &path)?;
        File::open(log_dir)?.sync_all()
    };
    write().map_err(Error::io("write", &path))?;
    Ok(name)
}

/// A number that no other process draws, by the keys that the standard library seeds its hash maps with.
pub(crate) fn random() -> u64 {
    RandomState::new().build_hasher().finish()
}
