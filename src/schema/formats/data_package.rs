//! Data Package v2 (Frictionless): tables as resources, or data files with their hashes.

use serde_json::{Map, Value, json};

use super::words::{description, key_position, version};
use crate::schema::{Column, ColumnType, Table, TableName, table};

/// A data file, for [`data_package_of_files`].
#[derive(Clone, Debug)]
pub struct PackagedFile {
    /// The table of the file.
    pub table: TableName,
    /// Its path below the package.
    pub path: String,
    /// Size of the file, in bytes.
    pub bytes: u64,
    /// Number of rows in it.
    pub rows: u64,
    /// Its SHA-256, in hex digits.
    pub sha256: String,
    /// The day of its partition.
    pub date: Option<chrono::NaiveDate>,
}

/// The tables as resources: paths are patterns below the lake's folder.
#[must_use]
pub fn data_package(names: &[TableName]) -> Value {
    let resources = names.iter().map(|name| {
        let table = table(*name);
        let column = table.name.partition_column();
        let mut resource = resource(table, name.as_str());
        resource.insert("path".into(), format!("{name}/{column}=*/*.parquet").into());
        resource.insert("schema".into(), schema(table, names));
        Value::Object(resource)
    });
    package(&resources.collect::<Vec<_>>())
}

/// Data files as resources, each with its length and hash.
#[must_use]
pub fn data_package_of_files(files: &[PackagedFile]) -> Value {
    let resources = files.iter().map(|file| {
        let table = table(file.table);
        let stem = file.path.rsplit('/').next().unwrap_or_default();
        let stem = stem.trim_end_matches(".parquet").to_lowercase();
        let name = format!("{}-{stem}", file.table).replace('_', "-");
        let mut resource = resource(table, &name);
        resource.insert("path".into(), file.path.clone().into());
        resource.insert("bytes".into(), file.bytes.into());
        resource.insert("hash".into(), format!("sha256:{}", file.sha256).into());
        resource.insert("rows".into(), file.rows.into());
        let date = file.date.map(|date| date.to_string());
        resource.insert(table.name.partition_column().into(), date.into());
        // Keys refer to other resources of a package: a file is none of a table's whole.
        resource.insert("schema".into(), schema(table, &[]));
        Value::Object(resource)
    });
    package(&resources.collect::<Vec<_>>())
}

fn package(resources: &[Value]) -> Value {
    json!({
        "$schema": "https://datapackage.org/profiles/2.0/datapackage.json",
        "name": "airudder-export-lake",
        "title": "AI Rudder calls",
        "description": "Calls of AI Rudder voice bots, as airudder-export writes them.",
        "version": version(),
        "resources": resources,
    })
}

fn resource(table: &Table, name: &str) -> Map<String, Value> {
    let Value::Object(resource) = json!({
        "name": name.replace('_', "-"),
        "title": table.name,
        "description": table.description,
        "type": "table",
        "format": "parquet",
        "mediatype": "application/vnd.apache.parquet",
    }) else {
        unreachable!("it is an object");
    };
    resource
}

fn schema(table: &Table, names: &[TableName]) -> Value {
    let fields: Vec<Value> = table.columns.iter().map(|one| field(table, one)).collect();
    let mut schema = Map::new();
    let profile = "https://datapackage.org/profiles/2.0/tableschema.json";
    schema.insert("$schema".into(), profile.into());
    schema.insert("fields".into(), fields.into());
    schema.insert("primaryKey".into(), json!(table.key));
    if table.name != TableName::Tasks && names.contains(&TableName::Tasks) {
        let reference = json!({ "resource": "tasks", "fields": ["task_id"] });
        let keys = json!([{ "fields": ["task_id"], "reference": reference }]);
        schema.insert("foreignKeys".into(), keys);
    }
    schema.into()
}

fn field(table: &Table, column: &Column) -> Value {
    let field_type = match column.data_type {
        ColumnType::Utf8 | ColumnType::Json => "string",
        ColumnType::Int32 | ColumnType::Int64 => "integer",
        ColumnType::Decimal => "number",
        ColumnType::Timestamp => "datetime",
        ColumnType::Date32 => "date",
    };
    let mut field = Map::new();
    let mut set = |key: &str, value: Value| field.insert(key.to_owned(), value);
    set("name", column.name.clone().into());
    set("type", field_type.into());
    set("description", description(column).into());
    if !column.nullable || key_position(table, column).is_some() {
        set("constraints", json!({ "required": true }));
    }
    if let Some(unit) = &column.unit {
        set("unit", unit.clone().into());
    }
    if column.personal {
        set("personal", true.into());
    }
    if column.data_type == ColumnType::Json {
        set("mediatype", "application/json".into());
    }
    field.into()
}
