//! Turns accepted tasks into a commit: joins files and tasks, carries over rows of files that are
//! replaced, and resolves conflicts with commits of other runs.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::sync::Arc;

use chrono::NaiveDate;
use chrono_tz::Tz;

use super::pending::{AcceptedTask, PendingBatch, PendingCommit};
use super::summary::Summary;
use crate::allocator;
use crate::calendar::day_of;
use crate::decode::TaskOrdinal;
use crate::event::Event;
use crate::lake::write::{ClosedFile, rewrite};
use crate::lake::{
    Checked, CommitDraft, CommitKind, CommitOutcome, CommittedTask, Coverage, FailedTask,
    LakeError, LakeWriter, LiveFile, LostFile, MISSING, OpenTask, Removal, WorkflowNote, blocking,
};
use crate::shard::Shard;
use crate::store::{DataFile, FilePath, StoreError};
use crate::task::TaskId;

/// Task metadata observations apart from rows, for the last commit of a run.
#[derive(Debug, Default)]
pub(super) struct Observations {
    pub(super) open: Vec<OpenTask>,
    pub(super) reopened: Vec<OpenTask>,
    pub(super) failed: Vec<FailedTask>,
    pub(super) forgotten: Vec<TaskId>,
    pub(super) workflows: Vec<WorkflowNote>,
    pub(super) coverage: Vec<Coverage>,
    pub(super) listed_until: Option<chrono::DateTime<chrono::Utc>>,
    pub(super) first_day: Option<NaiveDate>,
    /// Which damaged files the commit removes although it contains none of their tasks.
    pub(super) give_up: GiveUp,
}

/// Which damaged files a commit removes although none of their tasks was exported again.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum GiveUp {
    /// None: the run has not pulled all of its tasks.
    #[default]
    Nothing,
    /// Missing files: removing them loses nothing, and their tasks are requested again.
    Missing,
    /// All: the API has answered for each of their tasks.
    All,
}

/// Result of drafting a commit.
#[derive(Debug)]
enum DraftOutcome {
    /// The draft, with the files that carry rows over.
    Ready(Box<CommitDraft>, Vec<DataFile>),
    /// A file to be replaced is missing or differs from what was committed; the text says how.
    Damaged(FilePath, String),
}

/// Commits the rows and tasks of the pending commit.
#[derive(Debug)]
pub(super) struct Committer {
    pub(super) lake: LakeWriter,
    pub(super) pending: Arc<PendingCommit>,
    pub(super) zone: Tz,
    /// The shard whose tasks these are; `None` for all tasks.
    pub(super) shard: Option<Shard>,
    /// The last commit known when the tasks to pull were chosen. Rows committed later belong to
    /// other runs and are never replaced.
    pub(super) base: u64,
    /// Whether rows of a damaged file may be dropped instead of carried over.
    pub(super) mends: bool,
    /// Files that differ from what was committed, with the reason.
    pub(super) damaged: BTreeMap<FilePath, String>,
    /// Rows lost with damaged files, except those whose tasks were in the same commit.
    pub(super) lost: BTreeSet<(TaskId, FilePath)>,
}

impl Committer {
    /// Makes everything accepted so far, and the observations metadata, durable and visible.
    pub(super) async fn commit(
        &mut self,
        observations: Observations,
        summary: &mut Summary,
    ) -> Result<(), LakeError> {
        let mut taken = self.pending.take().await?;
        loop {
            let drafted = Box::pin(self.draft(&taken, &observations)).await?;
            let (draft, carried) = match drafted {
                DraftOutcome::Ready(draft, carried) => (*draft, carried),
                DraftOutcome::Damaged(path, what) => {
                    self.explain(path, what).await?;
                    continue;
                }
            };
            match Box::pin(self.lake.commit(draft)).await? {
                CommitOutcome::Committed(commit) => {
                    note(summary, &taken, commit.sequence);
                    self.note_lost(&commit.changes.lost);
                    return Ok(());
                }
                CommitOutcome::Unchanged => return Ok(()),
                CommitOutcome::Conflict { conflict, .. } => {
                    for file in &carried {
                        self.lake.store().unstage(file).await?;
                    }
                    let lost: HashSet<TaskId> = conflict.sealed_meanwhile.into_iter().collect();
                    summary.tasks.taken += lost.len() as u64;
                    taken = self.leave_out(taken, &lost).await?;
                    self.lake.refresh().await?;
                }
            }
        }
    }

    /// Commits accepted tasks during a run.
    pub(super) async fn commit_and_go_on(
        &mut self,
        summary: &mut Summary,
    ) -> Result<(), LakeError> {
        self.commit(Observations::default(), summary).await?;
        blocking(|| {
            allocator::trim();
            Ok(())
        })
        .await
    }

    /// Handles a file to be replaced that differs from what was committed. Either another run has
    /// rewritten it, which the log shows by now, or it is damaged. A run that replaces continues
    /// without its rows.
    async fn explain(&mut self, path: FilePath, what: String) -> Result<(), LakeError> {
        self.lake.refresh().await?;
        if !self.lake.ledger().is_live(&path) {
            return Ok(());
        }
        if !self.mends {
            return Err(self.lake.damage(&path, &what).await?);
        }
        self.damaged.insert(path, what);
        Ok(())
    }

