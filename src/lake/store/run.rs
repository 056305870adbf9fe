//! The store while a run writes to it: its staging folder, its lock, and what changes the lake.

use std::collections::BTreeSet;
use std::fs::File;
use std::ops::Deref;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use super::{StagedFile, StagedReject, Store, blocking, local};
use crate::lake::error::LakeError;
use crate::lake::path::{FileName, FilePath, LakePath, Partition, is_safe_run_id};
use crate::lake::point::{Faults, Point};
use crate::schema::TableName;
use crate::task::RunId;

/// A store that one living run writes to. Cheap to clone; the run lives as long as one clone.
#[derive(Clone, Debug)]
pub struct RunStore {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    store: Store,
    run: RunId,
    next_file: AtomicU64,
    faults: Faults,
    /// Held as long as the run lives: whoever can take it knows that the run is dead.
    _lock: File,
}

/// How `RunStore::put_if_absent` ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Put {
    /// The name was free and is ours.
    Created,
    /// The name is taken.
    Taken,
}

/// How `RunStore::publish` ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Published {
    /// Moved to its table just now.
    Moved,
    /// It was there already.
    Present,
    /// Neither staged nor in its table: published and then removed by others, or lost.
    Gone,
}

impl Deref for RunStore {
    type Target = Store;

    fn deref(&self) -> &Store {
        &self.inner.store
    }
}

impl RunStore {
    /// Begins to write: makes the run's staging folder and takes its lock.
    ///
    /// # Errors
    /// When the destination can't be written to.
    pub async fn open(store: Store, run: RunId) -> Result<Self, LakeError> {
        if !is_safe_run_id(&run) {
            return Err(LakeError::Draft(format!(
                "`{run}` can't be a folder's name"
            )));
        }
        blocking(move || {
            for folder in [LakePath::commits(), LakePath::days()] {
                local::create_folders(&store.locate(&folder))?;
            }
            let folder = store.locate(&LakePath::staging_of(&run));
            let path = folder.join(local::LOCK);
            let lock = loop {
                local::create_folders(&folder)?;
                // Somebody may take the new folder for a dead run's until it is locked.
                match local::lock(&path) {
                    Ok(lock) if local::is_same_file(&lock, &path)? => break lock,
                    Err(error) if folder.is_dir() => return Err(error),
                    _ => {}
                }
            };
            let (next_file, faults) = (AtomicU64::new(1), Faults::default());
            let inner = Inner {
                store,
                run,
                next_file,
                faults,
                _lock: lock,
            };
            Ok(Self {
                inner: Arc::new(inner),
            })
        })
        .await
    }

    /// The run that writes.
    #[must_use]
    pub fn run_id(&self) -> &RunId {
        &self.inner.run
    }

    pub(in crate::lake) fn pass(&self, point: Point) -> Result<(), LakeError> {
        self.inner.faults.pass(point)
    }

    #[cfg(test)]
    pub(in crate::lake) fn faults(&self) -> &Faults {
        &self.inner.faults
    }

    /// Opens a new data file, named and placed for good but invisible. Blocks.
    ///
    /// # Errors
    /// When the disk refuses it.
    pub fn stage(&self, table: TableName, partition: Partition) -> Result<StagedFile, LakeError> {
        let number = self.inner.next_file.fetch_add(1, Ordering::Relaxed);
        let name = FileName::of_run(self.run_id(), number);
        StagedFile::create(
            self.clone(),
            FilePath {
                table,
                partition,
                name,
            },
        )
    }

    /// Opens a file for rejects, with this ending. Blocks.
    ///
    /// # Errors
    /// When the disk refuses it.
    pub fn stage_reject(&self, ending: &str) -> Result<StagedReject, LakeError> {
        let number = self.inner.next_file.fetch_add(1, Ordering::Relaxed);
        StagedReject::create(self.clone(), format!("{number:06}.{ending}"))
    }

    /// Drops a finished data file that no commit will name.
    ///
    /// # Errors
    /// When it is there and can't be removed.
    pub async fn unstage(&self, file: &crate::lake::DataFile) -> Result<(), LakeError> {
        let place = self.locate(&file.staged(self.run_id()));
        blocking(move || local::remove(&place).map(drop)).await
    }

