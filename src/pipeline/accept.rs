//! Classifies a complete response (successful, final, duplicate) and stores the rows of accepted
//! ones. Runs on threads that may block.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use chrono::{DateTime, Utc};

use super::pending::{AcceptedTask, Accepting, PendingCommit};
use crate::calendar::day_of;
use crate::decode::{
    AnswerContext, Decoded, EntryBatch, Envelope, EnvelopeError, RejectedEntry, RowCounts, RowDay,
    Rows, SplitEnd, TaskFacts, TaskKey,
};
use crate::discover::is_settled;
use crate::event::Event;
use crate::lake::LakeError;
use crate::lake::write::{LargeAnswer, Reject, RejectWriter};
use crate::sync::lock;
use crate::task::{TaskId, TaskInfo, TaskStatus};

/// What became of a usable response.
#[derive(Debug)]
pub(super) enum AnswerDisposition {
    /// Its rows are waiting for the next commit.
    Accepted {
        task: TaskId,
        calls: u64,
        /// Entries that were rejected.
        rejects: u64,
    },
    /// Successful, but the task is not final: nothing was stored.
    Left(TaskInfo),
    /// Successful, but the task's day is before `tasks.not_before`: nothing was stored.
    Before(TaskInfo),
    /// This run already has the task.
    Twice(TaskId),
    /// It has fewer calls than are sealed, so the sealed ones stay.
    Fewer(TaskId, FewerCalls),
    /// It was requested because its listing counts a different number of calls; it has as many as
    /// are sealed.
    AsSealed,
}

/// Why a complete response is not usable.
#[derive(Debug, thiserror::Error)]
pub(super) enum UnusableAnswer {
    /// It has no code: it is not the API's envelope.
    #[error("the answer has no code")]
    NoCode,
    /// Its code does not mean success.
    #[error("its code is {0}, which is no success")]
    Refused(i64),
    /// It contains no task.
    #[error("there is no data in it")]
    NoData,
    /// It belongs to a different task than the one requested.
    #[error("it names two different tasks")]
    WrongTask,
    /// It is not JSON, or contradicts itself.
    #[error("{0}")]
    Bad(String),
}

