//! Reads one response, from the API or a file, from bytes to rows.
//!
//! A small response is buffered as text until it is complete and then decoded in one call. A larger
//! one is decoded in runs of entries; if no thread is free for a run, the sender has to wait.

use std::collections::VecDeque;
use std::sync::Arc;

use super::accept::{self, AnswerOrigin, Classified, LargeTask};
use super::pending::PendingCommit;
use super::worker_pool::JobHandle;
use crate::decode::{AnswerSplitter, Piece, SplitEnd, SplitError, SplitOptions, early_task_id};
use crate::lake::LakeError;

/// A response with less text than this is small.
const RUN_BYTES: usize = 1 << 20;
/// A response with no more text than this is decoded on the receiving thread: it takes some tens of
/// microseconds, less than waking another thread twice.
const TINY_BYTES: usize = 32 << 10;

/// Why a response could not be read.
#[derive(Debug, thiserror::Error)]
pub(super) enum ReadError {
    /// Its text is invalid.
    #[error(transparent)]
    Text(#[from] SplitError),
    /// It is large, its task is not known, and the task's id does not come before the rows.
    #[error("the answer does not name its task before its calls")]
    LateTaskId,
    /// Too many of its entries are not calls, or are too large; neither they nor the response are
    /// kept.
    #[error(
        "its entries that are no calls or are over `max_record_size` take more than {0} bytes; \
         `max_rejects_size` under [write] sets the limit"
    )]
    TooManyRejects(u64),
    /// The lake failed while rows were written.
    #[error("store the answer's rows")]
    Lake(#[from] LakeError),
}

/// Reads one response.
#[derive(Debug)]
pub(super) struct AnswerReader {
    pending: Arc<PendingCommit>,
    origin: AnswerOrigin,
    split: AnswerSplitter,
    large: Option<LargeReader>,
}

impl AnswerReader {
    pub(super) fn new(pending: Arc<PendingCommit>, origin: AnswerOrigin) -> Self {
        let split = AnswerSplitter::new(SplitOptions {
            batch_bytes: RUN_BYTES,
            max_record_bytes: pending.decode.max_record_bytes.get(),
        });
        Self {
            pending,
            origin,
            split,
            large: None,
        }
    }

    /// Reads the next bytes. Awaiting it applies back-pressure.
    pub(super) async fn push(&mut self, bytes: &[u8]) -> Result<(), ReadError> {
        if self.split.wants_buffer() {
            self.split.reuse(self.pending.take_buffer());
        }
        self.split.push(bytes)?;
        let pieces: Vec<Piece> = self.split.pieces().collect();
        for piece in pieces {
            self.large()?.submit(piece).await?;
        }
        self.large
            .as_ref()
            .map_or(Ok(()), LargeReader::check_rejects)
    }

    fn large(&mut self) -> Result<&mut LargeReader, ReadError> {
        let large = match self.large.take() {
            Some(large) => large,
            None => {
                let task = match &self.origin.expected {
                    Some(task) => task.clone(),
                    None => early_task_id(self.split.envelope()).ok_or(ReadError::LateTaskId)?,
                };
                LargeReader {
                    task: Arc::new(LargeTask::new(&self.pending, task)),
                    pending: Arc::clone(&self.pending),
                    received_at_micros: self.origin.received_at_micros,
                    work: VecDeque::new(),
                }
            }
        };
        Ok(self.large.insert(large))
    }

    /// Finishes the response and classifies it.
    pub(super) async fn finish(self) -> Result<Classified, ReadError> {
        let Self {
            pending,
            origin,
            split,
            large,
        } = self;
        let mut ended = split.finish()?;
        let Some(mut large) = large else {
            return Ok(finish_small(&pending, ended, origin).await?);
        };
        let rest = std::mem::take(&mut ended.rest);
        if !rest.ends.is_empty() {
            large.submit(Piece::Batch(rest)).await?;
        }
        let task = large.join().await?;
        let of_thread = Arc::clone(&pending);
        let classified = pending.on_accepting_thread(move |accepting| {
            accept::large(
                &of_thread,
                accepting,
                task,
                ended.entries,
                &ended.envelope,
                &origin,
            )
        });
        Ok(classified.await?)
    }

