//! What the sandbox knows of its tasks, whatever its listings say.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

/// The current state of a task: the truth to compare an export with.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SandboxTask {
    /// The task's id, 32 hexadecimal digits.
    pub task_id: String,
    /// The workflow it is listed under.
    pub workflow_id: String,
    /// The vendor's status word; `None` before the task is listed.
    pub status: Option<String>,
    /// The scheduled start of the task, in UTC.
    pub schedule_start_time: DateTime<Utc>,
    /// The scheduled end. A paused task ends later.
    pub schedule_end_time: DateTime<Utc>,
    /// Number of rows in its detail.
    pub calls: u64,
    /// Number of redials in all rows.
    pub redials: u64,
    /// Number of turns in all transcripts.
    pub turns: u64,
}

/// A task with its calls: the expected content of an export, whatever was listed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SandboxTruth {
    /// The task and its row counts.
    #[serde(flatten)]
    pub task: SandboxTask,
    /// `CallID` of each call, in response order.
    pub call_ids: Vec<String>,
}
