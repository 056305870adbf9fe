//! What other people's readers see: every table, its partitions, and the types of the contract.

use airudder_export::sandbox::SandboxOptions;
use serde_json::{Map, Value};

use crate::harness::contract::{Kind, columns};
use crate::harness::lake::{TABLES, partition_column};
use crate::harness::readers::{What, duckdb, read};
use crate::harness::vendor::past_days;
use crate::harness::{Cell, Exporter, LakeView, NOW, Row, Vendor, folder};

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

fn as_json(row: &Row) -> Map<String, Value> {
    let value = |cell: &Cell| match cell {
        Cell::Null => Value::Null,
        Cell::Int(number) => (*number).into(),
        other => other.to_string().into(),
    };
    row.0
        .iter()
        .map(|(name, cell)| (name.clone(), value(cell)))
        .collect()
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
fn duckdb_reads_the_files_of_the_commit_log() {
    the_reader_sees_what_is_there("duckdb", What::Listed, duckdb_type);
}

#[test]
fn duckdb_reads_the_folders() {
    the_reader_sees_what_is_there("duckdb", What::Globbed, duckdb_type);
}

#[test]
fn pyarrow_reads_the_files_of_the_commit_log() {
    the_reader_sees_what_is_there("pyarrow", What::Listed, pyarrow_type);
}

#[test]
fn pyarrow_reads_the_folders() {
    the_reader_sees_what_is_there("pyarrow", What::Globbed, pyarrow_type);
}

#[test]
fn clickhouse_reads_the_files_of_the_commit_log() {
    the_reader_sees_what_is_there("clickhouse", What::Listed, clickhouse_type);
}

#[test]
fn clickhouse_reads_the_folders() {
    the_reader_sees_what_is_there("clickhouse", What::Globbed, clickhouse_type);
}

#[test]
#[ignore = "fetches 450 MB and needs Java: cargo test --test it -- --ignored spark"]
fn spark_reads_the_files_of_the_commit_log_and_the_folders() {
    the_reader_sees_what_is_there("spark", What::Listed, spark_type);
    the_reader_sees_what_is_there("spark", What::Globbed, spark_type);
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
