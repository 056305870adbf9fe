//! The store of a writing run: its staged files, its lock or heartbeat, and changes to the lake.

use std::collections::BTreeSet;
use std::ops::Deref;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use bytes::Bytes;

use super::backend::{Backend, Store};
use super::blocking::blocking;
use super::data_file::{DataFile, Upload};
use super::error::StoreError;
use super::failpoint::Failpoint;
#[cfg(test)]
use super::failpoint::FailpointSet;
use super::local::{self, LocalRun, Staging};
use super::object::{DeadObjectRun, ObjectRun};
use super::outcome::{Linked, Published, PutOutcome};
use super::path::{FilePath, LakePath, is_safe_run_id};
use super::read::StoredFile;
use super::run_state::RunState;
use crate::task::RunId;

/// A store that one living run writes to. Cheap to clone; the run lives as long as one clone.
#[derive(Clone, Debug)]
pub struct RunStore {
    inner: Arc<RunInner>,
}

#[derive(Debug)]
struct RunInner {
    store: Store,
    state: Arc<RunState>,
    lease: RunLease,
}

/// The run's lock or heartbeat and its staging folder, on the backend of the store.
#[derive(Debug)]
enum RunLease {
    Local(LocalRun),
    Object(Box<ObjectRun>),
}

impl Deref for RunStore {
    type Target = Store;

    fn deref(&self) -> &Store {
        &self.inner.store
    }
}

impl RunStore {
    /// Starts a run: creates its staging folder and its lock or heartbeat.
    ///
    /// # Errors
    /// If the destination cannot be written, or a run of this id exists already.
    pub async fn open(store: Store, run: RunId) -> Result<Self, StoreError> {
        if !is_safe_run_id(&run) {
            return Err(StoreError::UnsafeRunId(run));
        }
        let state = Arc::new(RunState::new(run));
        let shared = Arc::clone(&state);
        let lease = match &store.backend {
            Backend::Local(folder) => LocalRun::open(folder.clone(), shared)
                .await?
                .map(RunLease::Local),
            Backend::Object(bucket) => ObjectRun::open(bucket.clone(), shared)
                .await?
                .map(|run| RunLease::Object(Box::new(run))),
        };
        let Some(lease) = lease else {
            return Err(StoreError::RunTaken(state.run.clone()));
        };
        let inner = RunInner {
            store,
            state,
            lease,
        };
        Ok(Self {
            inner: Arc::new(inner),
        })
    }

    /// The run that writes.
    #[must_use]
    pub fn run_id(&self) -> &RunId {
        &self.inner.state.run
    }

    pub(crate) fn pass(&self, point: Failpoint) -> Result<(), StoreError> {
        self.inner.state.pass(point)
    }

    #[cfg(test)]
    pub(crate) fn failpoints(&self) -> &FailpointSet {
        &self.inner.state.failpoints
    }

    /// The folder of this machine in which the run stages.
    pub(super) fn staging(&self) -> &Path {
        match &self.inner.lease {
            RunLease::Local(run) => run.staging(),
            RunLease::Object(run) => run.spool(),
        }
    }

    /// The local path of a file that this run staged.
    #[must_use]
    pub fn staged_place(&self, file: &DataFile) -> PathBuf {
        self.staging().join(file.name.as_str())
    }

    /// Opens a file that this run staged and has not committed. Blocks.
    ///
    /// # Errors
    /// If it cannot be read.
    pub fn open_staged(&self, file: &DataFile) -> Result<Option<StoredFile>, StoreError> {
        StoredFile::local(self.staged_place(file))
    }

    /// A number for a file, never given twice.
    pub(super) fn next_number(&self) -> u64 {
        self.inner.state.next_number()
    }

    /// Drops a finished data file that no commit will name.
    ///
    /// # Errors
    /// If it exists and cannot be removed.
    pub async fn unstage(&self, file: &DataFile) -> Result<(), StoreError> {
        match &self.inner.lease {
            RunLease::Local(run) => run.unstage(file).await,
            RunLease::Object(run) => run.unstage(file).await,
        }
    }

    /// The length of a file that this run staged; `None` if it is missing.
    pub(crate) async fn staged_size(&self, file: &DataFile) -> Result<Option<u64>, StoreError> {
        let place = self.staged_place(file);
        blocking(move || local::size(&place)).await
    }

    /// Makes staged files durable without making them visible. What publishing needs is stored in
    /// `files`.
    pub(crate) async fn sync_staged(&self, files: &mut [DataFile]) -> Result<(), StoreError> {
        match &self.inner.lease {
            RunLease::Local(run) => run.sync_staged().await,
            RunLease::Object(run) => run.sync_staged(files).await,
        }
    }

