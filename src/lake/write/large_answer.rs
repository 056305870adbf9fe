//! The rows of one response that is too large to be buffered as text.
//!
//! They are kept here until the response is accepted: first as batches, then as encoded row groups
//! (about a tenth of the size), then in staged files of their own. Dropping it discards all rows:
//! its files are staged under names that no commit uses.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use super::data_file::ClosedFile;
use super::file_slot::FileSlot;
use super::open_files::OpenFiles;
use super::options::{FileLimits, WriteBufferOptions};
use super::queues::{BatchQueue, BatchQueues, Taken};
use super::spill::Spill;
use crate::decode::{Batch, RowDay};
use crate::encode::EncodedRows;
use crate::lake::error::LakeError;
use crate::sync::{in_parallel, lock};

/// Files that one response may hold open: its tables, on a day or two.
const OPEN_FILES: usize = 8;
/// Bytes of an encoded column beside its pages: its footer metadata.
const COLUMN_BYTES: usize = 1 << 10;
/// Ordinal of the one task in all its batches and files until it is accepted.
const ITSELF: u32 = 0;

/// The memory that all large responses in flight share equally.
#[derive(Debug)]
pub struct LargeShare {
    bytes: usize,
    answers: AtomicUsize,
}

impl LargeShare {
    /// A share of this many bytes in total.
    #[must_use]
    pub fn new(bytes: usize) -> Arc<Self> {
        let answers = AtomicUsize::new(0);
        Arc::new(Self { bytes, answers })
    }

    /// Bytes that each response may hold now.
    fn each(&self) -> usize {
        let answers = self.answers.load(Ordering::Relaxed);
        (self.bytes / answers.max(1)).max(1 << 20)
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
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    queues: BatchQueues,
    encoded: Vec<(FileSlot, EncodedRows)>,
    encoded_bytes: u64,
    files: OpenFiles,
    /// Rows that are spread over too many days to be queued.
    spill: Spill,
}

/// All rows of an accepted response.
#[derive(Debug)]
pub struct AcceptedRows {
    pub(super) batches: Vec<Batch>,
    pub(super) encoded: Vec<(FileSlot, EncodedRows)>,
    pub(super) closed: Vec<ClosedFile>,
    pub(super) spill: Spill,
}

impl LargeAnswer {
    /// A response without rows. Its batches may take its part of `share`, and its encoded row groups
    /// the same again.
    #[must_use]
    pub fn new(options: WriteBufferOptions, share: &Arc<LargeShare>) -> Self {
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

    /// Returns all rows, those without a day of their own under `task_day`. If it has files, the row
    /// groups in memory are appended to them, and queued rows are encoded on `threads` threads.
    ///
    /// # Errors
    /// When the destination fails.
    pub fn hand_over(self, task_day: RowDay, threads: usize) -> Result<AcceptedRows, LakeError> {
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
        Ok(AcceptedRows {
            batches,
            encoded,
            closed,
            spill,
        })
    }
}

/// Appends a row group to the response's own files.
fn append(
    options: &WriteBufferOptions,
    files: &mut OpenFiles,
    slot: FileSlot,
    rows: EncodedRows,
) -> Result<(), LakeError> {
    let limits = FileLimits {
        open: OPEN_FILES,
        ..options.limits()
    };
    files.append(options, limits, slot, rows, &[ITSELF])
}
