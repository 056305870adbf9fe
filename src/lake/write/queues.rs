//! Queues of batches that wait to become row groups, one per table and day.

use crate::seeded::SeededMap;

use super::file_slot::FileSlot;
use crate::decode::{Batch, TaskOrdinal};

/// Bytes of an array beside its values: the array itself, buffer headers, allocator overhead.
const ARRAY_BYTES: usize = 256;
/// A queue with fewer bytes is too small for a row group.
const CRUMB_BYTES: usize = 64 << 10;

/// Queues, and the memory of all rows that are queued or being encoded.
#[derive(Debug, Default)]
pub(super) struct BatchQueues {
    queues: SeededMap<FileSlot, BatchQueue>,
    bytes: usize,
}

/// Batches of one table and day. The bytes are those of their rows.
#[derive(Debug, Default)]
pub(super) struct BatchQueue {
    pub(super) batches: Vec<Batch>,
    pub(super) bytes: usize,
}

impl BatchQueue {
    /// The tasks with rows in the queue, sorted.
    pub(super) fn tasks(&self) -> Vec<TaskOrdinal> {
        let mut tasks: Vec<_> = self
            .batches
            .iter()
            .flat_map(|batch| batch.tasks.iter().copied())
            .collect();
        tasks.sort_unstable();
        tasks.dedup();
        tasks
    }
}

impl BatchQueues {
    /// Bytes of all queued rows, and of rows that were taken and are not
    /// [released](Self::release) yet.
    pub(super) fn bytes(&self) -> usize {
        self.bytes
    }

    /// Releases bytes of rows that were taken.
    pub(super) fn release(&mut self, bytes: usize) {
        self.bytes -= bytes;
    }

    /// Appends a batch.
    pub(super) fn add(&mut self, batch: Batch) {
        self.bytes += batch.bytes + around(&batch);
        let queue = self.queues.entry(FileSlot::of(&batch)).or_default();
        queue.bytes += batch.bytes;
        queue.batches.push(batch);
    }

    /// Appends a batch; returns its queue, to be encoded, if that is full.
    pub(super) fn push(
        &mut self,
        batch: Batch,
        row_group_bytes: usize,
    ) -> Option<(FileSlot, BatchQueue)> {
        let slot = FileSlot::of(&batch);
        self.add(batch);
        let is_full = self.queues.get(&slot)?.bytes >= row_group_bytes;
        if is_full { self.take(slot) } else { None }
    }

    /// Takes rows to free memory: the longest queue, or all queues if each is too small for a row
    /// group and there are more of them than files may be open. Row groups of those would make ever
    /// more files.
    pub(super) fn take_some(&mut self, open_files: usize) -> Taken {
        let is_crumb = |queue: &BatchQueue| queue.bytes < CRUMB_BYTES;
        if self.queues.len() > open_files && self.queues.values().all(is_crumb) {
            let slots: Vec<_> = self.queues.keys().copied().collect();
            let queues = slots.into_iter().filter_map(|slot| self.take_slot(slot));
            return Taken::Crumbs(queues.flat_map(|queue| queue.batches).collect());
        }
        self.take_longest()
            .map_or(Taken::Nothing, |(slot, queue)| Taken::Longest(slot, queue))
    }

    /// Takes the queue of a table and day, if there is one.
    pub(super) fn take_slot(&mut self, slot: FileSlot) -> Option<BatchQueue> {
        self.take(slot).map(|(_, queue)| queue)
    }

    /// Takes the longest queue.
    pub(super) fn take_longest(&mut self) -> Option<(FileSlot, BatchQueue)> {
        let slot = *self.queues.iter().max_by_key(|(_, queue)| queue.bytes)?.0;
        self.take(slot)
    }

    fn take(&mut self, slot: FileSlot) -> Option<(FileSlot, BatchQueue)> {
        let queue = self.queues.remove(&slot)?;
        // The overhead of the arrays is released now, the rows by `release`.
        self.bytes -= queue.batches.iter().map(around).sum::<usize>();
        Some((slot, queue))
    }
}

/// What was taken to free memory.
#[derive(Debug)]
pub(super) enum Taken {
    /// All queues are empty.
    Nothing,
    /// The longest queue.
    Longest(FileSlot, BatchQueue),
    /// The rows of all queues, each too small for a row group.
    Crumbs(Vec<Batch>),
}

/// Bytes of a batch beside its rows. They exceed those of the rows where a response is spread over very
/// many days.
fn around(batch: &Batch) -> usize {
    batch.columns.len() * ARRAY_BYTES
}
