//! Passes a task's response from the API to the reader, attempt by attempt, and stores failed
//! responses as rejects.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use bytes::Bytes;
use sha2::{Digest as _, Sha256};

use super::accept::{AnswerDisposition, AnswerOrigin, KnownTask, UnusableAnswer};
use super::pending::PendingCommit;
use super::reader::{AnswerReader, ReadError};
use crate::api::{AnswerFault, AnswerSink, Attempt, BodyShape, Verdict};
use crate::lake::LakeError;
use crate::lake::write::{Reject, RejectWriter};
use crate::sync::lock;
use crate::task::TaskId;

/// Why a response is not taken.
type SinkFault = AnswerFault<LakeError>;

/// Bodies up to this size are kept in memory until they are classified.
const KEPT_BYTES: usize = 1 << 20;

/// Bytes at the start of a body that identify its format.
const BEGIN_BYTES: usize = 64;

/// Pages without the API's envelope that a run has kept, by content: many copies of one page are
/// kept once.
#[derive(Debug, Default)]
pub(super) struct KeptPages(Mutex<HashMap<[u8; 32], TaskId>>);

impl KeptPages {
    /// The task whose reject already holds this page, if any; otherwise registers this task.
    fn note(&self, page: [u8; 32], task: &TaskId) -> Option<TaskId> {
        let mut kept = lock(&self.0);
        if let Some(other) = kept.get(&page) {
            return Some(other.clone());
        }
        kept.insert(page, task.clone());
        None
    }
}

/// Receives the responses for one task.
#[derive(Debug)]
pub(super) struct TaskSink {
    pending: Arc<PendingCommit>,
    task: TaskId,
    known: KnownTask,
    /// Since a response began.
    reader: Option<AnswerReader>,
    is_last: bool,
    fault: Option<SinkFault>,
    body: ResponseText,
    pages: Arc<KeptPages>,
}

/// The response as text, as far as a reject needs it.
#[derive(Debug, Default)]
struct ResponseText {
    /// Its first bytes after white space.
    begin: Vec<u8>,
    /// Of the whole body, once it is known not to be an envelope.
    hash: Option<Sha256>,
    kept: Vec<Bytes>,
    bytes: usize,
    file: Option<RejectWriter>,
    /// Bytes in the file.
    in_file: usize,
    /// The body exceeds the limit: the file holds only its start.
    is_cut: bool,
    /// It was read to its end, or to the limit.
    complete: bool,
}

impl TaskSink {
    pub(super) fn new(
        pending: Arc<PendingCommit>,
        task: TaskId,
        known: KnownTask,
        pages: Arc<KeptPages>,
    ) -> Self {
        let (fault, body) = (None, ResponseText::default());
        Self {
            pending,
            task,
            known,
            reader: None,
            is_last: false,
            fault,
            body,
            pages,
        }
    }

    /// Discards what was read of a response, once no work on it is in progress.
    async fn drop_reader(&mut self) {
        if let Some(reader) = self.reader.take() {
            reader.abandon().await;
        }
    }

    /// Keeps the next piece of the body: in memory while it is small, in a file on the last
    /// attempt, otherwise not at all.
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
            .unwrap_or_else(|| self.pending.reject_writer());
        let (file, kept) = self
            .pending
            .on_thread(move || {
                let kept = pieces.iter().try_for_each(|piece| file.keep_piece(piece));
                (file, kept)
            })
            .await;
        self.body.file = Some(file);
        kept
    }

    /// Maximum size of a body that is kept: at least what is kept in memory in any case.
    fn most_kept(&self) -> usize {
        let most = self.pending.decode.max_reject_bytes.get();
        usize::try_from(most).unwrap_or(usize::MAX).max(KEPT_BYTES)
    }

    /// The reason of a failed response, with how much of it is kept.
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

    /// Stores the whole body as a reject, or its start if it exceeds the limit, if it is available;
    /// returns whether it was.
    async fn reject(&mut self, reason: &str) -> Result<bool, LakeError> {
        let body = std::mem::take(&mut self.body);
        if !body.complete {
            return Ok(false);
        }
        let (pending, task, reason) = (
            Arc::clone(&self.pending),
            self.task.clone(),
            reason.to_owned(),
        );
        let of_thread = Arc::clone(&pending);
        pending
            .on_thread(move || {
                let reject = Reject {
                    task_id: &task,
                    detail_index: None,
                    reason: &reason,
                };
                match body.file {
                    Some(mut file) => {
                        file.end_pieces(reject)?;
                        of_thread.adopt_rejects(file);
                        Ok(true)
                    }
                    None if body.bytes > KEPT_BYTES => Ok(false),
                    None => {
                        let whole = body.kept.concat();
                        of_thread.reject(|writer| writer.keep(reject, &whole))?;
                        Ok(true)
                    }
                }
            })
            .await
    }

    /// A failed response: rejected for good if it can be kept whole, retried otherwise.
    async fn bad(&mut self, reason: String) -> SinkFault {
        if !self.is_last && self.body.bytes > KEPT_BYTES {
            return SinkFault::NotJson { reason };
        }
        let reason = self.with_cut(reason);
        match self.reject(&reason).await {
            Ok(true) => SinkFault::Rejected { reason },
            Ok(false) => SinkFault::NotJson { reason },
            Err(error) => SinkFault::Fatal(error),
        }
    }

    /// A page that is not the API's envelope: retried, and kept once if this was the last attempt.
    async fn page(&mut self) -> SinkFault {
        let shape = BodyShape::of(&self.body.begin);
        if !self.is_last {
            return SinkFault::NoEnvelope {
                shape,
                kept_as: None,
            };
        }
        // A body in a file that was taken for an envelope is not a repeated page.
        let hash = (self.body.hash.is_some() || self.body.file.is_none()).then(|| self.body.hash());
        let known = hash.and_then(|hash| self.pages.note(hash.finalize().into(), &self.task));
        let kept_as = match known {
            Some(other) => {
                self.body = ResponseText::default();
                Some(other)
            }
            None => {
                let reason = self.with_cut(format!("no envelope of the API: {shape}"));
                match self.reject(&reason).await {
                    Ok(kept) => kept.then(|| self.task.clone()),
                    Err(error) => return SinkFault::Fatal(error),
                }
            }
        };
        SinkFault::NoEnvelope { shape, kept_as }
    }

    fn read_fault(&self, error: ReadError) -> SinkFault {
        match error {
            ReadError::Lake(error) => SinkFault::Fatal(error),
            // Retrying would not improve it.
            many @ ReadError::TooManyRejects(_) => SinkFault::Rejected {
                reason: many.to_string(),
            },
            other => match BodyShape::of(&self.body.begin) {
                // It starts like an envelope.
                BodyShape::ObjectWithoutCode => SinkFault::NotJson {
                    reason: other.to_string(),
                },
                shape => SinkFault::NoEnvelope {
                    shape,
                    kept_as: None,
                },
            },
        }
    }
}

