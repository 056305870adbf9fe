//! `changes` and `files --as-of-commit`: what a loader that follows the lake is told, commit by commit.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use serde_json::{Value, json};

use crate::harness::lake::below;
use crate::harness::scripted::answer;
use crate::harness::vendor::past_days;
use crate::harness::{Exporter, Vendor, folder};

/// A saved answer of a task with two calls, one of them with a redial and a turn.
fn save(folder: &Path, task: &str, day: u32, version: &str) {
    let call = |id: u32, more: &str| {
        format!(
            r#"{{"id":{id},"CallID":"{version}-{id}","CallStartTime":"2024-03-{day}T08:00:0{id}Z"{more}}}"#
        )
    };
    let more = r#","RedailCall":[{"CallID":"r"}],"AsrResult":[{"time":"00:00:01","text":"x"}]"#;
    let detail = format!("[{},{}]", call(1, more), call(2, ""));
    let path = folder.join("saved");
    fs::create_dir_all(&path).expect("writable");
    fs::write(path.join(format!("{task}.json")), answer(task, &detail)).expect("writable");
}

/// A lake of six appends, a replacement of two tasks, a compaction and a last append.
fn begin(folder: &Path) -> Exporter {
    let exporter = Exporter::new(folder);
    for task in 0..6 {
        let name = format!("task-{task}");
        save(folder, &name, 11 + task % 2, "old");
        exporter
            .run(&["replay", &format!("saved/{name}.json")])
            .done();
    }
    for task in [1, 4] {
        save(folder, &format!("task-{task}"), 11 + task % 2, "new");
    }
    let replace = [
        "replay",
        "--replace",
        "saved/task-1.json",
        "saved/task-4.json",
    ];
    exporter.run(&replace).done();
    exporter.run(&["compact"]).done();
    save(folder, "task-9", 13, "old");
    exporter.run(&["replay", "saved/task-9.json"]).done();
    exporter
}

fn changes(exporter: &Exporter, args: &[&str]) -> Value {
    exporter.run(&[&["changes"], args].concat()).done().json()
}

fn list<'a>(value: &'a Value, key: &str) -> &'a Vec<Value> {
    let found = value[key].as_array();
    found.unwrap_or_else(|| panic!("{key} is no list in {value}"))
}

/// The paths under a key.
fn paths(value: &Value, key: &str) -> BTreeSet<String> {
    let path = |file: &Value| file["path"].as_str().expect("a path").to_owned();
    list(value, key).iter().map(path).collect()
}

/// The files of a commit's state, or of the newest.
fn state(exporter: &Exporter, commit: Option<u64>) -> Value {
    let mut args = vec!["files", "--format", "json"];
    let commit = commit.map(|commit| commit.to_string());
    if let Some(commit) = &commit {
        args.extend(["--as-of-commit", commit]);
    }
    exporter.run(&args).done().json()
}

#[test]
fn the_changes_of_all_commits_lead_from_nothing_to_the_state_of_each() {
    let folder = folder();
    let exporter = begin(folder.path());
    let all = changes(&exporter, &["--since", "0"]);
    let newest = state(&exporter, None);
    let last = newest["sequence"].as_u64().expect("a number");
    assert_eq!(
        (&all["through"], &all["next"]),
        (&json!(last), &json!(last))
    );
    let mut present = BTreeSet::new();
    let mut rows = BTreeMap::<String, i64>::new();
    for (index, change) in list(&all, "changes").iter().enumerate() {
        let sequence = change["sequence"].as_u64().expect("a number");
        assert_eq!(sequence, index as u64 + 1, "in their order, without gaps");
        for path in paths(change, "removed") {
            assert!(
                present.remove(&path),
                "{path} was not there before {sequence}"
            );
        }
        for path in paths(change, "added") {
            assert!(
                present.insert(path.clone()),
                "{path} was there before {sequence}"
            );
        }
        for (table, change) in change["rows"].as_object().expect("rows by table") {
            let count = |key: &str| change[key].as_i64().expect("a number");
            *rows.entry(table.clone()).or_default() += count("added") - count("removed");
        }
        let then = state(&exporter, Some(sequence));
        assert_eq!(paths(&then, "files"), present, "commit {sequence}");
        assert_eq!(then["sequence"], sequence);
        for file in list(&then, "files") {
            let path = file["path"].as_str().expect("a path");
            assert_eq!(file["present"], Path::new(path).exists(), "{path}");
        }
    }
    assert_eq!(paths(&newest, "files"), present);
    let count = |table: &str| -> i64 {
        let files = list(&newest, "files")
            .iter()
            .filter(|file| file["table"] == table);
        files
            .map(|file| file["rows"].as_i64().expect("a number"))
            .sum()
    };
    for table in ["calls", "redials", "asr_turns", "tasks"] {
        assert_eq!(rows[table], count(table), "{table}");
    }
}

