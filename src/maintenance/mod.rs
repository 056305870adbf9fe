//! Maintenance of a lake: merging small files, removing superseded files, verifying and repairing.
//! Each command reads the log and commits like any other.
//!
//! This module never writes rows that no answer contained.

pub mod compact;
mod cut_log;
mod orphan_files;
mod own_files;
pub mod repair;
pub mod vacuum;
pub mod verify;

pub use cut_log::mend_log;
#[cfg(test)]
pub use verify::FindingKind;
pub use verify::{Finding, Verification, verify};
