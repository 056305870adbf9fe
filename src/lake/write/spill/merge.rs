//! Merges several spilled runs, day by day.

use std::collections::VecDeque;

use arrow_array::ArrayRef;

use super::run::{DayKey, Run, RunReader, RunWriter, Slice};
use super::{BATCH_BYTES, BATCH_ROWS, FAN_IN, TableSpill, joined};
use crate::decode::{Batch, RowDay, TaskOrdinal};
use crate::lake::error::LakeError;
use crate::schema::TableName;
use crate::store::RunStore;

/// Merges several runs into one.
pub(super) fn merged(store: &RunStore, runs: Vec<Run>) -> Result<Run, LakeError> {
    let mut merge = Merge::open(runs)?;
    let mut writer: Option<RunWriter> = None;
    let mut group = SliceGroup::default();
    let mut keys = Vec::new();
    while let Some((key, slice)) = merge.next(BATCH_ROWS)? {
        let writer = match &mut writer {
            Some(writer) => writer,
            None => writer.insert(RunWriter::create(store, key.day())),
        };
        keys.extend(std::iter::repeat_n(key, slice.rows));
        group.push(slice);
        if group.bytes >= BATCH_BYTES || group.rows >= BATCH_ROWS {
            let bytes = group.bytes;
            writer.write(
                joined(&std::mem::take(&mut group).parts)?,
                std::mem::take(&mut keys),
                bytes,
            )?;
        }
    }
    let mut writer = writer.unwrap_or_else(|| RunWriter::create(store, RowDay::Unknown));
    if group.rows > 0 {
        let bytes = group.bytes;
        writer.write(joined(&group.parts)?, keys, bytes)?;
    }
    writer.finish()
}

/// Slices that become one batch.
#[derive(Debug, Default)]
struct SliceGroup {
    parts: Vec<Vec<ArrayRef>>,
    rows: usize,
    bytes: usize,
}

impl SliceGroup {
    fn push(&mut self, slice: Slice) {
        self.rows += slice.rows;
        self.bytes += slice.bytes;
        self.parts.push(slice.columns);
    }
}

/// Runs that are merged.
#[derive(Debug)]
struct Merge {
    readers: Vec<RunReader>,
}

impl Merge {
    fn open(runs: Vec<Run>) -> Result<Self, LakeError> {
        let readers = runs.into_iter().map(Run::open);
        let readers = readers.collect::<Result<_, _>>()?;
        Ok(Self { readers })
    }

    /// The first day with rows left.
    fn key(&self) -> Option<DayKey> {
        self.readers.iter().filter_map(RunReader::key).min()
    }

    /// The next rows of the first day, at most `most_rows`.
    fn next(&mut self, most_rows: usize) -> Result<Option<(DayKey, Slice)>, LakeError> {
        let Some(key) = self.key() else {
            return Ok(None);
        };
        let first = self.readers.iter_mut().find(|run| run.key() == Some(key));
        let slice = first.map(|run| run.next(most_rows)).transpose()?.flatten();
        Ok(slice.map(|slice| (key, slice)))
    }
}

/// All rows of a spill, read day by day.
#[derive(Debug)]
pub(in crate::lake::write) struct SpilledRows {
    store: RunStore,
    tables: VecDeque<(TableName, TableSpill)>,
    /// The table that is being read.
    open: Option<OpenTable>,
}

#[derive(Debug)]
struct OpenTable {
    table: TableName,
    tasks: std::collections::BTreeMap<RowDay, Vec<TaskOrdinal>>,
    merge: Merge,
}

impl SpilledRows {
    pub(super) fn new(tables: VecDeque<(TableName, TableSpill)>, store: RunStore) -> Self {
        Self {
            store,
            tables,
            open: None,
        }
    }

    /// The next rows of one table and day: all of them, or a row group of `bytes` with more of the
    /// day to follow. `None` at the end. Blocks.
    pub(in crate::lake::write) fn next(
        &mut self,
        bytes: usize,
    ) -> Result<Option<Batch>, LakeError> {
        loop {
            let open = match &mut self.open {
                Some(open) => open,
                None => match self.tables.pop_front() {
                    Some((table, spill)) => {
                        self.open.insert(OpenTable::new(&self.store, table, spill)?)
                    }
                    None => return Ok(None),
                },
            };
            match open.next(bytes)? {
                Some(batch) => return Ok(Some(batch)),
                None => self.open = None,
            }
        }
    }
}

impl OpenTable {
    fn new(store: &RunStore, table: TableName, spill: TableSpill) -> Result<Self, LakeError> {
        let TableSpill { levels, tasks } = spill;
        // The short runs first: they are merged if there are too many.
        let mut runs: VecDeque<Run> = levels.into_iter().flatten().collect();
        while runs.len() > FAN_IN {
            let some = runs.drain(..FAN_IN).collect();
            runs.push_back(merged(store, some)?);
        }
        let merge = Merge::open(runs.into())?;
        Ok(Self {
            table,
            tasks,
            merge,
        })
    }

    fn next(&mut self, bytes: usize) -> Result<Option<Batch>, LakeError> {
        let Some(key) = self.merge.key() else {
            return Ok(None);
        };
        let mut group = SliceGroup::default();
        while self.merge.key() == Some(key) && group.bytes < bytes {
            if let Some((_, slice)) = self.merge.next(BATCH_ROWS)? {
                group.push(slice);
            }
        }
        let day = key.day();
        Ok(Some(Batch {
            table: self.table,
            day,
            columns: joined(&group.parts)?,
            rows: group.rows,
            bytes: group.bytes,
            tasks: self.tasks.get(&day).cloned().unwrap_or_default(),
        }))
    }
}
