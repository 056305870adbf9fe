//! What the forms say alike.

use crate::schema::{Column, Table, schema_version};

/// The description of a column, with its unit.
pub fn description(column: &Column) -> String {
    match &column.unit {
        Some(unit) => format!("{} Unit: {unit}.", column.description),
        None => column.description.clone(),
    }
}

/// The place of a column in its table's key, from 1.
pub(super) fn key_position(table: &Table, column: &Column) -> Option<usize> {
    let position = table.key.iter().position(|key| *key == column.name)?;
    Some(position + 1)
}

/// The version of the schema as a semantic version.
pub(super) fn version() -> String {
    format!("{}.0.0", schema_version())
}
