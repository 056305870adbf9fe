//! Answers that have no end, or are mostly what is kept aside: they end with the setting that limits them,
//! and take no disk and no night.

use std::fs;
use std::io::Write as _;

use flate2::Compression;
use flate2::write::GzEncoder;
use rstest::rstest;

use crate::harness::lake::below;
use crate::harness::scripted::{DRIP, Reply, Scripted, account, answer};
use crate::harness::{Ended, Exporter, LakeView, NOW, folder};

const LIMITS: &str = "[api]\nrate = \"2000/s\"\nburst = 100\nbase_backoff = \"1ms\"\nmax_attempts = 2\n\
                      max_answer_size = \"20MiB\"\n[write]\nmax_record_size = \"1MiB\"\nmax_rejects_size = \"2MiB\"\n";
const MEGABYTE: usize = 1 << 20;

/// `begin`, then so many times `unit`.
fn long(begin: &str, unit: &str, bytes: usize) -> Vec<u8> {
    let mut body = begin.as_bytes().to_vec();
    body.extend(unit.bytes().cycle().take(bytes));
    body
}

fn gzip(body: &[u8]) -> Reply {
    let mut packed = GzEncoder::new(Vec::new(), Compression::fast());
    packed.write_all(body).expect("memory");
    let mut reply = Reply::ok(packed.finish().expect("memory"));
    reply.headers.push("content-encoding: gzip".to_owned());
    reply
}

const HEAD: &str = r#"{"code":200,"data":{"TaskID":"odd","Status":"finished","detail":["#;

/// The bytes of all rejects.
fn kept(exporter: &Exporter) -> u64 {
    below(&exporter.dest().join("_export/rejects"))
        .iter()
        .map(|path| fs::metadata(path).expect("there").len())
        .sum()
}

/// All that a run and its report say.
fn said(exporter: &Exporter, ended: &Ended) -> String {
    let reports = fs::read_dir(exporter.dest().join("_export/runs")).expect("reports");
    let reports =
        reports.map(|entry| fs::read_to_string(entry.expect("there").path()).expect("text"));
    format!(
        "{}{}{}",
        ended.stdout,
        ended.stderr,
        reports.collect::<String>()
    )
}

/// The tasks that commits name.
fn exported(exporter: &Exporter) -> Vec<String> {
    let commits = LakeView::new(exporter.dest()).commits();
    let tasks = commits
        .iter()
        .filter_map(|commit| commit["changes"]["tasks"].as_array());
    let ids = tasks.flatten().filter_map(|task| task["id"].as_str());
    ids.map(str::to_owned).collect()
}

