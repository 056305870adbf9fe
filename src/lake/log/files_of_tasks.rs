//! Finds the data files that hold the rows of given tasks, from the records of their commits.

use std::collections::{BTreeMap, BTreeSet};

use super::read_record;
use crate::lake::error::LakeError;
use crate::lake::ledger::{Ledger, LiveFile};
use crate::store::{DataFile, LakePath, Store};
use crate::task::TaskId;

/// The live files that may hold rows of the tasks, by table, partition and name.
pub(crate) async fn files_of_tasks(
    store: &Store,
    ledger: &Ledger,
    tasks: &[TaskId],
) -> Result<Vec<LiveFile>, LakeError> {
    let mut by_commit = BTreeMap::<u64, BTreeSet<TaskId>>::new();
    for task in tasks {
        if let Some(sequence) = ledger.rows_in(task) {
            by_commit.entry(sequence).or_default().insert(task.clone());
        }
    }
    let mut paths = BTreeSet::new();
    for (sequence, wanted) in by_commit {
        let parse = move |bytes: &[u8]| {
            let (tasks, files) = crate::lake::record::summary::read_task_files(bytes)?;
            let held = tasks.iter().filter(|task| wanted.contains(&task.id));
            let indexes: BTreeSet<u32> = held.flat_map(|task| task.files.iter().copied()).collect();
            let files = indexes
                .iter()
                .filter_map(|index| files.get(*index as usize));
            Ok(files.map(DataFile::path).collect::<Vec<_>>())
        };
        let Some((found, _)) = read_record(store, sequence, parse).await? else {
            let path = store.locate(&LakePath::commit(sequence));
            return Err(LakeError::damaged(&path, "this commit record is gone"));
        };
        paths.extend(found);
    }
    let mut files = ledger.successors(paths);
    files.sort_unstable_by_key(LiveFile::path);
    Ok(files)
}
