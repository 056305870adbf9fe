//! A way out of every fault: what a run that failed leaves, what `status` and the last line say of it,
//! and what the file system or the machine lacks is said before anything is pulled.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::Command;

use rstest::rstest;
use serde_json::Value;

use crate::harness::bucket::Bucket;
use crate::harness::disk::{strace, works};
use crate::harness::scripted::{Reply, Scripted, answer};
use crate::harness::servers::{Kind, Server};
use crate::harness::vendor::past_days;
use crate::harness::{Ended, Exporter, LakeView, NOW, Vendor, folder, skip};

const ONE: [&str; 2] = ["replay", "one.json"];

fn save(folder: &Path, name: &str, task: &str) {
    let detail = r#"[{"id":1,"CallID":"c","CallStartTime":"2024-03-11T08:00:00Z"}]"#;
    fs::write(folder.join(name), answer(task, detail)).expect("writable");
}

/// A lake with one task, and another one to take.
fn scene(folder: &Path) -> Exporter {
    save(folder, "zero.json", "task-0");
    save(folder, "one.json", "task-1");
    let exporter = Exporter::new(folder);
    exporter.run(&["replay", "zero.json"]).done();
    exporter
}

/// The last line of standard error as an object.
#[track_caller]
fn last_line(ended: &Ended) -> Value {
    let objects = ended.stderr.lines().map(|line| {
        serde_json::from_str::<Value>(line).unwrap_or_else(|why| panic!("{why}: {}", ended.stderr))
    });
    // All of them are read: nothing else is there.
    let objects: Vec<Value> = objects.collect();
    objects.into_iter().next_back().expect("it said something")
}

#[track_caller]
fn assert_last_line(ended: &Ended, code: i64, part: &str) {
    let line = last_line(ended);
    assert_eq!(line["exit_code"], code, "{line}");
    assert_eq!(line["level"], "ERROR", "{line}");
    assert!(line["timestamp"].is_string(), "{line}");
    let said = line["message"].as_str().expect("a text");
    assert!(said.contains(part), "{line}");
    assert!(
        !line["advice"].as_str().expect("a text").is_empty(),
        "{line}"
    );
}

/// The reports in the lake.
fn reports(exporter: &Exporter) -> Vec<Value> {
    let folder = exporter.dest().join("_export/runs");
    let files = fs::read_dir(folder)
        .expect("runs leave reports")
        .map(|entry| entry.expect("readable").path());
    let read = |path| serde_json::from_slice(&fs::read(path).expect("readable")).expect("JSON");
    files.map(read).collect()
}

#[test]
fn a_commit_that_cannot_be_published_leaves_a_report_and_status_shows_it() {
    let folder = folder();
    let exporter = scene(folder.path());
    let tasks = exporter.dest().join("tasks");
    let aside = exporter.dest().join("tasks-aside");
    fs::rename(&tasks, &aside).expect("ours");
    fs::write(&tasks, "no folder").expect("ours");
    let failed = exporter.run(&ONE).with(74);
    failed.saying(&["tasks", "a file is where a folder is needed"]);
    let mut reports_of = reports(&exporter).into_iter();
    let report = reports_of
        .find(|report| report["exit_code"] == 74)
        .expect("it left one");
    assert_eq!(report["outcome"], "destination", "{report}");
    assert_eq!(report["stopped"]["why"], "destination", "{report}");
    let why = report["stopped"]["detail"].as_str().expect("a text");
    assert!(why.contains("a file is where a folder is needed"), "{why}");

    let status = exporter.run(&["status"]).done();
    for part in [
        "commit 2 is durable and not published",
        "the next one publishes",
        "exit code 74",
        "a file is where a folder is needed",
    ] {
        assert!(status.stdout.contains(part), "{part}: {}", status.stdout);
    }
    let json = exporter.run(&["status", "--format", "json"]).done().json();
    assert_eq!(json["attention"]["not_published"]["first"], 2);
    assert_eq!(json["attention"]["not_published"]["last"], 2);

    // The next start fails as well, and says so too.
    exporter.run(&ONE).with(74);
    assert_eq!(reports(&exporter).len(), 3);
    fs::remove_file(&tasks).expect("ours");
    fs::rename(&aside, &tasks).expect("ours");
    exporter.run(&ONE).done();
    exporter.run(&["verify"]).done();
    let status = exporter.run(&["status"]).done();
    assert!(
        !status.stdout.contains("not published"),
        "{}",
        status.stdout
    );
    assert_eq!(LakeView::new(exporter.dest()).counts()[3], 2);
}

