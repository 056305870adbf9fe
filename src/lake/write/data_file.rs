//! An open data file to which row groups are appended.

use parquet::file::writer::SerializedFileWriter;

use super::fallible_file::FallibleFile;
use super::file_slot::FileSlot;
use crate::decode::TaskOrdinal;
use crate::encode::{EncodedRows, RowGroupEncoder};
use crate::lake::error::LakeError;
use crate::store::{DataFile, RunStore};

/// A data file that is being written.
#[derive(Debug)]
pub(super) struct OpenFile {
    writer: SerializedFileWriter<FallibleFile>,
    rows: u64,
    tasks: Vec<TaskOrdinal>,
}

/// A data file that is complete and durable, but in no commit yet.
#[derive(Clone, Debug)]
pub struct ClosedFile {
    /// The name, place, size and checksum of the file.
    pub file: DataFile,
    /// The tasks it holds rows of, sorted.
    pub tasks: Vec<TaskOrdinal>,
}

impl OpenFile {
    pub(super) fn create(
        store: &RunStore,
        encoder: &RowGroupEncoder,
        slot: FileSlot,
    ) -> Result<Self, LakeError> {
        let staged = store.stage(slot.table, slot.partition())?;
        let (schema, properties) = encoder.file_parts(slot.table);
        let staged = FallibleFile::new(staged);
        let errors = staged.errors();
        let writer = SerializedFileWriter::new(staged, schema, properties)
            .map_err(|error| errors.explain(error))?;
        Ok(Self {
            writer,
            rows: 0,
            tasks: Vec::new(),
        })
    }

    /// Appends a row group.
    pub(super) fn append(
        &mut self,
        rows: EncodedRows,
        tasks: &[TaskOrdinal],
    ) -> Result<(), LakeError> {
        let appended = (|| {
            let mut group = self.writer.next_row_group()?;
            for column in rows.columns {
                column.append_to(&mut group)?;
            }
            group.close()?;
            Ok(())
        })();
        appended.map_err(|error| self.writer.inner().errors().explain(error))?;
        self.rows += rows.rows as u64;
        self.tasks.extend_from_slice(tasks);
        Ok(())
    }

    pub(super) fn bytes(&self) -> u64 {
        self.writer.bytes_written() as u64
    }

    /// Writes the footer and makes the file durable.
    pub(super) fn close(mut self) -> Result<ClosedFile, LakeError> {
        let errors = self.writer.inner().errors();
        let staged = self
            .writer
            .into_inner()
            .map_err(|error| errors.explain(error))?;
        let file = staged.into_staged().finish(self.rows)?;
        self.tasks.sort_unstable();
        self.tasks.dedup();
        Ok(ClosedFile {
            file,
            tasks: self.tasks,
        })
    }
}
