//! Reads a data file in batches of bounded size, with the current columns of its table.

use arrow_array::RecordBatch;
use parquet::arrow::arrow_reader::{
    ArrowReaderMetadata, ArrowReaderOptions, ParquetRecordBatchReaderBuilder,
};

use crate::lake::error::LakeError;
use crate::lake::write::CurrentColumns;
use crate::schema::TableName;
use crate::store::StoredFile;

/// A batch holds about this much, judged by the mean of its row group.
const BATCH_BYTES: i64 = 2 << 20;
/// And no more rows than this.
const BATCH_ROWS: i64 = 8192;

/// A data file that was opened and understood.
#[derive(Debug)]
pub(super) struct SourceFile {
    file: StoredFile,
    metadata: ArrowReaderMetadata,
    columns: CurrentColumns,
}

impl SourceFile {
    /// Understands a file that was opened. Blocks.
    pub(super) fn new(file: StoredFile, name: TableName) -> Result<Self, LakeError> {
        let metadata = ArrowReaderMetadata::load(&file, ArrowReaderOptions::default())
            .map_err(|error| unreadable(&file, &error))?;
        let columns =
            CurrentColumns::find(file.place(), name, metadata.metadata(), metadata.schema())?;
        Ok(Self {
            file,
            metadata,
            columns,
        })
    }

    /// Reads all rows. Blocks.
    pub(super) fn read(
        &self,
        mut each: impl FnMut(RecordBatch) -> Result<(), LakeError>,
    ) -> Result<(), LakeError> {
        // One row group after the other: their rows differ in size.
        for (index, group) in self.metadata.metadata().row_groups().iter().enumerate() {
            let mean = (group.total_byte_size() / group.num_rows().max(1)).max(1);
            let rows = (BATCH_BYTES / mean).clamp(1, BATCH_ROWS);
            let file = self.file.clone();
            let metadata = self.metadata.clone();
            let reader = ParquetRecordBatchReaderBuilder::new_with_metadata(file, metadata)
                .with_row_groups(vec![index])
                .with_batch_size(usize::try_from(rows).expect("it was clamped"))
                .build()
                .map_err(|error| unreadable(&self.file, &error))?;
            for batch in reader {
                let batch = batch.map_err(|error| unreadable(&self.file, &error))?;
                each(
                    self.columns
                        .of(&batch)
                        .map_err(|error| unreadable(&self.file, &error))?,
                )?;
            }
        }
        Ok(())
    }
}

fn unreadable(file: &StoredFile, error: &dyn std::error::Error) -> LakeError {
    LakeError::from(file.unreadable(error)).advising("`verify` says more")
}
