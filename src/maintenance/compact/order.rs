//! The sort order of a compacted file: by the time of the call, then by key; by key alone in tables
//! without a time.

use std::cmp::Ordering;

use arrow_array::cast::AsArray;
use arrow_array::types::{Int32Type, TimestampMicrosecondType};
use arrow_array::{Array, Int32Array, RecordBatch, StringArray, TimestampMicrosecondArray};

use crate::lake::error::LakeError;
use crate::schema::TableName;

/// The columns that rows are sorted by, all ascending, nulls last.
pub(crate) fn sort_columns(table: TableName) -> &'static [&'static str] {
    match table {
        TableName::Calls => &["call_start_time", "task_id", "detail_index"],
        TableName::Redials => &["call_start_time", "task_id", "detail_index", "redial_index"],
        TableName::AsrTurns => &["task_id", "detail_index", "turn_index"],
        TableName::Tasks => &["schedule_start_time", "task_id"],
    }
}

/// What the rows of one batch are sorted by.
#[derive(Debug)]
pub(super) struct SortKeys(Vec<KeyColumn>);

#[derive(Debug)]
enum KeyColumn {
    Time(TimestampMicrosecondArray),
    Text(StringArray),
    Int(Int32Array),
}

impl SortKeys {
    /// The keys of a batch that holds the table's columns.
    pub(super) fn of(table: TableName, batch: &RecordBatch) -> Result<Self, LakeError> {
        let column = |name: &&str| {
            let array = batch.column_by_name(name)?;
            let time = array.as_primitive_opt::<TimestampMicrosecondType>();
            let text = array.as_string_opt::<i32>();
            let int = array.as_primitive_opt::<Int32Type>();
            time.map(|array| KeyColumn::Time(array.clone()))
                .or_else(|| text.map(|array| KeyColumn::Text(array.clone())))
                .or_else(|| int.map(|array| KeyColumn::Int(array.clone())))
        };
        let columns: Option<Vec<_>> = sort_columns(table).iter().map(column).collect();
        columns.map(Self).ok_or_else(|| {
            LakeError::Draft(format!("a batch of {table} lacks a column to sort by"))
        })
    }

    /// Which of two rows comes first.
    pub(super) fn compare(&self, row: usize, other: &Self, other_row: usize) -> Ordering {
        let columns = self.0.iter().zip(&other.0);
        columns
            .map(|columns| match columns {
                (KeyColumn::Time(a), KeyColumn::Time(b)) => {
                    let at = |array: &TimestampMicrosecondArray, row| {
                        (array.is_null(row), array.value(row))
                    };
                    match (at(a, row), at(b, other_row)) {
                        ((true, _), (true, _)) => Ordering::Equal,
                        (a, b) => a.cmp(&b),
                    }
                }
                (KeyColumn::Text(a), KeyColumn::Text(b)) => a.value(row).cmp(b.value(other_row)),
                (KeyColumn::Int(a), KeyColumn::Int(b)) => a.value(row).cmp(&b.value(other_row)),
                _ => unreachable!("columns of one name have one type"),
            })
            .find(|order| order.is_ne())
            .unwrap_or(Ordering::Equal)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::schema::{ColumnType, table};

    #[test]
    fn the_order_is_made_of_columns_that_are_there_and_ends_with_the_key() {
        for name in TableName::ALL {
            let columns = sort_columns(name);
            for (index, column) in columns.iter().enumerate() {
                let column = table(name).column(column).expect("it is there");
                // Only the moment, which comes first, may be null.
                let is_time = column.data_type == ColumnType::Timestamp;
                assert_eq!(column.nullable, is_time, "{}", column.name);
                assert!(!is_time || index == 0, "{}", column.name);
            }
            let key = &table(name).key;
            assert!(
                key.iter().all(|column| columns.contains(&column.as_str())),
                "{name}"
            );
        }
    }
}
