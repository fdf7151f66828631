//! One process a data folder: an advisory lock on a file in it, released by the kernel however the process ends.

use crate::Error;
use std::fs::{File, OpenOptions, TryLockError};
use std::path::Path;

/// Holds the lock while it lives.
#[derive(Debug)]
pub(crate) struct DirLock {
    _file: File,
}

impl DirLock {
    /// Takes the lock of `dir`.
    ///
    /// # Errors
    /// [`Error::Locked`] when another process, or another store in this one, has it.
    pub(crate) fn take(dir: &Path) -> Result<Self, Error> {
        let path = dir.join("lock");
        let file = OpenOptions::new()
            .create(true)
            .truncate(false)
            .write(true)
            .open(&path)
            .map_err(Error::io("open", &path))?;
        match file.try_lock() {
            Ok(()) => Ok(Self { _file: file }),
            Err(TryLockError::WouldBlock) => Err(Error::Locked { path }),
            Err(TryLockError::Error(source)) => Err(Error::Io {
                action: "lock",
                path,
                source,
            }),
        }
    }
}
