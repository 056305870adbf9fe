//! State shared by the decode workers and the committer: accepted rows, task metadata and rejects
//! since the last commit.
//!
//! A task is accepted as a whole or not at all, and never split by a commit: accepting takes the
//! read side of the gate, committing the write side. The gate is acquired before a worker thread, so
//! that all threads are available to encode what is committed.

use std::collections::HashSet;
use std::sync::{Arc, Mutex};

use tokio::sync::{OwnedRwLockReadGuard, RwLock};

use super::worker_pool::WorkerPool;
use crate::allocator;
use crate::decode::{Misfits, RecordDecoder, Rows, TaskOrdinal, ZoneVerdict};
use crate::encode::RowGroupEncoder;
use crate::event::Events;
use crate::job::{DecodeOptions, WriteOptions};
use crate::lake::write::{
    ClosedFile, LargeShare, RejectWriter, UnclosedFiles, WriteBuffer, WriteBufferOptions,
};
use crate::lake::{LakeError, MisfitCount, MisfitKeys, blocking};
use crate::store::RunStore;
use crate::sync::{Pool, lock};
use crate::task::{RunId, TaskId, TaskInfo, WorkflowId};

/// Which responses are accepted.
#[derive(Clone, Debug)]
pub(super) struct AcceptRules {
    /// Body codes of a successful response.
    pub(super) success_codes: Vec<i64>,
    /// Whether a response with fewer calls than are sealed is accepted.
    pub(super) allow_fewer: bool,
    /// The current time, and how long after its scheduled end a final task is settled.
    pub(super) rules: crate::discover::Rules,
}

/// A task whose response was accepted.
#[derive(Clone, Debug)]
pub(super) struct AcceptedTask {
    pub(super) task: TaskInfo,
    pub(super) sealed: bool,
    pub(super) calls: u64,
    pub(super) redials: u64,
    pub(super) turns: u64,
    pub(super) rejects: u64,
    /// Values that did not fit, by the keys of the commit.
    pub(super) misfits: Vec<MisfitCount>,
}

/// State shared by the decode workers and the committer.
#[derive(Debug)]
pub(super) struct PendingCommit {
    pub(super) run_id: Arc<str>,
    pub(super) decode: DecodeOptions,
    pub(super) accept: AcceptRules,
    pub(super) events: Events,
    pub(super) chunk_options: WriteBufferOptions,
    pub(super) chunk: WriteBuffer,
    /// Read-locked while a task is accepted, write-locked while all accepted tasks are taken.
    gate: Arc<RwLock<()>>,
    /// The threads that decode and encode.
    pub(super) workers: WorkerPool,
    /// Memory limit for the batches of all large responses.
    pub(super) large_answers: Arc<LargeShare>,
    accepted: Mutex<Accepted>,
    decoders: Pool<RecordDecoder>,
    /// Empty row buffers, for runs of entries of large responses.
    rows: Pool<Rows>,
    /// Empty buffers for the text of responses.
    buffers: Pool<Vec<u8>>,
    rejects: Mutex<Rejects>,
    misfits: Mutex<Misfits>,
    zone: Mutex<ZoneVerdict>,
}

/// Maximum number of pooled buffers.
const MAX_BUFFERS: usize = 8;
/// Larger buffers are not pooled.
const MAX_BUFFER_BYTES: usize = 2 << 20;

/// Memory of an accepted task until it is in the log, including its share of the commit record and
/// of the data derived from it.
const TASK_BYTES: usize = 1 << 10;
/// Memory of one of its keys that did not fit, in the task and in the record.
const MISFIT_BYTES: usize = 64;

/// Tasks accepted since the last commit.
#[derive(Debug, Default)]
struct Accepted {
    tasks: Vec<AcceptedTask>,
    ids: HashSet<TaskId>,
    /// Each workflow once: many tasks share one.
    workflows: HashSet<WorkflowId>,
    calls: u64,
    misfit_keys: MisfitKeys,
}

/// Permission to accept tasks: no commit takes them while it is held.
#[derive(Debug)]
pub(super) struct Accepting {
    _open: OwnedRwLockReadGuard<()>,
}

/// What is waiting for a commit.
#[derive(Clone, Copy, Debug)]
pub(super) struct Waiting {
    pub(super) tasks: usize,
    pub(super) calls: u64,
}

impl Waiting {
    /// Memory of the tasks, without their rows.
    pub(super) fn task_bytes(self) -> usize {
        self.tasks * TASK_BYTES
    }
}

#[derive(Debug)]
struct Rejects {
    shared: RejectWriter,
    adopted: Vec<RejectWriter>,
}

