//! A run on a local disk: its locked staging folder, and changes to the lake by renames and links.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use bytes::Bytes;

use super::folder::Folder;
use super::links::{self, Link};
use super::staging::Staging;
use super::{disk, probe};
use crate::store::blocking::blocking;
use crate::store::data_file::DataFile;
use crate::store::error::StoreError;
use crate::store::failpoint::Failpoint;
use crate::store::outcome::{Linked, Published, PutOutcome, taken};
use crate::store::path::{FilePath, LakePath};
use crate::store::run_state::RunState;
use crate::task::RunId;

/// The state of a living run. Cheap to clone; the lock is held until the last clone is dropped.
#[derive(Clone, Debug)]
pub(crate) struct LocalRun {
    folder: Folder,
    staging: Arc<Staging>,
    state: Arc<RunState>,
}

impl LocalRun {
    /// Makes the run's staging folder and locks it. Nothing if another run of this id did.
    pub(crate) async fn open(
        folder: Folder,
        state: Arc<RunState>,
    ) -> Result<Option<Self>, StoreError> {
        let folders = [
            LakePath::commits(),
            LakePath::days(),
            LakePath::complete_days(),
        ];
        let folders = folders.map(|f| folder.locate(&f));
        let staging = folder.locate(&LakePath::staging_of(&state.run));
        let staging = blocking(move || {
            let mut folders = folders.iter();
            folders.try_for_each(|folder| disk::create_folders(folder))?;
            let Some(staging) = Staging::open(staging, disk::create_new_folder)? else {
                return Ok(None);
            };
            if let Err(error) = probe::check_links(staging.folder()) {
                let _ = staging.remove(|| Ok(()));
                return Err(error);
            }
            Ok(Some(staging))
        });
        Ok(staging.await?.map(|staging| Self {
            folder,
            staging: Arc::new(staging),
            state,
        }))
    }

    pub(crate) fn staging(&self) -> &Path {
        self.staging.folder()
    }

    pub(crate) async fn unstage(&self, file: &DataFile) -> Result<(), StoreError> {
        let place = self.staging().join(file.name.as_str());
        blocking(move || disk::remove(&place).map(drop)).await
    }

    pub(crate) async fn sync_staged(&self) -> Result<(), StoreError> {
        let folder = self.staging().to_owned();
        blocking(move || disk::sync_folder(&folder)).await
    }

    pub(crate) async fn put_if_absent(
        &self,
        path: &LakePath,
        bytes: Bytes,
    ) -> Result<PutOutcome, StoreError> {
        let (run, path) = (self.clone(), self.folder.locate(path));
        blocking(move || {
            let temporary = run.temporary();
            disk::write_temporary(&temporary, &bytes)?;
            run.state.pass(Failpoint::CommitRecordWritten)?;
            let created = disk::link(&temporary, &path)?;
            run.state.pass(Failpoint::CommitRecordNamed)?;
            disk::sync_parent(&path)?;
            disk::remove(&temporary)?;
            Ok(PutOutcome::of(created))
        })
        .await
    }

    pub(crate) async fn create(
        &self,
        path: &LakePath,
        bytes: Bytes,
    ) -> Result<PutOutcome, StoreError> {
        let (temporary, path) = (self.temporary(), self.folder.locate(path));
        blocking(move || {
            disk::write_temporary(&temporary, &bytes)?;
            let created = disk::link(&temporary, &path)?;
            disk::sync_parent(&path)?;
            disk::remove(&temporary)?;
            Ok(PutOutcome::of(created))
        })
        .await
    }

    pub(crate) async fn replace(&self, path: &LakePath, bytes: Vec<u8>) -> Result<(), StoreError> {
        let (run, path) = (self.clone(), self.folder.locate(path));
        blocking(move || run.overwrite(&path, &bytes)).await
    }

    pub(crate) async fn update<F>(&self, path: &LakePath, decide: F) -> Result<bool, StoreError>
    where
        F: Fn(Option<&[u8]>) -> Option<Vec<u8>> + Send + 'static,
    {
        let (run, path) = (self.clone(), self.folder.locate(path));
        blocking(move || {
            let _lock = disk::lock(&run.folder.root().join("_export/update.lock"))?;
            let present = disk::read(&path)?;
            match decide(present.as_deref()) {
                Some(bytes) => run.overwrite(&path, &bytes).map(|()| true),
                None => Ok(false),
            }
        })
        .await
    }

    pub(crate) async fn keep_marker(
        &self,
        marker: &LakePath,
        text: &'static [u8],
        file: &LakePath,
        is_wanted: fn(Option<&[u8]>) -> bool,
    ) -> Result<bool, StoreError> {
        let (run, marker) = (self.clone(), self.folder.locate(marker));
        let file = self.folder.locate(file);
        blocking(move || {
            let _lock = disk::lock(&run.folder.root().join("_export/update.lock"))?;
            let is_wanted = is_wanted(disk::read(&file)?.as_deref());
            if is_wanted == disk::size(&marker)?.is_some() {
                return Ok(false);
            }
            if is_wanted {
                if let Some(folder) = marker.parent() {
                    disk::create_folders(folder)?;
                }
                run.overwrite(&marker, text)?;
            } else {
                disk::remove(&marker)?;
            }
            Ok(true)
        })
        .await
    }

