//! Receives the one response that `doctor` pulls: streams it, decodes a bounded part, and keeps
//! only facts about it.

use std::collections::HashMap;
use std::convert::Infallible;
use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::types::{Int32Type, TimestampMicrosecondType};
use arrow_array::{Array, ArrayRef};
use bytes::Bytes;
use chrono::{DateTime, NaiveDateTime, Utc};

use super::offset::TimedRedial;
use super::redial_times::RedialTimes;
use crate::api::{self, AnswerFault, AnswerSink, Verdict};
use crate::decode::{
    AnswerContext, AnswerSplitter, Batch, EntryBatch, Envelope, EnvelopeError, Misfits, Piece,
    RecordDecoder, RowCounts, RowDay, Rows, SplitError, SplitOptions, ZoneCheck,
};
use crate::job::{ApiProfile, CodeMeaning, DecodeOptions};
use crate::schema::{TableName, table};
use crate::task::{TaskId, TaskStatus};

/// Entries are decoded in runs of this many bytes.
const RUN_BYTES: usize = 1 << 20;
/// Entries are decoded up to this many bytes: enough to characterize an account, and little enough
/// to decode between two pieces of the response.
const SAMPLE_BYTES: usize = 8 << 20;
/// Maximum number of redials kept for finding the time zone.
const MAX_ATTEMPTS: usize = 5_000;

/// Properties of a response.
#[derive(Debug)]
pub(super) struct AnswerFacts {
    /// Whether it contains its task's id.
    pub(super) names_task: bool,
    /// The task's status in the response.
    pub(super) status: Option<TaskStatus>,
    /// Bytes, after decompression.
    pub(super) bytes: u64,
    /// Entries of `detail`.
    pub(super) entries: u64,
    /// Entries that were decoded.
    pub(super) sampled: u64,
    /// Of the decoded ones, entries that are not calls.
    pub(super) rejects: usize,
    /// Redials and turns of the decoded entries.
    pub(super) children: [u64; 2],
    /// Values that the tables have no column for.
    pub(super) misfits: Misfits,
    /// Redials of the decoded entries.
    pub(super) redials: RedialTimes,
}

/// Receives one task's response.
#[derive(Debug)]
pub(super) struct FactSink<'a> {
    task: &'a TaskId,
    profile: &'a ApiProfile,
    options: &'a DecodeOptions,
    reading: Option<ArrivingAnswer>,
}

impl<'a> FactSink<'a> {
    pub(super) fn new(
        task: &'a TaskId,
        profile: &'a ApiProfile,
        options: &'a DecodeOptions,
    ) -> Self {
        Self {
            task,
            profile,
            options,
            reading: None,
        }
    }

    fn reading(&mut self) -> &mut ArrivingAnswer {
        self.reading
            .as_mut()
            .expect("the client begins an answer before it hands on its pieces")
    }
}

impl AnswerSink for FactSink<'_> {
    type Output = AnswerFacts;
    type Error = Infallible;

    async fn begin(&mut self, attempt: api::Attempt) -> Result<(), AnswerFault> {
        self.reading = Some(ArrivingAnswer::new(
            self.task,
            attempt.received_at,
            self.options,
        ));
        Ok(())
    }

    async fn chunk(&mut self, bytes: Bytes) -> Result<(), AnswerFault> {
        self.reading().push(&bytes).map_err(|error| fault(&error))
    }

    async fn finish(&mut self) -> Result<Verdict<AnswerFacts>, AnswerFault> {
        let reading = self.reading.take();
        let reading = reading.expect("the client begins an answer before it ends it");
        reading.finish(self.task, self.profile)
    }

    async fn abandon(&mut self) {
        self.reading = None;
    }
}

fn fault(error: &SplitError) -> AnswerFault {
    let reason = error.to_string();
    match error {
        SplitError::NotJson { .. } => AnswerFault::NotJson { reason },
        SplitError::EnvelopeTooLarge { .. } | SplitError::TooManyEntries => {
            AnswerFault::Rejected { reason }
        }
    }
}

/// A response while it arrives.
#[derive(Debug)]
struct ArrivingAnswer {
    split: AnswerSplitter,
    sample: Sample,
}

/// The decoded part of a response.
#[derive(Debug)]
struct Sample {
    decoder: RecordDecoder,
    context: AnswerContext,
    bytes: usize,
    entries: u64,
    rejects: usize,
    children: [u64; 2],
    misfits: Misfits,
    zone: ZoneCheck,
    seen: Vec<SeenRedial>,
}

/// A redial's start as written, and its call's start.
#[derive(Debug)]
struct SeenRedial {
    text: String,
    call_start: DateTime<Utc>,
}

