//! A commit log that is damaged, lost its end, or is older than what lies around it: every command says
//! so, and there is a way out.

use std::fs;
use std::path::{Path, PathBuf};

use airudder_export::parts::Clock;
use sha2::{Digest as _, Sha256};

use crate::harness::lake::{assert_same, below};
use crate::harness::vendor::past_days;
use crate::harness::{Exporter, LakeView, NOW, Vendor, folder};

/// A lake that was exported in three commits, and its copies after each.
struct Nights {
    folder: tempfile::TempDir,
    vendor: Vendor,
    exporter: Exporter,
    lake: LakeView,
}

const DAYS: [&str; 3] = ["2024-03-11", "2024-03-12", "2024-03-13"];

impl Nights {
    fn new() -> Self {
        let (folder, vendor) = (folder(), Vendor::start(past_days(3, 2, 4)));
        let exporter = Exporter::new(folder.path()).against(vendor.url()).at(NOW);
        let lake = LakeView::new(exporter.dest());
        let nights = Self {
            folder,
            vendor,
            exporter,
            lake,
        };
        for (night, day) in (1..).zip(DAYS) {
            nights.backfill(day);
            let copy = nights.copy(night);
            copy_folder(nights.lake.root(), &copy);
        }
        assert_eq!(nights.lake.commits().len(), 3);
        nights
    }

    fn backfill(&self, day: &str) {
        let range = ["backfill", "--from", day, "--to", day];
        self.exporter.run(&range).done();
    }

    fn copy(&self, night: u32) -> PathBuf {
        self.folder.path().join(format!("night-{night}"))
    }

    fn record(&self, sequence: u64) -> PathBuf {
        let name = format!("_export/commits/{sequence:020}.json");
        self.lake.root().join(name)
    }

    /// What every command says that needs the log.
    fn all_say(&self, needles: &[&str]) {
        let before = tree(self.lake.root());
        let all: [&[&str]; 9] = [
            &["files"],
            &["status"],
            &["run"],
            &["verify"],
            &["plan", "run"],
            &["compact"],
            &["compact", "--dry-run"],
            &["vacuum", "--unknown", "--older-than", "0s"],
            &["vacuum", "--dry-run"],
        ];
        for command in all {
            let ended = self.exporter.run(command).with(65);
            let said = format!("{}{}", ended.stdout, ended.stderr);
            for needle in needles {
                assert!(
                    said.contains(needle),
                    "{command:?} without {needle}: {said}"
                );
            }
        }
        assert_eq!(tree(self.lake.root()), before, "something was changed");
    }

    /// The way out: `verify --repair` takes the lake as it is, and a backfill brings back what is gone.
    fn repaired(&self, command: &[&str], content: &crate::harness::lake::Content) {
        let told = self.exporter.run(command);
        assert!(
            matches!(told.code, Some(0 | 65)),
            "{}{}",
            told.stdout,
            told.stderr
        );
        assert!(
            told.stdout.contains("Later commits are lost"),
            "{}",
            told.stdout
        );
        self.exporter.run(&["verify"]).done();
        self.exporter.run(&["files"]).done();
        let all = ["backfill", "--from", DAYS[0], "--to", DAYS[2]];
        self.exporter.run(&all).done();
        assert_same(&self.lake.content(), content);
        self.exporter.run(&["verify"]).done();
    }
}

fn copy_folder(from: &Path, to: &Path) {
    fs::create_dir_all(to).expect("writable");
    for entry in fs::read_dir(from).expect("there") {
        let entry = entry.expect("readable");
        let to = to.join(entry.file_name());
        if entry.path().is_dir() {
            copy_folder(&entry.path(), &to);
        } else {
            fs::copy(entry.path(), to).expect("writable");
        }
    }
}

/// Every file but locks, with its length.
fn tree(root: &Path) -> Vec<(PathBuf, u64)> {
    let files = below(root).into_iter();
    let files = files.filter(|path| path.extension().is_none_or(|ending| ending != "lock"));
    // A run that was refused says so in its report.
    let files = files.filter(|path| !path.starts_with(root.join("_export/runs")));
    files
        .map(|path| (path.clone(), fs::metadata(&path).expect("there").len()))
        .collect()
}

