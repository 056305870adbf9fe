//! The columns of a table in Delta's words.

use serde_json::{Value, json};

use crate::schema::{ColumnType, DECIMAL_PRECISION, DECIMAL_SCALE, Table};

/// The schema as it is in a `metaData` action: JSON within JSON. The partition column comes last, as a
/// date; it is in no file.
pub(super) fn schema_string(table: &Table) -> String {
    let columns = table.columns.iter().map(|column| {
        field(
            &column.name,
            &type_name(column.data_type),
            column.nullable,
            &column.description,
        )
    });
    let partition = field(
        table.name.partition_column(),
        "date",
        true,
        &table.partition_description,
    );
    let fields: Vec<Value> = columns.chain([partition]).collect();
    json!({ "type": "struct", "fields": fields }).to_string()
}

fn field(name: &str, type_name: &str, nullable: bool, comment: &str) -> Value {
    json!({
        "name": name,
        "type": type_name,
        "nullable": nullable,
        "metadata": { "comment": comment },
    })
}

fn type_name(data_type: ColumnType) -> String {
    match data_type {
        ColumnType::Utf8 | ColumnType::Json => "string".to_owned(),
        ColumnType::Int32 => "integer".to_owned(),
        ColumnType::Int64 => "long".to_owned(),
        ColumnType::Decimal => format!("decimal({DECIMAL_PRECISION},{DECIMAL_SCALE})"),
        ColumnType::Timestamp => "timestamp".to_owned(),
        ColumnType::Date32 => "date".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::schema::{TableName, table};

    #[test]
    fn every_column_is_there_with_its_description_and_the_partition_is_a_date() {
        for name in TableName::ALL {
            let schema: Value = serde_json::from_str(&schema_string(table(name))).expect("JSON");
            let fields = schema["fields"].as_array().expect("a list");
            assert_eq!(fields.len(), table(name).columns.len() + 1);
            for (field, column) in fields.iter().zip(&table(name).columns) {
                assert_eq!(field["name"], *column.name);
                assert_eq!(field["nullable"], column.nullable);
                assert_eq!(field["metadata"]["comment"], *column.description);
            }
            let last = fields.last().expect("there are some");
            assert_eq!(last["name"], name.partition_column());
            assert_eq!(last["type"], "date");
        }
    }
}
