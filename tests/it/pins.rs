//! `files --hold`: what is listed stays as it is until the pin is over, whatever others do, and goes
//! then, whoever is killed.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use serde_json::{Value, json};

use crate::harness::bucket::Bucket;
use crate::harness::disk::strace;
use crate::harness::lake::below;
use crate::harness::readers::duckdb;
use crate::harness::scripted::answer;
use crate::harness::servers::{Kind, Server};
use crate::harness::shelf::{Folder, Shelf, commits, rows};
use crate::harness::{Exporter, LakeView, folder, skip};

const TASKS: usize = 6;

/// One saved answer; its call with redial and turn, or alone.
fn save(folder: &Path, path: &str, task: &str, whole: bool) {
    let more = if whole {
        r#","RedailCall":[{"CallID":"r"}],"AsrResult":[{"time":"00:00:01","text":"x"}]"#
    } else {
        ""
    };
    let day = 11 + task.len() % 2;
    let detail =
        format!(r#"[{{"id":1,"CallID":"c","CallStartTime":"2024-03-{day}T08:00:00Z"{more}}}]"#);
    let path = folder.join(path);
    fs::create_dir_all(path.parent().expect("a folder")).expect("writable");
    fs::write(path, answer(task, &detail)).expect("writable");
}

/// A lake of six tasks, each of a commit of its own.
fn begin(folder: &Path, exporter: &Exporter) {
    for task in 0..TASKS {
        save(
            folder,
            &format!("saved/{task}.json"),
            &format!("task-{task}"),
            true,
        );
        exporter
            .run(&["replay", &format!("saved/{task}.json")])
            .done();
    }
}

/// The calls that a list holds: as many as tasks, each once. Fails if a file is not there.
#[track_caller]
fn calls(shelf: &dyn Shelf, list: &Value) -> usize {
    let mut keys = BTreeSet::new();
    let mut count = 0;
    for file in list["files"].as_array().expect("a list") {
        if file["table"] != "calls" {
            continue;
        }
        let path = file["path"].as_str().expect("a path");
        let name = file["lake_path"].as_str().expect("a path");
        let bytes = shelf.get(&shelf.path_of(path));
        let bytes = bytes.unwrap_or_else(|| panic!("{path} is held and gone"));
        for row in rows(&shelf.path_of(name), bytes) {
            count += 1;
            keys.insert(row.key());
        }
    }
    assert_eq!(count, keys.len(), "a row is there twice");
    count
}

fn hold(exporter: &Exporter) -> Value {
    let held = exporter.run(&["files", "--hold", "1h", "--format", "json"]);
    held.done().json()
}

fn id(list: &Value) -> String {
    list["pin"]["id"].as_str().expect("a pin").to_owned()
}

/// Sets the end of every pin back.
fn expire(lake: &Path) {
    for path in below(&lake.join("_export/pins")) {
        if path.extension().is_some_and(|end| end == "json") {
            let text = fs::read(&path).expect("readable");
            let mut pin: Value = serde_json::from_slice(&text).expect("JSON");
            pin["expires_at"] = json!("2020-01-01T00:00:00Z");
            fs::write(&path, pin.to_string()).expect("writable");
        }
    }
}

fn pins(exporter: &Exporter) -> Vec<Value> {
    let status = exporter.run(&["status", "--format", "json"]).done().json();
    status["pins"].as_array().expect("a list").clone()
}

#[test]
fn held_lists_stay_as_they_are_beside_writers() {
    let folder = folder();
    let exporter = Exporter::new(folder.path());
    begin(folder.path(), &exporter);
    let shelf = Folder(exporter.dest());
    let over = AtomicBool::new(false);
    let writers: [&[&str]; 2] = [&["replay", "saved", "--replace"], &["compact"]];
    let lists = thread::scope(|scope| {
        for command in writers {
            let (exporter, over) = (&exporter, &over);
            scope.spawn(move || {
                while !over.load(Ordering::Relaxed) {
                    let ended = exporter.run(command);
                    assert!(matches!(ended.code, Some(0 | 75)), "{}", ended.stderr);
                }
            });
        }
        let held = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            let mut lists = Vec::new();
            for _ in 0..15 {
                lists.push(hold(&exporter));
                for list in &lists {
                    assert_eq!(calls(&shelf, list), TASKS);
                }
            }
            lists
        }));
        over.store(true, Ordering::Relaxed);
        held.unwrap_or_else(|panic| std::panic::resume_unwind(panic))
    });
    let commits: BTreeSet<u64> = lists
        .iter()
        .filter_map(|l| l["sequence"].as_u64())
        .collect();
    assert!(commits.len() > 1, "nobody wrote: {commits:?}");
    assert_eq!(pins(&exporter).len(), lists.len());
    exporter.run(&["verify"]).done();
    for list in &lists {
        exporter.run(&["files", "--release", &id(list)]).done();
    }
    assert_eq!(
        below(&exporter.dest().join("_export/pins")),
        Vec::<PathBuf>::new()
    );
    exporter.run(&["verify"]).done();
}