impl ArrivingAnswer {
    fn new(task: &TaskId, at: DateTime<Utc>, options: &DecodeOptions) -> Self {
        Self {
            split: AnswerSplitter::new(SplitOptions {
                batch_bytes: RUN_BYTES,
                max_record_bytes: options.max_record_bytes.get(),
            }),
            sample: Sample {
                decoder: RecordDecoder::new(options),
                context: AnswerContext {
                    ordinal: 0,
                    task_id: task.as_str().into(),
                    run_id: Arc::from("doctor"),
                    extracted_at_micros: at.timestamp_micros(),
                    fallback_day: RowDay::Unknown,
                },
                bytes: 0,
                entries: 0,
                rejects: 0,
                children: [0; 2],
                misfits: Misfits::default(),
                zone: ZoneCheck::default(),
                seen: Vec::new(),
            },
        }
    }

    fn push(&mut self, bytes: &[u8]) -> Result<(), SplitError> {
        self.split.push(bytes)?;
        let pieces: Vec<Piece> = self.split.pieces().collect();
        for piece in pieces {
            match piece {
                Piece::Batch(run) => self.sample.add(&run),
                Piece::Oversize { last, .. } => self.sample.rejects += usize::from(last),
            }
        }
        Ok(())
    }

    fn finish(
        self,
        asked: &TaskId,
        profile: &ApiProfile,
    ) -> Result<Verdict<AnswerFacts>, AnswerFault> {
        let Self { split, mut sample } = self;
        let bytes = split.bytes_seen();
        let ended = split.finish().map_err(|error| fault(&error))?;
        sample.add(&ended.rest);
        let envelope = Envelope::read(&ended.envelope).map_err(|error| {
            let reason = error.to_string();
            match error {
                EnvelopeError::NotJson(_) => AnswerFault::NotJson { reason },
                _ => AnswerFault::Rejected { reason },
            }
        })?;
        match envelope.code {
            Some(code) if profile.meaning(code) != CodeMeaning::Success => {
                return Ok(Verdict::Refused { code });
            }
            Some(_) => {}
            None => {
                return Err(AnswerFault::NotJson {
                    reason: "an object with a `code` was expected".to_owned(),
                });
            }
        }
        envelope.check().map_err(|error| AnswerFault::Rejected {
            reason: error.to_string(),
        })?;
        if !envelope.has_data() {
            return Err(AnswerFault::NoData);
        }
        let facts = envelope.facts(sample.decoder.options());
        if facts.id.as_ref().is_some_and(|id| id != asked) {
            return Err(AnswerFault::WrongTask);
        }
        let counts = RowCounts::default();
        let mut rows = Rows::default();
        let Sample {
            decoder,
            context,
            misfits,
            ..
        } = &mut sample;
        envelope.write_row(decoder, context, counts, misfits, &mut rows);
        let begin = facts
            .schedule_start_micros
            .and_then(DateTime::from_timestamp_micros);
        Ok(Verdict::Complete(AnswerFacts {
            names_task: facts.id.is_some(),
            status: facts.status,
            bytes,
            entries: ended.entries,
            sampled: sample.entries,
            rejects: sample.rejects,
            children: sample.children,
            misfits: sample.misfits,
            redials: RedialTimes {
                zone: sample.zone.verdict(facts.schedule_start_micros),
                ..times(&sample.seen, begin)
            },
        }))
    }
}

impl Sample {
    fn add(&mut self, run: &EntryBatch) {
        if self.bytes >= SAMPLE_BYTES {
            return;
        }
        self.bytes += run.bytes.len();
        self.entries += run.ends.len() as u64;
        let mut rows = Rows::default();
        let decoded = self.decoder.decode(run, &self.context, &mut rows);
        self.rejects += decoded.rejects.len();
        self.children[0] += decoded.redials;
        self.children[1] += decoded.turns;
        self.misfits.merge(&decoded.misfits);
        self.zone.merge(&decoded.zone_check);
        // Without the columns no zone can be derived; a run reports what is wrong with them.
        let batches = rows.take().unwrap_or_default();
        self.seen.extend(redials_of(&batches));
        self.seen.truncate(MAX_ATTEMPTS);
    }
}

fn times(seen: &[SeenRedial], not_before: Option<DateTime<Utc>>) -> RedialTimes {
    let mut times = RedialTimes {
        answers: 1,
        ..RedialTimes::default()
    };
    for SeenRedial { text, call_start } in seen {
        let text = text.trim();
        if DateTime::parse_from_rfc3339(text).is_ok() {
            times.zoned += 1;
        } else if let Some(local) = local_time(text) {
            times.attempts.push(TimedRedial {
                local,
                not_before,
                not_after: *call_start,
            });
        }
    }
    times
}

fn local_time(text: &str) -> Option<NaiveDateTime> {
    ["%Y-%m-%d %H:%M:%S%.f", "%Y-%m-%dT%H:%M:%S%.f"]
        .iter()
        .find_map(|format| NaiveDateTime::parse_from_str(text, format).ok())
}

