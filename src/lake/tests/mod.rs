//! Tests of the lake's guarantees on small lakes in temporary folders.

mod budget;
mod checkpoints;
mod compact;
mod completeness;
mod days;
mod lost;
pub(crate) mod object;
mod older_files;
mod random;
mod real;
mod recovery;
mod repair;
mod replace;
mod rowless;
mod sealed;
mod size;
mod vacuum;
mod verify;
mod writers;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use arrow_array::{ArrayRef, Int32Array, Int64Array, RecordBatch, StringArray};
use arrow_schema::{DataType, Field, Schema, SchemaRef};
use chrono_tz::Tz;
use parquet::arrow::ArrowWriter;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;

use super::log::Log;
use super::record::{Commit, FORMAT_VERSION};
use super::*;
use crate::clock::Clock;
use crate::event::{Event, Events, Listen};
use crate::job::Destination;
use crate::maintenance::{Finding, FindingKind, Verification, mend_log};
use crate::schema::TableName;
use crate::store::{
    Checksum, DataFile, Failpoint, FileName, FilePath, LakePath, Partition, PutOutcome, RunStore,
    Store, StoreError,
};
use crate::task::{RunId, TaskId, TaskStatus};

/// The day of all tasks unless a test says otherwise.
const DAY: &str = "2024-03-11";

/// A lake in a temporary folder.
struct Scene {
    dir: tempfile::TempDir,
    heard: Arc<Heard>,
}

#[derive(Default)]
struct Heard(Mutex<Vec<String>>);

impl Listen for Heard {
    fn on(&self, event: &Event) {
        if let Event::Recovered { what } = event {
            self.0.lock().unwrap().push(what.clone());
        }
    }
}

/// One row as a reader sees it: table, task, keys, and the mark its writer gave it.
type Row = (TableName, String, i32, i32, String);

impl Scene {
    fn new() -> Self {
        Self {
            dir: tempfile::tempdir().unwrap(),
            heard: Arc::default(),
        }
    }

    /// One with these files in its lake, as [`Self::snapshot`] gives them.
    fn of(files: &BTreeMap<String, Vec<u8>>) -> Self {
        let scene = Self::new();
        for (name, bytes) in files {
            let path = scene.root().join(name);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, bytes).unwrap();
        }
        scene
    }

    fn root(&self) -> PathBuf {
        self.dir.path().join("lake")
    }

    fn dest(&self) -> Destination {
        Destination::Local(self.root())
    }

    fn options(&self) -> LakeOptions {
        LakeOptions {
            dest: self.dest(),
            partition_timezone: Tz::UTC,
        }
    }

    fn events(&self) -> Events {
        Events::new(vec![self.heard.clone()])
    }

    /// What was said to be recovered.
    fn heard(&self) -> Vec<String> {
        std::mem::take(&mut self.heard.0.lock().unwrap())
    }

    async fn writer(&self, run: &str) -> LakeWriter {
        LakeWriter::open(&self.options(), run_id(run), clock(), self.events())
            .await
            .unwrap()
    }

    /// Opens for writing, and fails where told.
    async fn writer_stopped_at(
        &self,
        run: &str,
        point: Failpoint,
    ) -> Result<LakeWriter, LakeError> {
        let store = Store::new(&self.dest()).unwrap();
        let log = Log::load(&store).await?;
        let run = RunStore::open(store, run_id(run)).await?;
        run.failpoints().stop_at(point, 1);
        LakeWriter::begin(run, log, Tz::UTC, clock(), self.events(), false).await
    }

    async fn reader(&self) -> Lake {
        Lake::open(&self.dest()).await.unwrap()
    }

    async fn verify(&self) -> Verification {
        crate::maintenance::verify(&self.dest(), Arc::new(schema), clock().now())
            .await
            .unwrap()
    }

    async fn assert_sound(&self) {
        let verification = self.verify().await;
        assert_eq!(verification.findings, Vec::new());
    }

    /// The rows of everything that a glob over the tables' folders finds, sorted.
    fn glob(&self) -> Vec<Row> {
        let mut rows = Vec::new();
        for table in TableName::ALL {
            for path in parquet_files(&self.root().join(table.as_str())) {
                rows.extend(read_rows(table, &path));
            }
        }
        rows.sort();
        rows
    }

    /// The rows of the files that a manifest reader is told of.
    async fn listed(&self) -> Vec<Row> {
        let mut rows = Vec::new();
        for file in FileQuery::default().run(self.reader().await.ledger()) {
            let path = self.root().join(file.path().to_string());
            rows.extend(read_rows(file.file.table, &path));
        }
        rows.sort();
        rows
    }

    /// Every file of the lake with its content, staging aside.
    fn snapshot(&self) -> BTreeMap<String, Vec<u8>> {
        let mut files = BTreeMap::new();
        let mut folders = vec![self.root()];
        while let Some(folder) = folders.pop() {
            for entry in std::fs::read_dir(&folder).unwrap() {
                let path = entry.unwrap().path();
                if path.is_dir() {
                    folders.push(path);
                } else {
                    let name = path
                        .strip_prefix(self.root())
                        .unwrap()
                        .display()
                        .to_string();
                    files.insert(name, std::fs::read(&path).unwrap());
                }
            }
        }
        files
    }

    fn staging(&self) -> Vec<String> {
        let staged = self.snapshot().into_keys();
        staged
            .filter(|path| path.starts_with("_export/staging"))
            .collect()
    }
}