    fn note_lost(&mut self, files: &[LostFile]) {
        for file in files {
            let LostFile { path, why, tasks } = file;
            let text = format!(
                "the rows of {} tasks in {path} are not in the lake until these are pulled again: {why}",
                tasks.len()
            );
            if !tasks.is_empty() {
                self.pending.events.emit(&Event::Warning { text });
            }
            let tasks = tasks.iter().map(|task| (task.id.clone(), path.clone()));
            self.lost.extend(tasks);
        }
    }

    /// Drafts a commit of the taken tasks, and returns the files in it that carry over rows of
    /// other tasks.
    async fn draft(
        &self,
        taken: &PendingBatch,
        observations: &Observations,
    ) -> Result<DraftOutcome, LakeError> {
        let run = self.lake.store().run_id().clone();
        let mut draft = CommitDraft::new(run, CommitKind::Append, self.base);
        draft.tasks = taken
            .tasks
            .iter()
            .map(|task| self.committed(task))
            .collect();
        for (index, closed) in taken.files.iter().enumerate() {
            let index = u32::try_from(index).expect("a commit has far fewer files");
            for ordinal in &closed.tasks {
                if let Some(task) = draft.tasks.get_mut(*ordinal as usize) {
                    task.files.push(index);
                }
            }
            draft.files.push(closed.file.clone());
        }
        let mut keys = taken.misfit_keys.clone();
        draft.open.clone_from(&observations.open);
        draft.reopened.clone_from(&observations.reopened);
        draft.workflows.clone_from(&observations.workflows);
        draft.failed.clone_from(&observations.failed);
        draft.forgotten.clone_from(&observations.forgotten);
        draft.coverage.clone_from(&observations.coverage);
        draft.listed_until = observations.listed_until;
        draft.first_day = observations.first_day;
        draft.shard = self.shard;
        let replaced = self.replaced(&draft);
        let held = self.lake.rows_of_tasks(&replaced).await?;
        draft.superseded = keys.supersede(&held.misfits);
        draft.misfit_keys = keys.into_keys();
        self.carry_over(draft, replaced, held.files, observations.give_up)
            .await
    }

    /// The tasks of a draft whose rows in the lake it replaces.
    fn replaced(&self, draft: &CommitDraft) -> Vec<TaskId> {
        let ledger = self.lake.ledger();
        let has_rows = |id: &TaskId| ledger.rows_in(id).is_some_and(|rows| rows <= self.base);
        let tasks = draft.tasks.iter().filter(|task| has_rows(&task.id));
        tasks.map(|task| task.id.clone()).collect()
    }

    /// Plans the removal of rows replaced by new rows of the same tasks: their files are rewritten
    /// without them. A damaged file is removed as it is, with the rows of all its tasks.
    async fn carry_over(
        &self,
        mut draft: CommitDraft,
        replaced: Vec<TaskId>,
        held_by: Vec<LiveFile>,
        give_up: GiveUp,
    ) -> Result<DraftOutcome, LakeError> {
        let ledger = self.lake.ledger();
        let mut lost: BTreeSet<FilePath> = BTreeSet::new();
        for (path, what) in &self.damaged {
            let is_due = match give_up {
                GiveUp::Nothing => false,
                GiveUp::Missing => what == MISSING,
                GiveUp::All => true,
            };
            if is_due && ledger.is_live(path) {
                lost.insert(path.clone());
            }
        }
        if replaced.is_empty() && lost.is_empty() {
            if draft.tasks.is_empty() {
                draft.kind = CommitKind::Observe;
            }
            return Ok(DraftOutcome::Ready(Box::new(draft), Vec::new()));
        }
        draft.kind = CommitKind::Replace;
        let without: Arc<HashSet<String>> = Arc::new(
            replaced
                .iter()
                .map(|task| task.as_str().to_owned())
                .collect(),
        );
        let mut carried = Vec::new();
        for live in held_by {
            let path = live.path();
            if self.damaged.contains_key(&path) {
                lost.insert(path);
                continue;
            }
            let written = self
                .rewrite(&live.file, false, Arc::clone(&without))
                .await?;
            let written = match written {
                Ok(written) => written,
                Err(what) => {
                    for file in &carried {
                        self.lake.store().unstage(file).await?;
                    }
                    return Ok(DraftOutcome::Damaged(path, what));
                }
            };
            let mut into = Vec::new();
            if let Some(file) = written {
                into.push(u32::try_from(draft.files.len()).expect("far fewer files"));
                draft.files.push(file.clone());
                carried.push(file);
            }
            draft.removes.push(Removal { path, into });
        }
        self.give_up(lost, &mut draft).await?;
        Ok(DraftOutcome::Ready(Box::new(draft), carried))
    }