/// The redials of decoded rows, with the start of their calls; redials of calls without a start are
/// omitted.
fn redials_of(batches: &[Batch]) -> Vec<SeenRedial> {
    let mut starts: HashMap<i32, DateTime<Utc>> = HashMap::new();
    for batch in batches
        .iter()
        .filter(|batch| batch.table == TableName::Calls)
    {
        let indexes = column(batch, "detail_index").as_primitive::<Int32Type>();
        let times = column(batch, "call_start_time").as_primitive::<TimestampMicrosecondType>();
        for (index, micros) in indexes.iter().zip(times.iter()) {
            let start = micros.and_then(DateTime::from_timestamp_micros);
            if let (Some(index), Some(start)) = (index, start) {
                starts.insert(index, start);
            }
        }
    }
    let mut redials = Vec::new();
    for batch in batches
        .iter()
        .filter(|batch| batch.table == TableName::Redials)
    {
        let indexes = column(batch, "detail_index").as_primitive::<Int32Type>();
        let texts = column(batch, "call_start_time_text").as_binary::<i32>();
        for row in 0..batch.rows {
            let start = starts.get(&indexes.value(row));
            if let (Some(call_start), true) = (start, texts.is_valid(row)) {
                redials.push(SeenRedial {
                    text: String::from_utf8_lossy(texts.value(row)).into_owned(),
                    call_start: *call_start,
                });
            }
        }
    }
    redials
}

fn column<'a>(batch: &'a Batch, name: &str) -> &'a ArrayRef {
    let columns = &table(batch.table).columns;
    let index = columns.iter().position(|column| column.name == name);
    &batch.columns[index.expect("schemas/ names the columns of calls and redials")]
}

#[cfg(test)]
mod tests {
    use chrono_tz::Tz;

    use super::*;
    use crate::doctor::offset::fit;

    const SAMPLE: &[u8] = include_bytes!("../../tests/fixtures/taskdetail-documented.json");
    const SAMPLE_TASK: &str = "88ee39e17xxxxxxxxxe9cf739cfdc6697";

    async fn read(task: &str, answer: &[u8]) -> Result<Verdict<AnswerFacts>, AnswerFault> {
        let options = DecodeOptions {
            source_timezone: None,
            partition_timezone: Tz::UTC,
            max_record_bytes: std::num::NonZeroUsize::new(1 << 20).expect("not zero"),
            max_reject_bytes: std::num::NonZeroU64::MAX,
        };
        let task = TaskId::new(task).expect("an id");
        let profile = ApiProfile::default();
        let mut sink = FactSink::new(&task, &profile, &options);
        let attempt = api::Attempt {
            number: 1,
            is_last: true,
            received_at: "2024-03-18T00:00:00Z".parse().expect("a time"),
        };
        sink.begin(attempt).await?;
        for piece in answer.chunks(1000) {
            sink.chunk(Bytes::copy_from_slice(piece)).await?;
        }
        sink.finish().await
    }

    #[tokio::test]
    async fn the_documented_sample_fits_and_tells_its_zone() {
        let Ok(Verdict::Complete(facts)) = read(SAMPLE_TASK, SAMPLE).await else {
            panic!("a good answer")
        };
        assert!(facts.names_task);
        assert_eq!(facts.status, Some(TaskStatus::Finished));
        assert_eq!((facts.entries, facts.sampled, facts.rejects), (1, 1, 0));
        assert_eq!(facts.children, [3, 5]);
        assert_eq!(facts.misfits.lines(), []);
        assert_eq!(facts.redials.attempts.len(), 3);
        let offsets: Vec<String> = fit(&facts.redials.attempts)
            .best
            .iter()
            .map(ToString::to_string)
            .collect();
        assert_eq!(offsets, ["+07:00"]);
    }

    #[tokio::test]
    async fn an_answer_that_is_no_good_is_a_fault_or_a_refusal() {
        let other = read("other", SAMPLE).await;
        assert!(matches!(other, Err(AnswerFault::WrongTask)), "{other:?}");
        let refused = read("t", br#"{"data":null,"code":500}"#).await;
        assert!(
            matches!(refused, Ok(Verdict::Refused { code: 500 })),
            "{refused:?}"
        );
        let empty = read("t", br#"{"data":null,"code":200}"#).await;
        assert!(matches!(empty, Err(AnswerFault::NoData)), "{empty:?}");
        let html = read("t", b"<html></html>").await;
        assert!(matches!(html, Err(AnswerFault::NotJson { .. })), "{html:?}");
        let cut = read(SAMPLE_TASK, &SAMPLE[..900]).await;
        assert!(matches!(cut, Err(AnswerFault::NotJson { .. })), "{cut:?}");
    }

    #[tokio::test]
    async fn unknown_keys_are_counted() {
        let answer = br#"{"data":{"TaskID":"t","detail":[{"New":1},{"New":2},7]},"code":"200"}"#;
        let Ok(Verdict::Complete(facts)) = read("t", answer).await else {
            panic!("a good answer")
        };
        let lines = facts.misfits.lines();
        assert_eq!(
            (lines.len(), lines[0].key.as_str(), lines[0].count),
            (1, "New", 2)
        );
        assert_eq!((facts.entries, facts.rejects), (3, 1));
    }
}