fn swap_in(from: &Path, to: &Path) {
    let _ = fs::remove_dir_all(to);
    copy_folder(from, to);
}

#[test]
fn a_record_carries_its_checksum_and_that_of_the_one_before() {
    let nights = Nights::new();
    let mut before: Option<String> = None;
    for sequence in 1..=3 {
        let bytes = fs::read(nights.record(sequence)).expect("there");
        let record: serde_json::Value = serde_json::from_slice(&bytes).expect("JSON");
        assert_eq!(record["format_version"], 3);
        // As docs/tables.md tells a stranger to check it.
        let body = &bytes[..bytes.len() - 77];
        assert_eq!(record["sha256"], sha256(body));
        assert_eq!(record["previous"].as_str(), before.as_deref());
        before = Some(sha256(&bytes));
    }
    let witness = fs::read(nights.lake.root().join("_newest.json")).expect("there");
    let witness: serde_json::Value = serde_json::from_slice(&witness).expect("JSON");
    assert_eq!(witness["sequence"], 3);
    assert_eq!(witness["sha256"].as_str(), before.as_deref());
}

fn sha256(bytes: &[u8]) -> String {
    airudder_export::parts::Checksum(Sha256::digest(bytes).into()).to_string()
}

#[test]
fn a_flipped_bit_in_a_record_is_found_by_all_and_put_right() {
    let nights = Nights::new();
    let content = nights.lake.content();
    let sound = fs::read(nights.record(2)).expect("there");
    let length = sound.len();
    // The version, a number, the middle, the checksum itself, the end.
    for (byte, bit) in [
        (18, 0),
        (31, 1),
        (length / 2, 5),
        (length - 30, 2),
        (length - 1, 6),
    ] {
        let mut bad = sound.clone();
        bad[byte] ^= 1 << bit;
        fs::write(nights.record(2), &bad).expect("writable");
        nights.all_say(&["00000000000000000002.json", "verify --repair"]);
        let told = nights.exporter.run(&["verify", "--repair"]).done();
        assert!(told.stdout.contains("put right"), "{}", told.stdout);
        assert_eq!(fs::read(nights.record(2)).expect("there"), sound);
    }
    assert_same(&nights.lake.content(), &content);
    nights.exporter.run(&["verify"]).done();
}

#[test]
fn a_record_beyond_repair_is_given_up_only_if_told_so() {
    let nights = Nights::new();
    let content = nights.lake.content();
    fs::write(nights.record(2), "{\"torn\": tru").expect("writable");
    nights.all_say(&["00000000000000000002.json"]);
    let refused = nights.exporter.run(&["verify", "--repair"]).with(65);
    refused.saying(&["00000000000000000002.json", "--cut-log"]);
    nights.repaired(&["verify", "--repair", "--cut-log"], &content);
}

#[test]
fn a_record_missing_in_the_middle_is_given_up_only_if_told_so() {
    let nights = Nights::new();
    let content = nights.lake.content();
    fs::remove_file(nights.record(2)).expect("there");
    nights.all_say(&["00000000000000000002.json", "missing"]);
    nights.exporter.run(&["verify", "--repair"]).with(65);
    nights.repaired(&["verify", "--repair", "--cut-log"], &content);
}

#[test]
fn newest_records_that_are_missing_are_missed_whatever_else_is_left() {
    for also in [
        &[][..],
        &["_export/published.json"],
        &["_export/published.json", "_newest.json"],
        &["_export/published.json", "_export/days"],
    ] {
        let nights = Nights::new();
        let content = nights.lake.content();
        for sequence in [2, 3] {
            fs::remove_file(nights.record(sequence)).expect("there");
        }
        for path in also {
            let path = nights.lake.root().join(path);
            if path.is_dir() {
                fs::remove_dir_all(path).expect("there");
            } else {
                fs::remove_file(path).expect("there");
            }
        }
        nights.all_say(&["the log ends with 1", "verify --repair"]);
        nights.repaired(&["verify", "--repair"], &content);
    }
}

