//! `verify` holds the Delta logs against the commit log: what is missing, damaged, of another program,
//! or of another lake is named with the command that mends it, and that command mends it.

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use crate::delta::{PUBLISHED, save, save_all};
use crate::harness::delta::{DeltaTable, expect_lake, listed};
use crate::harness::lake::{TABLES, below};
use crate::harness::{Exporter, folder};

/// A lake of 22 commits: appends, a replacement, compactions; with a checkpoint.
fn begin(folder: &Path) -> Exporter {
    save_all(folder);
    let exporter = Exporter::new(folder).job(PUBLISHED);
    exporter.run(&["replay", "saved/undated.json"]).done();
    for n in 0..17 {
        let name = format!("more-{n}");
        save(folder, &name, 11 + n % 2, "old");
        let path = format!("saved/{name}.json");
        exporter.run(&["replay", &path]).done();
    }
    save(folder, "more-3", 11, "new");
    let replace = ["replay", "--replace", "saved/more-3.json"];
    exporter.run(&replace).done();
    exporter.run(&["compact"]).done();
    exporter.run(&["replay", "saved/task-0.json"]).done();
    let list = exporter.run(&["files", "--format", "json"]).done().json();
    assert_eq!(list["sequence"], 22);
    exporter
}

fn version(number: u64) -> String {
    format!("{number:020}.json")
}

/// A log of a table, to be damaged.
struct LogFolder(PathBuf);

impl LogFolder {
    fn path(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }

    fn remove(&self, name: &str) {
        fs::remove_file(self.path(name)).expect("it was there");
    }

    fn write(&self, name: &str, bytes: impl AsRef<[u8]>) {
        fs::write(self.path(name), bytes).expect("writable");
    }

    fn read(&self, name: &str) -> String {
        fs::read_to_string(self.path(name)).expect("it is there")
    }

    /// Gives each action of a kind another value of a key, in one version.
    fn change(&self, number: u64, (kind, key): (&str, &str), value: &Value) {
        let text = self.read(&version(number));
        let lines = text.lines().map(|line| {
            let mut action: Value = serde_json::from_str(line).expect("JSON");
            let found = action.get_mut(kind).and_then(|of| of.get_mut(key));
            if let Some(found) = found {
                *found = value.clone();
            }
            format!("{action}\n")
        });
        let changed: String = lines.collect();
        assert_ne!(changed, text, "nothing was changed");
        self.write(&version(number), changed);
    }
}

/// What is done to a log, and the file that is named for it.
struct Damage {
    what: &'static str,
    to: fn(&LogFolder),
    named: String,
    says: &'static str,
}

const CHECKPOINT: &str = "00000000000000000020.checkpoint.parquet";

fn damage(what: &'static str, named: String, says: &'static str, to: fn(&LogFolder)) -> Damage {
    Damage {
        what,
        to,
        named,
        says,
    }
}

fn missing_versions() -> [Damage; 5] {
    [
        damage("the first is gone", version(0), "is missing", |log| {
            log.remove(&version(0));
        }),
        damage(
            "one in the middle is gone",
            version(7),
            "is missing",
            |log| {
                log.remove(&version(7));
            },
        ),
        damage(
            "several are gone",
            version(3),
            "versions 3 to 5 of the Delta table are missing",
            |log| (3..6).for_each(|number| log.remove(&version(number))),
        ),
        damage("the newest is gone", version(22), "is missing", |log| {
            log.remove(&version(22));
        }),
        damage(
            "all is gone",
            version(0),
            "versions 0 to 22 of the Delta table are missing",
            |log| fs::remove_dir_all(&log.0).expect("it was there"),
        ),
    ]
}

