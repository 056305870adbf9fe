//! The documented sample, replayed: the figures that the vendor's own page fixes.

use serde_json::{Value, json};

use crate::harness::readers::{self, What, own};
use crate::harness::{Ended, Exporter, LakeView, folder, project};

const SAMPLE: &str = "tests/fixtures/taskdetail-documented.json";

fn replay(exporter: &Exporter) -> Ended {
    let sample = project(SAMPLE);
    exporter.run(&["replay", sample.to_str().expect("Unicode")])
}

/// The replayed sample as a reader sees it.
fn read<T>(reader: impl FnOnce(&LakeView) -> T) -> T {
    let folder = folder();
    let exporter = Exporter::new(folder.path());
    replay(&exporter).done();
    reader(&LakeView::new(exporter.dest()))
}

fn the_figures_are_the_documented_ones(read: &Value) {
    let rows = |table: &str| read[table]["rows"].as_array().expect("rows").clone();
    let counts = ["tasks", "calls", "redials", "asr_turns"].map(|table| rows(table).len());
    assert_eq!(counts, [1, 1, 3, 5]);
    let call = &rows("calls")[0];
    for (column, value) in [
        ("case_id", "123456.0"),
        ("comments", "123456.0"),
        ("call_start_time", "2024-03-11T08:41:26.000000Z"),
        ("call_end_time", "2024-03-11T08:41:38.000000Z"),
        ("borrowed_amount", "20000.0000"),
        ("total_owing_amount", "20310.0000"),
        ("borrowed_date", "2024-02-01"),
        ("call_date", "2024-03-11"),
        ("robot_id", "4585"),
        ("callee_gender", ""),
    ] {
        assert_eq!(call[column], value, "{column}");
    }
    assert_eq!(call["row_id"], json!(2_125_380_211_i64));
    let times: Vec<Value> = rows("redials")
        .iter()
        .map(|row| row["call_start_time"].clone())
        .collect();
    assert_eq!(
        times,
        [
            "2024-03-11T08:38:36.000000Z",
            "2024-03-11T08:39:27.000000Z",
            "2024-03-11T08:40:24.000000Z",
        ]
    );
    for table in ["calls", "redials", "asr_turns"] {
        assert!(
            rows(table)
                .iter()
                .all(|row| row["call_date"] == "2024-03-11")
        );
    }
    assert_eq!(rows("tasks")[0]["task_date"], "2024-03-11");
    let offsets: Vec<Value> = rows("asr_turns")
        .iter()
        .map(|row| row["offset_seconds"].clone())
        .collect();
    assert_eq!(offsets, [0, 3, 9, 9, 10]);
}

#[test]
fn the_parquet_crate_reads_the_documented_figures() {
    the_figures_are_the_documented_ones(&read(own));
}

#[test]
#[ignore = "needs PyPI: just test-all"]
fn duckdb_reads_the_documented_figures() {
    if let Some(read) = read(|lake| readers::read("duckdb", What::Listed, lake)) {
        the_figures_are_the_documented_ones(&read);
    }
}

#[test]
#[ignore = "needs PyPI: just test-all"]
fn pyarrow_reads_the_documented_figures() {
    if let Some(read) = read(|lake| readers::read("pyarrow", What::Listed, lake)) {
        the_figures_are_the_documented_ones(&read);
    }
}

#[test]
fn every_value_of_the_sample_is_found_again_in_the_tables() {
    let folder = folder();
    let exporter = Exporter::new(folder.path());
    replay(&exporter).done();
    let content = LakeView::new(exporter.dest()).content();
    let text = std::fs::read(project(SAMPLE)).expect("it is there");
    crate::rebuild::assert_all_given_back(&text, &content);
    let mut rows = content.values().flatten();
    assert!(
        rows.all(|row| row["extra_fields"].text().is_none()),
        "what is documented is no drift"
    );
}

#[test]
fn without_a_source_time_zone_redials_keep_their_text_and_no_time_is_guessed() {
    let folder = folder();
    let exporter = Exporter::new(folder.path()).unset("AIRUDDER_SOURCE_TIMEZONE");
    replay(&exporter).done();
    let redials = LakeView::new(exporter.dest()).table("redials");
    for (row, text) in redials
        .iter()
        .zip(["2024-03-11 15:38:36", "2024-03-11 15:39:27"])
    {
        assert_eq!(row["call_start_time"].to_string(), "null");
        assert_eq!(row["call_start_time_text"].text(), Some(text));
    }
}

#[test]
fn the_partition_time_zone_decides_the_day() {
    let folder = folder();
    let exporter =
        Exporter::new(folder.path()).set("AIRUDDER_PARTITION_TIMEZONE", "Pacific/Honolulu");
    replay(&exporter).done();
    let content = LakeView::new(exporter.dest()).content();
    assert_eq!(content["calls"][0]["call_date"].to_string(), "2024-03-10");
    assert_eq!(content["tasks"][0]["task_date"].to_string(), "2024-03-10");
}
