//! Renders the tables as text, as Markdown (`docs/tables.md`) and as Arrow JSON.

use std::fmt::Write as _;

use arrow_schema::DataType;
use serde_json::json;

use super::{Column, Table, TableName, schema_version, table};

/// The tables as plain text: name, type, null, key, one column per line.
#[must_use]
pub fn text(names: &[TableName]) -> String {
    let mut out = String::new();
    for (index, name) in names.iter().enumerate() {
        if index > 0 {
            out.push('\n');
        }
        let table = table(*name);
        line(
            &mut out,
            format_args!("{} — {}", table.name, table.description),
        );
        line(
            &mut out,
            format_args!("  partition {}", table.name.partition_column()),
        );
        line(
            &mut out,
            format_args!("  key       {}", table.key.join(", ")),
        );
        for column in &table.columns {
            let null = if column.nullable { "" } else { "!" };
            let personal = if column.personal { "  (personal)" } else { "" };
            let line_text = format!(
                "  {:<26} {:<19} {}{personal}",
                format!("{}{null}", column.name),
                column.data_type.as_str(),
                origin(table, column),
            );
            line(&mut out, format_args!("{}", line_text.trim_end()));
        }
    }
    out
}

/// Rules that apply to every table.
const RULES: &str = include_str!("../../schemas/rules.md");

/// The tables as Markdown. With all tables it ends with their common rules; this output is exactly
/// `docs/tables.md`.
#[must_use]
pub fn markdown(names: &[TableName]) -> String {
    let mut out = String::new();
    line(&mut out, format_args!("# The tables\n"));
    line(
        &mut out,
        format_args!("<!-- Made by `airudder-export schema --format markdown`. -->\n"),
    );
    line(
        &mut out,
        format_args!(
            "Schema version {}. Partition columns are in the path only. `!` marks columns that are \
             never null, `P` those with personal data.\n\nWhich programs read the files, and how: \
             [readers.md](readers.md).",
            schema_version()
        ),
    );
    for name in names {
        let table = table(*name);
        line(
            &mut out,
            format_args!("\n## {}\n\n{}\n", table.name, table.description),
        );
        line(
            &mut out,
            format_args!(
                "Partition `{}`: {} Key: `{}`.\n",
                table.name.partition_column(),
                table.partition_description,
                table.key.join("`, `")
            ),
        );
        line(
            &mut out,
            format_args!("| column | type | from | | meaning |\n|---|---|---|---|---|"),
        );
        for column in &table.columns {
            let mut marks = String::new();
            if !column.nullable {
                marks.push('!');
            }
            if column.personal {
                marks.push('P');
            }
            let unit = column
                .unit
                .as_ref()
                .map(|u| format!(" Unit: {u}."))
                .unwrap_or_default();
            line(
                &mut out,
                format_args!(
                    "| `{}` | {} | {} | {marks} | {}{unit} |",
                    column.name,
                    column.data_type.as_str(),
                    origin(table, column),
                    column.description,
                ),
            );
        }
    }
    if names.len() == TableName::ALL.len() {
        out.push_str(RULES);
    }
    out
}

/// The tables as one JSON object: table name → fields in Arrow's JSON integration form.
#[must_use]
pub fn arrow_json(names: &[TableName]) -> serde_json::Value {
    let tables = names.iter().map(|name| {
        let table = table(*name);
        let fields: Vec<_> = table
            .arrow_schema()
            .fields()
            .iter()
            .zip(&table.columns)
            .map(|(field, column)| {
                let mut shown = json!({
                    "name": field.name(),
                    "nullable": field.is_nullable(),
                    "type": arrow_type(field.data_type()),
                    "children": [],
                });
                shown["metadata"] = metadata(table, column);
                shown
            })
            .collect();
        (
            table.name.to_string(),
            json!({
                "fields": fields,
                "metadata": [
                    {"key": "schema_version", "value": schema_version().to_string()},
                    {"key": "description", "value": table.description},
                    {"key": "primary_key", "value": table.key.join(",")},
                ],
                "partition": {
                    "name": table.name.partition_column(),
                    "type": {"name": "date", "unit": "DAY"},
                    "metadata": [{"key": "description", "value": table.partition_description}],
                },
            }),
        )
    });
    serde_json::Value::Object(tables.collect())
}

/// What is said of a column, in Arrow's form: pairs of texts.
fn metadata(table: &Table, column: &Column) -> serde_json::Value {
    let mut pairs = Vec::new();
    // First, as in earlier versions, where it was alone.
    if column.personal {
        pairs.push(json!({"key": "personal", "value": "true"}));
    }
    pairs.push(json!({"key": "description", "value": column.description}));
    if let Some(unit) = &column.unit {
        pairs.push(json!({"key": "unit", "value": unit}));
    }
    if let Some(position) = table.key.iter().position(|key| *key == column.name) {
        let position = (position + 1).to_string();
        pairs.push(json!({"key": "primary_key_position", "value": position}));
    }
    pairs.into()
}

fn arrow_type(data_type: &DataType) -> serde_json::Value {
    match data_type {
        DataType::Int32 => json!({"name": "int", "bitWidth": 32, "isSigned": true}),
        DataType::Int64 => json!({"name": "int", "bitWidth": 64, "isSigned": true}),
        DataType::Decimal128(precision, scale) => {
            json!({"name": "decimal", "precision": precision, "scale": scale, "bitWidth": 128})
        }
        DataType::Timestamp(_, zone) => {
            json!({"name": "timestamp", "unit": "MICROSECOND", "timezone": zone.as_deref()})
        }
        DataType::Date32 => json!({"name": "date", "unit": "DAY"}),
        _ => json!({"name": "utf8"}),
    }
}

fn origin(table: &Table, column: &Column) -> String {
    if column.keys.is_empty() {
        return "–".to_owned();
    }
    let place = match table.name {
        TableName::Tasks => "data.",
        TableName::Calls => "",
        TableName::Redials => "RedailCall[].",
        TableName::AsrTurns => "AsrResult[].",
    };
    column
        .keys
        .iter()
        .map(|key| format!("{place}{key}"))
        .collect::<Vec<_>>()
        .join(", ")
}

fn line(out: &mut String, text: std::fmt::Arguments<'_>) {
    writeln!(out, "{text}").expect("writing to a string cannot fail");
}
