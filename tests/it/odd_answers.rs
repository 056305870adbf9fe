//! Answers as nobody would write them: whatever they hold is found again in the tables.

use std::collections::BTreeMap;
use std::fs;
use std::num::NonZeroUsize;

use airudder_export::parts::DecodeOptions;
use airudder_export::parts::{
    AnswerContext, AnswerSplitter, Decoded, Envelope, Misfits, Piece, RecordDecoder, RowCounts,
    RowDay, Rows, SplitOptions,
};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;
use proptest::strategy::ValueTree as _;
use proptest::test_runner::TestRunner;

use crate::harness::contract::{Kind, columns};
use crate::harness::lake::{Content, TABLES, below, partition_column};
use crate::harness::scripted::{self, Reply, Scripted};
use crate::harness::{Cell, Exporter, LakeView, NOW, Row, folder};
use crate::rebuild::json::{Kind as JsonKind, Node};
use crate::rebuild::{assert_all_given_back, unusable};

/// JSON text, down to the byte.
type Token = Vec<u8>;

fn quoted(text: &str) -> Token {
    serde_json::to_vec(text).expect("text is JSON")
}

/// Any value, the odder the better.
fn odd() -> impl Strategy<Value = Token> {
    const ODD: &[&[u8]] = &[
        b"null",
        b"null",
        b"\"\"",
        b"\"\"",
        b"true",
        b"false",
        b"0",
        b"-0",
        b"-1",
        b"4.0",
        b"1.5",
        b"1e3",
        b"1E-2",
        b"12e-1",
        b"0.00001",
        b"1e400",
        b"2147483647",
        b"2147483648",
        b"9223372036854775807",
        b"9223372036854775808",
        b"9999999999999999.9999",
        b"10000000000000000",
        b"123456789012345678901234567890",
        b"\"4\"",
        b"\"00123\"",
        b"\"123456.0\"",
        b"\"-007\"",
        b"\"+5\"",
        b"\" 4\"",
        b"\"20,000\"",
        b"\"NaN\"",
        b"NaN",
        b"-Infinity",
        b"[NaN]",
        b"\"0001-01-01T00:00:00Z\"",
        b"\"0000-00-00\"",
        b"\"0000-00-00 00:00:00 +07:00\"",
        b"\"0001-13-01\"",
        b"\"1899-12-31\"",
        b"\"9999-12-31T23:59:59Z\"",
        b"\"2024-03-11T15:41:26.123456789\\u002B07:00\"",
        b"\"2024-03-11 15:41:26 +0700\"",
        b"\"2024-03-11t15:41:26.5+07\"",
        b"\"2024-03-11T15:41:26\"",
        b"\"\\u0034\"",
        b"\"0:00:09\"",
        b"\"0001-01-01 00:00:00\"",
        b"\"2024-03-11T08:41:26Z\"",
        b"\"2024-03-11T23:59:59.999999Z\"",
        b"\"2024-03-11T08:41:26.1234567Z\"",
        b"\"2024-03-11T08:41:26+07:00\"",
        b"\"2024-02-30T00:00:00Z\"",
        b"\"2024-03-11 15:38:36\"",
        b"\"2024-03-11\"",
        b"\"2023-02-29\"",
        b"\"00:00:09\"",
        b"\"100:00:00\"",
        b"\"00:61:00\"",
        b"[]",
        b"{}",
        b"[ 1, \"a\" ]",
        b"{\"a\":{\"b\":[null]},\"a\":2}",
        b"{\"\\ud83d\":1}",
        b"\"\\ud83d\"",
        b"\"\\ud83d\\ude00\"",
        b"\"\\u0041\\/\\n\"",
        b"\"\xff\xfe\"",
        b"[\"\xc3(\"]",
        b"\"\\u0000\"",
    ];
    prop_oneof![
        6 => select(ODD).prop_map(<[u8]>::to_vec),
        2 => any::<String>().prop_map(|text| quoted(&text)),
        1 => any::<i64>().prop_map(|number| number.to_string().into_bytes()),
        1 => any::<f64>().prop_filter("JSON", |n| n.is_finite()).prop_map(|n| n.to_string().into_bytes()),
        1 => (100_usize..200).prop_map(|depth| {
            [b"[".repeat(depth), b"]".repeat(depth)].concat()
        }),
    ]
}

