//! A lake is somebody's: another account's run, another host's, the demo's are refused, and a run that
//! meets another one at work says so.

use std::fs;
use std::path::Path;

use serde_json::{Value, json};

use crate::harness::scripted::{Reply, Scripted, answer};
use crate::harness::vendor::past_days;
use crate::harness::{Exporter, NOW, Running, Vendor, folder};

/// An account of which every key is taken.
fn account() -> Scripted {
    let detail = r#"[{"id":1,"CallID":"c","CallStartTime":"2024-03-11T08:00:00Z"}]"#;
    let answered = answer("one", detail);
    Scripted::account(vec![("one", Reply::ok(answered))])
}

fn keyed(exporter: &Exporter, server: &Scripted, key: &str) -> Exporter {
    let exporter = exporter.clone().against(server.url()).at(NOW);
    exporter
        .set("AIRUDDER_APP_KEY", key)
        .set("AIRUDDER_APP_SECRET", "MARK-SECRET")
}

fn identity(dest: &Path) -> Value {
    let bytes = fs::read(dest.join("_export/lake.json")).expect("the lake has an identity");
    serde_json::from_slice(&bytes).expect("it is JSON")
}

/// A folder with a saved answer.
fn saved(folder: &Path, name: &str, task: &str) {
    fs::write(folder.join(name), answer(task, "[]")).expect("writable");
}

#[test]
fn a_run_of_another_account_is_refused_until_that_is_accepted_once() {
    let (folder, server) = (folder(), account());
    let exporter = Exporter::new(folder.path());
    let ours = keyed(&exporter, &server, "MARK-KEY-ONE");
    ours.run(&["run"]).done();
    let made = identity(&ours.dest());
    assert_eq!(made["lake_id"].as_str().map(str::len), Some(32), "{made}");
    assert_eq!(made["host"], "loopback", "{made}");
    assert_eq!(made["partition_timezone"], "UTC", "{made}");
    assert!(!made.to_string().contains("MARK"), "{made}");
    // A new secret is the same account.
    ours.clone()
        .set("AIRUDDER_APP_SECRET", "another")
        .run(&["run"])
        .done();
    assert_eq!(identity(&ours.dest()), made);

    let theirs = keyed(&exporter, &server, "MARK-KEY-TWO");
    saved(folder.path(), "b.json", "two");
    for command in [
        &["run"][..],
        &["backfill", "--last", "7d", "--replace"],
        &["replay", "b.json"],
        &["plan", "run"],
    ] {
        let before = crate::harness::lake::below(&ours.dest());
        let refused = theirs
            .run(command)
            .with(78)
            .saying(&["another account", "--accept-lake-change"]);
        assert!(!refused.stderr.contains("MARK"), "{}", refused.stderr);
        assert_eq!(crate::harness::lake::below(&ours.dest()), before);
    }
    // It is written down though there is nothing to commit.
    saved(folder.path(), "one.json", "one");
    theirs
        .run(&["replay", "one.json", "--accept-lake-change"])
        .done();
    theirs.run(&["run"]).done();
    theirs.run(&["run", "--accept-lake-change"]).done();
    assert_eq!(identity(&ours.dest())["lake_id"], made["lake_id"]);
    ours.run(&["run"]).with(78).saying(&["another account"]);
    ours.run(&["verify"]).done();
}

#[test]
fn a_run_against_another_host_or_in_another_zone_is_refused() {
    let (folder, server) = (folder(), account());
    let exporter = keyed(&Exporter::new(folder.path()), &server, "k");
    exporter.run(&["run"]).done();
    // On another port, and by another name of this machine, it is the same.
    let again = account();
    let local = again.url().replace("127.0.0.1", "localhost");
    let elsewhere = exporter.clone().set("AIRUDDER_BASE_URL", &local);
    elsewhere.run(&["run"]).done();

    let other = exporter
        .clone()
        .set("AIRUDDER_BASE_URL", "https://api.other.example/v1");
    saved(folder.path(), "b.json", "two");
    for command in [&["run"][..], &["replay", "b.json"]] {
        other.run(command).with(78).saying(&[
            "loopback",
            "api.other.example",
            "--accept-lake-change",
        ]);
    }
    exporter
        .clone()
        .set("AIRUDDER_PARTITION_TIMEZONE", "Asia/Jakarta")
        .run(&["run"])
        .with(78)
        .saying(&["days are in UTC", "Asia/Jakarta"]);
    // Saved answers from who knows where are taken.
    exporter
        .clone()
        .unset("AIRUDDER_BASE_URL")
        .unset("AIRUDDER_APP_KEY")
        .run(&["replay", "b.json"])
        .done();
}

