//! Small files become large ones, and nobody who reads the rows can tell.

use std::path::PathBuf;
use std::time::Duration;

use airudder_export::sandbox::SandboxOptions;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use parquet::file::reader::{FileReader as _, SerializedFileReader};
use parquet::file::statistics::Statistics;

use crate::harness::lake::{TABLES, assert_same};
use crate::harness::readers::{What, pyarrow_row_groups, read};
use crate::harness::vendor::past_days;
use crate::harness::{Exporter, LakeView, NOW, Vendor, folder};
use crate::trouble::WEEK;

/// Settings with which nearly every task is a commit of its own.
const OFTEN: &str = "[api]\nrate = \"2000/s\"\nburst = 100\nconcurrency = 2\nbase_backoff = \"2ms\"\n\
     max_backoff = \"20ms\"\n[write]\ncommit_calls = 1\nmemory_budget = \"16MiB\"\n";

fn exported(folder: &tempfile::TempDir, vendor: &Vendor) -> (Exporter, LakeView) {
    let exporter = Exporter::new(folder.path())
        .against(vendor.url())
        .at(NOW)
        .job(OFTEN);
    exporter.run(&WEEK).done();
    let lake = LakeView::new(exporter.dest());
    (exporter, lake)
}

fn files(lake: &LakeView) -> usize {
    lake.live_files().values().map(Vec::len).sum()
}

#[test]
#[ignore = "needs PyPI: just test-all"]
fn every_reader_sees_the_same_rows_before_and_after() {
    let (folder, vendor) = (folder(), Vendor::start(past_days(2, 12, 20)));
    let (exporter, lake) = exported(&folder, &vendor);
    let readers = ["duckdb", "pyarrow"];
    let rows = |value: serde_json::Value| {
        let sorted = TABLES.map(|table| {
            let rows = value[table]["rows"].as_array().expect("rows");
            let mut rows: Vec<_> = rows.iter().map(ToString::to_string).collect();
            rows.sort();
            rows
        });
        sorted.to_vec()
    };
    let seen = readers.map(|reader| read(reader, What::Globbed, &lake).map(rows));
    let many = files(&lake);
    exporter.run(&["compact"]).done();
    assert!(files(&lake) < many, "{many} files");
    for (reader, before) in readers.into_iter().zip(seen) {
        assert!(
            before == read(reader, What::Globbed, &lake).map(rows),
            "{reader}"
        );
    }
}

#[test]
fn the_same_rows_are_there_before_and_after_and_a_second_time_there_is_nothing_to_do() {
    let (folder, vendor) = (folder(), Vendor::start(past_days(2, 12, 20)));
    let (exporter, lake) = exported(&folder, &vendor);
    let before = TABLES.map(|table| lake.table(table));
    let many = files(&lake);
    assert!(many > 20, "{many} files");

    let planned = exporter.run(&["compact", "--dry-run", "--format", "json"]);
    let planned = planned.done().json();
    assert_eq!(planned["dry_run"], true);
    assert_eq!(files(&lake), many);
    let done = exporter.run(&["compact", "--format", "json"]).done().json();
    assert_eq!(done["partitions"], planned["partitions"]);
    for table in TABLES {
        assert_eq!(
            done["tables"][table]["before"],
            planned["tables"][table]["before"]
        );
        assert_eq!(
            done["tables"][table]["before"]["rows"],
            done["tables"][table]["after"]["rows"]
        );
    }

    assert!(files(&lake) <= 4 * 3, "{} files", files(&lake));
    assert!(
        before == TABLES.map(|table| lake.table(table)),
        "rows changed"
    );
    exporter.run(&["verify"]).done();
    let tree = lake.tree();
    let again = exporter.run(&["compact"]).done();
    assert!(again.stdout.contains("nothing to do"), "{}", again.stdout);
    assert!(lake.tree() == tree, "the second time changed something");
}

