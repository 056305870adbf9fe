//! What is not ours is left alone and named: in the staging folder, among the reports, in the folder
//! for temporary files.

use std::fs;
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::Path;
use std::process::Command;

use crate::harness::bucket::Bucket;
use crate::harness::scripted::answer;
use crate::harness::servers::{Kind, Server};
use crate::harness::vendor::past_days;
use crate::harness::{Exporter, NOW, Vendor, folder, skip};

const RUN: &str = "20240101T000000Z-aaaaaa";

fn replayed(folder: &Path) -> Exporter {
    for name in ["a", "b", "c", "d", "e"] {
        fs::write(folder.join(format!("{name}.json")), answer(name, "[{}]")).expect("writable");
    }
    let exporter = Exporter::new(folder);
    exporter.run(&["replay", "a.json"]).done();
    exporter
}

fn write(path: &Path) {
    fs::create_dir_all(path.parent().expect("a folder")).expect("writable");
    fs::write(path, "precious").expect("writable");
}

fn pipe(path: &Path) {
    fs::create_dir_all(path.parent().expect("a folder")).expect("writable");
    let made = Command::new("mkfifo").arg(path).status();
    assert!(made.expect("there is a mkfifo on every Unix").success());
}

#[test]
fn what_is_no_run_s_in_staging_is_left_alone_and_named() {
    let folder = folder();
    let exporter = replayed(folder.path());
    let staging = exporter.dest().join("_export/staging");
    let elsewhere = folder.path().join("elsewhere");
    write(&elsewhere.join("000001.tmp"));
    write(&elsewhere.join("lock"));
    // A folder of somebody's, one with a lock of somebody's, one that only has a run's name.
    write(&staging.join("mine/precious.txt"));
    write(&staging.join("locked/000001.tmp"));
    write(&staging.join("locked/lock"));
    write(&staging.join(RUN).join("000001.tmp"));
    // Links and pipes in the place of folder and lock.
    symlink(&elsewhere, staging.join("20240101T000000Z-bbbbbb")).expect("linked");
    write(&staging.join("20240101T000000Z-cccccc/000001.tmp"));
    let made = elsewhere.join("made");
    symlink(&made, staging.join("20240101T000000Z-cccccc/lock")).expect("linked");
    pipe(&staging.join("20240101T000000Z-dddddd/lock"));
    // A dead run's own, with something in it that it never staged.
    write(&staging.join("20240101T000000Z-eeeeee/lock"));
    write(&staging.join("20240101T000000Z-eeeeee/000001.tmp"));
    write(&staging.join("20240101T000000Z-eeeeee/notes.txt"));
    // And one that is nothing else.
    write(&staging.join("20240101T000000Z-ffffff/lock"));
    write(&staging.join("20240101T000000Z-ffffff/20240101T000000Z-ffffff-000001.parquet"));
    let ended = exporter.run(&["replay", "b.json"]).done();
    for name in ["mine", "locked", RUN, "-bbbbbb", "-cccccc", "-dddddd"] {
        let line = ended.stderr.lines().find(|line| line.contains(name));
        let line = line.unwrap_or_else(|| panic!("{name} in {}", ended.stderr));
        assert!(line.contains("is left alone"), "{line}");
    }
    for left in [
        "mine/precious.txt",
        "locked/000001.tmp",
        "locked/lock",
        "20240101T000000Z-aaaaaa/000001.tmp",
        "20240101T000000Z-bbbbbb/000001.tmp",
        "20240101T000000Z-cccccc/000001.tmp",
        "20240101T000000Z-eeeeee/notes.txt",
    ] {
        assert!(staging.join(left).exists(), "{left}");
    }
    assert!(!made.exists(), "a lock was made behind a link");
    assert!(!staging.join("20240101T000000Z-eeeeee/000001.tmp").exists());
    assert!(!staging.join("20240101T000000Z-ffffff").exists());
    for command in [&["verify"][..], &["status"], &["vacuum"]] {
        exporter.run(command).done();
    }
    assert!(staging.join("mine/precious.txt").exists());
}

