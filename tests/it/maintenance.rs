//! `vacuum` and `verify --repair`: what is left over goes, what went wrong is put right, and no row is
//! touched.

use std::fs;

use serde_json::Value;

use crate::harness::lake::{assert_same, below};
use crate::harness::scripted::answer;
use crate::harness::vendor::past_days;
use crate::harness::{Exporter, LakeView, NOW, Vendor, folder};
use crate::trouble::WEEK;

fn exported() -> (tempfile::TempDir, Exporter, LakeView) {
    let (folder, vendor) = (folder(), Vendor::start(past_days(2, 4, 6)));
    let exporter = Exporter::new(folder.path()).against(vendor.url()).at(NOW);
    exporter.run(&WEEK).done();
    let lake = LakeView::new(exporter.dest());
    (folder, exporter, lake)
}

/// Puts a copy of a data file beside it.
fn stray(lake: &LakeView) -> std::path::PathBuf {
    let path = lake.root().join(&lake.live_files()["calls"][0]);
    let stray = path.with_file_name("stray.parquet");
    fs::copy(path, &stray).expect("writable");
    stray
}

fn paths(json: &Value, list: &str, key: &str) -> Vec<String> {
    let items = json[list].as_array().expect("a list").iter();
    items
        .map(|item| item[key].as_str().expect("a text").to_owned())
        .collect()
}

#[test]
fn vacuum_removes_strays_that_are_old_enough() {
    let (_folder, exporter, lake) = exported();
    let content = lake.content();
    let stray = stray(&lake);
    let left = exporter.run(&["vacuum", "--older-than", "0s"]).done();
    assert!(
        left.stdout.contains("1 file that no commit knows, left"),
        "{}",
        left.stdout
    );
    assert!(stray.exists());
    let young = exporter.run(&["vacuum", "--unknown"]).done();
    assert!(
        young.stdout.contains("1 stray file too young yet"),
        "{}",
        young.stdout
    );
    let dry = [
        "vacuum",
        "--unknown",
        "--older-than",
        "0s",
        "--dry-run",
        "--format",
        "json",
    ];
    let planned = exporter.run(&dry).done().json();
    assert!(stray.exists());
    let now = [
        "vacuum",
        "--unknown",
        "--older-than",
        "0s",
        "--format",
        "json",
    ];
    let done = exporter.run(&now);
    let done = done.done().json();
    assert_eq!(planned["items"], done["items"]);
    let found = paths(&done, "items", "path");
    assert_eq!(found.len(), 1);
    assert!(found[0].ends_with("/stray.parquet"), "{}", found[0]);
    assert!(!stray.exists());
    assert_same(&lake.content(), &content);
    exporter.run(&["verify"]).done();
    let again = exporter.run(&["vacuum", "--older-than", "0s"]).done();
    assert!(
        again.stdout.contains("nothing was removed"),
        "{}",
        again.stdout
    );
}

#[test]
fn vacuum_keeps_reports_unless_asked() {
    let (_folder, exporter, lake) = exported();
    let reports = lake.root().join("_export/runs");
    exporter.run(&["vacuum", "--older-than", "0s"]).done();
    assert_eq!(fs::read_dir(&reports).expect("there").count(), 1);
    exporter
        .run(&["vacuum", "--reports-older-than", "0s"])
        .done();
    assert_eq!(fs::read_dir(&reports).expect("there").count(), 0);
    exporter.run(&["verify"]).done();
    exporter.run(&["vacuum", "--older-than", "soon"]).with(64);
}

#[test]
fn repair_puts_right_what_can_be_and_says_what_is_left() {
    let (_folder, exporter, lake) = exported();
    let content = lake.content();
    let stray = stray(&lake);
    fs::write(lake.root().join("_export/published.json"), "{").expect("writable");
    fs::remove_file(lake.root().join("_export/days/2024-03-11.json")).expect("there");
    exporter.run(&["verify"]).with(65);
    let done = exporter
        .run(&["verify", "--repair", "--format", "json"])
        .done()
        .json();
    assert_eq!(done["findings"], Value::Array(Vec::new()));
    let places = paths(&done, "repaired", "place");
    assert!(
        places.iter().any(|place| place.ends_with("/stray.parquet")),
        "{places:?}"
    );
    assert!(!stray.exists());
    assert_same(&lake.content(), &content);
    exporter.run(&["verify"]).done();
    let again = exporter.run(&["verify", "--repair"]).done();
    assert!(
        again.stdout.contains("nothing to repair"),
        "{}",
        again.stdout
    );

    let lost = lake.root().join(&lake.live_files()["tasks"][0]);
    fs::rename(&lost, lake.root().join("kept-elsewhere")).expect("writable");
    let left = exporter.run(&["verify", "--repair"]).with(65);
    assert!(left.stdout.contains("file_missing"), "{}", left.stdout);
}

#[test]
fn a_place_without_a_lake_stays_as_it_is() {
    let folder = folder();
    let exporter = Exporter::new(folder.path());
    exporter.run(&["vacuum"]).with(74);
    exporter.run(&["vacuum", "--dry-run"]).with(74);
    exporter
        .run(&["verify", "--repair"])
        .with(74)
        .saying(&["failed to find a lake", "--dest"]);
    assert!(!exporter.dest().exists());
}

#[test]
fn vacuum_removes_nothing_while_a_file_of_the_lake_is_missing() {
    for renamed in ["calls/call_date=2024-03-11.bak", "calls/old"] {
        let (_folder, exporter, lake) = exported();
        let content = lake.content();
        let partition = lake.root().join("calls/call_date=2024-03-11");
        fs::rename(&partition, lake.root().join(renamed)).expect("writable");
        let args = ["vacuum", "--unknown", "--older-than", "0s"];
        exporter.run(&[&args[..], &["--dry-run"]].concat()).with(65);
        exporter.run(&args).with(65).saying(&["nothing is removed"]);
        exporter.run(&["verify", "--repair"]).done();
        assert_same(&lake.content(), &content);
        exporter.run(&args).done();
        assert_same(&lake.content(), &content);
    }
}

#[test]
fn a_lake_whose_log_was_lost_is_not_begun_anew() {
    let (folder, exporter, lake) = exported();
    fs::remove_dir_all(lake.root().join("_export")).expect("writable");
    let before = below(lake.root());
    let saved = folder.path().join("saved.json");
    fs::write(&saved, answer("t", "[{}]")).expect("writable");
    let saved = saved.to_str().expect("Unicode");
    for command in [
        &["replay", saved][..],
        &["run"],
        &["files"],
        &["status"],
        &["vacuum", "--unknown", "--older-than", "0s"],
    ] {
        exporter
            .run(command)
            .with(65)
            .saying(&["there is no commit log"]);
    }
    assert_eq!(below(lake.root()), before);
}
