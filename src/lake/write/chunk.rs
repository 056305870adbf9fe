//! The rows that wait for the next commit.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};

use super::file::{ClosedFile, OpenFile};
use super::file_slot::FileSlot;
use super::files::FileSet;
use super::large::Handover;
use super::options::ChunkOptions;
use super::queue::{Queue, Queues, Taken};
use super::spill::{Spill, SpilledRows};
use crate::decode::{Batch, Rows, TaskOrdinal};
use crate::encode::EncodedRows;
use crate::lake::error::LakeError;
use crate::sync::{in_parallel, lock};

/// Rows of one answer that a thread appends to before they are queued as batches.
const LOCAL_ROWS_BYTES: usize = 1 << 20;

/// Accepted rows that wait for a commit. Shared by the threads that decode.
#[derive(Debug)]
pub struct Chunk {
    options: ChunkOptions,
    queues: Mutex<Queues>,
    files: Mutex<FileSet>,
    rows: Mutex<Vec<Rows>>,
    /// A few rows of each of very many days.
    spill: Mutex<Spill>,
    /// Memory that is no rows, counts in the budget, and becomes free with a commit.
    others: AtomicUsize,
    /// The same that does not become free.
    set_aside: AtomicUsize,
}

/// A chunk whose rows are all in durable files.
#[derive(Debug)]
pub struct SealedChunk {
    /// The files.
    pub files: Vec<ClosedFile>,
}

impl Chunk {
    /// An empty chunk.
    #[must_use]
    pub fn new(options: ChunkOptions) -> Self {
        Self {
            options,
            queues: Mutex::default(),
            files: Mutex::default(),
            rows: Mutex::default(),
            spill: Mutex::default(),
            others: AtomicUsize::new(0),
            set_aside: AtomicUsize::new(0),
        }
    }

    /// Counts memory in the budget that is needed elsewhere until [`Self::take_files`]: so much
    /// less is left for rows.
    pub fn count(&self, bytes: usize) {
        self.others.fetch_add(bytes, Ordering::Relaxed);
    }

    /// Takes memory from the budget that is needed elsewhere to the end.
    pub fn set_aside(&self, bytes: usize) {
        self.set_aside.store(bytes, Ordering::Relaxed);
    }

    /// What the budget has for rows, in bytes.
    #[must_use]
    pub fn room(&self) -> usize {
        let counted = self.others.load(Ordering::Relaxed) + self.set_aside.load(Ordering::Relaxed);
        self.options.memory_bytes.saturating_sub(counted)
    }

    /// Rows to append whole answers to. Give them back with [`Self::give_back`].
    pub fn borrow_rows(&self) -> Rows {
        lock(&self.rows).pop().unwrap_or_default()
    }

    /// Takes rows back, and says whether they have grown: then [`Self::relieve`] is due.
    #[must_use]
    pub fn give_back(&self, rows: Rows) -> bool {
        let grown = has_grown(&rows);
        lock(&self.rows).push(rows);
        grown
    }

    /// Queues the largest of the rows that have grown; if memory is short, writes the longest
    /// queue. Blocks. As with appending, the chunk must not be drained meanwhile.
    ///
    /// # Errors
    /// When the destination fails.
    pub fn relieve(&self) -> Result<(), LakeError> {
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
        if rows.has_many_days() {
            largest = rows.take()?;
        } else if rows.bytes() > LOCAL_ROWS_BYTES {
            largest = rows.take_largest(LOCAL_ROWS_BYTES / 2)?;
        }
        lock(&self.rows).push(rows);
        self.push(largest)
    }

    /// Queues batches; writes the longest queues until memory is within its budget.
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
                if queues.bytes() <= self.room() {
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

    /// Takes in the rows of a large answer that is accepted now.
    ///
    /// # Errors
    /// When the destination fails.
    pub fn adopt(&self, handover: Handover, ordinal: TaskOrdinal) -> Result<(), LakeError> {
        let Handover {
            mut batches,
            encoded,
            closed,
            spill,
        } = handover;
        lock(&self.spill).absorb(&self.options.store, ordinal, spill)?;
        for batch in &mut batches {
            batch.tasks = vec![ordinal];
        }
        for (slot, rows) in encoded {
            self.append(slot, rows, &[ordinal])?;
        }
        for mut file in closed {
            file.tasks = vec![ordinal];
            lock(&self.files).adopt(file);
        }
        self.push(batches)
    }

    /// Writes a queue; `freed` is told of the memory of its rows as it becomes free.
    fn write(
        &self,
        slot: FileSlot,
        queue: Queue,
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
        let limits = self.options.limits();
        lock(&self.files).append(&self.options, limits, slot, rows, tasks)
    }

    /// Takes all waiting rows, to be [encoded](Self::encode). Call it after the last append.
    ///
    /// # Errors
    /// Only if arrays contradict themselves, which would be a bug.
    pub fn take_rows(&self) -> Result<WaitingRows, LakeError> {
        let mut queues = std::mem::take(&mut *lock(&self.queues));
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

    /// Encodes rows that waited until there are none. Several threads may do that side by side.
    ///
    /// # Errors
    /// When the destination fails.
    pub fn encode(&self, waiting: &WaitingRows) -> Result<(), LakeError> {
        // First what lies on disk, day by day, each with what waits of it.
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

    /// Takes all files. The chunk is empty afterwards, if no row waits, and may be used again.
    pub fn take_files(&self) -> UnclosedFiles {
        self.others.store(0, Ordering::Relaxed);
        let files = std::mem::take(&mut *lock(&self.files));
        let (open, closed) = files.into_parts();
        UnclosedFiles { open, closed }
    }
}

/// All rows of a chunk that waited for a commit.
#[derive(Debug)]
pub struct WaitingRows {
    queues: Mutex<Queues>,
    spilled: Mutex<SpilledRows>,
}

/// Files of a drained chunk, some of which still want their footer.
#[derive(Debug)]
pub struct UnclosedFiles {
    open: Vec<OpenFile>,
    closed: Vec<ClosedFile>,
}

impl UnclosedFiles {
    /// Closes all files, on `threads` threads, since most of it is waiting for the disk.
    ///
    /// # Errors
    /// When the destination fails.
    pub fn close(self, threads: usize) -> Result<SealedChunk, LakeError> {
        let open = Mutex::new(self.open);
        let closed = Mutex::new(self.closed);
        in_parallel(threads, || -> Result<(), LakeError> {
            loop {
                let Some(file) = lock(&open).pop() else {
                    return Ok(());
                };
                let file = file.close()?;
                lock(&closed).push(file);
            }
        })?;
        let mut files = closed.into_inner().unwrap_or_else(PoisonError::into_inner);
        files.sort_by_key(|closed| closed.file.path());
        Ok(SealedChunk { files })
    }
}

fn has_grown(rows: &Rows) -> bool {
    rows.appended() >= LOCAL_ROWS_BYTES / 8 || rows.has_many_days()
}