/// Beginnings of the names of points that the commits of these tests do not pass: they have tests of
/// their own.
const ELSEWHERE: [&str; 8] = [
    "recover.",
    "checkpoint.",
    "vacuum.",
    "repair.",
    "pin.",
    "mend.",
    "rowless.",
    "delta.",
];

/// What to do about a point that no commit passes.
const NEVER_PASSED: &str = "the commits of these tests do not pass these points; if one is passed \
                            elsewhere, add the beginning of its name to ELSEWHERE";

fn is_elsewhere(point: Failpoint) -> bool {
    let name = point.as_str();
    ELSEWHERE.iter().any(|prefix| name.starts_with(prefix))
}

/// The points that a commit passes. Those of staging have tests of their own.
fn points_of_a_commit() -> impl Iterator<Item = Failpoint> {
    let all = Failpoint::ALL.iter().copied();
    all.filter(|point| !is_elsewhere(*point) && !point.as_str().starts_with("stage."))
}

fn clock() -> Clock {
    Clock::starting_at("2024-03-20T00:00:00Z".parse().unwrap())
}

/// The run of this short name. Its id has the form of all run ids, as other ids are ignored.
fn run_id(name: &str) -> RunId {
    if name.contains('-') {
        return RunId::new(name).unwrap();
    }
    RunId::new(&format!("20240320T000000Z-{name:0>6}")).unwrap()
}

fn task_id(text: &str) -> TaskId {
    TaskId::new(text).unwrap()
}

fn parquet_files(folder: &Path) -> Vec<PathBuf> {
    let Ok(entries) = std::fs::read_dir(folder) else {
        return Vec::new();
    };
    let mut found = Vec::new();
    for path in entries.map(|entry| entry.unwrap().path()) {
        if path.is_dir() {
            found.extend(parquet_files(&path));
        } else {
            found.push(path);
        }
    }
    found
}

/// The tables, cut down to keys and a mark.
fn schema(table: TableName) -> SchemaRef {
    let int = |name: &str| Field::new(name, DataType::Int32, false);
    let long = |name: &str| Field::new(name, DataType::Int64, false);
    let mut fields = vec![Field::new("task_id", DataType::Utf8, false)];
    fields.extend(match table {
        TableName::Calls => {
            vec![
                int("detail_index"),
                int("redial_count"),
                int("asr_turn_count"),
            ]
        }
        TableName::Redials => vec![int("detail_index"), int("redial_index")],
        TableName::AsrTurns => vec![int("detail_index"), int("turn_index")],
        TableName::Tasks => vec![
            long("call_count"),
            long("redial_count"),
            long("asr_turn_count"),
        ],
    });
    fields.push(Field::new("mark", DataType::Utf8, true));
    Arc::new(Schema::new(fields))
}