#[rstest]
#[case(&["run", "--rata", "5/s"], 64, "--rata")]
#[case(&["rnu"], 64, "rnu")]
#[case(&["run", "--rate", "fast"], 64, "--rate")]
#[case(&["verify"], 74, "there is no such folder")]
#[case(&["status", "--job", "nowhere.toml"], 78, "nowhere.toml")]
fn with_json_log_lines_the_last_line_is_an_object_too(
    #[case] args: &[&str],
    #[case] code: i32,
    #[case] part: &str,
    #[values("flag", "joined", "environment")] way: &str,
) {
    let folder = folder();
    let exporter = Exporter::new(folder.path()).lake("nowhere");
    let ended = match way {
        "flag" => exporter.run(&[args, &["--log-format", "json"]].concat()),
        "joined" => exporter.run(&[args, &["--log-format=json"]].concat()),
        _ => exporter.set("AIRUDDER_LOG_FORMAT", "json").run(args),
    };
    assert_last_line(&ended.with(code), code.into(), part);
}

#[test]
fn what_ends_neither_well_nor_with_an_error_has_such_a_line_too() {
    let folder = folder();
    let exporter = scene(folder.path()).set("AIRUDDER_LOG_FORMAT", "json");
    let stray = exporter
        .dest()
        .join("calls/call_date=2024-03-11/stray.parquet");
    fs::write(stray, "nobody's").expect("ours");
    assert_last_line(&exporter.run(&["verify"]).with(65), 65, "");
    let by_job = exporter
        .unset("AIRUDDER_LOG_FORMAT")
        .job("[output]\nlog_format = \"json\"\n");
    assert_last_line(&by_job.run(&["verify"]).with(65), 65, "");
    by_job.run(&["--help"]).done();
}

#[test]
fn a_file_that_has_the_name_of_a_committed_one_is_not_written_over() {
    let folder = folder();
    let exporter = scene(folder.path());
    exporter.dying_at("commit.durable").run(&ONE);
    let staging = exporter.dest().join("_export/staging");
    let run = fs::read_dir(&staging).expect("it died").next();
    let run = run.expect("one").expect("readable");
    let mut staged = fs::read_dir(run.path()).expect("a folder").flatten();
    let staged = staged.find(|file| file.file_name().to_string_lossy().ends_with(".parquet"));
    let name = staged.expect("its files wait").file_name();
    // Where it belongs is in its record.
    let record = fs::read_dir(exporter.dest().join("_export/commits"))
        .expect("a log")
        .map(|entry| fs::read_to_string(entry.expect("readable").path()).expect("text"))
        .find(|text| text.contains(name.to_str().expect("ASCII")))
        .expect("it is committed");
    let record: Value = serde_json::from_str(&record).expect("JSON");
    let file = record["changes"]["files"].as_array().expect("files").iter();
    let file = file
        .clone()
        .find(|file| file["name"] == name.to_str().expect("ASCII"));
    let file = file.expect("it is named");
    let table = file["table"].as_str().expect("a name");
    let key = if table == "tasks" {
        "task_date"
    } else {
        "call_date"
    };
    let partition = file["partition"]
        .as_str()
        .unwrap_or("__HIVE_DEFAULT_PARTITION__");
    let place = exporter.dest().join(format!("{table}/{key}={partition}"));
    fs::create_dir_all(&place).expect("ours");
    let place = place.join(&name);
    fs::write(&place, "another one's").expect("ours");
    exporter
        .run(&ONE)
        .with(65)
        .saying(&["another file has the name"]);
    assert_eq!(fs::read_to_string(&place).expect("there"), "another one's");
    fs::remove_file(&place).expect("ours");
    exporter.run(&ONE).done();
    exporter.run(&["verify"]).done();
}

