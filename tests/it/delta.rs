//! The tables as Delta tables: every version is the state of its commit, whatever was replaced,
//! compacted, removed or killed.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use airudder_export::parts::{TableName, table as schema};
use serde_json::Value;

use crate::harness::delta::{DeltaTable, expect_lake, listed};
use crate::harness::lake::TABLES;
use crate::harness::scripted::answer;
use crate::harness::{Exporter, folder};

pub(crate) const PUBLISHED: &str = "[publish.delta]\nenabled = true\n";

/// Saves an answer with two calls of a day.
pub(crate) fn save(folder: &Path, name: &str, day: u32, version: &str) {
    let call = |id: u32| {
        format!(
            r#"{{"id":{id},"CallID":"{version}-{id}","CallStartTime":"2024-03-{day}T08:00:0{id}.123456Z","BorrowedAmount":"20000.50","Comments":"{version}","RedailCall":[{{"CallID":"r"}}],"AsrResult":[{{"time":"00:00:01","text":"x"}}]}}"#
        )
    };
    let detail = format!("[{},{}]", call(1), call(2));
    let saved = folder.join("saved");
    fs::create_dir_all(&saved).expect("writable");
    fs::write(saved.join(format!("{name}.json")), answer(name, &detail)).expect("writable");
}

pub(crate) fn save_all(folder: &Path) {
    for n in 0..8 {
        save(folder, &format!("task-{n}"), 11 + n % 2, "old");
    }
    let undated = r#"{"data":{"TaskID":"undated","Status":"finished","detail":[{"id":1}]},"status":"OK","code":200}"#;
    fs::write(folder.join("saved/undated.json"), undated).expect("writable");
}

fn replay(exporter: &Exporter, name: &str) {
    exporter
        .run(&["replay", &format!("saved/{name}.json")])
        .done();
}

fn replace(folder: &Path, exporter: &Exporter, name: &str) {
    save(folder, name, 11, "new");
    let path = format!("saved/{name}.json");
    exporter.run(&["replay", "--replace", &path]).done();
}

fn last(exporter: &Exporter) -> u64 {
    let list = exporter.run(&["files", "--format", "json"]).done().json();
    list["sequence"].as_u64().expect("a number")
}

fn read(exporter: &Exporter, table: &str) -> DeltaTable {
    let read = DeltaTable::read(&exporter.dest(), table, None);
    read.expect("it is a Delta table")
}

#[test]
fn every_version_is_the_state_of_its_commit_and_has_its_files() {
    let folder = folder();
    save_all(folder.path());
    let exporter = Exporter::new(folder.path()).job(PUBLISHED);
    for name in ["task-0", "task-1", "undated", "task-2"] {
        replay(&exporter, name);
    }
    replace(folder.path(), &exporter, "task-1");
    exporter.run(&["compact"]).done();
    replay(&exporter, "task-3");
    let commits = last(&exporter);
    assert!(commits >= 7, "{commits} commits");
    for commit in 0..=commits {
        let states = (commit > 0).then(|| listed(&exporter, Some(commit)));
        for table in TABLES {
            let delta = DeltaTable::read(&exporter.dest(), table, Some(commit));
            let delta = delta.expect("there is a version");
            assert_eq!((delta.version, delta.sequence), (commit, commit));
            delta.expect_files();
            let files = states.as_ref().map(|state| state[table].clone());
            assert_eq!(delta.paths(), files.unwrap_or_default(), "{table} {commit}");
        }
    }
    expect_lake(&exporter);
    let version = read(&exporter, "calls").version;
    assert_eq!(version, commits);
    exporter.run(&["verify"]).done();
    assert!(superseded(&exporter) > 0);
}

/// How many files are in the tables' folders that do not belong to the lake now.
fn superseded(exporter: &Exporter) -> usize {
    let live: BTreeSet<_> = listed(exporter, None).into_values().flatten().collect();
    let files = TABLES.map(|table| crate::harness::lake::below(&exporter.dest().join(table)));
    let files = files.into_iter().flatten();
    let data = files.filter(|path| path.extension().is_some_and(|end| end == "parquet"));
    data.filter(|path| !live.contains(path)).count()
}

