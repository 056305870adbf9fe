//! dbt sources: the tables with their descriptions, tests on keys and nulls, and their freshness.

use serde_json::{Map, Value, json};

use super::words::description;
use super::yaml::yaml;
use crate::schema::{Column, ColumnType, Table, TableName, table};

/// A `sources.yml` for dbt 1.10 or newer. The tables are read from the schema
/// `var('airudder_schema')`, on dbt-duckdb from the files below `var('airudder_lake')`.
#[must_use]
pub fn dbt(names: &[TableName]) -> String {
    let tables: Vec<Value> = names
        .iter()
        .map(|name| source(table(*name), names))
        .collect();
    let files = "read_parquet('{{ var('airudder_lake', env_var('AIRUDDER_LAKE', 'lake')) }}/{name}/*/*.parquet', \
                 hive_partitioning = true, union_by_name = true)";
    yaml(&json!({
        "version": 2,
        "sources": [{
            "name": "airudder",
            "description": "Calls of AI Rudder voice bots, as airudder-export writes them.",
            "schema": "{{ var('airudder_schema', 'airudder') }}",
            "config": {
                "loaded_at_field": "_extracted_at",
                "freshness": {
                    "warn_after": { "count": 36, "period": "hour" },
                    "error_after": { "count": 72, "period": "hour" },
                },
                "meta": { "external_location": files },
            },
            "tables": tables,
        }],
    }))
}

fn source(table: &Table, names: &[TableName]) -> Value {
    let mut columns: Vec<Value> = table
        .columns
        .iter()
        .map(|one| column(table, one, names))
        .collect();
    columns.push(json!({
        "name": table.name.partition_column(),
        "description": table.partition_description,
        "data_type": "date",
    }));
    let mut source = Map::new();
    source.insert("name".into(), json!(table.name));
    source.insert("description".into(), table.description.clone().into());
    if table.key.len() > 1 {
        let key = table.key.join(" || '/' || ");
        let test = json!([{ "unique": { "name": format!("unique_key_of_{}", table.name), "arguments": { "column_name": format!("({key})") } } }]);
        source.insert("data_tests".into(), test);
    }
    source.insert("columns".into(), columns.into());
    source.into()
}

fn column(table: &Table, column: &Column, names: &[TableName]) -> Value {
    let mut shown = Map::new();
    let mut set = |key: &str, value: Value| shown.insert(key.to_owned(), value);
    set("name", column.name.clone().into());
    set("description", description(column).into());
    set("data_type", data_type(column.data_type).into());
    let mut meta = Map::new();
    if column.personal {
        meta.insert("personal".into(), true.into());
    }
    if let Some(unit) = &column.unit {
        meta.insert("unit".into(), unit.clone().into());
    }
    if !meta.is_empty() {
        set("config", json!({ "meta": meta }));
    }
    let mut tests = Vec::new();
    if !column.nullable {
        tests.push(json!("not_null"));
    }
    if table.key == [column.name.clone()] {
        tests.push(json!("unique"));
    }
    let refers = column.name == "task_id" && table.name != TableName::Tasks;
    if refers && names.contains(&TableName::Tasks) {
        let tasks = "source('airudder', 'tasks')";
        let arguments = json!({ "to": tasks, "field": "task_id" });
        tests.push(json!({ "relationships": { "arguments": arguments } }));
    }
    if !tests.is_empty() {
        set("data_tests", tests.into());
    }
    shown.into()
}

fn data_type(column_type: ColumnType) -> &'static str {
    match column_type {
        ColumnType::Utf8 | ColumnType::Json => "varchar",
        ColumnType::Int32 => "integer",
        ColumnType::Int64 => "bigint",
        ColumnType::Decimal => "decimal(20, 4)",
        ColumnType::Timestamp => "timestamp with time zone",
        ColumnType::Date32 => "date",
    }
}
