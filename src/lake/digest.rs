//! A commit record as the ledger needs it: read fast, without what only `verify` looks at.

use std::borrow::Cow;

use chrono::{DateTime, NaiveDate, Utc};
use serde::Deserialize;

use super::ledger::ids::IdKey;
use super::path::{FilePath, is_safe_run_id};
use super::record::{
    Checksum, Commit, CommitKind, CommittedTask, Coverage, DataFile, FORMAT_VERSION, FailedTask,
    LostFile, OpenTask, Removal, WorkflowNote,
};
use super::seal::{self, Tail};
use crate::shard::Shard;
use crate::task::{RunId, TaskId};

/// What the ledger learns from one record.
#[derive(Debug)]
pub(super) struct Digest {
    pub(super) sequence: u64,
    /// Of the record before.
    pub(super) previous: Option<Checksum>,
    /// What the next record must follow on.
    pub(super) tail: Tail,
    pub(super) at: DateTime<Utc>,
    pub(super) zone: String,
    pub(super) run_id: RunId,
    pub(super) kind: CommitKind,
    /// See [`super::record::CommitDraft::base`].
    pub(super) base: u64,
    pub(super) sealed: Vec<SealedTask>,
    pub(super) early: Vec<CommittedTask>,
    pub(super) open: Vec<OpenTask>,
    pub(super) reopened: Vec<OpenTask>,
    pub(super) failed: Vec<FailedTask>,
    pub(super) forgotten: Vec<TaskId>,
    pub(super) files: Vec<DataFile>,
    /// For each of `files`, how many of the record's tasks have rows in it.
    pub(super) file_tasks: Vec<u32>,
    pub(super) removes: Vec<Removal>,
    pub(super) lost: Vec<LostFile>,
    pub(super) ended: Vec<RunId>,
    pub(super) workflows: Vec<WorkflowNote>,
    pub(super) coverage: Vec<Coverage>,
    pub(super) retracted_from: Option<DateTime<Utc>>,
    pub(super) listed_until: Option<DateTime<Utc>>,
    pub(super) first_day: Option<NaiveDate>,
    pub(super) shard: Option<Shard>,
}

/// What is kept of a sealed task.
#[derive(Debug)]
pub(super) struct SealedTask {
    pub(super) key: IdKey,
    pub(super) day: Option<NaiveDate>,
    /// Entries of its `detail`, rejected ones included.
    pub(super) calls: u64,
}

/// Why a record was not understood.
#[derive(Debug)]
pub(super) enum Unreadable {
    Newer(u32),
    Damaged(String),
}

#[derive(Deserialize)]
struct Version {
    format_version: u32,
}

#[derive(Deserialize)]
struct RecordLine<'a> {
    format_version: u32,
    sequence: u64,
    previous: Option<Checksum>,
    at: DateTime<Utc>,
    partition_timezone: String,
    #[serde(borrow)]
    changes: ChangesLine<'a>,
}

#[derive(Deserialize)]
struct ChangesLine<'a> {
    run_id: RunId,
    kind: CommitKind,
    base: u64,
    #[serde(default, borrow)]
    tasks: Vec<TaskLine<'a>>,
    #[serde(default)]
    open: Vec<OpenTask>,
    #[serde(default)]
    reopened: Vec<OpenTask>,
    #[serde(default)]
    failed: Vec<FailedTask>,
    #[serde(default)]
    forgotten: Vec<TaskId>,
    #[serde(default)]
    files: Vec<DataFile>,
    #[serde(default)]
    removes: Vec<Removal>,
    #[serde(default)]
    lost: Vec<LostFile>,
    #[serde(default)]
    ended: Vec<RunId>,
    #[serde(default)]
    workflows: Vec<WorkflowNote>,
    #[serde(default)]
    coverage: Vec<Coverage>,
    retracted_from: Option<DateTime<Utc>>,
    listed_until: Option<DateTime<Utc>>,
    first_day: Option<NaiveDate>,
    shard: Option<Shard>,
}

#[derive(Deserialize)]
struct TaskLine<'a> {
    #[serde(borrow)]
    id: Cow<'a, str>,
    day: Option<NaiveDate>,
    sealed: Option<bool>,
    #[serde(default)]
    calls: u64,
    #[serde(default)]
    rejects: u64,
    files: Vec<u32>,
}

/// The files of some of a record's tasks.
#[derive(Deserialize)]
pub(super) struct TaskFiles {
    pub(super) id: TaskId,
    pub(super) files: Vec<u32>,
}

