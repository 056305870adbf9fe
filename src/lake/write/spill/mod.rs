//! Spills rows of many days to disk, then reads them back one day after another.
//!
//! ```text
//! batches of many days ─add→ sorted run (zstd) ─many→ longer run ─merge→ one day's rows after the other
//! ```
//! A few rows of each of thousands of days make poor row groups, and their buffers take far more
//! memory than the rows. They are therefore written to disk in the order of their days and read
//! back day by day when the files are made, so that each day gets one file in whatever order its
//! rows arrive. Memory holds a list of the days and one batch of each run that is being merged. The
//! files are scratch files of the run: they are removed with the spill, or with the run's staging
//! folder if the process dies.
//!
//! This module never writes to the lake or changes a row.

mod merge;
mod rows;
mod run;
mod table;

use std::collections::BTreeMap;

pub(super) use rows::SpilledRows;
use table::{TableSpill, note};

use crate::decode::{Batch, RowDay, TaskOrdinal};
use crate::lake::error::LakeError;
use crate::schema::TableName;
use crate::store::RunStore;

/// Rows on disk, by table and day.
#[derive(Debug, Default)]
pub(super) struct Spill {
    tables: BTreeMap<TableName, TableSpill>,
}

impl Spill {
    /// Writes batches, in the order of their days. Blocks.
    pub(super) fn add(&mut self, store: &RunStore, batches: Vec<Batch>) -> Result<(), LakeError> {
        let mut by_table: BTreeMap<TableName, Vec<Batch>> = BTreeMap::new();
        for batch in batches {
            by_table.entry(batch.table).or_default().push(batch);
        }
        for (table, batches) in by_table {
            self.tables.entry(table).or_default().add(store, batches)?;
        }
        Ok(())
    }

    /// Assigns `task_day` to the rows without a day of their own.
    pub(super) fn resolve(&mut self, task_day: RowDay) {
        for table in self.tables.values_mut() {
            if let Some(tasks) = table.tasks.remove(&RowDay::OfTask) {
                table.tasks.entry(task_day).or_default().extend(tasks);
            }
            for run in table.levels.iter_mut().flatten() {
                run.resolve(task_day);
            }
        }
    }

    /// Adds the spilled rows of one task.
    pub(super) fn absorb(
        &mut self,
        store: &RunStore,
        task: TaskOrdinal,
        other: Self,
    ) -> Result<(), LakeError> {
        for (name, other) in other.tables {
            let table = self.tables.entry(name).or_default();
            for day in other.tasks.into_keys() {
                note(table.tasks.entry(day).or_default(), &[task]);
            }
            for (level, runs) in other.levels.into_iter().enumerate() {
                for run in runs {
                    table.keep(store, run, level)?;
                }
            }
        }
        Ok(())
    }

    /// All rows, to be taken day by day.
    pub(super) fn into_rows(self, store: &RunStore) -> SpilledRows {
        SpilledRows::new(self.tables.into_iter().collect(), store.clone())
    }
}

#[cfg(test)]
mod tests;
