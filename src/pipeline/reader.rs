//! Reads one response, from the API or a file, from bytes to rows.
//!
//! A small response is buffered as text until it is complete and then decoded in one call. A larger
//! one is decoded in runs of entries; if no thread is free for a run, the sender has to wait.

use std::collections::VecDeque;
use std::sync::Arc;

use super::crew::Begun;
use super::desk::Desk;
use super::judge::{self, AnswerOrigin, Judged, LargeTask};
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
    desk: Arc<Desk>,
    origin: AnswerOrigin,
    split: AnswerSplitter,
    large: Option<Arc<LargeTask>>,
    work: VecDeque<Begun<Result<(), LakeError>>>,
}

impl AnswerReader {
    pub(super) fn new(desk: Arc<Desk>, origin: AnswerOrigin) -> Self {
        let split = AnswerSplitter::new(SplitOptions {
            batch_bytes: RUN_BYTES,
            max_record_bytes: desk.decode.max_record_bytes.get(),
        });
        Self {
            desk,
            origin,
            split,
            large: None,
            work: VecDeque::new(),
        }
    }

    /// Reads the next bytes. Awaiting it applies back-pressure.
    pub(super) async fn push(&mut self, bytes: &[u8]) -> Result<(), ReadError> {
        if self.split.wants_buffer() {
            self.split.reuse(self.desk.borrow_buffer());
        }
        self.split.push(bytes)?;
        let pieces: Vec<Piece> = self.split.pieces().collect();
        for piece in pieces {
            self.piece(piece).await?;
        }
        self.check_rejects()
    }

    /// Stops a response that consists mostly of rejects: they would fill the disk.
    fn check_rejects(&self) -> Result<(), ReadError> {
        let limit = self
            .large
            .as_ref()
            .and_then(|large| large.too_many_rejects());
        limit.map_or(Ok(()), |limit| Err(ReadError::TooManyRejects(limit)))
    }

    async fn piece(&mut self, piece: Piece) -> Result<(), ReadError> {
        let large = self.large()?;
        // The pieces of an oversize entry are stored in order, one after the other.
        let in_order = matches!(piece, Piece::Oversize { .. });
        // At most one run per thread is really in progress.
        let at_once = if in_order {
            1
        } else {
            2 * self.desk.crew.size()
        };
        while self.work.len() >= at_once {
            self.await_oldest().await?;
        }
        let desk = Arc::clone(&self.desk);
        let received_at_micros = self.origin.received_at_micros;
        let limit = self.desk.decode.max_record_bytes.get();
        let work = move |desk: &Desk| match piece {
            Piece::Batch(run) => {
                let decoded = large.decode(desk, (&run, received_at_micros));
                desk.give_back_buffer(run.bytes);
                decoded
            }
            Piece::Oversize { index, bytes, last } => {
                large.keep_oversize((index, limit), (&bytes, last))
            }
        };
        let crew = Arc::clone(&self.desk);
        let begun = crew.crew.begin(move || work(&desk)).await;
        self.work.push_back(begun);
        Ok(())
    }

    fn large(&mut self) -> Result<Arc<LargeTask>, ReadError> {
        if let Some(large) = &self.large {
            return Ok(Arc::clone(large));
        }
        let task = match &self.origin.expected {
            Some(task) => task.clone(),
            None => early_task_id(self.split.envelope()).ok_or(ReadError::LateTaskId)?,
        };
        let large = Arc::new(LargeTask::new(&self.desk, task));
        self.large = Some(Arc::clone(&large));
        Ok(large)
    }

    async fn await_oldest(&mut self) -> Result<(), ReadError> {
        let Some(oldest) = self.work.front_mut() else {
            return Ok(());
        };
        let result = oldest.end().await;
        self.work.pop_front();
        Ok(result?)
    }

    /// Finishes the response and classifies it. The reader cannot be used for another response.
    pub(super) async fn finish(&mut self) -> Result<Judged, ReadError> {
        let fresh = Self::new(Arc::clone(&self.desk), self.origin.clone());
        let mut this = std::mem::replace(self, fresh);
        let mut ended = std::mem::replace(
            &mut this.split,
            AnswerSplitter::new(SplitOptions {
                batch_bytes: RUN_BYTES,
                max_record_bytes: 1,
            }),
        )
        .finish()?;
        let desk = Arc::clone(&this.desk);
        let origin = this.origin.clone();
        if this.large.is_none() {
            if let Some(judged) = this.at_once(&ended).await {
                desk.give_back_buffer(ended.rest.bytes);
                return Ok(judged?);
            }
            let judge = move || {
                let judged = judge::small(&desk, &ended, &origin);
                desk.give_back_buffer(ended.rest.bytes);
                judged
            };
            return Ok(this.desk.through_gate(judge).await?);
        }
        let rest = std::mem::take(&mut ended.rest);
        if !rest.ends.is_empty() {
            this.piece(Piece::Batch(rest)).await?;
        }
        while !this.work.is_empty() {
            this.await_oldest().await?;
        }
        if let Err(error) = this.check_rejects() {
            *self = this;
            return Err(error);
        }
        let large = this
            .large
            .take()
            .and_then(Arc::into_inner)
            .expect("its last work has ended");
        let judged = this
            .desk
            .through_gate(move || {
                judge::large(&desk, (large, ended.entries), (&ended.envelope, &origin))
            })
            .await?;
        Ok(judged)
    }

    /// Classifies and decodes a response on the calling thread, if it is tiny and no run is in
    /// progress.
    async fn at_once(&self, ended: &SplitEnd) -> Option<Result<Judged, LakeError>> {
        if ended.rest.bytes.len() > TINY_BYTES {
            return None;
        }
        let judge = || judge::tiny(&self.desk, ended, &self.origin);
        let judged = self.desk.crew.here(judge)??;
        match judged {
            Ok((judged, true)) => {
                let desk = Arc::clone(&self.desk);
                let relieved = self.desk.through_gate(move || judge::relieve(&desk)).await;
                Some(relieved.map(|()| judged))
            }
            Ok((judged, false)) => Some(Ok(judged)),
            Err(error) => Some(Err(error)),
        }
    }

    /// Discards the response once no run is in progress. If it was abandoned because of its
    /// rejects, those kept so far remain as a sample.
    pub(super) async fn abandon(&mut self) {
        while let Some(mut oldest) = self.work.pop_front() {
            // Its rows are discarded, and so is its error.
            let _ = oldest.end().await;
        }
        if self.check_rejects().is_err()
            && let Some(large) = self.large.take().and_then(Arc::into_inner)
        {
            let desk = Arc::clone(&self.desk);
            let kept = self.desk.on_thread(move || large.keep_sample(&desk));
            // It is only a sample, and a failure here fails the next commit too.
            let _ = kept.await;
        }
        *self = Self::new(Arc::clone(&self.desk), self.origin.clone());
    }
}
