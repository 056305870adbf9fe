//! `verify`, `files` and `status` beside writers: a sound lake is found sound, whatever happens in it,
//! and what is broken is found all the same.

use std::fs;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use crate::harness::bucket::Bucket;
use crate::harness::scripted::answer;
use crate::harness::servers::{Kind, Server};
use crate::harness::{Exporter, LakeView, folder, skip};

/// Saved answers of tasks `0..count`, as they are in this version.
fn save(folder: &Path, name: &str, tasks: std::ops::Range<u32>) {
    let path = folder.join(name);
    fs::create_dir_all(&path).expect("writable");
    for task in tasks {
        let day = 11 + task % 3;
        let detail = format!(
            r#"[{{"id":1,"CallID":"{name}-{task}","CallStartTime":"2024-03-{day}T08:00:00Z","RedailCall":[{{"CallID":"r"}}],"AsrResult":[{{"time":"00:00:01","text":"x"}}]}}]"#
        );
        let text = answer(&format!("task-{task}"), &detail);
        fs::write(path.join(format!("{task}.json")), text).expect("writable");
    }
}

/// Runs these commands again and again until it is over.
fn busy(exporter: &Exporter, over: &AtomicBool, commands: &[&[&str]]) {
    while !over.load(Ordering::Relaxed) {
        for command in commands {
            let ended = exporter.run(command);
            // Two that rewrite one file: the slower one says so.
            assert!(
                matches!(ended.code, Some(0 | 75)),
                "{command:?}: {}",
                ended.stderr
            );
        }
    }
}

/// What the three commands that read say beside writers that never rest.
fn beside_writers(exporter: &Exporter, rounds: usize, look: impl Fn(&Exporter)) {
    let over = AtomicBool::new(false);
    let writers: [&[&[&str]]; 3] = [
        &[
            &["replay", "one", "--replace"],
            &["replay", "two", "--replace"],
        ],
        &[&["compact"]],
        &[
            &["replay", "three/30.json", "--replace"],
            &["replay", "three/31.json", "--replace"],
            &["vacuum", "--older-than", "0s"],
        ],
    ];
    thread::scope(|scope| {
        for commands in writers {
            let over = &over;
            scope.spawn(move || busy(exporter, over, commands));
        }
        let looked = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            for _ in 0..rounds {
                look(exporter);
            }
        }));
        over.store(true, Ordering::Relaxed);
        if let Err(panic) = looked {
            std::panic::resume_unwind(panic);
        }
    });
}

fn begun(folder: &Path, exporter: Exporter) -> Exporter {
    save(folder, "one", 0..12);
    save(folder, "two", 0..12);
    save(folder, "three", 30..34);
    exporter.run(&["replay", "one"]).done();
    for task in 30..34 {
        exporter
            .run(&["replay", &format!("three/{task}.json")])
            .done();
    }
    exporter
}

#[test]
fn a_sound_lake_is_found_sound_beside_writers() {
    found_sound(12);
}

#[test]
#[ignore = "takes a minute: just test-all"]
fn a_sound_lake_is_found_sound_many_times_beside_writers() {
    found_sound(40);
}

fn found_sound(rounds: usize) {
    let folder = folder();
    let exporter = begun(folder.path(), Exporter::new(folder.path()));
    beside_writers(&exporter, rounds, |exporter| {
        exporter.run(&["verify"]).done();
        exporter.run(&["status"]).done();
        exporter.run(&["files", "--format", "json"]).done();
    });
    exporter.run(&["verify"]).done();
}

#[test]
#[ignore = "needs object stores from PyPI: just test-all"]
fn a_sound_lake_is_found_sound_beside_writers_on_s3() {
    let server = match Server::of(Kind::SeaweedFs) {
        Ok(server) => server,
        Err(why) => return skip(&why),
    };
    let folder = folder();
    let bucket = Bucket::new(server, &format!("beside-{:016x}", fastrand::u64(..)));
    let exporter = bucket.exporter(&Exporter::new(folder.path()));
    let exporter = begun(folder.path(), exporter);
    beside_writers(&exporter, 6, |exporter| {
        exporter.run(&["verify"]).done();
        exporter.run(&["files"]).done();
    });
    exporter.run(&["verify"]).done();
}

#[test]
fn what_is_broken_is_found_beside_writers() {
    let folder = folder();
    let exporter = begun(folder.path(), Exporter::new(folder.path()));
    // A task that the writers leave alone, on a day of its own.
    let detail = r#"[{"id":1,"CallID":"c","CallStartTime":"2024-04-01T08:00:00Z"}]"#;
    fs::write(folder.path().join("alone.json"), answer("alone", detail)).expect("writable");
    exporter.run(&["replay", "alone.json"]).done();
    let lake = LakeView::new(exporter.dest());
    let calls = lake.live_files()["calls"].clone();
    let file = calls.iter().find(|file| file.contains("2024-04-01"));
    let file = file.expect("its file").clone();
    let stray = "calls/call_date=2024-04-01/stray.parquet";
    fs::copy(lake.root().join(&file), lake.root().join(stray)).expect("writable");
    fs::remove_file(lake.root().join(&file)).expect("it is there");
    fs::write(lake.root().join("_export/days/2024-04-01.json"), "{}").expect("writable");
    let over = AtomicBool::new(false);
    thread::scope(|scope| {
        let (exporter, over) = (&exporter, &over);
        let commands: &[&[&str]] = &[
            &["replay", "one", "--replace"],
            &["replay", "two", "--replace"],
        ];
        scope.spawn(move || busy(exporter, over, commands));
        let looked = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            for _ in 0..8 {
                let said = exporter.run(&["verify"]).with(65).stdout;
                for found in [
                    format!("file_missing  {file}"),
                    format!("stray_file  {stray}"),
                    "day_stale  _export/days/2024-04-01.json".to_owned(),
                ] {
                    assert!(said.contains(&found), "no {found} in {said}");
                }
            }
        }));
        over.store(true, Ordering::Relaxed);
        if let Err(panic) = looked {
            std::panic::resume_unwind(panic);
        }
    });
}
