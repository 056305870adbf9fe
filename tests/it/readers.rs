//! What other people's readers see: every table, its partitions, and the types of the contract.

use std::fs;

use airudder_export::sandbox::SandboxOptions;
use parquet::basic::{Encoding, PageType};
use parquet::file::reader::{FileReader as _, SerializedFileReader};
use rstest::rstest;
use serde_json::{Map, Value, json};

use crate::harness::contract::{Kind, columns};
use crate::harness::lake::{TABLES, below, partition_column};
use crate::harness::readers::{What, as_json, duckdb, read};
use crate::harness::scripted::answer;
use crate::harness::vendor::past_days;
use crate::harness::{Exporter, LakeView, NOW, Vendor, folder};

fn exported(folder: &tempfile::TempDir) -> LakeView {
    let vendor = Vendor::start(SandboxOptions {
        seed: 3,
        ..past_days(2, 6, 25)
    });
    let exporter = Exporter::new(folder.path()).against(vendor.url()).at(NOW);
    exporter.run(&["run"]).done();
    // Several commits, one of which replaces files.
    let again = [
        "backfill",
        "--from",
        "2024-03-12",
        "--to",
        "2024-03-12",
        "--replace",
    ];
    exporter.run(&again).done();
    LakeView::new(exporter.dest())
}

fn duckdb_type(kind: Kind) -> &'static str {
    match kind {
        Kind::Text | Kind::Json | Kind::JsonObject => "VARCHAR",
        Kind::Int32 | Kind::Clock => "INTEGER",
        Kind::Int64 => "BIGINT",
        Kind::Decimal => "DECIMAL(20,4)",
        Kind::Time | Kind::LocalTime => "TIMESTAMP WITH TIME ZONE",
        Kind::Date => "DATE",
    }
}

fn pyarrow_type(kind: Kind) -> &'static str {
    match kind {
        Kind::Text | Kind::Json | Kind::JsonObject => "string",
        Kind::Int32 | Kind::Clock => "int32",
        Kind::Int64 => "int64",
        Kind::Decimal => "decimal128(20, 4)",
        Kind::Time | Kind::LocalTime => "timestamp[us, tz=UTC]",
        Kind::Date => "date32[day]",
    }
}

fn clickhouse_type(kind: Kind) -> &'static str {
    match kind {
        Kind::Text | Kind::Json | Kind::JsonObject => "String",
        Kind::Int32 | Kind::Clock => "Int32",
        Kind::Int64 => "Int64",
        Kind::Decimal => "Decimal(20, 4)",
        Kind::Time | Kind::LocalTime => "DateTime64(6, 'UTC')",
        Kind::Date => "Date32",
    }
}

fn spark_type(kind: Kind) -> &'static str {
    match kind {
        Kind::Text | Kind::Json | Kind::JsonObject => "string",
        Kind::Int32 | Kind::Clock => "int",
        Kind::Int64 => "bigint",
        Kind::Decimal => "decimal(20,4)",
        Kind::Time | Kind::LocalTime => "timestamp",
        Kind::Date => "date",
    }
}

fn sorted(rows: Vec<Map<String, Value>>) -> Vec<String> {
    let mut lines: Vec<String> = rows
        .into_iter()
        .map(|row| {
            let sorted: std::collections::BTreeMap<String, Value> = row.into_iter().collect();
            serde_json::to_string(&sorted).expect("JSON")
        })
        .collect();
    lines.sort();
    lines
}

fn the_reader_sees_what_is_there(reader: &str, what: What, type_of: fn(Kind) -> &'static str) {
    let folder = folder();
    let lake = exported(&folder);
    let Some(read) = read(reader, what, &lake) else {
        return;
    };
    for table in TABLES {
        let types = read[table]["types"].as_object().expect("types");
        let mut expected: Vec<(&str, &str)> = columns(table)
            .iter()
            .map(|column| (column.name, type_of(column.kind)))
            .collect();
        expected.push((
            partition_column(table),
            match type_of(Kind::Date) {
                // What it makes of a folder's name.
                "Date32" => "Date",
                other => other,
            },
        ));
        let found: Vec<(&str, &str)> = types
            .iter()
            .map(|(name, kind)| (name.as_str(), kind.as_str().expect("a text")))
            .collect();
        assert_eq!(found, expected, "{table}");
        let rows = read[table]["rows"].as_array().expect("rows").clone();
        let rows = rows
            .into_iter()
            .map(|row| match row {
                Value::Object(row) => row,
                other => panic!("{other} is no row"),
            })
            .collect();
        let ours = lake.table(table).iter().map(as_json).collect();
        assert!(
            sorted(rows) == sorted(ours),
            "{reader} reads other rows of {table}"
        );
    }
}

