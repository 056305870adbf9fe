//! The same work twice, or in another order: the same lake.

use std::time::Duration;

use airudder_export::sandbox::SandboxOptions;

use crate::harness::lake::assert_same;
use crate::harness::vendor::past_days;
use crate::harness::{Exporter, LakeView, NOW, Vendor, folder};

const WEEK: [&str; 5] = ["backfill", "--from", "2024-03-11", "--to", "2024-03-17"];

#[test]
fn the_same_backfill_twice_pulls_nothing_and_leaves_every_byte() {
    let (folder, vendor) = (folder(), Vendor::start(past_days(3, 8, 12)));
    let exporter = Exporter::new(folder.path()).against(vendor.url()).at(NOW);
    exporter.run(&WEEK).done();
    let lake = LakeView::new(exporter.dest());
    let (before, asked) = (lake.tree(), vendor.stats());
    assert_eq!(asked.details.len(), 24);

    exporter.run(&WEEK).done();
    assert_eq!(
        vendor.stats().details,
        asked.details,
        "tasks were pulled again"
    );
    let after = lake.tree();
    let names = |tree: &std::collections::BTreeMap<String, Vec<u8>>| {
        tree.keys().cloned().collect::<Vec<_>>()
    };
    assert_eq!(names(&after), names(&before));
    assert!(after == before, "a file has another content");
}

#[test]
fn a_run_after_a_backfill_pulls_nothing_that_is_there() {
    let (folder, vendor) = (folder(), Vendor::start(past_days(2, 5, 5)));
    let exporter = Exporter::new(folder.path()).against(vendor.url()).at(NOW);
    exporter.run(&WEEK).done();
    exporter.run(&["run"]).done();
    exporter.run(&["run"]).done();
    assert!(vendor.stats().details.values().all(|times| *times == 1));
    exporter.run(&["verify"]).done();
}

#[test]
fn one_at_a_time_or_sixteen_the_rows_are_the_same() {
    let vendor = Vendor::start(past_days(2, 12, 20));
    let folder = folder();
    let lakes = ["1", "16"].map(|concurrency| {
        let exporter = Exporter::new(folder.path())
            .lake(concurrency)
            .set("AIRUDDER_CONCURRENCY", concurrency)
            .against(vendor.url())
            .at(NOW);
        exporter.run(&WEEK).done();
        LakeView::new(exporter.dest())
    });
    assert_same(&lakes[0].content(), &lakes[1].content());
    let truth = vendor.tasks();
    let sum = |count: fn(&airudder_export::sandbox::SandboxTask) -> u64| {
        usize::try_from(truth.iter().map(count).sum::<u64>()).expect("small")
    };
    let expected = [
        sum(|t| t.calls),
        sum(|t| t.redials),
        sum(|t| t.turns),
        truth.len(),
    ];
    assert_eq!(lakes[0].counts(), expected, "what the vendor has");
}

#[test]
fn the_rows_do_not_depend_on_how_they_are_cut_into_files_and_commits() {
    let vendor = Vendor::start(past_days(2, 6, 40));
    let folder = folder();
    let whole = Exporter::new(folder.path())
        .lake("whole")
        .against(vendor.url())
        .at(NOW);
    whole.run(&WEEK).done();
    let cut = Exporter::new(folder.path())
        .lake("cut")
        .against(vendor.url())
        .at(NOW)
        .job(
            "[api]\nrate = \"2000/s\"\nburst = 100\nconcurrency = 1\n[write]\nmemory_budget = \"1MiB\"\n\
         row_group_size = \"64KiB\"\ntarget_file_size = \"64KiB\"\nmax_open_files = 1\n\
         commit_calls = 50\n",
        );
    cut.run(&WEEK).done();
    cut.run(&["verify"]).done();
    let [whole, cut] = [whole, cut].map(|exporter| LakeView::new(exporter.dest()));
    assert!(cut.commits().len() > whole.commits().len() + 3);
    assert_same(&whole.content(), &cut.content());
}

#[test]
fn compressed_answers_give_the_same_rows() {
    let (folder, mut lakes) = (folder(), Vec::new());
    for gzip in [false, true] {
        let options = SandboxOptions {
            gzip,
            ..past_days(1, 6, 30)
        };
        let vendor = Vendor::start(options);
        let name = if gzip { "gzip" } else { "plain" };
        let exporter = Exporter::new(folder.path())
            .lake(name)
            .against(vendor.url())
            .at(NOW);
        exporter.run(&["run"]).done();
        lakes.push(LakeView::new(exporter.dest()).content());
    }
    assert_same(&lakes[0], &lakes[1]);
}

#[test]
fn two_backfills_of_one_lake_at_once_double_nothing() {
    let vendor = Vendor::start(SandboxOptions {
        latency: Duration::from_millis(5),
        ..past_days(2, 40, 8)
    });
    let folder = folder();
    let exporter = Exporter::new(folder.path())
        .against(vendor.url())
        .at(NOW)
        .job(
            "[api]\nrate = \"2000/s\"\nburst = 100\nconcurrency = 2\n[write]\ncommit_calls = 50\n",
        );
    let both = [exporter.start(&WEEK), exporter.start(&WEEK)];
    for running in both {
        running.wait().done();
    }
    exporter.run(&["verify"]).done();
    let truth = vendor.tasks();
    let calls: u64 = truth.iter().map(|task| task.calls).sum();
    let counts = LakeView::new(exporter.dest()).counts();
    assert_eq!(
        (counts[0], counts[3]),
        (usize::try_from(calls).expect("small"), truth.len())
    );
    exporter.run(&WEEK).done();
    assert!(vendor.stats().details.values().all(|times| *times <= 2));
}

#[test]
fn files_lists_what_the_commit_log_says() {
    let (folder, vendor) = (folder(), Vendor::start(past_days(2, 5, 5)));
    let exporter = Exporter::new(folder.path()).against(vendor.url()).at(NOW);
    exporter.run(&WEEK).done();
    exporter
        .run(&[
            "backfill",
            "--from",
            "2024-03-12",
            "--to",
            "2024-03-12",
            "--replace",
        ])
        .done();
    let lake = LakeView::new(exporter.dest());
    let mut listed: Vec<String> = exporter
        .run(&["files"])
        .done()
        .stdout
        .lines()
        .map(str::to_owned)
        .collect();
    let mut live: Vec<String> = lake
        .live_files()
        .into_values()
        .flatten()
        .map(|file| lake.root().join(file).to_str().expect("Unicode").to_owned())
        .collect();
    listed.sort();
    live.sort();
    assert_eq!(listed, live);
}
