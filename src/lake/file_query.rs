//! Selects data files of the lake.

use chrono::NaiveDate;
use serde::{Deserialize, Serialize};

use super::ledger::{Ledger, LiveFile};
use crate::schema::TableName;
use crate::store::Partition;

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
    pub(crate) fn matches_place(&self, table: TableName, partition: Partition) -> bool {
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