/// The program with a system call that always fails so.
fn failing(exporter: &Exporter, call: &str, error: &str) -> Result<Exporter, String> {
    let words = strace(call, &format!("error={error}"))?;
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    Ok(exporter.through(&words))
}

#[rstest]
#[ignore = "needs strace: just test-all"]
fn a_file_system_without_hard_links_is_told_before_anything_is_pulled(
    #[values("EPERM", "EOPNOTSUPP", "ENOSYS")] error: &str,
) {
    let (folder, vendor) = (folder(), Vendor::start(past_days(1, 2, 2)));
    let exporter = Exporter::new(folder.path()).against(vendor.url()).at(NOW);
    let exporter = match failing(&exporter, "link,linkat", error) {
        Ok(exporter) => exporter,
        Err(why) => return skip(&why),
    };
    let ended = exporter.run(&["run"]).with(74);
    ended.saying(&["hard links", "--dest"]);
    assert!(
        vendor.stats().requests.is_empty(),
        "{:?}",
        vendor.stats().requests
    );
    let left = fs::read_dir(exporter.dest().join("_export/staging")).map_or(0, Iterator::count);
    assert_eq!(left, 0);
}

#[test]
#[ignore = "needs object stores from PyPI: just test-all"]
fn a_spool_that_cannot_be_made_names_its_setting() {
    let folder = folder();
    fs::write(folder.path().join("file"), "").expect("writable");
    save(folder.path(), "one.json", "task-1");
    let spool = folder.path().join("file/spool");
    let bucket = match Server::of(Kind::Moto) {
        Ok(server) => Bucket::new(server, "no-spool"),
        Err(why) => return skip(&why),
    };
    let exporter = bucket
        .exporter(&Exporter::new(folder.path()))
        .set("AIRUDDER_STORE_SPOOL", spool.to_str().expect("Unicode"));
    exporter
        .run(&ONE)
        .with(78)
        .saying(&["AIRUDDER_STORE_SPOOL", "file"]);
}

#[test]
#[ignore = "needs prlimit and setpriv: just test-all"]
fn too_few_threads_are_no_bug() {
    let plain = [
        "setpriv",
        "--reuid=65534",
        "--clear-groups",
        "--inh-caps=-all",
        "--bounding-set=-all",
    ];
    if let Err(why) = works(plain[0], &[&plain[1..], &["true"]].concat()) {
        return skip(&why);
    }
    // The other user must get to the job file, which the target folder may not let him.
    let folder = tempfile::tempdir().expect("a temporary folder can be made");
    let exporter = scene(folder.path());
    let open = fs::Permissions::from_mode(0o755);
    fs::set_permissions(folder.path(), open).expect("ours");
    let mut stopped = 0;
    for limit in 1..24 {
        let limit = format!("--nproc={limit}");
        let words = [&["prlimit", &limit][..], &plain].concat();
        // Whoever may not read it ends with 74; the question is what ends with 70, or never.
        for command in ["status", "verify"] {
            let ended = exporter.through(&words).run(&[command]);
            if ended.code == Some(78) {
                stopped += 1;
                ended.saying(&["threads", "ulimit -u"]);
            } else {
                assert!(
                    matches!(ended.code, Some(0 | 74)),
                    "{command} with {limit}: {:?}: {}{}",
                    ended.code,
                    ended.stdout,
                    ended.stderr
                );
            }
        }
    }
    assert!(stopped > 0, "no limit was too low");
}

#[test]
#[ignore = "needs prlimit: just test-all"]
fn too_few_descriptors_are_no_bug() {
    if let Err(why) = works("prlimit", &["--nofile=64", "true"]) {
        return skip(&why);
    }
    let (folder, vendor) = (folder(), Vendor::start(past_days(1, 2, 2)));
    let exporter = scene(folder.path()).against(vendor.url()).at(NOW);
    for limit in 4..24 {
        let few = exporter.through(&["prlimit", &format!("--nofile={limit}")]);
        for command in [&["status"][..], &["run"]] {
            let ended = few.run(command);
            let is_told = ended.stderr.contains("ulimit -n");
            assert!(
                matches!(ended.code, Some(0))
                    || is_told && matches!(ended.code, Some(69 | 74 | 78)),
                "{command:?} with {limit}: {:?} {}",
                ended.code,
                ended.stderr
            );
        }
    }
}

