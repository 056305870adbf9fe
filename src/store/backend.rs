//! A store that is only read, on a disk or in a bucket.

use std::path::{Path, PathBuf};

use super::entry::{DirEntry, FileMetadata};
use super::error::StoreError;
use super::local::{self, Folder};
use super::object::{self, Bucket};
use super::path::LakePath;
use super::read::StoredFile;
use crate::job::Destination;

/// A store that is only read.
#[derive(Clone, Debug)]
pub struct Store {
    pub(super) backend: Backend,
}

/// Where the bytes are. The two have the same methods, which [`Store`] documents; an enum and not a
/// trait object, so that they are plain `async fn` (`docs/adr/0015-two-backends-in-an-enum.md`).
#[derive(Clone, Debug)]
pub(super) enum Backend {
    Local(Folder),
    Object(Bucket),
}

impl Store {
    /// The store at a destination. Nothing is touched yet.
    ///
    /// # Errors
    /// If the settings of an object store are invalid.
    pub fn new(dest: &Destination) -> Result<Self, StoreError> {
        Ok(Self {
            backend: match dest {
                Destination::Local(path) => Backend::Local(Folder::new(path.as_path())),
                Destination::Object(place) => Backend::Object(Bucket::new(place)?),
            },
        })
    }

    /// The path in the file system; on an object store its address.
    #[must_use]
    pub fn locate(&self, path: &LakePath) -> PathBuf {
        self.root().join(path.as_str())
    }

    /// The lake's root, as it was named.
    #[must_use]
    pub fn root(&self) -> &Path {
        match &self.backend {
            Backend::Local(folder) => folder.root(),
            Backend::Object(bucket) => bucket.root(),
        }
    }

    /// Whether the lake is on a local disk.
    #[must_use]
    pub fn is_local(&self) -> bool {
        matches!(self.backend, Backend::Local(_))
    }

    /// All bytes of a file; `None` if there is none.
    ///
    /// # Errors
    /// If there is one and it cannot be read.
    pub async fn get(&self, path: &LakePath) -> Result<Option<Vec<u8>>, StoreError> {
        match &self.backend {
            Backend::Local(folder) => folder.get(path).await,
            Backend::Object(bucket) => bucket.get(path).await,
        }
    }

    /// All bytes of a small file that the exporter writes. On a disk another file of any size may
    /// have its name, so reading stops at a maximum length; such content is then invalid anyway.
    ///
    /// # Errors
    /// If there is one and it cannot be read.
    pub(crate) async fn get_small(&self, path: &LakePath) -> Result<Option<Vec<u8>>, StoreError> {
        match &self.backend {
            Backend::Local(folder) => folder.get_small(path).await,
            Backend::Object(bucket) => bucket.get(path).await,
        }
    }

    /// The contents of small files, in their order, each read as by [`Store::get_small`] and
    /// converted by `make` at once. Several are read concurrently; on a disk each thread reads a
    /// series of files, since scheduling dominates the cost of a small one.
    pub(crate) async fn get_all_small<T: Send + 'static>(
        &self,
        paths: Vec<LakePath>,
        make: fn(Option<&[u8]>) -> T,
    ) -> Result<Vec<T>, StoreError> {
        match &self.backend {
            Backend::Local(folder) => folder.get_all_small(paths, make).await,
            Backend::Object(bucket) => bucket.get_all_small(paths, make).await,
        }
    }

    /// A file's length; `None` if there is none.
    ///
    /// # Errors
    /// If that cannot be determined.
    pub async fn size(&self, path: &LakePath) -> Result<Option<u64>, StoreError> {
        match &self.backend {
            Backend::Local(folder) => folder.size(path).await,
            Backend::Object(bucket) => bucket.size(path).await,
        }
    }

    /// A file's length and age; `None` if there is none.
    ///
    /// # Errors
    /// If they cannot be determined.
    pub async fn metadata(&self, path: &LakePath) -> Result<Option<FileMetadata>, StoreError> {
        match &self.backend {
            Backend::Local(folder) => folder.metadata(path).await,
            Backend::Object(bucket) => bucket.metadata(path).await,
        }
    }

    /// Whether anything exists at its root: a folder, even an empty one, or an object below it.
    ///
    /// # Errors
    /// If that cannot be determined.
    pub async fn is_there(&self) -> Result<bool, StoreError> {
        match &self.backend {
            Backend::Local(folder) => folder.is_there().await,
            Backend::Object(bucket) => bucket.is_there().await,
        }
    }

    /// Whether a regular file, or a link to one, is there, not a folder, a pipe or a device. An
    /// object counts as a regular file.
    pub(crate) async fn is_regular(&self, path: &LakePath) -> Result<bool, StoreError> {
        match &self.backend {
            Backend::Local(folder) => folder.is_regular(path).await,
            Backend::Object(_) => Ok(true),
        }
    }

    /// The entries of a folder, sorted by name; none if there is no such folder.
    ///
    /// # Errors
    /// If there is one and it cannot be read.
    pub async fn list(&self, folder: &LakePath) -> Result<Vec<DirEntry>, StoreError> {
        match &self.backend {
            Backend::Local(root) => root.list(folder).await,
            Backend::Object(bucket) => bucket.list(folder).await,
        }
    }

    /// The files in a folder and in the folders in it: on an object store by one listing.
    ///
    /// # Errors
    /// When a folder is there and can't be read.
    pub async fn list_files(&self, folder: &LakePath) -> Result<Vec<LakePath>, StoreError> {
        match &self.backend {
            Backend::Local(root) => root.list_files(folder).await,
            Backend::Object(bucket) => bucket.list_files(folder).await,
        }
    }

    /// Useful number of concurrent operations: requests to an object store mostly wait, while
    /// operations on a disk run one after the other.
    pub(crate) fn at_once(&self) -> usize {
        match &self.backend {
            Backend::Local(_) => 1,
            Backend::Object(_) => 8,
        }
    }

    /// Opens a file to read parts of it; `None` if there is none. Blocks: call it on a blocking thread.
    ///
    /// # Errors
    /// If there is one and it cannot be read.
    pub fn open(&self, path: &LakePath) -> Result<Option<StoredFile>, StoreError> {
        match &self.backend {
            Backend::Local(folder) => StoredFile::local(folder.locate(path)),
            Backend::Object(bucket) => StoredFile::object(bucket, path, self.locate(path)),
        }
    }

    /// Whether the run of this staging folder is dead: its lock is free, or its last heartbeat is older
    /// than the setting allows.
    ///
    /// # Errors
    /// If that cannot be determined.
    pub(crate) async fn is_dead(&self, staging: &LakePath) -> Result<bool, StoreError> {
        match &self.backend {
            Backend::Local(folder) => folder.is_dead(staging).await,
            Backend::Object(bucket) => bucket.is_dead(staging).await,
        }
    }

    /// Whether a file in a staging folder is the run's lock or heartbeat, not a staged file.
    pub(crate) fn is_sign_of_life(name: &str) -> bool {
        name == local::LOCK || name == object::ALIVE
    }
}