#[test]
fn superseded_files_stay_for_the_retention_and_vacuum_removes_them_then() {
    let folder = folder();
    save_all(folder.path());
    let exporter = Exporter::new(folder.path()).job(PUBLISHED);
    replay(&exporter, "task-0");
    replay(&exporter, "task-2");
    exporter.run(&["compact"]).done();
    let kept = superseded(&exporter);
    assert_eq!(kept, 8, "two files of each table");
    let vacuumed = exporter.run(&["vacuum", "--older-than", "0s"]).done();
    assert!(
        vacuumed.stdout.contains("8 files superseded but kept"),
        "{}",
        vacuumed.stdout
    );
    assert_eq!(superseded(&exporter), kept);
    exporter.run(&["verify"]).done();
    // Half of each table's bytes go, on purpose: `vacuum.max_share` does not count them.
    let soon = exporter
        .clone()
        .set("AIRUDDER_PUBLISH_DELTA_RETENTION", "0s");
    soon.run(&["vacuum", "--older-than", "0s"]).done();
    assert_eq!(superseded(&exporter), 0);
    expect_lake(&exporter);
    exporter.run(&["verify"]).done();
}

#[test]
fn a_lake_that_is_there_begins_with_its_state_and_goes_on() {
    let folder = folder();
    save_all(folder.path());
    let plain = Exporter::new(folder.path());
    replay(&plain, "task-0");
    replay(&plain, "task-1");
    replace(folder.path(), &plain, "task-1");
    let since = last(&plain);
    let published = plain.clone().job(PUBLISHED);
    published.run(&["compact"]).done();
    for table in TABLES {
        let first = DeltaTable::read(&plain.dest(), table, Some(0)).expect("a version");
        assert_eq!(first.sequence, since);
        first.expect_files();
    }
    // Without the setting it is kept up, too.
    replay(&plain, "task-2");
    expect_lake(&plain);
    let delta = read(&plain, "calls");
    assert_eq!(delta.sequence, since + delta.version);
    assert_eq!(delta.sequence, last(&plain));
}

#[test]
fn what_a_table_says_of_itself_is_what_the_schema_says() {
    let folder = folder();
    save_all(folder.path());
    let exporter = Exporter::new(folder.path()).job(PUBLISHED);
    for name in ["task-0", "task-1", "undated"] {
        replay(&exporter, name);
    }
    for name in TableName::ALL {
        let delta = read(&exporter, name.as_str());
        assert_eq!(delta.protocol["minReaderVersion"], 1);
        assert_eq!(delta.protocol["minWriterVersion"], 2);
        let partition = name.partition_column();
        assert_eq!(
            delta.metadata["partitionColumns"],
            serde_json::json!([partition])
        );
        let text = delta.metadata["schemaString"].as_str().expect("a text");
        let fields: Value = serde_json::from_str(text).expect("JSON");
        let fields = fields["fields"].as_array().expect("a list");
        assert_eq!(fields.len(), schema(name).columns.len() + 1);
        let mut undated = 0;
        for (path, add) in &delta.files {
            let file = delta_file(&exporter, name, path);
            assert_eq!(add["size"], file.metadata().expect("there").len());
            let day = &add["partitionValues"][partition];
            undated += usize::from(day.is_null());
            let folder = day.as_str().unwrap_or("__HIVE_DEFAULT_PARTITION__");
            assert!(
                path.starts_with(&format!("{partition}={folder}/")),
                "{path}"
            );
            let text = add["stats"].as_str().expect("a text");
            let statistics: Value = serde_json::from_str(text).expect("JSON");
            assert!(statistics["numRecords"].as_u64() > Some(0));
            for kind in ["minValues", "maxValues", "nullCount"] {
                for column in statistics[kind].as_object().expect("an object").keys() {
                    let column = schema(name).column(column).expect("a column");
                    assert!(!column.personal, "{kind} of {}", column.name);
                }
            }
            assert_eq!(statistics["nullCount"]["task_id"], 0);
            if name == TableName::Calls {
                let rows = statistics["numRecords"].as_u64().expect("a number");
                assert_eq!(statistics["minValues"]["detail_index"], 0);
                assert_eq!(statistics["maxValues"]["detail_index"], rows - 1);
            }
        }
        let has_undated = matches!(name, TableName::Calls | TableName::Tasks);
        assert_eq!(undated > 0, has_undated, "{name}");
    }
}

fn delta_file(exporter: &Exporter, name: TableName, path: &str) -> fs::File {
    fs::File::open(exporter.dest().join(name.as_str()).join(path)).expect("there")
}

