//! Saved answers into the lake, without the API.

use std::collections::BTreeSet;
use std::fs::File;
use std::io::{self, BufReader, Read};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use tokio::task::JoinSet;

use super::commit::{Committer, Learned};
use super::desk::Desk;
use super::judge::{AnswerOrigin, Judged, KnownTask};
use super::pull::{CommitPace, open_of_answer};
use super::reader::{AnswerReader, ReadError};
use super::stop::StopSwitch;
use super::summary::{FailedPull, Summary};
use crate::decode::{Split, SplitOptions, early_task_id};
use crate::discover::Reason;
use crate::event::Event;
use crate::lake::write::Reject;
use crate::lake::{LakeError, TaskState};
use crate::shard::Shard;
use crate::task::TaskId;

/// Bytes read from a file at once.
const READ_BYTES: usize = 256 << 10;

/// Why a list of saved answers cannot be made.
#[derive(Debug, thiserror::Error)]
pub enum ReplayInputError {
    /// Not there, or not readable.
    #[error("read {}", path.display())]
    Unreadable {
        /// Which.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// Nothing to do.
    #[error(
        "find a saved answer in what was named: files ending in .json, .json.gz or .json.zst are taken from folders"
    )]
    Nothing,
}

/// The files meant by what a user named: files as they are, folders with the answers below them,
/// each once, sorted within a folder.
///
/// # Errors
/// When something is not there.
pub fn saved_answers(named: &[PathBuf]) -> Result<Vec<PathBuf>, ReplayInputError> {
    let mut files = Vec::new();
    for path in named {
        let unreadable = |source| ReplayInputError::Unreadable {
            path: path.clone(),
            source,
        };
        let kind = std::fs::metadata(path).map_err(unreadable)?;
        if kind.is_dir() {
            below(path, &mut files)?;
        } else {
            files.push(path.clone());
        }
    }
    let mut seen = BTreeSet::new();
    files.retain(|file| seen.insert(file.clone()));
    if files.is_empty() {
        Err(ReplayInputError::Nothing)
    } else {
        Ok(files)
    }
}

fn below(folder: &Path, files: &mut Vec<PathBuf>) -> Result<(), ReplayInputError> {
    let unreadable = |source| ReplayInputError::Unreadable {
        path: folder.to_owned(),
        source,
    };
    let mut entries: Vec<PathBuf> = std::fs::read_dir(folder)
        .and_then(|entries| {
            entries
                .map(|entry| entry.map(|entry| entry.path()))
                .collect()
        })
        .map_err(unreadable)?;
    entries.sort();
    for path in entries {
        if path.is_dir() {
            below(&path, files)?;
        } else if is_answer(&path) {
            files.push(path);
        }
    }
    Ok(())
}

fn is_answer(path: &Path) -> bool {
    let name = path
        .file_name()
        .and_then(|name| name.to_str())
        .unwrap_or_default();
    [".json", ".json.gz", ".json.zst"]
        .iter()
        .any(|ending| name.ends_with(ending))
}

/// A saved answer's text, decompressed by the name's ending.
fn open(path: &Path) -> io::Result<Box<dyn Read + Send>> {
    let file = BufReader::with_capacity(READ_BYTES, File::open(path)?);
    Ok(match path.extension().and_then(|ending| ending.to_str()) {
        Some("gz") => Box::new(flate2::bufread::MultiGzDecoder::new(file)),
        Some("zst") => Box::new(zstd::Decoder::with_buffer(file)?),
        _ => Box::new(file),
    })
}

/// How far one file is.
#[derive(Debug)]
enum Step {
    /// It is of this task, as far as it says.
    Scanned(Option<TaskId>),
    /// It was read to its end.
    Judged(Judged),
    /// Its text is no good: rejected whole.
    Bad {
        task: Option<TaskId>,
        reason: String,
    },
    /// It could not be read.
    Unread(io::Error),
}

/// Replays saved answers.
pub(super) struct Replayer {
    pub(super) desk: Arc<Desk>,
    pub(super) committer: Committer,
    pub(super) pace: CommitPace,
    pub(super) stop: StopSwitch,
    pub(super) replace: bool,
    pub(super) shard: Option<Shard>,
    pub(super) received_at_micros: i64,
}

