//! Classifies a complete response (successful, final, duplicate) and stores the rows of accepted
//! ones. Runs on threads that may block.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use chrono::{DateTime, Utc};

use super::desk::{AcceptedTask, Desk, moment};
use crate::calendar::day_of;
use crate::decode::{
    AnswerContext, Decoded, Ended, Envelope, EnvelopeError, RejectedEntry, RowDay, Rows, Run,
    TaskCounts, TaskFacts, TaskKey,
};
use crate::discover::is_settled;
use crate::event::Event;
use crate::lake::LakeError;
use crate::lake::write::{LargeAnswer, Reject, RejectWriter};
use crate::sync::lock;
use crate::task::{TaskId, TaskStatus};

/// Outcome of a complete response.
#[derive(Debug)]
pub(super) enum Judged {
    /// Its rows are waiting for the next commit.
    Accepted {
        /// The task.
        task: TaskId,
        /// Its calls.
        calls: u64,
        /// Entries that were rejected.
        rejects: u64,
    },
    /// Successful, but the task is not final: nothing was stored.
    Left(TaskFacts),
    /// Successful, but the task's day is before `tasks.not_before`: nothing was stored.
    Before(TaskFacts),
    /// This run already has the task.
    Twice(TaskId),
    /// It has no code: it is not the API's envelope.
    NoCode,
    /// Its code does not mean success.
    Refused(i64),
    /// It contains no task.
    NoData,
    /// It belongs to a different task than the one requested.
    WrongTask,
    /// It has fewer calls than are sealed, so the sealed ones stay.
    Fewer(TaskId, FewerCalls),
    /// It was requested because its listing counts a different number of calls; it has as many as
    /// are sealed.
    AsSealed,
    /// It is not JSON, or contradicts itself.
    Bad(String),
}

/// A response that would remove sealed calls.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct FewerCalls {
    /// Number of sealed calls.
    pub(super) sealed: u64,
    /// Number of calls in the response.
    pub(super) answered: u64,
}

impl std::fmt::Display for FewerCalls {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(
            f,
            "its answer has {} calls where {} are sealed; these stay unless --allow-fewer is given",
            self.answered, self.sealed
        )
    }
}

/// What the listing and the ledger know of a task: used where the response has no value.
#[derive(Clone, Debug, Default)]
pub(super) struct KnownTask {
    /// Its status, where understood.
    pub(super) status: Option<TaskStatus>,
    /// Its scheduled start, where understood.
    pub(super) schedule_start: Option<DateTime<Utc>>,
    /// Its scheduled end, where understood.
    pub(super) schedule_end: Option<DateTime<Utc>>,
    /// When it was first seen final.
    pub(super) final_since: Option<DateTime<Utc>>,
    /// Sealed calls that would be replaced.
    pub(super) sealed_calls: Option<u64>,
    /// Whether it is requested because its listing counts a different number of calls than are
    /// sealed.
    pub(super) is_recount: bool,
}

/// What is known of a response before it is read.
#[derive(Clone, Debug)]
pub(super) struct AnswerOrigin {
    /// The requested task; `None` for a saved response.
    pub(super) expected: Option<TaskId>,
    /// When the response was received.
    pub(super) received_at_micros: i64,
    /// What is known of its task.
    pub(super) known: KnownTask,
    /// Whether to skip it unless its task is final: rows of a final response already exist.
    pub(super) only_final: bool,
}

/// Rank of a saved response, from the fields around its calls.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Standing {
    /// It will be rejected.
    Unusable,
    /// Its task is not final, or not settled.
    Running,
    /// Its task is final and settled.
    Final,
}

/// Ranks a response with this envelope.
pub(super) fn standing(
    desk: &Desk,
    (envelope, entries): (&[u8], u64),
    origin: &AnswerOrigin,
) -> Standing {
    let Ok(envelope) = Envelope::read(envelope) else {
        return Standing::Unusable;
    };
    match verdict(desk, (&envelope, entries), origin) {
        Verdict::Accept { sealed: true, .. } => Standing::Final,
        Verdict::Accept { .. } | Verdict::Other(Judged::Left(_) | Judged::Before(_)) => {
            Standing::Running
        }
        Verdict::Other(_) => Standing::Unusable,
    }
}

/// Size of a line of rejects without the record.
const REJECT_LINE_BYTES: usize = 100;

