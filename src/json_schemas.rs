//! The JSON that other programs read, as JSON Schemas: `schemas/json/`, generated from the types
//! that write it. Part of the tests alone: the program itself has neither the schemas nor what
//! generates them.
//!
//! A schema is closed: a key that it does not name is not allowed, so that the types cannot write
//! what it does not say. `docs/json.md` tells what of it is stable.

use std::borrow::Cow;
use std::fs;
use std::path::{Path, PathBuf};

use schemars::generate::SchemaSettings;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde_json::{Map, Value, json};

use crate::shard::Shard;
use crate::store::{Checksum, FileName, FilePath, Partition, PinId};
use crate::task::{RunId, TaskId, TaskStatus, WorkflowId};

/// Types that are text in JSON.
macro_rules! text {
    ($($name:ident: $about:literal $(, $pattern:literal)?;)*) => {$(
        impl JsonSchema for $name {
            fn schema_name() -> Cow<'static, str> {
                stringify!($name).into()
            }

            fn json_schema(_: &mut SchemaGenerator) -> Schema {
                json_schema!({
                    "description": $about,
                    "type": "string",
                    "minLength": 1,
                    $("pattern": $pattern,)?
                })
            }
        }
    )*};
}

text! {
    TaskId: "The vendor's id of a task.";
    WorkflowId: "The vendor's id of a workflow.";
    RunId: "The id of a run; it sorts by the run's start.", "^[0-9A-Za-z._-]+$";
    PinId: "The id of a pin.", "^[0-9A-Za-z_-]+$";
    FileName: "The name of a data file, which is never used again.", "\\.parquet$";
    FilePath: "The path of a data file in the lake.", "^[a-z_]+/[a-z]+_date=[^/]+/[^/]+\\.parquet$";
    Partition: "The value of a partition: a date, or Hive's word for none.",
        "^([0-9]{4}-[0-9]{2}-[0-9]{2}|__HIVE_DEFAULT_PARTITION__)$";
    Checksum: "A SHA-256.", "^[0-9a-f]{64}$";
    Shard: "One shard of several: `2/4` is the second of four.", "^[0-9]+/[0-9]+$";
}

impl JsonSchema for TaskStatus {
    fn schema_name() -> Cow<'static, str> {
        "TaskStatus".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "description": "The vendor's word: created, pending, calling, paused, finished or \
                            canceled; any other word is kept as it is.",
            "type": "string",
        })
    }
}

/// A document, by the name of its schema.
struct Document {
    name: &'static str,
    title: &'static str,
    schema: Schema,
}

/// The schema of what this version writes.
fn written<T: JsonSchema>(name: &'static str, title: &'static str) -> Document {
    let settings = SchemaSettings::draft2020_12().for_serialize();
    let schema = settings.into_generator().into_root_schema_for::<T>();
    Document {
        name,
        title,
        schema,
    }
}

/// The schema of what this version reads: what it and all earlier ones wrote.
fn read<T: JsonSchema>(name: &'static str, title: &'static str) -> Document {
    let settings = SchemaSettings::draft2020_12().for_deserialize();
    let schema = settings.into_generator().into_root_schema_for::<T>();
    Document {
        name,
        title,
        schema,
    }
}

fn documents() -> Vec<Document> {
    let mut documents = vec![
        written::<crate::report::StatusReport>("status", "status --format json"),
        written::<crate::report::StatusCheck>("status-check", "status --check --format json"),
        written::<crate::cli::files::FilesDocument>("files", "files --format json"),
        written::<crate::cli::changes::ChangesDocument>("changes", "changes"),
        written::<crate::cli::changes::Line>("changes-line", "A line of changes --format ndjson"),
        written::<crate::report::PlanReport>("plan", "plan --format json"),
        written::<crate::report::RunDocument<'static>>(
            "run-report",
            "The report of a run: _export/runs/<run id>.json, and --format json",
        ),
        read::<crate::lake::DaySummary>("day", "A day file: _export/days/<date>.json"),
        read::<crate::lake::Commit>(
            "commit",
            "A commit record: _export/commits/<number>.json, of versions 1 to 3",
        ),
    ];
    for document in &mut documents {
        close(&mut document.schema);
        document
            .schema
            .insert("title".into(), document.title.into());
        let id = format!("urn:airudder-export:{}", document.name);
        document.schema.insert("$id".into(), id.into());
    }
    let commit = documents.last_mut().expect("there are some");
    // The seal is added to the finished text (`lake/record/seal.rs`).
    let seal = json!({
        "description": "The SHA-256 of all bytes before this field's comma. Missing in versions 1 and 2.",
        "$ref": "#/$defs/Checksum",
    });
    let properties = commit.schema.get_mut("properties");
    let properties = properties.and_then(Value::as_object_mut);
    properties
        .expect("a record is an object")
        .insert("sha256".into(), seal);
    documents
}

/// Forbids the keys that an object's schema does not name, everywhere in it, and makes its
/// descriptions plain text.
fn close(schema: &mut Schema) {
    if let Some(keys) = schema.as_object_mut() {
        close_all(keys);
    }
}

fn close_all(keys: &mut Map<String, Value>) {
    for (_, value) in keys.iter_mut() {
        close_value(value);
    }
    if let Some(Value::String(text)) = keys.get_mut("description") {
        *text = plain(text);
    }
    let is_object = keys.get("properties").is_some_and(Value::is_object)
        && keys.get("type") == Some(&json!("object"));
    if is_object && !keys.contains_key("additionalProperties") {
        keys.insert("additionalProperties".into(), false.into());
    }
}

/// A doc comment without its line breaks and links.
fn plain(text: &str) -> String {
    let paragraphs = text.split("\n\n");
    let paragraphs = paragraphs.map(|paragraph| paragraph.replace('\n', " "));
    let text = paragraphs.collect::<Vec<_>>().join("\n\n");
    text.replace("[`", "`").replace("`]", "`")
}

fn close_value(value: &mut Value) {
    match value {
        Value::Object(keys) => close_all(keys),
        Value::Array(items) => items.iter_mut().for_each(close_value),
        _ => {}
    }
}

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("schemas/json")
}

/// The files, with what is to be in them.
fn files() -> Vec<(PathBuf, String)> {
    let file = |document: Document| {
        let path = folder().join(format!("{}.schema.json", document.name));
        let text = serde_json::to_string_pretty(&document.schema).expect("a schema is JSON");
        (path, text + "\n")
    };
    documents().into_iter().map(file).collect()
}

#[test]
fn the_schemas_are_those_of_the_types() {
    let files = files();
    for (path, wanted) in &files {
        let present = fs::read_to_string(path).unwrap_or_default();
        assert!(
            present == *wanted,
            "{} is not what the types say; run `just docs`, and read docs/json.md",
            path.display()
        );
    }
    let name = |entry: std::io::Result<fs::DirEntry>| entry.expect("readable").path();
    let mut present: Vec<_> = fs::read_dir(folder())
        .expect("a folder")
        .map(name)
        .collect();
    // These are checked beside what they describe: `log_lines` and `job::schema`.
    present.retain(|path| !(path.ends_with("log-event.json") || path.ends_with("job.json")));
    present.sort();
    let mut expected: Vec<_> = files.into_iter().map(|(path, _)| path).collect();
    expected.sort();
    assert_eq!(present, expected, "files in schemas/json");
}

#[test]
#[ignore = "writes schemas/json"]
fn write_the_json_schemas() {
    fs::create_dir_all(folder()).expect("writable");
    for (path, wanted) in files() {
        fs::write(path, wanted).expect("writable");
    }
}