impl Replayer {
    /// Takes all files. Everything that is complete is committed when this returns.
    pub(super) async fn replay(
        mut self,
        files: Vec<PathBuf>,
        summary: &mut Summary,
    ) -> Result<Committer, LakeError> {
        let mut learned = Learned::default();
        let mut files = files.into_iter();
        let mut running = JoinSet::new();
        let (mut sealed_before, mut others) = (0, 0);
        let mut taken = 0;
        loop {
            while running.len() < self.desk.crew.size() && !self.stop.is_stopped() {
                let Some(path) = files.next() else { break };
                running.spawn(scan(Arc::clone(&self.desk), path));
            }
            let Some(ended) = running.join_next().await else {
                break;
            };
            let (path, step) = match ended {
                Ok(ended) => ended,
                Err(error) => std::panic::resume_unwind(error.into_panic()),
            };
            match step? {
                Step::Scanned(task) if self.is_others(task.as_ref(), &path) => others += 1,
                Step::Scanned(task) if self.is_left(task.as_ref()) => sealed_before += 1,
                Step::Scanned(task) => {
                    let ledger = self.committer.lake.ledger();
                    let known = KnownTask {
                        sealed_calls: task.as_ref().and_then(|task| ledger.sealed_calls(task)),
                        ..KnownTask::default()
                    };
                    let origin = AnswerOrigin {
                        expected: task,
                        received_at_micros: self.received_at_micros,
                        known,
                    };
                    running.spawn(read(Arc::clone(&self.desk), path, origin));
                }
                Step::Judged(judged) => {
                    taken += 1;
                    self.judged(&path, judged, (&mut learned, summary)).await?;
                }
                Step::Bad { task, reason } => self.reject(&path, task, reason, summary).await?,
                Step::Unread(error) => {
                    let reason = format!("it cannot be read: {error}");
                    self.reject(&path, None, reason, summary).await?;
                }
            }
            if self.pace.is_much(self.desk.waiting()) {
                self.committer.commit_and_go_on(summary).await?;
            }
        }
        summary.tasks.not_pulled += files.len() as u64;
        summary.stopped = self.stop.why();
        summary.planned = [
            (Reason::AskAnswer, taken),
            (Reason::Sealed, sealed_before),
            (Reason::OtherShard, others),
        ]
        .into_iter()
        .filter(|(_, count)| *count > 0)
        .collect();
        self.committer.commit(learned, summary).await?;
        Ok(self.committer)
    }

    /// Whether the task is sealed, and nobody asked to replace it.
    fn is_left(&self, task: Option<&TaskId>) -> bool {
        let state = task.and_then(|task| self.committer.lake.ledger().state(task));
        !self.replace && matches!(state, Some(TaskState::Sealed { .. }))
    }

    /// Whether another shard takes this answer. One that names no task goes by its file's name.
    fn is_others(&self, task: Option<&TaskId>, path: &Path) -> bool {
        let name = || path.file_name().unwrap_or_default().to_string_lossy();
        self.shard.is_some_and(|shard| match task {
            Some(task) => !shard.holds(task),
            None => !shard.holds_text(&name()),
        })
    }

    async fn judged(
        &self,
        path: &Path,
        judged: Judged,
        (learned, summary): (&mut Learned, &mut Summary),
    ) -> Result<(), LakeError> {
        let reason = match judged {
            Judged::Accepted {
                task,
                calls,
                rejects,
            } => {
                summary.rejects += rejects;
                self.desk.events.emit(&Event::TaskAccepted { task, calls });
                return Ok(());
            }
            Judged::Left(facts) => {
                summary.tasks.left += 1;
                if let Some(id) = facts.id.clone() {
                    let open = open_of_answer(id, &facts, self.committer.zone);
                    let status = open.status.safe_word().to_owned();
                    self.desk.events.emit(&Event::TaskLeft {
                        task: open.id.clone(),
                        status,
                    });
                    learned.open.push(open);
                }
                return Ok(());
            }
            Judged::Twice(task) => {
                let text = format!(
                    "{} holds task {task} once more; it was left",
                    path.display()
                );
                self.desk.events.emit(&Event::Warning { text });
                return Ok(());
            }
            Judged::Fewer(task_id, fewer) => {
                let text = format!("{} was left: {fewer}", path.display());
                self.desk
                    .events
                    .emit(&Event::Warning { text: text.clone() });
                summary.tasks.failed += 1;
                summary.failures.push(FailedPull {
                    task_id,
                    reason: text,
                });
                return Ok(());
            }
            Judged::Refused(code) => format!("its code is {code}, which is no success"),
            Judged::NoData => "there is no data in it".to_owned(),
            Judged::WrongTask => "it names two different tasks".to_owned(),
            Judged::NoCode => "the answer has no code".to_owned(),
            Judged::Bad(reason) => reason,
        };
        self.reject(path, None, reason, summary).await
    }