    /// Makes the names of staged files durable.
    pub(in crate::lake) async fn sync_staging(&self) -> Result<(), LakeError> {
        let folder = self.locate(&LakePath::staging_of(self.run_id()));
        blocking(move || local::sync_folder(&folder)).await
    }

    /// Creates a file, durable with its name, unless the name is taken.
    ///
    /// # Errors
    /// When the disk refuses it. The file may or may not be there then.
    pub(in crate::lake) async fn put_if_absent(
        &self,
        path: &LakePath,
        bytes: Arc<[u8]>,
    ) -> Result<Put, LakeError> {
        let (store, path) = (self.clone(), self.locate(path));
        blocking(move || {
            let temporary = store.temporary();
            local::write_temporary(&temporary, &bytes)?;
            store.pass(Point::CommitRecordWritten)?;
            let put = local::link(&temporary, &path)?;
            store.pass(Point::CommitRecordNamed)?;
            sync_parent(&path)?;
            local::remove(&temporary)?;
            Ok(if put { Put::Created } else { Put::Taken })
        })
        .await
    }

    /// Writes a whole file, over one that is there; never half, and durable with its name. For run
    /// reports and rejects.
    ///
    /// # Errors
    /// When the disk refuses it.
    pub async fn replace(&self, path: &LakePath, bytes: Vec<u8>) -> Result<(), LakeError> {
        let (store, path) = (self.clone(), self.locate(path));
        blocking(move || store.overwrite(&path, &bytes)).await
    }

    /// Looks at a file and may replace it; nobody else updates any file between the two. `decide`
    /// gets the present content and returns the new one, or nothing to leave it. Says whether it
    /// was replaced.
    ///
    /// # Errors
    /// When the disk refuses it.
    pub(in crate::lake) async fn update<F>(
        &self,
        path: &LakePath,
        decide: F,
    ) -> Result<bool, LakeError>
    where
        F: FnOnce(Option<&[u8]>) -> Option<Vec<u8>> + Send + 'static,
    {
        let (store, path) = (self.clone(), self.locate(path));
        blocking(move || {
            let _lock = local::lock(&store.root().join("_export/update.lock"))?;
            let present = local::read(&path)?;
            match decide(present.as_deref()) {
                Some(bytes) => store.overwrite(&path, &bytes).map(|()| true),
                None => Ok(false),
            }
        })
        .await
    }

    /// Moves a data file that `run` staged to its table. Its name there is durable after
    /// [`RunStore::sync_folders`].
    ///
    /// # Errors
    /// When the disk refuses it.
    pub(in crate::lake) async fn publish(
        &self,
        run: &RunId,
        path: &FilePath,
    ) -> Result<Published, LakeError> {
        let from = self.locate(&LakePath::staged(run, &path.name));
        let folder = self.locate(&path.folder());
        let to = self.locate(&LakePath::from(path));
        blocking(move || {
            local::create_folders(&folder)?;
            if local::rename(&from, &to)? {
                Ok(Published::Moved)
            } else if local::size(&to)?.is_some() {
                Ok(Published::Present)
            } else {
                Ok(Published::Gone)
            }
        })
        .await
    }

    /// Removes a file; one that is gone is fine.
    ///
    /// # Errors
    /// When the disk refuses it.
    pub(in crate::lake) async fn remove(&self, path: &LakePath) -> Result<bool, LakeError> {
        let path = self.locate(path);
        blocking(move || local::remove(&path)).await
    }

    /// Moves a file to a place that is free; fails if that is taken.
    ///
    /// # Errors
    /// When the disk refuses it, or something is there.
    pub(in crate::lake) async fn move_aside(
        &self,
        from: &LakePath,
        to: &LakePath,
    ) -> Result<(), LakeError> {
        let (from, to) = (self.locate(from), self.locate(to));
        blocking(move || {
            if let Some(folder) = to.parent() {
                local::create_folders(folder)?;
            }
            // A rename would write over what is there.
            if !local::link(&from, &to)? {
                let taken = std::io::ErrorKind::AlreadyExists.into();
                return Err(LakeError::io("move a file to", &to)(taken));
            }
            sync_parent(&to)?;
            local::remove(&from)?;
            sync_parent(&from)
        })
        .await
    }

