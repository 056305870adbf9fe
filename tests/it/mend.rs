//! Committed files that are missing, cut or changed: nothing of theirs is used, and `backfill
//! --replace` pulls their tasks again.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use serde_json::Value;

use crate::harness::lake::assert_same;
use crate::harness::lake::below;
use crate::harness::scripted::{Reply, Scripted, account, answer};
use crate::harness::vendor::past_days;
use crate::harness::{Ended, Exporter, LakeView, NOW, Vendor, folder};

/// A lake of one day with six tasks, each file of it holding rows of several.
struct Day {
    exporter: Exporter,
    lake: LakeView,
    vendor: Vendor,
    _folder: tempfile::TempDir,
}

const DAY: [&str; 4] = ["--from", "2024-03-11", "--to", "2024-03-11"];
const REPLACE: [&str; 6] = [
    "backfill",
    "--replace",
    "--from",
    "2024-03-11",
    "--to",
    "2024-03-11",
];

impl Day {
    fn new() -> Self {
        let (folder, vendor) = (folder(), Vendor::start(past_days(1, 6, 8)));
        let exporter = Exporter::new(folder.path()).against(vendor.url()).at(NOW);
        exporter.run(&["run"]).done();
        exporter.run(&["verify"]).done();
        let lake = LakeView::new(exporter.dest());
        Self {
            exporter,
            lake,
            vendor,
            _folder: folder,
        }
    }

    /// A file of the table, its path in the lake first.
    fn file(&self, table: &str) -> (String, PathBuf) {
        let path = self.lake.live_files()[table][0].clone();
        let whole = self.lake.root().join(&path);
        (path, whole)
    }

    fn a_task(&self) -> String {
        self.vendor.tasks()[0].task_id.clone()
    }

    fn commits(&self) -> usize {
        self.lake.commits().len()
    }
}

fn flip_a_bit(path: &Path) {
    let mut bytes = fs::read(path).expect("readable");
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    fs::write(path, bytes).expect("writable");
}

fn cut(path: &Path) {
    let bytes = fs::read(path).expect("readable");
    fs::write(path, &bytes[..bytes.len() / 2]).expect("writable");
}

/// The command that `verify` prints for a file.
#[track_caller]
fn command_for(verified: &Ended, path: &str) -> Vec<String> {
    let lines = verified.stdout.lines();
    let line = lines
        .filter(|line| line.contains(path))
        .find_map(|line| line.split_once("mend it with `airudder-export "))
        .unwrap_or_else(|| panic!("no command for {path} in {}", verified.stdout));
    let (command, _) = line.1.split_once('`').expect("it ends");
    command.split(' ').map(str::to_owned).collect()
}

fn run_all(exporter: &Exporter, command: &[String]) -> Ended {
    let args: Vec<&str> = command.iter().map(String::as_str).collect();
    exporter.run(&args)
}

#[test]
fn the_command_that_verify_prints_mends_a_file_in_one_commit() {
    let harms: [fn(&Path); 3] = [
        |path| fs::remove_file(path).expect("it is there"),
        cut,
        flip_a_bit,
    ];
    let tables = ["calls", "tasks", "asr_turns"];
    for (harm, table) in harms.into_iter().zip(tables) {
        let day = Day::new();
        let before = (day.lake.content(), day.commits());
        let (path, whole) = day.file(table);
        harm(&whole);
        let verified = day.exporter.run(&["verify"]).with(65);
        let mended = run_all(&day.exporter, &command_for(&verified, &path));
        mended.done();
        day.exporter.run(&["verify"]).done();
        assert_same(&day.lake.content(), &before.0);
        assert_eq!(day.commits(), before.1 + 1, "{table} was mended in pieces");
        let pulled = day.vendor.stats().details;
        assert!(pulled.values().all(|times| *times == 2), "{pulled:?}");
    }
}

#[test]
fn rows_of_a_changed_file_are_never_carried_over() {
    let day = Day::new();
    let before = day.lake.content();
    let (path, whole) = day.file("calls");
    flip_a_bit(&whole);
    // One task is asked for; all others with rows in the file come with it.
    let task = day.a_task();
    let args = [&REPLACE[..], &["--task-id", &task, "--format", "json"]].concat();
    let replaced = day.exporter.run(&args).done().json();
    assert_eq!(replaced["planned"]["damaged_file"], 6, "{replaced:#}");
    day.exporter.run(&["verify"]).done();
    assert_same(&day.lake.content(), &before);
    // What is left of it can be looked at.
    let aside = below(&day.lake.root().join("_export/quarantine"));
    assert!(
        aside.iter().any(|file| file.ends_with(&path)),
        "{aside:?} has no {path}"
    );
}

