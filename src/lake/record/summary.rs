//! A commit record as the ledger needs it: parsed fast, without the fields that only `verify`
//! reads.

use std::borrow::Cow;

use chrono::{DateTime, NaiveDate, Utc};
use serde::Deserialize;

use super::ids::IdKey;
use super::misfits::{MisfitCount, MisfitKey, Superseded, TaskMisfits, UnfitByDay};
use super::seal::{self, Tail};
use super::{
    Commit, CommitKind, CommittedTask, Coverage, FORMAT_VERSION, FailedTask, LostFile, OpenTask,
    Removal, WorkflowNote,
};
use crate::shard::Shard;
use crate::store::{Checksum, DataFile, FilePath, is_safe_run_id};
use crate::task::{RunId, TaskId};

/// The fields of one record that the ledger needs.
#[derive(Debug)]
pub(crate) struct RecordSummary {
    pub(crate) sequence: u64,
    /// Of the record before.
    pub(crate) previous: Option<Checksum>,
    /// The end of the log that the next record must refer to.
    pub(crate) tail: Tail,
    pub(crate) at: DateTime<Utc>,
    pub(crate) zone: String,
    pub(crate) run_id: RunId,
    pub(crate) kind: CommitKind,
    /// See [`super::CommitDraft::base`].
    pub(crate) base: u64,
    pub(crate) sealed: Vec<SealedTask>,
    pub(crate) early: Vec<CommittedTask>,
    /// What the misfits of `unfit` and `superseded` refer to.
    pub(crate) misfit_keys: Vec<MisfitKey>,
    /// Rejects and misfits of the record's tasks.
    pub(crate) unfit: UnfitByDay,
    /// Those of the rows that it replaces.
    pub(crate) superseded: Vec<Superseded>,
    pub(crate) open: Vec<OpenTask>,
    pub(crate) reopened: Vec<OpenTask>,
    pub(crate) failed: Vec<FailedTask>,
    pub(crate) forgotten: Vec<TaskId>,
    pub(crate) files: Vec<DataFile>,
    /// For each of `files`, how many of the record's tasks have rows in it.
    pub(crate) file_tasks: Vec<u32>,
    pub(crate) removes: Vec<Removal>,
    pub(crate) lost: Vec<LostFile>,
    pub(crate) ended: Vec<RunId>,
    pub(crate) workflows: Vec<WorkflowNote>,
    pub(crate) coverage: Vec<Coverage>,
    pub(crate) retracted_from: Option<DateTime<Utc>>,
    pub(crate) listed_until: Option<DateTime<Utc>>,
    pub(crate) first_day: Option<NaiveDate>,
    pub(crate) shard: Option<Shard>,
}

/// The fields of a sealed task that the ledger keeps.
#[derive(Debug)]
pub(crate) struct SealedTask {
    pub(crate) key: IdKey,
    pub(crate) day: Option<NaiveDate>,
    /// Entries of its `detail`, rejected ones included.
    pub(crate) calls: u64,
}

/// Why a record was not understood.
#[derive(Debug)]
pub(crate) enum Unreadable {
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
    tasks: Vec<TaskOfRecord<'a>>,
    #[serde(default)]
    misfit_keys: Vec<MisfitKey>,
    #[serde(default)]
    superseded: Vec<Superseded>,
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
struct TaskOfRecord<'a> {
    #[serde(borrow)]
    id: Cow<'a, str>,
    day: Option<NaiveDate>,
    sealed: Option<bool>,
    #[serde(default)]
    calls: u64,
    #[serde(default)]
    rejects: u64,
    #[serde(default)]
    misfits: Vec<MisfitCount>,
    files: Vec<u32>,
}

/// The files of some of a record's tasks.
#[derive(Deserialize)]
pub(crate) struct TaskFiles {
    pub(crate) id: TaskId,
    pub(crate) files: Vec<u32>,
}

