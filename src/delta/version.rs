//! One version of a Delta table: its actions, one JSON object a line.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, Utc};
use serde_json::{Map, Value, json};

use super::columns::schema_string;
use super::state::DeltaState;
use crate::schema::{TableName, table};
use crate::store::{DataFile, FilePath, Partition};

/// The `appId` of `txn` actions, whose version is the sequence of the commit.
pub(crate) const APP_ID: &str = "airudder-export";

/// The oldest readers that can read the tables.
pub(super) const MIN_READER: i32 = 1;
/// The oldest protocol of writers in which columns can be declared as never null.
pub(super) const MIN_WRITER: i32 = 2;

/// A file that belongs to the table from this version on.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Add {
    pub(crate) file: DataFile,
    /// When it was committed.
    pub(crate) at: DateTime<Utc>,
    /// Counts, minima and maxima, as JSON.
    pub(crate) statistics: String,
}

/// What a table is: its id and its columns.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Metadata {
    pub(super) id: String,
    pub(super) name: TableName,
    pub(super) schema: String,
    pub(super) since: DateTime<Utc>,
}

impl Metadata {
    /// Of a table of this lake. `since` is when it became a Delta table, or got other columns.
    pub(crate) fn new(state: &DeltaState, name: TableName, since: DateTime<Utc>) -> Self {
        Self {
            id: state.table_id(name),
            name,
            schema: schema_string(table(name)),
            since,
        }
    }

    fn to_action(&self) -> Value {
        let table = table(self.name);
        json!({ "metaData": {
            "id": self.id,
            "name": self.name.as_str(),
            "description": table.description,
            "format": { "provider": "parquet", "options": {} },
            "schemaString": self.schema,
            "partitionColumns": [self.name.partition_column()],
            "configuration": {},
            "createdTime": self.since.timestamp_millis(),
        }})
    }
}

/// A version of a table: what one commit changes in it.
#[derive(Clone, Debug)]
pub(crate) struct Version {
    /// The commit.
    pub(crate) sequence: u64,
    /// When that was made.
    pub(crate) at: DateTime<Utc>,
    /// Delta's word for what it did.
    pub(crate) operation: &'static str,
    /// The commit's own word.
    pub(crate) kind: &'static str,
    /// The first version: it says what protocol the table needs.
    pub(crate) is_first: bool,
    /// In the first version, and when columns were added.
    pub(crate) metadata: Option<Metadata>,
    /// The rows are others than before; not so if they only moved to other files.
    pub(crate) changes_rows: bool,
    pub(crate) adds: Vec<Add>,
    pub(crate) removes: Vec<FilePath>,
}

impl Version {
    /// The bytes of `_delta_log/<number>.json`.
    pub(crate) fn to_json(&self) -> Vec<u8> {
        let mut actions = vec![self.commit_info()];
        if self.is_first {
            actions.push(json!({ "protocol": {
                "minReaderVersion": MIN_READER, "minWriterVersion": MIN_WRITER,
            }}));
        }
        actions.extend(self.metadata.iter().map(Metadata::to_action));
        actions.push(json!({ "txn": {
            "appId": APP_ID, "version": self.sequence, "lastUpdated": self.at.timestamp_millis(),
        }}));
        actions.extend(self.removes.iter().map(|path| self.remove(path)));
        actions.extend(self.adds.iter().map(|add| self.add(add)));
        let mut bytes = Vec::new();
        for action in actions {
            serde_json::to_writer(&mut bytes, &action).expect("texts and numbers are JSON");
            bytes.push(b'\n');
        }
        bytes
    }

    fn commit_info(&self) -> Value {
        json!({ "commitInfo": {
            "timestamp": self.at.timestamp_millis(),
            "operation": self.operation,
            "operationParameters": { "sequence": self.sequence.to_string(), "kind": self.kind },
            "isBlindAppend": self.removes.is_empty(),
            "engineInfo": concat!("airudder-export/", env!("CARGO_PKG_VERSION")),
        }})
    }

    fn add(&self, add: &Add) -> Value {
        json!({ "add": {
            "path": place_in_table(&add.file.path()),
            "partitionValues": partition_values(add.file.table, add.file.partition),
            "size": add.file.bytes,
            "modificationTime": add.at.timestamp_millis(),
            "dataChange": self.changes_rows,
            "stats": add.statistics,
        }})
    }

