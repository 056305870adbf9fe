//! One task of a plan.

use chrono::NaiveDate;

use super::decide::{Decision, Seen};
use crate::lake::OpenTask;
use crate::task::TaskInfo;

/// A task and what happens to it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PlannedTask {
    pub task: TaskInfo,
    /// Where the task was found.
    pub seen: Seen,
    /// What happens to it.
    pub decision: Decision,
    /// Its day: the scheduled start in the partition time zone.
    pub day: Option<NaiveDate>,
}

impl PlannedTask {
    /// The task as the ledger remembers it.
    #[must_use]
    pub fn as_open(&self) -> OpenTask {
        OpenTask::of(&self.task, self.day)
    }
}
