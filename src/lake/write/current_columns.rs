//! The current columns of a table in a data file that may be older than they are.
//!
//! Columns are found by name: a schema adds columns at any position, so the same position in an older
//! file may hold another column.

use std::path::Path;

use arrow_array::{RecordBatch, new_null_array};
use arrow_schema::{ArrowError, FieldRef, Schema, SchemaRef};
use parquet::file::metadata::ParquetMetaData;

use crate::lake::error::LakeError;
use crate::schema::{TableName, schema_version, table};

/// Where the current columns of a table are in a file.
#[derive(Debug)]
pub struct CurrentColumns {
    schema: SchemaRef,
    /// For each column its position in the file; `None` if the file is older than the column.
    positions: Vec<Option<usize>>,
}

impl CurrentColumns {
    /// Finds the columns of `name` in the file at `place`, with this metadata and Arrow schema.
    ///
    /// # Errors
    /// When a newer version wrote the file, it has an unknown column, or one of its columns has another
    /// type or is missing although it is never null.
    pub fn find(
        place: &Path,
        name: TableName,
        metadata: &ParquetMetaData,
        file: &Schema,
    ) -> Result<Self, LakeError> {
        let pairs = metadata.file_metadata().key_value_metadata();
        let version = pairs.and_then(|pairs| {
            let pair = pairs.iter().find(|pair| pair.key == "schema_version")?;
            pair.value.as_ref()?.parse::<u32>().ok()
        });
        let found = version.unwrap_or_default();
        if found > schema_version() {
            let (path, known) = (place.to_owned(), schema_version());
            return Err(LakeError::NewerFormat { path, found, known });
        }
        let schema = table(name).arrow_schema();
        let mut fields = file.fields().iter();
        if let Some(strange) = fields.find(|field| schema.index_of(field.name()).is_err()) {
            let what = format!("its column `{}` is not the table's", strange.name());
            return Err(LakeError::damaged(place, what));
        }
        let position = |field: &FieldRef| match file.index_of(field.name()) {
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
        let positions = schema.fields().iter().map(position);
        let positions = positions.collect::<Result<_, _>>()?;
        Ok(Self { schema, positions })
    }

    /// Rows of the file with the current columns; those that it lacks are null.
    ///
    /// # Errors
    /// When a column holds a null that its schema excludes.
    pub fn of(&self, batch: &RecordBatch) -> Result<RecordBatch, ArrowError> {
        let fields = self.schema.fields().iter().zip(&self.positions);
        let columns = fields.map(|(field, position)| match position {
            Some(position) => batch.column(*position).clone(),
            None => new_null_array(field.data_type(), batch.num_rows()),
        });
        RecordBatch::try_new(self.schema.clone(), columns.collect())
    }

    /// The current schema of the table.
    #[must_use]
    pub fn schema(&self) -> &SchemaRef {
        &self.schema
    }
}