#[test]
#[ignore = "needs PyPI: just test-all"]
fn a_pins_folder_is_a_lake_of_one_state_for_readers_that_glob() {
    let folder = folder();
    let exporter = Exporter::new(folder.path());
    for task in ["a", "bb", "c"] {
        save(folder.path(), &format!("saved/{task}.json"), task, false);
        exporter
            .run(&["replay", &format!("saved/{task}.json")])
            .done();
    }
    let list = hold(&exporter);
    let frozen = list["pin"]["folder"].as_str().expect("a folder");
    assert_eq!(pins(&exporter)[0]["files"], 6);
    exporter.run(&["compact"]).done();
    let ask = |root: &str, table: &str, what: &str| {
        duckdb(&format!(
            "SELECT {what} FROM read_parquet('{root}/{table}/*/*.parquet', hive_partitioning = true)"
        ))
    };
    let Some(days) = ask(frozen, "calls", "count(*), min(call_date), max(call_date)") else {
        return;
    };
    assert_eq!(days, [["3", "2024-03-11", "2024-03-12"]]);
    for table in ["redials", "asr_turns"] {
        assert_eq!(
            ask(frozen, table, "count(*)"),
            Some(vec![vec!["0".to_owned()]]),
            "{table}"
        );
    }
    let lake = exporter.dest();
    let lake = lake.to_str().expect("Unicode");
    assert_eq!(
        ask(lake, "calls", "count(*)"),
        Some(vec![vec!["3".to_owned()]])
    );
}

#[test]
fn a_pin_holds_the_tables_that_are_asked_for_and_nothing_else() {
    let folder = folder();
    let exporter = Exporter::new(folder.path());
    begin(folder.path(), &exporter);
    let some = [
        "files", "--hold", "90m", "--table", "tasks", "--format", "json",
    ];
    let some = exporter.run(&some).done().json();
    let frozen = some["pin"]["folder"].as_str().expect("a folder");
    let tables: Vec<_> = fs::read_dir(frozen)
        .expect("there")
        .flatten()
        .map(|e| e.file_name())
        .collect();
    assert_eq!(tables, ["tasks"]);
}

#[test]
fn a_pin_ends_by_itself_or_when_it_is_told_to() {
    let folder = folder();
    let exporter = Exporter::new(folder.path());
    begin(folder.path(), &exporter);
    let plain = exporter.run(&["files", "--hold", "1h"]).done();
    let pin = pins(&exporter)[0]["id"].as_str().expect("an id").to_owned();
    assert!(plain.stderr.contains(&pin), "{}", plain.stderr);
    assert!(plain.stdout.lines().all(|line| line.contains(&pin)));
    exporter
        .run(&["files", "--release", "nobodys"])
        .with(64)
        .saying(&["nobodys", "status"]);
    exporter.run(&["files", "--release", &pin]).done();
    exporter.run(&["files", "--release", &pin]).with(64);
    for refused in ["0s", "31d", "soon"] {
        exporter.run(&["files", "--hold", refused]).with(64);
    }
    let commands: [&[&str]; 3] = [&["vacuum"], &["compact"], &["replay", "saved", "--replace"]];
    for command in commands {
        hold(&exporter);
        exporter.run(command).done();
        assert_eq!(pins(&exporter).len(), 1, "{command:?} ended one that holds");
        expire(&exporter.dest());
        assert_eq!(pins(&exporter)[0]["state"], "ended");
        exporter.run(&["verify"]).done();
        exporter.run(command).done();
        assert_eq!(
            below(&exporter.dest().join("_export/pins")),
            Vec::<PathBuf>::new()
        );
    }
    // Without a hold nothing is written.
    let before = LakeView::new(exporter.dest()).tree();
    let list = exporter.run(&["files", "--format", "json"]).done().json();
    assert_eq!(list["pin"], Value::Null);
    assert!(before == LakeView::new(exporter.dest()).tree());
}

