//! Selects one saved response per task, independently of the order of files, folders, threads and
//! shards.
//!
//! First every file is read as far as its task's id. Only files of a task found more than once are
//! read whole and ranked: a usable response before one that will be rejected, a final and settled
//! one before a running one, then the one received later, then the one with more calls, then with
//! more text, then the greater checksum. A response that will be rejected is not ranked: it is read
//! like any other, so that it is rejected with its reason.
//!
//! A response does not contain the time it was received. The modification time of its file takes
//! its place, which `cp -p`, `rsync -t` and `tar` preserve and `touch` sets; in a bucket the time at
//! which the object was written.
//!
//! Memory: the ids, and 20 to 30 bytes per file.

use std::io;
use std::sync::Arc;
use std::time::SystemTime;

use futures_util::stream::{self, StreamExt as _};
use sha2::{Digest as _, Sha256};

use super::super::accept::{AnswerOrigin, KnownTask, Standing, standing};
use super::super::pending::PendingCommit;
use super::super::stop::StopSwitch;
use super::super::superseded::{Superseded, Why};
use super::answers::SavedAnswers;
use super::files::{READ_BYTES, read_full};
use crate::decode::{AnswerSplitter, Envelope, SplitOptions, early_task_id};
use crate::event::Event;
use crate::job::DecodeOptions;
use crate::task::TaskId;

/// Entries of a response that is only inspected are dropped in pieces of this size.
const RUN_BYTES: usize = 1 << 20;

/// The task of each file, by the file's number.
#[derive(Debug, Default)]
pub(super) struct Ids {
    text: String,
    /// Range in the text; empty for a file without a task id.
    spans: Vec<(usize, u16)>,
}

impl Ids {
    fn push(&mut self, task: Option<&TaskId>) {
        let id = task.map_or("", TaskId::as_str);
        let length = u16::try_from(id.len()).expect("an id has some hundred bytes at most");
        self.spans.push((self.text.len(), length));
        self.text.push_str(id);
    }

    fn text(&self, file: u32) -> &str {
        let (start, length) = self.spans[file as usize];
        &self.text[start..start + usize::from(length)]
    }

    /// The task of a file, if it has one.
    pub(super) fn task(&self, file: u32) -> Option<TaskId> {
        TaskId::new(self.text(file)).ok()
    }

    /// Number of files inspected.
    pub(super) fn len(&self) -> usize {
        self.spans.len()
    }
}

/// Finds the task of each file, until told to stop.
pub(super) async fn ids(
    pending: &Arc<PendingCommit>,
    answers: &SavedAnswers,
    stop: &StopSwitch,
) -> Ids {
    let numbers = 0..u32::try_from(answers.len()).expect("fewer files than that");
    let mut scans = stream::iter(numbers)
        .take_while(|_| std::future::ready(!stop.is_stopped()))
        .map(|number| {
            let (answers, decoding) = (answers.clone(), Arc::clone(pending));
            let is_object = answers.is_object(number);
            let scan = move || scan_task_id(&answers, number, &decoding.decode);
            reading(pending, is_object, scan)
        })
        .buffered(answers.at_once(pending.workers.size()));
    let mut ids = Ids::default();
    while let Some(scanned) = scans.next().await {
        // A file that cannot be read has no task id here; the error is reported when the file is
        // processed.
        ids.push(scanned.ok().flatten().as_ref());
    }
    ids
}

/// Runs what reads a response: on a thread of the decoders, or beside them if it waits for a network.
pub(super) async fn reading<T: Send + 'static>(
    pending: &PendingCommit,
    is_object: bool,
    work: impl FnOnce() -> T + Send + 'static,
) -> T {
    if !is_object {
        return pending.on_thread(work).await;
    }
    match tokio::task::spawn_blocking(work).await {
        Ok(done) => done,
        Err(error) => std::panic::resume_unwind(error.into_panic()),
    }
}

