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
    // One listing after the other: how many requests the proof of their ends takes depends on which
    // has shown the largest page.
    let exporter = Exporter::new(folder.path())
        .against(vendor.url())
        .set("AIRUDDER_CONCURRENCY", "1")
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

/// A vendor with days from 2024-03-11 on, asked at midday of the sixth; a backfill of the third and
/// fourth is made.
fn backfilled() -> (Vendor, tempfile::TempDir, Exporter) {
    const NOW: &str = "2024-03-16T05:00:00Z";
    let vendor = Vendor::start(SandboxOptions {
        clock: clock(NOW),
        ..past_days(6, 5, 2)
    });
    let folder = folder();
    let exporter = Exporter::new(folder.path()).against(vendor.url()).at(NOW);
    exporter
        .run(&["backfill", "--from", "2024-03-13", "--to", "2024-03-14"])
        .done();
    (vendor, folder, exporter)
}

/// The days with tasks that a plan pulls.
fn pulled_days(exporter: &Exporter, args: &[&str]) -> Vec<String> {
    let plan = exporter
        .run(&[args, &["--format", "json"]].concat())
        .done()
        .json();
    let days = plan["days"].as_array().expect("a list").iter();
    days.filter(|day| day["pull"].as_u64().is_some_and(|pull| pull > 0))
        .map(|day| day["date"].as_str().unwrap_or("none").to_owned())
        .collect()
}

#[test]
fn the_first_run_after_a_backfill_goes_on_behind_it_and_so_do_the_next_ones() {
    let (vendor, _folder, exporter) = backfilled();
    assert_eq!(
        pulled_days(&exporter, &["plan", "run"])[..1],
        ["2024-03-15"]
    );
    let ended = exporter.run(&["run"]).done();
    assert!(
        ended.stdout.contains("before the first day of this lake"),
        "{}",
        ended.stdout
    );
    vendor.set_time("2024-03-18T05:00:00Z");
    let again = exporter.clone().at("2024-03-18T05:00:00Z");
    assert_eq!(pulled_days(&again, &["plan", "run"]), ["2024-03-16"]);
    // A backfill still gets what the run left.
    let before = [
        "plan",
        "backfill",
        "--from",
        "2024-03-11",
        "--to",
        "2024-03-12",
    ];
    assert_eq!(pulled_days(&again, &before), ["2024-03-11", "2024-03-12"]);
}

#[test]
fn nothing_before_the_first_day_is_pulled_or_remembered() {
    const NOW: &str = "2024-03-13T05:00:00Z";
    let vendor = Vendor::start(SandboxOptions {
        clock: clock(NOW),
        ..past_days(3, 5, 2)
    });
    let folder = folder();
    let exporter = Exporter::new(folder.path()).against(vendor.url()).at(NOW);
    let first = ["--not-before", "2024-03-12"];
    let plan = [&["plan", "run"][..], &first].concat();
    assert_eq!(pulled_days(&exporter, &plan)[0], "2024-03-12");
    let range = [
        "plan",
        "backfill",
        "--from",
        "2024-03-01",
        "--to",
        "2024-03-12",
    ];
    assert_eq!(
        pulled_days(&exporter, &[&range[..], &first].concat()),
        ["2024-03-12"]
    );
    exporter.run(&[&["run"][..], &first].concat()).done();
    let days: Vec<String> = LakeView::new(exporter.dest())
        .table("tasks")
        .iter()
        .map(|row| row["task_date"].to_string())
        .collect();
    assert!(
        !days.is_empty() && days.iter().all(|day| day.as_str() >= "2024-03-12"),
        "{days:?}"
    );
    let before = ["backfill", "--month", "2024-02"];
    exporter
        .run(&[&before[..], &first].concat())
        .with(64)
        .saying(&["tasks.not_before", "2024-03-12"]);
}

#[test]
fn a_backfill_of_a_month_or_of_the_last_days_is_one_of_their_days() {
    let vendor = Vendor::start(past_days(7, 3, 2));
    let folder = folder();
    let exporter = Exporter::new(folder.path()).against(vendor.url());
    let exporter = exporter.at("2024-03-18T05:00:00Z");
    assert_eq!(
        pulled_days(&exporter, &["plan", "backfill", "--month", "2024-03"]).len(),
        7
    );
    assert_eq!(
        pulled_days(&exporter, &["plan", "backfill", "--last", "2d"]),
        ["2024-03-16", "2024-03-17"]
    );
}
