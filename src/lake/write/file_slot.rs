//! The key of everything that collects rows on their way to a file: one table and one day.

use crate::decode::{Batch, RowDay};
use crate::schema::TableName;
use crate::store::Partition;

/// A table and a day, whose rows go to the same data file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) struct FileSlot {
    pub(super) table: TableName,
    pub(super) day: RowDay,
}

impl FileSlot {
    pub(super) fn of(batch: &Batch) -> Self {
        Self {
            table: batch.table,
            day: batch.day,
        }
    }

    /// The partition of the file. Rows of [`RowDay::OfTask`] get their day before they get a file.
    pub(super) fn partition(self) -> Partition {
        match self.day {
            RowDay::On(day) => Partition::Date(day.date()),
            RowDay::OfTask | RowDay::Unknown => Partition::Unknown,
        }
    }
}