/// A value such as the column expects.
fn fitting(kind: Kind) -> BoxedStrategy<Token> {
    match kind {
        Kind::Text => "[ -~é漢😀]{0,12}".prop_map(|text| quoted(&text)).boxed(),
        Kind::Json | Kind::JsonObject => {
            select(vec![r#"{"a":"b"}"#, "{}", "[]", r#"[{"x":1.50}]"#])
                .prop_map(|text| text.as_bytes().to_vec())
                .boxed()
        }
        Kind::Int32 | Kind::Int64 => (any::<i32>(), any::<bool>())
            .prop_map(|(number, text)| {
                if text {
                    quoted(&number.to_string())
                } else {
                    number.to_string().into_bytes()
                }
            })
            .boxed(),
        Kind::Decimal => (any::<i32>(), 0..10_000_u32, any::<bool>())
            .prop_map(|(whole, places, text)| {
                let number = format!("{whole}.{places:04}");
                if text {
                    quoted(&number)
                } else {
                    number.into_bytes()
                }
            })
            .boxed(),
        Kind::Time => (0..4_000_000_000_i64, 0..1_000_000_u32, any::<bool>())
            .prop_map(|(seconds, micros, fraction)| {
                let micros = if fraction { micros } else { 0 };
                let time = chrono::DateTime::from_timestamp(seconds, micros * 1000);
                let time = time.expect("in range").naive_utc();
                quoted(&format!("{}Z", time.format("%Y-%m-%dT%H:%M:%S%.f")))
            })
            .boxed(),
        Kind::LocalTime => (0..4_000_000_000_i64)
            .prop_map(|seconds| {
                let time = chrono::DateTime::from_timestamp(seconds, 0).expect("in range");
                quoted(&time.naive_utc().format("%Y-%m-%d %H:%M:%S").to_string())
            })
            .boxed(),
        Kind::Date => (0..40_000_i32)
            .prop_map(|days| {
                let day = chrono::NaiveDate::from_epoch_days(days).expect("in range");
                quoted(&day.to_string())
            })
            .boxed(),
        Kind::Clock => (0..200_i32, 0..60_i32, 0..60_i32)
            .prop_map(|(h, m, s)| quoted(&format!("{h:02}:{m:02}:{s:02}")))
            .boxed(),
    }
}

/// A key as text with its quotes, and a value.
type Entry = (Token, Token);

/// An entry with a key of the contract.
fn known(table: &'static str) -> impl Strategy<Value = Entry> {
    let keys: Vec<(&str, Kind)> = columns(table)
        .iter()
        .flat_map(|column| column.keys().map(|key| (key, column.kind)))
        .filter(|(key, _)| *key != "TaskID")
        .collect();
    select(keys).prop_flat_map(|(key, kind)| {
        let key = prop_oneof![
            12 => Just(quoted(key)),
            // The same key, written with an escape.
            1 => Just(format!("\"\\u{:04x}{}\"", u32::from(key.as_bytes()[0]), &key[1..]).into_bytes()),
        ];
        (key, prop_oneof![3 => fitting(kind), 2 => odd().boxed()])
    })
}

/// An entry nobody knows.
fn unknown() -> impl Strategy<Value = Entry> {
    const KEYS: &[&[u8]] = &[
        b"\"new\"",
        b"\"New\"",
        b"\"callid\"",
        b"\"CallID#2\"",
        b"\"CallID#3\"",
        b"\"new#2\"",
        b"\"$entry\"",
        b"\"$json_base64\"",
        b"\"\"",
        b"\"status\"",
        b"\"Code\"",
        b"\"\\ud83d\"",
        b"\"\xff\"",
        b"\"\xe6\xbc\xa2\"",
        b"\"a\\\"b\"",
    ];
    let key = prop_oneof![
        5 => select(KEYS).prop_map(<[u8]>::to_vec),
        1 => "[a-z]{1,40}".prop_map(|text| quoted(&text)),
    ];
    (key, odd())
}

fn entry(table: &'static str) -> impl Strategy<Value = Entry> {
    prop_oneof![5 => known(table), 1 => unknown()]
}

/// What stands between tokens.
fn space() -> impl Strategy<Value = &'static str> {
    prop_oneof![6 => Just(""), 1 => Just(" "), 1 => Just("\r\n\t")]
}

fn object(entries: &[Entry], space: &str) -> Token {
    let space = space.as_bytes();
    let mut text = vec![b'{'];
    for (index, (key, value)) in entries.iter().enumerate() {
        if index > 0 {
            text.push(b',');
        }
        text.extend([space, key, space, b":", space, value, space].concat());
    }
    text.push(b'}');
    text
}

fn list(tokens: &[Token], space: &str) -> Token {
    let between = format!("{space},{space}");
    let inner = tokens.join(between.as_bytes());
    [b"[", space.as_bytes(), &inner, space.as_bytes(), b"]"].concat()
}

/// A value for a key that should hold a list of records of a table.
fn records(table: &'static str) -> impl Strategy<Value = Token> {
    let record = prop_oneof![
        8 => (vec(entry(table), 0..6), space()).prop_map(|(entries, s)| object(&entries, s)),
        1 => odd(),
    ];
    prop_oneof![
        6 => (vec(record, 0..4), space()).prop_map(|(records, space)| list(&records, space)),
        1 => odd(),
    ]
}

fn call() -> impl Strategy<Value = Token> {
    let nested = prop_oneof![
        records("redials").prop_map(|list| (quoted("RedailCall"), list)),
        records("asr_turns").prop_map(|list| (quoted("AsrResult"), list)),
    ];
    let entry = prop_oneof![8 => entry("calls"), 2 => nested];
    (vec(entry, 0..14), space()).prop_map(|(entries, space)| object(&entries, space))
}

/// A whole answer of the task `id`.
fn answer(id: &str) -> impl Strategy<Value = Token> + use<> {
    answer_with(Just(quoted(id)))
}

/// A whole answer with such a `TaskID`.
fn answer_with(id: impl Strategy<Value = Token>) -> impl Strategy<Value = Token> {
    let detail = prop_oneof![
        12 => (vec(prop_oneof![12 => call().boxed(), 1 => odd().boxed()], 0..6), space())
            .prop_map(|(calls, space)| list(&calls, space)),
        1 => select(vec!["null", "[]", "{}", "\"\"", "7", r#"{"a":[1]}"#])
            .prop_map(|text| text.as_bytes().to_vec()),
    ];
    let fixed = (detail, select(vec!["200", "\"200\"", "200.0"]), id);
    let data = vec(entry("tasks"), 0..10);
    let around = vec(unknown(), 0..3);
    (
        fixed,
        data,
        around,
        any::<[proptest::sample::Index; 4]>(),
        space(),
    )
        .prop_map(
            move |((detail, code, id), mut data, mut around, places, space)| {
                let put = |entries: &mut Vec<Entry>, place: usize, key: &str, value: Token| {
                    let at = places[place].index(entries.len() + 1);
                    entries.insert(at, (quoted(key), value));
                };
                put(&mut data, 0, "TaskID", id);
                put(&mut data, 1, "detail", detail);
                put(&mut around, 2, "data", object(&data, space));
                put(&mut around, 3, "code", code.as_bytes().to_vec());
                let text = object(&around, space);
                [space.as_bytes(), &text, space.as_bytes()].concat()
            },
        )
}

/// The rows of an answer that arrives in pieces cut at these places.
fn decode(answer: &[u8], cuts: &[proptest::sample::Index]) -> Option<(Content, Decoded)> {
    let options = DecodeOptions {
        source_timezone: Some(chrono_tz::Asia::Jakarta),
        partition_timezone: chrono_tz::UTC,
        max_record_bytes: NonZeroUsize::new(1 << 20).expect("not zero"),
        max_reject_bytes: std::num::NonZeroU64::MAX,
    };
    let mut split = AnswerSplitter::new(SplitOptions {
        batch_bytes: 200,
        max_record_bytes: 1 << 20,
    });
    let mut ends: Vec<usize> = cuts.iter().map(|cut| cut.index(answer.len())).collect();
    ends.extend([0, answer.len()]);
    ends.sort_unstable();
    let mut runs = Vec::new();
    for piece in ends.windows(2) {
        split.push(&answer[piece[0]..piece[1]]).expect("it is JSON");
        runs.extend(split.pieces().map(|piece| match piece {
            Piece::Batch(run) => run,
            Piece::Oversize { .. } => panic!("nothing here is that large"),
        }));
    }
    let ended = split.finish().expect("it is whole");
    runs.push(ended.rest);
    let envelope = Envelope::read(&ended.envelope).expect("it is right");
    assert_eq!(envelope.code, Some(200));
    envelope.check().ok()?;
    let facts = envelope.facts(&options);
    let mut decoder = RecordDecoder::new(&options);
    let context = AnswerContext {
        ordinal: 0,
        // As it was asked for; an answer need not name it.
        task_id: facts.id.as_ref().map_or("t1", |id| id.as_str()).into(),
        run_id: "run".into(),
        extracted_at_micros: 0,
        fallback_day: decoder.day_of_task(&facts),
    };
    let mut rows = Rows::default();
    let mut decoded = Decoded::default();
    for run in &runs {
        decoded.merge(decoder.decode(run, &context, &mut rows));
    }
    let counts = RowCounts {
        calls: ended.entries,
        redials: decoded.redials,
        turns: decoded.turns,
    };
    let mut misfits = Misfits::default();
    envelope.write_row(&mut decoder, &context, counts, &mut misfits, &mut rows);
    Some((content(rows), decoded))
}

fn content(mut rows: Rows) -> Content {
    let mut content: Content = TABLES.iter().map(|table| (*table, Vec::new())).collect();
    for batch in rows.take().expect("valid arrays") {
        let table = batch.table.as_str();
        let day = match batch.day {
            RowDay::On(day) => Cell::Date(day.date()),
            RowDay::OfTask | RowDay::Unknown => Cell::Null,
        };
        for mut row in Row::of_batch(&batch) {
            row.0
                .insert(partition_column(table).to_owned(), day.clone());
            content.get_mut(table).expect("a table").push(row);
        }
    }
    for rows in content.values_mut() {
        rows.sort_by_cached_key(Row::key);
    }
    content
}

/// Entries of `detail` that are no objects, by their place.
fn no_calls(answer: &[u8]) -> BTreeMap<u64, Vec<u8>> {
    let answer = Node::parse(answer);
    let find = |node: &Node, key: &str| {
        let is = |(k, _): &&(crate::rebuild::json::Key, Node)| k.text.as_deref() == Some(key);
        node.entries()
            .iter()
            .find(is)
            .expect("it is there")
            .1
            .clone()
    };
    match find(&find(&answer, "data"), "detail").kind {
        JsonKind::List(nodes) => (0..)
            .zip(nodes)
            .filter(|(_, node)| !node.is_object())
            .map(|(index, node)| (index, node.raw))
            .collect(),
        _ => BTreeMap::new(),
    }
}

/// An answer that can be read when it makes a test fail.
struct Shown(Token);

impl std::fmt::Debug for Shown {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&String::from_utf8_lossy(&self.0))
    }
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: ProptestConfig::default().cases.max(1000),
        failure_persistence: None,
        ..ProptestConfig::default()
    })]

    #[test]
    fn the_tables_give_back_every_value_of_an_answer(
        answer in answer_with(prop_oneof![3 => Just(quoted("t1")), 1 => odd().boxed()]).prop_map(Shown),
        cuts in vec(any::<proptest::sample::Index>(), 0..8),
    ) {
        let decoded = decode(&answer.0, &cuts);
        let unusable = unusable(&Node::parse(&answer.0));
        prop_assert_eq!(decoded.is_none(), unusable.is_some(), "{:?}", unusable);
        let Some((content, decoded)) = decoded else { return Ok(()) };
        assert_all_given_back(&answer.0, &content);
        let rejects: BTreeMap<u64, Vec<u8>> =
            decoded.rejects.into_iter().map(|reject| (reject.index, reject.bytes)).collect();
        prop_assert_eq!(rejects, no_calls(&answer.0));
    }
}