/// Writes rows as (task, up to three numbers, mark).
fn stage_rows(
    writer: &LakeWriter,
    table: TableName,
    day: &str,
    rows: &[(String, [i32; 3], String)],
) -> DataFile {
    let partition = Partition::Date(day.parse().unwrap());
    let staged = writer.store().stage(table, partition).unwrap();
    let schema = schema(table);
    let mut columns: Vec<ArrayRef> = vec![Arc::new(
        rows.iter()
            .map(|row| Some(row.0.clone()))
            .collect::<StringArray>(),
    )];
    for index in 0..schema.fields().len() - 2 {
        let numbers = rows.iter().map(|row| row.1[index]);
        columns.push(match table {
            TableName::Tasks => Arc::new(numbers.map(i64::from).collect::<Int64Array>()),
            _ => Arc::new(numbers.collect::<Int32Array>()),
        });
    }
    columns.push(Arc::new(
        rows.iter()
            .map(|row| Some(row.2.clone()))
            .collect::<StringArray>(),
    ));
    let batch = RecordBatch::try_new(schema.clone(), columns).unwrap();
    let mut parquet = ArrowWriter::try_new(staged, schema, None).unwrap();
    parquet.write(&batch).unwrap();
    parquet
        .into_inner()
        .unwrap()
        .finish(rows.len() as u64)
        .unwrap()
}

fn read_rows(table: TableName, path: &Path) -> Vec<Row> {
    rows_in(table, std::fs::File::open(path).unwrap())
}

fn rows_in(table: TableName, file: impl parquet::file::reader::ChunkReader + 'static) -> Vec<Row> {
    use arrow_array::cast::AsArray;
    use arrow_array::types::Int32Type;
    let reader = ParquetRecordBatchReaderBuilder::try_new(file)
        .unwrap()
        .build()
        .unwrap();
    let mut rows = Vec::new();
    for batch in reader.map(Result::unwrap) {
        let text = |name: &str, row| {
            batch
                .column_by_name(name)
                .unwrap()
                .as_string::<i32>()
                .value(row)
                .to_owned()
        };
        let number = |column: usize, row| match table {
            TableName::Tasks => 0,
            _ => batch.column(column).as_primitive::<Int32Type>().value(row),
        };
        for row in 0..batch.num_rows() {
            let index = if table == TableName::Calls {
                0
            } else {
                number(2, row)
            };
            rows.push((
                table,
                text("task_id", row),
                number(1, row),
                index,
                text("mark", row),
            ));
        }
    }
    rows
}

/// Stages tasks of two calls with a redial and two turns each, and drafts their commit. The mark
/// tells versions of a task apart.
fn draft(
    writer: &LakeWriter,
    kind: CommitKind,
    day: &str,
    ids: &[&str],
    mark: &str,
) -> CommitDraft {
    let run = writer.store().run_id().clone();
    let mut draft = CommitDraft::new(run, kind, writer.ledger().last_sequence());
    for table in TableName::ALL {
        let rows = rows_of(table, ids, mark);
        draft.files.push(stage_rows(writer, table, day, &rows));
    }
    draft.tasks = ids.iter().map(|id| committed(id, day)).collect();
    draft
}

