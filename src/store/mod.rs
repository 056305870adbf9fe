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
mod create;
mod data_file;
pub(crate) mod error;
mod failpoint;
mod local;
mod marker;
mod object;
mod path;
mod probe;
mod read;
mod reject;
mod run;
mod sign;
mod staged;
mod staging;

use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use chrono::{DateTime, Utc};
#[cfg(any(test, debug_assertions, feature = "failpoints"))]
pub use conformance::conform;
pub use data_file::{Checksum, DataFile, Upload};
pub use error::StoreError;
pub use failpoint::Point;
#[cfg(any(debug_assertions, feature = "failpoints"))]
pub use failpoint::arm;
use futures_util::{StreamExt as _, TryStreamExt as _, stream};
#[cfg(test)]
pub(crate) use object::faulty;
pub use object::{Fault, FaultKind};
pub use path::{FileName, FilePath, LakePath, Partition, PathError, PinId};
pub(crate) use path::{is_run_id, is_safe_run_id};
pub use probe::{ProbeAction, ProbeStep};
pub use read::StoredFile;
pub(crate) use read::is_damage;
pub use reject::StagedReject;
pub(crate) use run::Linked;
pub use run::{Published, Put, RunStore};
pub(crate) use sign::machine;
pub use staged::StagedFile;
pub(crate) use staging::InStaging;

use self::object::Bucket;
use crate::job::Destination;

/// The largest small file that the exporter writes.
const MOST_SMALL: u64 = 8 << 20;

/// A store that is only read.
#[derive(Clone, Debug)]
pub struct Store {
    root: Arc<Path>,
    kind: Kind,
}

#[derive(Clone, Debug)]
enum Kind {
    Local,
    Object(Bucket),
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
    /// When the settings of an object store make no sense.
    pub fn new(dest: &Destination) -> Result<Self, StoreError> {
        match dest {
            Destination::Local(path) => Ok(Self {
                root: path.as_path().into(),
                kind: Kind::Local,
            }),
            Destination::Object(place) => {
                let bucket = Bucket::new(place)?;
                Ok(Self {
                    root: bucket.root().into(),
                    kind: Kind::Object(bucket),
                })
            }
        }
    }

    /// The path as the operating system and people know it; on an object store its address.
    #[must_use]
    pub fn locate(&self, path: &LakePath) -> PathBuf {
        self.root.join(path.as_str())
    }

    /// The lake's root, as it was named.
    #[must_use]
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// Whether paths in it are files of this machine.
    #[must_use]
    pub fn is_local(&self) -> bool {
        matches!(self.kind, Kind::Local)
    }

    /// All bytes of a file, or nothing if there is none.
    ///
    /// # Errors
    /// When there is one and it can't be read.
    pub async fn get(&self, path: &LakePath) -> Result<Option<Vec<u8>>, StoreError> {
        match &self.kind {
            Kind::Local => {
                let path = self.locate(path);
                blocking(move || local::read(&path)).await
            }
            Kind::Object(bucket) => bucket.get(path).await,
        }
    }

    /// All bytes of a small file of our own making. Something else of its name on a disk may be of any
    /// length: what is longer than such a file can be is read as far as that, and makes no sense then.
    ///
    /// # Errors
    /// When there is one and it can't be read.
    pub(crate) async fn get_small(&self, path: &LakePath) -> Result<Option<Vec<u8>>, StoreError> {
        if !self.is_local() {
            return self.get(path).await;
        }
        let (store, path) = (self.clone(), path.clone());
        blocking(move || store.read_small(&path)).await
    }

    /// The same of a disk. Blocks.
    fn read_small(&self, path: &LakePath) -> Result<Option<Vec<u8>>, StoreError> {
        let Some(file) = self.open(path)? else {
            return Ok(None);
        };
        let mut bytes = Vec::new();
        let read = file.read_from(0).take(MOST_SMALL).read_to_end(&mut bytes);
        read.map_err(StoreError::io("read", file.place()))?;
        Ok(Some(bytes))
    }