/// The task of a saved response: its rows cannot be decoded before the task is known, and the id
/// may come after all of them. Reads no further than necessary.
fn scan_task_id(
    answers: &SavedAnswers,
    number: u32,
    options: &DecodeOptions,
) -> io::Result<Option<TaskId>> {
    let mut file = answers.open(number)?;
    let mut split = AnswerSplitter::new(SplitOptions {
        batch_bytes: RUN_BYTES,
        max_record_bytes: options.max_record_bytes.get(),
    });
    let mut piece = vec![0; READ_BYTES];
    let mut looked_at = 0;
    loop {
        let length = read_full(&mut *file, &mut piece)?;
        if length == 0 {
            break;
        }
        if split.push(&piece[..length]).is_err() {
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
    // Read to its end, as far as the decoder would read it.
    let Ok(ended) = split.finish() else {
        return Ok(None);
    };
    let envelope = Envelope::read(&ended.envelope).ok();
    Ok(envelope.and_then(|envelope| envelope.facts(options).id))
}

/// Rank of a response among others of its task, most important field first.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Weight {
    standing: Standing,
    received: Option<SystemTime>,
    calls: u64,
    bytes: u64,
    digest: [u8; 32],
}

impl Weight {
    const UNUSABLE: Self = Self {
        standing: Standing::Unusable,
        received: None,
        calls: 0,
        bytes: 0,
        digest: [0; 32],
    };

    /// Why this response was superseded by the other.
    fn less_than(&self, other: &Self) -> Why {
        if self.digest == other.digest {
            Why::Same
        } else if self.standing < other.standing {
            Why::NotFinal
        } else if self.received < other.received {
            Why::Earlier
        } else if self.calls < other.calls {
            Why::FewerCalls
        } else if self.bytes < other.bytes {
            Why::Shorter
        } else {
            Why::Checksum
        }
    }
}

/// Chooses the files to process: one per task, and all that will be rejected. Keeps their order.
pub(super) async fn choose(
    pending: &Arc<PendingCommit>,
    answers: &SavedAnswers,
    ids: &Ids,
    candidates: Vec<u32>,
    stop: &StopSwitch,
) -> (Vec<u32>, Superseded) {
    let files = &answers.names;
    let mut by_task = candidates;
    // Files of equal rank have equal content; which of them is reported must not depend on their
    // order either.
    by_task.sort_unstable_by(|a, b| {
        let path = |file: &u32| &files[*file as usize];
        ids.text(*a)
            .cmp(ids.text(*b))
            .then_with(|| path(a).cmp(path(b)))
    });
    let mut taken = Vec::new();
    let mut rivals = Vec::new();
    for group in by_task.chunk_by(|a, b| ids.text(*a) == ids.text(*b)) {
        let is_alone = group.len() == 1 || ids.text(group[0]).is_empty();
        if is_alone { &mut taken } else { &mut rivals }.extend_from_slice(group);
    }
    drop(by_task);
    let mut superseded = Superseded {
        files: Arc::clone(files),
        pairs: Vec::new(),
    };
    let mut weights = stream::iter(&rivals)
        .take_while(|_| std::future::ready(!stop.is_stopped()))
        .map(|&file| {
            let weighing = weigh(Arc::clone(pending), answers.clone(), file, ids.task(file));
            async move { (file, weighing.await) }
        })
        .buffered(answers.at_once(pending.workers.size()));
    let mut group: Vec<(u32, Weight)> = Vec::new();
    while let Some((file, weight)) = weights.next().await {
        let is_next = group
            .first()
            .is_some_and(|(first, _)| ids.text(*first) != ids.text(file));
        if is_next {
            settle(&mut group, &mut taken, &mut superseded.pairs);
        }
        if weight.standing == Standing::Unusable {
            taken.push(file);
        } else {
            group.push((file, weight));
        }
    }
    if stop.is_stopped() {
        // Some of its files may not have been ranked.
        group.clear();
    }
    settle(&mut group, &mut taken, &mut superseded.pairs);
    taken.sort_unstable();
    for (pair, answer) in superseded.pairs.iter().zip(superseded.iter()) {
        if pair.2 != Why::Same {
            let text = format!(
                "{} is left: {} is another answer of task {}, and of the two {}",
                answer.file.display(),
                answer.taken.display(),
                ids.text(pair.0),
                answer.reason,
            );
            pending.events.emit(&Event::Warning { text });
        }
    }
    (taken, superseded)
}

/// Takes the best of a group, and empties it.
fn settle(
    group: &mut Vec<(u32, Weight)>,
    taken: &mut Vec<u32>,
    superseded: &mut Vec<(u32, u32, Why)>,
) {
    let mut best: Option<&(u32, Weight)> = None;
    for one in group.iter() {
        // The first of equals.
        if best.is_none_or(|best| one.1 > best.1) {
            best = Some(one);
        }
    }
    if let Some((winner, best)) = best {
        taken.push(*winner);
        let others = group.iter().filter(|(file, _)| file != winner);
        superseded.extend(others.map(|(file, weight)| (*file, *winner, weight.less_than(best))));
    }
    group.clear();
}

/// Reads a response to its end and ranks it.
async fn weigh(
    pending: Arc<PendingCommit>,
    answers: SavedAnswers,
    number: u32,
    task: Option<TaskId>,
) -> Weight {
    let of_thread = Arc::clone(&pending);
    let is_object = answers.is_object(number);
    let work = move || {
        let origin = AnswerOrigin {
            expected: task,
            received_at_micros: 0,
            known: KnownTask::default(),
            only_final: false,
        };
        weight_of(&of_thread, &answers, number, &origin).unwrap_or(Weight::UNUSABLE)
    };
    reading(&pending, is_object, work).await
}

/// `None` for a file that cannot be read.
fn weight_of(
    pending: &PendingCommit,
    answers: &SavedAnswers,
    number: u32,
    origin: &AnswerOrigin,
) -> Option<Weight> {
    let (mut file, received) = answers.open_dated(number).ok()?;
    let mut split = AnswerSplitter::new(SplitOptions {
        batch_bytes: RUN_BYTES,
        max_record_bytes: pending.decode.max_record_bytes.get(),
    });
    let mut sum = Sha256::new();
    let mut piece = vec![0; READ_BYTES];
    loop {
        let length = read_full(&mut *file, &mut piece).ok()?;
        if length == 0 {
            break;
        }
        sum.update(&piece[..length]);
        split.push(&piece[..length]).ok()?;
        split.pieces().for_each(drop);
    }
    let bytes = split.bytes_seen();
    let ended = split.finish().ok()?;
    Some(Weight {
        standing: standing(pending, &ended.envelope, ended.entries, origin),
        received,
        calls: ended.entries,
        bytes,
        digest: sum.finalize().into(),
    })
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn weight(change: impl FnOnce(&mut Weight)) -> Weight {
        let mut weight = Weight {
            standing: Standing::Running,
            received: Some(SystemTime::UNIX_EPOCH + Duration::from_secs(5)),
            calls: 5,
            bytes: 5,
            digest: [5; 32],
        };
        change(&mut weight);
        weight
    }

    #[test]
    fn what_is_final_then_later_then_larger_wins() {
        let base = weight(|_| ());
        let final_one = weight(|w| {
            (w.standing, w.received, w.calls, w.bytes) = (Standing::Final, None, 0, 0);
            w.digest = [0; 32];
        });
        let later = weight(|w| {
            w.received = w.received.map(|time| time + Duration::from_nanos(1));
            (w.calls, w.bytes, w.digest) = (0, 0, [0; 32]);
        });
        let more = weight(|w| (w.calls, w.bytes, w.digest) = (6, 0, [0; 32]));
        let longer = weight(|w| (w.bytes, w.digest) = (6, [0; 32]));
        let other = weight(|w| w.digest = [6; 32]);
        for (winner, why) in [
            (final_one, Why::NotFinal),
            (later, Why::Earlier),
            (more, Why::FewerCalls),
            (longer, Why::Shorter),
            (other, Why::Checksum),
        ] {
            assert!(winner > base, "{winner:?}");
            assert_eq!(base.less_than(&winner), why);
        }
        let copy = weight(|w| w.received = None);
        assert_eq!(copy.less_than(&base), Why::Same);
    }

    #[test]
    fn the_first_of_equals_is_taken() {
        let same = weight(|_| ());
        let (mut group, mut taken, mut pairs) =
            (vec![(7, same.clone()), (3, same)], vec![], vec![]);
        settle(&mut group, &mut taken, &mut pairs);
        assert_eq!((taken, pairs), (vec![7], vec![(3, 7, Why::Same)]));
    }
}
