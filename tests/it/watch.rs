//! What a monitor asks: `status --check` answers with one line and an exit code.

use serde_json::Value;

use airudder_export::sandbox::SandboxOptions;

use crate::harness::vendor::{clock, past_days};
use crate::harness::{Exporter, Vendor, folder};

/// After the last of three days, when all of their tasks are final.
const NIGHT: &str = "2024-03-14T02:00:00Z";

/// Checks at a moment: the exit code and the kinds of problems.
fn check(exporter: &Exporter, now: &str, args: &[&str]) -> (i32, Vec<String>, String) {
    let args = [&["status", "--check", "--format", "json"], args].concat();
    let ended = exporter.clone().at(now).run(&args);
    assert_eq!(ended.stdout.lines().count(), 1, "{}", ended.stdout);
    let told: Value = serde_json::from_str(&ended.stdout).expect("JSON");
    let problems = told["problems"].as_array().expect("a list");
    let kinds = problems
        .iter()
        .map(|one| one["kind"].as_str().expect("text"));
    assert_eq!(told["ok"], problems.is_empty());
    let code = ended.code.expect("it ended by itself");
    (
        code,
        kinds.map(str::to_owned).collect(),
        ended.stdout.clone(),
    )
}

#[test]
fn a_monitor_hears_of_what_is_wrong_and_of_nothing_else() {
    let vendor = Vendor::start(SandboxOptions {
        clock: clock(NIGHT),
        ..past_days(3, 6, 4)
    });
    let folder = folder();
    let exporter = Exporter::new(folder.path()).against(vendor.url()).at(NIGHT);

    // Nothing was exported yet.
    std::fs::create_dir(exporter.dest()).expect("new");
    let (code, kinds, _) = check(&exporter, NIGHT, &[]);
    assert_eq!((code, &*kinds), (75, &["stale".to_owned()][..]));

    exporter
        .run(&["backfill", "--from", "2024-03-10", "--to", "2024-03-13"])
        .done();
    exporter.run(&["run"]).done();
    let (code, kinds, said) = check(&exporter, NIGHT, &[]);
    assert_eq!((code, kinds.len()), (0, 0), "{said}");
    let ended = exporter.run(&["status", "--check"]).done();
    assert!(
        ended.stdout.starts_with("ok: the last complete run ended "),
        "{}",
        ended.stdout
    );
    assert_eq!(ended.stdout.lines().count(), 1);

    // The next night did not happen.
    let late = "2024-03-15T09:00:00Z";
    let (code, kinds, _) = check(&exporter, late, &[]);
    assert_eq!((code, &*kinds), (75, &["stale".to_owned()][..]));
    let (code, kinds, said) = check(&exporter, late, &["--max-age", "2d"]);
    assert_eq!((code, kinds.len()), (0, 0), "{said}");

    // The account was locked: the run fails, and is said to have failed.
    let locked = exporter
        .clone()
        .set("AIRUDDER_APP_SECRET", "another")
        .at("2024-03-15T00:30:00Z");
    locked.run(&["run"]).with(77);
    let ended = exporter
        .clone()
        .at("2024-03-15T01:00:00Z")
        .run(&["status", "--check"]);
    let line = ended.with(75).stdout;
    assert!(
        line.contains("the last run ended with exit code 77"),
        "{line}"
    );
    assert_eq!(line.lines().count(), 1);
    let (code, kinds, said) = check(&exporter, "2024-03-15T01:00:00Z", &[]);
    assert_eq!(
        (code, &*kinds),
        (75, &["last_run".to_owned()][..]),
        "{said}"
    );
}

#[test]
fn days_that_stay_incomplete_are_said_but_for_where_a_backfill_began() {
    let vendor = Vendor::start(SandboxOptions {
        clock: clock(NIGHT),
        faults: "body_code_500:0.2".parse().expect("a fault"),
        ..past_days(3, 12, 4)
    });
    let folder = folder();
    let exporter = Exporter::new(folder.path())
        .against(vendor.url())
        .job("[api]\nmax_attempts = 1\n")
        .at(NIGHT);
    exporter
        .run(&["backfill", "--from", "2024-03-11", "--to", "2024-03-13"])
        .with(75);
    let (code, kinds, said) = check(&exporter, NIGHT, &["--max-age", "1h"]);
    assert_eq!(code, 75);
    for kind in ["stale", "last_run", "incomplete_days", "stuck_tasks"] {
        assert!(kinds.iter().any(|one| one == kind), "{kind}: {said}");
    }
    assert!(
        said.contains("1 day not complete, the first is 2024-03-13"),
        "{said}"
    );
    // On the days that ended less than that ago, nothing is late yet.
    let (_, kinds, said) = check(&exporter, NIGHT, &["--max-age", "9d"]);
    assert!(kinds.iter().all(|one| one != "incomplete_days"), "{said}");
}

#[test]
fn max_age_belongs_to_check() {
    let folder = folder();
    Exporter::new(folder.path())
        .run(&["status", "--max-age", "1d"])
        .with(64)
        .saying(&["--check"]);
}
