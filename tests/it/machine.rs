//! Faults of the machine: whatever the disk refuses, the error names the path, the exit code is 74,
//! nothing is lost, and once the fault is gone the next run completes.

use std::fs;
use std::path::Path;
use std::thread;
use std::time::Duration;

use airudder_export::sandbox::SandboxOptions;
use rstest::rstest;

use crate::harness::bucket::Bucket;
use crate::harness::disk::{Disk, strace, works};
use crate::harness::lake::{Content, assert_same};
use crate::harness::scripted::answer;
use crate::harness::servers::{Kind, Server};
use crate::harness::vendor::past_days;
use crate::harness::{Ended, Exporter, LakeView, NOW, Vendor, folder, skip};
use crate::trouble::{WEEK, undisturbed};

/// Saved answers of tasks on many days, half a megabyte in all.
fn save_answers(folder: &Path) {
    fs::create_dir_all(folder.join("answers")).expect("writable");
    for task in 0..24 {
        let call = |id: u32| {
            let noise: String = (0..1500).map(|_| fastrand::alphanumeric()).collect();
            format!(
                r#"{{"id":{id},"CallStartTime":"2024-03-{:02}T08:00:00Z","ExtraA":"{noise}","RedailCall":[{{}}],"AsrResult":[{{"text":"x"}}]}}"#,
                task + 1
            )
        };
        let calls: Vec<String> = (0..12).map(call).collect();
        let text = answer(
            &format!("task-{task:02}"),
            &format!("[{}]", calls.join(",")),
        );
        fs::write(folder.join(format!("answers/{task:02}.json")), text).expect("writable");
    }
}

const REPLAY: [&str; 2] = ["replay", "answers"];

/// Saved answers, an exporter that takes them, and the undisturbed lake.
fn scene(folder: &Path) -> (Exporter, Content) {
    save_answers(folder);
    let exporter = Exporter::new(folder);
    exporter.run(&REPLAY).done();
    let content = LakeView::new(exporter.dest()).content();
    (exporter, content)
}

/// A run that the disk stopped: it says where and what, and what is there is sound.
#[track_caller]
fn assert_stopped(ended: Ended, exporter: &Exporter, saying: &str) {
    let dest = exporter.dest();
    let dest = dest.to_str().expect("Unicode");
    ended.with(74).saying(&["failed to", dest, saying]);
    let verified = exporter.run(&["verify"]);
    if verified.code == Some(74) {
        // The disk had no room for the lake's folder itself.
        verified.saying(&["there is no such folder"]);
        return;
    }
    assert!(matches!(verified.code, Some(0 | 65)), "{}", verified.stderr);
    // What was left is for the next start; all else would be a loss.
    for line in verified.stdout.lines() {
        let harmless = ["read ", "left_over ", "not_published ", "all is as "];
        let sound = harmless.iter().any(|word| line.starts_with(word)) || line.contains("finding");
        assert!(sound || line.is_empty(), "verify says: {line}");
    }
}

#[track_caller]
fn assert_completes(exporter: &Exporter, args: &[&str], expected: &Content) {
    exporter.run(args).done();
    assert_same(&LakeView::new(exporter.dest()).content(), expected);
    exporter.run(&["verify"]).done();
}

#[test]
#[ignore = "needs to mount: just test-all"]
fn a_full_disk_loses_nothing() {
    let disk = match Disk::new("size=8m") {
        Ok(disk) => disk,
        Err(why) => return skip(&why),
    };
    let folder = folder();
    let (exporter, expected) = scene(folder.path());
    let mut stopped = 0;
    for free in [0, 4, 16, 64, 200, 400, 450, 500] {
        let exporter = exporter
            .clone()
            .lake_at(&disk.root().join(format!("lake-{free}")));
        disk.leave_free(Some(free << 10));
        let ended = exporter.run(&REPLAY);
        if ended.code != Some(0) {
            stopped += 1;
            assert_stopped(ended, &exporter, "the disk is full");
        }
        disk.leave_free(None);
        assert_completes(&exporter, &REPLAY, &expected);
        fs::remove_dir_all(exporter.dest()).expect("it is ours");
    }
    assert!(stopped >= 5, "only {stopped} times it was full");
}

