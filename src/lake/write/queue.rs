//! Batches that wait to become row groups, one queue per table and day.

use rustc_hash::FxHashMap;

use crate::decode::{Batch, RowDay, TaskOrdinal};
use crate::schema::TableName;

/// Queues and what they hold together.
#[derive(Debug, Default)]
pub(super) struct Queues {
    queues: FxHashMap<(TableName, RowDay), Queue>,
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
    /// Memory of all that waits.
    pub(super) fn bytes(&self) -> usize {
        self.bytes
    }

    /// Appends a batch; gives its queue back to be encoded if that is full.
    pub(super) fn push(
        &mut self,
        batch: Batch,
        row_group_bytes: usize,
    ) -> Option<((TableName, RowDay), Queue)> {
        let place = (batch.table, batch.day);
        self.bytes += batch.bytes;
        let queue = self.queues.entry(place).or_default();
        queue.bytes += batch.bytes;
        queue.batches.push(batch);
        if queue.bytes < row_group_bytes {
            return None;
        }
        self.take(place)
    }

    /// Takes the queue that holds most.
    pub(super) fn take_longest(&mut self) -> Option<((TableName, RowDay), Queue)> {
        let place = *self.queues.iter().max_by_key(|(_, queue)| queue.bytes)?.0;
        self.take(place)
    }

    fn take(&mut self, place: (TableName, RowDay)) -> Option<((TableName, RowDay), Queue)> {
        let queue = self.queues.remove(&place)?;
        self.bytes -= queue.bytes;
        Some((place, queue))
    }
}