/// What is killed where, and whether Delta tables are there before.
fn killed_at(point: &str, args: &[&str], is_there: bool) {
    let folder = folder();
    save_all(folder.path());
    let exporter = Exporter::new(folder.path());
    let begun = if is_there {
        exporter.clone().job(PUBLISHED)
    } else {
        exporter.clone()
    };
    for name in ["task-0", "task-1", "task-2"] {
        replay(&begun, name);
    }
    save(folder.path(), "task-1", 11, "new");
    let exporter = exporter.job(PUBLISHED);
    let ended = exporter.dying_at(point).run(args);
    assert_eq!(ended.code, None, "{point} is not passed: {}", ended.stderr);
    // Whatever a version says is there, at any moment.
    for table in TABLES {
        if let Some(delta) = DeltaTable::read(&exporter.dest(), table, None) {
            delta.expect_files();
            let state = (delta.sequence > 0).then(|| listed_or_newest(&exporter, delta.sequence));
            if let Some(files) = state.flatten() {
                assert_eq!(delta.paths(), files[table], "{table} killed at {point}");
            }
        }
    }
    exporter.run(args).done();
    expect_lake(&exporter);
    exporter.run(&["verify"]).done();
    let versions = TABLES.map(|table| read(&exporter, table).version);
    assert_eq!(BTreeSet::from(versions).len(), 1, "{versions:?}");
}

/// The files of a commit, if its files are all in their places.
fn listed_or_newest(
    exporter: &Exporter,
    commit: u64,
) -> Option<std::collections::BTreeMap<&'static str, BTreeSet<std::path::PathBuf>>> {
    (last(exporter) >= commit).then(|| listed(exporter, Some(commit)))
}

const APPEND: &[&str] = &["replay", "saved"];
const REPLACE: &[&str] = &["replay", "--replace", "saved/task-1.json"];
const COMPACT: &[&str] = &["compact"];

#[test]
fn a_delta_version_whose_writer_is_killed_is_finished_by_the_next_start() {
    for args in [APPEND, REPLACE, COMPACT] {
        for nth in ["", "@2", "@3", "@4"] {
            killed_at(&format!("delta.version_written{nth}"), args, true);
        }
    }
}

#[test]
fn commits_to_delta_tables_killed_at_any_other_point_are_undone_or_finished() {
    for point in [
        "commit.record_written",
        "commit.record_named",
        "publish.file_moved",
        "publish.synced",
        "day.written",
        "marker.moved",
    ] {
        killed_at(point, REPLACE, true);
    }
    for args in [APPEND, COMPACT] {
        for point in ["commit.durable", "publish.moved", "day.synced"] {
            killed_at(point, args, true);
        }
    }
}

#[test]
fn a_beginning_that_is_killed_is_finished_by_the_next_start() {
    for point in [
        "delta.begun",
        "delta.version_written",
        "delta.version_written@3",
        "delta.version_written@4",
    ] {
        killed_at(point, COMPACT, false);
        killed_at(point, APPEND, false);
    }
}

#[test]
fn every_twenty_versions_there_is_a_checkpoint_killed_or_not() {
    let folder = folder();
    save_all(folder.path());
    let exporter = Exporter::new(folder.path()).job(PUBLISHED);
    for n in 0..19 {
        let name = format!("more-{n}");
        save(folder.path(), &name, 11 + n % 3, "old");
        replay(&exporter, &name);
    }
    assert_eq!(last(&exporter), 19);
    let ended = exporter
        .dying_at("delta.checkpoint_written")
        .run(&["replay", "saved/task-0.json"]);
    assert_eq!(ended.code, None, "{}", ended.stderr);
    let log = exporter.dest().join("calls/_delta_log");
    assert!(log.join("00000000000000000020.checkpoint.parquet").exists());
    assert!(!log.join("_last_checkpoint").exists());
    replay(&exporter, "task-1");
    exporter.run(&["verify"]).done();
    exporter.run(&["compact"]).done();
    while last(&exporter) < 40 {
        let name = format!("more-{}", last(&exporter) + 100);
        save(folder.path(), &name, 12, "old");
        replay(&exporter, &name);
    }
    for table in TABLES {
        let delta = DeltaTable::read(&exporter.dest(), table, Some(40)).expect("a version");
        assert_eq!(delta.checkpoint(), delta.paths(), "{table}");
        let path = format!("{table}/_delta_log/_last_checkpoint");
        let pointer = fs::read(exporter.dest().join(path)).expect("there");
        let pointer: Value = serde_json::from_slice(&pointer).expect("JSON");
        assert_eq!(pointer["version"], 40);
        assert_eq!(pointer["size"], delta.files.len() + 3);
    }
    exporter.run(&["verify"]).done();
    expect_lake(&exporter);
}

