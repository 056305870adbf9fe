//! Batches that wait to become row groups, one queue per table and day.

use crate::seeded::SeededMap;

use crate::decode::{Batch, RowDay, TaskOrdinal};
use crate::schema::TableName;

/// Queues, and the memory of all rows that are in them or in an encoder's hands.
#[derive(Debug, Default)]
pub(super) struct Queues {
    queues: SeededMap<(TableName, RowDay), Queue>,
    bytes: usize,
}

/// Batches of one table and day.
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
        self.bytes += batch.bytes;
        let queue = self.queues.entry((batch.table, batch.day)).or_default();
        queue.bytes += batch.bytes;
        queue.batches.push(batch);
    }

    /// Appends a batch; gives its queue back to be encoded if that is full.
    pub(super) fn push(
        &mut self,
        batch: Batch,
        row_group_bytes: usize,
    ) -> Option<((TableName, RowDay), Queue)> {
        let place = (batch.table, batch.day);
        self.add(batch);
        let is_full = self.queues.get(&place)?.bytes >= row_group_bytes;
        if is_full { self.take(place) } else { None }
    }

    /// Takes the queue that holds most.
    pub(super) fn take_longest(&mut self) -> Option<((TableName, RowDay), Queue)> {
        let place = *self.queues.iter().max_by_key(|(_, queue)| queue.bytes)?.0;
        self.take(place)
    }

    fn take(&mut self, place: (TableName, RowDay)) -> Option<((TableName, RowDay), Queue)> {
        let queue = self.queues.remove(&place)?;
        Some((place, queue))
    }
}
