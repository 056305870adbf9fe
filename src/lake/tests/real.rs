//! Rows with all columns of the real tables, for tests that read them back.

use arrow_array::{
    Date32Array, Decimal128Array, Int32Array, Int64Array, RecordBatch, StringArray,
    TimestampMicrosecondArray, new_null_array,
};
use arrow_schema::{DataType, FieldRef};

use super::*;
use crate::encode::RowGroupEncoder;
use crate::job::{Environment, SettingFlags, WriteOptions, load};
use crate::lake::write::{RowsFile, WriteBufferOptions, rewrite};
use crate::schema::table;

/// A row: its task, its indexes, the moment of its call (seconds), and a text.
#[derive(Clone, Debug)]
pub(super) struct RealRow {
    pub(super) task: String,
    pub(super) indexes: [i32; 2],
    pub(super) at: Option<i64>,
    pub(super) text: String,
}

/// Settings of writers as they are by default, but for some.
pub(super) fn write_options(settings: &[(&'static str, &str)]) -> WriteOptions {
    let flags = SettingFlags::default().with("dest", "unused");
    let flags = (settings.iter()).fold(flags, |flags, (key, value)| flags.with(key, *value));
    load(&flags, &Environment::default()).expect("valid").write
}

/// A batch with all columns of the table.
pub(super) fn batch(name: TableName, rows: &[RealRow]) -> RecordBatch {
    let schema = table(name).arrow_schema();
    let column = |field: &FieldRef| -> ArrayRef {
        let int = |number: &dyn Fn(&RealRow) -> i32| -> ArrayRef {
            Arc::new(
                rows.iter()
                    .map(|row| Some(number(row)))
                    .collect::<Int32Array>(),
            )
        };
        match field.name().as_str() {
            "task_id" => Arc::new(rows.iter().map(|r| Some(&*r.task)).collect::<StringArray>()),
            "detail_index" => int(&|row| row.indexes[0]),
            "redial_index" | "turn_index" => int(&|row| row.indexes[1]),
            "redial_count" if name == TableName::Calls => int(&|_| 1),
            "asr_turn_count" if name == TableName::Calls => int(&|_| 2),
            "call_count" | "redial_count" => Arc::new(Int64Array::from_value(2, rows.len())),
            "asr_turn_count" => Arc::new(Int64Array::from_value(4, rows.len())),
            "call_start_time" | "schedule_start_time" => {
                let micros = rows.iter().map(|row| row.at.map(|at| at * 1_000_000));
                Arc::new(
                    micros
                        .collect::<TimestampMicrosecondArray>()
                        .with_timezone("UTC"),
                )
            }
            "extra_fields" => Arc::new(
                rows.iter()
                    .map(|row| Some(&*row.text))
                    .collect::<StringArray>(),
            ),
            _ if field.is_nullable() => new_null_array(field.data_type(), rows.len()),
            _ => match field.data_type() {
                DataType::Utf8 => Arc::new(rows.iter().map(|_| Some("x")).collect::<StringArray>()),
                DataType::Int32 => int(&|_| 0),
                DataType::Int64 => Arc::new(Int64Array::from_value(0, rows.len())),
                DataType::Date32 => Arc::new(Date32Array::from_value(0, rows.len())),
                DataType::Decimal128(..) => Arc::new(Decimal128Array::from_value(0, rows.len())),
                _ => Arc::new(
                    TimestampMicrosecondArray::from_value(0, rows.len()).with_timezone("UTC"),
                ),
            },
        }
    };
    let columns = schema.fields().iter().map(column).collect();
    RecordBatch::try_new(schema.clone(), columns).unwrap()
}

/// Stages a file of these rows as they come.
pub(super) fn stage(writer: &LakeWriter, name: TableName, day: &str, rows: &[RealRow]) -> DataFile {
    let encoder = RowGroupEncoder::new(&write_options(&[]), writer.store().run_id()).unwrap();
    let partition = Partition::Date(day.parse().unwrap());
    let opened = RowsFile::open(writer.store(), &encoder, 1 << 20, name, partition, &[]);
    let mut file = opened.unwrap();
    file.append(&batch(name, rows), 1).unwrap();
    file.close().unwrap()
}

/// The rows of a task as [`super::rows_of`] has them: two calls, each with a redial and two turns,
/// the first at `at`, the second an hour later.
pub(super) fn rows(name: TableName, task: &str, at: i64) -> Vec<RealRow> {
    let rows = rows_of(name, &[task], "").into_iter();
    rows.map(|(task, key, _)| RealRow {
        at: (name != TableName::AsrTurns).then_some(at + 3600 * i64::from(key[0] % 2)),
        text: format!(r#"{{"task":"{task}"}}"#),
        indexes: [key[0], key[1]],
        task,
    })
    .collect()
}

/// Stages some tasks, each with the second its first call was made at, and drafts their commit.
pub(super) fn draft(
    writer: &LakeWriter,
    kind: CommitKind,
    day: &str,
    tasks: &[(&str, i64)],
) -> CommitDraft {
    let run = writer.store().run_id().clone();
    let mut draft = CommitDraft::new(run, kind, writer.ledger().last_sequence());
    for name in TableName::ALL {
        let rows: Vec<_> = tasks
            .iter()
            .flat_map(|(id, at)| rows(name, id, *at))
            .collect();
        draft.files.push(stage(writer, name, day, &rows));
    }
    draft.tasks = tasks.iter().map(|(id, _)| committed(id, day)).collect();
    draft
}

/// What a chunk of the writer's run is made from.
pub(super) fn buffer_options(
    writer: &LakeWriter,
    settings: &[(&'static str, &str)],
) -> WriteBufferOptions {
    let options = write_options(settings);
    let encoder = RowGroupEncoder::new(&options, writer.store().run_id()).unwrap();
    WriteBufferOptions::new(writer.store().clone(), Arc::new(encoder), &options)
}

/// Replaces a task, the rows of others in its files carried over, as the pipeline does.
pub(super) async fn replacement(writer: &LakeWriter, id: &str, at: i64) -> CommitDraft {
    let options = buffer_options(writer, &[]);
    let mut draft = draft(writer, CommitKind::Replace, DAY, &[(id, at)]);
    let without: std::collections::HashSet<String> = [id.to_owned()].into();
    for live in writer.files_of_tasks(&[task_id(id)]).await.unwrap() {
        let path = live.path();
        let source = writer.store().open(&LakePath::from(&path));
        let source = source.unwrap().unwrap();
        let file = rewrite(&options, source, &live.file, &without).unwrap();
        let into = file
            .iter()
            .map(|_| u32::try_from(draft.files.len()).unwrap())
            .collect();
        draft.files.extend(file);
        draft.removes.push(Removal { path, into });
    }
    draft
}

/// Every live row of a table, in the order of files and rows: all cells as text.
pub(super) async fn live_rows(scene: &Scene, name: TableName) -> Vec<String> {
    let query = FileQuery {
        table: Some(name),
        ..FileQuery::default()
    };
    let mut found = Vec::new();
    for file in query.run(scene.reader().await.ledger()) {
        found.extend(rows_of_file(&scene.root().join(file.path().to_string())));
    }
    found
}

/// The rows of a file, each as text.
pub(super) fn rows_of_file(path: &Path) -> Vec<String> {
    let file = std::fs::File::open(path).unwrap();
    let reader = ParquetRecordBatchReaderBuilder::try_new(file).unwrap();
    let mut found = Vec::new();
    for batch in reader.build().unwrap().map(Result::unwrap) {
        for row in 0..batch.num_rows() {
            found.push(format!("{:?}", batch.slice(row, 1).columns()));
        }
    }
    found
}

/// Holds the lake against its log, with the real tables.
pub(super) async fn findings(scene: &Scene) -> Vec<Finding> {
    let schemas = Arc::new(|name| table(name).arrow_schema());
    crate::maintenance::verify(&scene.dest(), schemas, clock().now())
        .await
        .unwrap()
        .findings
}
