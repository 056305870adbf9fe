//! Validation of a draft before it is committed: it must be sound and contain a change.

use crate::seeded::SeededSet;

use crate::lake::error::LakeError;
use crate::lake::ledger::Ledger;
use crate::lake::record::{CommitDraft, CommitKind, FailedTask, OpenTask};
use crate::task::TaskId;

impl CommitDraft {
    /// Whether it says nothing at all.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.tasks.is_empty()
            && self.open.is_empty()
            && self.reopened.is_empty()
            && self.failed.is_empty()
            && self.forgotten.is_empty()
            && self.files.is_empty()
            && self.removes.is_empty()
            && self.ended.is_empty()
            && self.workflows.is_empty()
            && self.coverage.is_empty()
            && self.retracted_from.is_none()
            && self.listed_until.is_none()
    }

    /// Whether it says nothing that the ledger does not know. Such a draft is not written.
    #[cfg(test)]
    pub fn is_empty_against(&self, ledger: &Ledger) -> bool {
        self.tasks.is_empty()
            && self.files.is_empty()
            && self.removes.is_empty()
            && self.clone().without_known(ledger).is_empty()
    }

    /// The draft without what the ledger knows already.
    #[must_use]
    pub fn without_known(mut self, ledger: &Ledger) -> Self {
        let lost = self.lost.iter().flat_map(|file| &file.tasks);
        let lost: SeededSet<TaskId> = lost.map(|task| task.id.clone()).collect();
        self.open
            .retain(|task| lost.contains(&task.id) || ledger.would_change(task, None));
        self.failed.retain(|FailedTask { task, failure }| {
            lost.contains(&task.id) || ledger.would_change(task, Some(failure))
        });
        self.reopened
            .retain(|task| ledger.can_reopen(&task.id, self.base));
        self.forgotten.retain(|id| ledger.can_forget(id));
        self.workflows
            .retain(|note| ledger.is_news_of_workflow(note));
        self.ended.retain(|run| !ledger.has_ended(run));
        if !ledger.extends_coverage(&self.coverage, self.shard) {
            self.coverage.clear();
        }
        if ledger.first_day().is_some() || self.listed_until.is_none() {
            self.first_day = None;
        }
        if self.listed_until <= ledger.listed_until(self.shard) {
            self.listed_until = None;
        }
        self
    }

    /// Refuses what would damage the lake: these are bugs of the caller.
    pub(crate) fn check(&self, ledger: &Ledger) -> Result<(), LakeError> {
        let refuse = |what: String| Err(LakeError::Draft(what));
        let mut names = SeededSet::default();
        for file in &self.files {
            if ledger.knows_file(&file.name) || !names.insert(&file.name) {
                return refuse(format!("the file name {} was used before", file.name));
            }
        }
        let mut ids = SeededSet::default();
        for task in &self.tasks {
            if !ids.insert(&task.id) {
                return refuse(format!("task {} is in it twice", task.id));
            }
            if task.files.is_empty() {
                return refuse(format!("task {} is in none of its files", task.id));
            }
        }
        let indexes = self.tasks.iter().flat_map(|task| &task.files);
        let indexes = indexes.chain(self.removes.iter().flat_map(|removal| &removal.into));
        if let Some(index) = indexes
            .copied()
            .find(|index| *index as usize >= self.files.len())
        {
            return refuse(format!("there is no file number {index} in it"));
        }
        let of_tasks = self.tasks.iter().map(|task| &task.misfits);
        let misfits = of_tasks.chain(self.superseded.iter().map(|day| &day.misfits));
        if let Some(misfit) = misfits
            .flatten()
            .find(|misfit| misfit.key as usize >= self.misfit_keys.len())
        {
            return refuse(format!("there is no key number {} in it", misfit.key));
        }
        let mut paths = SeededSet::default();
        for removal in &self.removes {
            if !paths.insert(&removal.path) {
                return refuse(format!("it removes {} twice", removal.path));
            }
            let same = |index: &u32| self.files[*index as usize].table == removal.path.table;
            if !removal.into.iter().all(same) {
                return refuse(format!("rows of {} go to another table", removal.path));
            }
        }
        for lost in &self.lost {
            let removal = self
                .removes
                .iter()
                .find(|removal| removal.path == lost.path);
            if removal.is_none_or(|removal| !removal.into.is_empty()) {
                return refuse(format!("{} is lost, and not removed", lost.path));
            }
        }
        let sound = match self.kind {
            CommitKind::Append => self.removes.is_empty(),
            CommitKind::Replace => true,
            CommitKind::Compact => self.tasks.is_empty(),
            CommitKind::Observe => {
                self.tasks.is_empty() && self.files.is_empty() && self.removes.is_empty()
            }
        };
        if !sound {
            return refuse(format!(
                "it holds what is not part of `{}`",
                self.kind.as_str()
            ));
        }
        let replaces = self
            .tasks
            .iter()
            .find(|task| ledger.rows_in(&task.id).is_some() && !ledger.has_lost(&task.id));
        if let Some(task) = replaces.filter(|_| self.removes.is_empty()) {
            return refuse(format!("task {} has rows that it does not remove", task.id));
        }
        Ok(())
    }
}

impl From<&crate::lake::record::CommittedTask> for OpenTask {
    fn from(task: &crate::lake::record::CommittedTask) -> Self {
        Self {
            id: task.id.clone(),
            workflow: task.workflow.clone(),
            status: task.status.clone(),
            schedule_start: task.schedule_start,
            schedule_end: task.schedule_end,
            day: task.day,
            first_seen: None,
            final_since: None,
            overdue: false,
        }
    }
}