/// A compacted file of calls in some row groups, and the least and the greatest start of the calls in
/// each.
fn in_order(folder: &tempfile::TempDir) -> (PathBuf, Vec<(i64, i64)>) {
    let vendor = Vendor::start(past_days(1, 10, 400));
    let (exporter, lake) = exported(folder, &vendor);
    let small =
        exporter.job("[write]\nrow_group_size = \"256KiB\"\nbloom_filters = [\"call_id\"]\n");
    small.run(&["compact"]).done();
    let files = &lake.live_files()["calls"];
    assert_eq!(files.len(), 1, "{files:?}");
    let file = std::fs::File::open(lake.root().join(&files[0])).expect("it is there");
    let reader = SerializedFileReader::new(file).expect("Parquet");
    let meta = reader.metadata();
    let column = |name: &str| {
        let columns = meta.file_metadata().schema_descr().columns().iter();
        columns
            .clone()
            .position(|column| column.name() == name)
            .expect("a column")
    };
    assert!(meta.num_row_groups() > 2, "{}", meta.num_row_groups());
    let mut last = i64::MIN;
    let mut ranges = Vec::new();
    for group in meta.row_groups() {
        let chunk = group.column(column("call_start_time"));
        let Some(Statistics::Int64(range)) = chunk.statistics() else {
            panic!("no statistics");
        };
        let (min, max) = (range.min_opt().expect("a minimum"), range.max_opt());
        assert!(last <= *min);
        last = *max.expect("a maximum");
        ranges.push((*min, last));
        assert!(chunk.column_index_offset().is_some(), "no page index");
        assert!(
            group
                .column(column("call_id"))
                .bloom_filter_offset()
                .is_some()
        );
    }
    let keys = meta.file_metadata().key_value_metadata().expect("metadata");
    for key in ["schema_version", "run_id", "producer"] {
        assert!(keys.iter().any(|pair| pair.key == key), "{key}");
    }
    (lake.root().join(&files[0]), ranges)
}

#[test]
fn calls_are_in_order_and_statistics_of_row_groups_do_not_overlap() {
    in_order(&folder());
}

#[test]
#[ignore = "needs PyPI: just test-all"]
fn a_reader_passes_over_row_groups_without_what_it_wants() {
    let folder = folder();
    let (path, ranges) = in_order(&folder);
    // Two calls may begin in the same second, and lie on both sides of a row group's end.
    let inside = (ranges[1].0 + 1, ranges[1].1 - 1);
    if let Some((all, read)) = pyarrow_row_groups(&path, "call_start_time", inside) {
        assert_eq!(all, ranges.len());
        // The last one has the calls without a start too, and pyarrow does not always rule it out.
        assert!((1..=2).contains(&read), "{read} of {all}");
    }
}

#[test]
fn a_compaction_beside_runs_that_replace_leaves_the_lake_of_the_runs() {
    let vendor = Vendor::start(SandboxOptions {
        latency: Duration::from_millis(5),
        ..past_days(2, 15, 6)
    });
    let folder = folder();
    let (exporter, lake) = exported(&folder, &vendor);
    let expected = lake.content();
    let again: Vec<&str> = WEEK.iter().copied().chain(["--replace"]).collect();
    let mut running = exporter.start(&again);
    let mut compactions = 0;
    while running.is_running() {
        let ended = exporter.run(&["compact"]);
        assert!(matches!(ended.code, Some(0 | 75)), "{}", ended.stderr);
        compactions += 1;
    }
    running.wait().done();
    assert!(compactions > 0);
    exporter.run(&["compact"]).done();
    assert_same(&lake.content(), &expected);
    exporter.run(&["verify"]).done();
    assert!(files(&lake) <= 4 * 3, "{} files", files(&lake));
}

#[test]
fn a_place_without_a_lake_stays_as_it_is() {
    let folder = folder();
    let exporter = Exporter::new(folder.path());
    exporter.run(&["compact"]).with(74);
    exporter.run(&["compact", "--dry-run"]).with(74);
    assert!(!exporter.dest().exists());
    exporter
        .run(&["compact", "--target-size", "large"])
        .with(64);
}

#[test]
#[ignore = "takes a minute: just test-all"]
fn half_a_gigabyte_of_rows_is_compacted_within_256_mb() {
    const CALLS: u32 = 200_000;
    let vendor = Vendor::start(SandboxOptions {
        exact_calls: true,
        ..past_days(1, 3, CALLS)
    });
    let folder = folder();
    let (exporter, lake) = exported(&folder, &vendor);
    let raw: usize = lake
        .live_files()
        .values()
        .flatten()
        .map(|path| raw_bytes(&lake, path))
        .sum();
    assert!(raw > 500 << 20, "{} MiB of rows", raw >> 20);
    let exporter = exporter.unset("AIRUDDER_JOB");
    let (ended, peak) = exporter.run_measured(&["compact", "--target-size", "1GiB"]);
    ended.done();
    assert!(peak <= 256 << 20, "{} MiB", peak >> 20);
    let calls: usize = lake.live_files()["calls"].len();
    assert!(calls <= 3, "{calls} files");
}

/// What the rows of a file take in memory.
fn raw_bytes(lake: &LakeView, path: &str) -> usize {
    let file = std::fs::File::open(lake.root().join(path)).expect("it is there");
    let reader = ParquetRecordBatchReaderBuilder::try_new(file).expect("Parquet");
    let batches = reader.build().expect("readable");
    batches
        .map(|batch| batch.expect("readable").get_array_memory_size())
        .sum()
}