/// The rows of a response too large to buffer as text, decoded while it arrives.
#[derive(Debug)]
pub(super) struct LargeTask {
    task: TaskId,
    rows: LargeAnswer,
    decoded: Mutex<Decoded>,
    rejects: Mutex<RejectWriter>,
    reject_count: Mutex<u64>,
    /// A call over the record limit that has not arrived completely.
    oversize: Mutex<Option<Oversize>>,
    /// Size of its rejects, and their limit.
    reject_bytes: AtomicU64,
    most_reject_bytes: u64,
}

/// A call that is too large to be a record counts with this share of its size, in percent, in the
/// limit on rejects: it may hold data that someone wants back, and the calls beside it are good. By
/// the defaults, one of a gigabyte is kept whole, and one without end is given up soon after that.
const OVERSIZE_PERCENT: usize = 6;

/// A call that is too large to be a record, as far as it has arrived.
#[derive(Clone, Copy, Debug)]
struct Oversize {
    index: u64,
    /// The record limit.
    limit: usize,
    kept_bytes: u64,
}

impl LargeTask {
    pub(super) fn new(desk: &Desk, task: TaskId) -> Self {
        Self {
            task,
            rows: LargeAnswer::new(desk.chunk_options.clone(), &desk.large_answers),
            decoded: Mutex::default(),
            rejects: Mutex::new(desk.reject_writer()),
            reject_count: Mutex::new(0),
            oversize: Mutex::new(None),
            reject_bytes: AtomicU64::new(0),
            most_reject_bytes: desk.decode.max_reject_bytes.get(),
        }
    }

    /// Decodes a run of its entries.
    pub(super) fn decode(
        &self,
        desk: &Desk,
        (run, received_at_micros): (&Run, i64),
    ) -> Result<(), LakeError> {
        let context = AnswerContext {
            ordinal: 0,
            task_id: self.task.as_str().into(),
            run_id: Arc::clone(&desk.run_id),
            extracted_at_micros: received_at_micros,
            fallback_day: RowDay::OfTask,
        };
        // Rows are not returned to the pool on an error, so that no row of a failed response
        // remains.
        let mut rows = desk.borrow_rows();
        let mut decoded = desk.with_decoder(|decoder| {
            let mut ripe = |rows: &mut Rows| self.rows.push(rows.take()?);
            decoder.decode_slabs(run, &context, &mut rows, &mut ripe)
        })?;
        desk.events.emit(&Event::Decoded {
            calls: decoded.calls,
        });
        self.keep_rejects(&std::mem::take(&mut decoded.rejects))?;
        lock(&self.decoded).merge(decoded);
        let batches = rows.take()?;
        desk.give_back_rows(rows);
        self.rows.push(batches)
    }

    fn keep_rejects(&self, rejects: &[RejectedEntry]) -> Result<(), LakeError> {
        *lock(&self.reject_count) += rejects.len() as u64;
        let mut writer = lock(&self.rejects);
        rejects.iter().try_for_each(|entry| {
            if !self.has_room(REJECT_LINE_BYTES + entry.bytes.len()) {
                return Ok(());
            }
            let reject = Reject {
                task_id: &self.task,
                detail_index: Some(entry.index),
                reason: &entry.reason,
            };
            writer.keep(reject, &entry.bytes)
        })
    }

    /// Whether rejects may grow by so many bytes. Beyond the limit, the response is abandoned and
    /// the rejects kept so far are a sample.
    fn has_room(&self, bytes: usize) -> bool {
        let before = self.reject_bytes.fetch_add(bytes as u64, Ordering::Relaxed);
        before + bytes as u64 <= self.most_reject_bytes
    }

    /// The limit on its rejects, if it is exceeded.
    pub(super) fn too_many_rejects(&self) -> Option<u64> {
        let found = self.reject_bytes.load(Ordering::Relaxed);
        (found > self.most_reject_bytes).then_some(self.most_reject_bytes)
    }

    /// Adds the rejects kept so far to the run, although the response is abandoned.
    pub(super) fn keep_sample(self, desk: &Desk) -> Result<(), LakeError> {
        let rejects = self.rejects.into_inner();
        let mut rejects = rejects.unwrap_or_else(PoisonError::into_inner);
        if let Some(begun) = *lock(&self.oversize) {
            let Oversize {
                index,
                limit,
                kept_bytes,
            } = begun;
            let reason = format!(
                "it is over {limit} bytes; write.max_record_size sets the limit; only its first {kept_bytes} \
                 bytes are kept: write.max_rejects_size"
            );
            rejects.end_pieces(Reject {
                task_id: &self.task,
                detail_index: Some(index),
                reason: &reason,
            })?;
        }
        desk.adopt_rejects(rejects);
        Ok(())
    }

