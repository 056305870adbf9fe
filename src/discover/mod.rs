//! Decides which tasks are pulled, and why: a listing and the ledger become decisions with reasons.
//! Pure: requests and listings happen in other modules.

mod decide;
mod plan;
mod planned_task;
mod task_table;

pub(crate) use decide::is_settled;
pub use decide::{Candidate, Decision, Reason, Rules, Seen, is_before};
pub use plan::{Plan, Planner, resume_point, since, window_of};
pub use planned_task::PlannedTask;