#[test]
fn saved_answers_begin_a_lake_and_the_first_run_says_whose_it_is() {
    let (folder, server) = (folder(), account());
    let exporter = Exporter::new(folder.path());
    saved(folder.path(), "b.json", "two");
    exporter.run(&["replay", "b.json"]).done();
    let begun = identity(&exporter.dest());
    assert_eq!(begun["host"], Value::Null, "{begun}");
    let ours = keyed(&exporter, &server, "one");
    ours.run(&["run"]).done();
    let named = identity(&exporter.dest());
    assert_eq!(named["lake_id"], begun["lake_id"]);
    assert_eq!(named["host"], "loopback", "{named}");
    keyed(&exporter, &server, "two").run(&["run"]).with(78);
}

#[test]
fn a_lake_from_before_gets_its_identity_with_the_next_commit() {
    let (folder, server) = (folder(), account());
    let exporter = keyed(&Exporter::new(folder.path()), &server, "one");
    exporter.run(&["run"]).done();
    let path = exporter.dest().join("_export/lake.json");
    fs::remove_file(&path).expect("removed");
    exporter.run(&["verify"]).done();
    exporter
        .clone()
        .at("2024-03-19T00:30:00Z")
        .run(&["run", "--allow-future"])
        .done();
    assert_eq!(identity(&exporter.dest())["host"], "loopback");
}

#[test]
fn a_damaged_identity_is_said_with_the_way_out() {
    for damage in ["", "{", "[]", "{\"format_version\":1}", "\u{1}MARK\u{2}"] {
        let (folder, server) = (folder(), account());
        let exporter = keyed(&Exporter::new(folder.path()), &server, "one");
        exporter.run(&["run"]).done();
        let path = exporter.dest().join("_export/lake.json");
        fs::write(&path, damage).expect("writable");
        saved(folder.path(), "b.json", "two");
        for command in [
            &["run"][..],
            &["replay", "b.json"],
            &["status"],
            &["plan", "run"],
        ] {
            let ended = exporter
                .run(command)
                .with(65)
                .saying(&["lake.json", "--accept-lake-change"]);
            assert!(!ended.stderr.contains("MARK"), "{}", ended.stderr);
        }
        let found = exporter.run(&["verify"]).with(65);
        assert!(found.stdout.contains("lake_identity"), "{}", found.stdout);
        exporter
            .clone()
            .run(&[
                "backfill",
                "--last",
                "8d",
                "--replace",
                "--accept-lake-change",
            ])
            .done();
        assert_eq!(identity(&exporter.dest())["host"], "loopback");
        exporter.run(&["verify"]).done();
        exporter.run(&["run"]).done();
    }
    let (folder, server) = (folder(), account());
    let exporter = keyed(&Exporter::new(folder.path()), &server, "one");
    exporter.run(&["run"]).done();
    let path = exporter.dest().join("_export/lake.json");
    fs::remove_file(&path).expect("removed");
    let made = std::process::Command::new("mkfifo").arg(&path).status();
    assert!(made.expect("there is a mkfifo on every Unix").success());
    for command in ["run", "status"] {
        exporter
            .run(&[command])
            .with(65)
            .saying(&["no regular file"]);
    }
    exporter.run(&["run", "--accept-lake-change"]).done();
    let newer = json!({"format_version": 2, "lake": 1}).to_string();
    fs::write(exporter.dest().join("_export/lake.json"), newer).expect("writable");
    exporter.run(&["run"]).with(78).saying(&["newer version"]);
}