/// What has no end is cut far behind its limit, where it would still be right or wrong.
#[rstest]
#[case::entries_that_are_no_calls(HEAD, "1,", "max_rejects_size", 4)]
#[case::a_text(&format!("{HEAD}{{\"Comments\":\""), "x", "max_answer_size", 6)]
#[case::an_entry_of_text(&format!("{HEAD}{{}},\""), "x", "max_answer_size", 6)]
#[case::a_number(HEAD, "1", "max_answer_size", 6)]
#[case::brackets(HEAD, "[", "max_answer_size", 6)]
#[case::calls_over_the_limit(HEAD, &format!("{{\"Comments\":\"{}\"}},", "x".repeat(MEGABYTE)), "max_answer_size", 6)]
#[case::a_page_of_somebody_else("<html>", "x", "API's envelope", 4)]
#[case::white_space_before("", " ", "max_answer_size", 4)]
#[case::white_space(HEAD, " ", "max_answer_size", 4)]
#[case::white_space_behind_an_entry(&format!("{HEAD}{{}}"), "\n", "max_answer_size", 4)]
#[case::white_space_behind(&answer("odd", "[{}]"), "\t", "max_answer_size", 4)]
#[case::white_space_in_the_envelope(&format!("{HEAD}]"), " ", "max_record_size", 4)]
#[case::fields_behind_detail(&format!("{HEAD}],\"x\":\""), "x", "max_record_size", 4)]
#[case::many_fields_behind_detail(&format!("{HEAD}],\"x\":1"), ",\"x\":1", "max_record_size", 4)]
#[case::calls(HEAD, "{},", "max_answer_size", 4)]
fn an_answer_without_end_is_given_up_with_its_setting(
    #[case] begin: &str,
    #[case] unit: &str,
    #[case] words: &str,
    #[case] megabytes: u64,
) {
    let folder = folder();
    let good = Reply::ok(answer("good", r#"[{"id":1}]"#));
    let odd = gzip(&long(begin, unit, 6 * MEGABYTE));
    let server = Scripted::account(vec![("odd", odd), ("good", good)]);
    let exporter = Exporter::new(folder.path())
        .against(server.url())
        .job(&LIMITS.replace("20MiB", "5MiB"))
        .at(NOW);
    let ended = exporter.run(&["run"]);
    assert!(matches!(ended.code, Some(65 | 69 | 75)), "{:?}", ended.code);
    let said = said(&exporter, &ended);
    assert!(said.contains(words), "{said}");
    let kept = kept(&exporter);
    assert!(
        kept <= megabytes * MEGABYTE as u64,
        "{kept} bytes of rejects"
    );
    // The others are exported, and the odd one is not: nothing of it is left out without a word.
    assert_eq!(exported(&exporter), ["good"]);
    assert!(exporter.run(&["status"]).stdout.contains("odd"));
    let staged = below(&exporter.dest().join("_export/staging"));
    assert!(staged.is_empty(), "staged files stay: {staged:?}");
    exporter.run(&["verify"]).done();
}

/// Without a limit on the response, it ends long before the largest that is read: a call when 6 % of it
/// are as much as its rejects may take, what stands behind the calls after as much as one record.
#[rstest]
#[case::a_text(&format!("{HEAD}{{\"Comments\":\""), "x", "max_rejects_size", "3840KiB")]
#[case::fields_behind_detail(&format!("{HEAD}],\"x\":\""), "x", "max_record_size", "64MiB")]
fn an_endless_text_ends_without_a_limit_on_the_answer(
    #[case] begin: &str,
    #[case] unit: &str,
    #[case] words: &str,
    #[case] rejects: &str,
) {
    let folder = folder();
    let odd = gzip(&long(begin, unit, 80 * MEGABYTE));
    let server = Scripted::account(vec![("odd", odd)]);
    let exporter = Exporter::new(folder.path())
        .against(server.url())
        .job(&format!(
            "[api]\nrate = \"2000/s\"\nbase_backoff = \"1ms\"\nmax_attempts = 2\n\
             [write]\nmax_rejects_size = \"{rejects}\"\n"
        ))
        .at(NOW);
    let ended = exporter.run(&["run"]);
    assert_eq!(ended.code, Some(65), "{}", ended.stderr);
    let said = said(&exporter, &ended);
    assert!(said.contains(words), "{said}");
    let kept = kept(&exporter);
    assert!(
        kept > 60 << 20 && kept <= 65 << 20,
        "{kept} bytes of rejects"
    );
}

#[test]
fn what_is_kept_of_a_call_without_end_says_that_it_is_its_beginning() {
    let folder = folder();
    let odd = gzip(&long(
        &format!("{HEAD}{{}},{{\"Comments\":\""),
        "x",
        16 * MEGABYTE,
    ));
    let server = Scripted::account(vec![("odd", odd)]);
    let exporter = Exporter::new(folder.path())
        .against(server.url())
        .job(&LIMITS.replace("2MiB", "128KiB"))
        .at(NOW);
    exporter.run(&["run"]).with(65);
    let files = below(&exporter.dest().join("_export/rejects"));
    let text = |ending: &str| {
        let path = files
            .iter()
            .find(|path| path.extension().is_some_and(|is| is == ending));
        fs::read_to_string(path.expect("it is there")).expect("text")
    };
    let line: serde_json::Value = serde_json::from_str(&text("jsonl")).expect("a line");
    let raw = text("raw");
    assert!(
        raw.starts_with("{\"Comments\":\"xx") && raw.len() > MEGABYTE,
        "{}",
        raw.len()
    );
    assert_eq!(
        (&line["task_id"], &line["detail_index"]),
        (&"odd".into(), &1.into())
    );
    let reason = line["reason"].as_str().expect("text");
    let first = format!("only its first {} bytes are kept", raw.len());
    assert!(
        reason.contains(&first) && reason.contains("max_rejects_size"),
        "{reason}"
    );
}

/// A page of a listing, or what stands in its place.
fn listed(page: &[u8]) -> Scripted {
    let page = gzip(page);
    Scripted::start(move |request| {
        Some(if request.path.ends_with("tasklist") {
            page.clone()
        } else {
            account(&[], request)
        })
    })
}

const PAGE: &str = r#"{"code":200,"data":{"list":["#;

#[rstest]
#[case::numbers("0,")]
#[case::unusable("{\"\":0},")]
#[case::tasks("{\"task_id\":\"t\"},")]
fn a_page_with_too_many_items_is_refused_by_its_setting(#[case] item: &str) {
    let folder = folder();
    let page = |count: usize| {
        let mut page = long(PAGE, item, count * item.len());
        page.pop();
        page.extend(b"],\"total\":1}}");
        page
    };
    let server = listed(&page(2_001));
    let exporter = Exporter::new(folder.path())
        .against(server.url())
        .job("[api]\nmax_page_items = 2000\n")
        .at(NOW);
    let ended = exporter.run(&["run"]).with(78);
    let said = said(&exporter, &ended);
    assert!(
        said.contains("more than 2000 items; `max_page_items`"),
        "{said}"
    );
    // So many may be asked for all the same.
    let ended = exporter.run(&["run", "--page-size", "2001"]);
    assert!(!ended.stderr.contains("max_page_items"), "{}", ended.stderr);
}

#[rstest]
#[case::list("list")]
#[case::tasklist("tasklist")]
#[case::auth("auth")]
fn a_page_without_end_is_refused_by_its_setting(#[case] endpoint: &'static str) {
    for unit in [" ", "x", "[", "{\"\":", "0,"] {
        let folder = folder();
        let page = gzip(&long(PAGE, unit, 4 * MEGABYTE));
        let server = Scripted::start(move |request| {
            Some(if request.path.ends_with(endpoint) {
                page.clone()
            } else {
                account(&[], request)
            })
        });
        let ended = Exporter::new(folder.path())
            .against(server.url())
            .job("[api]\nmax_page_bytes = \"1MiB\"\nbase_backoff = \"1ms\"\n")
            .at(NOW)
            .run(&["run"]);
        assert!(matches!(ended.code, Some(69 | 75)), "{:?}", ended.code);
        assert!(
            ended.stderr.contains("`max_page_bytes`"),
            "{}",
            ended.stderr
        );
    }
}

#[rstest]
#[case::numbers("0,", "0]}}")]
#[case::small_objects("{\"\":0},", "0]}}")]
#[case::brackets("[", "")]
#[ignore = "takes a minute: just test-all"]
fn a_page_takes_a_small_multiple_of_its_text(#[case] unit: &str, #[case] end: &str) {
    let folder = folder();
    let mut page = long(PAGE, unit, 60 * MEGABYTE / unit.len() * unit.len());
    page.extend(end.as_bytes());
    let server = listed(&page);
    let exporter = Exporter::new(folder.path())
        .against(server.url())
        .job("[api]\nbase_backoff = \"1ms\"\nmax_attempts = 2\n")
        .at(NOW);
    let (ended, peak) = exporter.run_measured(&["run"]);
    assert!(matches!(ended.code, Some(69 | 75 | 78)), "{:?}", ended.code);
    assert!(peak <= 256 << 20, "{} MiB", peak >> 20);
}

#[test]
fn a_listing_that_drips_is_given_up() {
    let folder = folder();
    let server = Scripted::start(move |request| {
        let mut reply = account(&[], request);
        if request.path.ends_with("tasklist") {
            reply.body.resize(4000, b' ');
            reply.headers.push(DRIP.to_owned());
        }
        Some(reply)
    });
    let ended = Exporter::new(folder.path())
        .against(server.url())
        .job("[api]\nread_timeout = \"150ms\"\nbase_backoff = \"1ms\"\n")
        .at(NOW)
        .run(&["run"])
        .with(75);
    let said = format!("{}{}", ended.stdout, ended.stderr);
    assert!(said.contains("`read_timeout`"), "{said}");
}

/// So many letters that no compressor makes much less of.
fn text_of(seed: &str, letters: usize) -> String {
    let mut state = seed.bytes().fold(0x9E37_79B9_u64, |state, byte| {
        (state ^ u64::from(byte)).wrapping_mul(0x0100_0000_01B3)
    });
    let letter = || {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1);
        char::from(
            b"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_"
                [(state >> 58) as usize],
        )
    };
    std::iter::repeat_with(letter).take(letters).collect()
}

/// Calls of one task on so many days, the days taking turns, with their ids and so much text in each.
fn turns(task: &str, days: i64, rounds: usize, padding: usize) -> (Vec<String>, String) {
    let first = chrono::NaiveDate::from_ymd_opt(1950, 1, 1).expect("a day");
    let (mut ids, mut calls) = (Vec::new(), Vec::new());
    for round in 0..rounds {
        for day in 0..days {
            let date = first + chrono::TimeDelta::days(day);
            let id = format!("{task}-{date}-{round}");
            calls.push(format!(
                r#"{{"CallID":"{id}","CallStartTime":"{date}T08:00:00Z","Comments":"{}"}}"#,
                text_of(&id, padding)
            ));
            ids.push(id);
        }
    }
    (ids, answer(task, &format!("[{}]", calls.join(","))))
}

/// Neither a small answer, which is decoded in one go, nor large ones, of which each has a part of the
/// memory, make more than a file a day of days that take turns.
#[rstest]
#[case::small(1, 500, 4, 0)]
#[case::large(1, 500, 4, 700)]
#[case::eight_large_ones(8, 500, 4, 700)]
#[case::row_groups(1, 5, 1000, 1500)]
#[case::row_groups_of_two(2, 5, 1000, 1500)]
#[case::a_month(1, 30, 200, 1500)]
#[case::a_month_in_many_small_ones(60, 30, 2, 1500)]
fn days_that_take_turns_get_one_file_each_in_little_memory(
    #[case] tasks: usize,
    #[case] days: i64,
    #[case] rounds: usize,
    #[case] padding: usize,
) {
    let folder = folder();
    let names: Vec<String> = (0..tasks).map(|task| format!("t{task}")).collect();
    let answers: Vec<_> = names
        .iter()
        .map(|name| turns(name, days, rounds, padding))
        .collect();
    let details = names.iter().zip(&answers);
    let details = details.map(|(name, (_, text))| (name.as_str(), Reply::ok(text.clone())));
    let server = Scripted::account(details.collect());
    let exporter = Exporter::new(folder.path())
        .against(server.url())
        .job("[api]\nrate = \"2000/s\"\nburst = 100\n[write]\nmemory_budget = \"2MiB\"\nmax_open_files = 3\n")
        .at(NOW);
    let (ended, peak) = exporter.run_measured(&["run"]);
    ended.done();
    assert!(peak <= 160 << 20, "{} MiB", peak >> 20);
    let lake = LakeView::new(exporter.dest());
    let mut expected: Vec<String> = answers.into_iter().flat_map(|(ids, _)| ids).collect();
    let calls = lake.table("calls");
    let mut found: Vec<String> = calls
        .iter()
        .map(|row| {
            let id = row["call_id"].text().expect("an id").to_owned();
            let date = row["call_start_time"].to_string();
            assert!(id.contains(&date[..10]), "{id} at {date}");
            id
        })
        .collect();
    expected.sort_unstable();
    found.sort_unstable();
    assert!(
        found == expected,
        "{} rows of {}",
        found.len(),
        expected.len()
    );
    let files = below(&exporter.dest().join("calls")).len();
    let commits = lake.commits().len();
    let most = commits * usize::try_from(days).expect("a few");
    assert!(
        files <= most,
        "{files} files for {days} days in {commits} commits"
    );
    let staged = below(&exporter.dest().join("_export/staging"));
    assert!(staged.is_empty(), "staged files stay: {staged:?}");
    exporter.run(&["verify"]).done();
}