#[test]
#[ignore = "needs PyPI: just test-all"]
fn duckdb_reads_the_files_of_the_commit_log() {
    the_reader_sees_what_is_there("duckdb", What::Listed, duckdb_type);
}

#[test]
#[ignore = "needs PyPI: just test-all"]
fn duckdb_reads_the_folders() {
    the_reader_sees_what_is_there("duckdb", What::Globbed, duckdb_type);
}

#[test]
#[ignore = "needs PyPI: just test-all"]
fn pyarrow_reads_the_files_of_the_commit_log() {
    the_reader_sees_what_is_there("pyarrow", What::Listed, pyarrow_type);
}

#[test]
#[ignore = "needs PyPI: just test-all"]
fn pyarrow_reads_the_folders() {
    the_reader_sees_what_is_there("pyarrow", What::Globbed, pyarrow_type);
}

#[test]
#[ignore = "needs PyPI: just test-all"]
fn clickhouse_reads_the_files_of_the_commit_log() {
    the_reader_sees_what_is_there("clickhouse", What::Listed, clickhouse_type);
}

#[test]
#[ignore = "needs PyPI: just test-all"]
fn clickhouse_reads_the_folders() {
    the_reader_sees_what_is_there("clickhouse", What::Globbed, clickhouse_type);
}

fn polars_type(kind: Kind) -> &'static str {
    match kind {
        Kind::Text | Kind::Json | Kind::JsonObject => "String",
        Kind::Int32 | Kind::Clock => "Int32",
        Kind::Int64 => "Int64",
        Kind::Decimal => "Decimal(precision=20, scale=4)",
        Kind::Time | Kind::LocalTime => "Datetime(time_unit='us', time_zone='UTC')",
        Kind::Date => "Date",
    }
}

/// It has no types of its own for what may be null.
fn fastparquet_type(_: Kind) -> &'static str {
    ""
}

/// Calls that say little, nothing, or what no reader meets every day.
fn odd_calls() -> Vec<Value> {
    let turns = json!([{"time": "99:59:59", "robottext": "\0", "text": "😀".repeat(10)}, {}]);
    vec![
        json!({"CalleeName": "a\0b", "Comments": "\0"}),
        json!({"CalleeName": "😀 \u{202e}א e\u{301} \u{feff}", "Comments": "1\n2\r\n\t\"q\" 'q' , ; | \\ \\N"}),
        json!({"Comments": "x".repeat(1_000_000)}),
        json!({"BorrowedAmount": "9999999999999999.9999", "TotalOwingAmount": "-0.0001"}),
        json!({"BorrowedAmount": "-9999999999999999.9999", "TotalOwingAmount": 0}),
        json!({"BorrowedDate": "1900-01-01", "DueDate": "2199-12-31"}),
        json!({"BorrowedDate": "1969-12-31", "DueDate": "1970-01-01"}),
        json!({"CallStartTime": "1969-12-31T23:59:59.999999Z", "CallEndTime": "1970-01-01T00:00:00Z"}),
        json!({"CallStartTime": "1900-01-01T00:00:00Z", "CallEndTime": "2199-12-31T23:59:59.999999Z"}),
        json!({"CallStartTime": "0001-01-01T00:00:00Z", "CallEndTime": "9999-12-31T23:59:59Z"}),
        json!({"id": i64::MAX, "CallTimes": i32::MAX, "RingTime": i32::MIN}),
        json!({"id": i64::MIN, "CallTimes": -1}),
        json!({"id": null, "CallID": "", "case_id": "", "CalleeNumber": ""}),
        json!({"NerSlots": {"k": {"deep": [1, 2.5, null, "\0"]}}, "EventLabel": {}, "NewKey": [{"b": null}]}),
        json!({"NerSlots": {"a": 1, "A": 2, "a ": 3, "": 4}, "EventLabel": []}),
        json!({"AsrResult": turns, "RedailCall": [{"CallID": null, "CallStartTime": ""}, {}]}),
        json!({}),
    ]
}

