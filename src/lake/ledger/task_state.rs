//! What the ledger knows of one task.

use chrono::NaiveDate;
use serde::{Deserialize, Serialize};

use crate::lake::day::TaskCounts;
use crate::lake::record::{Failure, OpenTask};

/// The stored state of a task.
#[derive(Clone, Copy, Debug)]
pub(super) struct StoredTask {
    /// The commit that holds its rows; 0 for none.
    pub(super) rows_in: u32,
    /// Entries of `detail` in the exported response, rejected ones included; 0 unless sealed.
    pub(super) calls: u32,
    pub(super) day: Option<NaiveDate>,
    pub(super) kind: StoredState,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum StoredState {
    Sealed,
    Early,
    Vanished,
    Open,
    Failed,
    Reopened,
}

/// A task that is not sealed, as last seen.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct UnsealedTask {
    /// Id, status and schedule.
    pub task: OpenTask,
    /// Why its last pull failed, if it did.
    pub failure: Option<Failure>,
    /// The commit that holds its rows, if it was exported early. Those rows must be replaced.
    pub rows_in: Option<u64>,
    /// The commit that recorded this state.
    pub sequence: u64,
}

/// The state of a task.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TaskState<'a> {
    /// Final and exported: never pulled again.
    Sealed {
        /// The commit that holds its rows.
        rows_in: u64,
    },
    /// Exported before it was final; to be pulled again, its rows to be replaced.
    Early(&'a UnsealedTask),
    /// Exported before it was final, then gone at the vendor. Its rows stay. It is not requested
    /// again unless a listing shows it once more; then its rows must be replaced.
    Vanished {
        /// The commit that holds its rows.
        rows_in: u64,
    },
    /// Seen, not final, no rows.
    Open(&'a UnsealedTask),
    /// Its last pull failed. It may have rows from an early export.
    Failed(&'a UnsealedTask),
    /// Final and exported, and then running again; to be pulled again, its rows to be replaced.
    Reopened(&'a UnsealedTask),
}

/// The counter for tasks of a kind.
pub(super) fn counter(counts: &mut TaskCounts, kind: StoredState) -> &mut u64 {
    match kind {
        StoredState::Sealed => &mut counts.sealed,
        StoredState::Early | StoredState::Vanished | StoredState::Reopened => &mut counts.early,
        StoredState::Open => &mut counts.open,
        StoredState::Failed => &mut counts.failed,
    }
}
