//! A lake in a folder of this machine, for reading.

use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use futures_util::{StreamExt as _, TryStreamExt as _, stream};

use super::{disk, ours};
use crate::store::blocking::blocking;
use crate::store::entry::{DirEntry, FileMetadata, InStaging};
use crate::store::error::StoreError;
use crate::store::path::LakePath;

/// The largest small file that the exporter writes.
const MAX_SMALL_BYTES: u64 = 8 << 20;
/// Threads that read small files at once, and files that each of them reads in a row: most of the
/// cost of a small file is scheduling the thread.
const READS_AT_ONCE: usize = 8;
const READS_IN_A_ROW: usize = 50;

/// The root folder of a lake.
#[derive(Clone, Debug)]
pub(crate) struct Folder {
    root: Arc<Path>,
}

impl Folder {
    pub(crate) fn new(root: &Path) -> Self {
        Self { root: root.into() }
    }

    pub(crate) fn root(&self) -> &Path {
        &self.root
    }

    pub(crate) fn locate(&self, path: &LakePath) -> PathBuf {
        self.root.join(path.as_str())
    }

    pub(crate) async fn get(&self, path: &LakePath) -> Result<Option<Vec<u8>>, StoreError> {
        let path = self.locate(path);
        blocking(move || disk::read(&path)).await
    }

    pub(crate) async fn get_small(&self, path: &LakePath) -> Result<Option<Vec<u8>>, StoreError> {
        let path = self.locate(path);
        blocking(move || read_small(&path)).await
    }

    pub(crate) async fn get_all_small<T: Send + 'static>(
        &self,
        paths: Vec<LakePath>,
        make: fn(Option<&[u8]>) -> T,
    ) -> Result<Vec<T>, StoreError> {
        let turns: Vec<Vec<PathBuf>> = paths
            .chunks(READS_IN_A_ROW)
            .map(|turn| turn.iter().map(|path| self.locate(path)).collect())
            .collect();
        let read = |turn: Vec<PathBuf>| {
            blocking(move || {
                turn.into_iter()
                    .map(|path| Ok(make(read_small(&path)?.as_deref())))
                    .collect::<Result<Vec<T>, StoreError>>()
            })
        };
        let read = stream::iter(turns).map(read).buffered(READS_AT_ONCE);
        let made: Vec<Vec<T>> = read.try_collect().await?;
        Ok(made.into_iter().flatten().collect())
    }

    pub(crate) async fn size(&self, path: &LakePath) -> Result<Option<u64>, StoreError> {
        let path = self.locate(path);
        blocking(move || disk::size(&path)).await
    }

    pub(crate) async fn metadata(
        &self,
        path: &LakePath,
    ) -> Result<Option<FileMetadata>, StoreError> {
        let path = self.locate(path);
        blocking(move || disk::metadata(&path)).await
    }

    pub(crate) async fn is_there(&self) -> Result<bool, StoreError> {
        let there = tokio::fs::try_exists(&self.root).await;
        there.map_err(StoreError::io("look for", &self.root))
    }

    pub(crate) async fn is_regular(&self, path: &LakePath) -> Result<bool, StoreError> {
        let path = self.locate(path);
        blocking(move || match std::fs::metadata(&path) {
            Ok(meta) => Ok(meta.is_file()),
            Err(error) => Err(StoreError::io("look at", &path)(error)),
        })
        .await
    }

    pub(crate) async fn list(&self, folder: &LakePath) -> Result<Vec<DirEntry>, StoreError> {
        let folder = self.locate(folder);
        blocking(move || disk::list(&folder)).await
    }

    pub(crate) async fn list_files(&self, folder: &LakePath) -> Result<Vec<LakePath>, StoreError> {
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

    pub(crate) async fn is_dead(&self, staging: &LakePath) -> Result<bool, StoreError> {
        let lock = self.locate(&staging.join(disk::LOCK));
        blocking(move || ours::is_unlocked(&lock)).await
    }

    pub(crate) async fn in_staging(&self) -> Result<InStaging, StoreError> {
        let staging = LakePath::staging();
        let mut found = InStaging::default();
        for entry in self.list(&staging).await? {
            // Of the file system or the desktop, such as `.nfs…` and `.DS_Store`.
            if entry.name.starts_with('.') {
                continue;
            }
            let path = staging.join(&entry.name);
            let folder = self.locate(&path);
            match blocking(move || ours::whose(&folder)).await? {
                ours::Whose::ARuns => found.runs.push(entry.name),
                ours::Whose::Foreign(why) => found.foreign.push((path, why)),
                ours::Whose::Gone => {}
            }
        }
        Ok(found)
    }

    pub(crate) async fn sign(&self, staging: &LakePath) -> Result<Option<Vec<u8>>, StoreError> {
        let lock = self.locate(&staging.join(disk::LOCK));
        blocking(move || Ok(ours::read_sign(&lock))).await
    }
}

/// Reads a file up to the largest size of a small one: anything longer is not one of ours.
fn read_small(path: &Path) -> Result<Option<Vec<u8>>, StoreError> {
    let Some(file) = disk::open(path)? else {
        return Ok(None);
    };
    let mut bytes = Vec::new();
    let read = file.take(MAX_SMALL_BYTES).read_to_end(&mut bytes);
    read.map_err(StoreError::io("read", path))?;
    Ok(Some(bytes))
}
