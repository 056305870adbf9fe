//! Reads one data file back: its checksum, footer, columns, and the keys of its rows.

use arrow_array::cast::AsArray;
use arrow_array::types::{Int32Type, Int64Type};
use arrow_array::{Array, RecordBatch};
use arrow_schema::Schema;
use parquet::arrow::ProjectionMask;
use parquet::arrow::arrow_reader::{
    ArrowReaderMetadata, ArrowReaderOptions, ParquetRecordBatchReaderBuilder,
};

use super::finding::{Finding, FindingKind};
use super::key_sums::{Expected, FileSums, KeySums, SumsByTask, TaskSums};
use crate::lake::error::LakeError;
use crate::lake::mend::sum_up;
use crate::schema::{TableName, schema_version};
use crate::store::{DataFile, FilePath, LakePath, Store, StoreError, StoredFile, is_damage};

/// A live file, and where it is while its commit is not published.
#[derive(Debug)]
pub(super) struct LiveFileAt {
    pub(super) file: DataFile,
    pub(super) staged: Option<LakePath>,
}

/// The result of reading one file.
#[derive(Debug)]
pub(super) struct FileReport {
    pub(super) path: FilePath,
    pub(super) findings: Vec<Finding>,
    pub(super) sums: FileSums,
    /// It is in none of its places.
    pub(super) is_absent: bool,
    /// Its rows were counted.
    pub(super) is_read: bool,
}

/// One key of a row.
pub(super) struct RowKey<'a> {
    pub(super) task: &'a str,
    pub(super) detail_index: i32,
    pub(super) index: i32,
    /// Redials and turns of a call; calls, redials and turns of a task.
    counts: [i64; 3],
}

impl FileReport {
    fn find(&mut self, kind: FindingKind, detail: impl Into<String>) {
        self.findings.push(Finding::new(kind, &self.path, detail));
    }

    fn miss(&mut self) {
        self.find(FindingKind::FileMissing, "it is not there");
        self.is_absent = true;
    }
}

/// Reads the file, finds what is wrong with it, and adds up its rows by task.
///
/// # Errors
/// When the machine or the store refuses to read it, which says nothing of the file.
pub(super) fn read(
    store: &Store,
    target: &LiveFileAt,
    schema: &Schema,
    sums: &KeySums,
) -> Result<FileReport, LakeError> {
    let mut report = FileReport {
        path: target.file.path(),
        findings: Vec::new(),
        sums: FileSums::new(target.file.table, &SumsByTask::default()),
        is_absent: false,
        is_read: false,
    };
    let Some(file) = unchanged(store, target, &mut report)? else {
        return Ok(report);
    };
    let table = target.file.table;
    let reader = match CheckedParquet::new(file.clone(), table) {
        Ok(reader) => reader,
        Err(what) => {
            unreadable(store, target, &file, what, &mut report)?;
            return Ok(report);
        }
    };
    let (rows, committed) = (reader.rows, target.file.rows);
    if rows != committed {
        let detail = format!("it has {rows} rows, committed {committed}");
        report.find(FindingKind::FileRows, detail);
    }
    if let Some(what) = reader.other_columns(schema) {
        report.find(FindingKind::FileSchema, what);
    }
    let mut counts = SumsByTask::default();
    let mut unknown = 0_u64;
    let mut example = String::new();
    let mut last: Option<(String, Option<u32>)> = None;
    let read = reader.keys(|key| {
        // Rows of a task mostly come one after the other.
        let known = match &last {
            Some((task, number)) if task == key.task => *number,
            _ => {
                let number = sums.number(key.task);
                last = Some((key.task.to_owned(), number));
                number
            }
        };
        if let Some(number) = known {
            let expected = sums.expected(number);
            count(counts.entry(number).or_default(), table, key, expected);
        } else {
            unknown += 1;
            if example.is_empty() {
                example.push_str(key.task);
            }
        }
    });
    report.sums = FileSums::new(table, &counts);
    if unknown > 0 {
        let detail = format!("{unknown} rows of tasks that no commit knows, such as {example}");
        report.find(FindingKind::UnknownTask, detail);
    }
    match read {
        Ok(()) => report.is_read = true,
        Err(what) => unreadable(store, target, &file, what, &mut report)?,
    }
    Ok(report)
}

