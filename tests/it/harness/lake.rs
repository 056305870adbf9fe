//! A look into a lake that knows the contract and none of the program's code: commit records as
//! JSON, data files through the Parquet reader.

use std::collections::BTreeMap;
use std::fmt;
use std::fs;
use std::path::{Path, PathBuf};

use airudder_export::parts::Batch;
use arrow_array::cast::AsArray;
use arrow_array::types::{
    Date32Type, Decimal128Type, Int32Type, Int64Type, TimestampMicrosecondType,
};
use arrow_array::{Array, ArrayRef, RunArray};
use arrow_schema::{DataType, SchemaRef, TimeUnit};
use chrono::{DateTime, NaiveDate};
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use parquet::file::metadata::KeyValue;
use serde_json::Value;

use super::contract::columns;
use super::project;

/// The four tables.
pub(crate) const TABLES: [&str; 4] = ["calls", "redials", "asr_turns", "tasks"];

/// One value of a row.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Cell {
    /// Nothing.
    Null,
    /// Text, JSON text included.
    Text(String),
    /// A whole number.
    Int(i64),
    /// Ten-thousandths.
    Decimal(i128),
    /// Microseconds since 1970.
    Time(i64),
    /// A day.
    Date(NaiveDate),
}

impl fmt::Display for Cell {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Null => f.write_str("null"),
            Self::Text(text) => f.write_str(text),
            Self::Int(number) => number.fmt(f),
            Self::Decimal(number) => {
                let sign = if *number < 0 { "-" } else { "" };
                let number = number.unsigned_abs();
                write!(f, "{sign}{}.{:04}", number / 10_000, number % 10_000)
            }
            Self::Time(micros) => {
                let time = DateTime::from_timestamp_micros(*micros).expect("in range");
                write!(f, "{}", time.format("%Y-%m-%dT%H:%M:%S%.6fZ"))
            }
            Self::Date(date) => date.fmt(f),
        }
    }
}

impl Cell {
    /// The value at an index of an array of one of the contract's types.
    pub(crate) fn at(array: &dyn Array, index: usize) -> Self {
        if array.is_null(index) {
            return Self::Null;
        }
        match array.data_type() {
            DataType::Utf8 => Self::Text(array.as_string::<i32>().value(index).to_owned()),
            // Texts of the decoder, before they are in a file.
            DataType::Binary => {
                let bytes = array.as_binary::<i32>().value(index).to_vec();
                Self::Text(String::from_utf8(bytes).expect("texts are UTF-8"))
            }
            DataType::RunEndEncoded(_, _) => {
                let runs = array.as_any().downcast_ref::<RunArray<Int32Type>>();
                let runs = runs.expect("runs end at 32-bit rows");
                Self::at(runs.values(), runs.get_physical_index(index))
            }
            DataType::Int32 => Self::Int(array.as_primitive::<Int32Type>().value(index).into()),
            DataType::Int64 => Self::Int(array.as_primitive::<Int64Type>().value(index)),
            DataType::Decimal128(20, 4) => {
                Self::Decimal(array.as_primitive::<Decimal128Type>().value(index))
            }
            DataType::Timestamp(TimeUnit::Microsecond, Some(zone)) if zone.as_ref() == "UTC" => {
                Self::Time(
                    array
                        .as_primitive::<TimestampMicrosecondType>()
                        .value(index),
                )
            }
            DataType::Date32 => Self::Date(
                NaiveDate::from_epoch_days(array.as_primitive::<Date32Type>().value(index))
                    .expect("in range"),
            ),
            other => panic!("{other} is no type of the contract"),
        }
    }

    /// The text, if it is one.
    pub(crate) fn text(&self) -> Option<&str> {
        match self {
            Self::Text(text) => Some(text),
            _ => None,
        }
    }
}

/// One row, its partition under the partition column's name.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Row(pub(crate) BTreeMap<String, Cell>);

impl std::ops::Index<&str> for Row {
    type Output = Cell;

