//! `_export/complete/DATE`: there exactly while the day is complete, whoever is killed. The nights of
//! `nights.rs` look at it, too, wherever they look at a day.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use serde_json::Value;

use crate::harness::bucket::Bucket;
use crate::harness::servers::{Kind, Server};
use crate::harness::shelf::{Folder, Shelf};
use crate::harness::vendor::past_days;
use crate::harness::{Exporter, Vendor, folder, skip};

const BACKFILL: [&str; 5] = ["backfill", "--from", "2024-03-11", "--to", "2024-03-13"];

fn names(shelf: &dyn Shelf, folder: &str) -> Vec<String> {
    let name = |path: String| path.rsplit('/').next().unwrap_or_default().to_owned();
    shelf.list(folder).into_iter().map(name).collect()
}

/// The days that have a marker, and those whose day file says that they are complete.
fn days(shelf: &dyn Shelf) -> [BTreeSet<String>; 2] {
    let marked = names(shelf, "_export/complete").into_iter().collect();
    let complete = names(shelf, "_export/days").into_iter().filter_map(|name| {
        let bytes = shelf
            .get(&format!("_export/days/{name}"))
            .expect("it was listed");
        let day: Value = serde_json::from_slice(&bytes).expect("JSON");
        (day["complete"] == true).then(|| name.trim_end_matches(".json").to_owned())
    });
    [marked, complete.collect()]
}

#[track_caller]
fn expect_exact(shelf: &dyn Shelf) {
    let [marked, complete] = days(shelf);
    assert_eq!(marked, complete);
    assert!(marked.contains("2024-03-12"), "{marked:?}");
}

#[test]
fn complete_days_have_a_marker_and_others_have_none() {
    let folder = folder();
    let vendor = Vendor::start(past_days(3, 2, 3));
    let exporter = Exporter::new(folder.path()).against(vendor.url());
    exporter.run(&BACKFILL).done();
    expect_exact(&Folder(exporter.dest()));
    exporter.run(&["verify"]).done();
}

#[test]
fn a_marker_whose_writer_is_killed_is_put_right_by_the_next_start() {
    let folder = folder();
    let vendor = Vendor::start(past_days(3, 2, 3));
    let exporter = Exporter::new(folder.path()).against(vendor.url());
    let points = [
        "day.written@1",
        "day.marked@1",
        "day.marked@2",
        "day.synced",
        "marker.moved",
    ];
    for (index, point) in points.into_iter().enumerate() {
        let exporter = exporter.clone().lake(&format!("lake-{index}"));
        let killed = exporter.dying_at(point).run(&BACKFILL);
        assert_eq!(killed.code, None, "{point}: {}", killed.stderr);
        exporter.run(&BACKFILL).done();
        expect_exact(&Folder(exporter.dest()));
        exporter.run(&["verify"]).done();
    }
}

#[test]
fn a_wrong_marker_is_found_and_put_right() {
    let folder = folder();
    let vendor = Vendor::start(past_days(3, 2, 3));
    let exporter = Exporter::new(folder.path()).against(vendor.url());
    exporter.run(&BACKFILL).done();
    let markers = exporter.dest().join("_export/complete");
    let mends: [&[&str]; 3] = [&["vacuum"], &["verify", "--repair"], &BACKFILL];
    for mend in mends {
        fs::remove_file(markers.join("2024-03-12")).expect("it was there");
        fs::write(markers.join("2024-04-01"), "complete\n").expect("writable");
        let found = exporter.run(&["verify"]).with(65);
        let lines = [
            "day_stale  _export/complete/2024-03-12",
            "day_stale  _export/complete/2024-04-01",
        ];
        for line in lines {
            assert!(found.stdout.contains(line), "{}", found.stdout);
        }
        exporter.run(mend).done();
        expect_exact(&Folder(exporter.dest()));
        exporter.run(&["verify"]).done();
    }
    // A lake of an earlier version has none.
    fs::remove_dir_all(&markers).expect("it was there");
    exporter.run(&["vacuum"]).done();
    expect_exact(&Folder(exporter.dest()));
}

#[test]
#[ignore = "needs object stores from PyPI: just test-all"]
fn markers_are_exact_on_s3() {
    let server = match Server::of(Kind::SeaweedFs) {
        Ok(server) => server,
        Err(why) => return skip(&why),
    };
    let folder = folder();
    let vendor = Vendor::start(past_days(3, 2, 3));
    let bucket = Bucket::new(server, &format!("markers-{:016x}", fastrand::u64(..)));
    let settings = "[api]\nrate = \"2000/s\"\nburst = 100\n[store]\ndead_after = \"1ms\"\n";
    let exporter = Exporter::new(Path::new(folder.path())).against(vendor.url());
    let exporter = bucket.exporter(&exporter).job(settings);
    let killed = exporter.dying_at("day.marked").run(&BACKFILL);
    assert_eq!(killed.code, None, "{}", killed.stderr);
    exporter.run(&BACKFILL).done();
    expect_exact(&bucket);
    exporter.run(&["verify"]).done();
    bucket.put("_export/complete/2024-04-01", b"complete\n");
    exporter.run(&["verify"]).with(65);
    exporter.run(&["vacuum"]).done();
    expect_exact(&bucket);
}
