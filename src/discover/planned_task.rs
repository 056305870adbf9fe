//! One task of a plan.

use chrono::NaiveDate;

use super::decide::{Candidate, Decision};
use crate::lake::OpenTask;
use crate::task::TaskStatus;

/// A task and what happens to it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PlannedTask {
    pub task: Candidate,
    /// What happens to it.
    pub decision: Decision,
    /// Its day: the scheduled start in the partition time zone.
    pub day: Option<NaiveDate>,
}

impl PlannedTask {
    /// The task as the ledger remembers it.
    #[must_use]
    pub fn as_open(&self) -> OpenTask {
        let status = self.task.status.clone();
        let status = status.unwrap_or_else(|| TaskStatus::Unknown("unknown".to_owned()));
        OpenTask {
            workflow: self.task.workflow.clone(),
            schedule_start: self.task.schedule_start,
            schedule_end: self.task.schedule_end,
            day: self.day,
            ..OpenTask::new(self.task.id.clone(), status)
        }
    }
}
