//! The store of a writing run: its staged files, its sign of life, and changes to the lake.

use std::collections::BTreeSet;
use std::fs::File;
use std::ops::Deref;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use bytes::Bytes;

use super::data_file::{DataFile, Upload};
use super::error::StoreError;
use super::failpoint::{Faults, Point};
use super::local::{self, Link, Staging};
use super::object::{DeadObjectRun, ObjectRun};
use super::path::{FileName, FilePath, LakePath, Partition, is_safe_run_id};
use super::{Kind, StagedFile, StagedReject, Store, StoredFile, blocking};
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
    hold: Hold,
}

/// The run's sign of life and its staging folder.
#[derive(Debug)]
enum Hold {
    Local(Staging),
    Object(ObjectRun),
}

/// The result of `RunStore::put_if_absent`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Put {
    /// The name was free and now belongs to this run.
    Created,
    /// The name is taken.
    Taken,
}

/// The result of `RunStore::link_files`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Linked {
    /// All of them have hard links.
    All,
    /// This one is missing.
    Gone(FilePath),
    /// Hard links are not supported here.
    Refused,
}

/// The result of `RunStore::publish`.
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
    /// Begins to write: makes the run's staging folder and shows that the run lives.
    ///
    /// # Errors
    /// When the destination can't be written to, or a run of this id stages there already.
    pub async fn open(store: Store, run: RunId) -> Result<Self, StoreError> {
        if !is_safe_run_id(&run) {
            return Err(StoreError::UnsafeRunId(run));
        }
        let hold = match &store.kind {
            Kind::Local => {
                let folders = [
                    LakePath::commits(),
                    LakePath::days(),
                    LakePath::complete_days(),
                ];
                let folders = folders.map(|f| store.locate(&f));
                let staging = store.locate(&LakePath::staging_of(&run));
                let staging = blocking(move || {
                    folders.iter().try_for_each(|f| local::create_folders(f))?;
                    let Some(staging) = Staging::open(staging, local::create_new_folder)? else {
                        return Ok(None);
                    };
                    if let Err(error) = super::probe::check_links(staging.folder()) {
                        let _ = staging.remove(|| Ok(()));
                        return Err(error);
                    }
                    Ok(Some(staging))
                });
                staging.await?.map(Hold::Local)
            }
            Kind::Object(bucket) => {
                let run = ObjectRun::open(bucket.clone(), &run).await?;
                run.map(Hold::Object)
            }
        };
        let Some(hold) = hold else {
            return Err(StoreError::RunTaken(run));
        };
        let inner = Inner {
            store,
            run,
            next_file: AtomicU64::new(1),
            faults: Faults::default(),
            hold,
        };
        Ok(Self {
            inner: Arc::new(inner),
        })
    }

    /// The run that writes.
    #[must_use]
    pub fn run_id(&self) -> &RunId {
        &self.inner.run
    }

    pub(crate) fn pass(&self, point: Point) -> Result<(), StoreError> {
        self.inner.faults.pass(point).map_err(StoreError::Stopped)
    }

    #[cfg(test)]
    pub(crate) fn faults(&self) -> &Faults {
        &self.inner.faults
    }

    /// The folder of this machine in which the run stages.
    pub(super) fn staging(&self) -> &Path {
        match &self.inner.hold {
            Hold::Local(staging) => staging.folder(),
            Hold::Object(run) => run.spool(),
        }
    }

    /// Where a file that this run staged waits, on this machine.
    #[must_use]
    pub fn staged_place(&self, file: &DataFile) -> PathBuf {
        self.staging().join(file.name.as_str())
    }

    /// Opens a file that this run staged and has not committed. Blocks.
    ///
    /// # Errors
    /// When it can't be read.
    pub fn open_staged(&self, file: &DataFile) -> Result<Option<StoredFile>, StoreError> {
        StoredFile::local(self.staged_place(file))
    }

    /// Opens a new data file, named and placed for good but invisible. Blocks.
    ///
    /// # Errors
    /// When the disk refuses it.
    pub fn stage(&self, table: TableName, partition: Partition) -> Result<StagedFile, StoreError> {
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
    pub fn stage_reject(&self, ending: &str) -> Result<StagedReject, StoreError> {
        let number = self.inner.next_file.fetch_add(1, Ordering::Relaxed);
        StagedReject::create(self.clone(), format!("{number:06}.{ending}"))
    }

    /// Drops a finished data file that no commit will name.
    ///
    /// # Errors
    /// When it is there and can't be removed.
    pub async fn unstage(&self, file: &DataFile) -> Result<(), StoreError> {
        match &self.inner.hold {
            Hold::Local(_) => {
                let place = self.staged_place(file);
                blocking(move || local::remove(&place).map(drop)).await
            }
            Hold::Object(run) => run.unstage(file).await,
        }
    }

    /// The length of a file that this run staged; nothing if it is gone.
    pub(crate) async fn staged_size(&self, file: &DataFile) -> Result<Option<u64>, StoreError> {
        let place = self.staged_place(file);
        blocking(move || local::size(&place)).await
    }

    /// Makes staged files durable, invisible as they are. What publishing needs to know of them is
    /// noted in them.
    pub(crate) async fn sync_staged(&self, files: &mut [DataFile]) -> Result<(), StoreError> {
        match &self.inner.hold {
            Hold::Local(staging) => {
                let folder = staging.folder().to_owned();
                blocking(move || local::sync_folder(&folder)).await
            }
            Hold::Object(run) => run.send(files).await,
        }
    }

    /// Takes back what [`RunStore::sync_staged`] did: the files will not be committed so.
    pub(crate) async fn withdraw(&self, files: &mut [DataFile]) -> Result<(), StoreError> {
        match &self.inner.hold {
            Hold::Local(_) => Ok(()),
            Hold::Object(run) => run.withdraw(files).await,
        }
    }

    /// Drops what was noted for the case of a crash and is not needed any more, since all that was
    /// sent so far is published or withdrawn.
    pub(crate) async fn forget_notes(&self) -> Result<(), StoreError> {
        match &self.inner.hold {
            Hold::Local(_) => Ok(()),
            Hold::Object(run) => run.forget().await,
        }
    }

    /// Creates a file, durable with its name, unless the name is taken.
    ///
    /// # Errors
    /// When the store refuses it. The file may or may not be there then.
    pub(crate) async fn put_if_absent(
        &self,
        path: &LakePath,
        bytes: Bytes,
    ) -> Result<Put, StoreError> {
        let bucket = match &self.kind {
            Kind::Local => return self.link(path, bytes).await,
            Kind::Object(bucket) => bucket,
        };
        self.pass(Point::CommitRecordWritten)?;
        let put = bucket.put_if_absent(path, bytes).await?;
        self.pass(Point::CommitRecordNamed)?;
        Ok(put)
    }

    async fn link(&self, path: &LakePath, bytes: Bytes) -> Result<Put, StoreError> {
        let (store, path) = (self.clone(), self.locate(path));
        blocking(move || {
            let temporary = store.temporary();
            local::write_temporary(&temporary, &bytes)?;
            store.pass(Point::CommitRecordWritten)?;
            let put = local::link(&temporary, &path)?;
            store.pass(Point::CommitRecordNamed)?;
            local::sync_parent(&path)?;
            local::remove(&temporary)?;
            Ok(if put { Put::Created } else { Put::Taken })
        })
        .await
    }

    /// Writes a whole file, over one that is there; never half, and durable with its name. For run
    /// reports and rejects.
    ///
    /// # Errors
    /// When the store refuses it.
    pub async fn replace(&self, path: &LakePath, bytes: Vec<u8>) -> Result<(), StoreError> {
        match &self.kind {
            Kind::Local => {
                let (store, path) = (self.clone(), self.locate(path));
                blocking(move || store.overwrite(&path, &bytes)).await
            }
            Kind::Object(bucket) => bucket.put(path, bytes.into()).await.map(drop),
        }
    }

    /// Reads a file and may replace it; no other process updates the file between the two. `decide`
    /// gets the present content and returns the new one, or nothing to leave it. Says whether it
    /// was replaced.
    ///
    /// # Errors
    /// When the store refuses it.
    pub(crate) async fn update<F>(&self, path: &LakePath, decide: F) -> Result<bool, StoreError>
    where
        F: Fn(Option<&[u8]>) -> Option<Vec<u8>> + Send + 'static,
    {
        let bucket = match &self.kind {
            Kind::Local => {
                let (store, path) = (self.clone(), self.locate(path));
                return blocking(move || {
                    let _lock = local::lock(&store.root().join("_export/update.lock"))?;
                    let present = local::read(&path)?;
                    match decide(present.as_deref()) {
                        Some(bytes) => store.overwrite(&path, &bytes).map(|()| true),
                        None => Ok(false),
                    }
                })
                .await;
            }
            Kind::Object(bucket) => bucket,
        };
        bucket.update(path, decide).await
    }

    /// Moves a data file that `run` staged to its table. Its name there is durable after
    /// [`RunStore::sync_folders`].
    ///
    /// # Errors
    /// When the store refuses it.
    pub(crate) async fn publish(
        &self,
        run: &RunId,
        (path, upload): (&FilePath, Option<&Upload>),
    ) -> Result<Published, StoreError> {
        if let Hold::Object(run) = &self.inner.hold {
            return run.publish(path, upload).await;
        }
        let from = self.locate(&LakePath::staged(run, &path.name));
        let folder = self.locate(&path.folder());
        let to = self.locate(&LakePath::from(path));
        blocking(move || {
            local::create_folders(&folder)?;
            // A rename would write over what is there.
            if local::is_there(&to)? && local::is_there(&from)? && !local::are_equal(&from, &to)? {
                // Unless another process moved it there just now.
                if local::is_there(&from)? {
                    return Err(StoreError::damaged(
                        &to,
                        "another file has the name of one that was committed and is to be published",
                    )
                    .advising("move it away, then the next run publishes the other"));
                }
            }
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
    /// When the store refuses it.
    pub(crate) async fn remove(&self, path: &LakePath) -> Result<bool, StoreError> {
        match &self.kind {
            Kind::Local => {
                let path = self.locate(path);
                blocking(move || local::remove(&path)).await
            }
            Kind::Object(bucket) => bucket.remove(path).await,
        }
    }

    /// Gives files of the lake second names below a folder. Says which have them, and how it ended.
    /// They are durable after [`RunStore::sync_tree`].
    ///
    /// # Errors
    /// When the disk refuses it for another reason than that it has no second names.
    pub(crate) async fn link_files(
        &self,
        folder: &LakePath,
        paths: Vec<FilePath>,
    ) -> Result<(Vec<FilePath>, Linked), StoreError> {
        if !self.is_local() {
            return Ok((Vec::new(), Linked::Refused));
        }
        let (store, folder) = (self.clone(), folder.clone());
        blocking(move || {
            let mut done = Vec::new();
            for path in paths {
                let partition = store.locate(&folder.join(path.folder().as_str()));
                local::make_folders(&partition)?;
                let to = partition.join(path.name.as_str());
                match local::second_name(&store.locate(&LakePath::from(&path)), &to)? {
                    Link::Made => store.pass(Point::PinFileLinked)?,
                    Link::Gone => return Ok((done, Linked::Gone(path))),
                    Link::Refused => return Ok((done, Linked::Refused)),
                }
                done.push(path);
            }
            Ok((done, Linked::All))
        })
        .await
    }

    /// Makes all names in a folder and in those in it durable. An object store has none.
    ///
    /// # Errors
    /// When the disk refuses it.
    pub(crate) async fn sync_tree(&self, folder: &LakePath) -> Result<(), StoreError> {
        if !self.is_local() {
            return Ok(());
        }
        let folder = self.locate(folder);
        blocking(move || local::sync_tree(&folder)).await
    }

    /// Removes a folder of second names with all that is in it. An object store has none.
    ///
    /// # Errors
    /// When the disk refuses it.
    pub(crate) async fn remove_tree(&self, folder: &LakePath) -> Result<(), StoreError> {
        if !self.is_local() {
            return Ok(());
        }
        let (store, folder) = (self.clone(), self.locate(folder));
        blocking(move || local::remove_tree(&folder, || store.pass(Point::PinFileRemoved))).await
    }

    /// Moves a file to a place that is free; fails if that is taken. On an object store the bytes
    /// go through this machine: no copy is asked for that a store might not know.
    ///
    /// # Errors
    /// When the store refuses it, or something is there.
    pub(crate) async fn move_aside(
        &self,
        from: &LakePath,
        to: &LakePath,
    ) -> Result<(), StoreError> {
        let store = self.clone();
        let (from, to) = (from.clone(), to.clone());
        if let Hold::Object(_) = &self.inner.hold {
            let (source, target) = (from.clone(), to.clone());
            blocking(move || store.carry(&source, &target)).await?;
            return self.remove(&from).await.map(drop);
        }
        blocking(move || {
            let (from, to) = (store.locate(&from), store.locate(&to));
            if let Some(folder) = to.parent() {
                local::create_folders(folder)?;
            }
            // A rename would write over what is there.
            if !local::link(&from, &to)? {
                return Err(taken(&to));
            }
            if local::is_private(&to) {
                local::make_private(&to)?;
            }
            local::sync_parent(&to)?;
            local::remove(&from)?;
            local::sync_parent(&from)
        })
        .await
    }

    /// Writes what is in one place to another that is free. Blocks.
    fn carry(&self, from: &LakePath, to: &LakePath) -> Result<(), StoreError> {
        let Some(source) = self.open(from)? else {
            let missing = std::io::ErrorKind::NotFound.into();
            return Err(StoreError::io("read", &self.locate(from))(missing));
        };
        if self.open(to)?.is_some() {
            return Err(taken(&self.locate(to)));
        }
        let place = self.temporary();
        let spool = || {
            let mut file = File::create_new(&place)?;
            std::io::copy(&mut source.read_from(0), &mut file)
        };
        spool().map_err(StoreError::io("write", &place))?;
        self.put_in_place(&place, to)
    }

    /// Removes a folder if it is empty. An object store has none.
    ///
    /// # Errors
    /// When the disk refuses it for another reason than that it is not.
    pub(crate) async fn remove_folder(&self, folder: &LakePath) -> Result<(), StoreError> {
        if !self.is_local() {
            return Ok(());
        }
        let folder = self.locate(folder);
        blocking(move || local::remove_empty_folder(&folder)).await
    }

    /// Makes the names in these folders durable, and their absence.
    pub(crate) async fn sync_folders(&self, folders: BTreeSet<LakePath>) -> Result<(), StoreError> {
        if !self.is_local() {
            return Ok(());
        }
        let folders: Vec<_> = folders.iter().map(|folder| self.locate(folder)).collect();
        blocking(move || {
            // Nothing is left to sync of a folder that is gone, also if it went just now.
            folders
                .iter()
                .try_for_each(|f| match local::sync_folder(f) {
                    Err(error) if !local::is_of_missing(&error) => Err(error),
                    _ => Ok(()),
                })
        })
        .await
    }

    /// Takes over a dead run's staging folder. Nothing if its run lives, or another process has it.
    pub(crate) async fn take_dead(&self, folder: &LakePath) -> Result<Option<DeadRun>, StoreError> {
        let kind = match &self.kind {
            Kind::Local => {
                let folder = self.locate(folder);
                let taken = blocking(move || Staging::take_dead(folder)).await?;
                taken.map(Dead::Local)
            }
            Kind::Object(bucket) => DeadObjectRun::take(bucket, folder).await?.map(Dead::Object),
        };
        let store = self.clone();
        Ok(kind.map(|kind| DeadRun { store, kind }))
    }

    /// Ends the run: removes its staging folder with all that was not committed.
    ///
    /// # Errors
    /// When the store refuses it. A later run will try again.
    pub async fn close(self) -> Result<u64, StoreError> {
        if let Hold::Object(run) = &self.inner.hold {
            return run.close().await;
        }
        blocking(move || match &self.inner.hold {
            Hold::Local(staging) => staging.remove(|| Ok(())),
            Hold::Object(_) => Ok(0),
        })
        .await
    }

    /// Makes a finished file of the staging folder one of the lake, at once. Blocks.
    pub(super) fn put_in_place(&self, file: &Path, to: &LakePath) -> Result<(), StoreError> {
        match &self.inner.hold {
            Hold::Local(_) => local::put_in_place(file, &self.locate(to)),
            Hold::Object(run) => run.store(file, to),
        }
    }

    /// A free local path for this run's private use. It is removed with the run.
    pub(crate) fn scratch(&self) -> PathBuf {
        self.temporary()
    }

    fn temporary(&self) -> PathBuf {
        let number = self.inner.next_file.fetch_add(1, Ordering::Relaxed);
        self.staging().join(format!("{number:06}.tmp"))
    }

    pub(super) fn overwrite(&self, path: &Path, bytes: &[u8]) -> Result<(), StoreError> {
        let temporary = self.temporary();
        local::write_temporary(&temporary, bytes)?;
        local::put_in_place(&temporary, path)
    }
}

fn taken(place: &Path) -> StoreError {
    let taken = std::io::ErrorKind::AlreadyExists.into();
    StoreError::io("move a file to", place)(taken)
}

/// What a run that is dead has staged.
#[derive(Debug)]
pub(crate) struct DeadRun {
    store: RunStore,
    kind: Dead,
}

#[derive(Debug)]
enum Dead {
    /// Held, so that no other process removes it too.
    Local(Staging),
    Object(DeadObjectRun),
}

impl DeadRun {
    /// Whether the run might live all the same, so that the log must say that it is dead before
    /// anything is removed.
    pub(crate) fn may_live(&self) -> bool {
        matches!(self.kind, Dead::Object(_))
    }

    /// Removes it all. Only once every commit of the run is published. Says how many files that
    /// were.
    pub(crate) async fn remove(self) -> Result<u64, StoreError> {
        let Self { store, kind } = self;
        let each = move || store.pass(Point::RecoverFileRemoved);
        match kind {
            Dead::Local(staging) => blocking(move || staging.remove(each)).await,
            Dead::Object(run) => run.remove(each).await,
        }
    }
}
