//! The kill matrix: for every point of the commit protocol and every kind of commit, kill -9 there,
//! start again, and the lake equals the undisturbed one row for row; meanwhile two readers look.
//!
//! `docs/kill-matrix.md` is the matrix; the tests here read it and hold it to the code.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::sync::Arc;

use airudder_export::parts::Failpoint;

use crate::harness::bucket::Bucket;
use crate::harness::lake::below;
use crate::harness::scripted::answer;
use crate::harness::servers::{Kind, Server};
use crate::harness::shelf::{Folder, Shelf, State, commits};
use crate::harness::watch::{Watched, counts};
use crate::harness::{Exporter, folder, project, skip};

/// What becomes of a commit that was killed at a point.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Outcome {
    /// Nothing of it happened; the next start removes what was staged.
    Undone,
    /// All of it happened; the next start publishes it.
    Finished,
    /// This kind of commit does not come there.
    NotPassed,
}

/// A kind of commit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Operation {
    Append,
    Replace,
    Compact,
}

impl Operation {
    /// The column of the matrix.
    fn name(self) -> &'static str {
        match self {
            Self::Append => "append",
            Self::Replace => "replace",
            Self::Compact => "compact",
        }
    }

    /// The command that makes such a commit on the lake that [`begin`] makes.
    fn command(self) -> &'static [&'static str] {
        match self {
            Self::Append => &["replay", "more"],
            Self::Replace => &["replay", "changed", "--replace"],
            Self::Compact => &["compact"],
        }
    }
}

/// Where lakes are.
trait Place {
    /// An exporter on a lake of its own and a look into it.
    fn lake(&self, exporter: &Exporter, name: &str) -> (Exporter, Arc<dyn Shelf>);

    /// The same, and the lake is as [`begin`] makes it. `model` was made so in this place.
    fn begun(&self, model: &Exporter, name: &str) -> (Exporter, Arc<dyn Shelf>) {
        let (exporter, shelf) = self.lake(model, name);
        begin(&exporter);
        (exporter, shelf)
    }
}

struct LocalDisk;

impl Place for LocalDisk {
    fn lake(&self, exporter: &Exporter, name: &str) -> (Exporter, Arc<dyn Shelf>) {
        let exporter = exporter.clone().lake(name);
        let shelf = Arc::new(Folder(exporter.dest()));
        (exporter, shelf)
    }

    fn begun(&self, model: &Exporter, name: &str) -> (Exporter, Arc<dyn Shelf>) {
        let (exporter, shelf) = self.lake(model, name);
        for file in below(&model.dest()) {
            let copy = file.strip_prefix(model.dest()).expect("below it");
            let copy = exporter.dest().join(copy);
            fs::create_dir_all(copy.parent().expect("it has a folder")).expect("writable");
            fs::copy(file, copy).expect("writable");
        }
        (exporter, shelf)
    }
}

/// Settings with which a killed run counts as dead at once.
const IMPATIENT: &str = "[store]\ndead_after = \"1ms\"\nretry_time = \"10s\"\n";

struct S3(Arc<Server>);

impl Place for S3 {
    fn lake(&self, exporter: &Exporter, name: &str) -> (Exporter, Arc<dyn Shelf>) {
        let name = format!("{name}-{:016x}", fastrand::u64(..));
        let bucket = Bucket::new(Arc::clone(&self.0), &name);
        let exporter = bucket.exporter(exporter).job(IMPATIENT);
        (exporter, Arc::new(bucket))
    }
}

/// Saved answers for all operations.
fn save_answers(folder: &Path) {
    let write = |path: &str, task: &str, version: &str| {
        let hour = if task < "task-3" { "11T08" } else { "12T09" };
        let call = |id: u32| {
            format!(
                r#"{{"id":{id},"CallID":"{version}-{id}","CallStartTime":"2024-03-{hour}:00:0{id}Z","RedailCall":[{{"CallID":"r"}}],"AsrResult":[{{"time":"00:00:01","text":"x"}}]}}"#
            )
        };
        let detail = format!("[{},{}]", call(1), call(2));
        let path = folder.join(path);
        fs::create_dir_all(&path).expect("writable");
        fs::write(path.join(format!("{task}.json")), answer(task, &detail)).expect("writable");
    };
    for n in 0..6 {
        write("base", &format!("task-{n}"), "old");
        write("more", &format!("task-{}", n + 6), "old");
    }
    for n in [1, 4] {
        write("changed", &format!("task-{n}"), "new");
    }
}