/// Notes that a file could not be read. On an object store it can disappear meanwhile.
fn unreadable(
    store: &Store,
    target: &LiveFileAt,
    file: &StoredFile,
    what: String,
    report: &mut FileReport,
) -> Result<(), LakeError> {
    let refusal = file.refusal();
    if matches!(open(store, target), Ok(None)) {
        report.miss();
        return Ok(());
    }
    if let Some(refusal) = refusal {
        return Err(refusal.into());
    }
    report.find(FindingKind::FileUnreadable, what);
    Ok(())
}

/// The file, if its bytes are those that were committed.
fn unchanged(
    store: &Store,
    target: &LiveFileAt,
    report: &mut FileReport,
) -> Result<Option<StoredFile>, LakeError> {
    let file = match open(store, target) {
        Ok(Some(file)) => file,
        Ok(None) => {
            report.miss();
            return Ok(None);
        }
        Err(LakeError::Store(StoreError::Io { source, .. })) if is_damage(&source) => {
            report.find(
                FindingKind::FileUnreadable,
                format!("it can't be read: {source}"),
            );
            return Ok(None);
        }
        Err(error) => return Err(error),
    };
    let DataFile { bytes, sha256, .. } = target.file;
    match sum_up(&file) {
        Ok(sum) if sum == (bytes, sha256) => return Ok(Some(file)),
        Ok((found, _)) if found != bytes => {
            let detail = format!("it has {found} bytes, committed {bytes}");
            report.find(FindingKind::FileChanged, detail);
        }
        Ok((_, found)) => {
            let detail = format!("its SHA-256 is {found}, committed {sha256}");
            report.find(FindingKind::FileChanged, detail);
        }
        Err(error) => {
            let what = format!("it can't be read: {error}");
            unreadable(store, target, &file, what, report)?;
        }
    }
    Ok(None)
}

fn count(found: &mut TaskSums, table: TableName, key: &RowKey<'_>, expected: &Expected) {
    found.tables[table as usize].add_row(key.detail_index, key.index);
    match table {
        TableName::Calls => {
            for (implied, count) in found.implied.iter_mut().zip(key.counts) {
                for index in 0..i32::try_from(count).unwrap_or(i32::MAX) {
                    implied.add_row(key.detail_index, index);
                }
            }
        }
        TableName::Tasks => {
            let [calls, redials, turns] = key.counts.map(|count| u64::try_from(count).ok());
            // `call_count` counts entries of the answer, rejected ones included.
            let right = calls.is_some_and(|calls| {
                (expected.calls..=expected.calls + expected.rejects).contains(&calls)
            }) && redials == Some(expected.redials)
                && turns == Some(expected.turns);
            found.wrong_counts += u32::from(!right);
        }
        TableName::Redials | TableName::AsrTurns => {}
    }
}

/// Opens the file in its table, or where it is staged; the former again if it moved in between.
pub(super) fn open(store: &Store, target: &LiveFileAt) -> Result<Option<StoredFile>, LakeError> {
    let place = LakePath::from(&target.file.path());
    let again = target.staged.as_ref().map(|_| &place);
    for place in [Some(&place), target.staged.as_ref(), again]
        .into_iter()
        .flatten()
    {
        if let Some(file) = store.open(place)? {
            return Ok(Some(file));
        }
    }
    Ok(None)
}

/// A Parquet file whose footer was understood.
pub(super) struct CheckedParquet {
    file: StoredFile,
    metadata: ArrowReaderMetadata,
    table: TableName,
    rows: u64,
}

impl CheckedParquet {
    pub(super) fn new(file: StoredFile, table: TableName) -> Result<Self, String> {
        let metadata = ArrowReaderMetadata::load(&file, ArrowReaderOptions::default())
            .map_err(|error| format!("its footer is not Parquet: {error}"))?;
        let rows = metadata.metadata().file_metadata().num_rows();
        let rows = u64::try_from(rows).map_err(|_| "its footer counts less than no rows")?;
        Ok(Self {
            file,
            metadata,
            table,
            rows,
        })
    }

