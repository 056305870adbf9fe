//! What is done to a lake beside exporting: merging small files, removing what gave way, checking and
//! repairing. Each reads the log as every command does, and commits as every run does.
//!
//! What this module never does: write rows that no answer brought.

pub mod compact;
mod cut_log;
mod leavings;
mod orphan_files;
pub mod repair;
pub mod vacuum;
pub mod verify;

pub use cut_log::mend_log;
pub use verify::{Finding, FindingKind, Verification, verify};
