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

mod files;
mod listed;
mod snapshot;
mod tally;

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, NaiveDate, TimeDelta, Utc};
use chrono_tz::Tz;
use serde::{Deserialize, Serialize};

use files::Files;
pub use files::LiveFile;
use listed::Listed;
use tally::{Covering, Days};

use super::day::{DaySummary, RevisionReason, TaskCounts};
use super::record::ids::{IdKey, IdMap};
use super::record::summary::{Digest, SealedTask};
use super::record::{CommitDraft, CommitKind, Coverage, Failure, LostFile, OpenTask, WorkflowNote};
use crate::calendar::day_end;
use crate::schema::TableName;
use crate::shard::Shard;
use crate::store::{FileName, FilePath};
use crate::task::{RunId, TaskId, WorkflowId};

/// The state that the commit log describes.
#[derive(Clone, Debug, Default)]
pub struct Ledger {
    zone: Option<Tz>,
    last_sequence: u64,
    tasks: IdMap<Known>,
    unsealed: BTreeMap<TaskId, UnsealedTask>,
    files: Files,
    days: Days,
    listed: Listed,
    counts: TaskCounts,
    ended: BTreeSet<RunId>,
    gone_workflows: BTreeMap<WorkflowId, NightsGone>,
    first_day: Option<NaiveDate>,
    /// The tasks of which rows are lost, and the files that held them.
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

/// What is stored per task.
#[derive(Clone, Copy, Debug)]
struct Known {
    /// The commit that holds its rows; 0 for none.
    rows_in: u32,
    /// Entries of `detail` in the answer that its rows are of, rejected ones included; 0 where
    /// nothing was sealed.
    calls: u32,
    day: Option<NaiveDate>,
    kind: Kind,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Sealed,
    Early,
    Vanished,
    Open,
    Failed,
    Reopened,
}

/// A task that is not sealed, as last seen.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct UnsealedTask {
    /// Id, status and schedule.
    pub task: OpenTask,
    /// Why its last pull failed, if it did.
    pub failure: Option<Failure>,
    /// The commit that holds its rows, if it was exported early. Those rows must be replaced.
    pub rows_in: Option<u64>,
    /// The commit that brought this news.
    pub sequence: u64,
}

