//! Every exit code that can be provoked, and the message with it: it names the thing, and the
//! setting that changes it.

use std::fs;

use rstest::rstest;
use serde_json::json;

use crate::harness::scripted::{Reply, Scripted, account, answer};
use crate::harness::vendor::past_days;
use crate::harness::{Exporter, LakeView, NOW, Vendor, folder};

const FEW_TRIES: &str =
    "[api]\nrate = \"2000/s\"\nburst = 100\nbase_backoff = \"1ms\"\nmax_attempts = 2\n";

#[test]
fn what_is_done_ends_with_0() {
    let (folder, vendor) = (folder(), Vendor::start(past_days(1, 2, 3)));
    let exporter = Exporter::new(folder.path()).against(vendor.url()).at(NOW);
    exporter.run(&["plan", "run"]).done();
    exporter.run(&["run"]).done();
    exporter.run(&["verify"]).done();
    exporter.run(&["--help"]).done();
}

#[rstest]
#[case(&["run", "--rata", "5/s"], &["--rata"])]
#[case(&["run", "--rate", "fast"], &["--rate", "fast"])]
#[case(&["run", "--task-ids", "no-list"], &["no-list"])]
#[case(&["replay", "no-answer.json"], &["no-answer.json"])]
#[case(&["replay", "."], &[".json"])]
#[case(&["backfill", "--from", "2024-03-12", "--to", "2024-03-11"], &["2024-03-11"])]
#[case(&["run", "--as-of", "tomorrow"], &["--as-of", "tomorrow"])]
fn bad_usage_ends_with_64(#[case] args: &[&str], #[case] parts: &[&str]) {
    let folder = folder();
    let exporter = Exporter::new(folder.path()).against("http://127.0.0.1:9");
    exporter.run(args).with(64).saying(parts);
    assert!(!exporter.dest().exists(), "bad usage made a lake");
}

#[test]
fn a_mistyped_destination_is_no_empty_lake() {
    let folder = folder();
    let exporter = Exporter::new(folder.path());
    let parts = ["there is no such folder", "--dest"];
    let commands = ["verify", "files", "status", "compact", "vacuum"];
    for command in commands {
        exporter.run(&[command]).with(74).saying(&parts);
    }
    for command in ["compact", "vacuum"] {
        exporter
            .run(&[command, "--dry-run"])
            .with(74)
            .saying(&parts);
    }
    assert!(!exporter.dest().exists());
    // Where there is a folder, a lake may begin: a loader may look before the first run.
    fs::create_dir(exporter.dest()).expect("writable");
    exporter.run(&["files"]).done().saying(&["nothing"]);
    for command in commands {
        exporter.run(&[command]).done();
    }
}

#[test]
fn nobody_who_reads_standard_error_changes_nothing_of_the_end() {
    let folder = folder();
    let exporter = Exporter::new(folder.path())
        .against("http://127.0.0.1:9")
        .job(FEW_TRIES);
    for command in [&["run"][..], &["plan", "run"]] {
        assert_eq!(exporter.run_unheard(command), Some(69), "{command:?}");
    }
}

#[test]
fn an_api_that_is_not_there_ends_with_69() {
    let folder = folder();
    let exporter = Exporter::new(folder.path())
        .against("http://127.0.0.1:9")
        .job(FEW_TRIES);
    exporter.run(&["run"]).with(69).saying(&["base_url"]);
    exporter
        .run(&["plan", "run"])
        .with(69)
        .saying(&["base_url"]);
}

#[test]
fn an_api_that_answers_nothing_useful_for_any_task_ends_with_69() {
    let broken = Reply::status(500, "");
    let tasks: Vec<String> = (0..30).map(|number| format!("t{number}")).collect();
    let server = Scripted::account(
        tasks
            .iter()
            .map(|id| (id.as_str(), broken.clone()))
            .collect(),
    );
    let folder = folder();
    let exporter = Exporter::new(folder.path())
        .against(server.url())
        .job(FEW_TRIES)
        .at(NOW);
    exporter.run(&["run"]).with(69);
    exporter.run(&["verify"]).done();
}

#[test]
fn a_destination_that_is_a_file_ends_with_74() {
    let (folder, vendor) = (folder(), Vendor::start(past_days(1, 1, 1)));
    fs::write(folder.path().join("a-file"), "").expect("the folder can be written");
    let exporter = Exporter::new(folder.path())
        .lake("a-file")
        .against(vendor.url())
        .at(NOW);
    exporter.run(&["run"]).with(74).saying(&["a-file"]);
    let below = exporter.lake("a-file/lake");
    below.run(&["run"]).with(74).saying(&["a-file/lake"]);
    assert_eq!(
        vendor.stats().total_requests(),
        0,
        "it asked before it could write"
    );
}

#[test]
fn a_damaged_commit_log_ends_with_65_and_names_the_record() {
    let (folder, vendor) = (folder(), Vendor::start(past_days(1, 1, 1)));
    let exporter = Exporter::new(folder.path()).against(vendor.url()).at(NOW);
    exporter.run(&["run"]).done();
    let record = "_export/commits/00000000000000000001.json";
    fs::write(exporter.dest().join(record), "{").expect("the lake can be written");
    exporter.run(&["run"]).with(65).saying(&[record]);
    exporter.run(&["verify"]).with(65).saying(&[record]);
}