#[test]
fn a_folder_of_odd_answers_is_found_again_in_the_files() {
    let folder = folder();
    let answers_of = folder.path().join("answers");
    fs::create_dir(&answers_of).expect("the folder can be written");
    let mut runner = TestRunner::deterministic();
    let mut answers = BTreeMap::new();
    for number in 0..60 {
        let id = format!("task-{number:02}");
        let tree = answer(&id).new_tree(&mut runner).expect("it can be made");
        fs::write(answers_of.join(format!("{id}.json")), tree.current())
            .expect("it can be written");
        answers.insert(id, tree.current());
    }
    let exporter = Exporter::new(folder.path()).set("AIRUDDER_INCLUDE_RUNNING", "true");
    let is_unusable = |answer: &Token| unusable(&Node::parse(answer)).is_some();
    assert!(answers.values().any(is_unusable), "some are");
    let rejected = |answer: &Token| is_unusable(answer) || !no_calls(answer).is_empty();
    let rejected = answers.values().any(rejected);
    let ended = exporter.run(&["replay", "answers"]);
    assert_eq!(
        ended.code,
        Some(if rejected { 65 } else { 0 }),
        "{}",
        ended.stderr
    );
    exporter.run(&["verify"]).done();
    let content = LakeView::new(exporter.dest()).content();
    for (id, answer) in &answers {
        let of_task = |row: &&Row| row["task_id"].text() == Some(id);
        let own: Content = content
            .iter()
            .map(|(table, rows)| (*table, rows.iter().filter(of_task).cloned().collect()))
            .collect();
        if is_unusable(answer) {
            assert!(own.values().all(Vec::is_empty), "{id} has rows");
        } else {
            assert_all_given_back(answer, &own);
        }
    }
}

