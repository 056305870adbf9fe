//! Finds what the log says of the rows of given tasks, from the records of the commits that hold them:
//! their data files, and what is counted for the tasks (rejects, values that did not fit).

use std::collections::{BTreeMap, BTreeSet};

use super::read_record;
use crate::lake::error::LakeError;
use crate::lake::ledger::{Ledger, LiveFile};
use crate::lake::record::misfits::TaskMisfits;
use crate::lake::record::summary::{Unreadable, read_task_files, read_task_misfits};
use crate::store::{DataFile, FilePath, LakePath, Store};
use crate::task::TaskId;

/// The rows of tasks.
#[derive(Debug)]
pub(crate) struct HeldRows {
    /// The live files that may hold them, by table, partition and name.
    pub(crate) files: Vec<LiveFile>,
    /// What is counted for each task that has rows.
    pub(crate) misfits: Vec<TaskMisfits>,
}

/// The live files that may hold rows of the tasks, by table, partition and name.
pub(crate) async fn files_of_tasks(
    store: &Store,
    ledger: &Ledger,
    tasks: &[TaskId],
) -> Result<Vec<LiveFile>, LakeError> {
    let paths = from_records(store, ledger, tasks, paths_in).await?;
    Ok(live(ledger, paths.into_iter().flatten()))
}

/// The files, and what is counted for the tasks. Each record is read once.
pub(crate) async fn rows_of_tasks(
    store: &Store,
    ledger: &Ledger,
    tasks: &[TaskId],
) -> Result<HeldRows, LakeError> {
    let parse = |bytes: &[u8], wanted: &BTreeSet<TaskId>| {
        let misfits = read_task_misfits(bytes, |task| wanted.contains(task))?;
        Ok((paths_in(bytes, wanted)?, misfits))
    };
    let found = from_records(store, ledger, tasks, parse).await?;
    let (paths, misfits): (Vec<_>, Vec<_>) = found.into_iter().unzip();
    Ok(HeldRows {
        files: live(ledger, paths.into_iter().flatten()),
        misfits: misfits.into_iter().flatten().collect(),
    })
}

/// Parses the record of each commit that holds rows of the tasks, with the tasks whose rows it holds.
async fn from_records<T: Send + 'static>(
    store: &Store,
    ledger: &Ledger,
    tasks: &[TaskId],
    parse: fn(&[u8], &BTreeSet<TaskId>) -> Result<T, Unreadable>,
) -> Result<Vec<T>, LakeError> {
    let mut by_commit = BTreeMap::<u64, BTreeSet<TaskId>>::new();
    for task in tasks {
        if let Some(sequence) = ledger.rows_in(task) {
            by_commit.entry(sequence).or_default().insert(task.clone());
        }
    }
    let mut all = Vec::new();
    for (sequence, wanted) in by_commit {
        let read = read_record(store, sequence, move |bytes| parse(bytes, &wanted));
        let Some((found, _)) = read.await? else {
            let path = store.locate(&LakePath::commit(sequence));
            return Err(LakeError::damaged(&path, "this commit record is gone"));
        };
        all.push(found);
    }
    Ok(all)
}

/// The files of a record with rows of the wanted tasks.
fn paths_in(bytes: &[u8], wanted: &BTreeSet<TaskId>) -> Result<Vec<FilePath>, Unreadable> {
    let (tasks, files) = read_task_files(bytes)?;
    let held = tasks.iter().filter(|task| wanted.contains(&task.id));
    let indexes: BTreeSet<u32> = held.flat_map(|task| task.files.iter().copied()).collect();
    let files = indexes
        .iter()
        .filter_map(|index| files.get(*index as usize));
    Ok(files.map(DataFile::path).collect())
}

/// The files that hold their rows now.
fn live(ledger: &Ledger, paths: impl Iterator<Item = FilePath>) -> Vec<LiveFile> {
    let mut files = ledger.successors(paths.collect::<BTreeSet<_>>());
    files.sort_unstable_by_key(LiveFile::path);
    files
}