#[test]
fn an_older_export_folder_over_a_newer_lake_is_missed() {
    let nights = Nights::new();
    let content = nights.lake.content();
    let export = nights.lake.root().join("_export");
    swap_in(&nights.copy(2).join("_export"), &export);
    nights.all_say(&["the log ends with 2", "_newest.json"]);
    nights.repaired(&["verify", "--repair"], &content);
}

#[test]
fn newer_day_files_over_an_older_log_are_missed() {
    let nights = Nights::new();
    let content = nights.lake.content();
    let days = nights.lake.root().join("_export/days");
    let newer = nights.folder.path().join("newer-days");
    copy_folder(&days, &newer);
    swap_in(&nights.copy(2), nights.lake.root());
    swap_in(&newer, &days);
    nights.all_say(&["the log ends with 2", "_export/days/2024-03-13.json"]);
    nights.repaired(&["verify", "--repair"], &content);
}

#[test]
fn a_log_that_was_taken_back_and_went_on_is_found() {
    let nights = Nights::new();
    let content = nights.lake.content();
    // Somebody hid what would have told, and brought it back.
    let export = nights.lake.root().join("_export");
    let witness = nights.lake.root().join("_newest.json");
    let newest = fs::read(&witness).expect("there");
    swap_in(&nights.copy(2).join("_export"), &export);
    fs::remove_file(&witness).expect("there");
    nights.backfill(DAYS[2]);
    fs::write(&witness, newest).expect("writable");
    nights.all_say(&["was another one"]);
    nights.repaired(&["verify", "--repair"], &content);
}

#[test]
fn a_log_that_is_lost_whole_is_missed_and_a_new_lake_can_begin_there() {
    let nights = Nights::new();
    let content = nights.lake.content();
    fs::remove_dir_all(nights.lake.root().join("_export")).expect("there");
    nights.all_say(&["_newest.json", "there is no commit log"]);
    nights.repaired(&["verify", "--repair"], &content);
}

#[test]
fn a_log_is_not_taken_as_it_is_beside_a_run() {
    let nights = Nights::new();
    fs::remove_file(nights.record(3)).expect("there");
    let staging = nights
        .lake
        .root()
        .join("_export/staging/20240318T003000Z-living");
    fs::create_dir_all(&staging).expect("writable");
    let lock = fs::File::create(staging.join("lock")).expect("writable");
    lock.lock().expect("ours");
    let refused = nights.exporter.run(&["verify", "--repair"]).with(65);
    refused.saying(&["20240318T003000Z-living", "end it"]);
    drop(lock);
    fs::remove_dir_all(&staging).expect("ours");
    nights.exporter.run(&["verify", "--repair"]);
    nights.exporter.run(&["verify"]).done();
}

