//! The object store that the table lies on, with the one promise added that a local folder does not keep by itself:
//! what was put is durable. (On a local folder `object_store` writes and links a file but never syncs it.)

mod probe;
mod s3;

use crate::{Config, Error};
use bytes::Bytes;
use futures::TryStreamExt;
use object_store::local::LocalFileSystem;
use object_store::path::Path;
use object_store::{ObjectMeta, ObjectStore, ObjectStoreExt, PutMode, PutOptions};
use std::fs::File;
use std::path::{Path as FsPath, PathBuf};
use std::sync::Arc;

/// Where objects are kept.
#[derive(Clone, Debug)]
pub(crate) struct Objects {
    store: Arc<dyn ObjectStore>,
    /// Root of the local folder, whose files have to be synced.
    local: Option<PathBuf>,
}

impl Objects {
    /// The place that the configuration names: a prefix of a bucket, else the folder `table` below `data_dir`.
    ///
    /// # Errors
    /// When the folder cannot be created or what is set for S3 does not do.
    pub(crate) fn open(config: &Config, data_dir: &FsPath) -> Result<Self, Error> {
        if config.table_url.is_empty() {
            return Self::local(&data_dir.join("table"));
        }
        Ok(Self {
            store: s3::open(config)?,
            local: None,
        })
    }

    /// True where other processes may commit to the same table; a local folder belongs to the one that locked it.
    pub(crate) fn shared(&self) -> bool {
        self.local.is_none()
    }

    /// A local folder, created when absent.
    pub(crate) fn local(root: &FsPath) -> Result<Self, Error> {
        std::fs::create_dir_all(root).map_err(Error::io("create", root))?;
        let root = root.canonicalize().map_err(Error::io("find", root))?;
        let store = LocalFileSystem::new_with_prefix(&root).map_err(|source| Error::Object {
            action: "open",
            path: root.display().to_string(),
            source,
        })?;
        Ok(Self {
            store: Arc::new(store),
            local: Some(root),
        })
    }

    /// The same objects as if other processes could commit to them as well, for tests.
    #[cfg(test)]
    pub(crate) fn as_shared(&self) -> Self {
        Self {
            store: Arc::clone(&self.store),
            local: None,
        }
    }

    /// The same objects through another store, for tests that let it fail.
    #[cfg(test)]
    pub(crate) fn through(&self, wrap: impl FnOnce(Arc<dyn ObjectStore>) -> Arc<dyn ObjectStore>) -> Self {
        Self {
            store: wrap(Arc::clone(&self.store)),
            local: self.local.clone(),
        }
    }

    pub(crate) fn store(&self) -> &Arc<dyn ObjectStore> {
        &self.store
    }

    /// Puts an object; durable on return. `Create` fails with `AlreadyExists` where there is one.
    pub(crate) async fn put(&self, path: &Path, bytes: Bytes, mode: PutMode) -> Result<(), Error> {
        let options = PutOptions::from(mode);
        self.store
            .put_opts(path, bytes.into(), options)
            .await
            .map_err(failed("put", path))?;
        self.sync(path).await
    }

    /// Makes an object durable that was put.
    pub(crate) async fn sync(&self, path: &Path) -> Result<(), Error> {
        let Some(root) = &self.local else { return Ok(()) };
        let file = root.join(path.as_ref());
        let root = root.clone();
        tokio::task::spawn_blocking(move || sync_file(&file, &root))
            .await
            .map_err(Error::Task)?
    }

    pub(crate) async fn get(&self, path: &Path) -> Result<Bytes, Error> {
        let object = self.store.get(path).await.map_err(failed("get", path))?;
        object.bytes().await.map_err(failed("get", path))
    }

    /// A part of an object.
    pub(crate) async fn range(&self, path: &Path, range: std::ops::Range<u64>) -> Result<Bytes, Error> {
        self.store.get_range(path, range).await.map_err(failed("get", path))
    }

    /// Objects under a prefix, sorted by path.
    pub(crate) async fn list(&self, prefix: &Path) -> Result<Vec<ObjectMeta>, Error> {
        let listed = self.store.list(Some(prefix)).try_collect::<Vec<_>>().await;
        let mut objects = listed.map_err(failed("list", prefix))?;
        objects.sort_by(|a, b| a.location.cmp(&b.location));
        Ok(objects)
    }

    /// Deletes an object; one that is not there is as good as deleted.
    pub(crate) async fn delete(&self, path: &Path) -> Result<(), Error> {
        match self.store.delete(path).await {
            Ok(()) | Err(object_store::Error::NotFound { .. }) => Ok(()),
            Err(source) => Err(failed("delete", path)(source)),
        }
    }
}

fn failed(action: &'static str, path: &Path) -> impl FnOnce(object_store::Error) -> Error {
    let path = path.to_string();
    move |source| Error::Object { action, path, source }
}

/// Syncs a file and the folders from it up to the root, which may be new as well.
fn sync_file(path: &FsPath, root: &FsPath) -> Result<(), Error> {
    let sync = |path: &FsPath| File::open(path)?.sync_all();
    sync(path).map_err(Error::io("sync", path))?;
    for dir in path.ancestors().skip(1).take_while(|dir| dir.starts_with(root)) {
        sync(dir).map_err(Error::io("sync", dir))?;
    }
    Ok(())
}