#[test]
fn a_large_odd_answer_is_found_again_in_the_files() {
    // Over a megabyte an answer is decoded while it arrives, by other ways than a small one.
    let mut runner = TestRunner::deterministic();
    let mut calls = Vec::new();
    let mut bytes = 0;
    while bytes < 3 << 19 {
        let entry = prop_oneof![30 => call().boxed(), 1 => odd().boxed()];
        let call = entry
            .new_tree(&mut runner)
            .expect("it can be made")
            .current();
        bytes += call.len();
        calls.push(call);
    }
    let folder = folder();
    let fields: &[&[u8]] = &[
        br#"{"new":1,"data":{"TaskName":"\u00e9","wokflow_id":"w","detail":"#,
        &list(&calls, " "),
        br#","Status":"finished","ScheduleStartTime":"2024-03-11T08:00:00Z","x":[2.0],"TaskID":"t"},"code":"200"}"#,
    ];
    let answer = fields.concat();
    fs::write(folder.path().join("large.json"), &answer).expect("it can be written");
    let exporter = Exporter::new(folder.path());
    exporter.run(&["replay", "large.json"]).with(65);
    exporter.run(&["verify"]).done();
    assert_all_given_back(&answer, &LakeView::new(exporter.dest()).content());
}

/// The check itself: it would be worth nothing if it let everything pass.
#[test]
fn a_value_that_is_lost_changed_or_made_up_is_noticed() {
    let answer = br#"{"data":{"TaskID":"t","wokflow_id":"w","detail":[
        {"id":1,"CallID":"a","CallID":"b","new":[1.0],"BorrowedAmount":"2.50","CallTimes":1.5,
         "CallStartTime":"2024-03-11T08:41:26Z","AsrResult":[{"time":"00:00:03","text":""}],
         "RedailCall":[{"CallStartTime":"2024-03-11 15:38:36"}, 7]}]},"code":200}"#;
    let (right, _) = decode(answer, &[]).expect("it is usable");
    assert_all_given_back(answer, &right);
    // A key may look like the name of a repeated one.
    for keys in [
        r#""CallID":{},"CallID#2":{}"#,
        r#""CallID":{},"CallID":{},"CallID#2":{}"#,
        r#""CallID#2":{},"CallID":{},"CallID":{},"CallID#3":{}"#,
    ] {
        let alike = scripted::answer("t", &format!(r#"[{{"RedailCall":[{{{keys}}}]}}]"#));
        let (content, _) = decode(alike.as_bytes(), &[]).expect("it is usable");
        assert_all_given_back(alike.as_bytes(), &content);
    }
    // Two values that say the same: one is in the column, whichever, and one beside it.
    let twice =
        br#"{"code":200,"data":{"detail":[],"TaskID":"t","RobotID":"\u0034","RobotID":"4"}}"#;
    let (content, _) = decode(twice, &[]).expect("it is usable");
    assert_all_given_back(twice, &content);
    let mut changes = 0;
    for (table, rows) in &right {
        for (index, row) in rows.iter().enumerate() {
            for (column, cell) in &row.0 {
                if column.starts_with('_') {
                    continue;
                }
                let wrong = match cell {
                    Cell::Null => Cell::Text("made up".to_owned()),
                    _ => Cell::Null,
                };
                let mut content = right.clone();
                content.get_mut(table).expect("a table")[index]
                    .0
                    .insert(column.clone(), wrong);
                let checked = std::panic::catch_unwind(|| assert_all_given_back(answer, &content));
                assert!(checked.is_err(), "{table}.{column} may be anything");
                changes += 1;
            }
            let mut content = right.clone();
            content.get_mut(table).expect("a table").remove(index);
            let checked = std::panic::catch_unwind(|| assert_all_given_back(answer, &content));
            assert!(checked.is_err(), "a row of {table} may be missing");
        }
    }
    assert!(changes > 80, "{changes}");
}

/// A task whose calls stand where nobody looks for them must not be sealed without calls.
#[test]
fn calls_under_another_key_fail_their_task_until_they_can_be_read() {
    let right = scripted::answer("t", r#"[{"id":1},{"id":2}]"#);
    let drifted = [
        (right.replace(r#""detail""#, r#""Detail""#), "`Detail`"),
        (
            right
                .replace(r#""detail":["#, r#""detail":{"0":["#)
                .replace("]}", "]}}"),
            "data.detail is an object",
        ),
        (
            right.replace(r#""detail":[{"id":1},{"id":2}]"#, r#""detail":"[]""#),
            "data.detail is text",
        ),
        (
            right
                .replace(r#","detail":"#, r#"},"calls":"#)
                .replace("]}", "]"),
            "`calls`",
        ),
    ];
    for (answer, named) in drifted {
        let folder = folder();
        let run = |answer: &str| {
            let reply = Reply::ok(answer.to_owned());
            let server = Scripted::account(vec![("t", reply)]);
            let job = "[api]\nrate = \"2000/s\"\nbase_backoff = \"1ms\"\nmax_attempts = 2\n";
            let exporter = Exporter::new(folder.path())
                .against(server.url())
                .job(job)
                .at(NOW);
            let ended = exporter.run(&["run"]);
            (
                ended.code,
                LakeView::new(exporter.dest()).counts(),
                below(&exporter.dest().join("_export")),
            )
        };
        let (code, counts, files) = run(&answer);
        assert!(code.is_some_and(|code| code != 0), "{answer}");
        assert_eq!(counts, [0; 4], "{answer}");
        let is_named = |path: &std::path::PathBuf| {
            let text = fs::read_to_string(path).unwrap_or_default();
            path.to_string_lossy().contains("rejects") && text.contains(named)
        };
        assert!(files.iter().any(is_named), "no reject names {named}");
        let (code, counts, _) = run(&right);
        assert_eq!((code, counts), (Some(0), [2, 0, 0, 1]), "{answer}");
    }
}