#[test]
fn a_lake_is_copied_moved_and_restored_as_documented() {
    let text = fs::read_to_string(crate::harness::project("docs/backup.md")).expect("there");
    for step in [
        "cp -a LAKE/_export LAKE/_newest.json COPY/",
        "airudder-export verify --dest COPY",
        "verify --repair",
    ] {
        assert!(text.contains(step), "docs/backup.md does not say {step}");
    }
    let nights = Nights::new();
    let content = nights.lake.content();
    // Copied: the log, then the tables.
    let copy = nights.folder.path().join("copy");
    let from = nights.lake.root();
    copy_folder(&from.join("_export"), &copy.join("_export"));
    fs::copy(from.join("_newest.json"), copy.join("_newest.json")).expect("writable");
    for table in ["calls", "redials", "asr_turns", "tasks"] {
        copy_folder(&from.join(table), &copy.join(table));
    }
    let at = |path: &Path| nights.exporter.clone().lake_at(path);
    at(&copy).run(&["verify"]).done();
    // A copy whose log is newer than its tables is not one, and verify says so.
    let torn = nights.folder.path().join("torn");
    copy_folder(&nights.copy(2), &torn);
    swap_in(&nights.lake.root().join("_export"), &torn.join("_export"));
    let found = at(&torn).run(&["verify"]).with(65);
    assert!(found.stdout.contains("file_missing"), "{}", found.stdout);
    // Moved.
    let moved = nights.folder.path().join("moved");
    fs::rename(&copy, &moved).expect("one file system");
    at(&moved).run(&["verify"]).done();
    assert_same(&LakeView::new(&moved).content(), &content);
    at(&moved)
        .run(&["backfill", "--from", DAYS[0], "--to", DAYS[2]])
        .done();
    // Restored whole, from the second night: the third comes again.
    swap_in(&nights.copy(2), nights.lake.root());
    nights.exporter.run(&["verify"]).done();
    nights.backfill(DAYS[2]);
    assert_same(&nights.lake.content(), &content);
    assert!(nights.vendor.stats().total_requests() > 0);
}

#[test]
fn vacuum_takes_no_more_than_a_share_of_a_table() {
    let nights = Nights::new();
    let files = nights.lake.live_files();
    let sum = |files: &[String]| -> u64 {
        let sizes = files.iter();
        let sizes = sizes.map(|path| {
            fs::metadata(nights.lake.root().join(path))
                .expect("there")
                .len()
        });
        sizes.sum()
    };
    let calls = &files["calls"];
    for path in calls {
        let path = nights.lake.root().join(path);
        for number in 0..2 {
            let name = path.file_name().expect("a file").to_string_lossy();
            let stray = path.with_file_name(format!("stray-{number}-{name}"));
            fs::copy(&path, stray).expect("writable");
        }
    }
    let all = ["vacuum", "--unknown", "--older-than", "0s"];
    let dry = [&all[..], &["--dry-run"]].concat();
    for command in [&all[..], &dry] {
        let refused = nights.exporter.run(command).with(65);
        refused.saying(&["calls", "66 %", "--max-share"]);
    }
    assert_eq!(
        below(&nights.lake.root().join("calls")).len(),
        3 * calls.len()
    );
    let refused = [&all[..], &["--max-share", "66"]].concat();
    nights.exporter.run(&refused).with(65);
    nights
        .exporter
        .run(&[&all[..], &["--max-share", "101"]].concat())
        .with(64);
    let kept = sum(calls);
    nights
        .exporter
        .run(&[&all[..], &["--max-share", "67"]].concat())
        .done();
    assert_eq!(below(&nights.lake.root().join("calls")).len(), calls.len());
    assert_eq!(sum(calls), kept);
    nights.exporter.run(&["verify"]).done();
}

#[test]
fn old_reports_go_by_themselves_and_day_files_stay() {
    let nights = Nights::new();
    let runs = nights.lake.root().join("_export/runs");
    let reports = below(&runs);
    assert_eq!(reports.len(), 3);
    let age = |path: &Path, days: u64| {
        let then = std::time::SystemTime::from(Clock::system().now())
            - std::time::Duration::from_hours(days * 24);
        let file = fs::File::options()
            .write(true)
            .open(path)
            .expect("writable");
        file.set_modified(then).expect("ours");
    };
    age(&reports[0], 401);
    age(&reports[1], 399);
    let days = below(&nights.lake.root().join("_export/days"));
    for day in &days {
        age(day, 4000);
    }
    nights.exporter.run(&["vacuum"]).done();
    assert_eq!(below(&runs), reports[1..]);
    assert_eq!(below(&nights.lake.root().join("_export/days")), days);
    nights
        .exporter
        .clone()
        .set("AIRUDDER_REPORTS_OLDER_THAN", "300d")
        .run(&["vacuum"])
        .done();
    assert_eq!(below(&runs), reports[2..]);
    nights.exporter.run(&["status"]).done();
    nights.exporter.run(&["verify"]).done();
}
