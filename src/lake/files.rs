//! Which data files belong to the lake, and which of them hold the rows of some tasks.

use std::collections::{BTreeMap, BTreeSet};

use chrono::NaiveDate;
use serde::{Deserialize, Serialize};

use super::error::LakeError;
use super::ledger::{Ledger, LiveFile};
use super::log::read_record;
use super::path::{LakePath, Partition};
use super::record::DataFile;
use super::store::Store;
use crate::schema::TableName;
use crate::task::TaskId;

/// Which files to list.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct FileQuery {
    /// Of one table; otherwise of all.
    pub table: Option<TableName>,
    /// Of this day's partition and later ones.
    pub from: Option<NaiveDate>,
    /// Of this day's partition and earlier ones.
    pub to: Option<NaiveDate>,
    /// Also of the partition of rows without a date, which is in no range of days; without a range only of
    /// that one.
    pub undated: bool,
}

impl FileQuery {
    /// Whether it asks for the file. The partition of unknown dates is in no range.
    #[must_use]
    pub fn matches(&self, file: &LiveFile) -> bool {
        self.matches_place(file.file.table, file.file.partition)
    }

    /// The same by where a file is.
    pub(super) fn matches_place(&self, table: TableName, partition: Partition) -> bool {
        let every_day = self.from.is_none() && self.to.is_none();
        let in_range = match partition.date() {
            Some(_) if every_day => !self.undated,
            Some(date) => {
                self.from.is_none_or(|from| from <= date) && self.to.is_none_or(|to| date <= to)
            }
            None => every_day || self.undated,
        };
        in_range && self.table.is_none_or(|wanted| wanted == table)
    }

    /// The matching files of the lake, by table, partition and name.
    pub fn run(self, ledger: &Ledger) -> impl Iterator<Item = LiveFile> {
        ledger
            .live_files()
            .into_iter()
            .filter(move |file| self.matches(file))
    }
}

/// The live files that may hold rows of the tasks, by table, partition and name.
pub(super) async fn files_of_tasks(
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
            let (tasks, files) = super::digest::read_task_files(bytes)?;
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
    let mut files = ledger.heirs(paths);
    files.sort_unstable_by_key(LiveFile::path);
    Ok(files)
}