/// What the client of an NFS does when the answer to a request was lost: it asks once more, and the server
/// says what is true by then. `RENAME=3` does that to the third call.
const ASKING_TWICE: &str = r#"
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <stdlib.h>
static int is_due(const char *name, int *count) {
    const char *nth = getenv(name);
    return nth && ++*count == atoi(nth);
}
static int renames, links, unlinks;
int rename(const char *from, const char *to) {
    int (*real)(const char *, const char *) = dlsym(RTLD_NEXT, "rename");
    int done = real(from, to);
    if (done == 0 && is_due("RENAME", &renames)) { errno = ENOENT; return -1; }
    return done;
}
int linkat(int a, const char *from, int b, const char *to, int flags) {
    int (*real)(int, const char *, int, const char *, int) = dlsym(RTLD_NEXT, "linkat");
    int done = real(a, from, b, to, flags);
    if (done == 0 && is_due("LINK", &links)) { errno = EEXIST; return -1; }
    return done;
}
int unlink(const char *path) {
    int (*real)(const char *) = dlsym(RTLD_NEXT, "unlink");
    int done = real(path);
    if (done == 0 && is_due("UNLINK", &unlinks)) { errno = ENOENT; return -1; }
    return done;
}
"#;

#[cfg(target_os = "linux")]
#[test]
fn what_an_nfs_client_asks_twice_is_done_once() {
    let folder = folder();
    let (source, library) = (
        folder.path().join("twice.c"),
        folder.path().join("twice.so"),
    );
    fs::write(&source, ASKING_TWICE).expect("writable");
    let [source, library] = [&source, &library].map(|path| path.to_str().expect("Unicode"));
    if let Err(why) = works("cc", &["-shared", "-fPIC", "-o", library, source, "-ldl"]) {
        return skip(&why);
    }
    save(folder.path(), "one.json", "task-1");
    for call in ["RENAME", "LINK", "UNLINK"] {
        for nth in 1..12 {
            let exporter = Exporter::new(folder.path()).lake(&format!("{call}-{nth}"));
            let twice = exporter
                .clone()
                .set("LD_PRELOAD", library)
                .set(call, &nth.to_string());
            twice.run(&ONE).done();
            exporter.run(&["verify"]).done();
            twice.run(&["replay", "one.json", "--replace"]).done();
            exporter.run(&["verify"]).done();
        }
    }
}

#[test]
#[ignore = "needs prlimit: just test-all"]
fn few_descriptors_are_never_taken_for_damage() {
    if let Err(why) = works("prlimit", &["--nofile=64", "true"]) {
        return skip(&why);
    }
    let folder = folder();
    let exporter = scene(folder.path());
    for day in 12..18 {
        let detail = format!(
            r#"[{{"id":1,"CallStartTime":"2024-03-{day}T08:00:00Z","RedailCall":[{{}}],"AsrResult":[{{"text":"x"}}]}}]"#
        );
        let saved = answer(&format!("task-of-{day}"), &detail);
        fs::write(folder.path().join(format!("{day}.json")), saved).expect("writable");
        exporter.run(&["replay", &format!("{day}.json")]).done();
    }
    let few = |limit: u32| exporter.through(&["prlimit", &format!("--nofile={limit}")]);
    let mut refused = 0;
    let mut holds = |limit: u32, command: &[&str]| {
        let ended = few(limit).run(command);
        let is_told = ended.stderr.contains("ulimit -n");
        refused += u32::from(ended.code != Some(0));
        assert!(
            ended.code == Some(0) || is_told && matches!(ended.code, Some(74 | 78)),
            "{command:?} with {limit}: {:?} {}{}",
            ended.code,
            ended.stdout,
            ended.stderr
        );
    };
    for limit in 4..24 {
        for command in [&["verify"][..], &["files"], &["vacuum", "--dry-run"]] {
            holds(limit, command);
        }
    }
    for limit in (5..24).rev() {
        for command in [
            &["replay", "12.json", "13.json", "--replace"][..],
            &["compact"],
            &["files", "--hold", "1h"],
            &["vacuum"],
        ] {
            holds(limit, command);
        }
    }
    assert!(refused > 0, "no limit was too low");
    exporter
        .run(&["replay", "12.json", "13.json", "--replace"])
        .done();
    exporter.run(&["verify"]).done();
    let aside = exporter.dest().join("_export/quarantine");
    assert!(!aside.exists(), "sound files were put aside");
}