#[test]
fn a_change_names_its_tasks_and_days() {
    let folder = folder();
    let exporter = begin(folder.path());
    let all = changes(&exporter, &["--since", "0"]);
    let all = list(&all, "changes");
    let of_kind = |kind: &str| {
        all.iter()
            .filter(|change| change["kind"] == kind)
            .collect::<Vec<_>>()
    };
    let first = of_kind("append")[0];
    assert_eq!(first["tasks"], json!({"added": ["task-0"], "replaced": []}));
    assert_eq!(first["rows"]["calls"], json!({"added": 2, "removed": 0}));
    assert_eq!(first["undated"], json!(false));
    let replaced: BTreeSet<&str> = of_kind("replace")
        .iter()
        .flat_map(|change| list(&change["tasks"], "replaced"))
        .map(|task| task.as_str().expect("an id"))
        .collect();
    assert_eq!(replaced, BTreeSet::from(["task-1", "task-4"]));
    for change in of_kind("compact") {
        assert_eq!(change["tasks"], json!({"added": [], "replaced": []}));
        for rows in change["rows"].as_object().expect("rows").values() {
            assert_eq!(
                rows["added"], rows["removed"],
                "a compaction changes no row"
            );
        }
        for gone in list(change, "removed") {
            assert!(!list(gone, "into").is_empty(), "{gone}");
        }
    }
    let days: BTreeSet<&str> = all
        .iter()
        .flat_map(|change| list(change, "days"))
        .map(|day| day.as_str().expect("a date"))
        .collect();
    assert!(days.is_superset(&BTreeSet::from(["2024-03-11", "2024-03-12", "2024-03-13"])));
}

#[test]
fn any_part_of_the_log_can_be_folded_into_one_step() {
    let folder = folder();
    let exporter = begin(folder.path());
    let all = changes(&exporter, &["--since", "0"]);
    let last = all["through"].as_u64().expect("a number");
    let files = |commit: u64| {
        let then = (commit > 0).then(|| state(&exporter, Some(commit)));
        then.map_or_else(BTreeSet::new, |then| paths(&then, "files"))
    };
    for (since, through) in [(0, last), (3, last), (2, 7), (last - 1, last)] {
        let (from, to) = (since.to_string(), through.to_string());
        let folded = changes(&exporter, &["--since", &from, "--through", &to, "--fold"]);
        let [change] = list(&folded, "changes").as_slice() else {
            panic!("it is one step: {folded}");
        };
        assert_eq!(
            (&change["since"], &change["sequence"]),
            (&json!(since), &json!(through))
        );
        let (before, after) = (files(since), files(through));
        let difference = |a: &BTreeSet<String>, b: &BTreeSet<String>| {
            a.difference(b).cloned().collect::<BTreeSet<_>>()
        };
        assert_eq!(paths(change, "added"), difference(&after, &before));
        assert_eq!(paths(change, "removed"), difference(&before, &after));
    }
    // Replaced is what had rows before the first of the commits.
    let whole = changes(&exporter, &["--since", "0", "--fold"]);
    let tasks = &list(&whole, "changes")[0]["tasks"];
    assert_eq!(list(tasks, "added").len(), 7);
    assert!(list(tasks, "replaced").is_empty(), "{tasks}");
    let later = changes(&exporter, &["--since", "3", "--fold"]);
    let tasks = &list(&later, "changes")[0]["tasks"];
    assert_eq!(tasks["replaced"], json!(["task-1"]));
}