/// Calls of a day as they come, texts of different lengths and some of them missing.
fn usual_calls(day: &str, first: usize, count: usize) -> Vec<Value> {
    let call = |n: usize| {
        let number = &format!("+62{}", 8_120_000_000 + 7 * n)[..9 + n % 5];
        json!({
            "id": n, "CallID": format!("call-{n:04}"), "CalleeName": format!("name {}", n % 7),
            "CalleeNumber": (!n.is_multiple_of(5)).then_some(number),
            "CallStartTime": format!("{day}T{:02}:{:02}:00Z", 9 + n / 60 % 14, n % 60),
            "BorrowedAmount": format!("{n}.25"), "DueDate": "2024-05-01", "RingTime": n % 30,
            "AsrResult": [
                {"time": "00:00:01", "robottext": "halo", "text": "x".repeat(n % 4)},
                {"time": "00:00:05", "robottext": "ya", "text": (!n.is_multiple_of(3)).then_some("y")},
            ],
            "RedailCall": [{"CallID": format!("redial-{n}"), "CallStartTime": format!("{day} 15:30:00"), "RingTime": 3}],
        })
    };
    (first..first + count).map(call).collect()
}

/// A lake of each kind, made by the commands that users make it with.
fn lakes(folder: &tempfile::TempDir) -> Vec<(&'static str, LakeView)> {
    let exporter = Exporter::new(folder.path());
    let save = |name: &str, answers: &[(&str, Vec<Value>)]| {
        let saved = folder.path().join("saved").join(name);
        fs::create_dir_all(&saved).expect("writable");
        for (task, calls) in answers {
            let answer = answer(task, &Value::from(calls.clone()).to_string());
            fs::write(saved.join(format!("{task}.json")), answer).expect("writable");
        }
    };
    let zone = ["--source-timezone", "Asia/Jakarta"];
    let replay = |lake: &str, saved: &str, more: &[&str]| {
        let (exporter, saved) = (exporter.clone().lake(lake), format!("saved/{saved}"));
        exporter
            .run(&[&["replay", saved.as_str()], &zone[..], more].concat())
            .done();
        exporter
    };
    let usual = [
        ("t1", usual_calls("2024-03-11", 0, 300)),
        ("t2", usual_calls("2024-03-12", 300, 300)),
    ];
    save("usual", &usual);
    save("more", &[("t3", usual_calls("2024-03-12", 600, 40))]);
    save("changed", &[("t1", usual_calls("2024-03-11", 900, 120))]);
    save("odd", &[("odd", odd_calls())]);
    let nothing =
        json!({"CallStartTime": "2024-03-11T08:00:00Z", "AsrResult": [{}], "RedailCall": [{}]});
    save("nothing", &[("nothing", vec![nothing])]);
    save(
        "quiet",
        &[("quiet", vec![json!({"id": 1}), json!({"id": 2})])],
    );
    save("childless", &[("childless", Vec::new())]);
    let undated = answer(
        "undated",
        r#"[{"CallID":"c","CallStartTime":""},{"AsrResult":[{}],"RedailCall":[{}]}]"#,
    );
    let undated = undated
        .replace("2024-03-11T08:00:00Z", "")
        .replace("2024-03-11T09:00:00Z", "");
    fs::create_dir_all(folder.path().join("saved/undated")).expect("writable");
    fs::write(folder.path().join("saved/undated/undated.json"), undated).expect("writable");

    replay("plain", "usual", &[]);
    replay("compacted", "usual", &[]);
    replay("compacted", "more", &[]).run(&["compact"]).done();
    replay("replaced", "usual", &[]);
    replay("replaced", "changed", &["--replace", "--allow-fewer"]);
    replay("odd values", "odd", &[]);
    replay("only null", "nothing", &[]);
    replay("without rows", "quiet", &[]);
    replay("without calls", "childless", &[]);
    replay("undated", "undated", &[]);
    replay("some undated", "usual", &[]);
    replay("some undated", "undated", &[]);
    let kinds = [
        "plain",
        "compacted",
        "replaced",
        "odd values",
        "only null",
        "without rows",
        "without calls",
        "undated",
        "some undated",
    ];
    kinds
        .map(|kind| (kind, LakeView::new(exporter.clone().lake(kind).dest())))
        .to_vec()
}