fn rows_of(table: TableName, ids: &[&str], mark: &str) -> Vec<(String, [i32; 3], String)> {
    let keys: &[[i32; 3]] = match table {
        TableName::Calls => &[[0, 1, 2], [1, 1, 2]],
        TableName::Redials => &[[0, 0, 0], [1, 0, 0]],
        TableName::AsrTurns => &[[0, 0, 0], [0, 1, 0], [1, 0, 0], [1, 1, 0]],
        TableName::Tasks => &[[2, 2, 4]],
    };
    let rows_of = |id: &str| {
        let id = id.to_owned();
        keys.iter()
            .map(move |key| (id.clone(), *key, mark.to_owned()))
    };
    ids.iter()
        .flat_map(|id| rows_of(id).collect::<Vec<_>>())
        .collect()
}

fn committed(id: &str, day: &str) -> CommittedTask {
    CommittedTask {
        misfits: Vec::new(),
        id: task_id(id),
        workflow: None,
        status: TaskStatus::Finished,
        schedule_start: Some(format!("{day}T08:00:00Z").parse().unwrap()),
        schedule_end: Some(format!("{day}T10:00:00Z").parse().unwrap()),
        day: Some(day.parse().unwrap()),
        sealed: true,
        calls: 2,
        redials: 2,
        turns: 4,
        rejects: 0,
        files: vec![0, 1, 2, 3],
    }
}

fn open_task(id: &str, day: &str, last_day: &str) -> OpenTask {
    OpenTask {
        schedule_start: Some(format!("{day}T08:00:00Z").parse().unwrap()),
        schedule_end: Some(format!("{last_day}T10:00:00Z").parse().unwrap()),
        day: Some(day.parse().unwrap()),
        ..OpenTask::new(task_id(id), TaskStatus::Calling)
    }
}

/// Replaces a task's rows; the rows of others in its files are carried over.
async fn replacement(writer: &LakeWriter, id: &str, mark: &str) -> CommitDraft {
    let mut draft = draft(writer, CommitKind::Replace, DAY, &[id], mark);
    for live in writer.files_of_tasks(&[task_id(id)]).await.unwrap() {
        rewrite(writer, &mut draft, &[live], Some(id));
    }
    draft
}

/// Merges all files of each table of the day.
fn compaction(writer: &LakeWriter) -> CommitDraft {
    let run = writer.store().run_id().clone();
    let mut draft = CommitDraft::new(run, CommitKind::Compact, writer.ledger().last_sequence());
    for table in TableName::ALL {
        let query = FileQuery {
            table: Some(table),
            ..FileQuery::default()
        };
        let files: Vec<_> = query.run(writer.ledger()).collect();
        rewrite(writer, &mut draft, &files, None);
    }
    draft
}

/// Puts the rows of some files of one table, those of a task aside, into one new file.
fn rewrite(
    writer: &LakeWriter,
    draft: &mut CommitDraft,
    files: &[LiveFile],
    without: Option<&str>,
) {
    let table = files[0].file.table;
    let mut rows = Vec::new();
    for live in files {
        let file = writer.store().open(&LakePath::from(&live.path()));
        for (_, id, detail, index, mark) in rows_in(table, file.unwrap().unwrap()) {
            let key = match table {
                TableName::Calls => [detail, 1, 2],
                TableName::Tasks => [2, 2, 4],
                _ => [detail, index, 0],
            };
            if without != Some(&id) {
                rows.push((id, key, mark));
            }
        }
    }
    let into = if rows.is_empty() {
        Vec::new()
    } else {
        let day = files[0].file.partition.to_string();
        draft.files.push(stage_rows(writer, table, &day, &rows));
        vec![u32::try_from(draft.files.len() - 1).unwrap()]
    };
    let removal = |live: &LiveFile| Removal {
        path: live.path(),
        into: into.clone(),
    };
    draft.removes.extend(files.iter().map(removal));
}

async fn commit(writer: &mut LakeWriter, draft: CommitDraft) -> Commit {
    match writer.commit(draft).await.unwrap() {
        CommitOutcome::Committed(commit) => *commit,
        other => panic!("expected a commit, got {other:?}"),
    }
}
