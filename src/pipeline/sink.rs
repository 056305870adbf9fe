//! A task's answer from the API into the reader, try after try, and what is kept of a bad one.

use std::sync::Arc;

use bytes::Bytes;

use super::desk::Desk;
use super::judge::{AnswerOrigin, Judged};
use super::reader::{AnswerReader, ReadError};
use crate::api::{AnswerFault, AnswerSink, Attempt, Verdict};
use crate::decode::TaskFacts;
use crate::lake::LakeError;
use crate::lake::write::{Reject, RejectWriter};
use crate::task::TaskId;

/// Bodies up to this long are kept in memory until they are judged.
const KEPT_BYTES: usize = 1 << 20;

/// What came of a task that was pulled.
#[derive(Debug)]
pub(super) enum Pulled {
    /// Its rows wait for the next commit.
    Accepted {
        /// Its calls.
        calls: u64,
        /// Entries of it that were rejected.
        rejects: u64,
    },
    /// It is not final.
    Left(TaskFacts),
    /// This run had it already.
    Twice,
}

/// Takes one task's answers.
#[derive(Debug)]
pub(super) struct TaskSink {
    desk: Arc<Desk>,
    task: TaskId,
    reader: AnswerReader,
    is_last: bool,
    fault: Option<AnswerFault>,
    body: Body,
}

/// The answer as text, as far as a reject of it would need it.
#[derive(Debug, Default)]
struct Body {
    kept: Vec<Bytes>,
    bytes: usize,
    file: Option<RejectWriter>,
    complete: bool,
}

impl TaskSink {
    pub(super) fn new(desk: Arc<Desk>, task: TaskId) -> Self {
        let origin = AnswerOrigin {
            expected: Some(task.clone()),
            received_at_micros: 0,
            only_final: false,
        };
        let reader = AnswerReader::new(Arc::clone(&desk), origin);
        let (fault, body) = (None, Body::default());
        Self {
            desk,
            task,
            reader,
            is_last: false,
            fault,
            body,
        }
    }

    /// Keeps the next piece of the body: in memory while it is small, in a file if nobody will ask
    /// again for it, not at all otherwise.
    async fn keep(&mut self, bytes: Bytes) -> Result<(), LakeError> {
        self.body.bytes += bytes.len();
        if self.body.bytes <= KEPT_BYTES {
            self.body.kept.push(bytes);
            return Ok(());
        }
        if !self.is_last {
            self.body.kept.clear();
            return Ok(());
        }
        let mut pieces = std::mem::take(&mut self.body.kept);
        pieces.push(bytes);
        let mut file = self
            .body
            .file
            .take()
            .unwrap_or_else(|| self.desk.reject_writer());
        let (file, kept) = self
            .desk
            .on_thread(move || {
                let kept = pieces.iter().try_for_each(|piece| file.keep_piece(piece));
                (file, kept)
            })
            .await;
        self.body.file = Some(file);
        kept
    }

    /// Keeps the whole body as a reject, if it is at hand; says whether it was.
    async fn reject(&mut self, reason: &str) -> Result<bool, LakeError> {
        let body = std::mem::take(&mut self.body);
        if !body.complete {
            return Ok(false);
        }
        let (desk, task, reason) = (Arc::clone(&self.desk), self.task.clone(), reason.to_owned());
        let desk_of_thread = Arc::clone(&desk);
        desk.on_thread(move || {
            let reject = Reject {
                task_id: &task,
                detail_index: None,
                reason: &reason,
            };
            match body.file {
                Some(mut file) => {
                    file.end_pieces(reject)?;
                    desk_of_thread.adopt_rejects(file);
                    Ok(true)
                }
                None if body.bytes > KEPT_BYTES => Ok(false),
                None => {
                    let whole = body.kept.concat();
                    desk_of_thread.reject(|writer| writer.keep(reject, &whole))?;
                    Ok(true)
                }
            }
        })
        .await
    }

    /// A bad answer: rejected for good if it can be kept whole, asked for again otherwise.
    async fn bad(&mut self, reason: String) -> AnswerFault {
        if !self.is_last && self.body.bytes > KEPT_BYTES {
            return AnswerFault::NotJson { reason };
        }
        match self.reject(&reason).await {
            Ok(true) => AnswerFault::Rejected { reason },
            Ok(false) => AnswerFault::NotJson { reason },
            Err(error) => fatal(error),
        }
    }

    fn read_fault(error: ReadError) -> AnswerFault {
        match error {
            ReadError::Lake(error) => fatal(error),
            other => AnswerFault::NotJson {
                reason: other.to_string(),
            },
        }
    }
}

fn fatal(error: LakeError) -> AnswerFault {
    AnswerFault::Fatal(Box::new(error))
}

impl AnswerSink for TaskSink {
    type Output = Pulled;

    async fn begin(&mut self, attempt: Attempt) -> Result<(), AnswerFault> {
        self.reader.abandon().await;
        self.reader = AnswerReader::new(
            Arc::clone(&self.desk),
            AnswerOrigin {
                expected: Some(self.task.clone()),
                received_at_micros: attempt.received_at.timestamp_micros(),
                only_final: false,
            },
        );
        self.is_last = attempt.is_last;
        self.fault = None;
        self.body = Body::default();
        Ok(())
    }

    async fn chunk(&mut self, bytes: Bytes) -> Result<(), AnswerFault> {
        self.keep(bytes.clone()).await.map_err(fatal)?;
        if self.fault.is_some() {
            return Ok(());
        }
        if let Err(error) = self.reader.push(&bytes).await {
            let fault = Self::read_fault(error);
            // The last answer is read to its end all the same: it is kept whole.
            if !self.is_last || matches!(fault, AnswerFault::Fatal(_)) {
                return Err(fault);
            }
            self.fault = Some(fault);
        }
        Ok(())
    }

    async fn finish(&mut self) -> Result<Verdict<Pulled>, AnswerFault> {
        self.body.complete = true;
        if let Some(fault) = self.fault.take() {
            self.reader.abandon().await;
            if let AnswerFault::NotJson { reason } = fault {
                return match self.reject(&reason).await {
                    Ok(_) => Err(AnswerFault::NotJson { reason }),
                    Err(error) => Err(fatal(error)),
                };
            }
            return Err(fault);
        }
        let judged = match self.reader.finish().await {
            Ok(judged) => judged,
            Err(error) => {
                let fault = Self::read_fault(error);
                if let (AnswerFault::NotJson { reason }, true) = (&fault, self.is_last) {
                    let reason = reason.clone();
                    self.reject(&reason).await.map_err(fatal)?;
                }
                return Err(fault);
            }
        };
        match judged {
            Judged::Accepted { calls, rejects, .. } => {
                Ok(Verdict::Complete(Pulled::Accepted { calls, rejects }))
            }
            Judged::Left(facts) => Ok(Verdict::Complete(Pulled::Left(facts))),
            Judged::Twice(_) => Ok(Verdict::Complete(Pulled::Twice)),
            Judged::Refused(code) => Ok(Verdict::Refused { code }),
            Judged::NoData => Err(AnswerFault::NoData),
            Judged::WrongTask => Err(AnswerFault::WrongTask),
            Judged::Bad(reason) => Err(self.bad(reason).await),
        }
    }

    async fn abandon(&mut self) {
        self.reader.abandon().await;
        self.body = Body::default();
    }
}
