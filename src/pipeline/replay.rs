//! Imports saved responses into the lake, without the API.

mod answers;
mod files;
mod survey;

use std::io::{self, Read as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use tokio::task::JoinSet;

use super::accept::{AnswerDisposition, AnswerOrigin, Classified, KnownTask};
use super::commit::{Committer, Observations};
use super::pending::PendingCommit;
use super::pull::CommitPace;
use super::reader::{AnswerReader, ReadError};
use super::stop::StopSwitch;
use super::summary::{FailedPull, Summary};
use crate::calendar::day_of;
use crate::discover::Reason;
use crate::event::Event;
use crate::lake::write::Reject;
use crate::lake::{LakeError, OpenTask};
use crate::shard::Shard;
use crate::task::TaskId;

pub use answers::{NamedAnswer, SavedAnswers, bucket_and_key, saved_answers};
pub use files::ReplayInputError;
use files::{READ_BYTES, read_full};
use survey::Ids;

/// Outcome of one file.
#[derive(Debug)]
enum Step {
    /// It was read to its end.
    Read(Classified),
    /// Its text is invalid: rejected whole.
    Bad {
        task: Option<TaskId>,
        reason: String,
    },
    /// It could not be read.
    Unread(io::Error),
}

/// One of the files.
#[derive(Clone, Copy)]
struct AnswerFile<'a> {
    answers: &'a SavedAnswers,
    number: u32,
}

impl<'a> AnswerFile<'a> {
    fn path(self) -> &'a PathBuf {
        &self.answers.names[self.number as usize]
    }
}

/// Files, sorted by how they are processed.
#[derive(Debug, Default)]
struct SortedFiles {
    candidates: Vec<u32>,
    sealed: u64,
    others: u64,
}

pub(super) struct Replayer {
    pub(super) pending: Arc<PendingCommit>,
    pub(super) committer: Committer,
    pub(super) pace: CommitPace,
    pub(super) stop: StopSwitch,
    pub(super) replace: bool,
    pub(super) shard: Option<Shard>,
    pub(super) received_at_micros: i64,
}

impl Replayer {
    /// Processes all files. Every complete task is committed when this returns.
    pub(super) async fn replay(
        mut self,
        answers: SavedAnswers,
        summary: &mut Summary,
    ) -> Result<Committer, LakeError> {
        let files = Arc::clone(&answers.names);
        let at_once = answers.at_once(self.pending.workers.size());
        let mut observations = Observations::default();
        let mut running = JoinSet::new();
        let ids = survey::ids(&self.pending, &answers, &self.stop).await;
        let mut sorted = self.sort_out(&files, &ids);
        let candidates = std::mem::take(&mut sorted.candidates);
        let (chosen, superseded) =
            survey::choose(&self.pending, &answers, &ids, candidates, &self.stop).await;
        self.pending.events.emit(&Event::Planned {
            pull: chosen.len() as u64,
            leave: sorted.sealed + sorted.others + superseded.len() as u64,
            reasons: Vec::new(),
        });
        let mut chosen = chosen.into_iter();
        let mut taken = 0;
        loop {
            while running.len() < at_once && !self.stop.is_stopped() {
                let Some(number) = chosen.next() else { break };
                let task = ids.task(number);
                let is_sealed = task.as_ref().is_some_and(|task| self.is_sealed(task));
                let ledger = self.committer.lake.ledger();
                let known = KnownTask {
                    sealed_calls: task.as_ref().and_then(|task| ledger.sealed_calls(task)),
                    ..KnownTask::default()
                };
                let origin = AnswerOrigin {
                    expected: task,
                    received_at_micros: self.received_at_micros,
                    known,
                    only_final: is_sealed,
                };
                running.spawn(read(
                    Arc::clone(&self.pending),
                    answers.clone(),
                    number,
                    origin,
                ));
            }
            let Some(ended) = running.join_next().await else {
                break;
            };
            let (number, step) = match ended {
                Ok(ended) => ended,
                Err(error) => std::panic::resume_unwind(error.into_panic()),
            };
            let file = AnswerFile {
                answers: &answers,
                number,
            };
            match step? {
                Step::Read(classified) => {
                    taken += 1;
                    self.note(file, classified, &mut observations, summary)
                        .await?;
                }
                Step::Bad { task, reason } => self.reject(file, task, reason, summary).await?,
                Step::Unread(error) => {
                    let reason = format!("it cannot be read: {error}");
                    self.reject(file, None, reason, summary).await?;
                }
            }
            if self.pace.is_much(self.pending.waiting()) {
                self.committer.commit_and_go_on(summary).await?;
            }
        }
        let unseen = files.len() - ids.len();
        summary.tasks.not_pulled += (unseen + chosen.len()) as u64;
        summary.stopped = self.stop.why();
        summary.superseded = superseded;
        summary.planned = [
            (Reason::AskAnswer, taken),
            (Reason::Sealed, sorted.sealed),
            (Reason::OtherShard, sorted.others),
        ]
        .into_iter()
        .filter(|(_, count)| *count > 0)
        .collect();
        self.committer.commit(observations, summary).await?;
        Ok(self.committer)
    }