#[test]
fn staging_may_be_a_link_to_another_disk_and_only_runs_are_ours_there() {
    let folder = folder();
    let exporter = replayed(folder.path());
    let (staging, fast) = (
        exporter.dest().join("_export/staging"),
        folder.path().join("fast"),
    );
    write(&fast.join("alice/thesis.doc"));
    write(&fast.join("alice/lock"));
    write(&fast.join("20240101T000000Z-ffffff/lock"));
    write(&fast.join("20240101T000000Z-ffffff/000001.tmp"));
    fs::remove_dir(&staging).expect("it is empty");
    symlink(&fast, &staging).expect("linked");
    exporter
        .run(&["replay", "b.json"])
        .done()
        .saying(&["alice is left alone"]);
    assert!(fast.join("alice/thesis.doc").exists());
    assert!(!fast.join("20240101T000000Z-ffffff").exists());
}

#[test]
fn vacuum_takes_only_reports_for_reports() {
    let folder = folder();
    let exporter = replayed(folder.path());
    let (runs, elsewhere) = (
        exporter.dest().join("_export/runs"),
        folder.path().join("v"),
    );
    fs::rename(&runs, &elsewhere).expect("moved");
    symlink(&elsewhere, &runs).expect("linked");
    let strangers = [
        "a.txt",
        "a.json",
        "20240101T000000Z-aaaaaa.json",
        "20240101T000000Z-bbbbbb.json",
    ];
    for name in strangers {
        write(&elsewhere.join(name));
    }
    let of_another = r#"{"run_id":"20240101T000000Z-zzzzzz","command":"run"}"#;
    fs::write(elsewhere.join(strangers[3]), of_another).expect("writable");
    let ended = exporter
        .run(&["vacuum", "--reports-older-than", "0s"])
        .done();
    for name in strangers {
        assert!(elsewhere.join(name).exists(), "{name}");
        assert!(ended.stdout.contains(name), "{name} in {}", ended.stdout);
    }
    assert_eq!(
        fs::read_dir(&elsewhere).expect("there").count(),
        strangers.len()
    );
}

#[test]
#[ignore = "needs object stores from PyPI: just test-all"]
fn nothing_beside_the_spool_is_touched_and_a_spool_of_others_is_refused() {
    let folder = folder();
    let server = match Server::of(Kind::Moto) {
        Ok(server) => server,
        Err(why) => return skip(&why),
    };
    let bucket = Bucket::new(server, &format!("spools-{:016x}", fastrand::u64(..)));
    replayed(folder.path());
    let place = folder.path().join("tmp");
    let release = place.join("airudder-export-0.1.0");
    write(&release.join("notes.txt"));
    write(&place.join("airudder-export-x/000001.tmp"));
    let made = folder.path().join("made");
    symlink(&made, place.join("airudder-export-x/lock")).expect("linked");
    pipe(&place.join("airudder-export-y/lock"));
    let exporter = bucket
        .exporter(&Exporter::new(folder.path()))
        .set("TMPDIR", place.to_str().expect("Unicode"));
    let uid = fs::metadata(&place).map(|meta| std::os::unix::fs::MetadataExt::uid(&meta));
    let spool = place.join(format!("airudder-export-{}", uid.expect("it is ours")));
    let mut running = exporter
        .dying_at("hold:commit.begun")
        .start(&["replay", "a.json"]);
    assert!(running.is_held(), "{}", running.said());
    let mode = |path: &Path| fs::metadata(path).expect("there").permissions().mode() & 0o777;
    assert_eq!(mode(&spool), 0o700);
    assert_eq!(fs::read_dir(&spool).expect("ours").count(), 1);
    running.signal("KILL");
    running.wait();
    exporter.run(&["replay", "a.json"]).done();
    assert!(!spool.exists(), "its runs have ended");
    assert!(release.join("notes.txt").exists());
    assert!(place.join("airudder-export-x/000001.tmp").exists());
    assert!(!made.exists(), "a lock was made behind a link");

    // What a dead run left goes; what is no run's stays, and is named.
    fs::create_dir(&spool).expect("writable");
    fs::set_permissions(&spool, fs::Permissions::from_mode(0o700)).expect("ours");
    write(&spool.join("20240101T000000Z-ffffff/lock"));
    write(&spool.join("20240101T000000Z-ffffff/000001.tmp"));
    write(&spool.join("notes/000001.tmp"));
    exporter
        .run(&["replay", "b.json"])
        .done()
        .saying(&["notes is left alone"]);
    assert!(!spool.join("20240101T000000Z-ffffff").exists());
    assert!(spool.join("notes/000001.tmp").exists());

    fs::set_permissions(&spool, fs::Permissions::from_mode(0o755)).expect("ours");
    exporter
        .run(&["replay", "c.json"])
        .with(78)
        .saying(&["chmod 700", "store.spool"]);
    fs::rename(&spool, place.join("moved")).expect("moved");
    symlink(place.join("moved"), &spool).expect("linked");
    exporter
        .run(&["replay", "d.json"])
        .with(78)
        .saying(&["it is a link", "store.spool"]);
}