    /// Removes damaged files from the lake, and reports the tasks whose rows the commit does not
    /// restore.
    async fn give_up(
        &self,
        lost: BTreeSet<FilePath>,
        draft: &mut CommitDraft,
    ) -> Result<(), LakeError> {
        let committed: HashSet<&TaskId> = draft.tasks.iter().map(|task| &task.id).collect();
        let mut reopened: BTreeMap<TaskId, OpenTask> = BTreeMap::new();
        for path in lost {
            let mut tasks = self.lake.tasks_of_file(&path).await?;
            tasks.retain(|task| !committed.contains(&task.id));
            reopened.extend(tasks.iter().map(|task| (task.id.clone(), task.clone())));
            draft.removes.push(Removal {
                path: path.clone(),
                into: Vec::new(),
            });
            let why = self.damaged.get(&path).cloned().unwrap_or_default();
            draft.lost.push(LostFile { path, why, tasks });
        }
        for task in &draft.reopened {
            reopened.remove(&task.id);
        }
        draft.reopened.extend(reopened.into_values());
        Ok(())
    }

    /// Stages the rows of a file without those of the given tasks; `None` if no row remains. If the
    /// file differs from what was written, returns how, and uses none of its rows.
    async fn rewrite(
        &self,
        file: &DataFile,
        is_staged: bool,
        without: Arc<HashSet<String>>,
    ) -> Result<Result<Option<DataFile>, String>, LakeError> {
        let (options, file) = (self.pending.chunk_options.clone(), file.clone());
        blocking(move || {
            let source = if is_staged {
                options.store.open_staged_checked(&file)?
            } else {
                options.store.open_checked(&file)?
            };
            let source = match source {
                Checked::Sound(source) => source,
                Checked::Gone => return Ok(Err(MISSING.to_owned())),
                Checked::Changed(what) => return Ok(Err(what)),
            };
            match rewrite(&options, source, &file, &without) {
                Err(LakeError::Store(StoreError::Damaged { what, .. })) => Ok(Err(what)),
                written => written.map(Ok),
            }
        })
        .await
    }

    /// The taken tasks without those that another run has exported meanwhile.
    async fn leave_out(
        &self,
        taken: PendingBatch,
        lost: &HashSet<TaskId>,
    ) -> Result<PendingBatch, LakeError> {
        if lost.is_empty() {
            return Ok(taken);
        }
        let without: Arc<HashSet<String>> =
            Arc::new(lost.iter().map(|task| task.as_str().to_owned()).collect());
        let gone: BTreeSet<TaskOrdinal> = (0..)
            .zip(&taken.tasks)
            .filter(|(_, accepted)| lost.contains(&accepted.task.id))
            .map(|(ordinal, _)| ordinal)
            .collect();
        let renumbered = |ordinal: TaskOrdinal| {
            let before = gone.range(..ordinal).count();
            ordinal - TaskOrdinal::try_from(before).expect("fewer than there are tasks")
        };
        let mut files = Vec::new();
        for closed in taken.files {
            let left: Vec<TaskOrdinal> = closed
                .tasks
                .iter()
                .copied()
                .filter(|task| !gone.contains(task))
                .collect();
            let tasks = left.iter().copied().map(renumbered).collect();
            let file = if left.len() == closed.tasks.len() {
                Some(closed.file)
            } else {
                let store = self.lake.store();
                let written = self
                    .rewrite(&closed.file, true, Arc::clone(&without))
                    .await?
                    .map_err(|what| {
                        let what = format!("{what} (staged by this run)");
                        LakeError::damaged(&store.staged_place(&closed.file), what)
                            .advising("nothing is lost, run again")
                    })?;
                store.unstage(&closed.file).await?;
                written
            };
            files.extend(file.map(|file| ClosedFile { file, tasks }));
        }
        let tasks = taken
            .tasks
            .into_iter()
            .filter(|accepted| !lost.contains(&accepted.task.id))
            .collect();
        Ok(PendingBatch {
            tasks,
            files,
            misfit_keys: taken.misfit_keys,
        })
    }

    fn committed(&self, accepted: &AcceptedTask) -> CommittedTask {
        let task = &accepted.task;
        CommittedTask {
            id: task.id.clone(),
            workflow: task.workflow.clone(),
            status: task.status_or_unknown(),
            schedule_start: task.schedule_start,
            schedule_end: task.schedule_end,
            day: task.schedule_start.map(|start| day_of(self.zone, start)),
            sealed: accepted.sealed,
            calls: accepted.calls,
            redials: accepted.redials,
            turns: accepted.turns,
            rejects: accepted.rejects,
            misfits: accepted.misfits.clone(),
            files: Vec::new(),
        }
    }
}

fn note(summary: &mut Summary, taken: &PendingBatch, sequence: u64) {
    summary.commits.push(sequence);
    for task in &taken.tasks {
        if task.sealed {
            summary.tasks.sealed += 1;
        } else {
            summary.tasks.early += 1;
        }
    }
    for ClosedFile { file, .. } in &taken.files {
        let written = summary.written.entry(file.table).or_default();
        written.files += 1;
        written.rows += file.rows;
        written.bytes += file.bytes;
    }
}
