//! Saved answers in a bucket.

use std::io::Write as _;

use crate::harness::bucket::Bucket;
use crate::harness::saved::SavedBucket;
use crate::harness::scripted::answer;
use crate::harness::servers::{Kind, Server};
use crate::harness::{Exporter, LakeView, folder, skip};

fn gzip(text: &str) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(text.as_bytes()).expect("memory");
    encoder.finish().expect("memory")
}

fn zstd(text: &str) -> Vec<u8> {
    zstd::encode_all(text.as_bytes(), 1).expect("memory")
}

fn tasks(exporter: &Exporter) -> Vec<String> {
    let rows = LakeView::new(exporter.dest()).table("tasks");
    rows.iter().map(|row| row["task_id"].to_string()).collect()
}

/// An answer of several blocks of 1 MiB.
fn large(task: &str) -> String {
    let calls: Vec<String> = (0..20_000)
        .map(|id| format!(r#"{{"id":{id},"Comments":"{}"}}"#, "x".repeat(100)))
        .collect();
    answer(task, &format!("[{}]", calls.join(",")))
}

fn archive() -> Vec<(&'static str, Vec<u8>)> {
    vec![
        ("answers/a.json", answer("plain", "[{}]").into_bytes()),
        ("answers/b.json.gz", gzip(&answer("gzip", "[{}]"))),
        ("answers/deep/c.json.zst", zstd(&answer("zstd", "[{}]"))),
        ("answers/deep/large.json", large("large").into_bytes()),
        ("answers/README.txt", b"no answer".to_vec()),
        ("elsewhere/d.json", answer("elsewhere", "[{}]").into_bytes()),
    ]
}

#[test]
fn a_prefix_is_taken_with_all_that_is_below_it_and_cut_answers_are_asked_for_again() {
    let (folder, bucket) = (folder(), SavedBucket::with(&archive()));
    let exporter = bucket.found_by(Exporter::new(folder.path()));
    let ended = exporter.run(&["replay", "s3://archive/answers"]).done();
    assert!(!ended.stderr.contains("not used"), "{}", ended.stderr);
    assert!(!ended.stderr.contains("MARK"), "{}", ended.stderr);
    assert_eq!(tasks(&exporter), ["gzip", "large", "plain", "zstd"]);
    let view = LakeView::new(exporter.dest());
    assert_eq!(view.table("calls").len(), 20_003);
    exporter.run(&["verify"]).done();
    let asked = bucket.asked();
    assert!(
        !asked
            .iter()
            .any(|line| line.contains("README") || line.contains("elsewhere"))
    );
    // Sealed: nothing but the beginning is read again.
    let ended = exporter
        .run(&["replay", "s3://archive/answers/", "--format", "json"])
        .done();
    assert_eq!(
        ended.json()["tasks"]["accepted"].as_u64().unwrap_or(0),
        0,
        "{}",
        ended.stdout
    );
}

#[test]
fn objects_and_files_are_named_or_listed_together() {
    let (folder, bucket) = (folder(), SavedBucket::with(&archive()));
    std::fs::write(folder.path().join("local.json"), answer("local", "[{}]")).expect("writable");
    let exporter = bucket.found_by(Exporter::new(folder.path()));
    let list = "s3://archive/answers/b.json.gz\n\ns3://archive/elsewhere/d.json\n";
    exporter
        .run_with(
            &["replay", "local.json", "s3://archive/answers/a.json", "-"],
            list,
        )
        .done();
    assert_eq!(tasks(&exporter), ["elsewhere", "gzip", "local", "plain"]);
}

#[test]
fn shards_divide_an_archive() {
    let (folder, bucket) = (folder(), SavedBucket::with(&archive()));
    let exporter = bucket.found_by(Exporter::new(folder.path()));
    for shard in ["1/3", "2/3", "3/3"] {
        exporter
            .run(&["replay", "s3://archive/", "--shard", shard])
            .done();
    }
    assert_eq!(
        tasks(&exporter),
        ["elsewhere", "gzip", "large", "plain", "zstd"]
    );
    exporter.run(&["verify"]).done();
}

#[test]
fn what_is_not_there_or_cannot_be_read_is_told() {
    let (folder, bucket) = (folder(), SavedBucket::with(&archive()));
    let quick = Exporter::new(folder.path()).job("[store]\nretry_time = \"200ms\"\n");
    let exporter = bucket.found_by(quick);
    let ended = exporter.run(&["replay", "s3://archive/nothing"]).with(64);
    ended.saying(&["prefixes"]);
    // A list names what it names: one that is gone is a reject, and the others are taken.
    let list = "s3://archive/answers/gone.json\ns3://archive/answers/a.json\n";
    let ended = exporter.run_with(&["replay", "-"], list).with(65);
    ended.saying(&["s3://archive/answers/gone.json", "cannot be read"]);
    assert_eq!(tasks(&exporter), ["plain"]);
    let away = exporter.set("AIRUDDER_STORE_ENDPOINT", "http://127.0.0.1:1");
    let ended = away.run(&["replay", "s3://archive/answers"]).with(74);
    let ended = ended.saying(&["s3://archive/answers"]);
    assert!(!ended.stderr.contains("MARK"), "{}", ended.stderr);
    // The store fails while answers are read: no answer is at fault.
    let ended = away
        .run_with(&["replay", "-"], "s3://archive/answers/b.json.gz\n")
        .with(74);
    ended.saying(&["s3://archive/answers/b.json.gz"]);
}

#[test]
#[ignore = "needs object stores from PyPI: just test-all"]
fn an_archive_and_a_lake_may_be_in_one_store() {
    let server = match Server::of(Kind::SeaweedFs) {
        Ok(server) => server,
        Err(why) => return skip(&why),
    };
    let folder = folder();
    let (archive_place, lake) = (server.dest("archive"), server.dest("replayed"));
    let bucket = Bucket::new(server, "archive");
    for (key, bytes) in archive() {
        bucket.put(key, bytes.leak());
    }
    let exporter = bucket
        .exporter(&Exporter::new(folder.path()))
        .set("AIRUDDER_DEST", &lake);
    let name = format!("{archive_place}/answers");
    exporter.run(&["replay", &name]).done();
    exporter.run(&["verify"]).done();
    let ended = exporter.run(&["status", "--format", "json"]).done();
    assert!(
        ended.stdout.contains("20003") || ended.stdout.contains("20,003"),
        "{}",
        ended.stdout
    );
}
