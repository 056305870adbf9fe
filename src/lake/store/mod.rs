//! Where the lake's bytes are: the few operations that the commit protocol needs.
//!
//! [`Store`] reads, [`RunStore`] also writes, for one living run. Nothing else in the program
//! touches the destination.
//!
//! # On a local disk
//! Staged files are files in `_export/staging/<run id>/`; creating a record is a hard link to a
//! synced temporary file (it fails when the name is taken, and a reader never sees half a
//! record); publishing is a rename; the staging folder's `lock` is held (flock) as long as the
//! run lives. Every file is synced before it gets a name that counts, and every folder after.
//!
//! # On an object store (to come)
//! The same operations, other means; nothing above this module changes:
//!
//! | operation | there |
//! |---|---|
//! | [`RunStore::stage`] | opens a multipart upload at the file's final key (it knows table and partition); parts are sent as they fill |
//! | [`StagedFile::finish`] | sends the last part, leaves the upload open: invisible. Upload id and part list travel in [`DataFile`](crate::lake::DataFile) (a new optional field) into the record |
//! | [`RunStore::put_if_absent`] | a conditional put (`If-None-Match: *`) |
//! | [`RunStore::publish`] | completes the upload from the record; one that is gone while the object is there was completed by somebody else |
//! | [`RunStore::update`] | get with its `ETag`, put with `If-Match`, again on a mismatch |
//! | [`RunStore::remove`] | delete; deleting what is gone is fine |
//! | `sync_…` | nothing to do: an acknowledged put is durable |
//! | the run's lock | none: a dead run's uploads are those that no record names and that are older than any run may live |

mod local;
mod probe;
mod reject;
mod run;
mod staged;

use std::path::{Path, PathBuf};
use std::sync::Arc;

pub use probe::{ProbeAction, ProbeStep};
pub use reject::StagedReject;
pub use run::{Published, Put, RunStore};
pub use staged::StagedFile;

use chrono::{DateTime, Utc};

use super::error::LakeError;
use super::path::LakePath;
use crate::job::Destination;

/// A store that is only read.
#[derive(Clone, Debug)]
pub struct Store {
    root: Arc<Path>,
}

/// Something in a folder of the store.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Entry {
    /// Its last step.
    pub name: String,
    /// A folder, not a file.
    pub is_folder: bool,
}

/// Length and age of a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stamp {
    /// Its length.
    pub bytes: u64,
    /// When it was last written, by the store's clock.
    pub modified: DateTime<Utc>,
}

impl Store {
    /// The store at a destination. Nothing is touched yet.
    ///
    /// # Errors
    /// When this version has no code for such a store.
    pub fn new(dest: &Destination) -> Result<Self, LakeError> {
        match dest {
            Destination::Local(path) => Ok(Self {
                root: path.as_path().into(),
            }),
            Destination::Object(_) => Err(LakeError::UnknownStore(dest.to_string())),
        }
    }

    /// The path as the operating system and people know it.
    #[must_use]
    pub fn locate(&self, path: &LakePath) -> PathBuf {
        self.root.join(path.as_str())
    }

    /// The lake's root, as it was named.
    #[must_use]
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// All bytes of a file, or nothing if there is none.
    ///
    /// # Errors
    /// When there is one and it can't be read.
    pub async fn get(&self, path: &LakePath) -> Result<Option<Vec<u8>>, LakeError> {
        let path = self.locate(path);
        blocking(move || local::read(&path)).await
    }

    /// A file's length, or nothing if there is none.
    ///
    /// # Errors
    /// When that can't be told.
    pub async fn size(&self, path: &LakePath) -> Result<Option<u64>, LakeError> {
        let path = self.locate(path);
        blocking(move || local::size(&path)).await
    }

    /// A file's length and age, or nothing if there is none.
    ///
    /// # Errors
    /// When they can't be told.
    pub async fn stamp(&self, path: &LakePath) -> Result<Option<Stamp>, LakeError> {
        let path = self.locate(path);
        blocking(move || local::stamp(&path)).await
    }

    /// What a folder holds, sorted by name; nothing if there is no such folder.
    ///
    /// # Errors
    /// When there is one and it can't be read.
    pub async fn list(&self, folder: &LakePath) -> Result<Vec<Entry>, LakeError> {
        let folder = self.locate(folder);
        blocking(move || local::list(&folder)).await
    }

    /// Whether the run that stages here is dead: nobody holds its lock.
    ///
    /// # Errors
    /// When that can't be told.
    pub(super) async fn is_dead(&self, staging: &LakePath) -> Result<bool, LakeError> {
        let lock = self.locate(&staging.join(local::LOCK));
        blocking(move || local::is_unlocked(&lock)).await
    }
}

/// Runs file system work where it holds up nobody.
pub(super) async fn blocking<T, F>(work: F) -> Result<T, LakeError>
where
    T: Send + 'static,
    F: FnOnce() -> Result<T, LakeError> + Send + 'static,
{
    match tokio::task::spawn_blocking(work).await {
        Ok(result) => result,
        Err(error) => match error.try_into_panic() {
            Ok(panic) => std::panic::resume_unwind(panic),
            Err(error) => Err(LakeError::Thread(error)),
        },
    }
}
