//! The spilled rows of one table: sorted runs, merged into longer ones as they become many.

use std::collections::BTreeMap;

use super::merge::{FAN_IN, merged};
use super::run::{BATCH_BYTES, BATCH_ROWS, DayKey, Run, RunWriter, joined};
use crate::decode::{Batch, RowDay, TaskOrdinal};
use crate::lake::error::LakeError;
use crate::store::RunStore;

/// The rows of one table.
#[derive(Debug, Default)]
pub(super) struct TableSpill {
    /// Runs by how often their rows were merged: those of a level are about as long.
    pub(super) levels: Vec<Vec<Run>>,
    /// The tasks that have rows of a day here.
    pub(super) tasks: BTreeMap<RowDay, Vec<TaskOrdinal>>,
}

impl TableSpill {
    pub(super) fn add(
        &mut self,
        store: &RunStore,
        mut batches: Vec<Batch>,
    ) -> Result<(), LakeError> {
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
    pub(super) fn keep(
        &mut self,
        store: &RunStore,
        run: Run,
        level: usize,
    ) -> Result<(), LakeError> {
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
        let longer = merged(store, many)?;
        self.keep(store, longer, level + 1)
    }
}

/// Adds tasks to a sorted list of tasks.
pub(super) fn note(list: &mut Vec<TaskOrdinal>, tasks: &[TaskOrdinal]) {
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
