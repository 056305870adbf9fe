//! Answers made to do harm: each is rows, `extra_fields` or a reject with its reason, within the memory
//! limit, and nothing panics.

use std::fs;
use std::io::Write as _;
use std::panic::catch_unwind;
use std::path::Path;

use flate2::Compression;
use flate2::write::GzEncoder;
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::{Index, select};

use crate::harness::lake::below;
use crate::harness::scripted::{Reply, Scripted};
use crate::harness::{Exporter, LakeView, NOW, folder};

#[path = "../../fuzz/check.rs"]
mod check;

use check::check;

use crate::changes::{change, changed, words};

const MEGABYTE: usize = 1 << 20;
const MAX_MEMORY: u64 = 256 << 20;

/// Every answer that is kept for the fuzzer to start from, by name.
fn corpus() -> Vec<(String, Vec<u8>)> {
    let corpus = crate::changes::corpus("answer");
    assert!(corpus.len() > 30, "the corpus is checked in");
    corpus
}

#[test]
fn every_answer_of_the_corpus_is_taken_apart_without_loss() {
    for (name, answer) in corpus() {
        catch_unwind(|| check(&answer)).unwrap_or_else(|_| panic!("{name}"));
    }
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: ProptestConfig::default().cases.max(2000),
        failure_persistence: None,
        ..ProptestConfig::default()
    })]

    #[test]
    fn an_answer_with_changed_bytes_is_taken_apart_without_loss(
        at in any::<Index>(),
        changes in vec(change(words("answer")), 1..6),
    ) {
        let mut corpus = corpus();
        let (_, answer) = corpus.swap_remove(at.index(corpus.len()));
        check(&changed(answer, &changes));
    }

    #[test]
    fn any_bytes_are_taken_apart_without_loss(
        head in select(vec!["", "{", r#"{"data":{"detail":["#, r#"{"code":200,"data":{"TaskID":"t","detail":[{""#]),
        bytes in vec(any::<u8>(), 0..200),
    ) {
        check(&[head.as_bytes(), &bytes].concat());
    }
}

/// What an answer comes to.
struct Expected {
    name: &'static str,
    /// Calls, redials and turns.
    rows: [usize; 3],
    /// Whether something of it is rejected, which is exit code 65.
    rejected: bool,
}

/// Writes an answer with these entries, compressed: some are a gigabyte.
fn write(folder: &Path, name: &str, entries: &mut dyn FnMut(&mut dyn std::io::Write)) {
    let file = fs::File::create(folder.join(format!("{name}.json.gz"))).expect("writable");
    let mut file = GzEncoder::new(file, Compression::fast());
    let mut put = |text: &str| file.write_all(text.as_bytes()).expect("writable");
    put(r#"{"data":{"Status":"finished","ScheduleStartTime":"2024-03-11T01:00:00Z","TaskID":""#);
    put(name);
    put(r#"","detail":[{"CallID":"first"},"#);
    entries(&mut file);
    let mut put = |text: &str| file.write_all(text.as_bytes()).expect("writable");
    put(r#",{"CallID":"last"}]},"code":200}"#);
    file.finish().expect("writable");
}

/// Each entry between a first and a last call that are right, and what comes of the answer.
#[expect(clippy::type_complexity, clippy::too_many_lines, reason = "a table")]
fn harmful() -> Vec<(Expected, Box<dyn FnMut(&mut dyn std::io::Write)>)> {
    let again = |head: &'static str, part: Vec<u8>, times: usize, tail: &'static str| {
        Box::new(move |out: &mut dyn std::io::Write| {
            out.write_all(head.as_bytes()).expect("writable");
            for _ in 0..times {
                out.write_all(&part).expect("writable");
            }
            out.write_all(tail.as_bytes()).expect("writable");
        }) as Box<dyn FnMut(&mut dyn std::io::Write)>
    };
    let text = |text: String| again("", text.into_bytes(), 1, "");
    let filler = || vec![b'y'; MEGABYTE];
    let deep = |open: &str, inner: &str, close: &str| {
        [
            open.repeat(100_000),
            inner.to_owned(),
            close.repeat(100_000),
        ]
        .concat()
    };
    let kept = |name, rows| Expected {
        name,
        rows,
        rejected: false,
    };
    let partly = |name, rows| Expected {
        name,
        rows,
        rejected: true,
    };
    let keys: Vec<String> = (0..100_000)
        .map(|key| format!(r#""k{key}":{key}"#))
        .collect();
    vec![
        (
            kept("brackets-100000-deep", [3, 0, 0]),
            text(format!(r#"{{"deep":{}}}"#, deep("[", "", "]"))),
        ),
        (
            kept("objects-100000-deep", [3, 0, 0]),
            text(format!(r#"{{"NerSlots":{}}}"#, deep(r#"{"a":"#, "1", "}"))),
        ),
        (
            kept("a-transcript-100000-deep", [3, 0, 1]),
            text(format!(r#"{{"AsrResult":{}}}"#, deep("[", "", "]"))),
        ),
        (
            kept("a-key-of-10-megabytes", [3, 0, 0]),
            again(r#"{""#, filler(), 10, r#"":1}"#),
        ),
        (
            kept("a-text-of-10-megabytes", [3, 0, 0]),
            again(r#"{"Comments":""#, filler(), 10, r#""}"#),
        ),
        (
            partly("a-text-of-a-gigabyte", [2, 0, 0]),
            again(r#"{"Comments":""#, filler(), 1024, r#""}"#),
        ),
        (
            kept("a-gigabyte-of-white-space", [3, 0, 0]),
            again("", vec![b' '; MEGABYTE], 1024, r#"{"id":1}"#),
        ),
        (
            kept("an-integer-of-a-million-digits", [3, 0, 0]),
            again(r#"{"id":"#, vec![b'9'; 1_000_000], 1, "}"),
        ),
        (
            kept("an-amount-of-a-million-digits", [3, 0, 0]),
            again(r#"{"BorrowedAmount":1."#, vec![b'9'; 1_000_000], 1, "e5}"),
        ),
        (
            kept("100000-unknown-keys", [3, 0, 0]),
            text(format!("{{{}}}", keys.join(","))),
        ),
        (
            kept("100000-times-one-key", [3, 0, 0]),
            again(
                r#"{"CallID":"b""#,
                br#","CallID":"d""#.to_vec(),
                100_000,
                "}",
            ),
        ),
        (
            kept("a-million-empty-calls", [1_000_002, 0, 0]),
            again("{}", b",{}".to_vec(), 999_999, ""),
        ),
        (
            kept("a-million-empty-turns-in-four-calls", [7, 0, 1_000_000]),
            again(
                "{}",
                [b",".to_vec(), nested("AsrResult", 250_000)].concat(),
                4,
                "",
            ),
        ),
        (
            kept("four-million-empty-redials-in-a-call", [3, 4_000_000, 0]),
            again("", nested("RedailCall", 4_000_000), 1, ""),
        ),
        (
            partly("half-a-million-entries-that-are-no-calls", [2, 0, 0]),
            again("[]", b",[]".to_vec(), 499_999, ""),
        ),
        (
            kept("surrogates-and-nul", [3, 0, 0]),
            text(r#"{"CallID":"b\u0000\ud800\udc00x\udfff"}"#.to_owned()),
        ),
        (
            kept("no-utf-8", [3, 0, 0]),
            again(r#"{"CalleeName":""#, b"\xff\xfe".to_vec(), 1000, r#""}"#),
        ),
    ]
}

fn nested(key: &str, entries: usize) -> Vec<u8> {
    let entries = vec!["{}"; entries].join(",");
    format!(r#"{{"{key}":[{entries}]}}"#).into_bytes()
}

#[test]
#[ignore = "takes a minute: just test-all"]
fn harmful_answers_become_rows_or_rejects_in_bounded_memory() {
    for (expected, mut entries) in harmful() {
        let Expected {
            name,
            rows,
            rejected,
        } = expected;
        let folder = folder();
        write(folder.path(), name, &mut *entries);
        let exporter = Exporter::new(folder.path());
        let (ended, peak) = exporter.run_measured(&["replay", &format!("{name}.json.gz")]);
        let ended = ended.with(if rejected { 65 } else { 0 });
        assert!(!ended.stderr.contains("bug"), "{name}: {}", ended.stderr);
        assert!(peak <= MAX_MEMORY, "{name}: {} MiB", peak >> 20);
        let counts = exporter.run(&["files", "--format", "json"]).done().json();
        let of = |table: &str| -> usize {
            let files = counts["files"].as_array().expect("a list");
            let files = files.iter().filter(|file| file["table"] == table);
            let rows = files.map(|file| file["rows"].as_u64().expect("a number"));
            usize::try_from(rows.sum::<u64>()).expect("few")
        };
        let found = [of("calls"), of("redials"), of("asr_turns")];
        assert_eq!(found, rows, "{name}");
        assert_eq!(of("tasks"), 1, "{name}");
    }
}

#[test]
#[ignore = "takes a minute: just test-all"]
fn a_gzip_bomb_from_the_api_is_a_reject_in_bounded_memory() {
    // 600 MB in 600 kB, as one call over the limit.
    let folder = folder();
    write(
        folder.path(),
        "bomb",
        &mut |out: &mut dyn std::io::Write| {
            out.write_all(br#"{"Comments":""#).expect("writable");
            let piece = vec![b'x'; MEGABYTE];
            for _ in 0..600 {
                out.write_all(&piece).expect("writable");
            }
            out.write_all(br#""}"#).expect("writable");
        },
    );
    let body = fs::read(folder.path().join("bomb.json.gz")).expect("readable");
    assert!(body.len() < 6 * MEGABYTE);
    let mut reply = Reply::ok(body);
    reply.headers.push("Content-Encoding: gzip".to_owned());
    let server = Scripted::account(vec![("bomb", reply)]);
    let exporter = Exporter::new(folder.path()).against(server.url()).at(NOW);
    let (ended, peak) = exporter.run_measured(&["run"]);
    ended.with(65);
    assert!(peak <= MAX_MEMORY, "{} MiB", peak >> 20);
    exporter.run(&["verify"]).done();
    let kept = below(&exporter.dest().join("_export/rejects"));
    let largest = kept
        .iter()
        .map(|path| path.metadata().expect("there").len())
        .max();
    assert!(largest.expect("a reject") > 600 << 20, "kept whole");
}

#[test]
fn no_id_shapes_a_path() {
    let folder = folder();
    let ids = [
        "../../etc/passwd",
        "/etc/passwd",
        "..",
        "a/b",
        "call_date=x",
        "C:\\\\x",
        "a\\u0000b",
        "\\ud800",
    ];
    for (number, id) in ids.iter().enumerate() {
        let answer = format!(
            r#"{{"data":{{"TaskID":"{id}","TaskName":"../../x","Status":"finished","workflow_id":"../..",
            "ScheduleStartTime":"../../2024","detail":[{{"CallID":"../../../x","CallStartTime":"../.."}},"../.."]}},"code":200}}"#
        );
        fs::write(folder.path().join(format!("{number}.json")), answer).expect("writable");
    }
    let exporter = Exporter::new(folder.path()).lake("deep/er/lake");
    let names: Vec<String> = (0..ids.len())
        .map(|number| format!("{number}.json"))
        .collect();
    let mut args = vec!["replay"];
    args.extend(names.iter().map(String::as_str));
    exporter.run(&args).with(65);
    exporter.run(&["verify"]).done();
    let lake = exporter.dest();
    for path in below(folder.path()) {
        let is_ours = path.starts_with(&lake);
        let is_given = path.parent() == Some(folder.path());
        assert!(is_ours || is_given, "{}", path.display());
    }
    for path in LakeView::new(lake).live_files().values().flatten() {
        let folder = path.split('/').nth(1).expect("a partition");
        assert!(folder.ends_with("=__HIVE_DEFAULT_PARTITION__"), "{path}");
    }
}