/// What is true of a list whose files stay in their places, until its pin is released.
fn stays_in_place(exporter: &Exporter, shelf: &dyn Shelf, list: &Value) {
    assert_eq!(list["pin"]["folder"], Value::Null);
    exporter.run(&["compact"]).done();
    let other = hold_in_place(exporter, list);
    exporter.run(&["replay", "saved", "--replace"]).done();
    exporter
        .run(&["vacuum", "--older-than", "0s", "--unknown"])
        .done();
    assert_eq!(calls(shelf, list), TASKS);
    exporter.run(&["verify"]).done();
    exporter.run(&["files", "--release", &id(list)]).done();
    if let Some(other) = other {
        assert_eq!(calls(shelf, &other), TASKS, "released with another's pin");
        exporter.run(&["verify"]).done();
        exporter.run(&["files", "--release", &id(&other)]).done();
    }
    glob_is_exact(exporter, shelf);
}

/// A second pin of a newer state, in a bucket.
fn hold_in_place(exporter: &Exporter, list: &Value) -> Option<Value> {
    let is_bucket = list["dest"]
        .as_str()
        .expect("an address")
        .starts_with("s3:");
    is_bucket.then(|| hold(exporter))
}

/// A glob finds what is listed, and nothing is left of pins.
fn glob_is_exact(exporter: &Exporter, shelf: &dyn Shelf) {
    assert_eq!(shelf.list("_export/pins"), Vec::<String>::new());
    let listed = exporter.run(&["files"]).done().stdout;
    let listed: BTreeSet<String> = listed.lines().map(|line| shelf.path_of(line)).collect();
    let tables = ["calls", "redials", "asr_turns", "tasks"];
    let found: BTreeSet<String> = tables.iter().flat_map(|table| shelf.list(table)).collect();
    assert_eq!(found, listed);
    exporter.run(&["verify"]).done();
}

#[test]
#[ignore = "needs strace: just test-all"]
fn where_files_cannot_have_two_names_they_stay_in_their_places() {
    for error in ["EPERM", "EXDEV", "EMLINK", "EOPNOTSUPP"] {
        let folder = folder();
        let exporter = Exporter::new(folder.path());
        begin(folder.path(), &exporter);
        let mut words = match strace("linkat", &format!("error={error}")) {
            Ok(words) => words,
            Err(why) => return skip(&why),
        };
        // Of the lake's files alone: the file system is tried first, with files of its own.
        for path in exporter.run(&["files"]).done().stdout.lines() {
            words.extend(["-P".to_owned(), path.to_owned()]);
        }
        let words: Vec<&str> = words.iter().map(String::as_str).collect();
        let list = hold(&exporter.through(&words));
        stays_in_place(&exporter, &Folder(exporter.dest()), &list);
    }
}

/// The points of `files --hold`, and what of it is left: a pin that holds, or one that was not made to its end.
const HOLDING: [(&str, &str); 4] = [
    ("pin.recorded", "making"),
    ("pin.file_linked@3", "making"),
    ("pin.linked", "making"),
    ("pin.held", "held"),
];

#[test]
fn a_hold_killed_at_any_point_leaves_a_pin_or_what_goes_with_its_end() {
    let folder = folder();
    let exporter = Exporter::new(folder.path());
    begin(folder.path(), &exporter);
    let shelf = Folder(exporter.dest());
    for (point, left) in HOLDING {
        let killed = exporter.dying_at(point).run(&["files", "--hold", "1h"]);
        assert_eq!((killed.code, killed.stdout.as_str()), (None, ""), "{point}");
        let found = pins(&exporter);
        assert_eq!(found[0]["state"], left, "{point}");
        exporter.run(&["replay", "saved", "--replace"]).done();
        exporter.run(&["verify"]).done();
        if left == "held" {
            let pin = found[0]["id"].as_str().expect("an id");
            let lake = exporter.dest().join("_export/pins").join(pin);
            assert_eq!(
                below(&lake.join("calls")).len(),
                LakeView::new(exporter.dest()).live_files()["calls"].len()
            );
        }
        expire(&exporter.dest());
        exporter.run(&["vacuum"]).done();
        glob_is_exact(&exporter, &shelf);
    }
}

