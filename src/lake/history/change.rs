//! What one commit changed, or several of them together.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, NaiveDate, Utc};

use crate::lake::ledger::{Ledger, LiveFile};
use crate::lake::record::{Commit, CommitKind};
use crate::schema::TableName;
use crate::store::{DataFile, FilePath, Partition};
use crate::task::{RunId, TaskId};

/// What a step changed, from one state of the lake to a later one.
#[derive(Clone, Debug)]
pub struct Change {
    /// The commit before the step.
    pub since: u64,
    /// The last commit of the step.
    pub sequence: u64,
    /// When that was made.
    pub at: DateTime<Utc>,
    /// What it was made for; nothing for several commits.
    pub kind: Option<CommitKind>,
    /// The run that made it; nothing for several commits.
    pub run_id: Option<RunId>,
    /// Files that belong to the lake after the step and not before.
    pub added: Vec<LiveFile>,
    /// Files that belong to it before and not after.
    pub removed: Vec<RemovedFile>,
    /// Tasks whose rows are of this step.
    pub tasks: Vec<TaskChange>,
    /// Days that were not complete before and are now.
    pub completed: BTreeSet<NaiveDate>,
    /// Days that were complete before and are no longer.
    pub reopened: BTreeSet<NaiveDate>,
}

/// A file that no longer belongs to the lake.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RemovedFile {
    /// The removed file, as the commit that added it recorded it.
    pub file: DataFile,
    /// The files of the step that took over its remaining rows. Of several commits: nothing, as
    /// these may be gone by now.
    pub into: Vec<FilePath>,
    /// It was missing or damaged: its rows were not carried over.
    pub lost: bool,
}

/// A task whose rows came or changed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TaskChange {
    /// The id of the task.
    pub id: TaskId,
    /// It had rows before, which are gone.
    pub replaced: bool,
}

/// Rows that came with files and went with files.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct RowChange {
    /// In the files added.
    pub added: u64,
    /// In the files removed.
    pub removed: u64,
}

impl Change {
    /// The rows by table.
    #[must_use]
    pub fn rows(&self) -> BTreeMap<TableName, RowChange> {
        let mut rows = BTreeMap::<_, RowChange>::new();
        for live in &self.added {
            rows.entry(live.file.table).or_default().added += live.file.rows;
        }
        for gone in &self.removed {
            rows.entry(gone.file.table).or_default().removed += gone.file.rows;
        }
        rows
    }

    /// The partitions whose files changed.
    #[must_use]
    pub fn partitions(&self) -> BTreeSet<Partition> {
        let added = self.added.iter().map(|live| live.file.partition);
        let removed = self.removed.iter().map(|gone| gone.file.partition);
        added.chain(removed).collect()
    }

    /// Keeps the files of one table.
    pub fn keep_table(&mut self, table: TableName) {
        self.added.retain(|live| live.file.table == table);
        self.removed.retain(|gone| gone.file.table == table);
    }
}

/// What a commit says it changes, seen from the state before it.
pub(super) struct Recorded {
    change: Change,
}

impl Recorded {
    pub(super) fn before(ledger: &Ledger, commit: &Commit) -> Self {
        let changes = &commit.changes;
        let sequence = commit.sequence;
        let mut tasks_of = vec![0; changes.files.len()];
        for task in &changes.tasks {
            for index in &task.files {
                if let Some(tasks) = tasks_of.get_mut(*index as usize) {
                    *tasks += 1;
                }
            }
        }
        let added = changes.files.iter().zip(tasks_of);
        let added = added.map(|(file, tasks_at_most)| LiveFile {
            file: DataFile {
                upload: None,
                ..file.clone()
            },
            sequence,
            tasks_at_most,
        });
        let path_of = |index: &u32| Some(changes.files.get(*index as usize)?.path());
        let removed = changes.removes.iter().filter_map(|removal| {
            Some(RemovedFile {
                file: ledger.live_file(&removal.path)?.file,
                into: removal.into.iter().filter_map(path_of).collect(),
                lost: changes.lost.iter().any(|lost| lost.path == removal.path),
            })
        });
        let tasks = changes.tasks.iter().map(|task| TaskChange {
            id: task.id.clone(),
            replaced: ledger.rows_in(&task.id).is_some(),
        });
        let change = Change {
            since: sequence.saturating_sub(1),
            sequence,
            at: commit.at,
            kind: Some(changes.kind),
            run_id: Some(changes.run_id.clone()),
            added: added.collect(),
            removed: removed.collect(),
            tasks: tasks.collect(),
            completed: BTreeSet::new(),
            reopened: BTreeSet::new(),
        };
        Self { change }
    }

    /// The change, with the days that were and are complete.
    pub(super) fn after(self, before: &BTreeSet<NaiveDate>, now: &BTreeSet<NaiveDate>) -> Change {
        Change {
            completed: now.difference(before).copied().collect(),
            reopened: before.difference(now).copied().collect(),
            ..self.change
        }
    }
}

/// Several commits as one step.
pub(super) struct Fold {
    since: u64,
    files: BTreeMap<FilePath, LiveFile>,
    lost: BTreeSet<FilePath>,
    tasks: BTreeMap<TaskId, bool>,
    last: Option<DateTime<Utc>>,
}

impl Fold {
    pub(super) fn new(before: &Ledger) -> Self {
        let files = before.live_files().into_iter();
        Self {
            since: before.last_sequence(),
            files: files.map(|live| (live.path(), live)).collect(),
            lost: BTreeSet::new(),
            tasks: BTreeMap::new(),
            last: None,
        }
    }

    pub(super) fn take(&mut self, Recorded { change }: Recorded) {
        self.last = Some(change.at);
        for task in change.tasks {
            // What counts is whether it had rows before the first of the commits.
            self.tasks.entry(task.id).or_insert(task.replaced);
        }
        let lost = change.removed.iter().filter(|gone| gone.lost);
        self.lost.extend(lost.map(|gone| gone.file.path()));
    }

    /// The step; nothing if there was no commit.
    pub(super) fn close(
        self,
        after: &Ledger,
        complete_before: &BTreeSet<NaiveDate>,
    ) -> Option<Change> {
        let at = self.last?;
        let complete = after.complete_days();
        let live = after.live_files().into_iter();
        let added = live.filter(|live| live.sequence > self.since).collect();
        let removed = self.files.into_iter();
        let removed = removed.filter(|(path, _)| !after.is_live(path));
        let removed = removed.map(|(path, live)| RemovedFile {
            file: live.file,
            into: Vec::new(),
            lost: self.lost.contains(&path),
        });
        let tasks = self.tasks.into_iter();
        Some(Change {
            since: self.since,
            sequence: after.last_sequence(),
            at,
            kind: None,
            run_id: None,
            added,
            removed: removed.collect(),
            tasks: tasks
                .map(|(id, replaced)| TaskChange { id, replaced })
                .collect(),
            completed: complete.difference(complete_before).copied().collect(),
            reopened: complete_before.difference(&complete).copied().collect(),
        })
    }
}
