//! The rows of one response that is too large to be buffered as text.
//!
//! They are kept here until the response is accepted: in row builders while their calls are on many
//! days, then as batches, then as encoded row groups (about a tenth of the size), then on disk.
//! Dropping it discards all rows: it has only scratch files.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use super::file_slot::FileSlot;
use super::options::WriteBufferOptions;
use super::queues::{BatchQueue, BatchQueues, Taken};
use super::row_group_spill::RowGroupSpill;
use super::spill::Spill;
use crate::decode::{Batch, RowDay, Rows};
use crate::encode::EncodedRows;
use crate::lake::error::LakeError;
use crate::sync::lock;

/// Rows of so many days are handed on after each piece of the response, while they are in the cache.
/// Those of more days would make ever smaller batches: their builders are kept.
const FEW_DAYS: usize = 2;
/// Bytes of an encoded column beside its pages: its footer metadata.
const COLUMN_BYTES: usize = 1 << 10;
/// Ordinal of the one task in all its batches and files until it is accepted.
const ITSELF: u32 = 0;

/// The memory that all large responses in flight share equally.
#[derive(Debug)]
pub struct LargeShare {
    bytes: usize,
    threads: usize,
    answers: AtomicUsize,
}

impl LargeShare {
    /// A share of this many bytes in total, for responses that so many threads decode.
    #[must_use]
    pub fn new(bytes: usize, threads: usize) -> Arc<Self> {
        Arc::new(Self {
            bytes,
            threads,
            answers: AtomicUsize::new(0),
        })
    }

    /// Bytes that each response may hold now.
    fn each(&self) -> usize {
        let answers = self.answers.load(Ordering::Relaxed);
        (self.bytes / answers.max(1)).max(1 << 20)
    }

    /// Bytes that the row builders of one thread may hold of a response.
    fn of_builders(&self) -> usize {
        self.each() / (3 * self.threads.max(1))
    }
}

/// One response's part of the memory, until it is dropped.
#[derive(Debug)]
struct Part(Arc<LargeShare>);

impl Part {
    fn of(share: &Arc<LargeShare>) -> Self {
        share.answers.fetch_add(1, Ordering::Relaxed);
        Self(Arc::clone(share))
    }
}

impl Drop for Part {
    fn drop(&mut self) {
        self.0.answers.fetch_sub(1, Ordering::Relaxed);
    }
}

/// Rows of one response that is not accepted yet.
#[derive(Debug)]
pub struct LargeAnswer {
    options: WriteBufferOptions,
    part: Part,
    state: Mutex<LargeAnswerState>,
    /// Row builders with rows, one for each thread that has decoded a piece.
    rows: Mutex<Vec<Rows>>,
}

#[derive(Debug, Default)]
struct LargeAnswerState {
    queues: BatchQueues,
    encoded: Vec<(FileSlot, EncodedRows)>,
    encoded_bytes: u64,
    groups: RowGroupSpill,
    /// Rows that are spread over too many days to be queued.
    spill: Spill,
}

/// All rows of an accepted response.
#[derive(Debug)]
pub struct AcceptedRows {
    pub(super) batches: Vec<Batch>,
    pub(super) encoded: Vec<(FileSlot, EncodedRows)>,
    pub(super) groups: RowGroupSpill,
    pub(super) spill: Spill,
}

impl LargeAnswer {
    /// A response without rows. Its batches may take its part of `share`; its row builders and its
    /// encoded row groups half as much each.
    #[must_use]
    pub fn new(options: WriteBufferOptions, share: &Arc<LargeShare>) -> Self {
        Self {
            options,
            part: Part::of(share),
            state: Mutex::default(),
            rows: Mutex::default(),
        }
    }

    /// Row builders to append the next piece of the response to, if any hold rows. Return them with
    /// [`Self::put_rows`].
    pub fn rows(&self) -> Option<Rows> {
        lock(&self.rows).pop()
    }