#[test]
fn status_verify_and_doctor_say_whose_lake_it_is() {
    let (folder, vendor) = (folder(), Vendor::start(past_days(1, 2, 2)));
    let exporter = Exporter::new(folder.path()).against(vendor.url()).at(NOW);
    exporter.run(&["run"]).done();
    let made = identity(&exporter.dest());
    let id = made["lake_id"].as_str().expect("a text");
    for command in ["status", "verify", "doctor"] {
        let said = exporter.run(&[command]).done().stdout;
        for part in [id, "loopback", "UTC"] {
            assert!(said.contains(part), "{part} in {said}");
        }
        let account = made["account"].as_str().expect("it is known");
        assert!(!said.contains(account), "{said}");
    }
    for command in ["status", "verify"] {
        let json = exporter.run(&[command, "--format", "json"]).done().json();
        assert_eq!(json["lake"]["lake_id"], id, "{json}");
        assert_eq!(json["lake"]["account"], Value::Null, "{json}");
    }
}

#[test]
fn two_first_runs_at_once_make_one_identity() {
    let server = account();
    for _ in 0..4 {
        let folder = folder();
        let exporter = keyed(&Exporter::new(folder.path()), &server, "one");
        let other = keyed(&Exporter::new(folder.path()), &server, "two");
        let mut both = [exporter.start(&["run"]), other.start(&["run"])];
        let _ = both.iter_mut().map(Running::is_running).count();
        let codes = both.map(|running| running.wait().code);
        // Whose it is, the other is not let in; never both.
        let done = codes.iter().filter(|code| **code == Some(0)).count();
        assert_eq!(done, 1, "{codes:?}");
        assert!(codes.contains(&Some(78)), "{codes:?}");
        let winner = if codes[0] == Some(0) { exporter } else { other };
        winner.run(&["run"]).done();
        winner.run(&["verify"]).done();
    }
}

/// A run that is at work: it is held before its commit.
fn at_work(exporter: &Exporter) -> Running {
    let mut running = exporter.dying_at("hold:commit.begun").start(&["run"]);
    assert!(running.is_held(), "{}", running.said());
    running
}

#[test]
fn another_run_at_work_is_said_waited_for_or_failed_for() {
    let (folder, vendor) = (folder(), Vendor::start(past_days(1, 2, 2)));
    let exporter = Exporter::new(folder.path()).against(vendor.url()).at(NOW);
    let other = at_work(&exporter);
    let staged = fs::read_dir(exporter.dest().join("_export/staging")).expect("it is there");
    let id = staged.flatten().next().expect("its folder").file_name();
    let id = id.to_str().expect("Unicode").to_owned();
    let process = format!("process {}", other.id());

    exporter
        .run(&["run", "--if-running", "fail"])
        .with(75)
        .saying(&["another run is at work", &id, "since ", &process]);

    let mut waiting = exporter
        .clone()
        .set("AIRUDDER_IF_RUNNING", "wait")
        .start(&["run"]);
    until_it_says(&mut waiting, &id);
    waiting.signal("TERM");
    waiting.wait().with(143);

    let mut waiting = exporter.start(&["run", "--if-running", "wait"]);
    until_it_says(&mut waiting, "waiting for the end of another run");
    other.signal("KILL");
    other.wait();
    waiting.wait().done();
    exporter.run(&["verify"]).done();
}

#[test]
fn a_run_shares_by_default_and_names_the_other() {
    let (folder, vendor) = (folder(), Vendor::start(past_days(1, 2, 2)));
    let exporter = Exporter::new(folder.path()).against(vendor.url()).at(NOW);
    let other = at_work(&exporter);
    exporter
        .run(&["run"])
        .done()
        .saying(&["another run is at work", &format!("process {}", other.id())]);
    let quiet = Exporter::new(folder.path())
        .lake("alone")
        .against(vendor.url());
    let alone = quiet.run(&["run"]).done();
    assert!(!alone.stderr.contains("another run"), "{}", alone.stderr);
    exporter.run(&["run", "--if-running", "maybe"]).with(64);
}

fn until_it_says(running: &mut Running, words: &str) {
    while !running.said().contains(words) {
        assert!(running.is_running(), "{}", running.said());
        std::thread::yield_now();
    }
}
