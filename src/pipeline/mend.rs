//! Finds damaged files before a replace pulls: files with rows of the tasks to be replaced, and
//! files of its days. The rows of a damaged file cannot be carried over, so every task with rows in
//! it is pulled again, and before all others, so that the day changes in one commit.

use std::collections::{BTreeMap, BTreeSet, HashSet};

use super::summary::LostRows;
use crate::discover::{Candidate, Plan, Seen};
use crate::event::{Event, Events};
use crate::job::DateRange;
use crate::lake::{LakeError, LakeWriter, Ledger, LiveFile, OpenTask};
use crate::store::FilePath;
use crate::task::TaskId;

/// Files that differ from what was committed, and the tasks with rows in them.
#[derive(Debug, Default)]
pub(super) struct Damage {
    pub(super) files: BTreeMap<FilePath, String>,
    pub(super) tasks: HashSet<TaskId>,
}

impl Damage {
    /// Checks the files with rows of the planned tasks and those of the days, and moves the tasks
    /// of damaged files to the front of the plan.
    pub(super) async fn find(
        lake: &LakeWriter,
        plan: &mut Plan,
        days: Option<DateRange>,
        events: &Events,
    ) -> Result<Self, LakeError> {
        let ledger = lake.ledger();
        let pulled = plan.tasks().filter(|task| task.decision.is_pull());
        let pulled: Vec<TaskId> = pulled.map(|planned| planned.task.id).collect();
        let mut files: BTreeMap<FilePath, LiveFile> = lake
            .files_of_tasks(&pulled)
            .await?
            .into_iter()
            .map(|live| (live.path(), live))
            .collect();
        if let Some(days) = days {
            let of_days = ledger.live_files().into_iter().filter(|live| {
                let date = live.file.partition.date();
                date.is_some_and(|date| days.contains(date))
            });
            files.extend(of_days.map(|live| (live.path(), live)));
        }
        let files = lake.damaged(files.into_values().collect()).await?;
        let mut tasks = BTreeMap::<TaskId, OpenTask>::new();
        for (path, what) in &files {
            let held = lake.tasks_of_file(path).await?;
            let text = format!(
                "{path} is damaged ({what}); its {} tasks are pulled again",
                held.len()
            );
            events.emit(&Event::Warning { text });
            tasks.extend(held.into_iter().map(|task| (task.id.clone(), task)));
        }
        if !tasks.is_empty() {
            let held = tasks.values().map(candidate);
            plan.mend(held, lake.ledger().zone());
        }
        Ok(Self {
            files,
            tasks: tasks.into_keys().collect(),
        })
    }
}

fn candidate(task: &OpenTask) -> Candidate {
    Candidate {
        task: task.info(),
        calls: None,
        seen: Seen::Named,
    }
}

/// Of the rows that a run could not carry over, those that are still lost, each with the reason.
pub(super) fn still_lost(lost: BTreeSet<(TaskId, FilePath)>, ledger: &Ledger) -> Vec<LostRows> {
    let lost = lost
        .into_iter()
        .filter(|(task, _)| ledger.has_lost(task))
        .map(|(task_id, file)| {
            let known = ledger.unsealed_task(&task_id);
            let failure = known.and_then(|known| known.failure.as_ref());
            let reason = match failure {
                Some(failure) => failure.reason.clone(),
                None if known.is_some() => "it is not final".to_owned(),
                None => "the API does not have it any more".to_owned(),
            };
            LostRows {
                task_id,
                file,
                reason,
            }
        });
    lost.collect()
}
