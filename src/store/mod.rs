//! The bytes of the lake: the few operations that the commit protocol needs.
//!
//! [`Store`] reads, [`RunStore`] also writes, for one living run. Nothing else in the program
//! touches the destination. There are two kinds: `local`, a folder on a disk, and `object`, a
//! prefix in a bucket; this module and `run` document each operation for both.
//!
//! | operation | on a local disk | on an object store |
//! |---|---|---|
//! | [`RunStore::stage`] | a file in `_export/staging/<run id>/` | a file in the spool, a folder of this machine |
//! | [`StagedFile::finish`] | syncs it | – |
//! | `sync_staged` | syncs their folder | sends the files as multipart uploads at their final keys and leaves those open: invisible. Upload ids and parts travel in [`DataFile`] into the record |
//! | `put_if_absent` | a hard link to a synced temporary file | a conditional put (`If-None-Match: *`) |
//! | `publish` | a rename | completes the upload from the record; one that is gone while the object is there was completed by another process |
//! | `update` | under a lock, by a rename | get with its `ETag`, put with `If-Match`, again on a mismatch |
//! | `remove` | deletes | deletes; deleting what is gone is fine |
//! | `sync_folders` | syncs them | nothing to do: an acknowledged put is durable |
//! | the run lives | it holds `lock` in its staging folder (flock) | it touches `_export/staging/<run id>/alive.json` every few minutes |
//!
//! Uploads that a run opens on an object store are noted beside `alive.json`, so that they can be
//! aborted once the run is dead. A run that was wrongly taken for dead can't commit afterwards: its
//! death is itself a commit, so the log decides which came first.

mod advice;
#[cfg(any(test, debug_assertions, feature = "failpoints"))]
mod conformance;
mod data_file;
pub(crate) mod error;
mod failpoint;
mod local;
mod object;
mod path;
mod probe;
mod read;
mod reject;
mod run;
mod sign;
mod staged;
mod staging;

use std::path::{Path, PathBuf};

use chrono::{DateTime, Utc};
#[cfg(any(test, debug_assertions, feature = "failpoints"))]
pub use conformance::conform;
pub use data_file::{Checksum, DataFile};
pub use error::StoreError;
pub use failpoint::Failpoint;
#[cfg(any(debug_assertions, feature = "failpoints"))]
pub use failpoint::arm;
#[cfg(test)]
pub(crate) use object::faulty;
pub use object::{SavedObjects, SavedRead};
pub use path::{FileName, FilePath, LakePath, Partition, PinId};
pub(crate) use path::{is_run_id, is_safe_run_id};
pub use probe::{ProbeAction, ProbeStep};
pub use read::StoredFile;
pub(crate) use read::is_damage;
pub use reject::StagedReject;
pub(crate) use run::Linked;
pub use run::{Published, PutOutcome, RunStore};
pub(crate) use sign::machine;
pub use staged::StagedFile;
pub(crate) use staging::InStaging;

use self::local::Folder;
use self::object::Bucket;
use crate::job::Destination;

/// A store that is only read.
#[derive(Clone, Debug)]
pub struct Store {
    backend: Backend,
}

/// Where the bytes are. The two have the same methods, which [`Store`] documents; an enum and not a
/// trait object, so that they are plain `async fn` (`docs/adr/0015-two-backends-in-an-enum.md`).
#[derive(Clone, Debug)]
enum Backend {
    Local(Folder),
    Object(Bucket),
}

/// An entry of a folder.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct DirEntry {
    /// The last component of its path.
    pub name: String,
    /// Whether it is a folder.
    pub is_folder: bool,
}

/// Length and age of a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FileMetadata {
    /// Size of the file, in bytes.
    pub bytes: u64,
    /// When it was last written, by the store's clock.
    pub modified: DateTime<Utc>,
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
            Backend::Local(folder) => folder.open(path),
            Backend::Object(bucket) => bucket.open(path),
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

/// Shortens all waits for locks: the process is stopping.
pub(crate) fn stop_waiting() {
    local::stop_waiting();
}

/// Runs file system work on a blocking thread.
async fn blocking<T, F>(work: F) -> Result<T, StoreError>
where
    T: Send + 'static,
    F: FnOnce() -> Result<T, StoreError> + Send + 'static,
{
    crate::sync::blocking(work).await?
}
