//! Reads a data file in batches of bounded size, with the current columns of its table.

use std::path::Path;

use arrow_array::{RecordBatch, new_null_array};
use arrow_schema::{ArrowError, SchemaRef};
use parquet::arrow::arrow_reader::{
    ArrowReaderMetadata, ArrowReaderOptions, ParquetRecordBatchReaderBuilder,
};

use crate::lake::error::LakeError;
use crate::schema::{TableName, schema_version, table};
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
    schema: SchemaRef,
    /// For each of the table's columns where it is in the file; nowhere if the file is older.
    columns: Vec<Option<usize>>,
}

impl SourceFile {
    /// Understands a file that was opened. Blocks.
    pub(super) fn new(file: StoredFile, name: TableName) -> Result<Self, LakeError> {
        let metadata = ArrowReaderMetadata::load(&file, ArrowReaderOptions::default())
            .map_err(|error| unreadable(&file, &error))?;
        let schema = table(name).arrow_schema();
        let columns = locate(file.place(), &metadata, &schema)?;
        Ok(Self {
            file,
            metadata,
            schema,
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
                    self.conform(&batch)
                        .map_err(|error| unreadable(&self.file, &error))?,
                )?;
            }
        }
        Ok(())
    }

    /// The rows with the table's columns of today.
    fn conform(&self, batch: &RecordBatch) -> Result<RecordBatch, ArrowError> {
        let fields = self.schema.fields().iter().zip(&self.columns);
        let columns = fields.map(|(field, column)| match column {
            Some(index) => batch.column(*index).clone(),
            None => new_null_array(field.data_type(), batch.num_rows()),
        });
        RecordBatch::try_new(self.schema.clone(), columns.collect())
    }
}

/// Finds the table's columns in a file. One that an older version wrote may lack some.
fn locate(
    place: &Path,
    metadata: &ArrowReaderMetadata,
    schema: &SchemaRef,
) -> Result<Vec<Option<usize>>, LakeError> {
    let pairs = metadata.metadata().file_metadata().key_value_metadata();
    let version = pairs.and_then(|pairs| {
        let pair = pairs.iter().find(|pair| pair.key == "schema_version")?;
        pair.value.as_ref()?.parse::<u32>().ok()
    });
    let found = version.unwrap_or_default();
    if found > schema_version() {
        let (path, known) = (place.to_owned(), schema_version());
        return Err(LakeError::NewerFormat { path, found, known });
    }
    let file = metadata.schema();
    if let Some(strange) = file
        .fields()
        .iter()
        .find(|f| schema.index_of(f.name()).is_err())
    {
        let what = format!("its column `{}` is not the table's", strange.name());
        return Err(LakeError::damaged(place, what));
    }
    let find = |field: &arrow_schema::FieldRef| match file.index_of(field.name()) {
        Ok(index) if file.field(index).data_type() == field.data_type() => Ok(Some(index)),
        Err(_) if field.is_nullable() => Ok(None),
        _ => {
            let what = format!(
                "its column `{}` is missing or of another type",
                field.name()
            );
            Err(LakeError::damaged(place, what))
        }
    };
    schema.fields().iter().map(find).collect()
}

fn unreadable(file: &StoredFile, error: &dyn std::error::Error) -> LakeError {
    LakeError::from(file.unreadable(error)).advising("`verify` says more")
}
