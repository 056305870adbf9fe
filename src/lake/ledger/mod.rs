//! The ledger: what is exported, open and failed according to the commit log. It is derived from
//! the log alone, in memory, one commit after another.
//!
//! It is sized for millions of tasks: a sealed task takes 33 bytes in a hash table. A task's files
//! are not kept in memory: the ledger stores the commit, and
//! [`Lake::files_of_tasks`](super::reader::Lake::files_of_tasks) reads its record.
//!
//! # States of a task
//! ```text
//! (unknown) ─seen─→ Open ─pull fails─→ Failed ─pulled, final─→ Sealed (for good)
//!                    └─pulled while running─→ Early ─pulled again, final─→ Sealed
//!                                               └─gone at the vendor─→ Vanished (rows stay)
//! Sealed ─running again─→ Reopened ─pulled again, final─→ Sealed
//! ```
//! An observation of a sealed task changes its state only if a commit says that the task was
//! reopened and the writer of that commit knew of its rows: the slower of two processes may still
//! have seen it running. A reopened task keeps its rows until a commit replaces them.

mod day_counts;
mod files;
mod listed;
mod snapshot;
mod task_state;
mod unfit;

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, NaiveDate, TimeDelta, Utc};
use chrono_tz::Tz;
use serde::{Deserialize, Serialize};

use day_counts::{Covering, Days};
use files::Files;
pub use files::LiveFile;
use listed::Listed;
use task_state::{StoredState, StoredTask, counter};
pub use task_state::{TaskState, UnsealedTask};

use super::day::{DaySummary, RevisionReason, TaskCounts};
use super::record::ids::{IdKey, IdMap};
use super::record::summary::{RecordSummary, SealedTask};
use super::record::{CommitDraft, CommitKind, Coverage, Failure, LostFile, OpenTask, WorkflowNote};
use crate::calendar::day_end;
use crate::schema::TableName;
use crate::shard::Shard;
use crate::store::{FileName, FilePath, Partition};
use crate::task::{RunId, TaskId, WorkflowId};

/// The state that the commit log describes.
#[derive(Clone, Debug, Default)]
pub struct Ledger {
    zone: Option<Tz>,
    last_sequence: u64,
    tasks: IdMap<StoredTask>,
    unsealed: BTreeMap<TaskId, UnsealedTask>,
    files: Files,
    days: Days,
    listed: Listed,
    counts: TaskCounts,
    ended: BTreeSet<RunId>,
    gone_workflows: BTreeMap<WorkflowId, NightsGone>,
    first_day: Option<NaiveDate>,
    /// The tasks with lost rows, and the files that held them.
    lost: BTreeMap<TaskId, BTreeSet<FilePath>>,
}

/// How long a workflow has been gone.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct NightsGone {
    /// Nights in a row.
    pub nights: u32,
    /// The last of them.
    pub on: NaiveDate,
}

/// Conflicts of a draft with a commit that another writer made first.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Conflict {
    /// Tasks of the draft that have rows which the draft does not replace.
    pub sealed_meanwhile: Vec<TaskId>,
    /// Files the draft removes that are not live any more.
    pub rewritten_meanwhile: Vec<FilePath>,
}

impl Ledger {
    /// The last commit; 0 before the first.
    #[must_use]
    pub fn last_sequence(&self) -> u64 {
        self.last_sequence
    }

    /// The number of the commit that would come next.
    #[must_use]
    pub fn next_sequence(&self) -> u64 {
        self.last_sequence + 1
    }

    /// Whether the run is fenced and can no longer commit.
    #[must_use]
    pub fn has_ended(&self, run: &RunId) -> bool {
        self.ended.contains(run)
    }

    /// The zone of the lake's days; `None` before the first commit.
    #[must_use]
    pub fn zone(&self) -> Option<Tz> {
        self.zone
    }

