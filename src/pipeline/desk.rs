//! What the threads that decode share: where accepted rows go, and what is known of their tasks.
//!
//! A task is accepted as a whole or not at all, and a commit never falls between: whoever accepts
//! holds the gate open, whoever commits closes it. It is waited for before a thread of the crew is
//! taken, so that all of them are there to encode what is committed.

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
    Chunk, ChunkOptions, ClosedFile, LargeShare, RejectWriter, UnclosedFiles,
};
use crate::lake::{LakeError, blocking};
use crate::store::RunStore;
use crate::sync::lock;
use crate::task::{RunId, TaskId, WorkflowId};

/// How answers are judged.
#[derive(Clone, Debug)]
pub(super) struct JudgeRules {
    /// Body codes of a good answer.
    pub(super) success_codes: Vec<i64>,
    /// Accept running tasks too.
    pub(super) include_running: bool,
    /// Accept answers with fewer calls than are sealed.
    pub(super) allow_fewer: bool,
    /// What time it is, and how long after its scheduled end a final task is settled.
    pub(super) rules: crate::discover::Rules,
}

/// A task whose answer was accepted.
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

/// Shared by all that decode and by the one that commits.
#[derive(Debug)]
pub(super) struct Desk {
    pub(super) run_id: Arc<str>,
    pub(super) decode: DecodeOptions,
    pub(super) judge: JudgeRules,
    pub(super) events: Events,
    pub(super) chunk_options: ChunkOptions,
    pub(super) chunk: Chunk,
    /// Read by whoever accepts, written by whoever takes all that was accepted.
    pub(super) gate: Arc<RwLock<()>>,
    /// Decodes and encodes.
    pub(super) crew: Crew,
    /// What the batches of all large answers may take in memory.
    pub(super) large_answers: Arc<LargeShare>,
    accepted: Mutex<Accepted>,
    decoders: Mutex<Vec<RecordDecoder>>,
    /// Empty ones, for runs of large answers.
    rows: Mutex<Vec<Rows>>,
    /// Empty ones, for the text of answers.
    buffers: Mutex<Vec<Vec<u8>>>,
    rejects: Mutex<Rejects>,
    misfits: Mutex<Misfits>,
    zone: Mutex<ZoneVerdict>,
}

/// Buffers that are kept, at most.
const MOST_BUFFERS: usize = 8;
/// A buffer that is larger than this is not kept.
const MOST_BUFFER_BYTES: usize = 2 << 20;

/// What an accepted task takes in memory until it is in the log, its share of the record and of what
/// is made of that included.
const TASK_BYTES: usize = 1 << 10;

/// Tasks accepted since the last commit.
#[derive(Debug, Default)]
struct Accepted {
    tasks: Vec<AcceptedTask>,
    ids: HashSet<TaskId>,
    /// Each once: many tasks are of the same one.
    workflows: HashSet<WorkflowId>,
    calls: u64,
}

/// What waits for a commit.
#[derive(Clone, Copy, Debug)]
pub(super) struct Waiting {
    pub(super) tasks: usize,
    pub(super) calls: u64,
}

impl Waiting {
    /// What the tasks take in memory beside their rows.
    pub(super) fn task_bytes(self) -> usize {
        self.tasks * TASK_BYTES
    }
}

#[derive(Debug)]
struct Rejects {
    shared: RejectWriter,
    adopted: Vec<RejectWriter>,
}

/// All that was accepted since the last commit, in durable files.
#[derive(Debug)]
pub(super) struct Taken {
    pub(super) tasks: Vec<AcceptedTask>,
    pub(super) files: Vec<ClosedFile>,
}