    /// Selects the files that might be taken, and counts those skipped without reading their rows.
    fn sort_out(&self, files: &[PathBuf], ids: &Ids) -> SortedFiles {
        let mut sorted = SortedFiles::default();
        for (number, path) in (0..).zip(files).take(ids.len()) {
            let task = ids.task(number);
            if self.is_others(task.as_ref(), path) {
                sorted.others += 1;
            } else if !self.replace && task.is_some_and(|task| self.is_sealed(&task)) {
                sorted.sealed += 1;
            } else {
                sorted.candidates.push(number);
            }
        }
        sorted
    }

    fn is_sealed(&self, task: &TaskId) -> bool {
        self.committer.lake.ledger().is_sealed(task)
    }

    /// Whether another shard takes this response. One without a task id is assigned by its file
    /// name.
    fn is_others(&self, task: Option<&TaskId>, path: &Path) -> bool {
        let name = || path.file_name().unwrap_or_default().to_string_lossy();
        self.shard.is_some_and(|shard| match task {
            Some(task) => !shard.holds(task),
            None => !shard.holds_text(&name()),
        })
    }

    async fn note(
        &self,
        file: AnswerFile<'_>,
        classified: Classified,
        observations: &mut Observations,
        summary: &mut Summary,
    ) -> Result<(), LakeError> {
        let path = file.path();
        match classified {
            Ok(AnswerDisposition::Accepted {
                task,
                calls,
                rejects,
            }) => {
                summary.rejects += rejects;
                self.pending
                    .events
                    .emit(&Event::TaskAccepted { task, calls });
                Ok(())
            }
            Ok(AnswerDisposition::Left(task)) => {
                summary.tasks.left += 1;
                if self.is_sealed(&task.id) {
                    let text = format!(
                        "{} is left: task {} is exported for good, and this answer is of a \
                         task that still ran",
                        path.display(),
                        task.id
                    );
                    self.pending.events.emit(&Event::Warning { text });
                    return Ok(());
                }
                let start = task.schedule_start;
                let day = start.map(|start| day_of(self.committer.zone, start));
                let open = OpenTask::of(&task, day);
                self.pending.events.emit(&Event::TaskLeft {
                    status: open.status.safe_word().to_owned(),
                    task: task.id,
                });
                observations.open.push(open);
                Ok(())
            }
            Ok(AnswerDisposition::Before(task)) => {
                summary.tasks.not_before += 1;
                let text = format!(
                    "{} is left: task {} is before `tasks.not_before`",
                    path.display(),
                    task.id
                );
                self.pending.events.emit(&Event::Warning { text });
                Ok(())
            }
            Ok(AnswerDisposition::Twice(task)) => {
                let text = format!(
                    "{} holds task {task} once more; it was left",
                    path.display()
                );
                self.pending.events.emit(&Event::Warning { text });
                Ok(())
            }
            Ok(AnswerDisposition::Fewer(task_id, fewer)) => {
                let text = format!("{} was left: {fewer}", path.display());
                self.pending
                    .events
                    .emit(&Event::Warning { text: text.clone() });
                summary.fewer(task_id, text);
                Ok(())
            }
            // Saved responses have no listing.
            Ok(AnswerDisposition::AsSealed) => Ok(()),
            Err(unusable) => self.reject(file, None, unusable.to_string(), summary).await,
        }
    }

