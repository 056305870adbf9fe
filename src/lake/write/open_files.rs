//! The open files of a buffer, one per table and day, up to the number in the settings.

use crate::seeded::SeededMap;

use super::data_file::{ClosedFile, OpenFile};
use super::file_slot::FileSlot;
use super::options::{FileLimits, WriteBufferOptions};
use crate::decode::TaskOrdinal;
use crate::encode::EncodedRows;
use crate::lake::error::LakeError;

/// Files by table and day.
#[derive(Debug, Default)]
pub(super) struct OpenFiles {
    open: SeededMap<FileSlot, OpenFile>,
    closed: Vec<ClosedFile>,
    appends: u64,
}

impl OpenFiles {
    /// Appends a row group to the file of its table and day.
    pub(super) fn append(
        &mut self,
        options: &WriteBufferOptions,
        limits: FileLimits,
        slot: FileSlot,
        rows: EncodedRows,
        tasks: &[TaskOrdinal],
    ) -> Result<(), LakeError> {
        if !self.open.contains_key(&slot) {
            if self.open.len() >= limits.open {
                self.close_least_recent()?;
            }
            let file = OpenFile::create(&options.store, &options.encoder, slot)?;
            self.open.insert(slot, file);
        }
        let file = self.open.get_mut(&slot).expect("it was just opened");
        file.append(rows, tasks)?;
        self.appends += 1;
        file.used = self.appends;
        if file.bytes() >= limits.target_bytes
            && let Some(file) = self.open.remove(&slot)
        {
            self.closed.push(file.close()?);
        }
        Ok(())
    }

    fn close_least_recent(&mut self) -> Result<(), LakeError> {
        let least_recent = self
            .open
            .iter()
            .min_by_key(|(_, file)| file.used)
            .map(|(slot, _)| *slot);
        if let Some(file) = least_recent.and_then(|slot| self.open.remove(&slot)) {
            self.closed.push(file.close()?);
        }
        Ok(())
    }

    /// Whether there is no file.
    pub(super) fn is_empty(&self) -> bool {
        self.open.is_empty() && self.closed.is_empty()
    }

    /// Adds a file that was closed elsewhere.
    pub(super) fn adopt(&mut self, file: ClosedFile) {
        self.closed.push(file);
    }

    /// All files: the ones still open, and the closed ones.
    pub(super) fn into_parts(self) -> (Vec<OpenFile>, Vec<ClosedFile>) {
        (self.open.into_values().collect(), self.closed)
    }
}
