//! An order-independent digest of rows: it must be equal before and after, or the compaction is not
//! committed.

use std::hash::{DefaultHasher, Hash, Hasher};

use arrow_array::cast::AsArray;
use arrow_array::types::{
    Date32Type, Decimal128Type, Int32Type, Int64Type, TimestampMicrosecondType,
};
use arrow_array::{Array, ArrayRef, RecordBatch};
use arrow_schema::{DataType, TimeUnit};

use crate::lake::error::LakeError;

/// A row count and the sum of a hash of each row. A lost, doubled or changed row changes the sum.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct RowsSum {
    pub(super) rows: u64,
    sum: u128,
}

impl RowsSum {
    pub(super) fn add(&mut self, batch: &RecordBatch) -> Result<(), LakeError> {
        let columns: Vec<Cells> = batch
            .columns()
            .iter()
            .map(Cells::of)
            .collect::<Result<_, _>>()?;
        for row in 0..batch.num_rows() {
            let mut hasher = DefaultHasher::new();
            for column in &columns {
                column.hash(row, &mut hasher);
            }
            self.sum = self.sum.wrapping_add(hasher.finish().into());
        }
        self.rows += batch.num_rows() as u64;
        Ok(())
    }

    pub(super) fn merge(&mut self, other: Self) {
        self.rows += other.rows;
        self.sum = self.sum.wrapping_add(other.sum);
    }
}

/// A column of one of the types that tables have.
enum Cells<'a> {
    Text(&'a arrow_array::StringArray),
    Int32(&'a arrow_array::Int32Array),
    Int64(&'a arrow_array::Int64Array),
    Decimal(&'a arrow_array::Decimal128Array),
    Time(&'a arrow_array::TimestampMicrosecondArray),
    Date(&'a arrow_array::Date32Array),
}

impl<'a> Cells<'a> {
    fn of(array: &'a ArrayRef) -> Result<Self, LakeError> {
        Ok(match array.data_type() {
            DataType::Utf8 => Self::Text(array.as_string()),
            DataType::Int32 => Self::Int32(array.as_primitive::<Int32Type>()),
            DataType::Int64 => Self::Int64(array.as_primitive::<Int64Type>()),
            DataType::Decimal128(..) => Self::Decimal(array.as_primitive::<Decimal128Type>()),
            DataType::Timestamp(TimeUnit::Microsecond, _) => {
                Self::Time(array.as_primitive::<TimestampMicrosecondType>())
            }
            DataType::Date32 => Self::Date(array.as_primitive::<Date32Type>()),
            other => {
                let what = format!("{other} is no type of a table");
                return Err(LakeError::Draft(what));
            }
        })
    }

    fn hash(&self, row: usize, hasher: &mut DefaultHasher) {
        /// A value and that it is there: nothing is not zero.
        macro_rules! value {
            ($array:expr) => {{
                let value = $array.is_valid(row).then(|| $array.value(row));
                value.hash(hasher)
            }};
        }
        match self {
            Self::Text(array) => value!(array),
            Self::Int32(array) => value!(array),
            Self::Int64(array) => value!(array),
            Self::Decimal(array) => value!(array),
            Self::Time(array) => value!(array),
            Self::Date(array) => value!(array),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow_array::{Int32Array, StringArray};
    use arrow_schema::{Field, Schema};

    use super::*;

    fn content(rows: &[(Option<&str>, Option<i32>)]) -> RowsSum {
        let schema = Schema::new(vec![
            Field::new("a", DataType::Utf8, true),
            Field::new("b", DataType::Int32, true),
        ]);
        let texts: StringArray = rows.iter().map(|row| row.0).collect();
        let numbers: Int32Array = rows.iter().map(|row| row.1).collect();
        let batch = RecordBatch::try_new(schema.into(), vec![Arc::new(texts), Arc::new(numbers)]);
        let mut content = RowsSum::default();
        content.add(&batch.expect("sound")).expect("of known types");
        content
    }

    #[test]
    fn order_changes_nothing_and_everything_else_does() {
        let (a, b) = ((Some("a"), Some(1)), (Some("b"), Some(2)));
        let both = content(&[a, b]);
        assert_eq!(both, content(&[b, a]));
        let mut merged = content(&[a]);
        merged.merge(content(&[b]));
        assert_eq!(both, merged);
        for other in [
            content(&[a]),
            content(&[a, a]),
            content(&[a, b, b]),
            content(&[a, (Some("b"), Some(3))]),
            content(&[a, (Some("b"), None)]),
            content(&[(Some("a"), Some(2)), (Some("b"), Some(1))]),
            content(&[(Some(""), Some(1)), (Some("b"), Some(2))]),
            content(&[(None, Some(1)), (Some("b"), Some(2))]),
        ] {
            assert_ne!(both, other);
        }
        assert_ne!(content(&[(Some(""), Some(0))]), content(&[(None, Some(0))]));
        assert_ne!(content(&[(None, Some(0))]), content(&[(None, None)]));
    }
}
