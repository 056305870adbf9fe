//! A staged file of rejects: written in the run's staging folder, moved to `_export/rejects/` right
//! before the commit of the answers it belongs to.

use std::fs::{self, File};
use std::io::{self, BufWriter, Write};
use std::path::PathBuf;

use super::error::StoreError;
use super::local;
use super::path::LakePath;
use super::run::RunStore;

/// A file of rejects that is being written. Blocks: use it on blocking threads.
///
/// Dropping it without [`StagedReject::finish`] removes the file.
#[derive(Debug)]
pub struct StagedReject {
    store: RunStore,
    name: String,
    place: PathBuf,
    file: BufWriter<File>,
    finished: bool,
}

impl RunStore {
    /// Opens a file for rejects, with this ending. Blocks.
    ///
    /// # Errors
    /// If the disk fails.
    pub fn stage_reject(&self, ending: &str) -> Result<StagedReject, StoreError> {
        let number = self.next_number();
        StagedReject::create(self.clone(), format!("{number:06}.{ending}"))
    }
}

impl StagedReject {
    fn create(store: RunStore, name: String) -> Result<Self, StoreError> {
        let place = store.staging().join(&name);
        let file = local::create_private(&place).map_err(StoreError::io("create", &place))?;
        Ok(Self {
            store,
            name,
            place,
            file: BufWriter::new(file),
            finished: false,
        })
    }

    /// The name of the file, in the staging folder and later among the rejects.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Appends.
    ///
    /// # Errors
    /// If the disk fails.
    pub fn append(&mut self, bytes: &[u8]) -> Result<(), StoreError> {
        self.file
            .write_all(bytes)
            .map_err(StoreError::io("write", &self.place))
    }

    /// Makes it durable in the rejects folder of its run; returns its path.
    ///
    /// # Errors
    /// If the disk fails.
    pub fn finish(mut self) -> Result<PathBuf, StoreError> {
        let synced = || -> io::Result<()> {
            self.file.flush()?;
            if self.store.is_local() {
                self.file.get_ref().sync_all()?;
            }
            Ok(())
        };
        let mut synced = synced;
        synced().map_err(StoreError::io("sync", &self.place))?;
        let to = LakePath::rejects(self.store.run_id(), &self.name)
            .expect("the name is a number with an ending");
        self.store.put_in_place(&self.place, &to)?;
        self.finished = true;
        Ok(self.store.locate(&to))
    }
}

impl Drop for StagedReject {
    fn drop(&mut self) {
        if !self.finished {
            // Best effort: the staging folder is removed at the end of the run, or by the next.
            let _ = fs::remove_file(&self.place);
        }
    }
}
