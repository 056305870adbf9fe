//! Lakes that earlier builds wrote, as they lie in `tests/fixtures/lakes/`: this build reads, extends,
//! replaces, compacts and verifies them, and their rows stay as they were written.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use rstest::rstest;

use crate::harness::lake::{Content, TABLES, assert_same, below};
use crate::harness::scripted::{Reply, Scripted, answer};
use crate::harness::vendor::past_days;
use crate::harness::{Exporter, LakeView, NOW, Vendor, folder, project};
use crate::trouble::{WEEK, undisturbed};

/// What `verify` of the build that wrote a fixture said of it.
const VERIFIED: &str = "read 4 files, 125 rows, 23.8 KiB of 3 tasks, as of commit 9";

/// Copies a lake.
pub(crate) fn copy(from: &Path, to: &Path) {
    for file in below(from) {
        let copied = to.join(file.strip_prefix(from).expect("below it"));
        fs::create_dir_all(copied.parent().expect("a folder")).expect("writable");
        fs::copy(&file, copied).expect("writable");
    }
}

fn tasks(content: &Content) -> BTreeSet<String> {
    let tasks = content["tasks"].iter();
    tasks.map(|row| row["task_id"].to_string()).collect()
}

/// Rows of both, in the order of their keys.
fn joined(one: &Content, other: &Content) -> Content {
    TABLES
        .map(|table| {
            let mut rows = [&one[table][..], &other[table][..]].concat();
            rows.sort_by_cached_key(crate::harness::Row::key);
            (table, rows)
        })
        .into()
}

#[rstest]
fn this_build_carries_on_a_lake_of_an_older_one(
    #[values("format-1", "format-2", "format-3")] format: &str,
) {
    let folder = folder();
    let fixture = project("tests/fixtures/lakes").join(format);
    let exporter = Exporter::new(folder.path());
    copy(&fixture.join("lake"), &exporter.dest());
    let lake = LakeView::new(exporter.dest());
    let version: u64 = format
        .rsplit('-')
        .next()
        .and_then(|n| n.parse().ok())
        .expect("a number");
    for record in lake.commits() {
        assert_eq!(record["format_version"], version);
    }

    // Read: the same files, with the same rows.
    let written = lake.content();
    let old = tasks(&written);
    assert_eq!(old.len(), 3);
    let verified = exporter.run(&["verify"]);
    // Day files of version 1 have neither revision nor marker, until the next commit of the day.
    let verified = verified.with(if version == 1 { 65 } else { 0 }).stdout;
    let mut lines = verified.lines();
    assert!(
        lines.next().is_some_and(|line| line.starts_with(VERIFIED)),
        "{verified}"
    );
    let end = lines.next_back().expect("a sum");
    assert_eq!(end == "2 findings", version == 1, "{verified}");
    assert!(
        lines.all(|line| line.starts_with("day_stale  ")),
        "{verified}"
    );
    let files = || {
        let listed = exporter.run(&["files"]).done().stdout;
        let root = format!("{}/", lake.root().display());
        listed.replace(&root, "")
    };
    assert_eq!(
        files(),
        fs::read_to_string(fixture.join("files")).expect("it is there")
    );
    let status = exporter.run(&["status"]).done().stdout;
    let mut days = status.lines().map(|line| line.split_whitespace());
    assert!(days.any(|mut words| words.next() == Some("2024-03-11") && words.next() == Some("3")));

    // What the older build has sealed is not pulled again: no detail of this account can be had.
    let gone = old.iter().map(|id| (id.as_str(), Reply::status(404, "")));
    let account = Scripted::account(gone.collect());
    let night = exporter.clone().against(account.url()).at(NOW);
    night.run(&WEEK).done();
    let pulled = |path: &str| path.ends_with("/taskdetail");
    assert!(account.seen().iter().all(|request| !pulled(&request.path)));
    assert_same(&lake.content(), &written);

    // Extended, on the same day and the next.
    let week = past_days(2, 3, 4);
    let vendor = Vendor::start(week.clone());
    exporter
        .clone()
        .against(vendor.url())
        .at(NOW)
        .run(&WEEK)
        .done();
    let added = undisturbed(&week);
    assert!(tasks(&added).is_disjoint(&old));
    assert_same(&lake.content(), &joined(&written, &added));
    exporter.run(&["verify"]).done();

    // One of the older build's tasks is replaced; the rows of the others stay.
    let replaced = old.first().expect("three tasks");
    let call = r#"[{"id":1,"CallID":"new","CallStartTime":"2024-03-11T08:00:00Z"}]"#;
    fs::write(folder.path().join("new.json"), answer(replaced, call)).expect("writable");
    exporter
        .run(&["replay", "new.json", "--replace", "--allow-fewer"])
        .done();
    let alone = exporter.clone().lake("alone");
    alone.run(&["replay", "new.json"]).done();
    let mut kept = written;
    for rows in kept.values_mut() {
        rows.retain(|row| row["task_id"].text() != Some(replaced));
    }
    let kept = joined(&kept, &LakeView::new(alone.dest()).content());
    let expected = joined(&kept, &added);
    assert_same(&lake.content(), &expected);
    exporter.run(&["verify"]).done();

    // Compacted: fewer files, the same rows.
    let count = || files().lines().count();
    let before = count();
    exporter.run(&["compact"]).done();
    assert!(count() < before, "{before} files before");
    assert_same(&lake.content(), &expected);
    exporter.run(&["vacuum", "--older-than", "0s"]).done();
    exporter.run(&["verify"]).done();
    let mut listed: Vec<String> = files().lines().map(str::to_owned).collect();
    let mut live: Vec<String> = lake.live_files().into_values().flatten().collect();
    listed.sort();
    live.sort();
    assert_eq!(listed, live);
}
