//! A lake's bytes as a reader gets them, wherever they are, without the program's code.

use std::collections::BTreeMap;
use std::fmt::Debug;
use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use bytes::Bytes;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use serde_json::Value;

use super::lake::{Cell, Row, TABLES, below};

/// Where a lake's files can be listed and read.
pub(crate) trait Shelf: Debug + Send + Sync {
    /// The files below a folder, by their paths in the lake.
    fn list(&self, folder: &str) -> Vec<String>;

    /// A file's bytes; nothing if it is gone.
    fn get(&self, path: &str) -> Option<Bytes>;

    /// The path in the lake of a file that `files` lists.
    fn path_of(&self, listed: &str) -> String;
}

/// A folder.
#[derive(Debug)]
pub(crate) struct Folder(pub(crate) PathBuf);

impl Shelf for Folder {
    fn list(&self, folder: &str) -> Vec<String> {
        let files = found_below(&self.0.join(folder));
        let relative = |path: &PathBuf| self.path_of(path.to_str().expect("Unicode"));
        files.iter().map(relative).collect()
    }

    fn get(&self, path: &str) -> Option<Bytes> {
        match fs::read(self.0.join(path)) {
            Ok(bytes) => Some(bytes.into()),
            Err(error) if error.kind() == ErrorKind::NotFound => None,
            Err(error) => panic!("{path}: {error}"),
        }
    }

    fn path_of(&self, listed: &str) -> String {
        let path = Path::new(listed).strip_prefix(&self.0);
        path.expect("below the lake")
            .to_str()
            .expect("Unicode")
            .to_owned()
    }
}

/// All files below a folder, some of which may vanish meanwhile.
fn found_below(folder: &Path) -> Vec<PathBuf> {
    std::panic::catch_unwind(|| below(folder)).unwrap_or_default()
}

/// Rows by table, sorted, but for when and by which run they were written.
pub(crate) type State = BTreeMap<&'static str, Vec<Row>>;

/// The rows of one data file. Panics if it is not whole.
pub(crate) fn rows(path: &str, bytes: Bytes) -> Vec<Row> {
    let builder = ParquetRecordBatchReaderBuilder::try_new(bytes)
        .unwrap_or_else(|error| panic!("{path} is not whole: {error}"));
    let fields = builder.schema().fields().clone();
    let names: Vec<String> = fields.iter().map(|f| f.name().clone()).collect();
    let day = path.split('/').nth(1).expect("a partition").to_owned();
    let mut rows = Vec::new();
    for batch in builder.build().expect("readable") {
        let batch = batch.unwrap_or_else(|error| panic!("{path} is not whole: {error}"));
        rows.extend(Row::of_arrays(&names, batch.columns(), batch.num_rows()));
    }
    for row in &mut rows {
        row.0
            .retain(|name, _| name != "_run_id" && name != "_extracted_at");
        row.0.insert("day".to_owned(), Cell::Text(day.clone()));
    }
    rows
}

/// The table of a data file.
pub(crate) fn table_of(path: &str) -> &'static str {
    let first = path.split('/').next();
    let table = TABLES.into_iter().find(|table| Some(*table) == first);
    table.expect("it is in a table")
}

/// All commit records, in their order.
pub(crate) fn commits(shelf: &dyn Shelf) -> Vec<Value> {
    let mut paths = shelf.list("_export/commits");
    paths.retain(|path| Path::new(path).extension().is_some_and(|end| end == "json"));
    paths.sort();
    let read = |path: &String| {
        let bytes = shelf.get(path).expect("no record is ever removed");
        serde_json::from_slice(&bytes).expect("a record is whole")
    };
    paths.iter().map(read).collect()
}

/// Up to which commit all are published.
pub(crate) fn published(shelf: &dyn Shelf) -> u64 {
    shelf.get("_export/published.json").map_or(0, |bytes| {
        let marker: Value = serde_json::from_slice(&bytes).expect("the marker is whole");
        marker["sequence"].as_u64().expect("a number")
    })
}
