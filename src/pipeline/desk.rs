//! State shared by the decode workers and the committer: accepted rows, task metadata and rejects
//! since the last commit.
//!
//! A task is accepted as a whole or not at all, and never split by a commit: accepting takes the
//! read side of the gate, committing the write side. The gate is acquired before a crew thread, so
//! that all threads are available to encode what is committed.

use std::collections::HashSet;
use std::sync::{Arc, Mutex};

use chrono::{DateTime, Utc};
use tokio::sync::RwLock;

use super::crew::Crew;
use crate::allocator;
use crate::decode::{Misfits, RecordDecoder, Rows, TaskFacts, TaskOrdinal, ZoneVerdict};
use crate::encode::RowGroupEncoder;
use crate::event::Events;
use crate::job::{DecodeOptions, WriteOptions};
use crate::lake::write::{
    ClosedFile, LargeShare, RejectWriter, UnclosedFiles, WriteBuffer, WriteBufferOptions,
};
use crate::lake::{LakeError, blocking};
use crate::store::RunStore;
use crate::sync::lock;
use crate::task::{RunId, TaskId, WorkflowId};

/// How responses are judged.
#[derive(Clone, Debug)]
pub(super) struct JudgeRules {
    /// Body codes of a successful response.
    pub(super) success_codes: Vec<i64>,
    /// Whether running tasks are accepted too.
    pub(super) include_running: bool,
    /// Whether a response with fewer calls than are sealed is accepted.
    pub(super) allow_fewer: bool,
    /// The current time, and how long after its scheduled end a final task is settled.
    pub(super) rules: crate::discover::Rules,
}

/// A task whose response was accepted.
#[derive(Clone, Debug)]
pub(super) struct AcceptedTask {
    pub(super) id: TaskId,
    pub(super) facts: TaskFacts,
    pub(super) sealed: bool,
    pub(super) calls: u64,
    pub(super) redials: u64,
    pub(super) turns: u64,
    pub(super) rejects: u64,
}

/// State shared by the decode workers and the committer.
#[derive(Debug)]
pub(super) struct Desk {
    pub(super) run_id: Arc<str>,
    pub(super) decode: DecodeOptions,
    pub(super) judge: JudgeRules,
    pub(super) events: Events,
    pub(super) chunk_options: WriteBufferOptions,
    pub(super) chunk: WriteBuffer,
    /// Read-locked while a task is accepted, write-locked while all accepted tasks are taken.
    pub(super) gate: Arc<RwLock<()>>,
    /// The threads that decode and encode.
    pub(super) crew: Crew,
    /// Memory limit for the batches of all large responses.
    pub(super) large_answers: Arc<LargeShare>,
    accepted: Mutex<Accepted>,
    decoders: Mutex<Vec<RecordDecoder>>,
    /// Empty row buffers, for runs of entries of large responses.
    rows: Mutex<Vec<Rows>>,
    /// Empty buffers for the text of responses.
    buffers: Mutex<Vec<Vec<u8>>>,
    rejects: Mutex<Rejects>,
    misfits: Mutex<Misfits>,
    zone: Mutex<ZoneVerdict>,
}

/// Maximum number of pooled buffers.
const MOST_BUFFERS: usize = 8;
/// Larger buffers are not pooled.
const MOST_BUFFER_BYTES: usize = 2 << 20;

/// Memory of an accepted task until it is in the log, including its share of the commit record and
/// of the data derived from it.
const TASK_BYTES: usize = 1 << 10;

/// Tasks accepted since the last commit.
#[derive(Debug, Default)]
struct Accepted {
    tasks: Vec<AcceptedTask>,
    ids: HashSet<TaskId>,
    /// Each workflow once: many tasks share one.
    workflows: HashSet<WorkflowId>,
    calls: u64,
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
pub(super) struct Taken {
    pub(super) tasks: Vec<AcceptedTask>,
    pub(super) files: Vec<ClosedFile>,
}

/// Input for [`Desk`].
#[derive(Clone, Debug)]
pub(super) struct DeskOptions<'a> {
    pub(super) run: &'a RunId,
    pub(super) store: &'a RunStore,
    pub(super) decode: &'a DecodeOptions,
    pub(super) write: &'a WriteOptions,
    pub(super) judge: JudgeRules,
    pub(super) events: Events,
}

impl Desk {
    pub(super) fn new(options: DeskOptions<'_>) -> Result<Arc<Self>, LakeError> {
        let DeskOptions {
            run,
            store,
            decode,
            write,
            judge,
            events,
        } = options;
        let encoder = Arc::new(RowGroupEncoder::new(write, run)?);
        let count = write.workers.get();
        let crew =
            Crew::new(write.workers).map_err(|source| LakeError::Threads { count, source })?;
        let chunk_options = WriteBufferOptions::new(store.clone(), encoder, write);
        Ok(Arc::new(Self {
            run_id: run.as_str().into(),
            decode: decode.clone(),
            judge,
            events,
            chunk: WriteBuffer::new(chunk_options.clone()),
            chunk_options,
            gate: Arc::default(),
            crew,
            large_answers: LargeShare::new(write.memory_budget_bytes.get() / 2),
            accepted: Mutex::default(),
            decoders: Mutex::default(),
            rows: Mutex::default(),
            buffers: Mutex::default(),
            rejects: Mutex::new(Rejects {
                shared: RejectWriter::new(store.clone()),
                adopted: Vec::new(),
            }),
            misfits: Mutex::default(),
            zone: Mutex::default(),
        }))
    }

