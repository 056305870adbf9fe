//! Accepted rows that wait for the next commit.

use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use super::data_file::ClosedFile;
use super::file_slot::FileSlot;
use super::large_answer::AcceptedRows;
use super::open_files::OpenFiles;
use super::options::WriteBufferOptions;
use super::queues::{BatchQueue, BatchQueues, Taken};
use super::spill::{Spill, SpilledRows};
use crate::decode::{Batch, Rows, TaskOrdinal};
use crate::encode::EncodedRows;
use crate::lake::error::LakeError;
use crate::sync::lock;

/// Maximum size of a pooled row buffer before its largest tables are queued as batches, for each four
/// days of its rows: those of many days would make ever smaller batches.
const LOCAL_ROWS_BYTES: usize = 1 << 20;
const LOCAL_DAYS: usize = 4;
/// Maximum number of times that size.
const MAX_LOCAL: usize = 4;

/// Accepted rows that wait for a commit. Shared by the threads that decode.
#[derive(Debug)]
pub struct WriteBuffer {
    options: WriteBufferOptions,
    queues: Mutex<BatchQueues>,
    files: Mutex<OpenFiles>,
    rows: Mutex<Vec<Rows>>,
    /// Bytes of the pooled row buffers when each was last looked at.
    pooled: AtomicUsize,
    /// Rows that are spread over too many days to be queued.
    spill: Mutex<Spill>,
    /// Bytes charged to the budget for other data until the next commit.
    charged: AtomicUsize,
    /// Bytes reserved for other data until the end of the run.
    reserved: AtomicUsize,
}

/// The files of a drained buffer, all durable.
#[derive(Debug)]
pub struct SealedBuffer {
    /// The closed files, sorted by path.
    pub files: Vec<ClosedFile>,
}

impl WriteBuffer {
    /// A buffer without rows, with these options.
    #[must_use]
    pub fn new(options: WriteBufferOptions) -> Self {
        Self {
            options,
            queues: Mutex::default(),
            files: Mutex::default(),
            rows: Mutex::default(),
            pooled: AtomicUsize::new(0),
            spill: Mutex::default(),
            charged: AtomicUsize::new(0),
            reserved: AtomicUsize::new(0),
        }
    }

    /// Charges memory for other data to the budget until [`Self::take_files`].
    pub fn charge(&self, bytes: usize) {
        self.charged.fetch_add(bytes, Ordering::Relaxed);
    }

    /// Reserves a part of the budget for other data until the end of the run.
    pub fn reserve(&self, bytes: usize) {
        self.reserved.store(bytes, Ordering::Relaxed);
    }

    /// Bytes of the budget that are available for rows.
    #[must_use]
    pub fn available(&self) -> usize {
        let counted = [&self.charged, &self.reserved, &self.pooled];
        let counted = counted.map(|bytes| bytes.load(Ordering::Relaxed));
        let counted: usize = counted.iter().sum();
        self.options.memory_bytes.saturating_sub(counted)
    }

    /// A row buffer from the pool, to append whole responses to. Return it with
    /// [`Self::put_rows`].
    pub fn pooled_rows(&self) -> Rows {
        lock(&self.rows).pop().unwrap_or_default()
    }

    /// Returns a row buffer to the pool. Returns whether it has grown, so that
    /// [`Self::flush_if_over_budget`] is due.
    #[must_use]
    pub fn put_rows(&self, rows: Rows) -> bool {
        let grown = has_grown(&rows);
        lock(&self.rows).push(rows);
        grown
    }

    /// Queues the largest tables of a row buffer that has grown; if the budget is exceeded, writes
    /// the longest queues. Blocks. The buffer must not be drained concurrently.
    ///
    /// # Errors
    /// When the destination fails.
    pub fn flush_if_over_budget(&self) -> Result<(), LakeError> {
        let grown = {
            let mut pool = lock(&self.rows);
            let at = pool.iter().position(has_grown);
            at.map(|at| pool.swap_remove(at))
        };
        let Some(mut rows) = grown else {
            return Ok(());
        };
        rows.reset_appended();
        let mut largest = Vec::new();
        let most = LOCAL_ROWS_BYTES * (rows.days() / LOCAL_DAYS).clamp(1, MAX_LOCAL);
        if rows.has_many_days() {
            largest = rows.take()?;
        } else if rows.bytes() > most {
            largest = rows.take_largest(most / 2)?;
        }
        let (before, now) = rows.count_bytes();
        self.pooled.fetch_add(now, Ordering::Relaxed);
        self.pooled.fetch_sub(before, Ordering::Relaxed);
        lock(&self.rows).push(rows);
        self.push(largest)
    }