#[test]
fn the_end_of_a_pin_that_is_killed_is_finished_by_the_next_start() {
    let folder = folder();
    let exporter = Exporter::new(folder.path());
    begin(folder.path(), &exporter);
    let shelf = Folder(exporter.dest());
    for point in [
        "pin.ended",
        "pin.file_removed",
        "pin.file_removed@3",
        "pin.removed",
    ] {
        let list = hold(&exporter);
        let killed = exporter
            .dying_at(point)
            .run(&["files", "--release", &id(&list)]);
        assert_eq!(killed.code, None, "{point}: {}", killed.stderr);
        exporter.run(&["replay", "saved", "--replace"]).done();
        glob_is_exact(&exporter, &shelf);
        hold(&exporter);
        expire(&exporter.dest());
        let killed = exporter.dying_at(point).run(&["vacuum"]);
        assert_eq!(killed.code, None, "{point}: {}", killed.stderr);
        exporter.run(&["compact"]).done();
        glob_is_exact(&exporter, &shelf);
    }
}

const IMPATIENT: &str = "[store]\ndead_after = \"1ms\"\nretry_time = \"10s\"\n";

fn on_s3(test: impl FnOnce(&Path, &Exporter, &dyn Shelf)) {
    let server = match Server::of(Kind::SeaweedFs) {
        Ok(server) => server,
        Err(why) => return skip(&why),
    };
    let folder = folder();
    let bucket = Bucket::new(
        Arc::clone(&server),
        &format!("pins-{:016x}", fastrand::u64(..)),
    );
    let exporter = bucket
        .exporter(&Exporter::new(folder.path()))
        .job(IMPATIENT);
    begin(folder.path(), &exporter);
    test(folder.path(), &exporter, &bucket);
}

#[test]
#[ignore = "needs object stores from PyPI: just test-all"]
fn a_hold_killed_on_s3_leaves_a_pin_or_what_goes_with_its_end() {
    on_s3(|_, exporter, shelf| {
        for (point, left) in [HOLDING[0], HOLDING[3]] {
            let killed = exporter.dying_at(point).run(&["files", "--hold", "1h"]);
            assert_eq!((killed.code, killed.stdout.as_str()), (None, ""), "{point}");
            let found = pins(exporter);
            assert_eq!(found[0]["state"], left, "{point}");
            exporter.run(&["replay", "saved", "--replace"]).done();
            exporter.run(&["verify"]).done();
            let pin = found[0]["id"].as_str().expect("an id");
            exporter.run(&["files", "--release", pin]).done();
            glob_is_exact(exporter, shelf);
        }
    });
}

#[test]
#[ignore = "needs object stores from PyPI: just test-all"]
fn a_hold_that_goes_on_to_a_newer_state_is_one_of_that_or_goes_with_its_end_if_it_is_killed() {
    on_s3(|_, exporter, shelf| {
        for (points, left) in [
            ("stop:pin.recorded", "held"),
            ("stop:pin.recorded,pin.moved", "making"),
        ] {
            let holding = ["files", "--hold", "1h", "--format", "json"];
            let mut holding = exporter.dying_at(points).start(&holding);
            assert!(holding.is_held(), "{points}: {}", holding.said());
            exporter.run(&["replay", "saved", "--replace"]).done();
            holding.go_on();
            let ended = holding.wait();
            let found = pins(exporter);
            assert_eq!(found[0]["state"], left, "{points}: {}", ended.stderr);
            if left == "held" {
                let list = ended.done().json();
                assert_eq!(list["sequence"], commits(shelf).len(), "{list}");
                exporter.run(&["replay", "saved", "--replace"]).done();
                assert_eq!(calls(shelf, &list), TASKS);
            } else {
                assert_eq!((ended.code, ended.stdout.as_str()), (None, ""), "{points}");
                exporter.run(&["replay", "saved", "--replace"]).done();
            }
            exporter.run(&["verify"]).done();
            let pin = found[0]["id"].as_str().expect("an id");
            exporter.run(&["files", "--release", pin]).done();
            glob_is_exact(exporter, shelf);
        }
    });
}

