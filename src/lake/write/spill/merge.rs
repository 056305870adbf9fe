//! Merges several spilled runs, day by day.

use arrow_array::ArrayRef;

use super::run::{BATCH_BYTES, BATCH_ROWS, DayKey, Run, RunReader, RunWriter, Slice, joined};
use crate::decode::RowDay;
use crate::lake::error::LakeError;
use crate::store::RunStore;

/// Number of runs that are merged into a longer one, and maximum number read at once.
pub(super) const FAN_IN: usize = 16;

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
pub(super) struct SliceGroup {
    pub(super) parts: Vec<Vec<ArrayRef>>,
    pub(super) rows: usize,
    pub(super) bytes: usize,
}

impl SliceGroup {
    pub(super) fn push(&mut self, slice: Slice) {
        self.rows += slice.rows;
        self.bytes += slice.bytes;
        self.parts.push(slice.columns);
    }
}

/// Runs that are merged.
#[derive(Debug)]
pub(super) struct Merge {
    readers: Vec<RunReader>,
}

impl Merge {
    pub(super) fn open(runs: Vec<Run>) -> Result<Self, LakeError> {
        let readers = runs.into_iter().map(Run::open);
        let readers = readers.collect::<Result<_, _>>()?;
        Ok(Self { readers })
    }

    /// The first day with rows left.
    pub(super) fn key(&self) -> Option<DayKey> {
        self.readers.iter().filter_map(RunReader::key).min()
    }

    /// The next rows of the first day, at most `most_rows`.
    pub(super) fn next(&mut self, most_rows: usize) -> Result<Option<(DayKey, Slice)>, LakeError> {
        let Some(key) = self.key() else {
            return Ok(None);
        };
        let first = self.readers.iter_mut().find(|run| run.key() == Some(key));
        let slice = first.map(|run| run.next(most_rows)).transpose()?.flatten();
        Ok(slice.map(|slice| (key, slice)))
    }
}
