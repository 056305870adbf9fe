//! JSON Schema (2020-12) of the tables' rows, as a program has them that turns rows into JSON.

use serde_json::{Map, Value, json};

use super::words::description;
use crate::schema::{Column, ColumnType, Table, TableName, table};

/// The schema of one table's rows, or of the rows of any of several. Times are RFC 3339, amounts
/// numbers or decimal text.
#[must_use]
pub fn json_schema(names: &[TableName]) -> Value {
    let head = ("$schema", "https://json-schema.org/draft/2020-12/schema");
    let mut schema = Map::new();
    schema.insert(head.0.into(), head.1.into());
    if let [name] = names {
        schema.extend(rows(table(*name)));
        return schema.into();
    }
    let any: Vec<Value> = names
        .iter()
        .map(|name| json!({ "$ref": format!("#/$defs/{name}") }))
        .collect();
    let tables = names
        .iter()
        .map(|name| (name.to_string(), rows(table(*name)).into()));
    schema.insert("title".into(), "A row of airudder-export's tables".into());
    schema.insert("anyOf".into(), any.into());
    schema.insert("$defs".into(), Value::Object(tables.collect()));
    schema.into()
}

fn rows(table: &Table) -> Map<String, Value> {
    let mut properties: Map<String, Value> = table
        .columns
        .iter()
        .map(|one| (one.name.clone(), column(one)))
        .collect();
    let partition = json!({
        "description": table.partition_description,
        "type": ["string", "null"],
        "format": "date",
    });
    properties.insert(table.name.partition_column().to_owned(), partition);
    let required = table.columns.iter().filter(|column| !column.nullable);
    let required: Vec<&str> = required.map(|column| column.name.as_str()).collect();
    let schema = json!({
        "title": table.name,
        "description": table.description,
        "type": "object",
        "properties": properties,
        "required": required,
        "additionalProperties": false,
        "x-primary-key": table.key,
    });
    let Value::Object(schema) = schema else {
        unreachable!("it is an object");
    };
    schema
}

fn column(column: &Column) -> Value {
    let (types, format): (&[&str], _) = match column.data_type {
        ColumnType::Utf8 | ColumnType::Json => (&["string"], None),
        ColumnType::Int32 | ColumnType::Int64 => (&["integer"], None),
        ColumnType::Decimal => (&["number", "string"], None),
        ColumnType::Timestamp => (&["string"], Some("date-time")),
        ColumnType::Date32 => (&["string"], Some("date")),
    };
    let null = column.nullable.then_some("null");
    let mut types: Vec<Value> = types.iter().copied().chain(null).map(Value::from).collect();
    let mut shown = Map::new();
    let mut set = |key: &str, value: Value| shown.insert(key.to_owned(), value);
    set("description", description(column).into());
    let types = if types.len() == 1 {
        types.remove(0)
    } else {
        types.into()
    };
    set("type", types);
    if let Some(format) = format {
        set("format", format.into());
    }
    match column.data_type {
        ColumnType::Json => drop(set("contentMediaType", "application/json".into())),
        ColumnType::Int32 => {
            set("minimum", i32::MIN.into());
            set("maximum", i32::MAX.into());
        }
        ColumnType::Decimal => drop(set("pattern", r"^-?[0-9]{1,16}(\.[0-9]{1,4})?$".into())),
        _ => {}
    }
    if let Some(unit) = &column.unit {
        set("x-unit", unit.clone().into());
    }
    if column.personal {
        set("x-personal", true.into());
    }
    shown.into()
}
