//! Writes one data file from record batches that were read back, one row group at a time.

use arrow_array::RecordBatch;
use parquet::arrow::ArrowWriter;
use parquet::arrow::arrow_writer::ArrowWriterOptions;
use parquet::file::metadata::SortingColumn;

use super::fallible_file::FallibleFile;
use crate::encode::{RowGroupEncoder, without_personal_statistics};
use crate::lake::error::LakeError;
use crate::schema::{TableName, table};
use crate::store::{DataFile, Partition, RunStore};

/// A data file while batches are appended. Dropped before [`RowsFile::close`], it leaves nothing.
#[derive(Debug)]
pub(crate) struct RowsFile {
    writer: ArrowWriter<FallibleFile>,
    rows: u64,
    row_group_bytes: usize,
    /// Bytes of the rows that are in no row group yet.
    waiting: usize,
}

impl RowsFile {
    /// Stages a file whose rows are sorted by these columns; by none if the list is empty.
    pub(crate) fn open(
        store: &RunStore,
        encoder: &RowGroupEncoder,
        row_group_bytes: usize,
        name: TableName,
        partition: Partition,
        sorted_by: &[&str],
    ) -> Result<Self, LakeError> {
        let (_, properties) = encoder.file_parts(name);
        let schema = table(name).arrow_schema();
        let sorting = sorted_by.iter().map(|column| {
            let index = schema.index_of(column).ok();
            let index = index.and_then(|index| i32::try_from(index).ok());
            SortingColumn {
                column_idx: index.expect("a table is sorted by columns that it has"),
                descending: false,
                nulls_first: false,
            }
        });
        let sorting: Vec<_> = sorting.collect();
        let properties = without_personal_statistics(name, &properties).into_builder();
        let properties = properties.set_sorting_columns((!sorting.is_empty()).then_some(sorting));
        let settings = ArrowWriterOptions::new()
            .with_properties(properties.build())
            .with_skip_arrow_metadata(true);
        let staged = FallibleFile::new(store.stage(name, partition)?);
        let errors = staged.errors();
        let writer = ArrowWriter::try_new_with_options(staged, schema, settings);
        Ok(Self {
            writer: writer.map_err(|error| errors.explain(error))?,
            rows: 0,
            row_group_bytes,
            waiting: 0,
        })
    }

    /// Appends rows that take `bytes` of memory.
    pub(crate) fn append(&mut self, batch: &RecordBatch, bytes: usize) -> Result<(), LakeError> {
        let writer = &mut self.writer;
        let written = writer.write(batch);
        written.map_err(|error| writer.inner().errors().explain(error))?;
        self.rows += batch.num_rows() as u64;
        self.waiting += bytes;
        if self.waiting >= self.row_group_bytes {
            self.waiting = 0;
            let flushed = writer.flush();
            flushed.map_err(|error| writer.inner().errors().explain(error))?;
        }
        Ok(())
    }

    /// Bytes of complete row groups.
    pub(crate) fn bytes(&self) -> u64 {
        self.writer.bytes_written() as u64
    }

    /// Writes the footer and makes the file durable.
    pub(crate) fn close(self) -> Result<DataFile, LakeError> {
        let errors = self.writer.inner().errors();
        let staged = self.writer.into_inner();
        let staged = staged.map_err(|error| errors.explain(error))?;
        Ok(staged.into_staged().finish(self.rows)?)
    }
}