#[test]
fn who_does_not_replace_refuses_with_the_command() {
    let (folder, vendor) = (folder(), Vendor::start(past_days(1, 6, 8)));
    // A commit for each task, so that there is something to compact.
    let exporter = Exporter::new(folder.path())
        .against(vendor.url())
        .set("AIRUDDER_CONCURRENCY", "1")
        .job("[api]\nrate = \"2000/s\"\nburst = 100\n[write]\ncommit_calls = 1\n");
    exporter.run(&["run"]).done();
    let lake = LakeView::new(exporter.dest());
    let path = lake.live_files()["calls"][1].clone();
    flip_a_bit(&lake.root().join(&path));
    let before = lake.commits();
    let said = ["--from 2024-03-11 --to 2024-03-11", "SHA-256", &path];
    exporter.run(&["compact"]).with(65).saying(&said);
    assert_eq!(lake.commits(), before);
}

#[test]
fn a_replay_uses_no_row_of_a_cut_file() {
    let day = Day::new();
    cut(&day.file("calls").1);
    let answers = folder();
    let task = day.a_task();
    let text = answer(&task, "[{},{},{},{},{},{},{},{},{}]");
    fs::write(answers.path().join("a.json"), text).expect("writable");
    let from = answers.path().to_str().expect("Unicode");
    let args = [
        "replay",
        "--replace",
        "--allow-fewer",
        from,
        "--format",
        "json",
    ];
    let replayed = day.exporter.run(&args).with(75).json();
    assert_eq!(replayed["lost"].as_array().map(Vec::len), Some(5));
    // The next night asks for the others again.
    day.exporter.run(&["verify"]).with(65);
    day.exporter.run(&["run"]).done();
    day.exporter.run(&["verify"]).done();
}

/// An account of which tasks can go away.
fn leaky(gone: &Arc<Mutex<Vec<String>>>, tasks: &[&str]) -> Scripted {
    let details: Vec<(String, Reply)> = tasks
        .iter()
        .map(|task| ((*task).to_owned(), Reply::ok(answer(task, "[{},{}]"))))
        .collect();
    let gone = Arc::clone(gone);
    Scripted::start(move |request| {
        let gone = gone.lock().expect("no test panics in it");
        let asked = request.body["task_id"].as_str().unwrap_or_default();
        if request.path.ends_with("taskdetail") && gone.iter().any(|task| task == asked) {
            let reply = r#"{"code": 404, "status": "not found", "data": null}"#;
            return Some(Reply::ok(reply));
        }
        let left: Vec<_> = details
            .iter()
            .filter(|(task, _)| !gone.contains(task))
            .cloned()
            .collect();
        Some(account(&left, request))
    })
}

#[test]
fn what_the_api_no_longer_has_stays_listed_as_lost() {
    let (folder, gone) = (folder(), Arc::default());
    let vendor = leaky(&gone, &["a", "b", "c"]);
    let exporter = Exporter::new(folder.path()).against(vendor.url()).at(NOW);
    exporter.run(&["run"]).done();
    let lake = LakeView::new(exporter.dest());
    let path = lake.live_files()["calls"][0].clone();
    fs::remove_file(lake.root().join(&path)).expect("it is there");
    gone.lock().expect("no test panics in it").push("b".into());

    let verified = exporter.run(&["verify"]).with(65);
    let mut command = command_for(&verified, &path);
    command.extend(["--format".to_owned(), "json".to_owned()]);
    let mended = run_all(&exporter, &command).with(75).json();
    let lost = mended["lost"].as_array().expect("a list").clone();
    assert_eq!(lost.len(), 1, "{lost:?}");
    assert_eq!(
        (&lost[0]["task_id"], &lost[0]["file"]),
        (&"b".into(), &path.clone().into())
    );
    assert_eq!(mended["commits"].as_array().map(Vec::len), Some(1));

    let is_listed = || {
        let status = exporter.run(&["status", "--format", "json"]).done().json();
        let lost = status["attention"]["lost"].clone();
        assert_eq!(lost[0]["task_id"], "b", "{lost}");
        assert_eq!(lost.as_array().map(Vec::len), Some(1));
        let verified = exporter
            .run(&["verify", "--format", "json"])
            .with(65)
            .json();
        let findings = verified["findings"].as_array().expect("findings");
        let kinds: Vec<&Value> = findings.iter().map(|found| &found["kind"]).collect();
        assert_eq!(kinds, ["rows_lost"]);
    };
    is_listed();
    // A night later it is not asked for any more, and not forgotten either.
    exporter.run(&["run"]).done();
    is_listed();
    exporter.run(&["run"]).done();
    // It is there again after all.
    gone.lock().expect("no test panics in it").clear();
    exporter.run(&["run"]).done();
    exporter.run(&["verify"]).done();
}