#[test]
fn what_is_ended_leaves_no_log_and_can_begin_again() {
    let folder = folder();
    save_all(folder.path());
    let exporter = Exporter::new(folder.path()).job(PUBLISHED);
    replay(&exporter, "task-0");
    let ended = exporter.clone().job("[publish.delta]\nenabled = false\n");
    replay(&ended, "task-1");
    for table in TABLES {
        assert!(!exporter.dest().join(table).join("_delta_log").exists());
    }
    assert!(!exporter.dest().join("_export/delta.json").exists());
    ended.run(&["verify"]).done();
    replay(&exporter, "task-2");
    expect_lake(&exporter);
    assert_eq!(read(&exporter, "calls").version, 1);
}

#[test]
fn a_version_that_another_program_wrote_is_named_and_not_written_over() {
    let folder = folder();
    save_all(folder.path());
    let exporter = Exporter::new(folder.path()).job(PUBLISHED);
    replay(&exporter, "task-0");
    let other = exporter
        .dest()
        .join("calls/_delta_log/00000000000000000002.json");
    fs::write(&other, "{\"commitInfo\":{}}\n").expect("writable");
    let ended = exporter.run(&["replay", "saved/task-1.json"]);
    assert_eq!(ended.code, Some(65), "{}", ended.stderr);
    assert!(ended.stderr.contains("00000000000000000002.json"));
    assert!(ended.stderr.contains("publish.delta.enabled = false"));
    let text = fs::read_to_string(&other).expect("there");
    assert_eq!(text, "{\"commitInfo\":{}}\n");
    let end = exporter.clone().job("[publish.delta]\nenabled = false\n");
    end.run(&["compact"]).done();
    replay(&exporter, "task-2");
    expect_lake(&exporter);
}

/// What reads Delta tables.
pub(crate) mod readers {
    use serde_json::json;

    use super::*;
    use crate::harness::packages::Conversation;
    use crate::harness::{packages, skip};

    const PACKAGES: [&str; 9] = [
        "deltalake==1.6.6",
        "duckdb==1.5.5",
        "duckdb-extension-delta==1.5.5",
        "duckdb-extension-httpfs==1.5.5",
        "polars==2.1.0",
        "chdb==4.4.0",
        "pyarrow==26.0.1",
        "pysail==0.7.2",
        "pyspark-client==4.2.0",
    ];
    pub(crate) const READERS: [&str; 5] = ["deltalake", "duckdb", "polars", "chdb", "sail"];
    const SCRIPT: &str = concat!(
        include_str!("harness/rows.py"),
        include_str!("harness/delta.py")
    );

    pub(crate) fn python() -> Option<std::path::PathBuf> {
        match packages::python("delta-venv", &PACKAGES) {
            Ok(programs) => Some(programs.join("python")),
            Err(why) => {
                skip(&why);
                None
            }
        }
    }

    /// A Python that reads as it is told, until it is dropped.
    pub(crate) struct Reader(Conversation);

    impl Reader {
        pub(crate) fn start(python: &Path) -> Self {
            Self(Conversation::start(python, SCRIPT))
        }

        /// Each reader finds in each table the rows of the lake's files.
        #[track_caller]
        fn expect_rows(&mut self, exporter: &Exporter, after: &str) {
            let root = exporter.dest().display().to_string();
            self.expect_rows_at(&root, &json!({}), exporter, after);
        }

        /// The same where the lake is at this address, with the variables that readers need there.
        #[track_caller]
        pub(crate) fn expect_rows_at(
            &mut self,
            root: &str,
            store: &Value,
            exporter: &Exporter,
            after: &str,
        ) {
            let files = exporter.run(&["files", "--format", "json"]).done().json();
            self.0
                .ask(&json!({ "root": root, "store": store, "readers": READERS, "files": files }));
            let found = self.0.answer();
            assert_eq!(found["differences"], json!([]), "after {after}");
            assert!(found["rows"].as_u64() > Some(0));
        }

