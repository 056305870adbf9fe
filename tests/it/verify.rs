//! `verify` finds what is not as the commit log says.

use std::fs;
use std::path::PathBuf;

use serde_json::{Value, json};

use crate::harness::lake::below;
use crate::harness::vendor::past_days;
use crate::harness::{Ended, Exporter, LakeView, NOW, Vendor, folder};

struct Sound {
    exporter: Exporter,
    lake: LakeView,
    _folder: tempfile::TempDir,
}

impl Sound {
    fn new() -> Self {
        let (folder, vendor) = (folder(), Vendor::start(past_days(1, 4, 6)));
        let exporter = Exporter::new(folder.path()).against(vendor.url()).at(NOW);
        exporter.run(&["run"]).done();
        exporter.run(&["verify"]).done();
        let lake = LakeView::new(exporter.dest());
        Self {
            exporter,
            lake,
            _folder: folder,
        }
    }

    fn file(&self, table: &str) -> (String, PathBuf) {
        let path = self.lake.live_files()[table][0].clone();
        let whole = self.lake.root().join(&path);
        (path, whole)
    }

    /// Fails unless `verify` finds this in this place.
    #[track_caller]
    fn found(&self, kind: &str, place: &str) -> Ended {
        let ended = self.exporter.run(&["verify", "--format", "json"]).with(65);
        let findings = ended.json()["findings"]
            .as_array()
            .expect("findings")
            .clone();
        let is = |finding: &Value| {
            finding["kind"] == kind && finding["place"].as_str().is_some_and(|p| p.contains(place))
        };
        assert!(
            findings.iter().any(is),
            "no {kind} of {place} in {findings:#?}"
        );
        let text = self.exporter.run(&["verify"]).with(65);
        assert!(text.stdout.contains(place), "{}", text.stdout);
        ended
    }
}

#[test]
fn a_file_changed_by_one_byte_is_found() {
    for (table, place) in [
        ("calls", 0.0),
        ("redials", 0.3),
        ("asr_turns", 0.6),
        ("tasks", 0.99),
    ] {
        let sound = Sound::new();
        let (path, whole) = sound.file(table);
        let mut bytes = fs::read(&whole).expect("readable");
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_precision_loss,
            clippy::cast_sign_loss,
            reason = "somewhere in the file"
        )]
        let at = (bytes.len() as f64 * place) as usize;
        bytes[at] ^= 1;
        fs::write(&whole, bytes).expect("writable");
        sound.found("file_changed", &path);
    }
}

#[test]
fn a_file_that_is_missing_is_found() {
    let sound = Sound::new();
    let (path, whole) = sound.file("redials");
    fs::remove_file(whole).expect("it is there");
    sound.found("file_missing", &path);
}

#[test]
fn a_stray_file_is_found() {
    let sound = Sound::new();
    let (path, whole) = sound.file("calls");
    fs::copy(&whole, whole.with_file_name("stray.parquet")).expect("writable");
    let place = path.rsplit_once('/').expect("a folder").0;
    sound.found("stray_file", &format!("{place}/stray.parquet"));
}

#[test]
fn a_duplicate_task_is_found() {
    // Another commit that says of the same rows that they are new: what two writers would do
    // that know nothing of each other.
    let sound = Sound::new();
    let mut twin = sound.lake.commits().remove(0);
    twin["sequence"] = json!(2);
    for file in twin["changes"]["files"].as_array_mut().expect("files") {
        let name = file["name"].as_str().expect("a name").to_owned();
        let path = |table: &str, day: &str| {
            let column = crate::harness::lake::partition_column(table);
            sound.lake.root().join(format!("{table}/{column}={day}"))
        };
        let at = path(
            file["table"].as_str().expect("a table"),
            file["partition"].as_str().expect("a day"),
        );
        fs::copy(at.join(&name), at.join(format!("twin-{name}"))).expect("writable");
        file["name"] = json!(format!("twin-{name}"));
    }
    let commits = sound.lake.root().join("_export/commits");
    fs::write(commits.join("00000000000000000002.json"), twin.to_string()).expect("writable");
    fs::write(
        sound.lake.root().join("_export/published.json"),
        r#"{"sequence":2}"#,
    )
    .expect("writable");
    let ended = sound.exporter.run(&["verify", "--format", "json"]).with(65);
    let said = format!("{}{}", ended.stdout, ended.stderr);
    assert!(
        said.contains("duplicate_row") || said.contains("already"),
        "a task that is there twice is not found: {said}"
    );
}

#[test]
fn commits_that_nobody_published_are_found_and_the_next_writer_publishes_them() {
    let sound = Sound::new();
    let published = sound.lake.root().join("_export/published.json");
    fs::write(&published, r#"{"sequence":0}"#).expect("writable");
    let ended = sound.exporter.run(&["verify"]);
    assert_eq!(ended.code, Some(65), "{}", ended.stdout);
    sound.exporter.run(&["replay", "quick.toml"]).with(65);
    sound.exporter.run(&["verify"]).done();
}

#[test]
fn verify_writes_nothing() {
    let sound = Sound::new();
    let before = sound.lake.tree();
    sound.exporter.run(&["verify"]).done();
    assert!(sound.lake.tree() == before);
}

#[test]
fn an_empty_place_is_sound_and_stays_empty() {
    let folder = folder();
    let exporter = Exporter::new(folder.path());
    fs::create_dir(exporter.dest()).expect("the folder can be made");
    exporter.run(&["verify"]).done();
    assert_eq!(below(&exporter.dest()).len(), 0);
}