#[test]
#[ignore = "needs to mount, and object stores from PyPI: just test-all"]
fn a_full_disk_of_the_spool_names_its_setting() {
    let disk = match Disk::new("size=8m") {
        Ok(disk) => disk,
        Err(why) => return skip(&why),
    };
    let bucket = match Server::of(Kind::SeaweedFs) {
        Ok(server) => Bucket::new(server, "full-spool"),
        Err(why) => return skip(&why),
    };
    let folder = folder();
    save_answers(folder.path());
    let spool = disk.root().join("spool");
    let exporter = bucket
        .exporter(&Exporter::new(folder.path()))
        .set("AIRUDDER_STORE_SPOOL", spool.to_str().expect("Unicode"));
    let mut stopped = 0;
    for free in [0, 8, 40, 120] {
        disk.leave_free(Some(free << 10));
        let ended = exporter.run(&REPLAY);
        disk.leave_free(None);
        if ended.code == Some(0) {
            break;
        }
        stopped += 1;
        let code = ended.code;
        assert!(matches!(code, Some(74 | 78)), "{code:?} {}", ended.stderr);
        // Another destination would help nobody.
        assert!(!ended.stderr.contains("--dest"), "{}", ended.stderr);
        ended
            .with(code.unwrap_or_default())
            .saying(&["store.spool", "AIRUDDER_STORE_SPOOL"]);
    }
    assert!(stopped >= 2, "only {stopped} times it was full");
    exporter.run(&REPLAY).done();
    exporter.run(&["verify"]).done();
}

#[test]
#[ignore = "needs to mount: just test-all"]
fn a_disk_without_inodes_loses_nothing() {
    let disk = match Disk::new("size=16m,nr_inodes=2000") {
        Ok(disk) => disk,
        Err(why) => return skip(&why),
    };
    let folder = folder();
    let (exporter, expected) = scene(folder.path());
    let fillers = disk.root().join("fillers");
    let mut stopped = 0;
    for free in [0, 3, 8, 30, 90, 160] {
        let exporter = exporter
            .clone()
            .lake_at(&disk.root().join(format!("lake-{free}")));
        fs::create_dir(&fillers).expect("an inode is free");
        let mut made = Vec::new();
        for number in 0.. {
            let path = fillers.join(format!("{number}"));
            if fs::File::create(&path).is_err() {
                break;
            }
            made.push(path);
        }
        made.iter()
            .rev()
            .take(free)
            .for_each(|path| fs::remove_file(path).expect("ours"));
        let ended = exporter.run(&REPLAY);
        if ended.code != Some(0) {
            stopped += 1;
            assert_stopped(ended, &exporter, "the disk is full");
        }
        fs::remove_dir_all(&fillers).expect("ours");
        assert_completes(&exporter, &REPLAY, &expected);
        fs::remove_dir_all(exporter.dest()).expect("it is ours");
    }
    assert!(stopped >= 4, "only {stopped} times it was full");
}

#[test]
#[ignore = "needs to mount: just test-all"]
fn a_read_only_mount_is_named_and_nothing_is_lost() {
    let mut disk = match Disk::new("size=16m") {
        Ok(disk) => disk,
        Err(why) => return skip(&why),
    };
    let folder = folder();
    let (exporter, expected) = scene(folder.path());
    let exporter = exporter.lake_at(&disk.root().join("lake"));
    let first = ["replay", "answers/00.json", "answers/01.json"];
    exporter.run(&first).done();
    disk.remount("ro");
    let ended = exporter.run(&REPLAY);
    assert_stopped(ended, &exporter, "read-only");
    disk.remount("rw");
    assert_completes(&exporter, &REPLAY, &expected);
}

#[cfg(unix)]
#[test]
#[ignore = "needs setpriv: just test-all"]
fn a_folder_that_may_not_be_written_is_named() {
    use std::os::unix::fs::PermissionsExt as _;
    // Root may do anything, unless it gives that up.
    let plain = [
        "setpriv",
        "--bounding-set=-dac_override,-dac_read_search",
        "--inh-caps=-all",
    ];
    let folder = folder();
    let (exporter, expected) = scene(folder.path());
    let exporter = exporter.lake("other");
    let is_root = fs::metadata("/proc/self").is_ok_and(|meta| {
        use std::os::unix::fs::MetadataExt as _;
        meta.uid() == 0
    });
    let powerless = if is_root {
        if let Err(why) = works(plain[0], &[&plain[1..], &["true"]].concat()) {
            return skip(&why);
        }
        exporter.through(&plain)
    } else {
        exporter.clone()
    };
    exporter.run(&["replay", "answers/00.json"]).done();
    let set = |path: &str, mode: u32| {
        let path = exporter.dest().join(path);
        fs::set_permissions(&path, fs::Permissions::from_mode(mode)).expect("ours");
    };
    for place in [
        "_export/commits",
        "_export/staging",
        "calls",
        "_export/days",
        "_export",
    ] {
        set(place, 0o500);
        let ended = powerless.run(&REPLAY);
        set(place, 0o755);
        if ended.code != Some(0) {
            assert_stopped(ended, &exporter, "permission denied");
        }
    }
    set("_export/commits", 0o000);
    let ended = powerless.run(&REPLAY);
    set("_export/commits", 0o755);
    assert_stopped(ended, &exporter, "permission denied");
    assert_completes(&exporter, &REPLAY, &expected);
}