    /// Returns row builders after a piece of the response was appended. May encode on this thread.
    /// Gives them back if they are empty.
    ///
    /// # Errors
    /// When the destination fails.
    pub fn put_rows(&self, mut rows: Rows) -> Result<Option<Rows>, LakeError> {
        let most = self.part.0.of_builders();
        let batches = if rows.days() <= FEW_DAYS {
            rows.take()?
        } else if rows.bytes() > most {
            rows.take_largest(most / 2)?
        } else {
            Vec::new()
        };
        let emptied = if rows.is_empty() {
            Some(rows)
        } else {
            lock(&self.rows).push(rows);
            None
        };
        self.push(batches)?;
        Ok(emptied)
    }

    /// Adds batches. May encode on this thread.
    ///
    /// # Errors
    /// When the destination fails.
    pub fn push(&self, batches: Vec<Batch>) -> Result<(), LakeError> {
        for batch in batches {
            let full = lock(&self.state)
                .queues
                .push(batch, self.options.row_group_bytes);
            if let Some((slot, full)) = full {
                self.encode(slot, full)?;
            }
        }
        loop {
            let mut state = lock(&self.state);
            if state.queues.bytes() <= self.part.0.each() {
                return Ok(());
            }
            match state.queues.take_some(0) {
                Taken::Nothing => return Ok(()),
                Taken::Longest(slot, queue) => {
                    drop(state);
                    self.encode(slot, queue)?;
                }
                Taken::Crumbs(batches) => {
                    let bytes = batches.iter().map(|batch| batch.bytes).sum();
                    state.spill.add(&self.options.store, batches)?;
                    state.queues.release(bytes);
                }
            }
        }
    }

    fn encode(&self, slot: FileSlot, queue: BatchQueue) -> Result<(), LakeError> {
        let freed = |bytes| lock(&self.state).queues.release(bytes);
        let rows = self
            .options
            .encoder
            .encode(slot.table, queue.batches, freed)
            .map_err(LakeError::Encode)?;
        let mut state = lock(&self.state);
        state.encoded_bytes += rows.bytes + (rows.columns.len() * COLUMN_BYTES) as u64;
        state.encoded.push((slot, rows));
        if state.encoded_bytes > self.part.0.each() as u64 / 2 {
            let LargeAnswerState {
                encoded,
                groups,
                encoded_bytes,
                ..
            } = &mut *state;
            *encoded_bytes = 0;
            for (slot, rows) in encoded.drain(..) {
                groups.add(&self.options, slot, rows, &[ITSELF])?;
            }
        }
        Ok(())
    }

    /// Returns all rows, those without a day of their own under `task_day`.
    ///
    /// # Errors
    /// Only if arrays are inconsistent, which would be a bug.
    pub fn hand_over(self, task_day: RowDay) -> Result<AcceptedRows, LakeError> {
        let resolve = |day: RowDay| if day == RowDay::OfTask { task_day } else { day };
        let LargeAnswerState {
            mut queues,
            encoded,
            mut groups,
            mut spill,
            ..
        } = (self.state.into_inner()).unwrap_or_else(PoisonError::into_inner);
        spill.resolve(task_day);
        groups.resolve(task_day);
        let mut batches = Vec::new();
        while let Some((_, queue)) = queues.take_longest() {
            batches.extend(queue.batches);
        }
        let rows = self
            .rows
            .into_inner()
            .unwrap_or_else(PoisonError::into_inner);
        for mut rows in rows {
            batches.extend(rows.take()?);
        }
        for batch in &mut batches {
            batch.day = resolve(batch.day);
        }
        let encoded = encoded.into_iter().map(|(slot, rows)| {
            let day = resolve(slot.day);
            (FileSlot { day, ..slot }, rows)
        });
        Ok(AcceptedRows {
            batches,
            encoded: encoded.collect(),
            groups,
            spill,
        })
    }
}