    /// Queues batches; writes the longest queues until memory is within the budget.
    ///
    /// # Errors
    /// When the destination fails.
    pub fn push(&self, batches: Vec<Batch>) -> Result<(), LakeError> {
        let freed = |bytes| lock(&self.queues).release(bytes);
        for batch in batches {
            let full = lock(&self.queues).push(batch, self.options.row_group_bytes);
            if let Some((slot, full)) = full {
                self.write(slot, full, freed)?;
            }
        }
        loop {
            let taken = {
                let mut queues = lock(&self.queues);
                if queues.bytes() <= self.available() {
                    return Ok(());
                }
                queues.take_some(self.options.max_open_files)
            };
            match taken {
                Taken::Nothing => return Ok(()),
                Taken::Longest(slot, queue) => self.write(slot, queue, freed)?,
                Taken::Crumbs(batches) => {
                    let bytes = batches.iter().map(|batch| batch.bytes).sum();
                    lock(&self.spill).add(&self.options.store, batches)?;
                    freed(bytes);
                }
            }
        }
    }

    /// Adds the rows of a large response that was accepted.
    ///
    /// # Errors
    /// When the destination fails.
    pub fn adopt(&self, handover: AcceptedRows, ordinal: TaskOrdinal) -> Result<(), LakeError> {
        let AcceptedRows {
            mut batches,
            encoded,
            groups,
            spill,
        } = handover;
        lock(&self.spill).absorb(&self.options.store, ordinal, spill)?;
        for batch in &mut batches {
            batch.tasks = vec![ordinal];
        }
        for (slot, rows) in encoded {
            self.append(slot, rows, &[ordinal])?;
        }
        lock(&self.files).absorb(ordinal, groups);
        self.push(batches)
    }

    /// Writes a queue as one row group; calls `freed` with the bytes of each column that is done.
    fn write(
        &self,
        slot: FileSlot,
        queue: BatchQueue,
        freed: impl FnMut(usize),
    ) -> Result<(), LakeError> {
        let tasks = queue.tasks();
        let rows = self
            .options
            .encoder
            .encode(slot.table, queue.batches, freed)
            .map_err(LakeError::Encode)?;
        self.append(slot, rows, &tasks)
    }

    fn append(
        &self,
        slot: FileSlot,
        rows: EncodedRows,
        tasks: &[TaskOrdinal],
    ) -> Result<(), LakeError> {
        lock(&self.files).append(&self.options, slot, rows, tasks)
    }

    /// Takes all waiting rows, to be [encoded](Self::encode). Call it after the last append.
    ///
    /// # Errors
    /// Only if arrays are inconsistent, which would be a bug.
    pub fn take_rows(&self) -> Result<WaitingRows, LakeError> {
        let mut queues = std::mem::take(&mut *lock(&self.queues));
        self.pooled.store(0, Ordering::Relaxed);
        for mut rows in lock(&self.rows).drain(..) {
            for batch in rows.take()? {
                queues.add(batch);
            }
        }
        let spill = std::mem::take(&mut *lock(&self.spill));
        Ok(WaitingRows {
            queues: Mutex::new(queues),
            spilled: Mutex::new(spill.into_rows(&self.options.store)),
        })
    }

    /// Encodes all waiting rows. Several threads may call it concurrently.
    ///
    /// # Errors
    /// When the destination fails.
    pub fn encode(&self, waiting: &WaitingRows) -> Result<(), LakeError> {
        // First the spilled rows, day by day, each day with its queued rows.
        let next = || lock(&waiting.spilled).next(self.options.row_group_bytes);
        while let Some(batch) = next()? {
            let slot = FileSlot::of(&batch);
            let mut queue = lock(&waiting.queues).take_slot(slot).unwrap_or_default();
            queue.bytes += batch.bytes;
            queue.batches.push(batch);
            self.write(slot, queue, |_| ())?;
        }
        loop {
            let Some((slot, longest)) = lock(&waiting.queues).take_longest() else {
                return Ok(());
            };
            self.write(slot, longest, |_| ())?;
        }
    }

    /// Takes all files. The buffer is then empty, if no row waits, and can be used again.
    pub fn take_files(&self) -> UnclosedFiles {
        self.charged.store(0, Ordering::Relaxed);
        let files = std::mem::take(&mut *lock(&self.files));
        let options = self.options.clone();
        UnclosedFiles { files, options }
    }
}

/// All waiting rows of a buffer.
#[derive(Debug)]
pub struct WaitingRows {
    queues: Mutex<BatchQueues>,
    spilled: Mutex<SpilledRows>,
}

/// Files of a drained buffer, some of them without their last row groups and their footer.
#[derive(Debug)]
pub struct UnclosedFiles {
    files: OpenFiles,
    options: WriteBufferOptions,
}

impl UnclosedFiles {
    /// Writes what was spilled, and closes all files, on `threads` threads.
    ///
    /// # Errors
    /// When the destination fails.
    pub fn close(self, threads: usize) -> Result<SealedBuffer, LakeError> {
        let mut files = self.files.close(&self.options, threads)?;
        files.sort_by_key(|closed| closed.file.path());
        Ok(SealedBuffer { files })
    }
}

fn has_grown(rows: &Rows) -> bool {
    rows.appended() >= LOCAL_ROWS_BYTES / 8 || rows.has_many_days()
}
