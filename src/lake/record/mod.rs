//! A commit record: what one commit adds to the lake, removes from it and learned about tasks.
//!
//! A record is one JSON file, written once and never changed. Every later start reads it, so it is
//! compact: a file's path is in `files`, tasks refer to files by index, and empty or default fields
//! are left out.
//!
//! The location of a task's rows follows from the log alone: the last commit with the task in
//! `tasks` names its files, and each [`Removal`] names the files that took over the remaining rows
//! of a removed file. A rewrite of a file with 10,000 tasks is therefore one line, not 10,000.
//!
//! Rejects and values that did not fit are counted by task ([`self::misfits`]).
//!
//! A reader ignores unknown fields, and refuses a record of a higher `format_version`. Version 2
//! added the inputs of a day's completeness (`reopened`, `workflows`, `retracted_from`, and fields
//! of tasks and coverage); in records of version 1 these read as empty. Version 3 added the seal:
//! `previous`, the checksum of the preceding record, and at the end `sha256`, that of the record
//! itself ([`self::seal`] defines the bytes). Later versions keep the seal unchanged, so that a
//! damaged record can be told from a newer one.

pub(crate) mod ids;
pub(crate) mod misfits;
pub(crate) mod seal;
pub(crate) mod summary;

use chrono::{DateTime, NaiveDate, Utc};
use serde::{Deserialize, Serialize};

use self::misfits::is_zero;
pub use self::misfits::{MisfitCount, MisfitKey, Superseded};
use crate::shard::Shard;
use crate::store::{Checksum, DataFile, FilePath};
use crate::task::{RunId, TaskId, TaskInfo, TaskStatus, WorkflowId};

/// The version of records that this program writes, and the highest it reads.
pub const FORMAT_VERSION: u32 = 3;

/// The purpose of a commit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, strum::IntoStaticStr)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
#[strum(serialize_all = "snake_case")]
pub enum CommitKind {
    /// Adds rows of tasks that had none.
    Append,
    /// Adds rows of tasks, and replaces the rows that some of them had.
    Replace,
    /// Moves the same rows to other files.
    Compact,
    /// Changes no rows: records observations of tasks.
    Observe,
}

impl CommitKind {
    /// The word in the record.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        self.into()
    }
}

/// A task whose rows are in the commit.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct CommittedTask {
    /// The id of the task.
    pub id: TaskId,
    /// Its workflow, where known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub workflow: Option<WorkflowId>,
    /// As the answer said.
    pub status: TaskStatus,
    /// As the answer said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub schedule_start: Option<DateTime<Utc>>,
    /// As the answer said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub schedule_end: Option<DateTime<Utc>>,
    /// The schedule start's day in the partition time zone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub day: Option<NaiveDate>,
    /// Final: never pulled again. Otherwise exported early, to be replaced.
    #[serde(default = "yes", skip_serializing_if = "is_yes")]
    pub sealed: bool,
    /// Number of its rows in table `calls`.
    pub calls: u64,
    /// Number of its rows in table `redials`.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub redials: u64,
    /// Number of its rows in table `asr_turns`.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub turns: u64,
    /// Records that were rejected.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub rejects: u64,
    /// Values that did not fit their column.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub misfits: Vec<MisfitCount>,
    /// All files with rows of it: indexes into the commit's `files`.
    pub files: Vec<u32>,
}

/// A task that was seen in a listing or response and not exported.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct OpenTask {
    /// The id of the task.
    pub id: TaskId,
    /// Its workflow, where known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub workflow: Option<WorkflowId>,
    /// As last seen; where nothing was seen, `unknown`.
    pub status: TaskStatus,
    /// The scheduled start, as last seen.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub schedule_start: Option<DateTime<Utc>>,
    /// The scheduled end, as last seen.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub schedule_end: Option<DateTime<Utc>>,
    /// The schedule start's day in the partition time zone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub day: Option<NaiveDate>,
    /// When it was first seen without being exported.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub first_seen: Option<DateTime<Utc>>,
    /// When it was first seen with a final status.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub final_since: Option<DateTime<Utc>>,
    /// Its end is longer ago than `tasks.hold_days`: it no longer holds back later days.
    #[serde(default, skip_serializing_if = "is_no")]
    pub overdue: bool,
}