#[rstest]
#[case("openat", "EACCES", 74, "permission denied")]
#[case("openat", "ENOMEM", 74, "")]
#[case("openat", "ESTALE", 74, "")]
#[case("pread64", "ENOMEM", 74, "")]
#[case("pread64", "ETIMEDOUT", 74, "")]
#[case("pread64", "EIO", 65, "file_unreadable")]
#[case("pread64", "EBADMSG", 65, "file_unreadable")]
#[ignore = "needs strace: just test-all"]
fn only_what_the_disk_says_of_a_file_is_damage(
    #[case] call: &str,
    #[case] error: &str,
    #[case] code: i32,
    #[case] saying: &str,
) {
    let folder = folder();
    let exporter = scene(folder.path());
    let file = exporter
        .run(&["files", "--table", "calls"])
        .done()
        .stdout
        .trim()
        .to_owned();
    let mut words = match strace(call, &format!("error={error}")) {
        Ok(words) => words,
        Err(why) => return skip(&why),
    };
    words.extend(["-P".to_owned(), file.clone()]);
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    let ended = exporter.through(&words).run(&["verify"]).with(code);
    let told = format!("{}{}", ended.stdout, ended.stderr);
    let name = Path::new(&file).file_name().expect("a name");
    assert!(told.contains(name.to_str().expect("ASCII")), "{told}");
    assert!(told.contains(saying), "{told}");
    // Nor is it put aside by who would replace its rows.
    exporter
        .through(&words)
        .run(&["replay", "zero.json", "--replace"])
        .with(if code == 65 { 0 } else { 74 });
    let aside = exporter.dest().join("_export/quarantine").exists();
    assert_eq!(aside, code == 65);
    exporter.run(&["replay", "zero.json", "--replace"]).done();
    exporter.run(&["verify"]).done();
}

#[cfg(unix)]
#[test]
fn nobody_who_may_only_read_holds_a_writer_up() {
    use std::os::unix::fs::PermissionsExt as _;
    let folder = folder();
    let exporter = scene(folder.path());
    let lock = exporter.dest().join("_export/update.lock");
    let mode = || fs::metadata(&lock).expect("there").permissions().mode();
    assert_eq!(mode() & 0o044, 0, "{:o}", mode());
    // One of an earlier version.
    fs::set_permissions(&lock, fs::Permissions::from_mode(0o644)).expect("ours");
    exporter.run(&ONE).done();
    assert_eq!(mode() & 0o044, 0, "{:o}", mode());
}

#[test]
fn a_lock_that_is_held_is_told_and_a_signal_ends_the_wait() {
    let folder = folder();
    let exporter = scene(folder.path());
    let lock = fs::File::options()
        .write(true)
        .open(exporter.dest().join("_export/update.lock"))
        .expect("there");
    lock.lock().expect("free");
    let mut running = exporter.start(&ONE);
    while !running.said().contains("waiting for the lock") {
        assert!(running.is_running(), "{}", running.said());
        std::thread::yield_now();
    }
    let told = std::time::Instant::now();
    running.signal("TERM");
    let ended = running.wait();
    assert!(told.elapsed().as_secs() < 10, "{:?}", told.elapsed());
    ended.with(74).saying(&["update.lock", "another process"]);
    drop(lock);
    exporter.run(&ONE).done();
    exporter.run(&["verify"]).done();
}

