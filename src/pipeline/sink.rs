//! A task's answer from the API into the reader, try after try, and what is kept of a bad one.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use bytes::Bytes;
use sha2::{Digest as _, Sha256};

use super::crew::lock;
use super::desk::Desk;
use super::judge::{AnswerOrigin, FewerCalls, Judged, KnownTask};
use super::reader::{AnswerReader, ReadError};
use crate::api::{AnswerFault, AnswerSink, Attempt, BodyShape, Verdict};
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
    /// Its day is before `tasks.not_before`.
    Before(TaskFacts),
    /// This run had it already.
    Twice,
    /// It has fewer calls than are sealed: those stay.
    Fewer(FewerCalls),
    /// Its listing counts other calls than are sealed, its answer does not: they stay.
    AsSealed,
}

/// Bytes of a body's beginning that tell what it is.
const BEGIN_BYTES: usize = 64;

/// The pages without the API's envelope that a run has kept, by their content: a storm of one page is
/// kept once.
#[derive(Debug, Default)]
pub(super) struct KeptPages(Mutex<HashMap<[u8; 32], TaskId>>);

impl KeptPages {
    /// Whose reject holds this page already, if one does. From now on this task's does.
    fn note(&self, page: [u8; 32], task: &TaskId) -> Option<TaskId> {
        let mut kept = lock(&self.0);
        if let Some(other) = kept.get(&page) {
            return Some(other.clone());
        }
        kept.insert(page, task.clone());
        None
    }
}

/// Takes one task's answers.
#[derive(Debug)]
pub(super) struct TaskSink {
    desk: Arc<Desk>,
    task: TaskId,
    known: KnownTask,
    reader: AnswerReader,
    is_last: bool,
    fault: Option<AnswerFault>,
    body: Body,
    pages: Arc<KeptPages>,
}

/// The answer as text, as far as a reject of it would need it.
#[derive(Debug, Default)]
struct Body {
    /// Its first bytes after white space.
    begin: Vec<u8>,
    /// Of all of it, once it is known to be no envelope.
    hash: Option<Sha256>,
    kept: Vec<Bytes>,
    bytes: usize,
    file: Option<RejectWriter>,
    /// How much lies there.
    in_file: usize,
    /// There was more than may be kept: only its beginning lies in the file.
    is_cut: bool,
    /// It was read to its end, or as far as it may be kept.
    complete: bool,
}

impl TaskSink {
    pub(super) fn new(
        desk: Arc<Desk>,
        task: TaskId,
        (known, pages): (KnownTask, Arc<KeptPages>),
    ) -> Self {
        let origin = AnswerOrigin {
            expected: Some(task.clone()),
            received_at_micros: 0,
            known: known.clone(),
            only_final: false,
        };
        let reader = AnswerReader::new(Arc::clone(&desk), origin);
        let (fault, body) = (None, Body::default());
        Self {
            desk,
            task,
            known,
            reader,
            is_last: false,
            fault,
            body,
            pages,
        }
    }

    /// Keeps the next piece of the body: in memory while it is small, in a file if nobody will ask
    /// again for it, not at all otherwise.
    async fn keep(&mut self, bytes: Bytes) -> Result<(), LakeError> {
        self.body.begins(&bytes);
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
        for piece in &mut pieces {
            let room = self.most_kept() - self.body.in_file;
            self.body.is_cut |= piece.len() > room;
            piece.truncate(room);
            self.body.in_file += piece.len();
        }
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

    /// How much of a body is kept, at most: whatever is set, what is kept in memory anyway.
    fn most_kept(&self) -> usize {
        let most = self.desk.decode.max_reject_bytes.get();
        usize::try_from(most).unwrap_or(usize::MAX).max(KEPT_BYTES)
    }

    /// What is said of a bad answer, and of how much of it is kept.
    fn with_cut(&self, reason: String) -> String {
        if self.body.is_cut {
            format!(
                "{reason}; only its first {} bytes are kept, `max_rejects_size` sets the limit",
                self.body.in_file
            )
        } else {
            reason
        }
    }

    /// Keeps the whole body as a reject, or its beginning if it is very large, if it is at hand; says
    /// whether it was.
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
        let reason = self.with_cut(reason);
        match self.reject(&reason).await {
            Ok(true) => AnswerFault::Rejected { reason },
            Ok(false) => AnswerFault::NotJson { reason },
            Err(error) => fatal(error),
        }
    }

    /// A page that is not the API's envelope: asked for again, and kept once if nobody will.
    async fn page(&mut self) -> AnswerFault {
        let shape = BodyShape::of(&self.body.begin);
        if !self.is_last {
            return AnswerFault::NoEnvelope {
                shape,
                kept_as: None,
            };
        }
        // What lies in a file already and was taken for an envelope is no page that storms.
        let hash = (self.body.hash.is_some() || self.body.file.is_none()).then(|| self.body.hash());
        let known = hash.and_then(|hash| self.pages.note(hash.finalize().into(), &self.task));
        let kept_as = match known {
            Some(other) => {
                self.body = Body::default();
                Some(other)
            }
            None => {
                let reason = self.with_cut(format!("no envelope of the API: {shape}"));
                match self.reject(&reason).await {
                    Ok(kept) => kept.then(|| self.task.clone()),
                    Err(error) => return fatal(error),
                }
            }
        };
        AnswerFault::NoEnvelope { shape, kept_as }
    }