    /// Discards the response once no run is in progress. If it was abandoned because of its
    /// rejects, those kept so far remain as a sample.
    pub(super) async fn abandon(self) {
        if let Some(large) = self.large {
            large.abandon().await;
        }
    }
}

/// Classifies and decodes a response that was buffered whole: on the calling thread if it is tiny
/// and a thread is free, else on a thread of the pool.
async fn finish_small(
    pending: &Arc<PendingCommit>,
    ended: SplitEnd,
    origin: AnswerOrigin,
) -> Result<Classified, LakeError> {
    if ended.rest.bytes.len() <= TINY_BYTES {
        let tiny = pending
            .workers
            .try_run_inline(|| accept::tiny(pending, &ended, &origin));
        if let Some(tiny) = tiny.flatten() {
            let classified = match tiny {
                Ok((classified, true)) => {
                    let of_thread = Arc::clone(pending);
                    let relieved = pending
                        .on_accepting_thread(move |accepting| {
                            accept::flush_if_over_budget(&of_thread, accepting)
                        })
                        .await;
                    relieved.map(|()| classified)
                }
                Ok((classified, false)) => Ok(classified),
                Err(error) => Err(error),
            };
            pending.put_buffer(ended.rest.bytes);
            return classified;
        }
    }
    let of_thread = Arc::clone(pending);
    let classified = pending.on_accepting_thread(move |accepting| {
        let classified = accept::small(&of_thread, accepting, &ended, &origin);
        of_thread.put_buffer(ended.rest.bytes);
        classified
    });
    classified.await
}

/// A response that is decoded in runs while it arrives.
#[derive(Debug)]
struct LargeReader {
    pending: Arc<PendingCommit>,
    task: Arc<LargeTask>,
    received_at_micros: i64,
    work: VecDeque<JobHandle<Result<(), LakeError>>>,
}

impl LargeReader {
    /// Stops a response that consists mostly of rejects: they would fill the disk.
    fn check_rejects(&self) -> Result<(), ReadError> {
        let limit = self.task.too_many_rejects();
        limit.map_or(Ok(()), |limit| Err(ReadError::TooManyRejects(limit)))
    }

    async fn submit(&mut self, piece: Piece) -> Result<(), ReadError> {
        // The pieces of an oversize entry are stored in order, one after the other.
        let in_order = matches!(piece, Piece::Oversize { .. });
        // At most one run per thread is really in progress.
        let at_once = if in_order {
            1
        } else {
            2 * self.pending.workers.size()
        };
        while self.work.len() >= at_once {
            self.await_oldest().await?;
        }
        let (pending, task) = (Arc::clone(&self.pending), Arc::clone(&self.task));
        let received_at_micros = self.received_at_micros;
        let limit = self.pending.decode.max_record_bytes.get();
        let work = move || match piece {
            Piece::Batch(run) => {
                let decoded = task.decode(&pending, &run, received_at_micros);
                pending.put_buffer(run.bytes);
                decoded
            }
            Piece::Oversize { index, bytes, last } => {
                task.keep_oversize(index, limit, &bytes, last)
            }
        };
        let job = self.pending.workers.submit(work).await;
        self.work.push_back(job);
        Ok(())
    }

    async fn await_oldest(&mut self) -> Result<(), ReadError> {
        let Some(oldest) = self.work.front_mut() else {
            return Ok(());
        };
        let result = oldest.join().await;
        self.work.pop_front();
        Ok(result?)
    }

    /// Waits for all runs. If there are too many rejects, a sample of them is kept.
    async fn join(mut self) -> Result<LargeTask, ReadError> {
        while !self.work.is_empty() {
            self.await_oldest().await?;
        }
        if let Err(error) = self.check_rejects() {
            self.abandon().await;
            return Err(error);
        }
        Ok(Arc::into_inner(self.task).expect("its last work has ended"))
    }

    async fn abandon(mut self) {
        while let Some(mut oldest) = self.work.pop_front() {
            // Its rows are discarded, and so is its error.
            let _ = oldest.join().await;
        }
        if self.check_rejects().is_err()
            && let Some(task) = Arc::into_inner(self.task)
        {
            let of_thread = Arc::clone(&self.pending);
            let kept = self.pending.on_thread(move || task.keep_sample(&of_thread));
            // It is only a sample, and a failure here fails the next commit too.
            let _ = kept.await;
        }
    }
}