    fn index(&self, column: &str) -> &Cell {
        self.0
            .get(column)
            .unwrap_or_else(|| panic!("there is no column {column}"))
    }
}

impl Row {
    /// The rows of some arrays.
    pub(crate) fn of_arrays(names: &[String], columns: &[ArrayRef], rows: usize) -> Vec<Self> {
        assert_eq!(names.len(), columns.len());
        let cells = |row| {
            let pairs = names.iter().zip(columns);
            pairs
                .map(|(name, column)| (name.clone(), Cell::at(column, row)))
                .collect()
        };
        (0..rows).map(|row| Self(cells(row))).collect()
    }

    /// The rows of a batch of the decoder.
    pub(crate) fn of_batch(batch: &Batch) -> Vec<Self> {
        let table = airudder_export::parts::table(batch.table);
        let names: Vec<String> = table.columns.iter().map(|c| c.name.clone()).collect();
        Self::of_arrays(&names, &batch.columns, batch.rows)
    }

    /// The key that all tables share, for sorting: task, call, entry.
    pub(crate) fn key(&self) -> (String, Vec<i64>) {
        let index = |name| match self.0.get(name) {
            Some(Cell::Int(index)) => *index,
            _ => -1,
        };
        let indexes = ["detail_index", "redial_index", "turn_index"].map(index);
        (self["task_id"].to_string(), indexes.to_vec())
    }
}

/// All rows, by table, in the order of their keys.
pub(crate) type Content = BTreeMap<&'static str, Vec<Row>>;

/// A lake.
#[derive(Clone, Debug)]
pub(crate) struct LakeView {
    root: PathBuf,
}

impl LakeView {
    /// The lake in this folder.
    pub(crate) fn new(root: impl Into<PathBuf>) -> Self {
        Self { root: root.into() }
    }

    /// The folder.
    pub(crate) fn root(&self) -> &Path {
        &self.root
    }

    /// All commit records, in their order.
    pub(crate) fn commits(&self) -> Vec<Value> {
        let mut paths = below(&self.root.join("_export/commits"));
        paths.sort();
        let read = |path: &PathBuf| {
            serde_json::from_slice(&fs::read(path).expect("readable")).expect("a record is JSON")
        };
        paths.iter().map(read).collect()
    }