impl Digest {
    /// Reads a record that is expected to be the `sequence`th.
    pub(super) fn parse(bytes: &[u8], sequence: u64) -> Result<Self, Unreadable> {
        let (record, tail) = read(bytes, |record: &RecordLine<'_>| record.format_version)?;
        if record.sequence != sequence {
            let what = format!("it says it is commit {}", record.sequence);
            return Err(Unreadable::Damaged(what));
        }
        let changes = record.changes;
        if !is_safe_run_id(&changes.run_id) {
            return Err(Unreadable::Damaged(
                "its run id can't be a folder's name".into(),
            ));
        }
        let mut file_tasks = vec![0_u32; changes.files.len()];
        let mut sealed = Vec::with_capacity(changes.tasks.len());
        for task in &changes.tasks {
            for index in &task.files {
                let Some(tasks) = file_tasks.get_mut(*index as usize) else {
                    return Err(no_such_file(*index));
                };
                *tasks += 1;
            }
            if task.sealed != Some(false) {
                let key = IdKey::parse(&task.id)
                    .map_err(|error| Unreadable::Damaged(error.to_string()))?;
                sealed.push(SealedTask {
                    key,
                    day: task.day,
                    calls: task.calls + task.rejects,
                });
            }
        }
        let into = changes.removes.iter().flat_map(|removal| &removal.into);
        if let Some(index) = into
            .copied()
            .find(|index| *index as usize >= changes.files.len())
        {
            return Err(no_such_file(index));
        }
        // Rare, so it may take a second look.
        let early = if sealed.len() == changes.tasks.len() {
            Vec::new()
        } else {
            let mut tasks = read_commit(bytes)?.changes.tasks;
            tasks.retain(|task| !task.sealed);
            tasks
        };
        Ok(Self {
            sequence,
            previous: record.previous,
            tail,
            at: record.at,
            zone: record.partition_timezone,
            run_id: changes.run_id,
            kind: changes.kind,
            base: changes.base,
            sealed,
            early,
            open: changes.open,
            reopened: changes.reopened,
            failed: changes.failed,
            forgotten: changes.forgotten,
            files: changes.files,
            file_tasks,
            removes: changes.removes,
            lost: changes.lost,
            ended: changes.ended,
            workflows: changes.workflows,
            coverage: changes.coverage,
            retracted_from: changes.retracted_from,
            listed_until: changes.listed_until,
            first_day: changes.first_day,
            shard: changes.shard,
        })
    }

    /// Where the files are or will be.
    pub(super) fn paths(&self) -> impl Iterator<Item = FilePath> {
        self.files.iter().map(DataFile::path)
    }
}

/// Reads a whole record.
pub(super) fn read_commit(bytes: &[u8]) -> Result<Commit, Unreadable> {
    let (commit, _) = read(bytes, |record: &Commit| record.format_version)?;
    Ok(commit)
}

/// Reads which files a record's tasks are in, and the files.
pub(super) fn read_task_files(bytes: &[u8]) -> Result<(Vec<TaskFiles>, Vec<DataFile>), Unreadable> {
    #[derive(Deserialize)]
    struct Record {
        format_version: u32,
        changes: Changes,
    }
    #[derive(Deserialize)]
    struct Changes {
        #[serde(default)]
        tasks: Vec<TaskFiles>,
        #[serde(default)]
        files: Vec<DataFile>,
    }
    let (record, _) = read(bytes, |record: &Record| record.format_version)?;
    Ok((record.changes.tasks, record.changes.files))
}

fn no_such_file(index: u32) -> Unreadable {
    Unreadable::Damaged(format!(
        "it names a file number {index} that it does not hold"
    ))
}

/// Reads a record of a version that is known here, once its seal is right. Where the form is not
/// understood, the version is looked at alone: a newer form may well be another.
fn read<'a, T: Deserialize<'a>>(
    bytes: &'a [u8],
    version: fn(&T) -> u32,
) -> Result<(T, Tail), Unreadable> {
    let tail = seal::check(bytes).map_err(Unreadable::Damaged)?;
    let record = serde_json::from_slice::<T>(bytes);
    let found = match &record {
        Ok(record) => version(record),
        Err(_) => serde_json::from_slice::<Version>(bytes).map_or(0, |v| v.format_version),
    };
    if found > FORMAT_VERSION {
        return Err(Unreadable::Newer(found));
    }
    let record =
        record.map_err(|error| Unreadable::Damaged(format!("it is not a record: {error}")))?;
    if found >= seal::SINCE && !tail.is_sealed {
        let what = "it does not end with its checksum: it was changed after it was written";
        return Err(Unreadable::Damaged(what.into()));
    }
    Ok((record, tail))
}