/// Everything accepted since the last commit, in durable files.
#[derive(Debug)]
pub(super) struct PendingBatch {
    pub(super) tasks: Vec<AcceptedTask>,
    pub(super) files: Vec<ClosedFile>,
    /// What the misfits of `tasks` refer to.
    pub(super) misfit_keys: MisfitKeys,
}

/// Input for [`PendingCommit`].
#[derive(Clone, Debug)]
pub(super) struct PendingOptions<'a> {
    pub(super) run: &'a RunId,
    pub(super) store: &'a RunStore,
    pub(super) decode: &'a DecodeOptions,
    pub(super) write: &'a WriteOptions,
    pub(super) accept: AcceptRules,
    pub(super) events: Events,
}

impl PendingCommit {
    pub(super) fn new(options: PendingOptions<'_>) -> Result<Arc<Self>, LakeError> {
        let PendingOptions {
            run,
            store,
            decode,
            write,
            accept,
            events,
        } = options;
        let encoder = Arc::new(RowGroupEncoder::new(write, run)?);
        let count = write.workers.get();
        let workers = WorkerPool::new(write.workers)
            .map_err(|source| LakeError::Threads { count, source })?;
        let chunk_options = WriteBufferOptions::new(store.clone(), encoder, write);
        Ok(Arc::new(Self {
            run_id: run.as_str().into(),
            decode: decode.clone(),
            accept,
            events,
            chunk: WriteBuffer::new(chunk_options.clone()),
            chunk_options,
            gate: Arc::default(),
            workers,
            large_answers: LargeShare::new(
                write.memory_budget_bytes.get() / 2,
                write.workers.get(),
            ),
            accepted: Mutex::default(),
            decoders: Pool::new(usize::MAX),
            rows: Pool::new(usize::MAX),
            buffers: Pool::new(MAX_BUFFERS),
            rejects: Mutex::new(Rejects {
                shared: RejectWriter::new(store.clone()),
                adopted: Vec::new(),
            }),
            misfits: Mutex::default(),
            zone: Mutex::default(),
        }))
    }

    /// Runs work on a worker thread. A panic there is resumed here.
    pub(super) async fn on_thread<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> T {
        self.workers.submit(work).await.join().await
    }

