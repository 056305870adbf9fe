//! Bytes of an answer to Arrow columns, in memory that does not depend on the answer's size.
//!
//! [`Split`] follows the bytes as they arrive and cuts them into runs of whole entries;
//! [`RecordDecoder`] turns a run into rows, by plans made once from the schema files; [`Envelope`]
//! judges what stood around the entries. Nothing here waits, writes a file or knows the API: a caller
//! decides where bytes come from and when rows count.
//!
//! ```
//! use airudder_export::decode::{Split, SplitOptions};
//!
//! let mut split = Split::new(SplitOptions { run_bytes: 1 << 20, max_record_bytes: 16 << 20 });
//! split.push(br#"{"data":{"detail":[{"id":1},"#)?;
//! split.push(br#"{"id":2}],"TaskID":"t"},"code":200}"#)?;
//! let ended = split.finish()?;
//! assert_eq!(ended.entries, 2);
//! # Ok::<(), airudder_export::decode::SplitError>(())
//! ```

mod answer;
pub(crate) mod column;
mod extra;
pub(crate) mod json;
mod plan;
mod record;
mod row_writer;
mod rows;
mod scan;
mod slots;
mod split;
mod text;
mod value;

pub use answer::{Envelope, EnvelopeError, TaskCounts, TaskFacts, early_task_id};
pub use extra::{Misfit, Misfits};
pub use record::{Decoded, RecordDecoder, RejectedEntry};
pub use rows::{AnswerContext, Batch, RowDay, Rows, TaskOrdinal};
pub use scan::SyntaxError;
pub use split::{Ended, Piece, Run, Split, SplitError, SplitOptions};
pub(crate) use text::base64;

#[cfg(test)]
mod tests {
    use std::num::NonZeroUsize;

    use arrow_array::cast::AsArray;
    use arrow_array::types::{Decimal128Type, Int32Type, TimestampMicrosecondType};
    use arrow_array::{ArrayRef, BinaryArray, RunArray};
    use chrono_tz::Tz;

    use super::*;
    use crate::job::DecodeOptions;
    use crate::schema::{TableName, table};

    const SAMPLE: &[u8] = include_bytes!("../../tests/fixtures/taskdetail-documented.json");

    fn options() -> DecodeOptions {
        DecodeOptions {
            source_timezone: Some(Tz::Asia__Jakarta),
            partition_timezone: Tz::UTC,
            max_record_bytes: NonZeroUsize::new(1 << 20).expect("not zero"),
        }
    }

    fn decode(text: &[u8]) -> (Vec<Batch>, Decoded) {
        let mut split = Split::new(SplitOptions {
            run_bytes: 1 << 20,
            max_record_bytes: 1 << 20,
        });
        split.push(text).expect("JSON");
        let ended = split.finish().expect("whole");
        let envelope = Envelope::read(&ended.envelope).expect("valid");
        let mut decoder = RecordDecoder::new(&options());
        let facts = envelope.facts();
        let context = AnswerContext {
            ordinal: 0,
            task_id: facts.id.as_ref().expect("an id").as_str().into(),
            run_id: "run".into(),
            extracted_at_micros: 0,
            fallback_day: decoder.day_of_task(&facts),
        };
        let mut rows = Rows::default();
        let mut decoded = decoder.decode(&ended.rest, &context, &mut rows);
        let counts = TaskCounts {
            calls: ended.entries,
            redials: decoded.redials,
            turns: decoded.turns,
        };
        let mut misfits = Misfits::default();
        envelope.write_row(&mut decoder, (&context, counts), &mut misfits, &mut rows);
        decoded.misfits.merge(&misfits);
        (rows.take().expect("valid arrays"), decoded)
    }

    fn column(batches: &[Batch], name: TableName, column: &str) -> ArrayRef {
        let index = table(name)
            .columns
            .iter()
            .position(|c| c.name == column)
            .expect("a column");
        let batch = batches
            .iter()
            .find(|batch| batch.table == name)
            .expect("rows of the table");
        batch.columns[index].clone()
    }

    fn texts(array: &ArrayRef) -> Vec<Option<String>> {
        let text = |bytes: Option<&[u8]>| {
            bytes.map(|bytes| String::from_utf8(bytes.to_vec()).expect("text columns hold text"))
        };
        if let Some(runs) = array.as_any().downcast_ref::<RunArray<Int32Type>>() {
            let typed = runs.downcast::<BinaryArray>().expect("bytes");
            return typed.into_iter().map(text).collect();
        }
        array.as_binary::<i32>().iter().map(text).collect()
    }

    fn text(batches: &[Batch], name: TableName, wanted: &str) -> Option<String> {
        texts(&column(batches, name, wanted)).remove(0)
    }