fn damaged_versions() -> [Damage; 7] {
    const DIFFERS: &str = "is not that of commit";
    [
        damage("it is cut", version(4), DIFFERS, |log| {
            let text = log.read(&version(4));
            log.write(&version(4), &text[..text.len() / 2]);
        }),
        damage("it is empty", version(4), DIFFERS, |log| {
            log.write(&version(4), "");
        }),
        damage("another length of a file", version(5), DIFFERS, |log| {
            log.change(5, ("add", "size"), &json!(1));
        }),
        damage("another day of a file", version(5), DIFFERS, |log| {
            log.change(
                5,
                ("add", "partitionValues"),
                &json!({ "call_date": "2024-03-01" }),
            );
        }),
        damage("another number of rows", version(5), DIFFERS, |log| {
            log.change(5, ("add", "stats"), &json!(r#"{"numRecords":99}"#));
        }),
        damage("other live files", version(19), DIFFERS, |log| {
            log.change(
                19,
                ("remove", "path"),
                &json!("call_date=2024-03-11/other.parquet"),
            );
        }),
        damage("of another table", version(0), DIFFERS, |log| {
            let id = "ffffffff-ffff-8fff-afff-ffffffffffff";
            log.change(0, ("metaData", "id"), &json!(id));
        }),
    ]
}

fn others() -> [Damage; 6] {
    const CHECKPOINT_DAMAGED: &str = "this checkpoint is damaged";
    const NAMES_NONE: &str = "it names no checkpoint";
    [
        damage(
            "a version ahead of the log",
            version(23),
            "of commit 23, which there is not",
            |log| log.write(&version(23), "{\"commitInfo\":{}}\n"),
        ),
        damage(
            "a version far ahead, and none before it",
            version(400),
            "of commit 400, which there is not",
            |log| log.write(&version(400), "{\"commitInfo\":{}}\n"),
        ),
        damage(
            "a damaged checkpoint",
            CHECKPOINT.to_owned(),
            CHECKPOINT_DAMAGED,
            |log| log.write(CHECKPOINT, "PAR1"),
        ),
        damage(
            "a checkpoint of another table",
            CHECKPOINT.to_owned(),
            CHECKPOINT_DAMAGED,
            |log| {
                let other = log.0.join("../../redials/_delta_log").join(CHECKPOINT);
                fs::copy(other, log.path(CHECKPOINT)).expect("writable");
            },
        ),
        damage(
            "a checkpoint that is named and gone",
            "_last_checkpoint".to_owned(),
            NAMES_NONE,
            |log| log.remove(CHECKPOINT),
        ),
        damage(
            "what names it is damaged",
            "_last_checkpoint".to_owned(),
            NAMES_NONE,
            |log| log.write("_last_checkpoint", "{"),
        ),
    ]
}

/// Every version of every table is the state of its commit.
#[track_caller]
fn expect_versions(exporter: &Exporter, what: &str) {
    for commit in [5, 19, 22] {
        let states = listed(exporter, Some(commit));
        for table in TABLES {
            let delta = DeltaTable::read(&exporter.dest(), table, Some(commit));
            let delta = delta.expect("there is a version");
            assert_eq!((delta.version, delta.sequence), (commit, commit), "{what}");
            assert_eq!(delta.paths(), states[table], "{what}: {table} {commit}");
        }
    }
    expect_lake(exporter);
}

/// A copy of a lake.
fn copy(exporter: &Exporter, name: &str) -> Exporter {
    let from = exporter.dest();
    let copy = exporter.clone().lake(name);
    for file in below(&from) {
        let to = copy.dest().join(file.strip_prefix(&from).expect("below"));
        fs::create_dir_all(to.parent().expect("a folder")).expect("writable");
        fs::copy(&file, to).expect("writable");
    }
    copy
}

/// Each is named by `verify`, mended by `verify --repair`, and the lake continues.
fn expect_mended(damages: impl IntoIterator<Item = Damage>) {
    let folder = folder();
    let whole = begin(folder.path());
    whole.run(&["verify"]).done();
    for (n, damage) in damages.into_iter().enumerate() {
        let Damage {
            what,
            to,
            named,
            says,
        } = damage;
        let exporter = copy(&whole, &format!("copy-{n}"));
        to(&LogFolder(exporter.dest().join("calls/_delta_log")));
        let found = exporter.run(&["verify"]).with(65).stdout;
        let place = format!("delta_log  calls/_delta_log/{named}: ");
        let line = found.lines().find(|line| line.starts_with(&place));
        let line = line.unwrap_or_else(|| panic!("{what}: {found}"));
        assert!(
            line.contains(says) && line.contains("`verify --repair`"),
            "{line}"
        );
        assert_eq!(found.matches("delta_log  ").count(), 1, "{what}: {found}");
        let repaired = exporter.run(&["verify", "--repair"]).done().stdout;
        assert!(repaired.contains("repaired  "), "{what}: {repaired}");
        exporter.run(&["verify"]).done();
        expect_versions(&exporter, what);
        exporter.run(&["replay", "saved/task-1.json"]).done();
        expect_lake(&exporter);
        fs::remove_dir_all(exporter.dest()).expect("writable");
    }
}

#[test]
fn missing_versions_of_a_delta_log_are_named_and_written_again() {
    expect_mended(missing_versions());
}

#[test]
fn damaged_versions_of_a_delta_log_are_named_and_written_again() {
    expect_mended(damaged_versions());
}

#[test]
fn versions_ahead_and_damaged_checkpoints_are_named_and_put_right() {
    expect_mended(others());
}

#[test]
fn a_version_of_another_program_that_is_in_the_way_is_put_aside_by_the_repair() {
    let folder = folder();
    save_all(folder.path());
    let exporter = Exporter::new(folder.path()).job(PUBLISHED);
    exporter.run(&["replay", "saved/task-0.json"]).done();
    let other = exporter.dest().join("calls/_delta_log").join(version(2));
    fs::write(&other, "{\"commitInfo\":{}}\n").expect("writable");
    let refused = exporter.run(&["replay", "saved/task-1.json"]).with(65);
    refused.saying(&[&version(2), "`airudder-export verify --repair`"]);
    exporter.run(&["verify"]).with(65);
    exporter.run(&["verify", "--repair"]).done();
    let aside = below(&exporter.dest().join("_export/quarantine"));
    assert_eq!(aside.len(), 1, "{aside:?}");
    let text = fs::read_to_string(&aside[0]).expect("readable");
    assert_eq!(text, "{\"commitInfo\":{}}\n");
    expect_lake(&exporter);
    exporter.run(&["verify"]).done();
    exporter.run(&["replay", "saved/task-2.json"]).done();
    expect_lake(&exporter);
}

#[test]
fn a_repair_of_a_delta_log_that_is_killed_is_finished_by_the_next() {
    let folder = folder();
    save_all(folder.path());
    let exporter = Exporter::new(folder.path()).job(PUBLISHED);
    for name in ["task-0", "task-1", "task-2"] {
        exporter
            .run(&["replay", &format!("saved/{name}.json")])
            .done();
    }
    for point in [
        "repair.file_moved",
        "repair.file_moved@2",
        "delta.version_written",
    ] {
        let log = LogFolder(exporter.dest().join("calls/_delta_log"));
        for number in 1..=2 {
            log.write(&version(number), "{");
        }
        let killed = exporter.dying_at(point).run(&["verify", "--repair"]);
        assert_eq!(killed.code, None, "{point}: {}", killed.stderr);
        exporter.run(&["verify"]).with(65);
        exporter.run(&["verify", "--repair"]).done();
        exporter.run(&["verify"]).done();
        expect_lake(&exporter);
    }
}

/// What `verify` says, and what is done to `_export/delta.json`.
type NamedDamage = (&'static str, fn(&Path));

#[test]
fn delta_logs_of_no_lake_or_of_another_log_are_named_and_removed() {
    let folder = folder();
    save_all(folder.path());
    let whole = Exporter::new(folder.path()).job(PUBLISHED);
    for name in ["task-0", "task-1"] {
        whole.run(&["replay", &format!("saved/{name}.json")]).done();
    }
    let damages: [NamedDamage; 2] = [
        ("delta_log  calls/_delta_log: ", |state| {
            fs::remove_file(state).expect("it was there");
        }),
        ("delta_log  _export/delta.json: ", |state| {
            let text = fs::read_to_string(state).expect("it is there");
            let changed = text.replace("\"since\":0", "\"since\":9");
            assert_ne!(changed, text);
            fs::write(state, changed).expect("writable");
        }),
    ];
    for (n, (line, damage)) in damages.into_iter().enumerate() {
        let exporter = copy(&whole, &format!("copy-{n}"));
        damage(&exporter.dest().join("_export/delta.json"));
        let found = exporter.run(&["verify"]).with(65).stdout;
        assert!(
            found.contains(line) && found.contains("`verify --repair`"),
            "{found}"
        );
        // Without the setting no new one begins.
        let plain = exporter.clone().job("");
        plain.run(&["verify", "--repair"]).done();
        for table in TABLES {
            assert!(!exporter.dest().join(table).join("_delta_log").exists());
        }
        exporter.run(&["verify"]).done();
        exporter.run(&["replay", "saved/task-2.json"]).done();
        expect_lake(&exporter);
        exporter.run(&["verify"]).done();
    }
    let exporter = copy(&whole, "damaged");
    fs::write(exporter.dest().join("_export/delta.json"), "{").expect("writable");
    let found = exporter.run(&["verify"]).with(65);
    found.saying(&["_export/delta.json", "publish.delta.enabled = false"]);
    let ended = exporter.clone().job("[publish.delta]\nenabled = false\n");
    ended.run(&["compact"]).done();
    exporter.run(&["replay", "saved/task-2.json"]).done();
    expect_lake(&exporter);
}

#[test]
fn verify_beside_a_writer_finds_nothing_wrong_with_versions_on_their_way() {
    let folder = folder();
    save_all(folder.path());
    let plain = Exporter::new(folder.path());
    plain.run(&["replay", "saved/task-0.json"]).done();
    let exporter = plain.job(PUBLISHED);
    let points = [
        "hold:delta.begun",
        "hold:delta.version_written",
        "hold:delta.version_written@3",
    ];
    for point in points {
        let mut running = exporter
            .dying_at(point)
            .start(&["replay", "saved/task-1.json"]);
        assert!(running.is_held(), "{point}");
        exporter.run(&["verify"]).done();
        running.signal("KILL");
        running.wait();
        exporter.run(&["replay", "saved/task-1.json"]).done();
        exporter.run(&["verify"]).done();
        expect_lake(&exporter);
        let end = exporter.clone().job("[publish.delta]\nenabled = false\n");
        end.run(&["compact"]).done();
        let name = point.replace([':', '.', '@'], "-");
        save(folder.path(), &name, 12, "old");
        exporter
            .clone()
            .job("")
            .run(&["replay", &format!("saved/{name}.json")])
            .done();
    }
    // In a commit.
    exporter.run(&["compact"]).done();
    for (point, task) in [
        ("hold:delta.version_written@2", "saved/task-3.json"),
        ("hold:day.written", "saved/task-4.json"),
    ] {
        let commit = ["replay", task];
        let mut running = exporter.dying_at(point).start(&commit);
        assert!(running.is_held(), "{point}");
        exporter.run(&["verify"]).done();
        running.signal("KILL");
        running.wait();
        exporter.run(&commit).done();
    }
    exporter.run(&["verify"]).done();
    expect_lake(&exporter);
}