    fn read_fault(&self, error: ReadError) -> AnswerFault {
        match error {
            ReadError::Lake(error) => fatal(error),
            // Nothing of it gets better by asking again.
            many @ ReadError::TooManyRejects(_) => AnswerFault::Rejected {
                reason: many.to_string(),
            },
            other => match BodyShape::of(&self.body.begin) {
                // It begins as an envelope does.
                BodyShape::ObjectWithoutCode => AnswerFault::NotJson {
                    reason: other.to_string(),
                },
                shape => AnswerFault::NoEnvelope {
                    shape,
                    kept_as: None,
                },
            },
        }
    }
}

impl Body {
    /// Notes how it begins.
    fn begins(&mut self, bytes: &[u8]) {
        if self.begin.len() < BEGIN_BYTES {
            let bytes = if self.begin.is_empty() {
                bytes.trim_ascii_start()
            } else {
                bytes
            };
            let rest = (BEGIN_BYTES - self.begin.len()).min(bytes.len());
            self.begin.extend_from_slice(&bytes[..rest]);
        }
    }

    /// The hash of what is there so far. What comes from now on is to be added to it.
    fn hash(&mut self) -> Sha256 {
        let of_kept = || {
            self.kept.iter().fold(Sha256::new(), |mut hash, piece| {
                hash.update(piece);
                hash
            })
        };
        self.hash.take().unwrap_or_else(of_kept)
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
                known: self.known.clone(),
                only_final: false,
            },
        );
        self.is_last = attempt.is_last;
        self.fault = None;
        self.body = Body::default();
        Ok(())
    }

    async fn chunk(&mut self, bytes: Bytes) -> Result<(), AnswerFault> {
        if let Some(hash) = &mut self.body.hash {
            hash.update(&bytes);
        }
        self.keep(bytes.clone()).await.map_err(fatal)?;
        if let Some(fault) = &self.fault {
            if !self.body.is_cut {
                return Ok(());
            }
            // It is kept to show what it is, as far as it may be; the rest would show no more.
            let fault = match fault {
                AnswerFault::NotJson { reason } => Some(self.with_cut(reason.clone())),
                _ => None,
            };
            self.body.complete = true;
            self.reader.abandon().await;
            return Err(match fault {
                Some(reason) => match self.reject(&reason).await {
                    Ok(_) => AnswerFault::Rejected { reason },
                    Err(error) => fatal(error),
                },
                None => self.page().await,
            });
        }
        if let Err(error) = self.reader.push(&bytes).await {
            let fault = self.read_fault(error);
            if matches!(fault, AnswerFault::Rejected { .. }) {
                self.reader.abandon().await;
                self.body = Body::default();
                return Err(fault);
            }
            // The last answer is read to its end all the same: it is kept whole.
            if !self.is_last || matches!(fault, AnswerFault::Fatal(_)) {
                return Err(fault);
            }
            if let (AnswerFault::NoEnvelope { .. }, None) = (&fault, &self.body.file) {
                self.body.hash = Some(self.body.hash());
            }
            self.fault = Some(fault);
        }
        Ok(())
    }

    async fn finish(&mut self) -> Result<Verdict<Pulled>, AnswerFault> {
        self.body.complete = true;
        let judged = match self.fault.take() {
            Some(fault) => {
                self.reader.abandon().await;
                Err(fault)
            }
            None => self
                .reader
                .finish()
                .await
                .map_err(|error| self.read_fault(error)),
        };
        let judged = match judged {
            Ok(judged) => judged,
            Err(AnswerFault::NoEnvelope { .. }) => return Err(self.page().await),
            Err(fault @ AnswerFault::Rejected { .. }) => {
                self.reader.abandon().await;
                return Err(fault);
            }
            Err(AnswerFault::NotJson { reason }) => {
                let reason = self.with_cut(reason);
                if self.is_last {
                    self.reject(&reason).await.map_err(fatal)?;
                }
                return Err(AnswerFault::NotJson { reason });
            }
            Err(fault) => return Err(fault),
        };
        match judged {
            Judged::Accepted { calls, rejects, .. } => {
                Ok(Verdict::Complete(Pulled::Accepted { calls, rejects }))
            }
            Judged::Left(facts) => Ok(Verdict::Complete(Pulled::Left(facts))),
            Judged::Before(facts) => Ok(Verdict::Complete(Pulled::Before(facts))),
            Judged::Twice(_) => Ok(Verdict::Complete(Pulled::Twice)),
            Judged::Fewer(_, fewer) => Ok(Verdict::Complete(Pulled::Fewer(fewer))),
            Judged::AsSealed => Ok(Verdict::Complete(Pulled::AsSealed)),
            Judged::NoCode => Err(self.page().await),
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