    #[test]
    fn the_documented_sample_becomes_rows_of_four_tables() {
        let (batches, decoded) = decode(SAMPLE);
        assert_eq!((decoded.calls, decoded.redials, decoded.turns), (1, 3, 5));
        assert!(decoded.rejects.is_empty());
        assert_eq!(decoded.misfits.lines(), []);
        assert_eq!(
            text(&batches, TableName::Calls, "case_id").as_deref(),
            Some("123456.0")
        );
        assert_eq!(
            text(&batches, TableName::Calls, "comments").as_deref(),
            Some("123456.0")
        );
        assert_eq!(text(&batches, TableName::Calls, "extra_fields"), None);
        let amount = column(&batches, TableName::Calls, "borrowed_amount");
        assert_eq!(
            amount.as_primitive::<Decimal128Type>().value_as_string(0),
            "20000.0000"
        );
        let start = column(&batches, TableName::Redials, "call_start_time");
        let start = start.as_primitive::<TimestampMicrosecondType>();
        assert_eq!(start.values()[0], 1_710_146_316_000_000);
        let offsets = column(&batches, TableName::AsrTurns, "offset_seconds");
        assert_eq!(
            offsets.as_primitive::<Int32Type>().values(),
            &[0, 3, 9, 9, 10]
        );
        let extra = text(&batches, TableName::Tasks, "extra_fields");
        assert_eq!(extra.as_deref(), Some(r#"{"status":"OK","code":200}"#));
        for batch in &batches {
            assert!(matches!(batch.day, RowDay::On(day) if day.to_string() == "2024-03-11"));
        }
    }

    fn one_call(call: &str) -> (Vec<Batch>, Decoded) {
        decode(format!(r#"{{"data":{{"TaskID":"t","detail":[{call}]}},"code":200}}"#).as_bytes())
    }

    fn extra_of(call: &str) -> Option<String> {
        text(&one_call(call).0, TableName::Calls, "extra_fields")
    }

    #[test]
    fn what_does_not_fit_is_kept_in_the_row_and_counted() {
        let call = r#"{"id":"x","CallTimes":1.5,"new":{"a":[1]},"BorrowedAmount":0.00001}"#;
        assert_eq!(
            extra_of(call).as_deref(),
            Some(r#"{"new":{"a":[1]},"id":"x","CallTimes":1.5,"BorrowedAmount":0.00001}"#)
        );
        let kinds: Vec<_> = one_call(call)
            .1
            .misfits
            .lines()
            .into_iter()
            .map(|m| (m.key, m.kind))
            .collect();
        let expected = [
            ("BorrowedAmount", "out_of_range"),
            ("CallTimes", "not_an_integer"),
            ("id", "not_an_integer"),
            ("new", "unknown_key"),
        ];
        assert_eq!(kinds, expected.map(|(key, kind)| (key.to_owned(), kind)));
    }

    #[test]
    fn numbers_in_text_columns_stay_character_for_character() {
        for (sent, kept) in [
            ("1e3", "1e3"),
            ("123", "123"),
            (r#""00123""#, "00123"),
            (r#""""#, ""),
        ] {
            let (batches, _) = one_call(&format!(r#"{{"case_id":{sent}}}"#));
            assert_eq!(
                text(&batches, TableName::Calls, "case_id").as_deref(),
                Some(kept)
            );
        }
    }

    #[test]
    fn the_last_of_twin_keys_counts_and_the_others_are_kept() {
        let call = r#"{"CallID":"a","CallID":"b","CallID":"c"}"#;
        let (batches, _) = one_call(call);
        assert_eq!(
            text(&batches, TableName::Calls, "call_id").as_deref(),
            Some("c")
        );
        assert_eq!(
            extra_of(call).as_deref(),
            Some(r#"{"CallID":"a","CallID#2":"b"}"#)
        );
    }

    #[test]
    fn arrays_that_are_none_and_entries_that_are_no_objects_are_kept() {
        let call = r#"{"AsrResult":"x","RedailCall":[7,{"CallID":"r","x":1},null]}"#;
        let (batches, decoded) = one_call(call);
        assert_eq!(extra_of(call).as_deref(), Some(r#"{"AsrResult":"x"}"#));
        assert_eq!((decoded.redials, decoded.turns), (3, 0));
        let extras = texts(&column(&batches, TableName::Redials, "extra_fields"));
        let expected = [r#"{"$entry":7}"#, r#"{"x":1}"#, r#"{"$entry":null}"#];
        assert_eq!(extras, expected.map(|text| Some(text.to_owned())));
    }

    #[test]
    fn a_call_of_very_many_redials_hands_its_rows_out_as_they_become_many() {
        let redials: Vec<String> = (0..40_000)
            .map(|n| match n {
                20_000 => "7".to_owned(),
                _ => format!(r#"{{"CallID":"r{n}"}}"#),
            })
            .collect();
        let call = format!(r#"{{"id":5,"RedailCall":[{}]}}"#, redials.join(", "));
        let mut split = Split::new(SplitOptions {
            run_bytes: 1 << 20,
            max_record_bytes: 1 << 20,
        });
        split
            .push(format!(r#"{{"data":{{"detail":[{call}]}}}}"#).as_bytes())
            .expect("JSON");
        let run = split.finish().expect("whole").rest;
        let (mut rows, mut batches) = (Rows::default(), Vec::new());
        let context = AnswerContext {
            ordinal: 0,
            task_id: "t".into(),
            run_id: "run".into(),
            extracted_at_micros: 0,
            fallback_day: RowDay::OfTask,
        };
        let decoded = RecordDecoder::new(&options())
            .decode_slabs(&run, &context, &mut rows, &mut |rows| {
                batches.extend(rows.take()?);
                Ok::<(), arrow_schema::ArrowError>(())
            })
            .expect("valid arrays");
        batches.extend(rows.take().expect("valid arrays"));
        assert_eq!((decoded.calls, decoded.redials), (1, 40_000));
        batches.retain(|batch| batch.table == TableName::Redials);
        assert_eq!(batches.len(), 3, "never all at once");
        let (mut ids, mut positions, mut extras) = (Vec::new(), Vec::new(), Vec::new());
        for batch in std::iter::from_fn(|| (!batches.is_empty()).then(|| [batches.remove(0)])) {
            ids.extend(texts(&column(&batch, TableName::Redials, "call_id")));
            extras.extend(texts(&column(&batch, TableName::Redials, "extra_fields")));
            let position = column(&batch, TableName::Redials, "redial_index");
            positions.extend_from_slice(position.as_primitive::<Int32Type>().values());
        }
        assert_eq!(positions, (0..40_000).collect::<Vec<i32>>());
        for (n, (id, extra)) in ids.iter().zip(&extras).enumerate() {
            let (id, extra) = (id.as_deref(), extra.as_deref());
            match n {
                20_000 => assert_eq!((id, extra), (None, Some(r#"{"$entry":7}"#))),
                _ => assert_eq!((id, extra), (Some(format!("r{n}").as_str()), None)),
            }
        }
    }

    #[test]
    fn an_entry_that_is_broken_is_rejected_whole_and_the_others_stay() {
        let (batches, decoded) = decode(
            br#"{"data":{"TaskID":"t","detail":[{"id":1},null,{"id":01},{"id":4}]},"code":1}"#,
        );
        assert_eq!(decoded.calls, 2);
        let rejects: Vec<_> = decoded
            .rejects
            .iter()
            .map(|r| (r.index, r.bytes.as_slice()))
            .collect();
        assert_eq!(
            rejects,
            [(1, b"null".as_slice()), (2, br#"{"id":01}"#.as_slice())]
        );
        let indexes = column(&batches, TableName::Calls, "detail_index");
        assert_eq!(indexes.as_primitive::<Int32Type>().values(), &[0, 3]);
    }

    #[test]
    fn text_that_has_no_utf8_form_is_kept_as_it_was_sent() {
        assert_eq!(
            extra_of(r#"{"CalleeName":"\ud83d"}"#).as_deref(),
            Some(r#"{"CalleeName":{"$json_base64":"Ilx1ZDgzZCI="}}"#)
        );
        let mut answer = br#"{"data":{"TaskID":"t","detail":[{"CalleeName":""#.to_vec();
        answer.extend(b"\xFF\xFE");
        answer.extend(br#"","CallID":"good"}]},"code":200}"#);
        let (batches, decoded) = decode(&answer);
        assert_eq!(decoded.calls, 1);
        assert_eq!(
            text(&batches, TableName::Calls, "call_id").as_deref(),
            Some("good")
        );
        assert_eq!(text(&batches, TableName::Calls, "callee_name"), None);
        assert_eq!(
            text(&batches, TableName::Calls, "extra_fields").as_deref(),
            Some(r#"{"CalleeName":{"$json_base64":"Iv/+Ig=="}}"#)
        );
    }

    #[test]
    fn a_call_without_a_start_takes_the_day_of_its_task() {
        let answer = br#"{"data":{"TaskID":"t","detail":[{"CallStartTime":"0001-01-01T00:00:00Z"},
            {"CallStartTime":"2024-03-12T00:00:00Z"}],
            "ScheduleStartTime":"2024-03-11T23:00:00Z"},"code":200}"#;
        let mut days: Vec<_> = decode(answer)
            .0
            .into_iter()
            .filter(|batch| batch.table == TableName::Calls)
            .map(|batch| format!("{:?} {}", batch.day, batch.rows))
            .collect();
        days.sort();
        assert_eq!(days, ["On(2024-03-11) 1", "On(2024-03-12) 1"]);
    }
}