#[test]
#[ignore = "needs object stores from PyPI: just test-all"]
fn held_lists_stay_as_they_are_beside_writers_on_s3() {
    on_s3(|_, exporter, shelf| {
        // Many commits, so that some pin is made in the middle of one.
        let mut writing = exporter.start(&["replay", "saved", "--replace"]);
        let mut lists = Vec::new();
        for _ in 0..4 {
            if !writing.is_running() {
                writing = exporter.start(&["replay", "saved", "--replace"]);
            }
            lists.push(hold(exporter));
            for list in &lists {
                assert_eq!(calls(shelf, list), TASKS);
            }
        }
        writing.wait().done();
        exporter.run(&["compact"]).done();
        for list in &lists {
            assert_eq!(calls(shelf, list), TASKS);
            exporter.run(&["verify"]).done();
            exporter.run(&["files", "--release", &id(list)]).done();
        }
        glob_is_exact(exporter, shelf);
    });
}

#[test]
#[ignore = "needs object stores from PyPI: just test-all"]
fn in_a_bucket_held_files_stay_and_go_with_the_pin_after_any_kill() {
    on_s3(|_, exporter, shelf| {
        let list = hold(exporter);
        stays_in_place(exporter, shelf, &list);
        for point in ["pin.ended", "pin.file_removed", "pin.removed"] {
            let list = hold(exporter);
            let killed = exporter
                .dying_at("pin.file_kept")
                .run(&["replay", "saved", "--replace"]);
            assert_eq!(killed.code, None, "{}", killed.stderr);
            assert_eq!(calls(shelf, &list), TASKS);
            exporter.run(&["replay", "saved", "--replace"]).done();
            assert_eq!(calls(shelf, &list), TASKS);
            exporter.run(&["verify"]).done();
            let killed = exporter
                .dying_at(point)
                .run(&["files", "--release", &id(&list)]);
            assert_eq!(killed.code, None, "{point}: {}", killed.stderr);
            exporter.run(&["vacuum"]).done();
            glob_is_exact(exporter, shelf);
        }
    });
}

#[test]
fn files_without_rows_survive_kills() {
    let folder = folder();
    let exporter = Exporter::new(folder.path());
    save(folder.path(), "first.json", "a", false);
    save(folder.path(), "second.json", "bb", true);
    let killed = exporter
        .dying_at("rowless.written")
        .run(&["replay", "first.json"]);
    assert_eq!(killed.code, None, "{}", killed.stderr);
    exporter.run(&["replay", "first.json"]).done();
    let redials = || below(&exporter.dest().join("redials"));
    assert_eq!(redials().len(), 1);
    exporter.run(&["verify"]).done();
    let killed = exporter
        .dying_at("rowless.removed")
        .run(&["replay", "second.json"]);
    assert_eq!(killed.code, None, "{}", killed.stderr);
    exporter.run(&["replay", "second.json"]).done();
    exporter.run(&["verify"]).done();
    let left = redials();
    assert!(
        left.len() == 1 && !left[0].ends_with("no-rows.parquet"),
        "{left:?}"
    );
    glob_is_exact(&exporter, &Folder(exporter.dest()));
}

#[test]
fn a_damaged_file_is_put_aside_though_the_run_is_killed() {
    let folder = folder();
    let exporter = Exporter::new(folder.path());
    begin(folder.path(), &exporter);
    let lake = LakeView::new(exporter.dest());
    let before = lake.content();
    let path = lake.live_files()["calls"][0].clone();
    let whole = lake.root().join(&path);
    fs::write(&whole, b"no Parquet").expect("writable");
    exporter.run(&["verify"]).with(65);
    let replace = ["replay", "saved", "--replace"];
    let killed = exporter.dying_at("mend.put_aside").run(&replace);
    assert_eq!(killed.code, None, "{}", killed.stderr);
    exporter.run(&replace).done();
    exporter.run(&["verify"]).done();
    crate::harness::lake::assert_same(&lake.content(), &before);
    let aside = below(&lake.root().join("_export/quarantine"));
    assert_eq!(aside.len(), 1, "{aside:?}");
    assert_eq!(fs::read(&aside[0]).expect("readable"), b"no Parquet");
    glob_is_exact(&exporter, &Folder(exporter.dest()));
}