#[test]
fn a_task_that_fails_beside_others_that_do_not_ends_with_75_and_is_tried_again() {
    let folder = folder();
    let good = |id| Reply::ok(answer(id, "[{}]"));
    let server = Scripted::account(vec![
        ("good", good("good")),
        ("bad", Reply::status(500, "")),
    ]);
    let exporter = Exporter::new(folder.path())
        .against(server.url())
        .job(FEW_TRIES)
        .at(NOW);
    let ended = exporter.run(&["run"]).with(75);
    assert!(
        ended.stdout.contains("bad") && ended.stdout.contains("500"),
        "{}",
        ended.stdout
    );

    let healed = Scripted::account(vec![("good", good("good")), ("bad", good("bad"))]);
    exporter.against(healed.url()).run(&["run"]).done();
    let asked: Vec<_> = healed
        .seen()
        .into_iter()
        .filter(|request| request.path.ends_with("taskdetail"))
        .map(|request| request.body["task_id"].clone())
        .collect();
    assert_eq!(asked, ["bad"]);
}

#[test]
fn wrong_credentials_end_with_77_and_name_the_variables() {
    let (folder, vendor) = (folder(), Vendor::start(past_days(1, 1, 1)));
    let exporter = Exporter::new(folder.path())
        .against(vendor.url())
        .set("AIRUDDER_APP_SECRET", "MARK-WRONG");
    for args in [&["run"][..], &["plan", "run"]] {
        let ended = exporter.run(args).with(77);
        let ended = ended.saying(&["AIRUDDER_APP_KEY", "AIRUDDER_APP_SECRET"]);
        assert!(!ended.stderr.contains("MARK"), "{}", ended.stderr);
    }
}

#[test]
fn a_token_that_is_never_accepted_ends_with_77() {
    let server = Scripted::start(|request| {
        Some(match account(&[], request) {
            reply if request.path.ends_with("auth") => reply,
            _ => Reply::ok(json!({"data": null, "status": "expired", "code": 401}).to_string()),
        })
    });
    let folder = folder();
    let exporter = Exporter::new(folder.path())
        .against(server.url())
        .job(FEW_TRIES);
    exporter.run(&["run"]).with(77).saying(&["expired_codes"]);
}

#[test]
fn missing_or_wrong_settings_end_with_78_and_are_named() {
    let folder = folder();
    let exporter = Exporter::new(folder.path()).against("http://127.0.0.1:9");
    let no_dest = exporter.clone().unset("AIRUDDER_DEST");
    no_dest
        .run(&["run"])
        .with(78)
        .saying(&["dest", "--dest", "AIRUDDER_DEST"]);
    let no_key = exporter.clone().unset("AIRUDDER_APP_KEY");
    no_key
        .run(&["run"])
        .with(78)
        .saying(&["APPKey", "AIRUDDER_APP_KEY", "app_key_file"]);
    let no_secret = exporter.clone().unset("AIRUDDER_APP_SECRET");
    no_secret
        .run(&["run"])
        .with(78)
        .saying(&["AIRUDDER_APP_SECRET", "app_secret_file"]);
    let plain = exporter
        .clone()
        .set("AIRUDDER_BASE_URL", "http://192.0.2.1");
    plain
        .run(&["run"])
        .with(78)
        .saying(&["AIRUDDER_BASE_URL", "--allow-insecure"]);
    let zone = exporter.clone().set("AIRUDDER_SOURCE_TIMEZONE", "UTC+7");
    zone.run(&["run"])
        .with(78)
        .saying(&["source_timezone", "AIRUDDER_SOURCE_TIMEZONE"]);
    let typo = exporter.clone().job("[tasks]\nsetle = \"5m\"\n");
    typo.run(&["run"])
        .with(78)
        .saying(&["`tasks.setle`", "line 2", "`tasks.settle`"]);
    let secret = exporter
        .clone()
        .job("[api]\napp_secret = \"MARK-SECRET\"\n");
    let ended = secret
        .run(&["run"])
        .with(78)
        .saying(&["AIRUDDER_APP_SECRET"]);
    assert!(!ended.stderr.contains("MARK"), "{}", ended.stderr);
    let no_job = exporter.set("AIRUDDER_JOB", "not-there.toml");
    no_job
        .run(&["run"])
        .with(78)
        .saying(&["not-there.toml", "AIRUDDER_JOB"]);
}

#[test]
fn another_partition_time_zone_than_the_lake_has_ends_with_78() {
    let (folder, vendor) = (folder(), Vendor::start(past_days(1, 1, 1)));
    let exporter = Exporter::new(folder.path()).against(vendor.url()).at(NOW);
    exporter.run(&["run"]).done();
    let other = exporter.set("AIRUDDER_PARTITION_TIMEZONE", "Asia/Jakarta");
    other
        .run(&["run"])
        .with(78)
        .saying(&["--partition-timezone", "UTC"]);
}

#[test]
fn a_standard_output_that_is_full_ends_with_74_after_the_work_is_done() {
    let (folder, vendor) = (folder(), Vendor::start(past_days(1, 2, 2)));
    let exporter = Exporter::new(folder.path()).against(vendor.url()).at(NOW);
    exporter
        .run_into("/dev/full", &["run"])
        .with(74)
        .saying(&["standard output"]);
    exporter.run(&["verify"]).done();
    assert_eq!(LakeView::new(exporter.dest()).counts()[3], 2);
}