    /// Runs work on a thread of the crew. A panic there is resumed here.
    pub(super) async fn on_thread<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> T {
        self.crew.begin(work).await.end().await
    }

    /// As [`Self::on_thread`], holding the gate's read lock: for work that accepts tasks.
    pub(super) async fn through_gate<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> T {
        let open = Arc::clone(&self.gate).read_owned().await;
        let work = move || {
            let _open = open;
            work()
        };
        self.on_thread(work).await
    }

    /// Reserves memory for the plan, at most a quarter of the budget, out of that for rows. The
    /// reservation lasts for the whole run, since the ledger grows as the plan shrinks.
    pub(super) fn set_aside(&self, plan_bytes: usize) {
        let most = self.chunk_options.memory_bytes / 4;
        self.chunk.reserve(plan_bytes.min(most));
    }

    /// Runs `work` with a decoder of the pool.
    pub(super) fn with_decoder<T>(&self, work: impl FnOnce(&mut RecordDecoder) -> T) -> T {
        let pooled = lock(&self.decoders).pop();
        let mut decoder = pooled.unwrap_or_else(|| RecordDecoder::new(&self.decode));
        let result = work(&mut decoder);
        lock(&self.decoders).push(decoder);
        result
    }

    /// An empty row buffer, reused from the pool if possible.
    pub(super) fn borrow_rows(&self) -> Rows {
        lock(&self.rows).pop().unwrap_or_default()
    }

    /// Returns an empty row buffer to the pool.
    pub(super) fn give_back_rows(&self, rows: Rows) {
        lock(&self.rows).push(rows);
    }

    /// An empty buffer for a response's text, reused from the pool if possible.
    pub(super) fn borrow_buffer(&self) -> Vec<u8> {
        lock(&self.buffers).pop().unwrap_or_default()
    }

    /// Returns a buffer to the pool; its content is discarded.
    pub(super) fn give_back_buffer(&self, mut buffer: Vec<u8>) {
        if buffer.capacity() <= MOST_BUFFER_BYTES {
            buffer.clear();
            let mut buffers = lock(&self.buffers);
            if buffers.len() < MOST_BUFFERS {
                buffers.push(buffer);
            }
        }
    }

    /// Adds a task to the accepted ones and returns its ordinal; `None` if it is already among them
    /// (saved responses may contain a task twice; the ledger covers committed tasks). Call it with
    /// the gate's read lock held, and fill in the counts with [`Self::complete`] before releasing
    /// the lock.
    pub(super) fn accept(&self, mut task: AcceptedTask) -> Option<TaskOrdinal> {
        let mut accepted = lock(&self.accepted);
        if !accepted.ids.insert(task.id.clone()) {
            return None;
        }
        if let Some(workflow) = &mut task.facts.workflow {
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

    /// Records the outcome of an accepted task's rows.
    pub(super) fn complete(&self, ordinal: TaskOrdinal, change: impl FnOnce(&mut AcceptedTask)) {
        let mut accepted = lock(&self.accepted);
        if let Some(task) = accepted.tasks.get_mut(ordinal as usize) {
            change(task);
            let calls = task.calls;
            accepted.calls += calls;
        }
    }

    /// Adds values that did not fit their columns.
    pub(super) fn note_misfits(&self, misfits: &Misfits) {
        lock(&self.misfits).merge(misfits);
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
    pub(super) async fn take(self: &Arc<Self>) -> Result<Taken, LakeError> {
        let (tasks, unclosed, rejects) = {
            let _closed = self.gate.write().await;
            let unclosed = self.drain().await?;
            let tasks = std::mem::take(&mut *lock(&self.accepted)).tasks;
            let mut rejects = lock(&self.rejects);
            let shared = std::mem::replace(&mut rejects.shared, self.reject_writer());
            let mut all = std::mem::take(&mut rejects.adopted);
            all.push(shared);
            (tasks, unclosed, all)
        };
        // Mostly waits for the disk, so it does not use the crew.
        let threads = self.crew.size().max(4);
        let sealed = blocking(move || {
            // Frees the memory of the encoded rows before the commit allocates its own.
            allocator::give_back();
            let sealed = unclosed.close(threads)?;
            rejects.into_iter().try_for_each(RejectWriter::finish)?;
            Ok(sealed)
        });
        let files = sealed.await?.files;
        Ok(Taken { tasks, files })
    }

    /// Encodes all waiting rows on the whole crew: their memory belongs to the arenas of its
    /// threads.
    async fn drain(self: &Arc<Self>) -> Result<UnclosedFiles, LakeError> {
        let desk = Arc::clone(self);
        let waiting = self.on_thread(move || desk.chunk.take_rows()).await?;
        let waiting = Arc::new(waiting);
        let mut works = Vec::new();
        for _ in 0..self.crew.size() {
            let (desk, waiting) = (Arc::clone(self), Arc::clone(&waiting));
            let work = move || desk.chunk.encode(&waiting);
            works.push(self.crew.begin(work).await);
        }
        let mut result = Ok(());
        for mut work in works {
            result = result.and(work.end().await);
        }
        result?;
        Ok(self.chunk.take_files())
    }
}

/// Converts microseconds since 1970 to a time.
pub(super) fn moment(micros: i64) -> Option<DateTime<Utc>> {
    DateTime::from_timestamp_micros(micros)
}
