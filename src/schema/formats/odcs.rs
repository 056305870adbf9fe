//! The Open Data Contract Standard, version 3.1.

use serde_json::{Map, Value, json};

use super::words::{description, key_position, version};
use super::yaml::yaml;
use crate::schema::{Column, ColumnType, Table, TableName, table};

/// The contract of the tables, as YAML. The publisher sets its id and its server.
#[must_use]
pub fn odcs(names: &[TableName]) -> String {
    let tables: Vec<Value> = names.iter().map(|name| schema(table(*name))).collect();
    let freshness = names.iter().map(|name| {
        json!({
            "property": "freshness",
            "value": 36,
            "unit": "h",
            "element": format!("{name}._extracted_at"),
            "driver": "operational",
            "description": "The nightly job ran and brought rows.",
        })
    });
    let contract = json!({
        "apiVersion": "v3.1.0",
        "kind": "DataContract",
        "id": "airudder-export-lake",
        "name": "AI Rudder calls",
        "version": version(),
        "status": "active",
        "description": {
            "purpose": "Calls of AI Rudder voice bots, exported every night: every final task exactly once.",
            "usage": "Join the tables by task_id and detail_index. A day can be loaded once \
                      _export/complete/DATE is there.",
            "limitations": "Columns are only added. A value of extra_fields that is not null shows drift.",
        },
        "tags": ["airudder-export"],
        "servers": [{
            "server": "lake",
            "type": "local",
            "path": "lake/{model}/*/*.parquet",
            "format": "parquet",
        }],
        "schema": tables,
        "slaProperties": freshness.chain([json!({
            "property": "frequency",
            "value": 1,
            "unit": "d",
            "description": "One run a night.",
        })]).collect::<Vec<_>>(),
    });
    yaml(&contract)
}

fn schema(table: &Table) -> Value {
    let mut properties: Vec<Value> = table
        .columns
        .iter()
        .map(|column| property(table, column))
        .collect();
    properties.push(json!({
        "name": table.name.partition_column(),
        "logicalType": "date",
        "physicalType": "DATE",
        "description": table.partition_description,
        "required": false,
        "partitioned": true,
        "partitionKeyPosition": 1,
        "classification": "internal",
    }));
    json!({
        "name": table.name,
        "physicalName": table.name,
        "physicalType": "table",
        "logicalType": "object",
        "description": table.description,
        "dataGranularityDescription": format!("One row for each {}.", table.key.join(", ")),
        "properties": properties,
        "quality": [{
            "type": "library",
            "metric": "duplicateValues",
            "arguments": { "properties": table.key },
            "mustBe": 0,
            "dimension": "uniqueness",
            "severity": "error",
            "description": "A key is there once.",
        }],
    })
}

fn property(table: &Table, column: &Column) -> Value {
    let (logical, physical) = types(column.data_type);
    let mut property = Map::new();
    let mut set = |key: &str, value: Value| property.insert(key.to_owned(), value);
    set("name", column.name.clone().into());
    set("logicalType", logical.into());
    set("physicalType", physical.into());
    set("description", description(column).into());
    set("required", (!column.nullable).into());
    if let Some(position) = key_position(table, column) {
        set("primaryKey", true.into());
        set("primaryKeyPosition", position.into());
    }
    let classification = if column.personal {
        "restricted"
    } else {
        "internal"
    };
    set("classification", classification.into());
    if column.personal {
        set("tags", json!(["personal"]));
    }
    if let Some(unit) = &column.unit {
        set(
            "customProperties",
            json!([{ "property": "unit", "value": unit }]),
        );
    }
    if column.name == "task_id" && table.name != TableName::Tasks {
        set(
            "relationships",
            json!([{ "type": "foreignKey", "to": "tasks.task_id" }]),
        );
    }
    if !column.nullable {
        let quality = json!([{
            "type": "library",
            "metric": "nullValues",
            "mustBe": 0,
            "dimension": "completeness",
            "severity": "error",
        }]);
        set("quality", quality);
    }
    property.into()
}

/// Logical and physical type.
fn types(column_type: ColumnType) -> (&'static str, &'static str) {
    match column_type {
        ColumnType::Utf8 | ColumnType::Json => ("string", "VARCHAR"),
        ColumnType::Int32 => ("integer", "INTEGER"),
        ColumnType::Int64 => ("integer", "BIGINT"),
        ColumnType::Decimal => ("number", "DECIMAL(20, 4)"),
        // `datacontract test` knows this name and no other of DuckDB's type.
        ColumnType::Timestamp => ("timestamp", "TIMESTAMP_TZ"),
        ColumnType::Date32 => ("date", "DATE"),
    }
}