/// How a reader prints what it read, where that is less than what is there.
fn as_read(reader: &str, table: &str, mut row: Map<String, Value>) -> Map<String, Value> {
    if reader == "fastparquet" {
        // Its decimals are floats.
        for column in columns(table)
            .iter()
            .filter(|column| column.kind == Kind::Decimal)
        {
            if let Some(Value::String(text)) = row.get_mut(column.name) {
                let number: f64 = text.parse().expect("a decimal");
                *text = format!("{number:.4}");
            }
        }
    }
    row
}

fn every_kind_of_table_is_read_right_by(reader: &str, type_of: fn(Kind) -> &'static str) {
    let folder = folder();
    for (kind, lake) in lakes(&folder) {
        let Some(read) = read(reader, What::Typed, &lake) else {
            return;
        };
        for table in TABLES {
            let at = format!("{reader}, {kind}: {table}");
            let read = read
                .get(table)
                .unwrap_or_else(|| panic!("{at} is not there"));
            let found = read["types"].as_object().expect("types");
            for column in columns(table) {
                assert_eq!(
                    found[column.name],
                    type_of(column.kind),
                    "{at}.{}",
                    column.name
                );
            }
            let rows = read["rows"].as_array().expect("rows").iter();
            let rows = rows
                .map(|row| row.as_object().expect("a row").clone())
                .collect();
            let ours = lake.table(table);
            let ours = ours
                .iter()
                .map(|row| as_read(reader, table, as_json(row)))
                .collect();
            let (rows, ours) = (sorted(rows), sorted(ours));
            let differs = rows.iter().zip(&ours).find(|(read, ours)| read != ours);
            if let Some((read, ours)) = differs {
                let short = |text: &String| text.chars().take(1500).collect::<String>();
                panic!("{at}: read\n{}\nfor\n{}", short(read), short(ours));
            }
            assert_eq!(rows.len(), ours.len(), "{at}");
        }
    }
}

#[rstest]
#[case("duckdb", duckdb_type)]
#[case("pyarrow", pyarrow_type)]
#[case("polars", polars_type)]
#[case("fastparquet", fastparquet_type)]
#[case("clickhouse", clickhouse_type)]
#[ignore = "needs PyPI: just test-all"]
fn every_kind_of_table_is_read_right(
    #[case] reader: &str,
    #[case] type_of: fn(Kind) -> &'static str,
) {
    every_kind_of_table_is_read_right_by(reader, type_of);
}

/// What pages of the files of a lake are, beside dictionaries.
fn pages(lake: &LakeView) -> Vec<(PageType, Encoding)> {
    let mut found = Vec::new();
    for path in TABLES
        .iter()
        .flat_map(|table| below(&lake.root().join(table)))
    {
        let file = fs::File::open(&path).expect("it is there");
        let reader = SerializedFileReader::new(file).expect("Parquet");
        let created_by = reader.metadata().file_metadata().created_by();
        let created_by = created_by.expect("every file names its writer");
        assert!(
            created_by.starts_with("airudder-export version "),
            "{created_by}"
        );
        for group in 0..reader.num_row_groups() {
            let group = reader.get_row_group(group).expect("readable");
            for column in 0..group.num_columns() {
                for page in group.get_column_page_reader(column).expect("readable") {
                    let page = page.expect("readable");
                    let pair = (page.page_type(), page.encoding());
                    if !found.contains(&pair) {
                        found.push(pair);
                    }
                }
            }
        }
    }
    found.sort_unstable_by_key(|pair| format!("{pair:?}"));
    found
}

#[test]
fn pages_are_plain_or_of_a_dictionary_in_whatever_way_a_file_was_made() {
    let folder = folder();
    let plain = [
        (PageType::DATA_PAGE, Encoding::PLAIN),
        (PageType::DATA_PAGE, Encoding::RLE_DICTIONARY),
        (PageType::DICTIONARY_PAGE, Encoding::PLAIN),
    ];
    for (kind, lake) in lakes(&folder) {
        assert!(
            pages(&lake).iter().all(|page| plain.contains(page)),
            "{kind}: {:?}",
            pages(&lake)
        );
    }
    // Dictionaries of the comparison's size fall back.
    let vendor = Vendor::start(SandboxOptions {
        exact_calls: true,
        ..past_days(1, 1, 20_000)
    });
    let exporter = Exporter::new(folder.path()).against(vendor.url()).at(NOW);
    exporter.run(&["run"]).done();
    assert_eq!(pages(&LakeView::new(exporter.dest())), plain);
    let compact = exporter
        .clone()
        .lake("compact")
        .job("[write]\nencodings = 'compact'\n");
    compact
        .run(&["replay", "saved/usual", "--source-timezone", "Asia/Jakarta"])
        .done();
    let found = pages(&LakeView::new(compact.dest()));
    for encoding in [
        Encoding::DELTA_BINARY_PACKED,
        Encoding::DELTA_LENGTH_BYTE_ARRAY,
    ] {
        assert!(
            found.contains(&(PageType::DATA_PAGE, encoding)),
            "{found:?}"
        );
    }
}