impl RecordSummary {
    /// Parses the record that must have this number.
    pub(crate) fn parse(bytes: &[u8], sequence: u64) -> Result<Self, Unreadable> {
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
        let mut unfit = UnfitByDay::new();
        for task in &changes.tasks {
            for index in &task.files {
                let Some(tasks) = file_tasks.get_mut(*index as usize) else {
                    return Err(no_such_file(*index));
                };
                *tasks += 1;
            }
            if task.rejects > 0 || !task.misfits.is_empty() {
                let day = unfit.entry(task.day).or_default();
                day.add(task.rejects, &task.misfits);
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
        let superseded = changes.superseded.iter();
        let numbers = superseded.flat_map(|day| day.misfits.iter().map(|misfit| misfit.key));
        let numbers = numbers.chain(unfit.values().flat_map(|day| day.misfits.keys().copied()));
        check_keys(numbers, &changes.misfit_keys)?;
        // Rare, so a second parse is affordable.
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
            misfit_keys: changes.misfit_keys,
            unfit,
            superseded: changes.superseded,
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

    /// The final paths of the files.
    pub(crate) fn paths(&self) -> impl Iterator<Item = FilePath> {
        self.files.iter().map(DataFile::path)
    }
}

/// Reads a whole record.
pub(crate) fn read_commit(bytes: &[u8]) -> Result<Commit, Unreadable> {
    let (commit, _) = read(bytes, |record: &Commit| record.format_version)?;
    Ok(commit)
}

/// Reads the files of a record, and which tasks have rows in each.
pub(crate) fn read_task_files(bytes: &[u8]) -> Result<(Vec<TaskFiles>, Vec<DataFile>), Unreadable> {
    #[derive(Deserialize)]
    struct Record {
        format_version: u32,
        changes: TasksAndFiles,
    }
    #[derive(Deserialize)]
    struct TasksAndFiles {
        #[serde(default)]
        tasks: Vec<TaskFiles>,
        #[serde(default)]
        files: Vec<DataFile>,
    }
    let (record, _) = read(bytes, |record: &Record| record.format_version)?;
    Ok((record.changes.tasks, record.changes.files))
}

/// Reads what a record counts for some of its tasks.
pub(crate) fn read_task_misfits(
    bytes: &[u8],
    is_wanted: impl Fn(&TaskId) -> bool,
) -> Result<Vec<TaskMisfits>, Unreadable> {
    #[derive(Deserialize)]
    struct Record {
        format_version: u32,
        changes: Changes,
    }
    #[derive(Deserialize)]
    struct Changes {
        #[serde(default)]
        tasks: Vec<Task>,
        #[serde(default)]
        misfit_keys: Vec<MisfitKey>,
    }
    #[derive(Deserialize)]
    struct Task {
        id: TaskId,
        day: Option<NaiveDate>,
        #[serde(default)]
        rejects: u64,
        #[serde(default)]
        misfits: Vec<MisfitCount>,
    }
    let (record, _) = read(bytes, |record: &Record| record.format_version)?;
    let Changes { tasks, misfit_keys } = record.changes;
    let wanted: Vec<Task> = tasks
        .into_iter()
        .filter(|task| is_wanted(&task.id))
        .collect();
    let numbers = wanted
        .iter()
        .flat_map(|task| task.misfits.iter().map(|misfit| misfit.key));
    check_keys(numbers, &misfit_keys)?;
    let key = |misfit: &MisfitCount| (misfit_keys[misfit.key as usize].clone(), misfit.count);
    let wanted = wanted.into_iter();
    Ok(wanted
        .map(|task| TaskMisfits {
            day: task.day,
            rejects: task.rejects,
            misfits: task.misfits.iter().map(key).collect(),
        })
        .collect())
}

/// Refuses numbers of keys that the record does not have.
fn check_keys(
    mut numbers: impl Iterator<Item = u32>,
    keys: &[MisfitKey],
) -> Result<(), Unreadable> {
    match numbers.find(|number| *number as usize >= keys.len()) {
        None => Ok(()),
        Some(number) => Err(Unreadable::Damaged(format!(
            "it counts values of a key number {number} that it does not hold"
        ))),
    }
}

fn no_such_file(index: u32) -> Unreadable {
    Unreadable::Damaged(format!(
        "it names a file number {index} that it does not hold"
    ))
}

/// Parses a record of a known version after its seal was verified. If that fails, only the version is
/// parsed: a newer format may differ in everything else.
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
