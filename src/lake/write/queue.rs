//! Queues of batches that wait to become row groups, one per table and day.

use crate::seeded::SeededMap;

use super::file_slot::FileSlot;
use crate::decode::{Batch, TaskOrdinal};

/// What an array takes beside its values: itself, its buffers' heads, what the allocator adds.
const ARRAY_BYTES: usize = 256;
/// A queue with less in it makes no row group worth having.
const CRUMB_BYTES: usize = 64 << 10;

/// Queues, and the memory of all rows that are in them or in an encoder's hands.
#[derive(Debug, Default)]
pub(super) struct Queues {
    queues: SeededMap<FileSlot, Queue>,
    bytes: usize,
}

/// Batches of one table and day. The bytes are those of their rows.
#[derive(Debug, Default)]
pub(super) struct Queue {
    pub(super) batches: Vec<Batch>,
    pub(super) bytes: usize,
}

impl Queue {
    /// The tasks whose rows wait here, sorted.
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

impl Queues {
    /// Memory of all that waits, and of what was taken and is not [released](Self::release) yet.
    pub(super) fn bytes(&self) -> usize {
        self.bytes
    }

    /// So many bytes of what was taken are memory no more.
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

    /// Appends a batch; gives its queue back to be encoded if that is full.
    pub(super) fn push(
        &mut self,
        batch: Batch,
        row_group_bytes: usize,
    ) -> Option<(FileSlot, Queue)> {
        let slot = FileSlot::of(&batch);
        self.add(batch);
        let is_full = self.queues.get(&slot)?.bytes >= row_group_bytes;
        if is_full { self.take(slot) } else { None }
    }

    /// Takes what becomes memory again: the queue that holds most, or all of them if they are crumbs of
    /// more days than files are open at once. Row groups of those would make ever more files.
    pub(super) fn take_some(&mut self, open_files: usize) -> Taken {
        let is_crumb = |queue: &Queue| queue.bytes < CRUMB_BYTES;
        if self.queues.len() > open_files && self.queues.values().all(is_crumb) {
            let slots: Vec<_> = self.queues.keys().copied().collect();
            let queues = slots.into_iter().filter_map(|slot| self.take_slot(slot));
            return Taken::Crumbs(queues.flat_map(|queue| queue.batches).collect());
        }
        self.take_longest()
            .map_or(Taken::Nothing, |(slot, queue)| Taken::Longest(slot, queue))
    }

    /// Takes the queue of a table and day, if there is one.
    pub(super) fn take_slot(&mut self, slot: FileSlot) -> Option<Queue> {
        self.take(slot).map(|(_, queue)| queue)
    }

    /// Takes the queue that holds most.
    pub(super) fn take_longest(&mut self) -> Option<(FileSlot, Queue)> {
        let slot = *self.queues.iter().max_by_key(|(_, queue)| queue.bytes)?.0;
        self.take(slot)
    }

    fn take(&mut self, slot: FileSlot) -> Option<(FileSlot, Queue)> {
        let queue = self.queues.remove(&slot)?;
        // What stands around the rows is gone at once, they are when they are released.
        self.bytes -= queue.batches.iter().map(around).sum::<usize>();
        Some((slot, queue))
    }
}

/// What was taken to make room.
#[derive(Debug)]
pub(super) enum Taken {
    /// There is nothing to take.
    Nothing,
    /// A queue that is worth a row group, or one of few.
    Longest(FileSlot, Queue),
    /// A few rows of each of very many days.
    Crumbs(Vec<Batch>),
}

/// What a batch takes beside its rows: more than these where they are few, as they are where an answer
/// spreads over very many days.
fn around(batch: &Batch) -> usize {
    batch.columns.len() * ARRAY_BYTES
}
