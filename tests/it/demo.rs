//! What README shows first: the demo, on an empty folder and once more.

use std::os::unix::fs::PermissionsExt as _;

use crate::harness::readers::duckdb;
use crate::harness::{Exporter, folder};

/// The output with what differs from run to run spelled out: ids, times, sizes, the port.
fn settled(output: &str) -> String {
    output
        .lines()
        .map(settled_line)
        .collect::<Vec<_>>()
        .join("\n")
}

fn settled_line(line: &str) -> String {
    let mut words: Vec<String> = Vec::new();
    // The proof of a listing's end depends on which listing was first.
    let line = line.trim_start();
    if line.starts_with("list_tasks") {
        return "list_tasks ok [some]".to_owned();
    }
    let line = match line.split_once(" requests, ") {
        Some((_, rest)) => format!("[some] requests, {rest}"),
        None => line.to_owned(),
    };
    for word in line.split_whitespace() {
        let before = words.last().map(String::as_str);
        let is_number = word.starts_with(|c: char| c.is_ascii_digit());
        let unit = matches!(
            word.trim_end_matches([',', ';', ':']),
            "B" | "KiB" | "MiB" | "s" | "min"
        );
        if unit && before.is_some_and(|before| before.starts_with(|c: char| c.is_ascii_digit())) {
            words.pop();
            words.push("[some]".to_owned());
        }
        if word.starts_with("http://127.0.0.1:") {
            words.push("[address]".to_owned());
        } else if is_number && word.contains('T') && word.contains('-') && word.ends_with(':') {
            words.push("[run]:".to_owned());
        } else {
            words.push(word.to_owned());
        }
    }
    words.join(" ")
}

#[test]
fn the_demo_shows_a_week_and_a_second_night() {
    let folder = folder();
    let dest = folder.path().join("lake");
    let dest = dest.to_str().expect("Unicode");
    let exporter = Exporter::new(folder.path()).unset("AIRUDDER_JOB");
    let ended = exporter.run(&["demo", "--dest", dest, "-q"]).done();
    let said = settled(&ended.stdout).replace(dest, "[lake]");
    // A busy machine takes longer.
    insta::assert_snapshot!(said.replace("[some] min [some] s", "[some] s"));

    // A second demo finds all of it there, and verify agrees.
    let again = exporter.run(&["demo", "--dest", dest, "-q"]).done();
    assert!(
        again
            .stdout
            .contains("tasks whose answer was pulled twice: 0"),
        "{}",
        again.stdout
    );
    assert!(
        again
            .stdout
            .contains("the lake of an earlier demo is there")
    );
    exporter.run(&["verify"]).done();

    // An account's calls never get among the invented ones.
    let account = exporter
        .lake_at(dest.as_ref())
        .against("http://127.0.0.1:9");
    for args in [
        &["run"][..],
        &["backfill", "--last", "7d"],
        &[
            "replay",
            crate::harness::project("tests/fixtures/taskdetail-documented.json")
                .to_str()
                .expect("Unicode"),
        ],
    ] {
        account
            .run(args)
            .with(78)
            .saying(&["holds the invented calls of the demo", "--dest"]);
    }
}

#[test]
#[ignore = "needs PyPI: just test-all"]
fn the_line_for_duckdb_works_as_printed() {
    let folder = folder();
    let exporter = Exporter::new(folder.path()).unset("AIRUDDER_JOB");
    let dest = folder.path().join("lake");
    let dest = dest.to_str().expect("Unicode");
    let ended = exporter.run(&["demo", "--dest", dest, "-q"]).done();
    let command = ended.stdout.split_once("duckdb -c \"");
    let query = command.and_then(|(_, rest)| rest.split_once('"'));
    if let Some(rows) = duckdb(query.expect("a query in quotes").0) {
        assert_eq!(rows.len(), 8, "{rows:?}");
        assert_eq!(rows[0][0], "2024-03-11");
    }
}

#[test]
fn the_demo_makes_a_lake_of_its_own_with_files_as_set() {
    let folder = folder();
    let ended = Exporter::new(folder.path())
        .unset("AIRUDDER_JOB")
        .set("AIRUDDER_FILE_MODE", "0664")
        .run(&["demo"])
        .done();
    // The first screen that anybody sees fits a narrow terminal and has nothing to be worried about.
    for line in ended.stdout.lines() {
        assert!(line.chars().count() <= 80, "{line}");
    }
    assert!(!ended.stderr.contains("WARN"), "{}", ended.stderr);
    let identity = folder.path().join("demo-lake/_export/lake.json");
    let identity: serde_json::Value =
        serde_json::from_slice(&std::fs::read(identity).expect("it is there")).expect("JSON");
    assert_eq!(identity["demo"], true);
    assert_eq!(identity["host"], "loopback");
    assert!(!folder.path().join("lake").exists());
    let mode = |path: &str| {
        let path = folder.path().join("demo-lake/_export").join(path);
        let meta = std::fs::metadata(path).expect("it is there");
        meta.permissions().mode() & 0o777
    };
    assert_eq!((mode("lake.json"), mode("commits")), (0o664, 0o775));
}

#[test]
fn the_demo_does_not_mix_its_people_with_real_ones() {
    let folder = folder();
    let exporter = Exporter::new(folder.path());
    let sample = "tests/fixtures/taskdetail-documented.json";
    let sample = crate::harness::project(sample);
    exporter
        .run(&["replay", sample.to_str().expect("Unicode")])
        .done();
    let dest = exporter.dest();
    exporter
        .run(&["demo", "--dest", dest.to_str().expect("Unicode")])
        .with(64)
        .saying(&["holds a lake that is not the demo's", "--dest"]);
}