impl ResponseText {
    /// Records its first bytes.
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

    /// The hash of the body so far. Later pieces must be added to it.
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

impl AnswerSink for TaskSink {
    type Output = AnswerDisposition;
    type Error = LakeError;

    async fn begin(&mut self, attempt: Attempt) -> Result<(), SinkFault> {
        self.drop_reader().await;
        self.reader = Some(AnswerReader::new(
            Arc::clone(&self.pending),
            AnswerOrigin {
                expected: Some(self.task.clone()),
                received_at_micros: attempt.received_at.timestamp_micros(),
                known: self.known.clone(),
                only_final: false,
            },
        ));
        self.is_last = attempt.is_last;
        self.fault = None;
        self.body = ResponseText::default();
        Ok(())
    }

    async fn chunk(&mut self, bytes: Bytes) -> Result<(), SinkFault> {
        if let Some(hash) = &mut self.body.hash {
            hash.update(&bytes);
        }
        self.keep(bytes.clone()).await.map_err(SinkFault::Fatal)?;
        if let Some(fault) = &self.fault {
            if !self.body.is_cut {
                return Ok(());
            }
            // It is kept as evidence, up to the limit; the rest would add nothing.
            let fault = match fault {
                SinkFault::NotJson { reason } => Some(self.with_cut(reason.clone())),
                _ => None,
            };
            self.body.complete = true;
            self.drop_reader().await;
            return Err(match fault {
                Some(reason) => match self.reject(&reason).await {
                    Ok(_) => SinkFault::Rejected { reason },
                    Err(error) => SinkFault::Fatal(error),
                },
                None => self.page().await,
            });
        }
        let reader = self.reader.as_mut();
        let reader = reader.expect("the client begins a response before it hands on its pieces");
        if let Err(error) = reader.push(&bytes).await {
            let fault = self.read_fault(error);
            if matches!(fault, SinkFault::Rejected { .. }) {
                self.drop_reader().await;
                self.body = ResponseText::default();
                return Err(fault);
            }
            // The last response is read to its end in any case: it is kept whole.
            if !self.is_last || matches!(fault, SinkFault::Fatal(_)) {
                return Err(fault);
            }
            if let (SinkFault::NoEnvelope { .. }, None) = (&fault, &self.body.file) {
                self.body.hash = Some(self.body.hash());
            }
            self.fault = Some(fault);
        }
        Ok(())
    }

    async fn finish(&mut self) -> Result<Verdict<AnswerDisposition>, SinkFault> {
        self.body.complete = true;
        let reader = self.reader.take();
        let classified = match self.fault.take() {
            Some(fault) => {
                if let Some(reader) = reader {
                    reader.abandon().await;
                }
                Err(fault)
            }
            None => {
                let reader = reader.expect("the client begins a response before it ends it");
                reader
                    .finish()
                    .await
                    .map_err(|error| self.read_fault(error))
            }
        };
        let classified = match classified {
            Ok(classified) => classified,
            Err(SinkFault::NoEnvelope { .. }) => return Err(self.page().await),
            Err(SinkFault::NotJson { reason }) => {
                let reason = self.with_cut(reason);
                if self.is_last {
                    self.reject(&reason).await.map_err(SinkFault::Fatal)?;
                }
                return Err(SinkFault::NotJson { reason });
            }
            Err(fault) => return Err(fault),
        };
        match classified {
            Ok(disposition) => Ok(Verdict::Complete(disposition)),
            Err(UnusableAnswer::NoCode) => Err(self.page().await),
            Err(UnusableAnswer::Refused(code)) => Ok(Verdict::Refused { code }),
            Err(UnusableAnswer::NoData) => Err(SinkFault::NoData),
            Err(UnusableAnswer::WrongTask) => Err(SinkFault::WrongTask),
            Err(UnusableAnswer::Bad(reason)) => Err(self.bad(reason).await),
        }
    }

    async fn abandon(&mut self) {
        self.drop_reader().await;
        self.body = ResponseText::default();
    }
}