    /// Undoes [`RunStore::sync_staged`] for files that will not be committed as they are.
    pub(crate) async fn withdraw(&self, files: &mut [DataFile]) -> Result<(), StoreError> {
        match &self.inner.lease {
            RunLease::Local(_) => Ok(()),
            RunLease::Object(run) => run.withdraw(files).await,
        }
    }

    /// Removes the crash-recovery notes of uploads that are all published or withdrawn.
    pub(crate) async fn forget_notes(&self) -> Result<(), StoreError> {
        match &self.inner.lease {
            RunLease::Local(_) => Ok(()),
            RunLease::Object(run) => run.forget_notes().await,
        }
    }

    /// Creates a file, durable with its name, unless the name is taken.
    ///
    /// # Errors
    /// If the store fails. The file may or may not exist then.
    pub(crate) async fn put_if_absent(
        &self,
        path: &LakePath,
        bytes: Bytes,
    ) -> Result<PutOutcome, StoreError> {
        match &self.inner.lease {
            RunLease::Local(run) => run.put_if_absent(path, bytes).await,
            RunLease::Object(run) => run.put_if_absent(path, bytes).await,
        }
    }

    /// As [`RunStore::put_if_absent`], without the named points of a commit.
    ///
    /// # Errors
    /// If the store fails. The file may or may not exist then.
    pub(crate) async fn create(
        &self,
        path: &LakePath,
        bytes: Bytes,
    ) -> Result<PutOutcome, StoreError> {
        match &self.inner.lease {
            RunLease::Local(run) => run.create(path, bytes).await,
            RunLease::Object(run) => run.create(path, bytes).await,
        }
    }

    /// Writes a file atomically and durably, replacing an existing one. For run reports and rejects.
    ///
    /// # Errors
    /// If the store fails.
    pub async fn replace(&self, path: &LakePath, bytes: Vec<u8>) -> Result<(), StoreError> {
        match &self.inner.lease {
            RunLease::Local(run) => run.replace(path, bytes).await,
            RunLease::Object(run) => run.replace(path, bytes).await,
        }
    }

    /// Reads a file and may replace it, without another process updating it in between. `decide` gets
    /// the current content and returns the new one, or `None` to keep it. Returns whether the file was
    /// replaced.
    ///
    /// # Errors
    /// If the store fails.
    pub(crate) async fn update<F>(&self, path: &LakePath, decide: F) -> Result<bool, StoreError>
    where
        F: Fn(Option<&[u8]>) -> Option<Vec<u8>> + Send + 'static,
    {
        match &self.inner.lease {
            RunLease::Local(run) => run.update(path, decide).await,
            RunLease::Object(run) => run.update(path, decide).await,
        }
    }

    /// Writes or removes a marker, as the current content of another file demands it. Returns whether
    /// that changed anything.
    ///
    /// A marker follows its file: what changes the file calls this afterwards. On a disk both happen
    /// under one lock; in a bucket the file is read again after the marker was changed, until it is
    /// still the same.
    ///
    /// # Errors
    /// If the store fails.
    pub(crate) async fn keep_marker(
        &self,
        marker: &LakePath,
        text: &'static [u8],
        file: &LakePath,
        is_wanted: fn(Option<&[u8]>) -> bool,
    ) -> Result<bool, StoreError> {
        match &self.inner.lease {
            RunLease::Local(run) => run.keep_marker(marker, text, file, is_wanted).await,
            RunLease::Object(run) => run.keep_marker(marker, text, file, is_wanted).await,
        }
    }

    /// Moves a data file that `run` staged to its table. Its name there is durable after
    /// [`RunStore::sync_folders`].
    ///
    /// # Errors
    /// If the store fails.
    pub(crate) async fn publish(
        &self,
        run: &RunId,
        path: &FilePath,
        upload: Option<&Upload>,
    ) -> Result<Published, StoreError> {
        match &self.inner.lease {
            RunLease::Local(own) => own.publish(run, path).await,
            RunLease::Object(own) => own.publish(path, upload).await,
        }
    }

    /// Removes a file; a missing one is not an error.
    ///
    /// # Errors
    /// If the store fails.
    pub(crate) async fn remove(&self, path: &LakePath) -> Result<bool, StoreError> {
        match &self.inner.lease {
            RunLease::Local(run) => run.remove(path).await,
            RunLease::Object(run) => run.remove(path).await,
        }
    }

    /// Makes hard links to files of the lake below a folder; returns the linked files and the outcome.
    /// The links are durable after [`RunStore::sync_tree`].
    ///
    /// # Errors
    /// If the disk fails for another reason than that it has no hard links.
    pub(crate) async fn link_files(
        &self,
        folder: &LakePath,
        paths: Vec<FilePath>,
    ) -> Result<(Vec<FilePath>, Linked), StoreError> {
        match &self.inner.lease {
            RunLease::Local(run) => run.link_files(folder, paths).await,
            RunLease::Object(_) => Ok((Vec::new(), Linked::Refused)),
        }
    }

