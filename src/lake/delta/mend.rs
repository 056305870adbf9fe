//! Makes the Delta logs again what the commit log says, for `verify --repair`. Nothing is lost by it:
//! what another program wrote is put aside, and everything else follows from the commit log.

use std::collections::BTreeSet;

use super::check::{Fault, FaultKind, faults};
use super::logs::{commit_of, end, state};
use super::versions;
use crate::delta::{DeltaState, Metadata, checkpoint};
use crate::lake::error::LakeError;
use crate::lake::writer::LakeWriter;
use crate::schema::TableName;
use crate::store::{Failpoint, LakePath};

/// What was done to a file of a Delta log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Mended {
    /// Which.
    pub(crate) path: LakePath,
    /// In words.
    pub(crate) what: &'static str,
}

impl LakeWriter {
    /// Puts right what differs from the commit log.
    ///
    /// # Errors
    /// When the destination fails, or a commit record is gone.
    pub(crate) async fn mend_delta(&self) -> Result<Vec<Mended>, LakeError> {
        let faults = faults(&self.run, &self.log).await?;
        let is_over = |fault: &Fault| {
            matches!(
                fault.kind,
                FaultKind::NoState | FaultKind::BeginsLater { .. }
            )
        };
        if let Some(fault) = faults.iter().find(|fault| is_over(fault)) {
            end(&self.run).await?;
            let what = "removed with all Delta logs: they are not of this log";
            let path = fault.path.clone();
            return Ok(vec![Mended { path, what }]);
        }
        let Some(delta) = state(&self.run).await? else {
            return Ok(Vec::new());
        };
        let mut mended = Vec::new();
        let mut without_checkpoint = BTreeSet::new();
        for Fault { path, table, kind } in faults {
            let Some(name) = table else { continue };
            let what = match kind {
                FaultKind::NoState | FaultKind::BeginsLater { .. } => continue,
                FaultKind::Missing { first, last, .. } => {
                    for number in first..=last {
                        self.write_again(&delta, name, number).await?;
                    }
                    "written again from the log"
                }
                FaultKind::Differs { version, .. } => {
                    // It is put aside on the way.
                    self.write_again(&delta, name, version).await?;
                    "put aside, and written again from the log"
                }
                FaultKind::Ahead { .. } => {
                    self.put_delta_aside(&path).await?;
                    "put aside: there is no commit for it"
                }
                FaultKind::Checkpoint { version } => {
                    let pointer = LakePath::delta_last_checkpoint(name);
                    let bytes = self.run.get_small(&pointer).await?;
                    if bytes.as_deref().and_then(checkpoint::pointed_to) == Some(version) {
                        self.run.remove(&pointer).await?;
                    }
                    self.run.remove(&path).await?;
                    without_checkpoint.insert(name);
                    "removed: it was not what the log says"
                }
                FaultKind::Pointer => {
                    self.run.remove(&path).await?;
                    without_checkpoint.insert(name);
                    "removed: it named no checkpoint"
                }
            };
            mended.push(Mended { path, what });
        }
        let last = self.log.ledger.last_sequence();
        let newest = delta.version_of(last);
        if let Some(newest) = newest.filter(|_| self.log.published == last) {
            for name in without_checkpoint {
                self.write_delta_checkpoint(&delta, name, newest).await?;
                let path = LakePath::delta_checkpoint(name, newest);
                let what = "made from the log";
                mended.push(Mended { path, what });
            }
        }
        Ok(mended)
    }

    /// Writes one version of one table, if it is not there as it should be.
    async fn write_again(
        &self,
        delta: &DeltaState,
        name: TableName,
        number: u64,
    ) -> Result<(), LakeError> {
        if number == 0 {
            return self.write_first(delta, &[name]).await;
        }
        let sequence = delta.since + number;
        let commit = commit_of(&self.run, sequence).await?;
        // It may be the one that had the columns: with them in each, none is lacking.
        let columns = Metadata::new(delta, name, commit.at);
        let version = versions::of_commit(&commit, name, Some(columns));
        self.put_version(name, number, version).await
    }

    /// Moves a file of a Delta log to the quarantine.
    pub(super) async fn put_delta_aside(&self, path: &LakePath) -> Result<(), LakeError> {
        let aside = LakePath::quarantine(self.run.run_id(), path);
        self.run.move_aside(path, &aside).await?;
        Ok(self.run.pass(Failpoint::RepairFileMoved)?)
    }
}
