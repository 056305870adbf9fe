//! Reads the log from its first record and compares the checkpoints with it.

use std::collections::BTreeMap;

use super::finding::{Finding, FindingKind};
use crate::lake::checkpoint::{self, Checkpoint};
use crate::lake::error::LakeError;
use crate::lake::log::{Log, read_record};
use crate::lake::record::seal;
use crate::store::{LakePath, Store};

/// Loads the log without its checkpoints, and reports the checkpoints that differ.
pub(super) async fn load(store: &Store) -> Result<(Log, Vec<Finding>), LakeError> {
    let mut checkpoints = BTreeMap::new();
    for sequence in checkpoint::list(store).await? {
        // It is gone because a newer one replaced it.
        if let Some(bytes) = checkpoint::load(store, sequence).await?
            && !checkpoint::is_of_another_version(&bytes)
        {
            checkpoints.insert(sequence, Checkpoint::from_bytes(&bytes));
        }
    }
    let mut right = BTreeMap::new();
    let log = Log::load_from_records(store, |ledger| {
        let sequence = ledger.last_sequence();
        if let Some(Some(checkpoint)) = checkpoints.get(&sequence) {
            right.insert(sequence, checkpoint.ledger == ledger.to_bytes());
        }
    });
    let log = log.await?;
    let mut findings = Vec::new();
    for (sequence, checkpoint) in checkpoints {
        let what = match (&checkpoint, right.get(&sequence)) {
            (None, _) => "it is damaged",
            // Written since the log was read.
            (Some(_), None) if is_new(store, &log, sequence).await? => continue,
            (Some(_), None) => "there is no such commit",
            (Some(_), Some(false)) => "it does not say what the log says",
            (Some(checkpoint), Some(true)) => {
                let record = read_record(store, sequence, |bytes| Ok(seal::sum(bytes)));
                let record = record.await?.map(|(sum, _)| sum);
                if checkpoint.sequence == sequence && record == Some(checkpoint.record) {
                    continue;
                }
                "it was made after another record"
            }
        };
        let detail = format!("{what}; it is not used");
        let path = LakePath::checkpoint(sequence);
        findings.push(Finding::new(FindingKind::CheckpointStale, &path, detail));
    }
    Ok((log, findings))
}

async fn is_new(store: &Store, log: &Log, sequence: u64) -> Result<bool, LakeError> {
    let is_later = sequence > log.ledger.last_sequence();
    Ok(is_later && store.size(&LakePath::commit(sequence)).await?.is_some())
}