    /// Removes a folder if it is empty.
    ///
    /// # Errors
    /// When the disk refuses it for another reason than that it is not.
    pub(in crate::lake) async fn remove_folder(&self, folder: &LakePath) -> Result<(), LakeError> {
        let folder = self.locate(folder);
        blocking(move || local::remove_empty_folder(&folder)).await
    }

    /// Makes the names in these folders durable, and their absence.
    pub(in crate::lake) async fn sync_folders(
        &self,
        folders: BTreeSet<LakePath>,
    ) -> Result<(), LakeError> {
        let folders: Vec<_> = folders.iter().map(|folder| self.locate(folder)).collect();
        blocking(move || {
            folders
                .iter()
                .filter(|folder| folder.is_dir())
                .try_for_each(|f| local::sync_folder(f))
        })
        .await
    }

    /// Takes over a dead run's staging folder. Nothing if its run lives, or somebody else is at it.
    pub(in crate::lake) async fn take_dead(
        &self,
        folder: &LakePath,
    ) -> Result<Option<DeadRun>, LakeError> {
        let (store, folder) = (self.clone(), self.locate(folder));
        blocking(move || {
            let path = folder.join(local::LOCK);
            let lock = match local::try_lock(&path) {
                Ok(lock) => lock,
                // Removed by somebody else meanwhile.
                Err(_) if !folder.is_dir() => return Ok(None),
                Err(error) => return Err(error),
            };
            Ok(lock.map(|lock| DeadRun {
                store,
                folder,
                lock,
            }))
        })
        .await
    }

    /// Ends the run: removes its staging folder with all that was not committed.
    ///
    /// # Errors
    /// When the disk refuses it. The next run will try again.
    pub(in crate::lake) async fn close(self) -> Result<u64, LakeError> {
        let folder = self.locate(&LakePath::staging_of(self.run_id()));
        blocking(move || remove_staging(&folder, || Ok(()))).await
    }

    /// A free place for what nobody but this run needs, on this machine. It goes with the run.
    pub(in crate::lake) fn scratch(&self) -> std::path::PathBuf {
        self.temporary()
    }

    fn temporary(&self) -> std::path::PathBuf {
        let number = self.inner.next_file.fetch_add(1, Ordering::Relaxed);
        self.locate(&LakePath::staging_of(self.run_id()))
            .join(format!("{number:06}.tmp"))
    }

    fn overwrite(&self, path: &Path, bytes: &[u8]) -> Result<(), LakeError> {
        if let Some(folder) = path.parent() {
            local::create_folders(folder)?;
        }
        let temporary = self.temporary();
        local::write_temporary(&temporary, bytes)?;
        local::rename(&temporary, path)?;
        sync_parent(path)
    }
}

/// The staging folder of a run that is dead, held so that nobody else removes it too.
#[derive(Debug)]
pub(in crate::lake) struct DeadRun {
    store: RunStore,
    folder: std::path::PathBuf,
    lock: File,
}

impl DeadRun {
    /// Removes the folder. Only once every commit of the run is published. Says how many files
    /// went with it.
    pub(in crate::lake) async fn remove(self) -> Result<u64, LakeError> {
        blocking(move || {
            let Self {
                store,
                folder,
                lock,
            } = self;
            let removed = remove_staging(&folder, || store.pass(Point::RecoverFileRemoved));
            drop(lock);
            removed
        })
        .await
    }
}

/// Removes a staging folder, its lock last. Says how many other files it held.
fn remove_staging(
    folder: &Path,
    mut each: impl FnMut() -> Result<(), LakeError>,
) -> Result<u64, LakeError> {
    let mut removed = 0;
    for entry in local::list(folder)? {
        if !entry.is_folder && entry.name != local::LOCK {
            removed += u64::from(local::remove(&folder.join(entry.name))?);
            each()?;
        }
    }
    local::remove(&folder.join(local::LOCK))?;
    local::remove_empty_folder(folder)?;
    Ok(removed)
}

pub(super) fn sync_parent(path: &Path) -> Result<(), LakeError> {
    path.parent().map_or(Ok(()), local::sync_folder)
}
