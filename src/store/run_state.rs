//! What a writing run has on every backend.

use std::sync::atomic::{AtomicU64, Ordering};

use super::error::StoreError;
use super::failpoint::{Failpoint, FailpointSet};
use crate::task::RunId;

/// What a run has on every backend: its id, the numbers of its files, and where tests stop it.
#[derive(Debug)]
pub(super) struct RunState {
    pub(super) run: RunId,
    next_file: AtomicU64,
    pub(super) failpoints: FailpointSet,
}

impl RunState {
    pub(super) fn new(run: RunId) -> Self {
        Self {
            run,
            next_file: AtomicU64::new(1),
            failpoints: FailpointSet::default(),
        }
    }

    pub(super) fn pass(&self, point: Failpoint) -> Result<(), StoreError> {
        self.failpoints.pass(point).map_err(StoreError::Stopped)
    }

    pub(super) fn next_number(&self) -> u64 {
        self.next_file.fetch_add(1, Ordering::Relaxed)
    }

    /// A free name in the staging folder.
    pub(super) fn temporary_name(&self) -> String {
        format!("{:06}.tmp", self.next_number())
    }
}