    fn remove(&self, path: &FilePath) -> Value {
        json!({ "remove": {
            "path": place_in_table(path),
            "deletionTimestamp": self.at.timestamp_millis(),
            "dataChange": self.changes_rows,
            "extendedFileMetadata": false,
            "partitionValues": partition_values(path.table, path.partition),
        }})
    }

    /// Whether these bytes, written by any process, are this version: of the same commit, with the same files.
    pub(crate) fn is_written(&self, bytes: &[u8]) -> bool {
        let Some(found) = Written::parse(bytes) else {
            return false;
        };
        let adds = self.adds.iter().map(|Add { file, .. }| {
            let added = Added {
                size: Some(file.bytes),
                rows: Some(file.rows),
                partition: partition_values(file.table, file.partition),
            };
            (place_in_table(&file.path()), added)
        });
        let removes = self.removes.iter().map(place_in_table);
        let id = self.metadata.as_ref().map(|metadata| &metadata.id);
        found.sequence == Some(self.sequence)
            && found.adds == adds.collect()
            && found.removes == removes.collect()
            && (!self.is_first || (found.has_protocol && found.table_id.as_ref() == id))
    }
}

/// What a version that was read says.
#[derive(Debug, Default)]
struct Written {
    sequence: Option<u64>,
    has_protocol: bool,
    table_id: Option<String>,
    adds: BTreeMap<String, Added>,
    removes: BTreeSet<String>,
}

/// What it says of a file.
#[derive(Debug, PartialEq)]
struct Added {
    size: Option<u64>,
    rows: Option<u64>,
    partition: Value,
}

impl Written {
    fn parse(bytes: &[u8]) -> Option<Self> {
        let mut found = Self::default();
        for line in bytes.split(|byte| *byte == b'\n') {
            if line.is_empty() {
                continue;
            }
            let action: Value = serde_json::from_slice(line).ok()?;
            let path = |of: &str| action[of]["path"].as_str().map(str::to_owned);
            if let Some(place) = path("add") {
                found.adds.insert(place, Added::of(&action["add"]));
            }
            found.removes.extend(path("remove"));
            found.has_protocol |= action["protocol"].is_object();
            if let Some(id) = action["metaData"]["id"].as_str() {
                found.table_id = Some(id.to_owned());
            }
            if action["txn"]["appId"] == APP_ID {
                found.sequence = action["txn"]["version"].as_u64();
            }
        }
        Some(found)
    }
}

impl Added {
    fn of(add: &Value) -> Self {
        let statistics = add["stats"].as_str().unwrap_or_default();
        let statistics: Value = serde_json::from_str(statistics).unwrap_or_default();
        Self {
            size: add["size"].as_u64(),
            rows: statistics["numRecords"].as_u64(),
            partition: add["partitionValues"].clone(),
        }
    }
}

/// What the log says of a file beyond the commit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Known {
    pub(crate) statistics: String,
    pub(crate) at: DateTime<Utc>,
}

/// Of the files that a version adds, by their paths in the table.
pub(crate) fn known_in(bytes: &[u8]) -> Vec<(String, Known)> {
    let lines = bytes.split(|byte| *byte == b'\n');
    let actions = lines.filter_map(|line| serde_json::from_slice::<Value>(line).ok());
    actions
        .filter_map(|action| {
            let add = &action["add"];
            let known = Known {
                statistics: add["stats"].as_str()?.to_owned(),
                at: DateTime::from_timestamp_millis(add["modificationTime"].as_i64()?)?,
            };
            Some((add["path"].as_str()?.to_owned(), known))
        })
        .collect()
}

/// The path below the table's folder. Names are made of letters, digits, `-`, `_`, `.` and `=`, so it
/// is its own URL encoding.
pub(crate) fn place_in_table(path: &FilePath) -> String {
    format!(
        "{}={}/{}",
        path.table.partition_column(),
        path.partition,
        path.name
    )
}

fn partition_values(name: TableName, partition: Partition) -> Value {
    let value = partition_text(partition).map_or(Value::Null, Value::String);
    Value::Object(Map::from_iter([(
        name.partition_column().to_owned(),
        value,
    )]))
}

/// The value of the partition column; nothing for an unknown day.
pub(super) fn partition_text(partition: Partition) -> Option<String> {
    partition.date().map(|date| date.to_string())
}
