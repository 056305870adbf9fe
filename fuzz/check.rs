//! What holds for any bytes an answer may consist of. Shared by the fuzz target and the tests.

use std::collections::BTreeMap;
use std::num::NonZeroUsize;

use airudder_export::parts::DecodeOptions;
use airudder_export::parts::{
    AnswerContext, AnswerSplitter, Batch, Decoded, EntryBatch, Envelope, Misfits, Piece,
    RecordDecoder, RejectedEntry, RowCounts, Rows, SplitOptions,
};
use serde_json::Value;

/// Small, so that few bytes reach it.
const MAX_RECORD_BYTES: usize = 4096;

/// What became of an answer.
#[derive(Debug, PartialEq)]
struct Outcome {
    entries: u64,
    calls: u64,
    code: Option<i64>,
    /// By table and day, in words.
    rows: BTreeMap<String, Vec<arrow_array::ArrayRef>>,
    /// By position, with the entry's bytes.
    rejects: BTreeMap<u64, Vec<u8>>,
    misfits: Vec<Misfit>,
}

type Misfit = (String, &'static str, u64);

/// Decodes the bytes whole, and in pieces of several sizes: whatever they are, nothing panics, all
/// give the same, every entry is either rows or a reject, and what a strict parser takes is taken.
///
/// # Panics
/// When one of that does not hold.
pub(crate) fn check(answer: &[u8]) {
    let whole = decode(answer, answer.len().max(1));
    for piece in [1, 3, 64, 1000] {
        assert_eq!(whole, decode(answer, piece), "in pieces of {piece}");
    }
    if let Ok(outcome) = &whole {
        let rejected = outcome.rejects.len() as u64;
        assert_eq!(outcome.calls + rejected, outcome.entries, "entries");
        for (index, bytes) in &outcome.rejects {
            let is_object = serde_json::from_slice::<serde_json::Map<String, Value>>(bytes).is_ok();
            assert!(
                !is_object || bytes.len() > MAX_RECORD_BYTES,
                "{index} is a call"
            );
        }
    }
    if let Some(entries) = strictly(answer) {
        assert_eq!(
            whole.map(|outcome| outcome.entries),
            Ok(entries),
            "a strict parser takes it"
        );
    }
}

/// Entries of an answer that is right beyond doubt: JSON, its keys once each, not too large. Keys may be
/// spelled with escapes.
fn strictly(answer: &[u8]) -> Option<u64> {
    #[derive(serde::Deserialize)]
    struct Answer {
        data: Data,
        #[serde(rename = "code")]
        _code: i32,
    }
    #[derive(serde::Deserialize)]
    struct Data {
        detail: Vec<serde::de::IgnoredAny>,
        #[serde(rename = "TaskID")]
        _id: Id,
    }
    #[derive(serde::Deserialize)]
    #[serde(try_from = "String")]
    struct Id;
    impl TryFrom<String> for Id {
        type Error = &'static str;
        fn try_from(id: String) -> Result<Self, Self::Error> {
            let is_id = airudder_export::parts::TaskId::new(&id).is_ok();
            is_id.then_some(Self).ok_or("no task id")
        }
    }
    let answer = (answer.len() <= MAX_RECORD_BYTES).then_some(answer)?;
    let parsed: Answer = serde_json::from_slice(answer).ok()?;
    Some(parsed.data.detail.len() as u64)
}

fn decode(answer: &[u8], piece: usize) -> Result<Outcome, String> {
    let options = DecodeOptions {
        source_timezone: Some(chrono_tz::Asia::Jakarta),
        partition_timezone: chrono_tz::America::St_Johns,
        max_record_bytes: NonZeroUsize::new(MAX_RECORD_BYTES).expect("not zero"),
        max_reject_bytes: std::num::NonZeroU64::MAX,
    };
    let mut split = AnswerSplitter::new(SplitOptions {
        batch_bytes: 200,
        max_record_bytes: MAX_RECORD_BYTES,
    });
    let (mut runs, mut rejects) = (Vec::new(), BTreeMap::new());
    for piece in answer.chunks(piece) {
        split.push(piece).map_err(|error| error.to_string())?;
        for piece in split.pieces() {
            match piece {
                Piece::Batch(run) => runs.push(run),
                Piece::Oversize { index, bytes, .. } => {
                    rejects.entry(index).or_insert_with(Vec::new).extend(bytes);
                }
            }
        }
    }
    let ended = split.finish().map_err(|error| error.to_string())?;
    runs.push(ended.rest);
    let envelope = Envelope::read(&ended.envelope).map_err(|error| error.to_string())?;
    envelope.check().map_err(|error| error.to_string())?;
    let mut outcome = decode_runs(&runs, &envelope, &options, ended.entries)?;
    outcome.rejects.append(&mut rejects);
    Ok(outcome)
}

fn decode_runs(
    runs: &[EntryBatch],
    envelope: &Envelope<'_>,
    options: &DecodeOptions,
    entries: u64,
) -> Result<Outcome, String> {
    let facts = envelope.facts(options);
    let mut decoder = RecordDecoder::new(options);
    let context = AnswerContext {
        ordinal: 0,
        task_id: facts
            .id
            .as_ref()
            .map_or("asked for", |id| id.as_str())
            .into(),
        run_id: "run".into(),
        extracted_at_micros: 0,
        fallback_day: decoder.day_of_task(&facts),
    };
    let mut rows = Rows::default();
    let mut decoded = Decoded::default();
    for run in runs {
        decoded.merge(decoder.decode(run, &context, &mut rows));
    }
    let counts = RowCounts {
        calls: entries,
        redials: decoded.redials,
        turns: decoded.turns,
    };
    let mut misfits = Misfits::default();
    envelope.write_row(&mut decoder, &context, counts, &mut misfits, &mut rows);
    decoded.misfits.merge(&misfits);
    let batches = rows.take().map_err(|error| error.to_string())?;
    assert_eq!(sum(&batches, "calls"), decoded.calls, "calls");
    assert_eq!(sum(&batches, "redials"), decoded.redials, "redials");
    assert_eq!(sum(&batches, "asr_turns"), decoded.turns, "turns");
    assert_eq!(
        sum(&batches, "tasks"),
        u64::from(envelope.has_data()),
        "tasks"
    );
    let kept = |reject: RejectedEntry| (reject.index, reject.bytes);
    let named = |batch: Batch| {
        (
            format!("{} {:?}", batch.table.as_str(), batch.day),
            batch.columns,
        )
    };
    Ok(Outcome {
        entries,
        calls: decoded.calls,
        code: envelope.code,
        rows: batches.into_iter().map(named).collect(),
        rejects: decoded.rejects.into_iter().map(kept).collect(),
        misfits: decoded
            .misfits
            .lines()
            .into_iter()
            .map(|misfit| (misfit.key, misfit.kind.as_str(), misfit.count))
            .collect(),
    })
}

fn sum(batches: &[Batch], table: &str) -> u64 {
    let of_table = batches.iter().filter(|batch| batch.table.as_str() == table);
    of_table.map(|batch| batch.rows as u64).sum()
}
