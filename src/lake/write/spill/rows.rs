//! Reads the rows of a spill, day by day.

use std::collections::VecDeque;

use super::merge::{FAN_IN, Merge, SliceGroup, merged};
use super::run::{BATCH_ROWS, Run, joined};
use super::table::TableSpill;
use crate::decode::{Batch, RowDay, TaskOrdinal};
use crate::lake::error::LakeError;
use crate::schema::TableName;
use crate::store::RunStore;

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