impl OpenTask {
    /// A task with only its id and status known.
    #[must_use]
    pub fn new(id: TaskId, status: TaskStatus) -> Self {
        Self {
            id,
            workflow: None,
            status,
            schedule_start: None,
            schedule_end: None,
            day: None,
            first_seen: None,
            final_since: None,
            overdue: false,
        }
    }

    /// A task of this day, as last seen.
    #[must_use]
    pub fn of(task: &TaskInfo, day: Option<NaiveDate>) -> Self {
        Self {
            workflow: task.workflow.clone(),
            schedule_start: task.schedule_start,
            schedule_end: task.schedule_end,
            day,
            ..Self::new(task.id.clone(), task.status_or_unknown())
        }
    }

    /// What is known of the task, apart from when it was seen.
    #[must_use]
    pub fn info(&self) -> TaskInfo {
        TaskInfo {
            id: self.id.clone(),
            workflow: self.workflow.clone(),
            status: Some(self.status.clone()),
            schedule_start: self.schedule_start,
            schedule_end: self.schedule_end,
        }
    }
}

/// A task that failed after all attempts. The next run retries it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct FailedTask {
    /// The task, as last seen.
    #[serde(flatten)]
    pub task: OpenTask,
    /// Why and how often it failed.
    #[serde(flatten)]
    pub failure: Failure,
}

/// Why and how often a task failed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Failure {
    /// Why it failed, safe to print.
    pub reason: String,
    /// Number of runs that failed to export it, including the last one.
    pub attempts: u32,
    /// The last of them.
    pub last_run: RunId,
    /// Answers of the last of them that were kept whole as rejects.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub rejects: u64,
}

/// A range of schedule starts, from `from` (inclusive) to `to` (exclusive), for which a listing
/// contained every task that existed at the vendor at `at`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Coverage {
    /// The first schedule start, included.
    pub from: DateTime<Utc>,
    /// The end of the schedule starts, itself excluded.
    pub to: DateTime<Utc>,
    /// When the listing began, by the slower of the vendor's clock and the local one.
    pub at: DateTime<Utc>,
    /// Tasks that start before `from` were left out, so their calls may be missing on the first day.
    #[serde(default, skip_serializing_if = "is_no")]
    pub is_range: bool,
    /// Evidence that the listings were complete. Missing in records of version 1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub evidence: Option<Evidence>,
}

/// The requests and results of listings that count as complete.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Evidence {
    /// Number of listings: one of workflows, and one for each workflow.
    pub listings: u64,
    /// Number of pages, over all passes.
    pub pages: u64,
    /// Number of distinct items.
    pub items: u64,
    /// The sum of the totals that the vendor reported; missing if it reported none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub totals: Option<u64>,
}

/// A workflow that the vendor reports as gone, or that is back.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct WorkflowNote {
    /// The id of the workflow.
    pub id: WorkflowId,
    /// Consecutive nights on which it was gone; 0 if it is back.
    pub nights_gone: u32,
    /// The last of these nights.
    pub on: NaiveDate,
}

/// A file that other files of the commit supersede, or that no longer has rows.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Removal {
    /// The file: live until this commit.
    pub path: FilePath,
    /// The commit's files that take over its remaining rows. Empty when no row remains.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub into: Vec<u32>,
}