/// The state of a task.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TaskState<'a> {
    /// Final and exported: never pulled again.
    Sealed {
        /// The commit that holds its rows.
        rows_in: u64,
    },
    /// Exported before it was final; to be pulled again, its rows to be replaced.
    Early(&'a UnsealedTask),
    /// Exported before it was final, then gone at the vendor. Its rows stay. It is not requested
    /// again unless a listing shows it once more; then its rows must be replaced.
    Vanished {
        /// The commit that holds its rows.
        rows_in: u64,
    },
    /// Seen, not final, no rows.
    Open(&'a UnsealedTask),
    /// Its last pull failed. It may have rows from an early export.
    Failed(&'a UnsealedTask),
    /// Final and exported, and then running again; to be pulled again, its rows to be replaced.
    Reopened(&'a UnsealedTask),
}

/// Why a draft can't be committed as it is: another writer committed first.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Conflict {
    /// Tasks of the draft that got rows which the draft does not replace.
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

    /// Whether the log says that the run is dead: it can't commit any more.
    #[must_use]
    pub fn has_ended(&self, run: &RunId) -> bool {
        self.ended.contains(run)
    }

    /// The zone of the lake's days; nothing before the first commit.
    #[must_use]
    pub fn zone(&self) -> Option<Tz> {
        self.zone
    }

    /// The state of a task; nothing for a task that no commit names.
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
            Kind::Sealed => TaskState::Sealed { rows_in },
            Kind::Vanished => TaskState::Vanished { rows_in },
            Kind::Early => TaskState::Early(unsealed()),
            Kind::Open => TaskState::Open(unsealed()),
            Kind::Failed => TaskState::Failed(unsealed()),
            Kind::Reopened => TaskState::Reopened(unsealed()),
        })
    }

    /// What was last seen of a task that is not sealed.
    #[must_use]
    pub fn unsealed_task(&self, id: &TaskId) -> Option<&UnsealedTask> {
        self.unsealed.get(id)
    }

    /// The day of a task's scheduled start, as far as any commit knows.
    #[must_use]
    pub fn day_of_task(&self, id: &TaskId) -> Option<NaiveDate> {
        self.tasks.get(&IdKey::of(id))?.day
    }

    /// The calls of a task whose rows were sealed, entries that were rejected included. Nothing for a
    /// task whose rows, if there are any, are of a running task.
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
        known.is_some_and(|known| known.kind == Kind::Sealed)
    }

    /// The commit that holds the task's rows; nothing for a task without rows.
    #[must_use]
    pub fn rows_in(&self, id: &TaskId) -> Option<u64> {
        self.tasks
            .get(&IdKey::of(id))
            .filter(|known| known.rows_in > 0)
            .map(|k| k.rows_in.into())
    }

    /// The tasks to ask for again: open, failed and exported early, by id.
    pub fn unsealed(&self) -> impl Iterator<Item = &UnsealedTask> {
        self.unsealed.values()
    }

    /// All tasks by state.
    #[must_use]
    pub fn task_counts(&self) -> TaskCounts {
        self.counts
    }

    /// How many tasks are sealed.
    #[must_use]
    pub fn sealed_count(&self) -> u64 {
        self.counts.sealed
    }

    /// How many tasks the log knows.
    #[must_use]
    pub fn task_count(&self) -> usize {
        self.tasks.len()
    }

    /// Workflows made before this were listed, for all tasks or for those of one shard.
    #[must_use]
    pub fn listed_until(&self, shard: Option<Shard>) -> Option<DateTime<Utc>> {
        self.listed.until(shard)
    }

    /// The last day that a complete listing covers, or one of every shard.
    #[must_use]
    pub fn last_covered_day(&self) -> Option<NaiveDate> {
        self.days.last_covered()
    }

    /// Up to when something counts as listed, if that is still to come at `now`, by more than clocks
    /// differ.
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

    /// Whether a complete listing made after the day covers it, or one of every shard.
    #[must_use]
    pub fn covers(&self, day: NaiveDate) -> bool {
        self.days.covers(day)
    }

    /// The state of one day; nothing for a day that no commit touched.
    #[must_use]
    pub fn day_summary(&self, day: NaiveDate) -> Option<DaySummary> {
        self.days
            .summary(Some(day), self.zone, self.unsealed.values())
    }

    /// Tasks and files that belong to no day.
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

    /// The files that belong to the lake now, by table, partition and name.
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

    /// Whether a file belongs to the lake now.
    #[must_use]
    pub fn is_live(&self, path: &FilePath) -> bool {
        self.files.is_live(path)
    }

    /// Whether a run of this id committed files, or was taken for dead.
    pub(crate) fn knows_run(&self, run: &RunId) -> bool {
        self.has_ended(run) || self.files.knows_run(run)
    }

    /// Whether a file of this name was ever committed.
    #[must_use]
    pub fn knows_file(&self, name: &FileName) -> bool {
        self.files.knows(name)
    }

    /// Whether a file of this name belongs to the lake now, wherever it should be.
    #[must_use]
    pub fn is_live_name(&self, name: &FileName) -> bool {
        self.files.is_live_name(name)
    }

    /// The live files that took over from these.
    pub(crate) fn heirs(&self, paths: impl IntoIterator<Item = FilePath>) -> Vec<LiveFile> {
        self.files.heirs(paths)
    }

    /// For each file of the lake that took over rows of others all those files, by path. None of them
    /// belongs to the lake any more.
    #[must_use]
    pub fn rewrites(&self) -> BTreeMap<FilePath, Vec<FilePath>> {
        self.files.rewrites()
    }

    /// A live file and all those whose rows it took over.
    pub(crate) fn with_ancestors(&self, path: &FilePath) -> Vec<FilePath> {
        let mut paths = self.files.rewrites().remove(path).unwrap_or_default();
        paths.push(path.clone());
        paths
    }

    /// The commit that added a file.
    pub(crate) fn added_in(&self, path: &FilePath) -> Option<u64> {
        self.files.added_in(path)
    }

    /// The tasks of which rows are lost, each with the files that held them. A task that is exported
    /// again is no longer among them.
    pub fn lost(&self) -> impl Iterator<Item = (&TaskId, &BTreeSet<FilePath>)> {
        self.lost.iter()
    }

    /// Whether rows of the task are lost.
    #[must_use]
    pub fn has_lost(&self, id: &TaskId) -> bool {
        self.lost.contains_key(id)
    }

    /// The earliest commit of a file that belongs to the lake, for each table that has one.
    pub(crate) fn oldest_files(&self) -> BTreeMap<TableName, u64> {
        self.files.oldest()
    }

    /// The conflicts that keep a draft from being committed as it is.
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
    pub(crate) fn is_news(&self, task: &OpenTask, failure: Option<&Failure>) -> bool {
        match self.tasks.get(&IdKey::of(&task.id)) {
            Some(Known {
                kind: Kind::Sealed, ..
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
        known.is_some_and(|known| known.kind == Kind::Sealed && u64::from(known.rows_in) <= base)
    }

    /// Whether a workflow was not known to be gone, or to be there again.
    pub(crate) fn is_news_of_workflow(&self, note: &WorkflowNote) -> bool {
        match self.gone_workflows.get(&note.id) {
            None => note.nights_gone > 0,
            Some(known) => known.nights != note.nights_gone || known.on != note.on,
        }
    }

    /// Whether there is something to forget.
    pub(crate) fn can_forget(&self, id: &TaskId) -> bool {
        self.unsealed.contains_key(id)
    }

    /// Whether a day becomes covered (by the shard) that is not.
    pub(crate) fn extends_coverage(&self, coverage: &[Coverage], shard: Option<Shard>) -> bool {
        let Some(zone) = self.zone else {
            return !coverage.is_empty();
        };
        tally::covered_days(coverage, zone)
            .into_iter()
            .any(|(day, coverage)| self.days.lacks(day, &coverage, shard))
    }

    /// Applies the next commit. On an error, which says what is wrong with the record, the ledger
    /// must be discarded.
    pub(crate) fn apply(&mut self, digest: &Digest) -> Result<(), String> {
        let sequence = u32::try_from(digest.sequence).map_err(|_| "its number is too high")?;
        if digest.sequence != self.next_sequence() {
            return Err(format!(
                "it does not follow on commit {}",
                self.last_sequence
            ));
        }
        let zone = self.zone_of(digest)?;
        let reason = self.revision_reason(digest);
        self.days.begin(digest.sequence, digest.at, reason);
        for (file, tasks) in digest.files.iter().zip(&digest.file_tasks) {
            let change = self.files.add(file, sequence, (*tasks).into())?;
            self.days.count_file(&change, true);
        }
        for removal in &digest.removes {
            let change = self.files.remove(removal, &digest.files)?;
            self.days.count_file(&change, false);
        }
        self.ended.extend(digest.ended.iter().cloned());
        for SealedTask { key, day, calls } in &digest.sealed {
            let known = Known {
                rows_in: sequence,
                calls: u32::try_from(*calls).unwrap_or(u32::MAX),
                day: *day,
                kind: Kind::Sealed,
            };
            self.know(key, known, None);
            self.recover(key);
        }
        for task in &digest.early {
            let known = Known {
                rows_in: sequence,
                calls: 0,
                day: task.day,
                kind: Kind::Early,
            };
            let key = IdKey::of(&task.id);
            self.know(&key, known, Some((task.into(), None)));
            self.recover(&key);
        }
        for lost in &digest.lost {
            self.lose(lost, &digest.run_id);
        }
        for task in &digest.open {
            self.observe(task, None);
        }
        for task in &digest.reopened {
            self.reopen(task, digest.base);
        }
        for failed in &digest.failed {
            self.observe(&failed.task, Some(&failed.failure));
        }
        for id in &digest.forgotten {
            self.forget(id);
        }
        for note in &digest.workflows {
            self.note_workflow(note);
        }
        if let Some(from) = digest.retracted_from {
            self.days.retract(from, zone);
            self.listed.retract(from);
        }
        self.days.cover(&Covering {
            coverage: &digest.coverage,
            shard: digest.shard,
            zone,
            run: &digest.run_id,
        });
        self.listed.note(digest.listed_until, digest.shard);
        self.first_day = self.first_day.or(digest.first_day);
        let unsealed = &self.unsealed;
        let missed = || {
            let missed = unsealed.values();
            let missed = missed.filter(|known| known.task.overdue && tally::is_missed(known));
            missed.map(|known| &known.task)
        };
        self.days.complete(self.zone, missed);
        self.last_sequence = digest.sequence;
        Ok(())
    }

    /// Why a commit changes rows; nothing if it only moves them.
    fn revision_reason(&self, digest: &Digest) -> Option<RevisionReason> {
        let was_reopened = |task: &SealedTask| {
            let known = self.tasks.get(&task.key);
            known.is_some_and(|known| known.kind == Kind::Reopened)
        };
        match digest.kind {
            CommitKind::Compact | CommitKind::Observe => None,
            CommitKind::Append => Some(RevisionReason::Late),
            CommitKind::Replace if digest.sealed.iter().any(was_reopened) => {
                Some(RevisionReason::Reopened)
            }
            CommitKind::Replace => Some(RevisionReason::Replaced),
        }
    }

    /// A sealed task is running again.
    fn reopen(&mut self, task: &OpenTask, base: u64) {
        if self.can_reopen(&task.id, base) {
            let key = IdKey::of(&task.id);
            let known = self.tasks.get(&key).copied().expect("it can be reopened");
            let known = Known {
                day: task.day.or(known.day),
                kind: Kind::Reopened,
                ..known
            };
            self.know(&key, known, Some((task.clone(), None)));
        }
    }

    /// Rows of tasks are lost: they must be pulled again.
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
            };
            let known = Known {
                kind: Kind::Failed,
                ..known
            };
            self.know(&key, known, Some((task, Some(failure))));
        }
    }

    /// All rows of the task are there.
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

    fn zone_of(&mut self, digest: &Digest) -> Result<Tz, String> {
        let zone = digest.zone.parse().map_err(|_| {
            format!(
                "its partition_timezone `{}` is not in the time zone data",
                digest.zone
            )
        })?;
        match self.zone {
            Some(first) if first != zone => Err(format!(
                "its days are of {zone}, those of earlier commits of {first}"
            )),
            _ => Ok(*self.zone.insert(zone)),
        }
    }

    /// A task was seen, or its pull failed.
    fn observe(&mut self, task: &OpenTask, failure: Option<&Failure>) {
        let key = IdKey::of(&task.id);
        let before = self.tasks.get(&key).copied();
        let rows_in = before.map_or(0, |known| known.rows_in);
        let calls = before.map_or(0, |known| known.calls);
        let kind = match before.map(|known| known.kind) {
            Some(Kind::Sealed) => return,
            _ if failure.is_some() => Kind::Failed,
            _ if calls > 0 => Kind::Reopened,
            _ if rows_in > 0 => Kind::Early,
            _ => Kind::Open,
        };
        let known = Known {
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
            | Some(Known {
                kind: Kind::Sealed | Kind::Vanished,
                ..
            }) => {}
            Some(known) if known.rows_in > 0 => {
                self.know(
                    &key,
                    Known {
                        kind: Kind::Vanished,
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

    fn know(&mut self, key: &IdKey, known: Known, details: Option<(OpenTask, Option<Failure>)>) {
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
        if details.is_some() || before.is_some_and(|before| before.kind != Kind::Sealed) {
            self.set_details(key, details);
        }
    }

    /// Remembers an unsealed task whole, or no more. The days it touches or touched may change
    /// their completeness.
    fn set_details(&mut self, key: &IdKey, details: Option<UnsealedTask>) {
        let id = key.to_id();
        for task in self.unsealed.get(&id).into_iter().chain(&details) {
            self.days.touch_span(&task.task, self.zone);
        }
        if let Some(before) = self.unsealed.get(&id) {
            self.days.hold(&before.task, false);
        }
        if let Some(now) = &details {
            self.days.hold(&now.task, true);
        }
        match details {
            Some(details) => self.unsealed.insert(id, details),
            None => self.unsealed.remove(&id),
        };
    }
}

/// Where tasks of a kind are counted.
fn counter(counts: &mut TaskCounts, kind: Kind) -> &mut u64 {
    match kind {
        Kind::Sealed => &mut counts.sealed,
        Kind::Early | Kind::Vanished | Kind::Reopened => &mut counts.early,
        Kind::Open => &mut counts.open,
        Kind::Failed => &mut counts.failed,
    }
}
