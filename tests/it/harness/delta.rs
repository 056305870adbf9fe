//! A Delta table as a reader sees it that knows the protocol and none of the program's code.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use arrow_array::cast::AsArray;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use serde_json::Value;

use super::Exporter;
use super::lake::TABLES;

/// A table as of one version.
#[derive(Clone, Debug)]
pub(crate) struct DeltaTable {
    folder: PathBuf,
    /// The version.
    pub(crate) version: u64,
    /// The sequence of the last commit.
    pub(crate) sequence: u64,
    /// Its files, by their paths in the table: the `add` of each.
    pub(crate) files: BTreeMap<String, Value>,
    /// The last `metaData`.
    pub(crate) metadata: Value,
    /// The `protocol`.
    pub(crate) protocol: Value,
}

impl DeltaTable {
    /// Reads it up to a version, or up to its last. None where it has no version.
    pub(crate) fn read(lake: &Path, table: &str, up_to: Option<u64>) -> Option<Self> {
        let folder = lake.join(table);
        let mut found: Option<Self> = None;
        for version in 0..=up_to.unwrap_or(u64::MAX - 1) {
            let path = folder.join(format!("_delta_log/{version:020}.json"));
            let Ok(text) = fs::read_to_string(&path) else {
                break;
            };
            assert!(text.ends_with('\n'), "{} is not whole", path.display());
            let table = found.get_or_insert_with(|| Self {
                folder: folder.clone(),
                version: 0,
                sequence: 0,
                files: BTreeMap::new(),
                metadata: Value::Null,
                protocol: Value::Null,
            });
            table.version = version;
            for line in text.lines() {
                table.take(&serde_json::from_str(line).expect("an action is JSON"));
            }
        }
        found
    }

    fn take(&mut self, action: &Value) {
        let actions = action.as_object().expect("an object");
        assert_eq!(actions.len(), 1, "one action a line: {action}");
        let (kind, action) = actions.iter().next().expect("one");
        let path = || action["path"].as_str().expect("a path").to_owned();
        match kind.as_str() {
            "add" => {
                assert!(self.files.insert(path(), action.clone()).is_none());
            }
            "remove" => {
                assert!(self.files.remove(&path()).is_some(), "{action}");
            }
            "metaData" => self.metadata = action.clone(),
            "protocol" => self.protocol = action.clone(),
            "txn" => {
                assert_eq!(action["appId"], "airudder-export");
                self.sequence = action["version"].as_u64().expect("a number");
            }
            "commitInfo" => {}
            other => panic!("{other} is not in the protocol of these tables"),
        }
    }

    /// The paths of its files below the lake.
    pub(crate) fn paths(&self) -> BTreeSet<PathBuf> {
        self.files
            .keys()
            .map(|path| self.folder.join(path))
            .collect()
    }

    /// Fails if a file is not there.
    #[track_caller]
    pub(crate) fn expect_files(&self) {
        for path in self.paths() {
            assert!(
                path.exists(),
                "version {} needs {}",
                self.version,
                path.display()
            );
        }
    }

    /// The paths in a checkpoint of this version.
    pub(crate) fn checkpoint(&self) -> BTreeSet<PathBuf> {
        let name = format!("_delta_log/{:020}.checkpoint.parquet", self.version);
        let file = fs::File::open(self.folder.join(name)).expect("it is there");
        let reader = ParquetRecordBatchReaderBuilder::try_new(file).expect("whole");
        let mut paths = BTreeSet::new();
        for batch in reader.build().expect("readable") {
            let batch = batch.expect("whole");
            let add = batch["add"].as_struct().column_by_name("path");
            let add = add.expect("a column").as_string::<i32>();
            paths.extend(add.iter().flatten().map(|path| self.folder.join(path)));
        }
        paths
    }
}

/// The files of `files`, by table, of a commit or of the newest state.
pub(crate) fn listed(
    exporter: &Exporter,
    commit: Option<u64>,
) -> BTreeMap<&'static str, BTreeSet<PathBuf>> {
    let number = commit.map(|number| number.to_string());
    let mut args = vec!["files", "--format", "json"];
    if let Some(number) = &number {
        args.extend(["--as-of-commit", number]);
    }
    let list = exporter.run(&args).done().json();
    let mut found: BTreeMap<_, BTreeSet<_>> = TABLES.map(|table| (table, BTreeSet::new())).into();
    for file in list["files"].as_array().expect("a list") {
        let table = TABLES.into_iter().find(|table| file["table"] == *table);
        let path = PathBuf::from(file["path"].as_str().expect("a path"));
        let files = found.get_mut(table.expect("a table")).expect("known");
        files.insert(path);
    }
    found
}

/// Holds the Delta tables against the lake: the newest version is what `files` lists.
#[track_caller]
pub(crate) fn expect_lake(exporter: &Exporter) {
    for (table, files) in listed(exporter, None) {
        let delta = DeltaTable::read(&exporter.dest(), table, None);
        let delta = delta.unwrap_or_else(|| panic!("{table} is no Delta table"));
        assert_eq!(delta.paths(), files, "{table}");
        delta.expect_files();
    }
}