    /// The data files that belong to the lake by the commit log, relative, by table.
    pub(crate) fn live_files(&self) -> BTreeMap<&'static str, Vec<String>> {
        let mut live: BTreeMap<&str, Vec<String>> = BTreeMap::new();
        let text = |value: &Value, key: &str| value[key].as_str().expect("a text").to_owned();
        let list = |value: &Value| value.as_array().cloned().unwrap_or_default();
        for commit in self.commits() {
            let changes = &commit["changes"];
            for file in list(&changes["files"]) {
                let table = text(&file, "table");
                let table = TABLES
                    .into_iter()
                    .find(|name| *name == table)
                    .expect("a table");
                let column = partition_column(table);
                let (day, name) = (text(&file, "partition"), text(&file, "name"));
                let path = format!("{table}/{column}={day}/{name}");
                live.entry(table).or_default().push(path);
            }
            for removed in list(&changes["removes"]) {
                let path = text(&removed, "path");
                for files in live.values_mut() {
                    files.retain(|file| *file != path);
                }
            }
        }
        live
    }

    /// The rows of one data file.
    pub(crate) fn rows_of(&self, path: &str) -> (SchemaRef, Vec<Row>) {
        let file = fs::File::open(self.root.join(path))
            .unwrap_or_else(|error| panic!("{path} is listed, but: {error}"));
        let builder = ParquetRecordBatchReaderBuilder::try_new(file).expect("it is Parquet");
        let schema = builder.schema().clone();
        let pairs = builder.metadata().file_metadata().key_value_metadata();
        let since = columns_since(pairs.map_or(&[], Vec::as_slice), path, &schema);
        let names: Vec<String> = schema.fields().iter().map(|f| f.name().clone()).collect();
        let (column, day) = path
            .split('/')
            .nth(1)
            .and_then(|step| step.split_once('='))
            .expect("a Hive partition");
        let day = match day {
            "__HIVE_DEFAULT_PARTITION__" => Cell::Null,
            day => Cell::Date(day.parse().expect("a date")),
        };
        let mut rows = Vec::new();
        for batch in builder.build().expect("readable") {
            let batch = batch.expect("readable");
            rows.extend(Row::of_arrays(&names, batch.columns(), batch.num_rows()));
        }
        for row in &mut rows {
            row.0.insert(column.to_owned(), day.clone());
            let since = since.iter().map(|name| (name.clone(), Cell::Null));
            row.0.extend(since);
        }
        (schema, rows)
    }

    /// All rows of a table, in the order of their keys.
    pub(crate) fn table(&self, name: &str) -> Vec<Row> {
        let files = self.live_files().remove(name).unwrap_or_default();
        let mut rows: Vec<Row> = files.iter().flat_map(|path| self.rows_of(path).1).collect();
        rows.sort_by_cached_key(Row::key);
        rows
    }

    /// All that the lake says, but for when and by which run it was written.
    pub(crate) fn content(&self) -> Content {
        TABLES
            .into_iter()
            .map(|table| {
                let mut rows = self.table(table);
                for row in &mut rows {
                    row.0.remove("_run_id").expect("in every table");
                    row.0.remove("_extracted_at").expect("in every table");
                }
                (table, rows)
            })
            .collect()
    }

    /// Rows by table.
    pub(crate) fn counts(&self) -> [usize; 4] {
        TABLES.map(|table| self.table(table).len())
    }

    /// Every file with its bytes, but for run reports and locks.
    pub(crate) fn tree(&self) -> BTreeMap<String, Vec<u8>> {
        let relative = |path: &Path| {
            let path = path.strip_prefix(&self.root).expect("below the root");
            path.to_str().expect("Unicode").to_owned()
        };
        below(&self.root)
            .into_iter()
            .map(|path| (relative(&path), path))
            .filter(|(name, _)| !name.starts_with("_export/runs/") && !name.ends_with("lock"))
            .map(|(name, path)| (name, fs::read(path).expect("readable")))
            .collect()
    }
}

/// The columns that a table got after a file of it was written, which are null there.
fn columns_since(pairs: &[KeyValue], path: &str, schema: &SchemaRef) -> Vec<String> {
    let pair = pairs.iter().find(|pair| pair.key == "schema_version");
    let version = pair.and_then(|pair| pair.value.as_ref()?.parse::<i64>().ok());
    let common = fs::read_to_string(project("schemas/common.toml")).expect("it is there");
    let common: toml::Table = common.parse().expect("TOML");
    let today = common["schema_version"].as_integer().expect("a number");
    if version.is_none_or(|version| version >= today) {
        return Vec::new();
    }
    let table = path.split('/').next().expect("a table");
    let added = columns(table).into_iter().filter(|column| {
        let is_there = schema.index_of(column.name).is_ok();
        !is_there && !column.required
    });
    added.map(|column| column.name.to_owned()).collect()
}

/// The partition column of a table.
pub(crate) fn partition_column(table: &str) -> &'static str {
    if table == "tasks" {
        "task_date"
    } else {
        "call_date"
    }
}

/// All files below a folder.
pub(crate) fn below(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let Ok(entries) = fs::read_dir(folder) else {
        return found;
    };
    for entry in entries {
        let path = entry.expect("readable").path();
        if path.is_dir() {
            found.extend(below(&path));
        } else {
            found.push(path);
        }
    }
    found
}

/// Fails the test, shortly, unless both hold the same.
#[track_caller]
pub(crate) fn assert_same(left: &Content, right: &Content) {
    for table in TABLES {
        let (left, right) = (&left[table], &right[table]);
        for (left, right) in left.iter().zip(right) {
            for (column, cell) in &left.0 {
                let key = left.key();
                assert_eq!(cell, &right[column], "{table}.{column} of {key:?}");
            }
        }
        assert_eq!(left.len(), right.len(), "rows of {table}");
    }
}