/// A superseded file whose rows could not be carried over, because it is missing or damaged.
///
/// The tasks are in [`CommitDraft::reopened`] too, so that a reader that does not know this field
/// pulls them again.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct LostFile {
    /// The file. It is among the commit's `removes`. Publishing moves the damaged file to
    /// `_export/quarantine/`.
    pub path: FilePath,
    /// What is wrong with it.
    pub why: String,
    /// The tasks that had rows in it and are not in the commit. Those rows are lost until the tasks
    /// are exported again.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub tasks: Vec<OpenTask>,
}

/// The content of a future commit.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct CommitDraft {
    /// The run that staged the files.
    pub run_id: RunId,
    /// The purpose of the commit.
    pub kind: CommitKind,
    /// The last commit that was known when the replacements were decided. Rows committed later are
    /// never replaced unseen.
    pub base: u64,
    /// Tasks whose rows are in `files`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub tasks: Vec<CommittedTask>,
    /// What `misfits` of tasks refer to.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub misfit_keys: Vec<MisfitKey>,
    /// What the replaced rows of `tasks` no longer count, by day.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub superseded: Vec<Superseded>,
    /// Tasks that were seen and are not final.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub open: Vec<OpenTask>,
    /// Sealed tasks that are running again. Their rows stay until they are exported again.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub reopened: Vec<OpenTask>,
    /// Tasks that failed after all attempts, to be tried again.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub failed: Vec<FailedTask>,
    /// Tasks that are gone at the vendor. Rows exported early stay.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub forgotten: Vec<TaskId>,
    /// The data files that the commit adds.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub files: Vec<DataFile>,
    /// The live files that the commit supersedes.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub removes: Vec<Removal>,
    /// The files in `removes` that could not be read.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub lost: Vec<LostFile>,
    /// Runs without a heartbeat for too long. They cannot commit from here on.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub ended: Vec<RunId>,
    /// Workflows that are gone or back.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub workflows: Vec<WorkflowNote>,
    /// The coverage of complete listings.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub coverage: Vec<Coverage>,
    /// Retracts all coverage from this moment on: earlier commits were made with a clock that was
    /// ahead.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retracted_from: Option<DateTime<Utc>>,
    /// The moment before which all workflows were listed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub listed_until: Option<DateTime<Utc>>,
    /// The first day of a lake that began with a backfill: tasks of earlier days belong to the lake
    /// only if a listing covers their day.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub first_day: Option<NaiveDate>,
    /// The shard of the run: `coverage` and `listed_until` apply to its tasks alone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub shard: Option<Shard>,
}

impl CommitDraft {
    /// A draft of a run that changes nothing yet.
    #[must_use]
    pub fn new(run_id: RunId, kind: CommitKind, base: u64) -> Self {
        Self {
            run_id,
            kind,
            base,
            tasks: Vec::new(),
            misfit_keys: Vec::new(),
            superseded: Vec::new(),
            open: Vec::new(),
            reopened: Vec::new(),
            failed: Vec::new(),
            forgotten: Vec::new(),
            files: Vec::new(),
            removes: Vec::new(),
            lost: Vec::new(),
            ended: Vec::new(),
            workflows: Vec::new(),
            coverage: Vec::new(),
            retracted_from: None,
            listed_until: None,
            first_day: None,
            shard: None,
        }
    }
}

/// A commit: a draft with its place in the log.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Commit {
    /// The version of the record's format.
    pub format_version: u32,
    /// Its number, from 1, without gaps.
    pub sequence: u64,
    /// The SHA-256 of all bytes of the record before. Missing in the first record of a log, and in
    /// versions 1 and 2.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub previous: Option<Checksum>,
    /// When it was made.
    pub at: DateTime<Utc>,
    /// The zone of days and partitions (IANA). One for the whole lake.
    pub partition_timezone: String,
    /// What the commit adds, removes and records.
    pub changes: CommitDraft,
}

fn yes() -> bool {
    true
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde hands a reference")]
fn is_yes(value: &bool) -> bool {
    *value
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde hands a reference")]
fn is_no(value: &bool) -> bool {
    !*value
}
