//! What `plan` prints, kept as snapshots: what people decide by.

use crate::harness::vendor::{clock, past_days};
use crate::harness::{Exporter, LakeView, Vendor, folder};

use airudder_export::sandbox::SandboxOptions;

const MIDDAY: &str = "2024-03-13T05:00:00Z";

/// A lake that holds the first of three days, and a vendor in the middle of the third.
fn plan(args: &[&str]) -> String {
    let vendor = Vendor::start(SandboxOptions {
        clock: clock(MIDDAY),
        ..past_days(3, 12, 4)
    });
    let folder = folder();
    let exporter = Exporter::new(folder.path())
        .against(vendor.url())
        .at(MIDDAY);
    exporter
        .run(&["backfill", "--from", "2024-03-11", "--to", "2024-03-11"])
        .done();
    let args: Vec<&str> = ["plan"]
        .iter()
        .chain(args)
        .chain(&["--rate", "2/s"])
        .copied()
        .collect();
    let ended = exporter.run(&args).done();
    ended
        .stdout
        .replace(folder.path().to_str().expect("Unicode"), "FOLDER")
}

#[test]
fn plan_run_for_people() {
    insta::assert_snapshot!(plan(&["run"]));
}

#[test]
fn plan_run_as_json() {
    insta::assert_snapshot!(plan(&["run", "--format", "json"]));
}

#[test]
fn plan_backfill_for_people() {
    insta::assert_snapshot!(plan(&[
        "backfill",
        "--from",
        "2024-03-11",
        "--to",
        "2024-03-12"
    ]));
}

#[test]
fn plan_backfill_replace_for_people() {
    let args = [
        "backfill",
        "--from",
        "2024-03-11",
        "--to",
        "2024-03-13",
        "--replace",
    ];
    insta::assert_snapshot!(plan(&args));
}

#[test]
fn a_task_that_is_accepted_is_said_with_its_calls() {
    let vendor = Vendor::start(past_days(1, 3, 5));
    let folder = folder();
    let exporter = Exporter::new(folder.path()).against(vendor.url());
    let ended = exporter
        .run(&[
            "backfill",
            "--from",
            "2024-03-11",
            "--to",
            "2024-03-11",
            "-v",
        ])
        .done();
    let said: usize = ended
        .stderr
        .lines()
        .filter(|line| line.contains("task accepted"))
        .filter_map(|line| line.split_once("calls=")?.1.split_whitespace().next())
        .map(|calls| calls.parse::<usize>().expect("a number"))
        .sum();
    let [calls, ..] = LakeView::new(exporter.dest()).counts();
    assert_eq!(said, calls, "{}", ended.stderr);
    assert!(calls > 0);
}
