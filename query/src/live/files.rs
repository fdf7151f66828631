//! Small JSON files that are replaced as a whole: written beside, synced, renamed, and the folder synced.
//!
//! A file that cannot be read is set aside as `*.damaged` and reported: what is remembered of one incident must not keep
//! the program from receiving spans.

use crate::Error;
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::fs::File;
use std::io::Write;
use std::path::{Path, PathBuf};

const COMPLETE: &str = "json";
const UNFINISHED: &str = "new";
const DAMAGED: &str = "damaged";

/// Everything in a folder, in the order of the file names. Makes the folder when there is none; unfinished files are
/// removed.
pub(crate) fn read_all<T: DeserializeOwned>(folder: &Path) -> Result<Vec<(PathBuf, T)>, Error> {
    let failed = |action| {
        move |source| Error::Io {
            action,
            path: folder.to_owned(),
            source,
        }
    };
    std::fs::create_dir_all(folder).map_err(failed("create"))?;
    let mut paths = Vec::new();
    for entry in std::fs::read_dir(folder).map_err(failed("list"))? {
        paths.push(entry.map_err(failed("list"))?.path());
    }
    paths.sort();
    let mut all = Vec::new();
    for path in paths {
        let extension = path.extension().and_then(|extension| extension.to_str());
        if extension == Some(UNFINISHED) {
            remove(&path)?;
        } else if extension == Some(COMPLETE) {
            let bytes = std::fs::read(&path).map_err(|source| Error::Io {
                action: "read",
                path: path.clone(),
                source,
            })?;
            match serde_json::from_slice(&bytes) {
                Ok(content) => all.push((path, content)),
                Err(error) => set_aside(&path, &error),
            }
        }
    }
    Ok(all)
}

fn set_aside(path: &Path, error: &serde_json::Error) {
    tracing::error!(path = %path.display(), %error, "a file is damaged, it is set aside");
    if let Err(error) = std::fs::rename(path, path.with_extension(DAMAGED)) {
        tracing::error!(path = %path.display(), %error, "could not set a damaged file aside");
    }
}

/// Replaces or makes a file, whose name ends in `.json`; on disk when this returns.
pub(crate) fn write<T: Serialize + ?Sized>(path: &Path, content: &T) -> Result<(), Error> {
    let failed = |action| {
        move |source| Error::Io {
            action,
            path: path.to_owned(),
            source,
        }
    };
    let bytes = serde_json::to_vec(content).map_err(|error| failed("write")(error.into()))?;
    let beside = path.with_extension(UNFINISHED);
    let mut file = File::create(&beside).map_err(failed("write"))?;
    file.write_all(&bytes)
        .and_then(|()| file.sync_all())
        .map_err(failed("write"))?;
    std::fs::rename(&beside, path).map_err(failed("replace"))?;
    sync_folder_of(path)
}

/// Removes a file for good. One that is not there is no error.
pub(crate) fn remove(path: &Path) -> Result<(), Error> {
    match std::fs::remove_file(path) {
        Ok(()) => sync_folder_of(path),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(()),
        Err(source) => Err(Error::Io {
            action: "remove",
            path: path.to_owned(),
            source,
        }),
    }
}

fn sync_folder_of(path: &Path) -> Result<(), Error> {
    let folder = path.parent().unwrap_or(Path::new("."));
    File::open(folder)
        .and_then(|folder| folder.sync_all())
        .map_err(|source| Error::Io {
            action: "sync the folder of",
            path: path.to_owned(),
            source,
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read_and_damage_is_set_aside() {
        let folder = tempfile::tempdir().expect("a folder");
        let at = |name: &str| folder.path().join(name);
        write(&at("b.json"), "second").expect("written");
        write(&at("a.json"), "old").expect("written");
        write(&at("a.json"), "first").expect("replaced");
        std::fs::write(at("c.json"), b"\"torn").expect("written");
        std::fs::write(at("d.new"), b"\"unfinished").expect("written");
        let all: Vec<(PathBuf, String)> = read_all(folder.path()).expect("read");
        let texts: Vec<&str> = all.iter().map(|(_, text)| text.as_str()).collect();
        assert_eq!(texts, ["first", "second"]);
        assert!(at("c.damaged").exists() && !at("c.json").exists() && !at("d.new").exists());
        remove(&at("a.json")).expect("removed");
        remove(&at("a.json")).expect("not there is fine");
    }
}