    /// Stores a file as a reject.
    async fn reject(
        &self,
        file: AnswerFile<'_>,
        task: Option<TaskId>,
        reason: String,
        summary: &mut Summary,
    ) -> Result<(), LakeError> {
        let AnswerFile { answers, number } = file;
        let path = file.path();
        let name = path
            .file_name()
            .map(|name| name.to_string_lossy().into_owned());
        let task = task
            .or_else(|| TaskId::new(&name.unwrap_or_default()).ok())
            .unwrap_or_else(|| TaskId::new("unknown").expect("a word is an id"));
        summary.rejects += 1;
        let reason = format!("{}: {reason}", path.display());
        self.pending.events.emit(&Event::Rejected {
            task: task.clone(),
            reason: reason.clone(),
        });
        summary.failures.push(FailedPull {
            task_id: task.clone(),
            reason: reason.clone(),
        });
        let (pending, answers) = (Arc::clone(&self.pending), answers.clone());
        let work = move || {
            pending.reject(|writer| {
                // The bytes as stored, compressed or not, as far as they can be read.
                let mut piece = vec![0; READ_BYTES];
                if let Ok(mut file) = answers.open_raw(number) {
                    while let Ok(length @ 1..) = file.read(&mut piece) {
                        writer.keep_piece(&piece[..length])?;
                    }
                }
                writer.end_pieces(Reject {
                    task_id: &task,
                    detail_index: None,
                    reason: &reason,
                })
            })
        };
        self.pending.on_thread(work).await
    }
}

async fn read(
    pending: Arc<PendingCommit>,
    answers: SavedAnswers,
    number: u32,
    origin: AnswerOrigin,
) -> (u32, Result<Step, LakeError>) {
    let step = read_answer(pending, &answers, number, origin).await;
    (number, step)
}

async fn read_answer(
    pending: Arc<PendingCommit>,
    answers: &SavedAnswers,
    number: u32,
    origin: AnswerOrigin,
) -> Result<Step, LakeError> {
    let is_object = answers.is_object(number);
    let expected = origin.expected.clone();
    let mut reader = AnswerReader::new(Arc::clone(&pending), origin);
    let mut file = match answers.open(number) {
        Ok(file) => file,
        Err(error) => return Ok(Step::Unread(error)),
    };
    let result = loop {
        let mut piece = vec![0; READ_BYTES];
        let work = move || {
            let read = read_full(&mut *file, &mut piece).map(|length| {
                piece.truncate(length);
                piece
            });
            (file, read)
        };
        let (back, read) = survey::reading(&pending, is_object, work).await;
        file = back;
        let piece = match read {
            Ok(piece) => piece,
            Err(error) => {
                reader.abandon().await;
                return match answers::outage(error) {
                    Ok(store) => Err(store.into()),
                    Err(error) => Ok(Step::Unread(error)),
                };
            }
        };
        if piece.is_empty() {
            break reader.finish().await;
        }
        if let Err(error) = reader.push(&piece).await {
            reader.abandon().await;
            break Err(error);
        }
    };
    match result {
        Ok(classified) => Ok(Step::Read(classified)),
        Err(ReadError::Lake(error)) => Err(error),
        Err(error) => Ok(Step::Bad {
            task: expected,
            reason: error.to_string(),
        }),
    }
}