        /// Each reader reads each table without an error, and finds no row twice.
        #[track_caller]
        pub(crate) fn expect_whole_tables_at(&mut self, root: &str, store: &Value, after: &str) {
            for reader in READERS {
                // Until a file is there that is there already: once.
                self.0
                    .ask(&json!({ "root": root, "store": store, "reader": reader, "until": "/" }));
                assert_eq!(self.0.answer()["reads"], 4, "{reader} after {after}");
            }
        }
    }

    #[test]
    #[ignore = "needs Delta readers from PyPI: just test-all"]
    fn every_reader_equals_the_lake_after_thirty_random_operations() {
        let Some(python) = python() else { return };
        let folder = folder();
        save_all(folder.path());
        let exporter = Exporter::new(folder.path()).job(PUBLISHED);
        replay(&exporter, "undated");
        let mut reader = Reader::start(&python);
        let seed = 16;
        let mut random = fastrand::Rng::with_seed(seed);
        let points = [
            "commit.record_written",
            "commit.durable",
            "publish.file_moved",
            "delta.version_written",
            "delta.version_written@3",
            "day.written",
            "marker.moved",
        ];
        for n in 0..30 {
            let task = format!("task-{}", random.u8(..8));
            let path = format!("saved/{task}.json");
            let args: Vec<&str> = match random.u8(..6) {
                0 | 1 => vec!["replay", &path],
                2 | 3 => {
                    let version = format!("v{n}");
                    save(folder.path(), &task, 11 + random.u32(..3), &version);
                    vec!["replay", "--replace", &path]
                }
                4 => vec!["compact"],
                _ => vec!["vacuum", "--older-than", "0s"],
            };
            let soon = random.bool();
            let mut exporter = exporter.clone();
            if soon {
                exporter = exporter.set("AIRUDDER_PUBLISH_DELTA_RETENTION", "0s");
            }
            if random.u8(..3) == 0 {
                let point = points[random.usize(..points.len())];
                exporter.dying_at(point).run(&args);
            }
            exporter.run(&args).done();
            reader.expect_rows(&exporter, &format!("{args:?}, {n} of seed {seed}"));
        }
        exporter.run(&["verify"]).done();
    }

    #[test]
    #[ignore = "needs Delta readers from PyPI: just test-all"]
    fn readers_beside_a_writer_never_miss_a_file_and_see_no_row_twice() {
        let Some(python) = python() else { return };
        let folder = folder();
        save_all(folder.path());
        let exporter = Exporter::new(folder.path()).job(PUBLISHED);
        exporter.run(&["replay", "saved"]).done();
        let until = folder.path().join("over");
        let mut running = Vec::new();
        for name in READERS {
            let mut reader = Reader::start(&python);
            reader
                .0
                .ask(&json!({ "root": exporter.dest(), "reader": name, "until": until }));
            running.push((name, reader));
        }
        for n in 0..25 {
            let name = format!("task-{}", n % 8);
            save(folder.path(), &name, 11 + n % 3, &format!("v{n}"));
            let path = format!("saved/{name}.json");
            exporter.run(&["replay", "--replace", &path]).done();
            exporter.run(&["compact"]).done();
            exporter.run(&["vacuum", "--older-than", "0s"]).done();
        }
        fs::write(&until, "").expect("writable");
        for (name, mut reader) in running {
            let found = reader.0.answer();
            assert!(found["reads"].as_u64() > Some(4), "{name}: {found}");
        }
        Reader::start(&python).expect_rows(&exporter, "all of it");
    }

    #[test]
    #[ignore = "needs Delta readers from PyPI: just test-all"]
    fn what_the_page_prints_works() {
        let Some(python) = python() else { return };
        let folder = folder();
        save_all(folder.path());
        let exporter = Exporter::new(folder.path()).job(PUBLISHED);
        exporter.run(&["replay", "saved"]).done();
        let page = crate::harness::project("docs/warehouse/delta.md");
        let page = fs::read_to_string(page).expect("readable");
        let mut reader = Reader::start(&python);
        reader
            .0
            .ask(&json!({ "page": page, "folder": folder.path() }));
        // Eight tasks of two calls, and one without a date; three days.
        assert_eq!(reader.0.answer()["found"], json!([17, 3, 3]));
    }
}
