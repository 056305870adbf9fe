//! Answers that have no end, or are mostly what is kept aside: they end with the setting that limits them,
//! and take no disk and no night.

use std::fs;
use std::io::Write as _;

use flate2::Compression;
use flate2::write::GzEncoder;
use rstest::rstest;

use crate::harness::lake::below;
use crate::harness::scripted::{DRIP, Reply, Scripted, account, answer};
use crate::harness::{Exporter, LakeView, NOW, folder};

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

/// What has no end is cut far behind its limit, where it would still be right or wrong.
#[rstest]
#[case::entries_that_are_no_calls(HEAD, "1,", "max_rejects_size", 4)]
#[case::a_text(&format!("{HEAD}{{\"Comments\":\""), "x", "max_answer_size", 22)]
#[case::a_page_of_somebody_else("<html>", "x", "API's envelope", 5)]
#[case::white_space(HEAD, " ", "max_answer_size", 22)]
#[case::fields_behind_detail(&format!("{HEAD}],\"x\":\""), "x", "max_answer_size", 22)]
fn an_answer_without_end_is_given_up_with_its_setting(
    #[case] begin: &str,
    #[case] unit: &str,
    #[case] words: &str,
    #[case] megabytes: u64,
) {
    let folder = folder();
    let good = Reply::ok(answer("good", r#"[{"id":1}]"#));
    let odd = gzip(&long(begin, unit, 64 * MEGABYTE));
    let server = Scripted::account(vec![("odd", odd), ("good", good)]);
    let exporter = Exporter::new(folder.path())
        .against(server.url())
        .job(LIMITS)
        .at(NOW);
    let ended = exporter.run(&["run"]);
    assert!(matches!(ended.code, Some(65 | 69 | 75)), "{:?}", ended.code);
    let report = fs::read_dir(exporter.dest().join("_export/runs")).expect("reports");
    let report =
        report.map(|entry| fs::read_to_string(entry.expect("there").path()).expect("text"));
    let said = format!(
        "{}{}{}",
        ended.stdout,
        ended.stderr,
        report.collect::<String>()
    );
    assert!(said.contains(words), "{said}");
    let kept: u64 = below(&exporter.dest().join("_export/rejects"))
        .iter()
        .map(|path| fs::metadata(path).expect("there").len())
        .sum();
    assert!(
        kept <= megabytes * MEGABYTE as u64,
        "{kept} bytes of rejects"
    );
    // The others are exported, and the odd one is not: nothing of it is left out without a word.
    let commits = LakeView::new(exporter.dest()).commits();
    let tasks = commits
        .iter()
        .filter_map(|commit| commit["changes"]["tasks"].as_array());
    let ids: Vec<&str> = tasks
        .flatten()
        .filter_map(|task| task["id"].as_str())
        .collect();
    assert_eq!(ids, ["good"]);
    assert!(exporter.run(&["status"]).stdout.contains("odd"));
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