#[test]
fn nobody_loses_rows_to_an_api_that_is_down() {
    let (folder, down) = (folder(), Arc::new(Mutex::new(false)));
    let details: Vec<(String, Reply)> = ["a", "b"]
        .map(|task| (task.to_owned(), Reply::ok(answer(task, "[{}]"))))
        .into();
    let is_down = Arc::clone(&down);
    let vendor = Scripted::start(move |request| {
        let is_detail = request.path.ends_with("taskdetail");
        let down = *is_down.lock().expect("no test panics in it");
        Some(if is_detail && down {
            Reply::status(401, "{}")
        } else {
            account(&details, request)
        })
    });
    let exporter = Exporter::new(folder.path()).against(vendor.url()).at(NOW);
    exporter.run(&["run"]).done();
    let lake = LakeView::new(exporter.dest());
    flip_a_bit(&lake.root().join(&lake.live_files()["calls"][0]));
    let files = lake.live_files();
    *down.lock().expect("no test panics in it") = true;
    exporter.run(&REPLACE).with(69);
    assert_eq!(lake.live_files(), files, "the file was given up");
    *down.lock().expect("no test panics in it") = false;
    exporter.run(&REPLACE).done();
    exporter.run(&["verify"]).done();
}

#[test]
fn a_file_lost_before_it_was_published_is_mended() {
    for repair_first in [false, true] {
        let (folder, vendor) = (folder(), Vendor::start(past_days(1, 4, 6)));
        let exporter = Exporter::new(folder.path()).against(vendor.url()).at(NOW);
        exporter.dying_at("commit.durable").run(&["run"]);
        let staged = below(&exporter.dest().join("_export/staging"));
        let calls = staged
            .iter()
            .find(|path| path.to_string_lossy().contains("parquet"))
            .expect("it was staged");
        fs::remove_file(calls).expect("it is there");
        // Everybody else says how it is mended.
        for args in [&["run"][..], &["compact"]] {
            let refused = exporter.run(args).with(65);
            refused.saying(&["backfill --replace --from 2024-03-11 --to 2024-03-11"]);
        }
        if repair_first {
            let repaired = exporter.run(&["verify", "--repair"]).with(65);
            assert!(
                repaired.stdout.contains("file_missing"),
                "{}",
                repaired.stdout
            );
            exporter.run(&["run"]);
        }
        let args = [&["backfill", "--replace"][..], &DAY[..]].concat();
        exporter.run(&args).done();
        exporter.run(&["verify"]).done();
        exporter.run(&["run"]).done();
    }
}

#[test]
fn rows_without_a_date_are_mended_by_the_task() {
    let folder = folder();
    let dateless = |task: &str| {
        let text = answer(task, "[{},{}]");
        text.replace(r#""ScheduleStartTime":"2024-03-11T08:00:00Z","#, "")
            .replace(r#""ScheduleEndTime":"2024-03-11T09:00:00Z","#, "")
    };
    let replies = [
        ("a", Reply::ok(dateless("a"))),
        ("b", Reply::ok(dateless("b"))),
    ];
    let vendor = Scripted::account(replies.into());
    let exporter = Exporter::new(folder.path()).against(vendor.url()).at(NOW);
    exporter.run(&["run"]).done();
    let lake = LakeView::new(exporter.dest());
    let path = lake.live_files()["calls"][0].clone();
    assert!(path.contains("HIVE_DEFAULT"), "{path}");
    let before = lake.content();
    fs::remove_file(lake.root().join(&path)).expect("it is there");
    let verified = exporter.run(&["verify"]).with(65);
    let command = command_for(&verified, &path);
    assert!(
        command.iter().any(|word| word == "--task-id"),
        "{command:?}"
    );
    run_all(&exporter, &command).done();
    exporter.run(&["verify"]).done();
    assert_same(&lake.content(), &before);
}