    pub(crate) async fn publish(
        &self,
        run: &RunId,
        path: &FilePath,
    ) -> Result<Published, StoreError> {
        let from = self.folder.locate(&LakePath::staged(run, &path.name));
        let folder = self.folder.locate(&path.folder());
        let to = self.folder.locate(&LakePath::from(path));
        blocking(move || {
            disk::create_folders(&folder)?;
            // A rename would write over what is there.
            if disk::is_there(&to)? && disk::is_there(&from)? && !disk::are_equal(&from, &to)? {
                // Unless another process moved it there just now.
                if disk::is_there(&from)? {
                    return Err(StoreError::damaged(
                        &to,
                        "another file has the name of one that was committed and is to be published",
                    )
                    .advising("move it away, then the next run publishes the other"));
                }
            }
            if disk::rename(&from, &to)? {
                Ok(Published::Moved)
            } else if disk::size(&to)?.is_some() {
                Ok(Published::Present)
            } else {
                Ok(Published::Gone)
            }
        })
        .await
    }

    pub(crate) async fn remove(&self, path: &LakePath) -> Result<bool, StoreError> {
        let path = self.folder.locate(path);
        blocking(move || disk::remove(&path)).await
    }

    pub(crate) async fn link_files(
        &self,
        folder: &LakePath,
        paths: Vec<FilePath>,
    ) -> Result<(Vec<FilePath>, Linked), StoreError> {
        let (run, folder) = (self.clone(), folder.clone());
        blocking(move || {
            let mut done = Vec::new();
            for path in paths {
                let partition = run.folder.locate(&folder.join(path.folder().as_str()));
                links::make_folders(&partition)?;
                let from = run.folder.locate(&LakePath::from(&path));
                match links::second_name(&from, &partition.join(path.name.as_str()))? {
                    Link::Made => run.state.pass(Failpoint::PinFileLinked)?,
                    Link::Gone => return Ok((done, Linked::Gone(path))),
                    Link::Refused => return Ok((done, Linked::Refused)),
                }
                done.push(path);
            }
            Ok((done, Linked::All))
        })
        .await
    }

    pub(crate) async fn sync_tree(&self, folder: &LakePath) -> Result<(), StoreError> {
        let folder = self.folder.locate(folder);
        blocking(move || links::sync_tree(&folder)).await
    }

    pub(crate) async fn remove_tree(&self, folder: &LakePath) -> Result<(), StoreError> {
        let (run, folder) = (self.clone(), self.folder.locate(folder));
        let each = move || run.state.pass(Failpoint::PinFileRemoved);
        blocking(move || links::remove_tree(&folder, each)).await
    }

    pub(crate) async fn move_aside(
        &self,
        from: &LakePath,
        to: &LakePath,
    ) -> Result<(), StoreError> {
        let (from, to) = (self.folder.locate(from), self.folder.locate(to));
        blocking(move || {
            if let Some(folder) = to.parent() {
                disk::create_folders(folder)?;
            }
            // A rename would write over what is there.
            if !disk::link(&from, &to)? {
                return Err(taken(&to));
            }
            if disk::is_private(&to) {
                disk::make_private(&to)?;
            }
            disk::sync_parent(&to)?;
            disk::remove(&from)?;
            disk::sync_parent(&from)
        })
        .await
    }

    pub(crate) async fn remove_folder(&self, folder: &LakePath) -> Result<(), StoreError> {
        let folder = self.folder.locate(folder);
        blocking(move || disk::remove_empty_folder(&folder)).await
    }

    pub(crate) async fn sync_folders(&self, folders: BTreeSet<LakePath>) -> Result<(), StoreError> {
        let folders: Vec<_> = folders
            .iter()
            .map(|folder| self.folder.locate(folder))
            .collect();
        blocking(move || {
            // A folder that is gone, if only just now, has nothing left to sync.
            folders.iter().try_for_each(|f| match disk::sync_folder(f) {
                Err(error) if !disk::is_of_missing(&error) => Err(error),
                _ => Ok(()),
            })
        })
        .await
    }

    /// The staging folder of a dead run, locked so that no other process removes it too.
    pub(crate) async fn take_dead(&self, folder: &LakePath) -> Result<Option<Staging>, StoreError> {
        let folder = self.folder.locate(folder);
        blocking(move || Staging::take_dead(folder)).await
    }

    /// Blocks.
    pub(crate) fn put_in_place(&self, file: &Path, to: &LakePath) -> Result<(), StoreError> {
        disk::put_in_place(file, &self.folder.locate(to))
    }

    pub(crate) async fn close(&self) -> Result<u64, StoreError> {
        let staging = Arc::clone(&self.staging);
        blocking(move || staging.remove(|| Ok(()))).await
    }

    fn temporary(&self) -> PathBuf {
        self.staging().join(self.state.temporary_name())
    }

    fn overwrite(&self, path: &Path, bytes: &[u8]) -> Result<(), StoreError> {
        let temporary = self.temporary();
        disk::write_temporary(&temporary, bytes)?;
        disk::put_in_place(&temporary, path)
    }
}