#[test]
fn one_number_is_enough_to_go_on_in_every_form() {
    let folder = folder();
    let exporter = begin(folder.path());
    let all = changes(&exporter, &["--since", "0"]);
    let lines = exporter
        .run(&["changes", "--since", "0", "--format", "ndjson"])
        .done();
    let lines: Vec<Value> = lines
        .stdout
        .lines()
        .map(|line| serde_json::from_str(line).expect("JSON"))
        .collect();
    assert_eq!(&lines, list(&all, "changes"));
    // Stopped after any line, the next answer continues behind it.
    let next = lines[2]["next"].to_string();
    let rest = changes(&exporter, &["--since", &next]);
    assert_eq!(list(&rest, "changes").as_slice(), &lines[3..]);
    let csv = exporter
        .run(&["changes", "--since", "0", "--format", "csv"])
        .done()
        .stdout;
    let heading = csv.lines().next().expect("a heading");
    assert_eq!(heading, "sequence,at,kind,what,table,date,rows,bytes,name");
    let of = |what: &str| {
        let cell = format!(",{what},");
        csv.lines().filter(|line| line.contains(&cell)).count()
    };
    assert_eq!(of("commit"), lines.len());
    let added: usize = lines.iter().map(|line| list(line, "added").len()).sum();
    assert_eq!(of("file_added"), added);
    assert_eq!(of("task_replaced"), 2);
    // Nothing new is no error, and moves nothing.
    let last = all["next"].to_string();
    let nothing = changes(&exporter, &["--since", &last]);
    assert_eq!(
        (&nothing["next"], list(&nothing, "changes").len()),
        (&all["next"], 0)
    );
    let one = changes(&exporter, &["--since", "0", "--table", "redials"]);
    for change in list(&one, "changes") {
        for file in list(change, "added").iter().chain(list(change, "removed")) {
            assert_eq!(file["table"], "redials");
        }
    }
}

#[test]
fn numbers_that_the_lake_does_not_have_are_refused() {
    let folder = folder();
    let exporter = begin(folder.path());
    let ahead = exporter.run(&["changes", "--since", "900"]).with(64);
    ahead.saying(&["find commit 900", "ends with commit", "files --format json"]);
    exporter.run(&["files", "--as-of-commit", "900"]).with(64);
    let backwards = exporter
        .run(&["changes", "--since", "3", "--through", "2"])
        .with(64);
    backwards.saying(&["--through comes before --since"]);
    exporter.run(&["changes"]).with(64);
}

#[test]
fn a_log_whose_early_records_are_gone_answers_from_its_checkpoint_on() {
    let folder = folder();
    let exporter = Exporter::new(folder.path());
    for task in 0..12 {
        let name = format!("task-{task}");
        save(folder.path(), &name, 11, "old");
        exporter
            .run(&["replay", &format!("saved/{name}.json")])
            .done();
    }
    exporter.run(&["compact"]).done();
    let lake = exporter.dest();
    let checkpoints = below(&lake.join("_export/checkpoints"));
    let name = checkpoints[0]
        .file_stem()
        .expect("a name")
        .to_string_lossy();
    let first: u64 = name.parse().expect("a number");
    let before = changes(&exporter, &["--since", "4"]);
    save(folder.path(), "task-3", 11, "new");
    exporter
        .run(&["replay", "--replace", "saved/task-3.json"])
        .done();
    // A checkpoint is enough for all that comes after it, and earlier states come from the records.
    let after = changes(&exporter, &["--since", &first.to_string()]);
    assert!(
        list(&after, "changes")
            .iter()
            .any(|c| c["tasks"]["replaced"] == json!(["task-3"]))
    );
    let through = before["through"].to_string();
    let again = changes(&exporter, &["--since", "4", "--through", &through]);
    assert_eq!(list(&again, "changes"), list(&before, "changes"));
    for sequence in 1..=6 {
        let record = lake.join(format!("_export/commits/{sequence:020}.json"));
        fs::remove_file(record).expect("it was there");
    }
    let gone = exporter.run(&["changes", "--since", "4"]).with(64);
    let from = format!("the log answers from --since {first} on");
    gone.saying(&[&from, "files --format json", "`sequence`"]);
    exporter.run(&["files", "--as-of-commit", "4"]).with(64);
    let still = changes(&exporter, &["--since", &first.to_string()]);
    assert_eq!(still, after);
}

