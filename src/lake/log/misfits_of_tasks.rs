//! Finds what earlier commits count for given tasks (rejects, values that did not fit), from the
//! records that hold their rows.

use std::collections::{BTreeMap, BTreeSet};

use super::read_record;
use crate::lake::error::LakeError;
use crate::lake::ledger::Ledger;
use crate::lake::record::misfits::TaskMisfits;
use crate::lake::record::summary::read_task_misfits;
use crate::store::{LakePath, Store};
use crate::task::TaskId;

/// What is counted for those of the tasks that have rows.
pub(crate) async fn misfits_of_tasks(
    store: &Store,
    ledger: &Ledger,
    tasks: &[TaskId],
) -> Result<Vec<TaskMisfits>, LakeError> {
    let mut by_commit = BTreeMap::<u64, BTreeSet<TaskId>>::new();
    for task in tasks {
        if let Some(sequence) = ledger.rows_in(task) {
            by_commit.entry(sequence).or_default().insert(task.clone());
        }
    }
    let mut all = Vec::new();
    for (sequence, wanted) in by_commit {
        let parse = move |bytes: &[u8]| read_task_misfits(bytes, |task| wanted.contains(task));
        let Some((found, _)) = read_record(store, sequence, parse).await? else {
            let path = store.locate(&LakePath::commit(sequence));
            return Err(LakeError::damaged(&path, "this commit record is gone"));
        };
        all.extend(found);
    }
    Ok(all)
}