/// What a desk is made from.
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
        let chunk_options = ChunkOptions::new(store.clone(), encoder, write);
        Ok(Arc::new(Self {
            run_id: run.as_str().into(),
            decode: decode.clone(),
            judge,
            events,
            chunk: Chunk::new(chunk_options.clone()),
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

    /// Does work on a thread of the crew. A panic there goes on here.
    pub(super) async fn on_thread<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> T {
        self.crew.begin(work).await.end().await
    }

    /// As [`Self::on_thread`], with the gate held open: for work that accepts.
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

    /// Takes the memory of a plan, a quarter of the budget at most, from that of rows: for the whole
    /// run, since what becomes free of it as it is done, the ledger takes.
    pub(super) fn set_aside(&self, plan_bytes: usize) {
        let most = self.chunk_options.memory_bytes / 4;
        self.chunk.set_aside(plan_bytes.min(most));
    }

    /// Runs `work` with a decoder of the pool.
    pub(super) fn with_decoder<T>(&self, work: impl FnOnce(&mut RecordDecoder) -> T) -> T {
        let pooled = lock(&self.decoders).pop();
        let mut decoder = pooled.unwrap_or_else(|| RecordDecoder::new(&self.decode));
        let result = work(&mut decoder);
        lock(&self.decoders).push(decoder);
        result
    }

    /// Rows without content, whose memory was used before if possible.
    pub(super) fn borrow_rows(&self) -> Rows {
        lock(&self.rows).pop().unwrap_or_default()
    }

    /// Takes empty rows back.
    pub(super) fn give_back_rows(&self, rows: Rows) {
        lock(&self.rows).push(rows);
    }

    /// An empty buffer for an answer's text, whose memory was used before if possible.
    pub(super) fn borrow_buffer(&self) -> Vec<u8> {
        lock(&self.buffers).pop().unwrap_or_default()
    }

    /// Takes a buffer back; what it holds is of no more use.
    pub(super) fn give_back_buffer(&self, mut buffer: Vec<u8>) {
        if buffer.capacity() <= MOST_BUFFER_BYTES {
            buffer.clear();
            let mut buffers = lock(&self.buffers);
            if buffers.len() < MOST_BUFFERS {
                buffers.push(buffer);
            }
        }
    }

    /// Gives a task its number among the accepted ones; `None` if it is among them
    /// (a saved answer may be there twice; of one that is committed the ledger knows). Call it with the gate held open, and fill the numbers
    /// in with [`Self::complete`] before letting go of it.
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
        self.chunk.count(TASK_BYTES);
        let ordinal = TaskOrdinal::try_from(accepted.tasks.len())
            .expect("a commit is made long before four thousand million tasks");
        accepted.tasks.push(task);
        Some(ordinal)
    }

    /// Sets what became of an accepted task's rows.
    pub(super) fn complete(&self, ordinal: TaskOrdinal, change: impl FnOnce(&mut AcceptedTask)) {
        let mut accepted = lock(&self.accepted);
        if let Some(task) = accepted.tasks.get_mut(ordinal as usize) {
            change(task);
            let calls = task.calls;
            accepted.calls += calls;
        }
    }

    /// Adds to what did not fit.
    pub(super) fn note_misfits(&self, misfits: &Misfits) {
        lock(&self.misfits).merge(misfits);
    }

    /// Adds to what the answers say of the source time zone.
    pub(super) fn note_zone(&self, verdict: ZoneVerdict) {
        lock(&self.zone).add(verdict);
    }

    /// What the answers say of the source time zone so far.
    pub(super) fn zone(&self) -> ZoneVerdict {
        *lock(&self.zone)
    }

    /// All that did not fit so far.
    pub(super) fn misfits(&self) -> Misfits {
        lock(&self.misfits).clone()
    }

    /// Writes rejects where the next commit takes them.
    pub(super) fn reject(
        &self,
        write: impl FnOnce(&mut RejectWriter) -> Result<(), LakeError>,
    ) -> Result<(), LakeError> {
        write(&mut lock(&self.rejects).shared)
    }

    /// Takes in rejects that were written apart.
    pub(super) fn adopt_rejects(&self, rejects: RejectWriter) {
        if !rejects.is_empty() {
            lock(&self.rejects).adopted.push(rejects);
        }
    }

    /// A writer for rejects of one answer.
    pub(super) fn reject_writer(&self) -> RejectWriter {
        RejectWriter::new(self.chunk_options.store.clone())
    }

    /// What was accepted and waits for a commit.
    pub(super) fn waiting(&self) -> Waiting {
        let accepted = lock(&self.accepted);
        Waiting {
            tasks: accepted.tasks.len(),
            calls: accepted.calls,
        }
    }

    /// Takes all that was accepted, in durable files, with its rejects. Nobody accepts while rows
    /// are encoded.
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
        // Most of it is waiting for the disk, which is no work for the crew.
        let threads = self.crew.size().max(4);
        let sealed = blocking(move || {
            // What the commit needs would come on top of what the rows took.
            allocator::give_back();
            let sealed = unclosed.close(threads)?;
            rejects.into_iter().try_for_each(RejectWriter::finish)?;
            Ok(sealed)
        });
        let files = sealed.await?.files;
        Ok(Taken { tasks, files })
    }

    /// Encodes all rows that wait, with the whole crew: the memory they lie in is its threads'.
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

/// Microseconds since 1970 as a moment.
pub(super) fn moment(micros: i64) -> Option<DateTime<Utc>> {
    DateTime::from_timestamp_micros(micros)
}
