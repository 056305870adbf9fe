//! Decodes response bytes into Arrow columns, in memory independent of the response's size.
//!
//! [`AnswerSplitter`] scans the bytes as they arrive and cuts them into batches of whole entries;
//! [`RecordDecoder`] turns a batch into rows, by plans made once from the schema files; [`Envelope`]
//! checks the JSON around the entries. This module does no I/O, never blocks and does not depend on
//! the API client: the caller decides where bytes come from and when rows count.
//!
//! ```
//! use airudder_export::parts::{AnswerSplitter, SplitOptions};
//!
//! let limits = SplitOptions { batch_bytes: 1 << 20, max_record_bytes: 16 << 20 };
//! let mut split = AnswerSplitter::new(limits);
//! split.push(br#"{"data":{"detail":[{"id":1},"#)?;
//! split.push(br#"{"id":2}],"TaskID":"t"},"code":200}"#)?;
//! let ended = split.finish()?;
//! assert_eq!(ended.entries, 2);
//! # Ok::<(), airudder_export::parts::SplitError>(())
//! ```

pub(crate) mod column;
mod column_reader;
mod envelope;
mod extra;
pub(crate) mod json;
mod key_pattern;
mod misfit_kind;
pub(crate) mod outside;
mod partition_day;
mod plan;
mod raw_record;
mod record;
mod row_writer;
mod rows;
mod scan;
mod splitter;
mod text;
mod validity;
mod value;
mod zone_check;

pub use envelope::{Envelope, EnvelopeError, RowCounts, TaskFacts, TaskKey, early_task_id};
pub(crate) use extra::OTHER_KEYS;
pub use extra::{Misfit, Misfits};
pub use misfit_kind::MisfitKind;
pub use partition_day::PartitionDay;
pub use record::{Decoded, RecordDecoder, RejectedEntry};
pub use rows::{AnswerContext, Batch, RowDay, Rows, TaskOrdinal};
pub use splitter::{AnswerSplitter, EntryBatch, Piece, SplitEnd, SplitError, SplitOptions};
pub(crate) use text::base64;
pub use zone_check::{ZoneCheck, ZoneVerdict};

#[cfg(test)]
mod tests {
    use std::num::NonZeroUsize;

    use arrow_array::cast::AsArray;
    use arrow_array::types::{Decimal128Type, Int32Type, TimestampMicrosecondType};
    use arrow_array::{ArrayRef, BinaryArray, RunArray};
    use chrono_tz::Tz;
    use rstest::rstest;

    use super::*;
    use crate::job::DecodeOptions;
    use crate::schema::{TableName, table};

    const SAMPLE: &[u8] = include_bytes!("../../tests/fixtures/taskdetail-documented.json");

    fn options() -> DecodeOptions {
        DecodeOptions {
            source_timezone: Some(Tz::Asia__Jakarta),
            partition_timezone: Tz::UTC,
            max_record_bytes: NonZeroUsize::new(1 << 20).expect("not zero"),
            max_reject_bytes: std::num::NonZeroU64::MAX,
        }
    }

    fn decode(text: &[u8]) -> (Vec<Batch>, Decoded) {
        decode_in(text, &options())
    }

