//! The rows of one answer that is too large to be buffered as text.
//!
//! They are kept here until the answer is accepted: first as batches, then as encoded row groups
//! (about a tenth of the size), then in staged files of their own. Dropping it discards all rows:
//! its files are staged under names that no commit uses.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use super::file::ClosedFile;
use super::file_slot::FileSlot;
use super::files::{FileLimits, FileSet};
use super::options::ChunkOptions;
use super::queue::{Queue, Queues, Taken};
use super::spill::Spill;
use crate::decode::{Batch, RowDay};
use crate::encode::EncodedRows;
use crate::lake::error::LakeError;
use crate::sync::{in_parallel, lock};

/// Files one answer may hold open: its tables, on a day or two.
const OPEN_FILES: usize = 8;
/// What an encoded column takes beside its pages: what a footer will say of it.
const COLUMN_BYTES: usize = 1 << 10;
/// The number that stands for the one task in all its batches and files until it is accepted.
const ITSELF: u32 = 0;

/// Memory that all large answers in flight share, in equal parts.
#[derive(Debug)]
pub struct LargeShare {
    bytes: usize,
    answers: AtomicUsize,
}

impl LargeShare {
    /// So many bytes for all of them.
    #[must_use]
    pub fn new(bytes: usize) -> Arc<Self> {
        let answers = AtomicUsize::new(0);
        Arc::new(Self { bytes, answers })
    }

    /// What one of them may hold now.
    fn each(&self) -> usize {
        let answers = self.answers.load(Ordering::Relaxed);
        (self.bytes / answers.max(1)).max(1 << 20)
    }
}

/// One answer's part of the memory, until it is dropped.
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

/// Rows of one answer, not accepted yet.
#[derive(Debug)]
pub struct LargeAnswer {
    options: ChunkOptions,
    part: Part,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    queues: Queues,
    encoded: Vec<(FileSlot, EncodedRows)>,
    encoded_bytes: u64,
    files: FileSet,
    /// A few rows of each of very many days.
    spill: Spill,
}

/// What an accepted answer hands over.
#[derive(Debug)]
pub struct Handover {
    pub(super) batches: Vec<Batch>,
    pub(super) encoded: Vec<(FileSlot, EncodedRows)>,
    pub(super) closed: Vec<ClosedFile>,
    pub(super) spill: Spill,
}

impl LargeAnswer {
    /// An answer without rows. Its batches may take its part of `share`, its encoded row groups as
    /// much again.
    #[must_use]
    pub fn new(options: ChunkOptions, share: &Arc<LargeShare>) -> Self {
        Self {
            options,
            part: Part::of(share),
            state: Mutex::default(),
        }
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
            match state.queues.take_some(OPEN_FILES) {
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

    fn encode(&self, slot: FileSlot, queue: Queue) -> Result<(), LakeError> {
        let freed = |bytes| lock(&self.state).queues.release(bytes);
        let rows = self
            .options
            .encoder
            .encode(slot.table, queue.batches, freed)
            .map_err(LakeError::Encode)?;
        let mut state = lock(&self.state);
        state.encoded_bytes += rows.bytes + (rows.columns.len() * COLUMN_BYTES) as u64;
        state.encoded.push((slot, rows));
        if state.encoded_bytes > self.part.0.each() as u64 {
            let State {
                encoded,
                files,
                encoded_bytes,
                ..
            } = &mut *state;
            *encoded_bytes = 0;
            for (slot, rows) in encoded.drain(..) {
                append(&self.options, files, slot, rows)?;
            }
        }
        Ok(())
    }

    /// Hands all rows over, those without a day of their own under `task_day`. If it has files of
    /// its own, the row groups in memory go there too, and what waits is encoded on `threads`
    /// threads.
    ///
    /// # Errors
    /// When the destination fails.
    pub fn hand_over(self, task_day: RowDay, threads: usize) -> Result<Handover, LakeError> {
        let resolve = |day: RowDay| if day == RowDay::OfTask { task_day } else { day };
        let state = self
            .state
            .into_inner()
            .unwrap_or_else(std::sync::PoisonError::into_inner);
        let State {
            mut queues,
            mut encoded,
            mut files,
            mut spill,
            ..
        } = state;
        spill.resolve(task_day);
        let mut batches = Vec::new();
        if files.is_empty() {
            while let Some((_, queue)) = queues.take_longest() {
                batches.extend(queue.batches);
            }
        } else {
            let waiting = Mutex::new(queues);
            let done = Mutex::new(&mut encoded);
            in_parallel(threads, || -> Result<(), LakeError> {
                loop {
                    let Some((slot, queue)) = lock(&waiting).take_longest() else {
                        return Ok(());
                    };
                    let rows = self
                        .options
                        .encoder
                        .encode(slot.table, queue.batches, |_| ())?;
                    lock(&done).push((slot, rows));
                }
            })?;
            for (slot, rows) in encoded.drain(..) {
                append(&self.options, &mut files, slot, rows)?;
            }
        }
        for batch in &mut batches {
            batch.day = resolve(batch.day);
        }
        let (open, mut closed) = files.into_parts();
        for file in open {
            closed.push(file.close()?);
        }
        for file in &mut closed {
            file.day = resolve(file.day);
            let slot = FileSlot {
                table: file.file.table,
                day: file.day,
            };
            file.file.partition = slot.partition();
        }
        let encoded = encoded
            .into_iter()
            .map(|(slot, rows)| {
                let day = resolve(slot.day);
                (FileSlot { day, ..slot }, rows)
            })
            .collect();
        Ok(Handover {
            batches,
            encoded,
            closed,
            spill,
        })
    }
}

/// Appends a row group to the answer's own files.
fn append(
    options: &ChunkOptions,
    files: &mut FileSet,
    slot: FileSlot,
    rows: EncodedRows,
) -> Result<(), LakeError> {
    let limits = FileLimits {
        open: OPEN_FILES,
        ..options.limits()
    };
    files.append(options, limits, slot, rows, &[ITSELF])
}