#[test]
fn columns_that_are_never_null_say_so_in_the_file() {
    let folder = folder();
    let lake = exported(&folder);
    for (table, files) in lake.live_files() {
        for file in files {
            let (schema, _) = lake.rows_of(&file);
            let found: Vec<(&str, bool)> = schema
                .fields()
                .iter()
                .map(|field| (field.name().as_str(), !field.is_nullable()))
                .collect();
            let contract = columns(table);
            let expected: Vec<(&str, bool)> = contract
                .iter()
                .map(|column| (column.name, column.required))
                .collect();
            assert_eq!(found, expected, "{table}");
            for key in ["schema_version", "run_id", "producer"] {
                let has = schema.metadata().keys().any(|name| name.contains(key));
                assert!(has, "{key} is not in the metadata: {:?}", schema.metadata());
            }
        }
    }
}

/// What a column of the calls holds of the lake's files: for each, whether `DuckDB` need not read
/// it to look for a value.
fn skipped(lake: &LakeView, column: &str, value: &str) -> Option<Vec<bool>> {
    let calls = lake.root().join("calls/**/*.parquet");
    let query = format!(
        "SELECT bloom_filter_excludes FROM parquet_bloom_probe('{}', '{column}', '{value}')",
        calls.display(),
    );
    let rows = duckdb(&query)?;
    Some(rows.iter().map(|row| row[0] == "True").collect())
}

#[test]
#[ignore = "needs PyPI: just test-all"]
fn bloom_filters_let_a_reader_skip_all_files_but_the_one_it_wants() {
    let folder = folder();
    let vendor = Vendor::start(SandboxOptions {
        seed: 4,
        ..past_days(6, 6, 40)
    });
    let job = "[api]\nrate = '2000/s'\nburst = 100\n\
        [write]\nbloom_filters = ['call_id', 'case_id', 'callee_number']\n";
    let exporter = Exporter::new(folder.path())
        .job(job)
        .against(vendor.url())
        .at(NOW);
    exporter.run(&["run"]).done();
    let lake = LakeView::new(exporter.dest());
    let calls = lake.table("calls");
    for column in ["call_id", "case_id", "callee_number"] {
        let wanted = calls.iter().find_map(|row| row[column].text());
        let wanted = wanted.expect("a call has one");
        let Some(files) = skipped(&lake, column, wanted) else {
            return;
        };
        assert!(files.len() >= 6, "{column}: {files:?}");
        let read = files.iter().filter(|skipped| !**skipped).count();
        // One in a hundred files may be read in vain.
        assert!((1..=2).contains(&read), "{column}: {files:?}");
        let nobody = skipped(&lake, column, "nobody has this").expect("it was there before");
        assert!(nobody.iter().filter(|skipped| !**skipped).count() <= 1);
    }
    // Without the setting there is nothing to skip by.
    let found = skipped(&lake, "comments", "nobody has this").expect("it was there before");
    assert!(found.iter().all(|skipped| !*skipped), "{found:?}");
}

/// `cargo test --test it -- --ignored slow::`.
mod slow {
    use super::{
        What, every_kind_of_table_is_read_right_by, spark_type, the_reader_sees_what_is_there,
    };
    use crate::harness::readers::SPARKS;

    #[test]
    #[ignore = "fetches 450 MB and needs Java: just test-slow"]
    fn spark_reads_the_files_of_the_commit_log_and_the_folders() {
        the_reader_sees_what_is_there("spark 4.3.0", What::Listed, spark_type);
        the_reader_sees_what_is_there("spark 4.3.0", What::Globbed, spark_type);
    }

    #[test]
    #[ignore = "fetches 2 GB and needs Java: just test-slow"]
    fn every_kind_of_table_is_read_right_by_every_spark() {
        for version in SPARKS {
            every_kind_of_table_is_read_right_by(&format!("spark {version}"), spark_type);
        }
    }
}
