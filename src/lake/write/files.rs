//! The open files of a chunk, one per table and day, limited to the number in the settings.

use crate::seeded::SeededMap;

use super::file::{ClosedFile, OpenFile};
use crate::decode::{RowDay, TaskOrdinal};
use crate::encode::{EncodedRows, RowGroupEncoder};
use crate::lake::error::LakeError;
use crate::schema::TableName;
use crate::store::RunStore;

/// When files are closed.
#[derive(Clone, Copy, Debug)]
pub(super) struct FileLimits {
    /// A file that has grown to this many bytes.
    pub(super) target_bytes: u64,
    /// The one not used for longest, when more than this are open.
    pub(super) open: usize,
}

/// Files by table and day.
#[derive(Debug, Default)]
pub(super) struct FileSet {
    open: SeededMap<(TableName, RowDay), OpenFile>,
    closed: Vec<ClosedFile>,
    appends: u64,
}

impl FileSet {
    /// Appends a row group to the file of its table and day.
    pub(super) fn append(
        &mut self,
        (store, encoder, limits): (&RunStore, &RowGroupEncoder, FileLimits),
        place: (TableName, RowDay),
        (rows, tasks): (EncodedRows, &[TaskOrdinal]),
    ) -> Result<(), LakeError> {
        if !self.open.contains_key(&place) {
            if self.open.len() >= limits.open {
                self.close_idlest()?;
            }
            self.open
                .insert(place, OpenFile::create(store, encoder, place)?);
        }
        let file = self.open.get_mut(&place).expect("it was just opened");
        file.append(rows, tasks)?;
        self.appends += 1;
        file.used = self.appends;
        if file.bytes() >= limits.target_bytes
            && let Some(file) = self.open.remove(&place)
        {
            self.closed.push(file.close()?);
        }
        Ok(())
    }

    fn close_idlest(&mut self) -> Result<(), LakeError> {
        let idlest = self
            .open
            .iter()
            .min_by_key(|(_, file)| file.used)
            .map(|(place, _)| *place);
        if let Some(file) = idlest.and_then(|place| self.open.remove(&place)) {
            self.closed.push(file.close()?);
        }
        Ok(())
    }

    /// Whether there is no file.
    pub(super) fn is_empty(&self) -> bool {
        self.open.is_empty() && self.closed.is_empty()
    }

    /// Takes in a file that was closed elsewhere.
    pub(super) fn adopt(&mut self, file: ClosedFile) {
        self.closed.push(file);
    }

    /// All files: the ones still open, and the closed ones.
    pub(super) fn into_parts(self) -> (Vec<OpenFile>, Vec<ClosedFile>) {
        (self.open.into_values().collect(), self.closed)
    }
}
