//! A staged data file: written where no reader looks, with a running checksum.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};

use super::data_file::{Checksum, DataFile};
use super::error::StoreError;
use super::failpoint::Failpoint;
use super::path::{FileName, FilePath, Partition};
use super::run::RunStore;
use crate::schema::TableName;

/// A data file that is being written. Blocks: use it on blocking threads.
///
/// Dropping it without [`StagedFile::finish`] removes the file.
#[derive(Debug)]
pub struct StagedFile {
    store: RunStore,
    path: FilePath,
    place: PathBuf,
    file: File,
    sum: Sha256,
    bytes: u64,
    finished: bool,
}

impl RunStore {
    /// Opens a new data file with its final name and partition, not yet visible. Blocks.
    ///
    /// # Errors
    /// If the disk fails.
    pub fn stage(&self, table: TableName, partition: Partition) -> Result<StagedFile, StoreError> {
        let number = self.next_number();
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
}

impl StagedFile {
    fn create(store: RunStore, path: FilePath) -> Result<Self, StoreError> {
        let place = store.staging().join(path.name.as_str());
        let file = File::create_new(&place).map_err(StoreError::io("create", &place))?;
        let (sum, bytes, finished) = (Sha256::new(), 0, false);
        let staged = Self {
            store,
            path,
            place,
            file,
            sum,
            bytes,
            finished,
        };
        staged.store.pass(Failpoint::StageOpened)?;
        Ok(staged)
    }

    /// Where it is written, on this machine.
    #[must_use]
    pub fn place(&self) -> &Path {
        &self.place
    }

    /// Makes the content durable and describes it for a commit.
    ///
    /// # Errors
    /// If the disk fails; the file is then removed.
    pub fn finish(mut self, rows: u64) -> Result<DataFile, StoreError> {
        self.store.pass(Failpoint::StageWritten)?;
        // A spooled file need not be durable: the uploaded copy is.
        if self.store.is_local() {
            self.file
                .sync_all()
                .map_err(StoreError::io("sync", &self.place))?;
        }
        self.store.pass(Failpoint::StageSynced)?;
        self.finished = true;
        let FilePath {
            table,
            partition,
            name,
        } = self.path.clone();
        let sha256 = Checksum(std::mem::take(&mut self.sum).finalize().into());
        Ok(DataFile {
            table,
            partition,
            name,
            rows,
            bytes: self.bytes,
            sha256,
            upload: None,
        })
    }
}

impl Write for StagedFile {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.file.write(bytes)?;
        self.sum.update(&bytes[..written]);
        self.bytes += written as u64;
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

impl Drop for StagedFile {
    fn drop(&mut self) {
        if !self.finished {
            // Best effort: the staging folder is removed at the end of the run, or by the next.
            let _ = fs::remove_file(&self.place);
        }
    }
}