/// The classification of a complete response.
pub(super) type Classified = Result<AnswerDisposition, UnusableAnswer>;

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
    pending: &PendingCommit,
    envelope: &[u8],
    entries: u64,
    origin: &AnswerOrigin,
) -> Standing {
    let Ok(envelope) = Envelope::read(envelope) else {
        return Standing::Unusable;
    };
    match check_envelope(pending, &envelope, entries, origin) {
        Ok(Acceptable { sealed: true, .. }) => Standing::Final,
        Ok(_) | Err(Ok(AnswerDisposition::Left(_) | AnswerDisposition::Before(_))) => {
            Standing::Running
        }
        Err(_) => Standing::Unusable,
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
    rejects: Mutex<LargeRejects>,
    /// Size of its rejects, and their limit.
    reject_bytes: AtomicU64,
    most_reject_bytes: u64,
}

/// Rejects of a large response.
#[derive(Debug)]
struct LargeRejects {
    writer: RejectWriter,
    count: u64,
    /// A call over the record limit that has not arrived completely.
    oversize: Option<Oversize>,
}

/// A call that is too large to be a record counts with this share of its size, in percent, in the
/// limit on rejects: it may hold data that someone wants back, and the calls beside it are good. By
/// the defaults, one of a gigabyte is kept whole, and one without end is given up soon after that.
const OVERSIZE_PERCENT: usize = 6;

/// A call that is too large to be a record, as far as it has arrived.
#[derive(Clone, Copy, Debug)]
struct Oversize {
    index: u64,
    limit: usize,
    kept_bytes: u64,
}

impl LargeTask {
    pub(super) fn new(pending: &PendingCommit, task: TaskId) -> Self {
        Self {
            task,
            rows: LargeAnswer::new(pending.chunk_options.clone(), &pending.large_answers),
            decoded: Mutex::default(),
            rejects: Mutex::new(LargeRejects {
                writer: pending.reject_writer(),
                count: 0,
                oversize: None,
            }),
            reject_bytes: AtomicU64::new(0),
            most_reject_bytes: pending.decode.max_reject_bytes.get(),
        }
    }

    /// Decodes a run of its entries.
    pub(super) fn decode(
        &self,
        pending: &PendingCommit,
        run: &EntryBatch,
        received_at_micros: i64,
    ) -> Result<(), LakeError> {
        let context = AnswerContext {
            ordinal: 0,
            task_id: self.task.as_str().into(),
            run_id: Arc::clone(&pending.run_id),
            extracted_at_micros: received_at_micros,
            fallback_day: RowDay::OfTask,
        };
        // Rows are not returned to the pool on an error, so that no row of a failed response
        // remains.
        let kept = self.rows.rows();
        let mut rows = kept.unwrap_or_else(|| pending.take_rows_buffer());
        let mut decoded = pending.with_decoder(|decoder| {
            let mut on_batch_full = |rows: &mut Rows| self.rows.push(rows.take()?);
            decoder.decode_slabs(run, &context, &mut rows, &mut on_batch_full)
        })?;
        pending.events.emit(&Event::Decoded {
            calls: decoded.calls,
        });
        self.keep_rejects(&std::mem::take(&mut decoded.rejects))?;
        lock(&self.decoded).merge(decoded);
        if let Some(emptied) = self.rows.put_rows(rows)? {
            pending.put_rows_buffer(emptied);
        }
        Ok(())
    }

    fn keep_rejects(&self, rejects: &[RejectedEntry]) -> Result<(), LakeError> {
        let LargeRejects { writer, count, .. } = &mut *lock(&self.rejects);
        *count += rejects.len() as u64;
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
    pub(super) fn keep_sample(self, pending: &PendingCommit) -> Result<(), LakeError> {
        let rejects = self.rejects.into_inner();
        let LargeRejects {
            mut writer,
            oversize,
            ..
        } = rejects.unwrap_or_else(PoisonError::into_inner);
        if let Some(Oversize {
            index,
            limit,
            kept_bytes,
        }) = oversize
        {
            let reason = format!(
                "it is over {limit} bytes; write.max_record_size sets the limit; only its first {kept_bytes} \
                 bytes are kept: write.max_rejects_size"
            );
            writer.end_pieces(Reject {
                task_id: &self.task,
                detail_index: Some(index),
                reason: &reason,
            })?;
        }
        pending.adopt_rejects(writer);
        Ok(())
    }

    /// Stores a piece of an entry that is too large to be a record, while rejects may grow.
    pub(super) fn keep_oversize(
        &self,
        index: u64,
        limit: usize,
        piece: &[u8],
        last: bool,
    ) -> Result<(), LakeError> {
        if !self.has_room((piece.len() * OVERSIZE_PERCENT).div_ceil(100)) {
            return Ok(());
        }
        let LargeRejects {
            writer,
            count,
            oversize,
        } = &mut *lock(&self.rejects);
        writer.keep_piece(piece)?;
        let begun = oversize.get_or_insert(Oversize {
            index,
            limit,
            kept_bytes: 0,
        });
        begun.kept_bytes += piece.len() as u64;
        if last {
            *oversize = None;
            *count += 1;
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

/// A response whose envelope permits its rows to be stored.
struct Acceptable {
    facts: TaskFacts,
    task: TaskId,
    sealed: bool,
}

/// Classifies a response by its envelope; an error is the final classification.
fn check_envelope(
    pending: &PendingCommit,
    envelope: &Envelope<'_>,
    entries: u64,
    origin: &AnswerOrigin,
) -> Result<Acceptable, Classified> {
    let Some(code) = envelope.code else {
        return Err(Err(UnusableAnswer::NoCode));
    };
    if !pending.accept.success_codes.contains(&code) {
        return Err(Err(UnusableAnswer::Refused(code)));
    }
    if let Err(error) = envelope.check() {
        return Err(bad(&error));
    }
    if !envelope.has_data() {
        return Err(Err(UnusableAnswer::NoData));
    }
    let mut facts = envelope.facts(&pending.decode);
    let known = &origin.known;
    if let Some(shape) = facts.shape_of(TaskKey::Id) {
        return Err(Err(UnusableAnswer::Bad(format!("its TaskID is {shape}"))));
    }
    // A status that is not understood does not permit falling back to the listing's status.
    if facts.status.is_none() && facts.shape_of(TaskKey::Status).is_some() {
        facts.status = Some(TaskStatus::unknown());
    }
    // The response's status decides, except for a task listed as running: the next run would open
    // it again. It is final once both say so.
    let is_listed_as_running = known.status.as_ref().is_some_and(TaskStatus::is_running);
    if facts.status.is_none() || is_listed_as_running {
        facts.status.clone_from(&known.status);
    }
    let task = match (&origin.expected, &facts.id) {
        (Some(expected), Some(id)) if expected != id => {
            return Err(Err(UnusableAnswer::WrongTask));
        }
        (Some(expected), _) => expected.clone(),
        (None, Some(id)) => id.clone(),
        (None, None) => {
            return Err(Err(UnusableAnswer::Bad(
                "the answer names no TaskID".to_owned(),
            )));
        }
    };
    let rules = &pending.accept.rules;
    let schedule_start = facts.schedule_start_micros.and_then(moment);
    let day = schedule_start.or(known.schedule_start);
    let day = day.map(|start| day_of(rules.zone, start));
    // If the listing has no day, the response decides.
    if rules.is_before_first(day) {
        return Err(Ok(AnswerDisposition::Before(info(task, facts))));
    }
    let schedule_end = facts.schedule_end_micros.and_then(moment);
    let sealed = facts.status.as_ref().is_some_and(TaskStatus::is_final)
        && is_settled(
            schedule_end.or(known.schedule_end),
            known.final_since,
            rules,
        );
    if !sealed && (!rules.include_running || origin.only_final) {
        return Err(Ok(AnswerDisposition::Left(info(task, facts))));
    }
    if let Some(fewer) = fewer(pending, entries, known) {
        return Err(Ok(AnswerDisposition::Fewer(task, fewer)));
    }
    // A different count may announce calls that the response does not include yet.
    if known.is_recount && known.sealed_calls == Some(entries) {
        return Err(Ok(AnswerDisposition::AsSealed));
    }
    Ok(Acceptable {
        facts,
        task,
        sealed,
    })
}

/// Checks whether this number of calls would remove sealed ones.
fn fewer(pending: &PendingCommit, answered: u64, known: &KnownTask) -> Option<FewerCalls> {
    let sealed = known.sealed_calls.filter(|_| !pending.accept.allow_fewer)?;
    (answered < sealed).then_some(FewerCalls { sealed, answered })
}

fn bad(error: &EnvelopeError) -> Classified {
    Err(UnusableAnswer::Bad(error.to_string()))
}

/// Classifies a response that was buffered whole, and decodes it into the shared rows if it is
/// accepted.
pub(super) fn small(
    pending: &PendingCommit,
    accepting: &Accepting,
    ended: &SplitEnd,
    origin: &AnswerOrigin,
) -> Result<Classified, LakeError> {
    let mut hand_on = |rows: &mut Rows| pending.chunk.push(rows.take()?);
    let (classified, grown) = into_shared_rows(pending, accepting, ended, origin, &mut hand_on)?;
    if grown {
        flush_if_over_budget(pending, accepting)?;
    }
    Ok(classified)
}

/// As [`small`], for text small enough to be decoded on a thread that must not block; `None` if it
/// would have to wait for a commit. Also returns whether [`flush_if_over_budget`] is due.
pub(super) fn tiny(
    pending: &PendingCommit,
    ended: &SplitEnd,
    origin: &AnswerOrigin,
) -> Option<Result<(Classified, bool), LakeError>> {
    let accepting = pending.try_accepting()?;
    // However many days so little text covers, its rows take a few megabytes; handing rows on might
    // wait for the disk.
    Some(into_shared_rows(
        pending,
        &accepting,
        ended,
        origin,
        &mut |_| Ok(()),
    ))
}

/// Frees memory in the shared rows.
pub(super) fn flush_if_over_budget(
    pending: &PendingCommit,
    _: &Accepting,
) -> Result<(), LakeError> {
    pending.chunk.flush_if_over_budget()
}

fn into_shared_rows(
    pending: &PendingCommit,
    accepting: &Accepting,
    ended: &SplitEnd,
    origin: &AnswerOrigin,
    hand_on: &mut dyn FnMut(&mut Rows) -> Result<(), LakeError>,
) -> Result<(Classified, bool), LakeError> {
    let envelope = match Envelope::read(&ended.envelope) {
        Ok(envelope) => envelope,
        Err(error) => return Ok((bad(&error), false)),
    };
    let Acceptable {
        facts,
        task,
        sealed,
    } = match check_envelope(pending, &envelope, ended.entries, origin) {
        Ok(acceptable) => acceptable,
        Err(classified) => return Ok((classified, false)),
    };
    // Entries that are not calls do not replace sealed calls.
    if origin.known.sealed_calls.is_some() {
        let calls = calls_of(pending, ended, &task);
        if let Some(fewer) = fewer(pending, calls, &origin.known) {
            return Ok((Ok(AnswerDisposition::Fewer(task, fewer)), false));
        }
    }
    let accepted = accepted(&task, facts.clone(), &origin.known, sealed);
    let Some(ordinal) = pending.accept(accepting, accepted) else {
        return Ok((Ok(AnswerDisposition::Twice(task)), false));
    };
    let mut rows = pending.chunk.pooled_rows();
    let decoded = pending.with_decoder(|decoder| {
        let context = AnswerContext {
            ordinal,
            task_id: task.as_str().into(),
            run_id: Arc::clone(&pending.run_id),
            extracted_at_micros: origin.received_at_micros,
            fallback_day: decoder.day_of_task(&facts),
        };
        let mut decoded = decoder.decode_slabs(&ended.rest, &context, &mut rows, hand_on)?;
        let counts = RowCounts {
            calls: ended.entries,
            redials: decoded.redials,
            turns: decoded.turns,
        };
        envelope.write_row(decoder, &context, counts, &mut decoded.misfits, &mut rows);
        Ok::<_, LakeError>(decoded)
    })?;
    pending.events.emit(&Event::Decoded {
        calls: decoded.calls,
    });
    let rejects = decoded.rejects.len() as u64;
    for entry in &decoded.rejects {
        let reject = Reject {
            task_id: &task,
            detail_index: Some(entry.index),
            reason: &entry.reason,
        };
        pending.reject(|writer| writer.keep(reject, &entry.bytes))?;
        pending.events.emit(&Event::Rejected {
            task: task.clone(),
            reason: entry.reason.clone(),
        });
    }
    pending.note_zone(decoded.zone_check.verdict(facts.schedule_start_micros));
    finish(pending, ordinal, &decoded, rejects);
    let accepted = AnswerDisposition::Accepted {
        task,
        calls: decoded.calls,
        rejects,
    };
    Ok((Ok(accepted), pending.chunk.put_rows(rows)))
}

/// Counts the calls in a response that was buffered whole, by decoding it and discarding the rows.
fn calls_of(pending: &PendingCommit, ended: &SplitEnd, task: &TaskId) -> u64 {
    let context = AnswerContext {
        ordinal: 0,
        task_id: task.as_str().into(),
        run_id: Arc::clone(&pending.run_id),
        extracted_at_micros: 0,
        fallback_day: RowDay::Unknown,
    };
    let mut rows = Rows::default();
    pending.with_decoder(|decoder| decoder.decode(&ended.rest, &context, &mut rows).calls)
}

/// Classifies a response whose rows were decoded while it arrived.
pub(super) fn large(
    pending: &PendingCommit,
    accepting: &Accepting,
    large: LargeTask,
    entries: u64,
    envelope: &[u8],
    origin: &AnswerOrigin,
) -> Result<Classified, LakeError> {
    let envelope = match Envelope::read(envelope) {
        Ok(envelope) => envelope,
        Err(error) => return Ok(bad(&error)),
    };
    // Entries that are not calls do not replace sealed calls.
    let calls = lock(&large.decoded).calls;
    let Acceptable {
        facts,
        task,
        sealed,
    } = match check_envelope(pending, &envelope, calls, origin) {
        Ok(acceptable) => acceptable,
        Err(classified) => return Ok(classified),
    };
    if task != large.task {
        return Ok(Err(UnusableAnswer::WrongTask));
    }
    let LargeTask {
        rows: gathered,
        decoded,
        rejects,
        ..
    } = large;
    let mut decoded = decoded.into_inner().unwrap_or_else(PoisonError::into_inner);
    let LargeRejects {
        writer: rejects,
        count: reject_count,
        ..
    } = rejects.into_inner().unwrap_or_else(PoisonError::into_inner);
    let day = pending.with_decoder(|decoder| decoder.day_of_task(&facts));
    let handover = gathered.hand_over(day)?;
    let accepted = accepted(&task, facts.clone(), &origin.known, sealed);
    let Some(ordinal) = pending.accept(accepting, accepted) else {
        return Ok(Ok(AnswerDisposition::Twice(task)));
    };
    let mut rows = pending.chunk.pooled_rows();
    pending.with_decoder(|decoder| {
        let context = AnswerContext {
            ordinal,
            task_id: task.as_str().into(),
            run_id: Arc::clone(&pending.run_id),
            extracted_at_micros: origin.received_at_micros,
            fallback_day: day,
        };
        let counts = RowCounts {
            calls: entries,
            redials: decoded.redials,
            turns: decoded.turns,
        };
        envelope.write_row(decoder, &context, counts, &mut decoded.misfits, &mut rows);
    });
    pending.chunk.adopt(handover, ordinal)?;
    pending.adopt_rejects(rejects);
    if reject_count > 0 {
        let reason = format!("{reject_count} entries of detail");
        pending.events.emit(&Event::Rejected {
            task: task.clone(),
            reason,
        });
    }
    pending.note_zone(decoded.zone_check.verdict(facts.schedule_start_micros));
    finish(pending, ordinal, &decoded, reject_count);
    if pending.chunk.put_rows(rows) {
        flush_if_over_budget(pending, accepting)?;
    }
    Ok(Ok(AnswerDisposition::Accepted {
        task,
        calls: decoded.calls,
        rejects: reject_count,
    }))
}

/// What a response tells of its task.
fn info(task: TaskId, facts: TaskFacts) -> TaskInfo {
    TaskInfo {
        id: task,
        workflow: facts.workflow,
        status: facts.status,
        schedule_start: facts.schedule_start_micros.and_then(moment),
        schedule_end: facts.schedule_end_micros.and_then(moment),
    }
}

/// The task as the commit records it: values missing from the response come from its listing.
fn accepted(task: &TaskId, facts: TaskFacts, known: &KnownTask, sealed: bool) -> AcceptedTask {
    let mut info = info(task.clone(), facts);
    info.schedule_start = info.schedule_start.or(known.schedule_start);
    info.schedule_end = info.schedule_end.or(known.schedule_end);
    AcceptedTask {
        task: info,
        sealed,
        calls: 0,
        redials: 0,
        turns: 0,
        rejects: 0,
        misfits: Vec::new(),
    }
}

/// Converts microseconds since 1970 to a time.
fn moment(micros: i64) -> Option<DateTime<Utc>> {
    DateTime::from_timestamp_micros(micros)
}

fn finish(
    pending: &PendingCommit,
    ordinal: crate::decode::TaskOrdinal,
    decoded: &Decoded,
    rejects: u64,
) {
    pending.complete(ordinal, &decoded.misfits, |task| {
        task.calls = decoded.calls;
        task.redials = decoded.redials;
        task.turns = decoded.turns;
        task.rejects = rejects;
    });
}
