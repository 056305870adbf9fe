//! `DuckDB`, pyarrow, polars, fastparquet, `ClickHouse` and Spark, in Python environments of the tests' own.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde::de::DeserializeOwned;
use serde_json::{Map, Value, json};

use super::lake::{Cell, LakeView, Row, TABLES};
use super::{packages, skip};

const SMALL: [&str; 2] = ["duckdb==2.0.0", "pyarrow==26.0.1"];
const FRAMES: [&str; 3] = ["polars==2.1.0", "fastparquet==2026.9.0", "pandas==3.1.1"];
const CLICKHOUSE: [&str; 2] = ["chdb==4.4.0", "pyarrow==26.0.1"];
/// The versions of Spark that are tried by hand.
pub(crate) const SPARKS: [&str; 5] = ["3.3.4", "3.4.4", "3.5.6", "4.0.0", "4.3.0"];
const SCRIPT: &str = include_str!("readers.py");

/// What a reader reads.
#[derive(Clone, Copy, Debug)]
pub(crate) enum What {
    /// The files that the commit log lists.
    Listed,
    /// Whatever lies in a table's folder.
    Globbed,
    /// The same, and the reader is told that the partition column is a date.
    Typed,
}

/// What a reader makes of the tables: `{table: {"types": {column: type}, "rows": [[…]]}}`.
/// None where there is no Python: the test is to be skipped. Spark is asked for with its version:
/// `spark 4.3.0`.
pub(crate) fn read(reader: &str, what: What, lake: &LakeView) -> Option<Value> {
    let python = python_of(reader)?;
    let files: BTreeMap<&str, Vec<PathBuf>> = match what {
        What::Globbed | What::Typed => BTreeMap::new(),
        What::Listed => lake
            .live_files()
            .into_iter()
            .map(|(table, files)| {
                (
                    table,
                    files.iter().map(|file| lake.root().join(file)).collect(),
                )
            })
            .collect(),
    };
    let typed = matches!(what, What::Typed);
    let name = reader.split_whitespace().next().unwrap_or(reader);
    let ask = json!({"reader": name, "root": lake.root(), "files": files, "typed": typed});
    let (read, text) = packages::ask(&python, SCRIPT, &ask);
    assert!(read, "{reader} could not read the lake");
    Some(serde_json::from_str(&text).expect("the script prints JSON"))
}

/// What the `parquet` crate makes of the files that the commit log lists, as far as rows go. Needs no
/// download.
pub(crate) fn own(lake: &LakeView) -> Value {
    let table = |table: &str| {
        let rows: Vec<_> = lake.table(table).iter().map(as_json).collect();
        (table.to_owned(), json!({ "rows": rows }))
    };
    Value::Object(TABLES.map(table).into_iter().collect())
}

/// A row as a reader's script prints it.
pub(crate) fn as_json(row: &Row) -> Map<String, Value> {
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

/// The rows of a query, each value as text. None where there is no Python.
pub(crate) fn duckdb(query: &str) -> Option<Vec<Vec<String>>> {
    const ASK: &str = "import duckdb, json, sys\n\
        rows = duckdb.sql(sys.argv[1]).fetchall()\n\
        print(json.dumps([[str(value) for value in row] for row in rows]))";
    ask("duckdb", ASK, &[query])
}

/// How many row groups a file has, and how many of them pyarrow reads for the rows whose `column` is
/// between two moments in microseconds. None where there is no Python.
pub(crate) fn pyarrow_row_groups(
    file: &Path,
    column: &str,
    (from, to): (i64, i64),
) -> Option<(usize, usize)> {
    const ASK: &str = "import json, sys, pyarrow as pa, pyarrow.dataset as ds\n\
        moment = lambda text: pa.scalar(int(text), pa.timestamp('us', 'UTC'))\n\
        file, column, least, most = sys.argv[1], ds.field(sys.argv[2]), moment(sys.argv[3]), moment(sys.argv[4])\n\
        [whole] = ds.dataset(file, format='parquet').get_fragments()\n\
        part = whole.subset((column >= least) & (column <= most))\n\
        print(json.dumps([len(whole.row_groups), len(part.row_groups)]))";
    let file = file.to_str().expect("a path of ours");
    ask(
        "pyarrow",
        ASK,
        &[file, column, &from.to_string(), &to.to_string()],
    )
}

/// What a script prints, as JSON. None where there is no Python.
fn ask<T: DeserializeOwned>(reader: &str, script: &str, args: &[&str]) -> Option<T> {
    let output = Command::new(python_of(reader)?)
        .args(["-c", script])
        .args(args)
        .output()
        .expect("it was found");
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{args:?}: {said}");
    Some(serde_json::from_slice(&output.stdout).expect("the script prints JSON"))
}

/// The interpreter of the environment that has this reader.
fn python_of(reader: &str) -> Option<PathBuf> {
    let programs = match reader {
        "clickhouse" => packages::python("clickhouse-venv", &CLICKHOUSE),
        "polars" | "fastparquet" => packages::python("frames-venv", &FRAMES),
        spark if spark.starts_with("spark ") => {
            let package = spark.replacen(' ', "==", 1).replace("spark", "pyspark");
            let folder = spark.replace(' ', "-");
            packages::python(&format!("{folder}-venv"), &[package.as_str()])
        }
        _ => packages::python("readers-venv", &SMALL),
    };
    match programs {
        Ok(programs) => Some(programs.join("python")),
        Err(why) => {
            skip(&why);
            None
        }
    }
}