    /// Makes all names below a folder durable. An object store has no folders.
    ///
    /// # Errors
    /// If the disk fails.
    pub(crate) async fn sync_tree(&self, folder: &LakePath) -> Result<(), StoreError> {
        match &self.inner.lease {
            RunLease::Local(run) => run.sync_tree(folder).await,
            RunLease::Object(_) => Ok(()),
        }
    }

    /// Removes a folder of hard links with its content. An object store has none.
    ///
    /// # Errors
    /// If the disk fails.
    pub(crate) async fn remove_tree(&self, folder: &LakePath) -> Result<(), StoreError> {
        match &self.inner.lease {
            RunLease::Local(run) => run.remove_tree(folder).await,
            RunLease::Object(_) => Ok(()),
        }
    }

    /// Moves a file to a free path; fails if that is taken. On an object store the bytes go through
    /// this machine, since not every store supports copies.
    ///
    /// # Errors
    /// If the store fails, or the path is taken.
    pub(crate) async fn move_aside(
        &self,
        from: &LakePath,
        to: &LakePath,
    ) -> Result<(), StoreError> {
        match &self.inner.lease {
            RunLease::Local(run) => run.move_aside(from, to).await,
            RunLease::Object(run) => run.move_aside(from, to).await,
        }
    }

    /// Removes a folder if it is empty. An object store has no folders.
    ///
    /// # Errors
    /// If the disk fails for another reason than that the folder is not empty.
    pub(crate) async fn remove_folder(&self, folder: &LakePath) -> Result<(), StoreError> {
        match &self.inner.lease {
            RunLease::Local(run) => run.remove_folder(folder).await,
            RunLease::Object(_) => Ok(()),
        }
    }

    /// Makes the names in these folders durable, including removals.
    pub(crate) async fn sync_folders(&self, folders: BTreeSet<LakePath>) -> Result<(), StoreError> {
        match &self.inner.lease {
            RunLease::Local(run) => run.sync_folders(folders).await,
            RunLease::Object(_) => Ok(()),
        }
    }

    /// Takes over a dead run's staging folder; `None` if its run is alive or another process has it.
    pub(crate) async fn take_dead(&self, folder: &LakePath) -> Result<Option<DeadRun>, StoreError> {
        let dead = match &self.inner.lease {
            RunLease::Local(run) => run.take_dead(folder).await?.map(Dead::Local),
            RunLease::Object(run) => run.take_dead(folder).await?.map(Dead::Object),
        };
        let state = Arc::clone(&self.inner.state);
        Ok(dead.map(|dead| DeadRun { state, dead }))
    }

    /// Ends the run: removes its staging folder with all that was not committed.
    ///
    /// # Errors
    /// If the store fails. A later run retries.
    pub async fn close(self) -> Result<u64, StoreError> {
        match &self.inner.lease {
            RunLease::Local(run) => run.close().await,
            RunLease::Object(run) => run.close().await,
        }
    }

    /// Moves a finished file from the staging folder into the lake at once. Blocks.
    pub(super) fn put_in_place(&self, file: &Path, to: &LakePath) -> Result<(), StoreError> {
        match &self.inner.lease {
            RunLease::Local(run) => run.put_in_place(file, to),
            RunLease::Object(run) => run.put_in_place(file, to),
        }
    }

    /// A free local path for scratch data. It is removed with the run.
    pub(crate) fn scratch(&self) -> PathBuf {
        self.staging().join(self.inner.state.temporary_name())
    }
}

/// What a dead run has staged.
#[derive(Debug)]
pub(crate) struct DeadRun {
    /// Of the run that removes it.
    state: Arc<RunState>,
    dead: Dead,
}

#[derive(Debug)]
enum Dead {
    /// Locked, so that no other process removes it too.
    Local(Staging),
    Object(DeadObjectRun),
}

impl DeadRun {
    /// Whether the run may still be alive, so that a commit must fence it before anything is
    /// removed.
    pub(crate) fn may_live(&self) -> bool {
        matches!(self.dead, Dead::Object(_))
    }

    /// Removes everything; returns the number of files. Only once every commit of the run is
    /// published.
    pub(crate) async fn remove(self) -> Result<u64, StoreError> {
        let Self { state, dead } = self;
        let each = move || state.pass(Failpoint::RecoverFileRemoved);
        match dead {
            Dead::Local(staging) => blocking(move || staging.remove(each)).await,
            Dead::Object(run) => run.remove(each).await,
        }
    }
}
