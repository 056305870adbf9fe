//! Unfinished work of earlier runs: unpublished commits and staging folders.

use super::error::LakeError;
use super::reader::Lake;
use crate::store::{LakePath, Store};

/// What is not finished in a lake. The next command that writes does it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct UnfinishedWork {
    /// Commits that are durable and not marked as published.
    pub unpublished: u64,
    /// Runs that are alive now.
    pub living_runs: u64,
    /// Staging folders of runs that are not.
    pub dead_runs: u64,
}

impl Lake {
    /// Counts what is not finished.
    ///
    /// # Errors
    /// When the folders of log and staging can't be read.
    pub async fn unfinished_work(&self) -> Result<UnfinishedWork, LakeError> {
        let store: &Store = self.store();
        let mut last = self.ledger().last_sequence();
        while store.size(&LakePath::commit(last + 1)).await?.is_some() {
            last += 1;
        }
        let mut work = UnfinishedWork {
            unpublished: last.saturating_sub(self.log.published),
            ..UnfinishedWork::default()
        };
        for run in store.staging_runs().await? {
            if store.is_dead(&LakePath::staging().join(&run)).await? {
                work.dead_runs += 1;
            } else {
                work.living_runs += 1;
            }
        }
        Ok(work)
    }
}