#[test]
fn a_state_is_held_where_its_files_belong_to_the_lake_and_refused_otherwise() {
    let folder = folder();
    let exporter = begin(folder.path());
    let last = state(&exporter, None)["sequence"]
        .as_u64()
        .expect("a number");
    let hold = |commit: u64| {
        let commit = commit.to_string();
        exporter.run(&[
            "files",
            "--as-of-commit",
            &commit,
            "--hold",
            "1h",
            "--format",
            "json",
        ])
    };
    // Nothing but an append came since.
    let held = hold(last - 1).done().json();
    assert_eq!(held["sequence"], last - 1);
    let names = |value: &Value, key: &str| -> BTreeSet<String> {
        let name = |file: &Value| file[key].as_str().expect("a path").to_owned();
        list(value, "files").iter().map(name).collect()
    };
    assert_eq!(
        names(&held, "lake_path"),
        paths(&state(&exporter, Some(last - 1)), "files")
    );
    save(folder.path(), "task-0", 11, "new");
    exporter
        .run(&["replay", "--replace", "saved/task-0.json"])
        .done();
    for path in names(&held, "path") {
        assert!(Path::new(&path).exists(), "{path} is held");
    }
    let pins = || below(&exporter.dest().join("_export/pins")).len();
    let before = pins();
    hold(2)
        .with(64)
        .saying(&["hold the state of commit 2", "changes --since 2"]);
    assert_eq!(pins(), before, "what is refused leaves no pin");
}

#[test]
fn a_day_is_said_to_be_complete_by_the_commit_that_completed_it() {
    let folder = folder();
    let vendor = Vendor::start(past_days(2, 2, 3));
    let exporter = Exporter::new(folder.path()).against(vendor.url());
    exporter
        .run(&["backfill", "--from", "2024-03-11", "--to", "2024-03-12"])
        .done();
    let all = changes(&exporter, &["--since", "0"]);
    let completed: Vec<&Value> = list(&all, "changes")
        .iter()
        .flat_map(|change| list(change, "completed"))
        .collect();
    let dates: BTreeSet<&str> = completed.iter().filter_map(|day| day.as_str()).collect();
    assert_eq!(completed.len(), dates.len(), "each once: {completed:?}");
    for date in &dates {
        let path = exporter.dest().join(format!("_export/days/{date}.json"));
        let day: Value = serde_json::from_slice(&fs::read(path).expect("there")).expect("JSON");
        assert_eq!(day["complete"], true, "{date}");
    }
    assert!(dates.contains("2024-03-12"), "{dates:?}");
    let folded = changes(&exporter, &["--since", "0", "--fold"]);
    assert_eq!(
        list(&list(&folded, "changes")[0], "completed").len(),
        dates.len()
    );
}

#[test]
fn lists_are_printed_as_other_loaders_take_them() {
    let folder = folder();
    let exporter = begin(folder.path()).lake_at(&folder.path().join("a lake"));
    exporter.run(&["replay", "saved"]).done();
    let newest = state(&exporter, None);
    let uris = exporter.run(&["files", "--format", "uris"]).done().stdout;
    assert_eq!(uris.lines().count(), list(&newest, "files").len());
    for line in uris.lines() {
        assert!(
            line.starts_with("file:///") && line.contains("a%20lake"),
            "{line}"
        );
    }
    for format in ["redshift-manifest", "symlink"] {
        let refused = exporter.run(&["files", "--format", format]).with(64);
        refused.saying(&[format, "--table"]);
    }
    let args = ["files", "--table", "calls", "--format", "redshift-manifest"];
    let manifest = exporter.run(&args).done().json();
    let calls: Vec<&Value> = list(&newest, "files")
        .iter()
        .filter(|file| file["table"] == "calls")
        .collect();
    let entries = list(&manifest, "entries");
    assert_eq!(entries.len(), calls.len());
    for (entry, file) in entries.iter().zip(&calls) {
        let path = file["path"].as_str().expect("a path");
        assert_eq!(entry["url"], format!("file://{path}"));
        assert_eq!(entry["mandatory"], true);
        assert_eq!(entry["meta"]["content_length"], file["bytes"]);
    }
    let links = exporter
        .run(&["files", "--table", "calls", "--format", "symlink"])
        .done();
    assert_eq!(links.stdout.lines().count(), calls.len());
}