/// The lake before the operation: two commits, files of several tasks.
fn begin(exporter: &Exporter) {
    let first = [
        "replay",
        "base/task-0.json",
        "base/task-1.json",
        "base/task-3.json",
    ];
    exporter.run(&first).done();
    exporter.run(&["replay", "base"]).done();
}

fn state(exporter: &Exporter, shelf: &Arc<dyn Shelf>) -> State {
    Watched::new(Arc::clone(shelf), exporter.clone(), Vec::new()).state()
}

/// Kills an operation at every point in a place, with the command that came before if any, and holds
/// what happens to the column of the matrix.
fn killed_everywhere(operation: Operation, place: &dyn Place) {
    killed_at(Failpoint::ALL, operation, place);
}

/// The same at some points.
fn killed_at(points: &[Failpoint], operation: Operation, place: &dyn Place) {
    let folder = folder();
    save_answers(folder.path());
    let exporter = Exporter::new(folder.path());
    let (model, _) = place.lake(&exporter, "model");
    begin(&model);
    let (undisturbed, shelf) = place.begun(&model, "undisturbed");
    let before = state(&undisturbed, &shelf);
    undisturbed.run(operation.command()).done();
    let after = state(&undisturbed, &shelf);
    // A compaction changes the files and no row.
    assert_eq!(before == after, operation == Operation::Compact);
    let mut matrix = matrix(operation.name());
    for point in points.iter().map(|point| point.as_str()) {
        let outcome = matrix.remove(point);
        let outcome = outcome.unwrap_or_else(|| panic!("docs/kill-matrix.md has no row `{point}`"));
        let (exporter, shelf) = place.begun(&model, point);
        let mut states = vec![before.clone(), after.clone()];
        states.dedup();
        let watched = Watched::new(Arc::clone(&shelf), exporter.clone(), states);
        if point.starts_with("recover.") {
            // There must be something to recover: on an object store what was sent.
            let ended = exporter
                .dying_at("commit.staging_synced")
                .run(operation.command());
            assert_eq!(ended.code, None, "{}", ended.stderr);
        }
        let known = changes(&shelf);
        let found = watched.during(|| {
            let mut running = exporter
                .dying_at(&format!("hold:{point}"))
                .start(operation.command());
            if !running.is_held() {
                running.wait().done();
                return Outcome::NotPassed;
            }
            watched.look_at_folders();
            watched.look_at_files();
            running.signal("KILL");
            assert_eq!(running.wait().code, None);
            match changes(&shelf) - known {
                0 => Outcome::Undone,
                _ => Outcome::Finished,
            }
        });
        assert_eq!(found, outcome, "{} killed at {point}", operation.name());
        watched.during(|| exporter.run(operation.command()).done());
        let lake = watched.state();
        assert!(
            lake == after,
            "{} killed at {point}: {:?}, undisturbed {:?}",
            operation.name(),
            counts(&lake),
            counts(&after)
        );
        exporter.run(&["verify"]).done();
        let staged = shelf.list("_export/staging");
        assert!(staged.is_empty(), "killed at {point} it left {staged:?}");
    }
    if points.len() == Failpoint::ALL.len() {
        assert!(matrix.is_empty(), "no point is named {matrix:?}");
    }
}

/// How many commits changed rows or files. That a run is dead is a commit, too, on an object store.
fn changes(shelf: &Arc<dyn Shelf>) -> usize {
    let commits = commits(&**shelf).into_iter();
    commits
        .filter(|commit| commit["changes"]["kind"] != "observe")
        .count()
}

#[test]
fn an_append_killed_at_any_point_on_a_local_disk() {
    killed_everywhere(Operation::Append, &LocalDisk);
}

#[test]
fn a_replace_killed_at_any_point_on_a_local_disk() {
    killed_everywhere(Operation::Replace, &LocalDisk);
}

#[test]
fn a_compaction_killed_at_any_point_on_a_local_disk() {
    killed_everywhere(Operation::Compact, &LocalDisk);
}

#[test]
#[ignore = "needs object stores from PyPI: just test-all"]
fn kills_at_the_points_that_are_others_on_s3() {
    let points = [
        Failpoint::CommitStagingSynced,
        Failpoint::PublishFileMoved,
        Failpoint::RecoverFileRemoved,
    ];
    on_s3(|s3| killed_at(&points, Operation::Replace, s3));
}

fn on_s3(test: impl FnOnce(&S3)) {
    match Server::of(Kind::SeaweedFs) {
        Ok(server) => test(&S3(server)),
        Err(why) => skip(&why),
    }
}

