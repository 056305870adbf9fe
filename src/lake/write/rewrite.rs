//! Rewrites a data file without the rows of given tasks, to carry over the rest when tasks are
//! replaced. The new file has the current columns of its table, whatever the old one has.

use std::collections::HashSet;
use std::hash::BuildHasher;

use arrow_array::BooleanArray;
use arrow_array::cast::AsArray;
use parquet::arrow::ArrowWriter;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use parquet::arrow::arrow_writer::ArrowWriterOptions;

use super::current_columns::CurrentColumns;
use super::fallible_file::FallibleFile;
use super::options::WriteBufferOptions;
use crate::encode::without_personal_statistics;
use crate::lake::error::LakeError;
use crate::store::{DataFile, StoredFile};

/// Rows read, filtered and written at once.
const BATCH_ROWS: usize = 8192;

/// Stages the rows of the file `source`, which is the committed `file` and was checked to be, whose
/// task is not among `without`; `None` if there are none. Blocks.
///
/// # Errors
/// When the file cannot be read, has other columns than its table ever had or another number of rows,
/// or the destination fails.
pub fn rewrite(
    options: &WriteBufferOptions,
    source: StoredFile,
    file: &DataFile,
    without: &HashSet<String, impl BuildHasher>,
) -> Result<Option<DataFile>, LakeError> {
    let (name, partition) = (file.table, file.partition);
    let place = source.place().to_owned();
    let opened = source.clone();
    let unreadable = |error: &dyn std::error::Error| LakeError::from(opened.unreadable(error));
    let reader = ParquetRecordBatchReaderBuilder::try_new(source)
        .map_err(|error| unreadable(&error))?
        .with_batch_size(BATCH_ROWS);
    let columns = CurrentColumns::find(&place, name, reader.metadata(), reader.schema())?;
    let reader = reader.build().map_err(|error| unreadable(&error))?;
    let (_, properties) = options.encoder.file_parts(name);
    let mut writer: Option<ArrowWriter<_>> = None;
    let (mut found, mut rows) = (0, 0);
    for batch in reader {
        let batch = batch.map_err(|error| unreadable(&error))?;
        found += batch.num_rows() as u64;
        let tasks = batch
            .column_by_name("task_id")
            .and_then(|column| column.as_string_opt::<i32>())
            .ok_or_else(|| LakeError::damaged(&place, "it has no text column task_id"))?;
        let keep: BooleanArray = tasks
            .iter()
            .map(|task| Some(task.is_none_or(|task| !without.contains(task))))
            .collect();
        let batch = columns.of(&arrow_select::filter::filter_record_batch(&batch, &keep)?)?;
        if batch.num_rows() == 0 {
            continue;
        }
        rows += batch.num_rows() as u64;
        if writer.is_none() {
            let staged = options.store.stage(name, partition)?;
            let settings = ArrowWriterOptions::new()
                .with_properties(without_personal_statistics(name, &properties))
                .with_skip_arrow_metadata(true);
            let schema = columns.schema().clone();
            let staged = FallibleFile::new(staged);
            let errors = staged.errors();
            let made = ArrowWriter::try_new_with_options(staged, schema, settings);
            writer = Some(made.map_err(|error| errors.explain(error))?);
        }
        let Some(writer) = &mut writer else { continue };
        writer
            .write(&batch)
            .map_err(|error| writer.inner().errors().explain(error))?;
        if writer.in_progress_size() > options.row_group_bytes {
            writer
                .flush()
                .map_err(|error| writer.inner().errors().explain(error))?;
        }
    }
    if found != file.rows {
        let what = format!("it has {found} rows, committed {}", file.rows);
        return Err(LakeError::damaged(&place, what));
    }
    let Some(writer) = writer else {
        return Ok(None);
    };
    let errors = writer.inner().errors();
    let staged = writer.into_inner().map_err(|error| errors.explain(error))?;
    Ok(Some(staged.into_staged().finish(rows)?))
}
