//! Which tasks are pulled, and why: from a listing and the ledger to a decision with its reason.
//! Pure; what is asked and listed happens elsewhere.

mod decide;
mod packed;
mod plan;
mod planned_task;

pub(crate) use decide::is_settled;
pub use decide::{Candidate, Decision, Known, Reason, Remembered, Rules, Seen, decide, is_before};
pub use plan::{DayPlan, Plan, Planner, Pulls, resume_point, since, window_of};
pub use planned_task::PlannedTask;