#[test]
fn a_vacuum_and_a_repair_killed_in_the_middle_are_done_again() {
    let folder = folder();
    save_answers(folder.path());
    let exporter = Exporter::new(folder.path());
    let (exporter, shelf) = LocalDisk.lake(&exporter, "lake");
    begin(&exporter);
    let expected = state(&exporter, &shelf);
    let commands: [(&str, &[&str]); 2] = [
        (
            "vacuum.file_removed",
            &["vacuum", "--unknown", "--older-than", "0s"],
        ),
        ("repair.file_moved", &["verify", "--repair"]),
    ];
    for (point, command) in commands {
        let data = shelf.list("calls").remove(0);
        let data = exporter.dest().join(data);
        let strays = ["one", "two"].map(|name| data.with_file_name(format!("{name}.parquet")));
        for stray in &strays {
            fs::copy(&data, stray).expect("writable");
        }
        let ended = exporter.dying_at(point).run(command);
        assert_eq!(ended.code, None, "{point}: {}", ended.stderr);
        let left = strays.iter().filter(|stray| stray.exists()).count();
        assert_eq!(left, 1, "{point}");
        exporter.run(command).done();
        assert!(!strays.iter().any(|stray| stray.exists()), "{point}");
        assert!(state(&exporter, &shelf) == expected, "{point}");
        exporter.run(&["verify"]).done();
    }
}

fn document() -> String {
    fs::read_to_string(project("docs/kill-matrix.md")).expect("docs/kill-matrix.md is there")
}

/// The lines of the table with this first heading, by heading.
fn table(first: &str) -> Vec<BTreeMap<String, String>> {
    let text = document();
    let cells = |line: &str| -> Vec<String> {
        let line = line.trim().trim_matches('|');
        line.split('|')
            .map(|cell| cell.trim().trim_matches('`').to_owned())
            .collect()
    };
    let mut lines = text
        .lines()
        .skip_while(|line| !line.starts_with(&format!("| {first} |")));
    let headings = cells(lines.next().expect("the table is there"));
    let body = lines.skip(1).take_while(|line| line.starts_with('|'));
    body.map(|line| headings.iter().cloned().zip(cells(line)).collect())
        .collect()
}

/// One column of the matrix.
fn matrix(column: &str) -> BTreeMap<String, Outcome> {
    let outcome = |line: &BTreeMap<String, String>| match line[column].as_str() {
        "undone" => Outcome::Undone,
        "finished" => Outcome::Finished,
        "not passed" => Outcome::NotPassed,
        other => panic!("`{other}` is no outcome"),
    };
    table("point")
        .iter()
        .map(|line| (line["point"].clone(), outcome(line)))
        .collect()
}

#[test]
fn every_point_of_the_protocol_is_in_the_matrix_in_its_order() {
    let lines = table("point");
    let found: Vec<&str> = lines.iter().map(|line| line["point"].as_str()).collect();
    let points: Vec<&str> = Failpoint::ALL.iter().map(|point| point.as_str()).collect();
    assert_eq!(found, points);
}

#[test]
fn every_test_that_the_matrix_names_is_there() {
    let mut sources = String::new();
    for file in crate::harness::lake::below(&project("tests/it")) {
        sources.push_str(&fs::read_to_string(file).unwrap_or_default());
    }
    for file in crate::harness::lake::below(&project("src/lake/tests")) {
        sources.push_str(&fs::read_to_string(file).unwrap_or_default());
    }
    for first in ["killed", "fault"] {
        let lines = table(first);
        assert!(!lines.is_empty());
        for line in lines {
            for name in line["test"].split("`, `") {
                assert!(
                    sources.contains(&format!("fn {name}(")),
                    "there is no test {name}"
                );
            }
        }
    }
}

/// `cargo test --test it -- --ignored slow::`.
mod slow {
    use super::{Operation, killed_everywhere, on_s3};

    #[test]
    #[ignore = "takes minutes, and needs object stores from PyPI: just test-slow"]
    fn an_append_killed_at_any_point_on_s3() {
        on_s3(|s3| killed_everywhere(Operation::Append, s3));
    }

    #[test]
    #[ignore = "takes minutes, and needs object stores from PyPI: just test-slow"]
    fn a_replace_killed_at_any_point_on_s3() {
        on_s3(|s3| killed_everywhere(Operation::Replace, s3));
    }

    #[test]
    #[ignore = "takes minutes, and needs object stores from PyPI: just test-slow"]
    fn a_compaction_killed_at_any_point_on_s3() {
        on_s3(|s3| killed_everywhere(Operation::Compact, s3));
    }
}