    /// The state of a task; `None` for a task that no commit names.
    ///
    /// # Panics
    /// Never: every task that is open, failed or early is remembered whole.
    #[must_use]
    pub fn state(&self, id: &TaskId) -> Option<TaskState<'_>> {
        let known = self.tasks.get(&IdKey::of(id))?;
        let rows_in = known.rows_in.into();
        let unsealed = || {
            self.unsealed
                .get(id)
                .expect("every unsealed task is remembered whole")
        };
        Some(match known.kind {
            StoredState::Sealed => TaskState::Sealed { rows_in },
            StoredState::Vanished => TaskState::Vanished { rows_in },
            StoredState::Early => TaskState::Early(unsealed()),
            StoredState::Open => TaskState::Open(unsealed()),
            StoredState::Failed => TaskState::Failed(unsealed()),
            StoredState::Reopened => TaskState::Reopened(unsealed()),
        })
    }

    /// The last observation of a task that is not sealed.
    #[must_use]
    pub fn unsealed_task(&self, id: &TaskId) -> Option<&UnsealedTask> {
        self.unsealed.get(id)
    }

    /// The day of a task's scheduled start, as far as any commit knows.
    #[must_use]
    pub fn day_of_task(&self, id: &TaskId) -> Option<NaiveDate> {
        self.tasks.get(&IdKey::of(id))?.day
    }

    /// The number of calls of a sealed task, rejected entries included; `None` for a task that is not
    /// sealed.
    #[must_use]
    pub fn sealed_calls(&self, id: &TaskId) -> Option<u64> {
        let known = self.tasks.get(&IdKey::of(id))?;
        (known.calls > 0).then(|| known.calls.into())
    }

    /// How long a workflow has been gone, if it is.
    #[must_use]
    pub fn nights_gone(&self, workflow: &WorkflowId) -> Option<NightsGone> {
        self.gone_workflows.get(workflow).copied()
    }

    /// The workflows that are gone.
    pub fn gone_workflows(&self) -> impl Iterator<Item = (&WorkflowId, NightsGone)> {
        self.gone_workflows.iter().map(|(id, gone)| (id, *gone))
    }

    /// Whether the task is sealed.
    #[must_use]
    pub fn is_sealed(&self, id: &TaskId) -> bool {
        let known = self.tasks.get(&IdKey::of(id));
        known.is_some_and(|known| known.kind == StoredState::Sealed)
    }

    /// The commit that holds the task's rows; `None` for a task without rows.
    #[must_use]
    pub fn rows_in(&self, id: &TaskId) -> Option<u64> {
        self.tasks
            .get(&IdKey::of(id))
            .filter(|known| known.rows_in > 0)
            .map(|k| k.rows_in.into())
    }

    /// The tasks to request again (open, failed and exported early), by id.
    pub fn unsealed(&self) -> impl Iterator<Item = &UnsealedTask> {
        self.unsealed.values()
    }

    /// All tasks by state.
    #[must_use]
    pub fn task_counts(&self) -> TaskCounts {
        self.counts
    }

    /// The number of sealed tasks.
    #[must_use]
    pub fn sealed_count(&self) -> u64 {
        self.counts.sealed
    }

    /// The number of tasks in the log.
    #[must_use]
    pub fn task_count(&self) -> usize {
        self.tasks.len()
    }

    /// The moment before which all workflows were listed, for all tasks or those of one shard.
    #[must_use]
    pub fn listed_until(&self, shard: Option<Shard>) -> Option<DateTime<Utc>> {
        self.listed.until(shard)
    }

    /// The last day that is covered by a complete listing, or by one of each shard.
    #[must_use]
    pub fn last_covered_day(&self) -> Option<NaiveDate> {
        self.days.last_covered()
    }

    /// The moment up to which something counts as listed, if it is in the future at `now` by more than
    /// the tolerated clock skew.
    #[must_use]
    pub fn listed_ahead(&self, now: DateTime<Utc>) -> Option<DateTime<Utc>> {
        const TOLERANCE: TimeDelta = TimeDelta::minutes(5);
        let zone = self.zone.unwrap_or(Tz::UTC);
        let covered = self.last_covered_day().map(|day| day_end(zone, day));
        let until = self.listed.latest().max(covered)?;
        (until > now + TOLERANCE).then_some(until)
    }

    /// The first day of a lake that began with a backfill.
    #[must_use]
    pub fn first_day(&self) -> Option<NaiveDate> {
        self.first_day
    }

    /// Whether a complete listing made after the day covers it, or one of each shard.
    #[must_use]
    pub fn covers(&self, day: NaiveDate) -> bool {
        self.days.covers(day)
    }

    /// The state of one day; `None` for a day that no commit touched.
    #[must_use]
    pub fn day_summary(&self, day: NaiveDate) -> Option<DaySummary> {
        self.days
            .summary(Some(day), self.zone, self.unsealed.values())
    }

    /// The counts of tasks and files without a day.
    #[must_use]
    pub fn undated(&self) -> Option<DaySummary> {
        self.days.summary(None, self.zone, self.unsealed.values())
    }

    /// All days that a commit touched, in order.
    pub fn days(&self) -> impl Iterator<Item = NaiveDate> {
        self.days.since(0)
    }

    /// The days that a commit after this one touched, in order.
    pub fn days_since(&self, sequence: u64) -> impl Iterator<Item = NaiveDate> {
        self.days.since(sequence)
    }

    /// The days that are complete.
    #[must_use]
    pub fn complete_days(&self) -> BTreeSet<NaiveDate> {
        self.days.complete_days(self.zone, self.unsealed.values())
    }

    /// A file that belongs to the lake now; nothing for one that does not.
    #[must_use]
    pub fn live_file(&self, path: &FilePath) -> Option<LiveFile> {
        self.files.live_file(path)
    }

    /// Where files are or once were.
    #[must_use]
    pub fn places(&self) -> BTreeSet<(TableName, Partition)> {
        self.files.places()
    }

    /// The live files, by table, partition and name.
    #[must_use]
    pub fn live_files(&self) -> Vec<LiveFile> {
        let mut files: Vec<_> = self.files.live().collect();
        let key = |file: &LiveFile| (file.file.table, file.file.partition);
        files.sort_unstable_by(|a, b| {
            key(a)
                .cmp(&key(b))
                .then_with(|| a.file.name.cmp(&b.file.name))
        });
        files
    }

    /// Whether a file is live.
    #[must_use]
    pub fn is_live(&self, path: &FilePath) -> bool {
        self.files.is_live(path)
    }

    /// Whether a run of this id committed files or was fenced.
    pub(crate) fn knows_run(&self, run: &RunId) -> bool {
        self.has_ended(run) || self.files.knows_run(run)
    }

    /// Whether a file of this name was ever committed.
    #[must_use]
    pub fn knows_file(&self, name: &FileName) -> bool {
        self.files.knows(name)
    }

    /// Whether a live file has this name, in any partition.
    #[must_use]
    pub fn is_live_name(&self, name: &FileName) -> bool {
        self.files.is_live_name(name)
    }

    /// The live successors of these files.
    pub(crate) fn successors(&self, paths: impl IntoIterator<Item = FilePath>) -> Vec<LiveFile> {
        self.files.successors(paths)
    }

    /// For each live file with predecessors all of them, by path. None of them is live.
    #[must_use]
    pub fn rewrites(&self) -> BTreeMap<FilePath, Vec<FilePath>> {
        self.files.rewrites()
    }

    /// A live file and all its predecessors.
    pub(crate) fn with_ancestors(&self, path: &FilePath) -> Vec<FilePath> {
        let mut paths = self.files.rewrites().remove(path).unwrap_or_default();
        paths.push(path.clone());
        paths
    }

    /// The commit that added a file.
    pub(crate) fn added_in(&self, path: &FilePath) -> Option<u64> {
        self.files.added_in(path)
    }

    /// The tasks with lost rows, each with the files that held them. A task is removed from the
    /// list when it is exported again.
    pub fn lost(&self) -> impl Iterator<Item = (&TaskId, &BTreeSet<FilePath>)> {
        self.lost.iter()
    }

    /// Whether rows of the task are lost.
    #[must_use]
    pub fn has_lost(&self, id: &TaskId) -> bool {
        self.lost.contains_key(id)
    }

    /// The earliest commit of a live file, for each table that has one.
    pub(crate) fn oldest_files(&self) -> BTreeMap<TableName, u64> {
        self.files.oldest()
    }

    /// The conflicts that prevent the commit of a draft.
    #[must_use]
    pub fn conflict(&self, draft: &CommitDraft) -> Option<Conflict> {
        let seen = |rows_in| draft.kind == CommitKind::Replace && rows_in <= draft.base;
        let tasks = draft.tasks.iter().map(|task| &task.id);
        let removes = draft.removes.iter().map(|removal| &removal.path);
        let conflict = Conflict {
            sealed_meanwhile: tasks
                .filter(|id| self.rows_in(id).is_some_and(|rows_in| !seen(rows_in)))
                .cloned()
                .collect(),
            rewritten_meanwhile: removes
                .filter(|path| !self.is_live(path))
                .cloned()
                .collect(),
        };
        (conflict != Conflict::default()).then_some(conflict)
    }

    /// Whether an observation would change anything.
    pub(crate) fn would_change(&self, task: &OpenTask, failure: Option<&Failure>) -> bool {
        match self.tasks.get(&IdKey::of(&task.id)) {
            Some(StoredTask {
                kind: StoredState::Sealed,
                ..
            }) => false,
            _ => self
                .unsealed
                .get(&task.id)
                .is_none_or(|known| known.task != *task || known.failure.as_ref() != failure),
        }
    }

    /// Whether a task is sealed and its rows were known to the writer that saw it running again.
    pub(crate) fn can_reopen(&self, id: &TaskId, base: u64) -> bool {
        let known = self.tasks.get(&IdKey::of(id));
        known.is_some_and(|known| {
            known.kind == StoredState::Sealed && u64::from(known.rows_in) <= base
        })
    }

    /// Whether the state of a workflow (gone, or back) changes.
    pub(crate) fn is_news_of_workflow(&self, note: &WorkflowNote) -> bool {
        match self.gone_workflows.get(&note.id) {
            None => note.nights_gone > 0,
            Some(known) => known.nights != note.nights_gone || known.on != note.on,
        }
    }

    /// Whether a retraction would change anything.
    pub(crate) fn can_forget(&self, id: &TaskId) -> bool {
        self.unsealed.contains_key(id)
    }

    /// Whether coverage would cover a day that is not covered yet (by the shard).
    pub(crate) fn extends_coverage(&self, coverage: &[Coverage], shard: Option<Shard>) -> bool {
        let Some(zone) = self.zone else {
            return !coverage.is_empty();
        };
        day_counts::covered_days(coverage, zone)
            .into_iter()
            .any(|(day, coverage)| self.days.lacks(day, &coverage, shard))
    }

    /// Applies the next commit. On an error, which says what is wrong with the record, the ledger
    /// must be discarded.
    pub(crate) fn apply(&mut self, summary: &RecordSummary) -> Result<(), String> {
        let sequence = u32::try_from(summary.sequence).map_err(|_| "its number is too high")?;
        if summary.sequence != self.next_sequence() {
            return Err(format!(
                "it does not follow on commit {}",
                self.last_sequence
            ));
        }
        let zone = self.zone_of(summary)?;
        let reason = self.revision_reason(summary);
        self.days.begin(summary.sequence, summary.at, reason);
        for (file, tasks) in summary.files.iter().zip(&summary.file_tasks) {
            let change = self.files.add(file, sequence, (*tasks).into())?;
            self.days.count_file(&change, true);
        }
        for removal in &summary.removes {
            let change = self.files.remove(removal, &summary.files)?;
            self.days.count_file(&change, false);
        }
        self.ended.extend(summary.ended.iter().cloned());
        for SealedTask { key, day, calls } in &summary.sealed {
            let known = StoredTask {
                rows_in: sequence,
                calls: u32::try_from(*calls).unwrap_or(u32::MAX),
                day: *day,
                kind: StoredState::Sealed,
            };
            self.know(key, known, None);
            self.recover(key);
        }
        for task in &summary.early {
            let known = StoredTask {
                rows_in: sequence,
                calls: 0,
                day: task.day,
                kind: StoredState::Early,
            };
            let key = IdKey::of(&task.id);
            self.know(&key, known, Some((task.into(), None)));
            self.recover(&key);
        }
        self.days.count_unfit(summary);
        for lost in &summary.lost {
            self.lose(lost, &summary.run_id);
        }
        for task in &summary.open {
            self.observe(task, None);
        }
        for task in &summary.reopened {
            self.reopen(task, summary.base);
        }
        for failed in &summary.failed {
            self.observe(&failed.task, Some(&failed.failure));
        }
        for id in &summary.forgotten {
            self.forget(id);
        }
        for note in &summary.workflows {
            self.note_workflow(note);
        }
        if let Some(from) = summary.retracted_from {
            self.days.retract(from, zone);
            self.listed.retract(from);
        }
        self.days.cover(&Covering {
            coverage: &summary.coverage,
            shard: summary.shard,
            zone,
            run: &summary.run_id,
        });
        self.listed.note(summary.listed_until, summary.shard);
        self.first_day = self.first_day.or(summary.first_day);
        let unsealed = &self.unsealed;
        let missed = || {
            let missed = unsealed.values();
            let missed = missed.filter(|known| known.task.overdue && day_counts::is_missed(known));
            missed.map(|known| &known.task)
        };
        self.days.complete(self.zone, missed);
        self.last_sequence = summary.sequence;
        Ok(())
    }

    /// Why a commit changes rows; `None` if it only moves them.
    fn revision_reason(&self, summary: &RecordSummary) -> Option<RevisionReason> {
        let was_reopened = |task: &SealedTask| {
            let known = self.tasks.get(&task.key);
            known.is_some_and(|known| known.kind == StoredState::Reopened)
        };
        match summary.kind {
            CommitKind::Compact | CommitKind::Observe => None,
            CommitKind::Append => Some(RevisionReason::Late),
            CommitKind::Replace if summary.sealed.iter().any(was_reopened) => {
                Some(RevisionReason::Reopened)
            }
            CommitKind::Replace => Some(RevisionReason::Replaced),
        }
    }

    /// Reopens a sealed task that is running again.
    fn reopen(&mut self, task: &OpenTask, base: u64) {
        if self.can_reopen(&task.id, base) {
            let key = IdKey::of(&task.id);
            let known = self.tasks.get(&key).copied().expect("it can be reopened");
            let known = StoredTask {
                day: task.day.or(known.day),
                kind: StoredState::Reopened,
                ..known
            };
            self.know(&key, known, Some((task.clone(), None)));
        }
    }

    /// Records lost rows: their tasks must be pulled again.
    fn lose(&mut self, lost: &LostFile, run: &RunId) {
        for task in &lost.tasks {
            let key = IdKey::of(&task.id);
            let known = self.tasks.get(&key).copied();
            let Some(known) = known.filter(|known| known.rows_in > 0) else {
                continue;
            };
            let files = self.lost.entry(task.id.clone()).or_default();
            files.insert(lost.path.clone());
            let seen = self.unsealed.get(&task.id);
            let task = seen.map_or_else(|| task.clone(), |seen| seen.task.clone());
            let failure = Failure {
                reason: format!("its rows in {} are lost: {}", lost.path, lost.why),
                attempts: 0,
                last_run: run.clone(),
                rejects: 0,
            };
            let known = StoredTask {
                kind: StoredState::Failed,
                ..known
            };
            self.know(&key, known, Some((task, Some(failure))));
        }
    }

    /// Records that all rows of the task are present.
    fn recover(&mut self, key: &IdKey) {
        if !self.lost.is_empty() {
            self.lost.remove(&key.to_id());
        }
    }

    fn note_workflow(&mut self, note: &WorkflowNote) {
        if note.nights_gone == 0 {
            self.gone_workflows.remove(&note.id);
        } else {
            let gone = NightsGone {
                nights: note.nights_gone,
                on: note.on,
            };
            self.gone_workflows.insert(note.id.clone(), gone);
        }
    }

    fn zone_of(&mut self, summary: &RecordSummary) -> Result<Tz, String> {
        let zone = summary.zone.parse().map_err(|_| {
            format!(
                "its partition_timezone `{}` is not in the time zone data",
                summary.zone
            )
        })?;
        match self.zone {
            Some(first) if first != zone => Err(format!(
                "its days are of {zone}, those of earlier commits of {first}"
            )),
            _ => Ok(*self.zone.insert(zone)),
        }
    }

    /// Records that a task was seen or that its pull failed.
    fn observe(&mut self, task: &OpenTask, failure: Option<&Failure>) {
        let key = IdKey::of(&task.id);
        let before = self.tasks.get(&key).copied();
        let rows_in = before.map_or(0, |known| known.rows_in);
        let calls = before.map_or(0, |known| known.calls);
        let kind = match before.map(|known| known.kind) {
            Some(StoredState::Sealed) => return,
            _ if failure.is_some() => StoredState::Failed,
            _ if calls > 0 => StoredState::Reopened,
            _ if rows_in > 0 => StoredState::Early,
            _ => StoredState::Open,
        };
        let known = StoredTask {
            rows_in,
            calls,
            day: task.day,
            kind,
        };
        self.know(&key, known, Some((task.clone(), failure.cloned())));
    }

    fn forget(&mut self, id: &TaskId) {
        let key = IdKey::of(id);
        match self.tasks.get(&key).copied() {
            None
            | Some(StoredTask {
                kind: StoredState::Sealed | StoredState::Vanished,
                ..
            }) => {}
            Some(known) if known.rows_in > 0 => {
                self.know(
                    &key,
                    StoredTask {
                        kind: StoredState::Vanished,
                        ..known
                    },
                    None,
                );
            }
            Some(known) => {
                self.tasks.remove(&key);
                *counter(&mut self.counts, known.kind) -= 1;
                *self.days.tasks_of(known.day, known.kind) -= 1;
                self.set_details(&key, None);
            }
        }
    }

    fn know(
        &mut self,
        key: &IdKey,
        known: StoredTask,
        details: Option<(OpenTask, Option<Failure>)>,
    ) {
        let before = self.tasks.insert(key.clone(), known);
        if let Some(before) = before {
            *counter(&mut self.counts, before.kind) -= 1;
            *self.days.tasks_of(before.day, before.kind) -= 1;
        }
        *counter(&mut self.counts, known.kind) += 1;
        *self.days.tasks_of(known.day, known.kind) += 1;
        let rows_in = (known.rows_in > 0).then(|| known.rows_in.into());
        let sequence = self.next_sequence();
        let details = details.map(|(task, failure)| UnsealedTask {
            task,
            failure,
            rows_in,
            sequence,
        });
        // Nearly all tasks are sealed at once, and then there is nothing to look up.
        if details.is_some() || before.is_some_and(|before| before.kind != StoredState::Sealed) {
            self.set_details(key, details);
        }
    }

    /// Stores or removes the details of an unsealed task. This may change the completeness of the days
    /// that it touches or touched.
    fn set_details(&mut self, key: &IdKey, details: Option<UnsealedTask>) {
        let id = key.to_id();
        for task in self.unsealed.get(&id).into_iter().chain(&details) {
            self.days.touch_span(&task.task, self.zone);
        }
        if let Some(before) = self.unsealed.get(&id) {
            self.days.hold(&before.task, false);
            self.days.count_failure(before, false);
        }
        if let Some(now) = &details {
            self.days.hold(&now.task, true);
            self.days.count_failure(now, true);
        }
        match details {
            Some(details) => self.unsealed.insert(id, details),
            None => self.unsealed.remove(&id),
        };
    }
}
