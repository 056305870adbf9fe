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
mod run;

use std::collections::BTreeMap;

use arrow_array::ArrayRef;
use arrow_schema::ArrowError;
use arrow_select::concat::concat;

pub(super) use merge::SpilledRows;
use run::{DayKey, Run, RunWriter};

use crate::decode::{Batch, RowDay, TaskOrdinal};
use crate::lake::error::LakeError;
use crate::schema::TableName;
use crate::store::RunStore;

/// Number of runs that are merged into a longer one, and maximum number read at once.
const FAN_IN: usize = 16;
/// Approximate bytes of a batch in a run.
const BATCH_BYTES: usize = 128 << 10;
/// Maximum rows of a batch.
const BATCH_ROWS: usize = 8_192;

/// Rows on disk, by table and day.
#[derive(Debug, Default)]
pub(super) struct Spill {
    tables: BTreeMap<TableName, TableSpill>,
}

/// The rows of one table.
#[derive(Debug, Default)]
struct TableSpill {
    /// Runs by how often their rows were merged: those of a level are about as long.
    levels: Vec<Vec<Run>>,
    /// The tasks that have rows of a day here.
    tasks: BTreeMap<RowDay, Vec<TaskOrdinal>>,
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

impl TableSpill {
    fn add(&mut self, store: &RunStore, mut batches: Vec<Batch>) -> Result<(), LakeError> {
        for batch in &batches {
            note(self.tasks.entry(batch.day).or_default(), &batch.tasks);
        }
        batches.sort_by_key(|batch| DayKey::of(batch.day));
        // Rows whose day is known later form a run of their own.
        let is_of_task = |batch: &Batch| batch.day == RowDay::OfTask;
        let (undated, dated): (Vec<_>, Vec<_>) = batches.into_iter().partition(is_of_task);
        for batches in [dated, undated] {
            if let Some(run) = written(store, batches)? {
                self.keep(store, run, 0)?;
            }
        }
        Ok(())
    }

    /// Keeps a run, and makes a longer one of many.
    fn keep(&mut self, store: &RunStore, run: Run, level: usize) -> Result<(), LakeError> {
        if self.levels.len() <= level {
            self.levels.resize_with(level + 1, Vec::new);
        }
        self.levels[level].push(run);
        // Runs without a day must not be merged before they have one.
        let many = self.levels[level].extract_if(.., |run| !run.is_of_task());
        let mut many: Vec<Run> = many.collect();
        if many.len() < FAN_IN {
            self.levels[level].append(&mut many);
            return Ok(());
        }
        let longer = merge::merged(store, many)?;
        self.keep(store, longer, level + 1)
    }
}

/// Adds tasks to a sorted list of tasks.
fn note(list: &mut Vec<TaskOrdinal>, tasks: &[TaskOrdinal]) {
    for task in tasks {
        if let Err(place) = list.binary_search(task) {
            list.insert(place, *task);
        }
    }
}

/// Writes batches that are in the order of their days as a run.
fn written(store: &RunStore, batches: Vec<Batch>) -> Result<Option<Run>, LakeError> {
    let mut writer: Option<RunWriter> = None;
    let mut batches = batches.into_iter().peekable();
    while let Some(batch) = batches.next() {
        let writer = match &mut writer {
            Some(writer) => writer,
            None => writer.insert(RunWriter::create(store, batch.day)),
        };
        let (mut bytes, mut rows) = (batch.bytes, batch.rows);
        let mut keys = vec![DayKey::of(batch.day); batch.rows];
        let mut parts = vec![batch.columns];
        let fits = |next: &Batch, bytes: usize, rows: usize| {
            bytes + next.bytes <= BATCH_BYTES && rows + next.rows <= BATCH_ROWS
        };
        while let Some(next) = batches.next_if(|next| fits(next, bytes, rows)) {
            bytes += next.bytes;
            rows += next.rows;
            keys.extend(std::iter::repeat_n(DayKey::of(next.day), next.rows));
            parts.push(next.columns);
        }
        writer.write(joined(&parts)?, keys, bytes)?;
    }
    writer.map(RunWriter::finish).transpose()
}

/// The rows of several batches one behind the other, in arrays that begin where their buffers do: the
/// encoders know no others.
fn joined(parts: &[Vec<ArrayRef>]) -> Result<Vec<ArrayRef>, ArrowError> {
    let columns = parts.first().map_or(0, Vec::len);
    let column = |number: usize| {
        let mut arrays: Vec<_> = parts.iter().map(|part| &*part[number]).collect();
        // One array alone would be given back as it is.
        let none = arrays[0].slice(0, 0);
        arrays.push(&none);
        concat(&arrays)
    };
    (0..columns).map(column).collect()
}

#[cfg(test)]
mod tests;