    /// What is wrong with its columns. An older version's file may lack columns.
    fn other_columns(&self, schema: &Schema) -> Option<String> {
        let file = self.metadata.metadata().file_metadata();
        let version = file.key_value_metadata().and_then(|pairs| {
            let pair = pairs.iter().find(|pair| pair.key == "schema_version")?;
            pair.value.as_ref()?.parse::<u32>().ok()
        });
        let is_older = version.is_some_and(|version| version < schema_version());
        let mut expected = schema.fields().iter();
        for field in self.metadata.schema().fields() {
            let same = expected.find(|wanted| wanted.name() == field.name() || !is_older);
            match same {
                Some(wanted) if wanted.name() != field.name() => {
                    return Some(format!(
                        "it has a column `{}` where `{}` belongs",
                        field.name(),
                        wanted.name()
                    ));
                }
                Some(wanted)
                    if (wanted.data_type(), wanted.is_nullable())
                        != (field.data_type(), field.is_nullable()) =>
                {
                    let describe = |field: &arrow_schema::Field| {
                        let null = if field.is_nullable() { "" } else { " not null" };
                        format!("{}{null}", field.data_type())
                    };
                    return Some(format!(
                        "its column `{}` is {}, not {}",
                        field.name(),
                        describe(field),
                        describe(wanted)
                    ));
                }
                Some(_) => {}
                None => return Some(format!("its column `{}` is not the table's", field.name())),
            }
        }
        let missing = expected.next().filter(|_| !is_older)?;
        Some(format!("it has no column `{}`", missing.name()))
    }

    /// Reads the columns that make up keys, row by row.
    pub(super) fn keys(self, mut each: impl FnMut(&RowKey<'_>)) -> Result<(), String> {
        let columns = columns(self.table);
        let roots: Vec<usize> = (self.metadata.schema().fields().iter().enumerate())
            .filter(|(_, field)| columns.contains(&field.name().as_str()))
            .map(|(index, _)| index)
            .collect();
        let mask = ProjectionMask::roots(self.metadata.parquet_schema(), roots);
        let reader = ParquetRecordBatchReaderBuilder::new_with_metadata(self.file, self.metadata)
            .with_projection(mask)
            .with_batch_size(16 * 1024)
            .build()
            .map_err(|error| format!("its rows can't be read: {error}"))?;
        for batch in reader {
            let batch = batch.map_err(|error| format!("its rows can't be read: {error}"))?;
            read_batch(self.table, &batch, &mut each)?;
        }
        Ok(())
    }
}

/// The columns that make up a table's keys and counts.
fn columns(table: TableName) -> &'static [&'static str] {
    match table {
        TableName::Calls => &["task_id", "detail_index", "redial_count", "asr_turn_count"],
        TableName::Redials => &["task_id", "detail_index", "redial_index"],
        TableName::AsrTurns => &["task_id", "detail_index", "turn_index"],
        TableName::Tasks => &["task_id", "call_count", "redial_count", "asr_turn_count"],
    }
}

fn read_batch(
    table: TableName,
    batch: &RecordBatch,
    each: &mut impl FnMut(&RowKey<'_>),
) -> Result<(), String> {
    let column = |name: &str| {
        let column = batch
            .column_by_name(name)
            .filter(|column| column.null_count() == 0);
        column.ok_or_else(|| format!("its column `{name}` is missing or has nulls"))
    };
    let wrong = |name: &str| format!("its column `{name}` has another type");
    let int = |name: &str| {
        column(name)?
            .as_primitive_opt::<Int32Type>()
            .cloned()
            .ok_or_else(|| wrong(name))
    };
    let long = |name: &str| {
        column(name)?
            .as_primitive_opt::<Int64Type>()
            .cloned()
            .ok_or_else(|| wrong(name))
    };
    let ids = column("task_id")?
        .as_string_opt::<i32>()
        .ok_or_else(|| wrong("task_id"))?;
    let mut rows = |key: &dyn Fn(usize) -> (i32, i32, [i64; 3])| {
        for row in 0..batch.num_rows() {
            let (detail_index, index, counts) = key(row);
            each(&RowKey {
                task: ids.value(row),
                detail_index,
                index,
                counts,
            });
        }
    };
    match table {
        TableName::Calls => {
            let (details, redials, turns) = (
                int("detail_index")?,
                int("redial_count")?,
                int("asr_turn_count")?,
            );
            rows(&|row| {
                let counts = [redials.value(row).into(), turns.value(row).into(), 0];
                (details.value(row), 0, counts)
            });
        }
        TableName::Redials | TableName::AsrTurns => {
            let name = if table == TableName::Redials {
                "redial_index"
            } else {
                "turn_index"
            };
            let (details, indexes) = (int("detail_index")?, int(name)?);
            rows(&|row| (details.value(row), indexes.value(row), [0; 3]));
        }
        TableName::Tasks => {
            let (calls, redials, turns) = (
                long("call_count")?,
                long("redial_count")?,
                long("asr_turn_count")?,
            );
            rows(&|row| {
                (
                    0,
                    0,
                    [calls.value(row), redials.value(row), turns.value(row)],
                )
            });
        }
    }
    Ok(())
}