    /// Stores a piece of an entry that is too large to be a record, while rejects may grow.
    pub(super) fn keep_oversize(
        &self,
        (index, limit): (u64, usize),
        (piece, last): (&[u8], bool),
    ) -> Result<(), LakeError> {
        if !self.has_room((piece.len() * OVERSIZE_PERCENT).div_ceil(100)) {
            return Ok(());
        }
        let mut writer = lock(&self.rejects);
        writer.keep_piece(piece)?;
        let mut oversize = lock(&self.oversize);
        let begun = oversize.get_or_insert(Oversize {
            index,
            limit,
            kept_bytes: 0,
        });
        begun.kept_bytes += piece.len() as u64;
        if last {
            *oversize = None;
            *lock(&self.reject_count) += 1;
            let reason = format!("it is over {limit} bytes; write.max_record_size sets the limit");
            writer.end_pieces(Reject {
                task_id: &self.task,
                detail_index: Some(index),
                reason: &reason,
            })?;
        }
        Ok(())
    }
}

/// The decision from the envelope.
enum Verdict {
    Accept {
        facts: TaskFacts,
        task: TaskId,
        sealed: bool,
    },
    Other(Judged),
}

fn verdict(
    desk: &Desk,
    (envelope, entries): (&Envelope<'_>, u64),
    origin: &AnswerOrigin,
) -> Verdict {
    let Some(code) = envelope.code else {
        return Verdict::Other(Judged::NoCode);
    };
    if !desk.judge.success_codes.contains(&code) {
        return Verdict::Other(Judged::Refused(code));
    }
    if let Err(error) = envelope.check() {
        return Verdict::Other(bad(&error));
    }
    if !envelope.has_data() {
        return Verdict::Other(Judged::NoData);
    }
    let mut facts = envelope.facts(&desk.decode);
    let known = &origin.known;
    if let Some(shape) = facts.shape_of(TaskKey::Id) {
        return Verdict::Other(Judged::Bad(format!("its TaskID is {shape}")));
    }
    // A status that is not understood does not permit falling back to the listing's status.
    if facts.status.is_none() && facts.shape_of(TaskKey::Status).is_some() {
        facts.status = Some(TaskStatus::Unknown("unknown".to_owned()));
    }
    // The response's status decides, except for a task listed as running: the next run would open
    // it again. It is final once both say so.
    let is_listed_as_running = known.status.as_ref().is_some_and(TaskStatus::is_running);
    if facts.status.is_none() || is_listed_as_running {
        facts.status.clone_from(&known.status);
    }
    let task = match (&origin.expected, &facts.id) {
        (Some(expected), Some(id)) if expected != id => {
            return Verdict::Other(Judged::WrongTask);
        }
        (Some(expected), _) => expected.clone(),
        (None, Some(id)) => id.clone(),
        (None, None) => {
            return Verdict::Other(Judged::Bad("the answer names no TaskID".to_owned()));
        }
    };
    let rules = &desk.judge.rules;
    let schedule_start = facts.schedule_start_micros.and_then(moment);
    let day = schedule_start.or(known.schedule_start);
    let day = day.map(|start| day_of(rules.zone, start));
    // If the listing has no day, the response decides.
    if rules.is_before_first(day) {
        return Verdict::Other(Judged::Before(TaskFacts {
            id: Some(task),
            ..facts
        }));
    }
    let schedule_end = facts.schedule_end_micros.and_then(moment);
    let sealed = facts.status.as_ref().is_some_and(TaskStatus::is_final)
        && is_settled(
            schedule_end.or(known.schedule_end),
            known.final_since,
            rules,
        );
    if !sealed && (!desk.judge.include_running || origin.only_final) {
        return Verdict::Other(Judged::Left(TaskFacts {
            id: Some(task),
            ..facts
        }));
    }
    if let Some(fewer) = fewer(desk, entries, known) {
        return Verdict::Other(Judged::Fewer(task, fewer));
    }
    // A different count may announce calls that the response does not include yet.
    if known.is_recount && known.sealed_calls == Some(entries) {
        return Verdict::Other(Judged::AsSealed);
    }
    Verdict::Accept {
        facts,
        task,
        sealed,
    }
}

/// Checks whether this number of calls would remove sealed ones.
fn fewer(desk: &Desk, answered: u64, known: &KnownTask) -> Option<FewerCalls> {
    let sealed = known.sealed_calls.filter(|_| !desk.judge.allow_fewer)?;
    (answered < sealed).then_some(FewerCalls { sealed, answered })
}

fn bad(error: &EnvelopeError) -> Judged {
    Judged::Bad(error.to_string())
}

/// Classifies a response that was buffered whole, and decodes it into the shared rows if it is
/// accepted. Call it with the gate's read lock held.
pub(super) fn small(
    desk: &Desk,
    ended: &Ended,
    origin: &AnswerOrigin,
) -> Result<Judged, LakeError> {
    let mut hand_on = |rows: &mut Rows| desk.chunk.push(rows.take()?);
    let (judged, grown) = into_shared_rows(desk, (ended, origin), &mut hand_on)?;
    if grown {
        desk.chunk.relieve()?;
    }
    Ok(judged)
}

/// As [`small`], for text small enough to be decoded on a thread that must not block; `None` if it
/// would have to wait for a commit. Also returns whether [`relieve`] is due.
pub(super) fn tiny(
    desk: &Desk,
    ended: &Ended,
    origin: &AnswerOrigin,
) -> Option<Result<(Judged, bool), LakeError>> {
    let _open = desk.gate.try_read().ok()?;
    // However many days so little text covers, its rows take a few megabytes; handing rows on might
    // wait for the disk.
    Some(into_shared_rows(desk, (ended, origin), &mut |_| Ok(())))
}

/// Frees memory in the shared rows. Call it with the gate's read lock held.
pub(super) fn relieve(desk: &Desk) -> Result<(), LakeError> {
    desk.chunk.relieve()
}

/// Call it with the gate's read lock held.
fn into_shared_rows(
    desk: &Desk,
    (ended, origin): (&Ended, &AnswerOrigin),
    hand_on: &mut dyn FnMut(&mut Rows) -> Result<(), LakeError>,
) -> Result<(Judged, bool), LakeError> {
    let envelope = match Envelope::read(&ended.envelope) {
        Ok(envelope) => envelope,
        Err(error) => return Ok((bad(&error), false)),
    };
    let (facts, task, sealed) = match verdict(desk, (&envelope, ended.entries), origin) {
        Verdict::Accept {
            facts,
            task,
            sealed,
        } => (facts, task, sealed),
        Verdict::Other(judged) => return Ok((judged, false)),
    };
    // Entries that are not calls do not replace sealed calls.
    if origin.known.sealed_calls.is_some() {
        let calls = calls_of(desk, ended, &task);
        if let Some(fewer) = fewer(desk, calls, &origin.known) {
            return Ok((Judged::Fewer(task, fewer), false));
        }
    }
    let Some(ordinal) = desk.accept(accepted(&task, (&facts, &origin.known), sealed)) else {
        return Ok((Judged::Twice(task), false));
    };
    let mut rows = desk.chunk.borrow_rows();
    let decoded = desk.with_decoder(|decoder| {
        let context = AnswerContext {
            ordinal,
            task_id: task.as_str().into(),
            run_id: Arc::clone(&desk.run_id),
            extracted_at_micros: origin.received_at_micros,
            fallback_day: decoder.day_of_task(&facts),
        };
        let mut decoded = decoder.decode_slabs(&ended.rest, &context, &mut rows, hand_on)?;
        let counts = TaskCounts {
            calls: ended.entries,
            redials: decoded.redials,
            turns: decoded.turns,
        };
        envelope.write_row(decoder, (&context, counts), &mut decoded.misfits, &mut rows);
        Ok::<_, LakeError>(decoded)
    })?;
    desk.events.emit(&Event::Decoded {
        calls: decoded.calls,
    });
    let rejects = decoded.rejects.len() as u64;
    for entry in &decoded.rejects {
        let reject = Reject {
            task_id: &task,
            detail_index: Some(entry.index),
            reason: &entry.reason,
        };
        desk.reject(|writer| writer.keep(reject, &entry.bytes))?;
        desk.events.emit(&Event::Rejected {
            task: task.clone(),
            reason: entry.reason.clone(),
        });
    }
    desk.note_zone(decoded.zone_check.verdict(facts.schedule_start_micros));
    finish(desk, (ordinal, &decoded, rejects));
    let judged = Judged::Accepted {
        task,
        calls: decoded.calls,
        rejects,
    };
    Ok((judged, desk.chunk.give_back(rows)))
}

/// Counts the calls in a response that was buffered whole, by decoding it and discarding the rows.
fn calls_of(desk: &Desk, ended: &Ended, task: &TaskId) -> u64 {
    let context = AnswerContext {
        ordinal: 0,
        task_id: task.as_str().into(),
        run_id: Arc::clone(&desk.run_id),
        extracted_at_micros: 0,
        fallback_day: RowDay::Unknown,
    };
    let mut rows = Rows::default();
    desk.with_decoder(|decoder| decoder.decode(&ended.rest, &context, &mut rows).calls)
}

/// Classifies a response whose rows were decoded while it arrived. Call it with the gate's read
/// lock held.
pub(super) fn large(
    desk: &Desk,
    (large, entries): (LargeTask, u64),
    (envelope, origin): (&[u8], &AnswerOrigin),
) -> Result<Judged, LakeError> {
    let envelope = match Envelope::read(envelope) {
        Ok(envelope) => envelope,
        Err(error) => return Ok(bad(&error)),
    };
    // Entries that are not calls do not replace sealed calls.
    let calls = lock(&large.decoded).calls;
    let (facts, task, sealed) = match verdict(desk, (&envelope, calls), origin) {
        Verdict::Accept {
            facts,
            task,
            sealed,
        } => (facts, task, sealed),
        Verdict::Other(judged) => return Ok(judged),
    };
    if task != large.task {
        return Ok(Judged::WrongTask);
    }
    let LargeTask {
        rows: gathered,
        decoded,
        rejects,
        reject_count,
        ..
    } = large;
    let mut decoded = decoded.into_inner().unwrap_or_else(PoisonError::into_inner);
    let reject_count = reject_count
        .into_inner()
        .unwrap_or_else(PoisonError::into_inner);
    let day = desk.with_decoder(|decoder| decoder.day_of_task(&facts));
    let handover = gathered.hand_over(day, desk.crew.size())?;
    let Some(ordinal) = desk.accept(accepted(&task, (&facts, &origin.known), sealed)) else {
        return Ok(Judged::Twice(task));
    };
    let mut rows = desk.chunk.borrow_rows();
    desk.with_decoder(|decoder| {
        let context = AnswerContext {
            ordinal,
            task_id: task.as_str().into(),
            run_id: Arc::clone(&desk.run_id),
            extracted_at_micros: origin.received_at_micros,
            fallback_day: day,
        };
        let counts = TaskCounts {
            calls: entries,
            redials: decoded.redials,
            turns: decoded.turns,
        };
        envelope.write_row(decoder, (&context, counts), &mut decoded.misfits, &mut rows);
    });
    desk.chunk.adopt(handover, ordinal)?;
    desk.adopt_rejects(rejects.into_inner().unwrap_or_else(PoisonError::into_inner));
    if reject_count > 0 {
        let reason = format!("{reject_count} entries of detail");
        desk.events.emit(&Event::Rejected {
            task: task.clone(),
            reason,
        });
    }
    desk.note_zone(decoded.zone_check.verdict(facts.schedule_start_micros));
    finish(desk, (ordinal, &decoded, reject_count));
    if desk.chunk.give_back(rows) {
        desk.chunk.relieve()?;
    }
    Ok(Judged::Accepted {
        task,
        calls: decoded.calls,
        rejects: reject_count,
    })
}

/// The task as the commit records it: values missing from the response come from its listing.
fn accepted(task: &TaskId, (facts, known): (&TaskFacts, &KnownTask), sealed: bool) -> AcceptedTask {
    let micros = |time: Option<DateTime<Utc>>| time.map(|time| time.timestamp_micros());
    let start = facts.schedule_start_micros;
    let end = facts.schedule_end_micros;
    AcceptedTask {
        id: task.clone(),
        facts: TaskFacts {
            id: None,
            schedule_start_micros: start.or_else(|| micros(known.schedule_start)),
            schedule_end_micros: end.or_else(|| micros(known.schedule_end)),
            ..facts.clone()
        },
        sealed,
        calls: 0,
        redials: 0,
        turns: 0,
        rejects: 0,
    }
}

fn finish(desk: &Desk, (ordinal, decoded, rejects): (crate::decode::TaskOrdinal, &Decoded, u64)) {
    desk.note_misfits(&decoded.misfits);
    desk.complete(ordinal, |task| {
        task.calls = decoded.calls;
        task.redials = decoded.redials;
        task.turns = decoded.turns;
        task.rejects = rejects;
    });
}