    /// Keeps a file as a reject.
    async fn reject(
        &self,
        path: &Path,
        task: Option<TaskId>,
        reason: String,
        summary: &mut Summary,
    ) -> Result<(), LakeError> {
        let name = path
            .file_name()
            .map(|name| name.to_string_lossy().into_owned());
        let task = task
            .or_else(|| TaskId::new(&name.unwrap_or_default()).ok())
            .unwrap_or_else(|| TaskId::new("unknown").expect("a word is an id"));
        summary.rejects += 1;
        let reason = format!("{}: {reason}", path.display());
        self.desk.events.emit(&Event::Rejected {
            task: task.clone(),
            reason: reason.clone(),
        });
        summary.failures.push(FailedPull {
            task_id: task.clone(),
            reason: reason.clone(),
        });
        let (desk, path) = (Arc::clone(&self.desk), path.to_owned());
        self.desk
            .on_thread(move || {
                desk.reject(|writer| {
                    // As it lies there, compressed or not: all of it that can be read.
                    let mut piece = vec![0; READ_BYTES];
                    if let Ok(mut file) = File::open(&path) {
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
            })
            .await
    }
}

/// First the task, then its rows: which task it is decides whether its rows are read.
async fn scan(desk: Arc<Desk>, path: PathBuf) -> (PathBuf, Result<Step, LakeError>) {
    let limit = desk.decode.max_record_bytes.get();
    let file = path.clone();
    let step = match desk.on_thread(move || scan_task_id(&file, limit)).await {
        Ok(task) => Step::Scanned(task),
        Err(error) => Step::Unread(error),
    };
    (path, Ok(step))
}

async fn read(
    desk: Arc<Desk>,
    path: PathBuf,
    origin: AnswerOrigin,
) -> (PathBuf, Result<Step, LakeError>) {
    let step = read_answer(desk, &path, origin).await;
    (path, step)
}

async fn read_answer(
    desk: Arc<Desk>,
    path: &Path,
    origin: AnswerOrigin,
) -> Result<Step, LakeError> {
    let expected = origin.expected.clone();
    let mut reader = AnswerReader::new(Arc::clone(&desk), origin);
    let mut file = match open(path) {
        Ok(file) => file,
        Err(error) => return Ok(Step::Unread(error)),
    };
    let result = loop {
        let mut piece = vec![0; READ_BYTES];
        let (back, read) = desk
            .on_thread(move || {
                let read = read_full(&mut *file, &mut piece).map(|length| {
                    piece.truncate(length);
                    piece
                });
                (file, read)
            })
            .await;
        file = back;
        let piece = match read {
            Ok(piece) => piece,
            Err(error) => {
                reader.abandon().await;
                return Ok(Step::Unread(error));
            }
        };
        if piece.is_empty() {
            break reader.finish().await;
        }
        if let Err(error) = reader.push(&piece).await {
            break Err(error);
        }
    };
    match result {
        Ok(judged) => Ok(Step::Judged(judged)),
        Err(ReadError::Lake(error)) => Err(error),
        Err(error) => {
            reader.abandon().await;
            Ok(Step::Bad {
                task: expected,
                reason: error.to_string(),
            })
        }
    }
}

/// Fills the buffer as far as the file goes.
fn read_full(file: &mut dyn Read, buffer: &mut [u8]) -> io::Result<usize> {
    let mut filled = 0;
    while filled < buffer.len() {
        match file.read(&mut buffer[filled..]) {
            Ok(0) => break,
            Ok(length) => filled += length,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(filled)
}

/// The task of a saved answer: its rows cannot be made before it is known, and it may come behind
/// all of them. Reads no further than it must.
fn scan_task_id(path: &Path, max_record_bytes: usize) -> io::Result<Option<TaskId>> {
    let mut file = open(path)?;
    let mut split = Split::new(SplitOptions {
        run_bytes: 1 << 20,
        max_record_bytes,
    });
    let mut piece = vec![0; READ_BYTES];
    let mut looked_at = 0;
    loop {
        let length = read_full(&mut *file, &mut piece)?;
        if length == 0 || split.push(&piece[..length]).is_err() {
            return Ok(None);
        }
        split.pieces().for_each(drop);
        if split.envelope().len() > looked_at {
            looked_at = split.envelope().len();
            if let Some(task) = early_task_id(split.envelope()) {
                return Ok(Some(task));
            }
        }
    }
}