    /// What these small files hold, in their order, read as [`Store::get_small`] reads each and made into
    /// something small at once. Several are read at a time: on a disk by turns of one thread each, as most
    /// of what a file of a kilobyte costs is the way there; a disk across a network is waited for like a
    /// bucket.
    pub(crate) async fn get_all_small<T: Send + 'static>(
        &self,
        paths: Vec<LakePath>,
        make: fn(Option<&[u8]>) -> T,
    ) -> Result<Vec<T>, StoreError> {
        const AT_ONCE: usize = 8;
        const ONE_TURN: usize = 50;
        if self.is_local() {
            let turns: Vec<Vec<LakePath>> = paths.chunks(ONE_TURN).map(<[_]>::to_vec).collect();
            let read = |turn: Vec<LakePath>| {
                let store = self.clone();
                blocking(move || {
                    let read = |path: &LakePath| Ok(make(store.read_small(path)?.as_deref()));
                    turn.iter()
                        .map(read)
                        .collect::<Result<Vec<T>, StoreError>>()
                })
            };
            let read = stream::iter(turns).map(read).buffered(AT_ONCE);
            let made: Vec<Vec<T>> = read.try_collect().await?;
            return Ok(made.into_iter().flatten().collect());
        }
        let read = |path: LakePath| async move {
            let bytes = self.get(&path).await?;
            Ok::<_, StoreError>(make(bytes.as_deref()))
        };
        let read = stream::iter(paths).map(read).buffered(2 * AT_ONCE);
        read.try_collect().await
    }

    /// A file's length, or nothing if there is none.
    ///
    /// # Errors
    /// When that can't be told.
    pub async fn size(&self, path: &LakePath) -> Result<Option<u64>, StoreError> {
        match &self.kind {
            Kind::Local => {
                let path = self.locate(path);
                blocking(move || local::size(&path)).await
            }
            Kind::Object(bucket) => Ok(bucket.head(path).await?.map(|meta| meta.size)),
        }
    }

    /// A file's length and age, or nothing if there is none.
    ///
    /// # Errors
    /// When they can't be told.
    pub async fn stamp(&self, path: &LakePath) -> Result<Option<Stamp>, StoreError> {
        match &self.kind {
            Kind::Local => {
                let path = self.locate(path);
                blocking(move || local::stamp(&path)).await
            }
            Kind::Object(bucket) => {
                let found = bucket.head(path).await?;
                Ok(found.map(|meta| Stamp {
                    bytes: meta.size,
                    modified: meta.last_modified,
                }))
            }
        }
    }

    /// Whether there is anything at its root: a folder, if only an empty one, or an object below it.
    ///
    /// # Errors
    /// When that can't be told.
    pub async fn is_there(&self) -> Result<bool, StoreError> {
        match &self.kind {
            Kind::Local => {
                let there = tokio::fs::try_exists(self.root()).await;
                there.map_err(StoreError::io("look for", self.root()))
            }
            Kind::Object(bucket) => bucket.is_there().await,
        }
    }

    /// What a folder holds, sorted by name; nothing if there is no such folder.
    ///
    /// # Errors
    /// When there is one and it can't be read.
    pub async fn list(&self, folder: &LakePath) -> Result<Vec<Entry>, StoreError> {
        match &self.kind {
            Kind::Local => {
                let folder = self.locate(folder);
                blocking(move || local::list(&folder)).await
            }
            Kind::Object(bucket) => bucket.list(folder).await,
        }
    }

    /// The files in a folder and in the folders in it: on an object store by one listing.
    ///
    /// # Errors
    /// When a folder is there and can't be read.
    pub async fn list_files(&self, folder: &LakePath) -> Result<Vec<LakePath>, StoreError> {
        if let Kind::Object(bucket) = &self.kind {
            return bucket.list_files(folder).await;
        }
        let mut paths = Vec::new();
        for entry in self.list(folder).await? {
            let path = folder.join(&entry.name);
            if entry.is_folder {
                let within = self.list(&path).await?.into_iter();
                let files = within.filter(|entry| !entry.is_folder);
                paths.extend(files.map(|entry| path.join(&entry.name)));
            } else {
                paths.push(path);
            }
        }
        Ok(paths)
    }

    /// How many requests are worth having in flight: on an object store most of the time is
    /// waiting, on a disk things are done one after the other.
    pub(crate) fn at_once(&self) -> usize {
        match &self.kind {
            Kind::Local => 1,
            Kind::Object(_) => 8,
        }
    }

    /// Opens a file to read it by pieces; nothing if there is none. Blocks: for threads that may.
    ///
    /// # Errors
    /// When there is one and it can't be read.
    pub fn open(&self, path: &LakePath) -> Result<Option<StoredFile>, StoreError> {
        match &self.kind {
            Kind::Local => StoredFile::local(self.locate(path)),
            Kind::Object(bucket) => StoredFile::object(bucket, path, self.locate(path)),
        }
    }

    /// Whether the run that stages here is dead: its lock is free, or it has not touched its sign
    /// of life for longer than the setting allows.
    ///
    /// # Errors
    /// When that can't be told.
    pub(crate) async fn is_dead(&self, staging: &LakePath) -> Result<bool, StoreError> {
        match &self.kind {
            Kind::Local => {
                let lock = self.locate(&staging.join(local::LOCK));
                blocking(move || local::is_unlocked(&lock)).await
            }
            Kind::Object(bucket) => bucket.is_dead(staging).await,
        }
    }

    /// Whether a file in a staging folder is of the run itself, and not staged.
    pub(crate) fn is_sign_of_life(name: &str) -> bool {
        name == local::LOCK || name == object::ALIVE
    }
}

/// From now on no lock is waited for at length: the process was told to stop.
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