#[test]
#[ignore = "needs prlimit: just test-all"]
fn too_many_open_files_are_a_clear_error() {
    if let Err(why) = works("prlimit", &["--nofile=64", "true"]) {
        return skip(&why);
    }
    let folder = folder();
    let (exporter, expected) = scene(folder.path());
    let mut stopped = 0;
    for limit in [16, 20, 24, 32, 48, 96] {
        let exporter = exporter.clone().lake(&format!("lake-{limit}"));
        let few = exporter.through(&["prlimit", &format!("--nofile={limit}")]);
        let ended = few.run(&REPLAY);
        if ended.code != Some(0) {
            stopped += 1;
            assert_stopped(ended, &exporter, "raise the limit (ulimit -n)");
        }
        assert_completes(&exporter, &REPLAY, &expected);
    }
    assert!(stopped >= 1, "no limit was too low");
}

#[test]
#[ignore = "needs strace: just test-all"]
fn errors_of_the_disk_at_any_call_lose_nothing() {
    let inject = |call: &str, nth: u32| strace(call, &format!("error=EIO:when={nth}+"));
    if let Err(why) = inject("fsync", 1) {
        return skip(&why);
    }
    let folder = folder();
    let (exporter, expected) = scene(folder.path());
    let some = ["replay", "answers/03.json", "answers/04.json"];
    for call in ["fsync", "rename", "linkat", "unlink", "mkdir"] {
        let mut stopped = 0;
        for nth in 1..=3 {
            let exporter = exporter.clone().lake(&format!("lake-{call}-{nth}"));
            exporter.run(&["replay", "answers/00.json"]).done();
            let wrapper = inject(call, nth).expect("it works here");
            let wrapper: Vec<&str> = wrapper.iter().map(String::as_str).collect();
            let ended = exporter.through(&wrapper).run(&some);
            if ended.code != Some(0) {
                stopped += 1;
                assert_stopped(ended, &exporter, "Input/output error");
            }
            if nth == 1 {
                assert_completes(&exporter, &REPLAY, &expected);
            }
        }
        assert!(stopped > 0, "{call} never failed");
    }
}

#[test]
fn a_destination_that_vanishes_is_named_and_the_next_run_completes() {
    let options = SandboxOptions {
        latency: Duration::from_millis(40),
        ..past_days(2, 24, 6)
    };
    let expected = undisturbed(&options);
    let (folder, vendor) = (folder(), Vendor::start(options));
    let exporter = Exporter::new(folder.path())
        .against(vendor.url())
        .at(NOW)
        .job(
            "[api]\nrate = \"2000/s\"\nburst = 100\nconcurrency = 2\n[write]\ncommit_calls = 30\n",
        );
    let running = exporter.start(&WEEK);
    while vendor.stats().details_complete.len() < 12 {
        thread::sleep(Duration::from_millis(5));
    }
    let away = folder.path().join("away");
    fs::rename(exporter.dest(), &away).expect("ours");
    let dest = exporter.dest();
    running
        .wait()
        .with(74)
        .saying(&["failed to", dest.to_str().expect("Unicode"), "it is gone"]);
    // What it may have made anew at the old place is no lake.
    drop(fs::remove_dir_all(&dest));
    fs::rename(&away, &dest).expect("ours");
    assert_completes(&exporter, &WEEK, &expected);
}

/// At each named point of a commit and of its publication, with the process held there: whatever is
/// missing then is missing with the whole lake, and no damage of it.
#[rstest]
#[case("commit.begun")]
#[case("commit.record_named")]
#[case("commit.durable")]
#[case("publish.file_moved")]
#[case("publish.moved")]
#[case("publish.synced")]
#[case("day.written")]
fn a_destination_that_vanishes_at_a_point_is_no_damage(#[case] point: &str) {
    let options = past_days(2, 6, 4);
    let expected = undisturbed(&options);
    let (folder, vendor) = (folder(), Vendor::start(options));
    let exporter = Exporter::new(folder.path()).against(vendor.url()).at(NOW);
    let mut running = exporter.dying_at(&format!("stop:{point}")).start(&WEEK);
    assert!(running.is_held(), "{point}: {}", running.said());
    let away = folder.path().join("away");
    fs::rename(exporter.dest(), &away).expect("ours");
    // It may come to the point again.
    while running.is_running() {
        running.signal("CONT");
        thread::sleep(Duration::from_millis(20));
    }
    let dest = exporter.dest();
    running
        .wait()
        .with(74)
        .saying(&["failed to", dest.to_str().expect("Unicode"), "it is gone"]);
    drop(fs::remove_dir_all(&dest));
    fs::rename(&away, &dest).expect("ours");
    assert_completes(&exporter, &WEEK, &expected);
}