#[cfg(unix)]
#[test]
fn special_files_in_export_are_named_and_block_no_command() {
    let folder = folder();
    let exporter = scene(folder.path());
    let fifo = |path: &str| {
        let path = exporter.dest().join(path);
        fs::create_dir_all(path.parent().expect("a folder")).expect("ours");
        let made = Command::new("mkfifo").arg(&path).status();
        assert!(made.expect("every Unix has it").success());
        path
    };
    let lock = fifo("_export/staging/20240101T000000Z-aaaaaa/lock");
    exporter
        .run(&ONE)
        .done()
        .saying(&["20240101T000000Z-aaaaaa is left alone", "`lock`"]);
    assert!(lock.exists(), "it is not one of ours");
    let record = exporter
        .dest()
        .join("_export/commits")
        .join(format!("{:020}.json", 2));
    fs::remove_file(&record).expect("it was committed");
    fifo(&format!("_export/commits/{:020}.json", 2));
    for command in [&["status"][..], &["verify"], &["replay", "zero.json"]] {
        exporter.run(command).with(65).saying(&["0002.json"]);
    }
}

#[test]
#[ignore = "needs bindfs: just test-all"]
fn staging_folders_are_removed_where_open_files_keep_a_name() {
    for tool in ["bindfs", "umount"] {
        if let Err(why) = works(tool, &["--version"]) {
            return skip(&why);
        }
    }
    let folder = folder();
    let (real, mount) = (folder.path().join("real"), folder.path().join("mount"));
    fs::create_dir_all(&real).expect("ours");
    fs::create_dir_all(&mount).expect("ours");
    let [from, to] = [&real, &mount].map(|path| path.to_str().expect("Unicode"));
    if let Err(why) = works("bindfs", &[from, to]) {
        return skip(&why);
    }
    save(folder.path(), "one.json", "task-1");
    let exporter = Exporter::new(folder.path()).lake_at(&mount.join("lake"));
    let runs = [
        &ONE[..],
        &["replay", "one.json", "--replace"],
        &["replay", "one.json", "--replace"],
    ];
    let ended: Vec<Ended> = runs.map(|run| exporter.run(run)).into_iter().collect();
    let left = fs::read_dir(real.join("lake/_export/staging")).map_or(0, Iterator::count);
    let unmounted = Command::new("umount").arg(&mount).status();
    assert!(unmounted.is_ok_and(|status| status.success()));
    for ended in ended {
        let said = ended.done().stderr;
        assert!(!said.contains("ended early"), "{said}");
    }
    assert_eq!(left, 0);
}

#[test]
fn credentials_that_are_not_set_are_named_with_the_store_that_refuses() {
    // The store and the service that hands out a machine's role, both without access.
    let server = Scripted::start(|_| Some(Reply::status(403, "")));
    let folder = folder();
    let exporter = Exporter::new(folder.path())
        .job("[store]\nretry_time = \"500ms\"\nregion = \"ap-southeast-3\"\n")
        .lake_at(Path::new("s3://bucket/lake"))
        .set("AWS_ENDPOINT_URL", server.url())
        .set("AWS_METADATA_ENDPOINT", server.url());
    for command in [["verify"], ["status"], ["files"]] {
        let ended = exporter.run(&command).with(74);
        ended.saying(&["403 (AWS_ACCESS_KEY_ID is not set)", "set the credentials"]);
    }
    let told = exporter.run(&["doctor"]).stdout;
    for said in [
        server.url(),
        "region ap-southeast-3",
        "the role of this machine, since AWS_ACCESS_KEY_ID is not set",
        "(AWS_ACCESS_KEY_ID is not set)",
    ] {
        assert!(told.contains(said), "no `{said}`: {told}");
    }
    let keyed = exporter
        .set("AWS_ACCESS_KEY_ID", "key")
        .set("AWS_SECRET_ACCESS_KEY", "MARK-SECRET");
    let ended = keyed.run(&["verify"]).with(74);
    assert!(!ended.stderr.contains("is not set"), "{}", ended.stderr);
    let told = keyed.run(&["doctor"]).stdout;
    assert!(told.contains("credentials by AWS_ACCESS_KEY_ID"), "{told}");
    assert!(!told.contains("MARK-SECRET"), "{told}");
}