#[test]
fn doctor_names_files_that_lie_open_and_makes_its_own_as_set() {
    let (folder, vendor) = (folder(), Vendor::start(past_days(1, 2, 2)));
    let exporter = Exporter::new(folder.path()).against(vendor.url()).at(NOW);
    exporter.run(&["run"]).done();
    let before = exporter.run(&["doctor"]).done();
    assert!(
        before.stdout.contains("no file lies open"),
        "{}",
        before.stdout
    );
    let calls = exporter.dest().join("calls");
    let open = |mode: &str, path: &Path| {
        let done = Command::new("chmod").args(["-R", mode]).arg(path).status();
        assert!(done.expect("there is a chmod on every Unix").success());
    };
    open("o+r", &calls);
    let rejects = exporter.dest().join("_export/rejects/x/000001.jsonl");
    write(&rejects);
    open("0640", &rejects);
    let found = exporter.run(&["doctor"]).done().stdout;
    let line = found.lines().find(|line| line.contains("chmod"));
    let line = line.unwrap_or_else(|| panic!("{found}"));
    for part in [
        format!("chmod -R o-rwx {}", calls.display()),
        "chmod -R go-rwx ".to_owned(),
    ] {
        assert!(line.contains(&part), "{part} in {line}");
    }
    // The commands do what is said.
    for command in line.split('`').filter(|part| part.starts_with("chmod")) {
        let done = Command::new("sh").args(["-c", command]).status();
        assert!(done.expect("there is a shell").success());
    }
    let after = exporter.run(&["doctor"]).done();
    assert!(
        after.stdout.contains("no file lies open"),
        "{}",
        after.stdout
    );
    // What a setting gives is not open.
    let readable = exporter.clone().set("AIRUDDER_FILE_MODE", "0644");
    open("o+r", &calls);
    let allowed = readable.run(&["doctor"]).done();
    assert!(
        allowed.stdout.contains("no file lies open"),
        "{}",
        allowed.stdout
    );
}

#[test]
fn replay_refuses_what_is_no_regular_file_by_its_name() {
    let folder = folder();
    let exporter = replayed(folder.path());
    let at = |name: &str| folder.path().join(name);
    pipe(&at("pipe.json"));
    fs::create_dir_all(at("with-a-pipe")).expect("writable");
    pipe(&at("with-a-pipe/p.json"));
    let _socket = std::os::unix::net::UnixListener::bind(at("socket.json")).expect("bound");
    symlink("loop-b.json", at("loop-a.json")).expect("linked");
    symlink("loop-a.json", at("loop-b.json")).expect("linked");
    for (named, said) in [
        ("/dev/zero", "/dev/zero"),
        ("pipe.json", "pipe.json"),
        ("with-a-pipe", "p.json"),
        ("socket.json", "socket.json"),
        ("loop-a.json", "loop-a.json"),
    ] {
        let ended = exporter.run(&["replay", named]).with(64);
        assert!(ended.stderr.contains(said), "{named}: {}", ended.stderr);
    }
    // One file under three names is taken once, and the same task is not said to come twice.
    fs::hard_link(at("b.json"), at("again.json")).expect("linked");
    let ended = exporter.run(&["replay", "b.json", "again.json", "./b.json"]);
    assert!(!ended.stderr.contains("once more"), "{}", ended.stderr);
    ended.done();
}
