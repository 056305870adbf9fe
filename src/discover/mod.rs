//! Decides which tasks are pulled, and why: a listing and the ledger become decisions with reasons.
//! Pure: requests and listings happen in other modules.
//!
//! ```
//! use airudder_export::discover::{Candidate, Decision, Known, Reason, Rules, Seen, decide};
//! use airudder_export::task::{TaskId, TaskStatus};
//!
//! let now = "2024-03-12T00:30:00Z".parse()?;
//! let rules = Rules::nightly(now);
//! let task = Candidate {
//!     id: TaskId::new("88ee39e1")?,
//!     workflow: None,
//!     status: Some(TaskStatus::Finished),
//!     schedule_start: Some("2024-03-11T08:00:00Z".parse()?),
//!     schedule_end: Some("2024-03-11T09:00:00Z".parse()?),
//!     calls: None,
//!     seen: Seen::Listed,
//! };
//! assert_eq!(decide(&task, Known::Nothing, &rules), Decision::Pull(Reason::Final));
//! assert_eq!(decide(&task, Known::Sealed, &rules), Decision::Leave(Reason::Sealed));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod decide;
mod packed;
mod plan;
mod planned_task;

pub(crate) use decide::is_settled;
pub use decide::{Candidate, Decision, Known, Reason, Remembered, Rules, Seen, decide, is_before};
pub use plan::{DayPlan, Plan, Planner, Pulls, resume_point, since, window_of};
pub use planned_task::PlannedTask;