    /// As [`Self::on_thread`], for work that accepts tasks.
    pub(super) async fn on_accepting_thread<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Accepting) -> T + Send + 'static,
    ) -> T {
        let accepting = Accepting {
            _open: Arc::clone(&self.gate).read_owned().await,
        };
        self.on_thread(move || work(&accepting)).await
    }

    /// Permission to accept tasks now; `None` while a commit takes them.
    pub(super) fn try_accepting(&self) -> Option<Accepting> {
        let open = Arc::clone(&self.gate).try_read_owned().ok()?;
        Some(Accepting { _open: open })
    }

    /// Reserves memory for the plan, at most a quarter of the budget, out of that for rows. The
    /// reservation lasts for the whole run, since the ledger grows as the plan shrinks.
    pub(super) fn reserve(&self, plan_bytes: usize) {
        let most = self.chunk_options.memory_bytes / 4;
        self.chunk.reserve(plan_bytes.min(most));
    }

    /// Runs `work` with a decoder of the pool.
    pub(super) fn with_decoder<T>(&self, work: impl FnOnce(&mut RecordDecoder) -> T) -> T {
        let pooled = self.decoders.take();
        let mut decoder = pooled.unwrap_or_else(|| RecordDecoder::new(&self.decode));
        let result = work(&mut decoder);
        self.decoders.put(decoder);
        result
    }

    /// An empty row buffer, reused from the pool if possible.
    pub(super) fn take_rows_buffer(&self) -> Rows {
        self.rows.take().unwrap_or_default()
    }

    /// Returns an empty row buffer to the pool.
    pub(super) fn put_rows_buffer(&self, rows: Rows) {
        self.rows.put(rows);
    }

    /// An empty buffer for a response's text, reused from the pool if possible.
    pub(super) fn take_buffer(&self) -> Vec<u8> {
        self.buffers.take().unwrap_or_default()
    }

    /// Returns a buffer to the pool; its content is discarded.
    pub(super) fn put_buffer(&self, mut buffer: Vec<u8>) {
        if buffer.capacity() <= MAX_BUFFER_BYTES {
            buffer.clear();
            self.buffers.put(buffer);
        }
    }

    /// Adds a task to the accepted ones and returns its ordinal; `None` if it is already among them
    /// (saved responses may contain a task twice; the ledger covers committed tasks). Fill in the
    /// counts with [`Self::complete`] before the permission is dropped.
    pub(super) fn accept(&self, _: &Accepting, mut task: AcceptedTask) -> Option<TaskOrdinal> {
        let mut accepted = lock(&self.accepted);
        if !accepted.ids.insert(task.task.id.clone()) {
            return None;
        }
        if let Some(workflow) = &mut task.task.workflow {
            match accepted.workflows.get(workflow) {
                Some(same) => *workflow = same.clone(),
                None => {
                    accepted.workflows.insert(workflow.clone());
                }
            }
        }
        self.chunk.charge(TASK_BYTES);
        let ordinal = TaskOrdinal::try_from(accepted.tasks.len())
            .expect("a commit is made long before four thousand million tasks");
        accepted.tasks.push(task);
        Some(ordinal)
    }

    /// Records the outcome of an accepted task's rows, with the values of its answer that did not fit
    /// their columns.
    pub(super) fn complete(
        &self,
        ordinal: TaskOrdinal,
        misfits: &Misfits,
        change: impl FnOnce(&mut AcceptedTask),
    ) {
        let lines = misfits.lines();
        if !lines.is_empty() {
            lock(&self.misfits).merge(misfits);
            self.chunk.charge(lines.len() * MISFIT_BYTES);
        }
        let mut accepted = lock(&self.accepted);
        let counts = accepted.misfit_keys.count(&lines);
        if let Some(task) = accepted.tasks.get_mut(ordinal as usize) {
            task.misfits = counts;
            change(task);
            let calls = task.calls;
            accepted.calls += calls;
        }
    }

    /// Adds evidence on the source time zone from responses.
    pub(super) fn note_zone(&self, verdict: ZoneVerdict) {
        lock(&self.zone).add(verdict);
    }

    /// Evidence on the source time zone so far.
    pub(super) fn zone(&self) -> ZoneVerdict {
        *lock(&self.zone)
    }

    /// All values so far that did not fit their columns.
    pub(super) fn misfits(&self) -> Misfits {
        lock(&self.misfits).clone()
    }

    /// Writes rejects for the next commit.
    pub(super) fn reject(
        &self,
        write: impl FnOnce(&mut RejectWriter) -> Result<(), LakeError>,
    ) -> Result<(), LakeError> {
        write(&mut lock(&self.rejects).shared)
    }

    /// Adds rejects from a separate writer.
    pub(super) fn adopt_rejects(&self, rejects: RejectWriter) {
        if !rejects.is_empty() {
            lock(&self.rejects).adopted.push(rejects);
        }
    }

    /// A writer for the rejects of one response.
    pub(super) fn reject_writer(&self) -> RejectWriter {
        RejectWriter::new(self.chunk_options.store.clone())
    }

    /// What was accepted and is waiting for a commit.
    pub(super) fn waiting(&self) -> Waiting {
        let accepted = lock(&self.accepted);
        Waiting {
            tasks: accepted.tasks.len(),
            calls: accepted.calls,
        }
    }

    /// Takes everything accepted, in durable files, with its rejects. No task is accepted while
    /// rows are encoded.
    pub(super) async fn take(self: &Arc<Self>) -> Result<PendingBatch, LakeError> {
        let (accepted, unclosed, rejects) = {
            let _closed = self.gate.write().await;
            let unclosed = self.drain().await?;
            let accepted = std::mem::take(&mut *lock(&self.accepted));
            let mut rejects = lock(&self.rejects);
            let shared = std::mem::replace(&mut rejects.shared, self.reject_writer());
            let mut all = std::mem::take(&mut rejects.adopted);
            all.push(shared);
            (accepted, unclosed, all)
        };
        // Mostly waits for the disk, so it does not use the workers.
        let threads = self.workers.size().max(4);
        let sealed = blocking(move || {
            // Frees the memory of the encoded rows before the commit allocates its own.
            allocator::trim();
            let sealed = unclosed.close(threads)?;
            rejects.into_iter().try_for_each(RejectWriter::finish)?;
            Ok(sealed)
        });
        let files = sealed.await?.files;
        Ok(PendingBatch {
            tasks: accepted.tasks,
            files,
            misfit_keys: accepted.misfit_keys,
        })
    }

    /// Encodes all waiting rows on all workers: their memory belongs to the arenas of its
    /// threads.
    async fn drain(self: &Arc<Self>) -> Result<UnclosedFiles, LakeError> {
        let pending = Arc::clone(self);
        let waiting = self.on_thread(move || pending.chunk.take_rows()).await?;
        let waiting = Arc::new(waiting);
        let mut works = Vec::new();
        for _ in 0..self.workers.size() {
            let (pending, waiting) = (Arc::clone(self), Arc::clone(&waiting));
            let work = move || pending.chunk.encode(&waiting);
            works.push(self.workers.submit(work).await);
        }
        let mut result = Ok(());
        for mut work in works {
            result = result.and(work.join().await);
        }
        result?;
        Ok(self.chunk.take_files())
    }
}