    fn decode_in(text: &[u8], options: &DecodeOptions) -> (Vec<Batch>, Decoded) {
        let mut split = AnswerSplitter::new(SplitOptions {
            batch_bytes: 1 << 20,
            max_record_bytes: 1 << 20,
        });
        split.push(text).expect("JSON");
        let ended = split.finish().expect("whole");
        let envelope = Envelope::read(&ended.envelope).expect("valid");
        let mut decoder = RecordDecoder::new(options);
        let facts = envelope.facts(options);
        let context = AnswerContext {
            ordinal: 0,
            task_id: facts.id.as_ref().expect("an id").as_str().into(),
            run_id: "run".into(),
            extracted_at_micros: 0,
            fallback_day: decoder.day_of_task(&facts),
        };
        let mut rows = Rows::default();
        let mut decoded = decoder.decode(&ended.rest, &context, &mut rows);
        let counts = RowCounts {
            calls: ended.entries,
            redials: decoded.redials,
            turns: decoded.turns,
        };
        let mut misfits = Misfits::default();
        envelope.write_row(&mut decoder, &context, counts, &mut misfits, &mut rows);
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
        assert_eq!(extra, None, "the envelope's code and status are no drift");
        let zone = decoded.zone_check.verdict(Some(1_710_146_315_113_221));
        assert_eq!((zone.fit, zone.contradict), (1, 0));
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
            ("BorrowedAmount", MisfitKind::OutOfRange),
            ("CallTimes", MisfitKind::NotAnInteger),
            ("id", MisfitKind::NotAnInteger),
            ("new", MisfitKind::UnknownKey),
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

    #[rstest]
    #[case::different(r#""a","CallID":"b""#, None, r#"{"CallID":"a","CallID#2":"b"}"#)]
    #[case::a_third(
        r#""a","CallID":"b","CallID":"a""#,
        None,
        r#"{"CallID":"a","CallID#2":"b","CallID#3":"a"}"#
    )]
    #[case::another_type(r#"1,"CallID":"1""#, None, r#"{"CallID":1,"CallID#2":"1"}"#)]
    #[case::empty_text(r#""a","CallID":"""#, None, r#"{"CallID":"a","CallID#2":""}"#)]
    #[case::same(r#""a","CallID":"a""#, Some("a"), r#"{"CallID":"a"}"#)]
    #[case::escapes(r#""a","C\u0061llID":"\u0061""#, Some("a"), r#"{"CallID":"a"}"#)]
    #[case::null_after(r#""a","CallID":null"#, Some("a"), r#"{"CallID":null}"#)]
    #[case::null_before(r#"null,"CallID":"a""#, Some("a"), r#"{"CallID":null}"#)]
    fn twin_keys_are_never_decided_by_the_last_one(
        #[case] values: &str,
        #[case] column: Option<&str>,
        #[case] extra: &str,
    ) {
        let call = format!(r#"{{"CallID":{values},"AsrResult":[{{}}]}}"#);
        let (batches, decoded) = one_call(&call);
        for (table, name) in [
            (TableName::Calls, "call_id"),
            (TableName::AsrTurns, "call_id"),
        ] {
            assert_eq!(text(&batches, table, name).as_deref(), column, "{table}");
        }
        assert_eq!(extra_of(&call).as_deref(), Some(extra));
        let lines = decoded.misfits.lines();
        assert!(
            lines
                .iter()
                .all(|line| line.kind == MisfitKind::DuplicateKey),
            "{lines:?}"
        );
    }

    #[rstest]
    #[case::different(
        r#"[{}],"RedailCall":[{},{}]"#,
        0,
        Some(r#"{"RedailCall":[{}],"RedailCall#2":[{},{}]}"#)
    )]
    #[case::a_third(
        r#"[1],"RedailCall":[2],"RedailCall":[1]"#,
        0,
        Some(r#"{"RedailCall":[1],"RedailCall#2":[2],"RedailCall#3":[1]}"#)
    )]
    #[case::same(r#"[{}],"RedailCall":[{}]"#, 1, Some(r#"{"RedailCall":[{}]}"#))]
    #[case::empty_after(r#"[{}],"RedailCall":[]"#, 1, Some(r#"{"RedailCall":[]}"#))]
    #[case::empty_before(r#"[],"R\u0065dailCall":[{}]"#, 1, Some(r#"{"RedailCall":[]}"#))]
    #[case::null(r#"[{}],"RedailCall":null"#, 1, None)]
    #[case::no_array(r#""x","RedailCall":[{}]"#, 1, Some(r#"{"RedailCall":"x"}"#))]
    fn twin_arrays_have_rows_if_they_agree(
        #[case] values: &str,
        #[case] redials: u64,
        #[case] extra: Option<&str>,
    ) {
        let call = format!(r#"{{"RedailCall":{values}}}"#);
        assert_eq!(one_call(&call).1.redials, redials);
        assert_eq!(extra_of(&call).as_deref(), extra);
    }

    #[test]
    fn bare_nan_and_infinity_are_misfits_and_cost_no_record() {
        let call = r#"{"BorrowedAmount":NaN,"CallTimes":-Infinity,"CalleeName":Infinity,
            "NerSlots":{"a":NaN},"CallID":"c","AsrResult":[{"time":NaN,"text":"t"}]}"#;
        let answer = format!(
            r#"{{"data":{{"TaskID":"t","RepeatNumber":NaN,"detail":[{call},NaN]}},"code":200}}"#
        );
        let (batches, decoded) = decode(answer.as_bytes());
        assert_eq!(
            (decoded.calls, decoded.turns, decoded.rejects.len()),
            (1, 1, 1)
        );
        assert_eq!(
            text(&batches, TableName::Calls, "call_id").as_deref(),
            Some("c")
        );
        for table in TableName::ALL
            .into_iter()
            .filter(|t| *t != TableName::Redials)
        {
            let extra = text(&batches, table, "extra_fields").expect("a misfit");
            serde_json::from_str::<serde_json::Value>(&extra).expect("it is JSON");
            assert!(extra.contains(r#"{"$json_base64":"#), "{extra}");
        }
    }

    #[test]
    fn an_empty_list_where_an_object_is_due_is_absent() {
        let call = r#"{"NerSlots":[],"EventLabel":[ ],"Multi_intention":[]}"#;
        let (batches, decoded) = one_call(call);
        let of = |column: &str| text(&batches, TableName::Calls, column);
        assert_eq!((of("ner_slots"), of("event_labels")), (None, None));
        assert_eq!(of("multi_intention").as_deref(), Some("[]"));
        assert_eq!(
            (of("extra_fields"), decoded.misfits.lines()),
            (None, vec![])
        );
        let (batches, _) = one_call(r#"{"NerSlots":{},"EventLabel":[1]}"#);
        let of = |column: &str| text(&batches, TableName::Calls, column);
        assert_eq!(of("ner_slots").as_deref(), Some("{}"));
        assert_eq!(of("event_labels").as_deref(), Some("[1]"));
    }

    #[test]
    fn digits_beyond_microseconds_are_cut_and_kept() {
        let call = r#"{"CallStartTime":"2024-03-11T08:38:35.113221999Z",
            "RedailCall":[{"CallStartTime":"2024-03-11 15:38:35.1132219"}]}"#;
        let (batches, decoded) = one_call(call);
        let expected = r#"{"CallStartTime":"2024-03-11T08:38:35.113221999Z"}"#;
        assert_eq!(extra_of(call).as_deref(), Some(expected));
        for table in [TableName::Calls, TableName::Redials] {
            let times = column(&batches, table, "call_start_time");
            let times = times.as_primitive::<TimestampMicrosecondType>();
            assert_eq!(times.values()[0], 1_710_146_315_113_221);
        }
        // The text column of a redial already holds the whole value.
        assert_eq!(text(&batches, TableName::Redials, "extra_fields"), None);
        let kinds: Vec<_> = decoded.misfits.lines().iter().map(|m| m.kind).collect();
        assert_eq!(kinds, [MisfitKind::Precision; 2]);
    }

    #[test]
    fn only_what_says_success_is_left_out_of_the_tasks_extra_fields() {
        let extra = |around: &str| {
            let answer = format!(r#"{{"data":{{"TaskID":"t","detail":[]}},{around}}}"#);
            text(
                &decode(answer.as_bytes()).0,
                TableName::Tasks,
                "extra_fields",
            )
        };
        assert_eq!(extra(r#""status":"OK","code":200"#), None);
        assert_eq!(extra(r#""st\u0061tus":"ok","code":"200""#), None);
        let kept = r#"{"status":"PARTIAL","message":"","code#":1}"#;
        let sent = r#""code":200,"status":"PARTIAL","message":"","code#":1"#;
        assert_eq!(extra(sent).as_deref(), Some(kept));
    }

    #[test]
    fn a_start_that_no_partition_can_be_named_after_is_a_misfit() {
        let options = DecodeOptions {
            partition_timezone: Tz::Asia__Jakarta,
            ..options()
        };
        let late = r#""2199-12-31T20:00:00Z""#;
        let answer = format!(
            r#"{{"data":{{"TaskID":"t","ScheduleStartTime":{late},"detail":[{{"CallStartTime":{late}}},
               {{"CallStartTime":"9999-12-31T23:59:59Z"}},{{"CallStartTime":"2199-12-31T16:00:00Z"}}]}},"code":200}}"#
        );
        let (batches, decoded) = decode_in(answer.as_bytes(), &options);
        for batch in &batches {
            let expected = if batch.rows == 1 && batch.table == TableName::Calls {
                "On(2199-12-31)"
            } else {
                "Unknown"
            };
            assert_eq!(format!("{:?}", batch.day), expected, "{}", batch.table);
        }
        let extra = text(&batches, TableName::Tasks, "extra_fields");
        assert_eq!(extra, Some(format!(r#"{{"ScheduleStartTime":{late}}}"#)));
        let lines = decoded.misfits.lines();
        assert!(
            lines.iter().all(|line| line.kind == MisfitKind::OutOfRange),
            "{lines:?}"
        );
        assert_eq!(lines.iter().map(|line| line.count).sum::<u64>(), 3);
    }

    #[test]
    fn redials_that_contradict_the_source_time_zone_are_counted() {
        let verdict = |zone, start| {
            let options = DecodeOptions {
                source_timezone: zone,
                ..options()
            };
            let zone = decode_in(SAMPLE, &options).1.zone_check.verdict(start);
            (zone.fit, zone.contradict)
        };
        let start = Some(1_710_146_315_113_221);
        assert_eq!(verdict(Some(Tz::Asia__Jakarta), start), (1, 0));
        assert_eq!(verdict(Some(Tz::UTC), start), (0, 1), "after the call");
        assert_eq!(
            verdict(Some(Tz::Asia__Tokyo), start),
            (0, 1),
            "before the schedule"
        );
        assert_eq!(verdict(Some(Tz::Asia__Tokyo), None), (1, 0));
        assert_eq!(verdict(None, start), (0, 0));
    }

    #[test]
    fn redials_that_name_their_zone_say_nothing_of_the_setting() {
        let call = r#"{"CallStartTime":"2024-03-11T08:41:26Z","RedailCall":[
            {"CallStartTime":"2024-03-11T20:00:00Z"},{"CallStartTime":""},{}]}"#;
        assert_eq!(one_call(call).1.zone_check, ZoneCheck::default());
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
        let mut split = AnswerSplitter::new(SplitOptions {
            batch_bytes: 1 << 20,
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
