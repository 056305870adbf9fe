//! Columns while they are filled: plain vectors that become Arrow arrays without a copy. UTF-8 is
//! checked once per batch over the whole buffer, not string by string.

use std::sync::Arc;

use arrow_array::{
    ArrayRef, Date32Array, Decimal128Array, DictionaryArray, Int32Array, Int64Array, StringArray,
    TimestampMicrosecondArray, types::Int32Type,
};
use arrow_buffer::{Buffer, NullBufferBuilder, OffsetBuffer, ScalarBuffer};
use arrow_schema::{ArrowError, DataType};

use super::extra::is_plain;
use super::scan::{Kind, Raw};
use super::text::unescape;
use crate::schema::{Column, ColumnType, DECIMAL_PRECISION, DECIMAL_SCALE, Fill};

/// Texts one behind the other.
#[derive(Debug)]
pub(super) struct TextColumn {
    bytes: Vec<u8>,
    offsets: Vec<i32>,
    nulls: NullBufferBuilder,
}

impl TextColumn {
    fn new() -> Self {
        Self {
            bytes: Vec::new(),
            offsets: vec![0],
            nulls: NullBufferBuilder::new(0),
        }
    }

    fn end_value(&mut self) {
        let end = i32::try_from(self.bytes.len())
            .expect("a batch is flushed long before two gigabytes of text");
        self.offsets.push(end);
        self.nulls.append_non_null();
    }

    pub(super) fn push_null(&mut self) {
        let end = self.offsets[self.offsets.len() - 1];
        self.offsets.push(end);
        self.nulls.append_null();
    }

    /// Appends bytes that are known to be UTF-8.
    pub(super) fn push_utf8(&mut self, text: &[u8]) {
        self.bytes.extend_from_slice(text);
        self.end_value();
    }

    /// Appends a JSON string or number as text; a misfit's kind if it has no text form.
    #[inline]
    pub(super) fn push_text(&mut self, raw: &Raw<'_>, all_utf8: bool) -> Result<(), &'static str> {
        match raw.kind {
            Kind::String if raw.escaped => {
                let start = self.bytes.len();
                unescape(raw.inner(), &mut self.bytes).map_err(|_| "not_utf8")?;
                if !all_utf8 && simdutf8::basic::from_utf8(&self.bytes[start..]).is_err() {
                    self.bytes.truncate(start);
                    return Err("not_utf8");
                }
                self.end_value();
                Ok(())
            }
            Kind::String => {
                if !all_utf8 && simdutf8::basic::from_utf8(raw.inner()).is_err() {
                    return Err("not_utf8");
                }
                self.push_utf8(raw.inner());
                Ok(())
            }
            Kind::Number => {
                self.push_utf8(raw.token);
                Ok(())
            }
            _ => Err("not_text"),
        }
    }

    /// Appends a JSON value as JSON text, as it was sent.
    pub(super) fn push_json(&mut self, raw: &Raw<'_>, all_utf8: bool) -> Result<(), &'static str> {
        let plain = !raw.escaped && !raw.deep && all_utf8;
        if !plain && !is_plain(raw) {
            return Err("not_plain_json");
        }
        self.push_utf8(raw.token);
        Ok(())
    }

    fn size(&self) -> usize {
        self.bytes.len() + self.offsets.len() * 4
    }

    fn finish(mut self) -> Result<StringArray, ArrowError> {
        self.bytes.shrink_to_fit();
        let offsets = OffsetBuffer::new(ScalarBuffer::from(self.offsets));
        StringArray::try_new(offsets, Buffer::from_vec(self.bytes), self.nulls.finish())
    }
}

/// Numbers of one type.
#[derive(Debug)]
pub(super) struct NumberColumn<T> {
    values: Vec<T>,
    nulls: NullBufferBuilder,
}

impl<T: Copy + Default> NumberColumn<T> {
    fn new() -> Self {
        Self {
            values: Vec::new(),
            nulls: NullBufferBuilder::new(0),
        }
    }

    pub(super) fn push(&mut self, value: Option<T>) {
        match value {
            Some(value) => {
                self.values.push(value);
                self.nulls.append_non_null();
            }
            None => {
                self.values.push(T::default());
                self.nulls.append_null();
            }
        }
    }
}

/// Text that is the same over many rows: kept once, with a key per row.
#[derive(Debug)]
pub(super) struct RepeatColumn {
    values: TextColumn,
    keys: NumberColumn<i32>,
}

impl RepeatColumn {
    fn new() -> Self {
        Self {
            values: TextColumn::new(),
            keys: NumberColumn::new(),
        }
    }

    /// Appends a text, `None` for null; no copy if it is the one before.
    #[inline]
    pub(super) fn push(&mut self, text: Option<&[u8]>) {
        let Some(text) = text else {
            self.keys.push(None);
            return;
        };
        let count = self.values.offsets.len() - 1;
        let last = count.checked_sub(1).map(|index| {
            let start = self.values.offsets[index];
            &self.values.bytes[usize::try_from(start).expect("offsets are not negative")..]
        });
        if last != Some(text) {
            self.values.push_utf8(text);
        }
        let key = i32::try_from(self.values.offsets.len() - 2).expect("fewer values than bytes");
        self.keys.push(Some(key));
    }

    fn finish(mut self) -> Result<ArrayRef, ArrowError> {
        let keys = Int32Array::try_new(self.keys.values.into(), self.keys.nulls.finish())?;
        let values: ArrayRef = Arc::new(self.values.finish()?);
        Ok(Arc::new(DictionaryArray::<Int32Type>::try_new(
            keys, values,
        )?))
    }
}

/// A column of any type while it is filled.
#[derive(Debug)]
pub(super) enum ColumnBuilder {
    Text(TextColumn),
    Repeat(RepeatColumn),
    Int32(NumberColumn<i32>),
    Int64(NumberColumn<i64>),
    Decimal(NumberColumn<i128>),
    Timestamp(NumberColumn<i64>),
    Date32(NumberColumn<i32>),
}

/// Whether the column's text is the same over many rows.
fn repeats(column: &Column) -> bool {
    matches!(
        column.fill,
        Some(Fill::TaskId | Fill::ParentCallId | Fill::RunId)
    )
}

/// The Arrow type of a column's arrays in memory: the table's own, but for repeated texts, which
/// are dictionaries until they are written.
pub(crate) fn memory_type(column: &Column) -> DataType {
    if repeats(column) {
        DataType::Dictionary(Box::new(DataType::Int32), Box::new(DataType::Utf8))
    } else {
        column.column_type.arrow()
    }
}

impl ColumnBuilder {
    pub(super) fn new(column: &Column) -> Self {
        match column.column_type {
            ColumnType::Utf8 if repeats(column) => Self::Repeat(RepeatColumn::new()),
            ColumnType::Utf8 | ColumnType::Json => Self::Text(TextColumn::new()),
            ColumnType::Int32 => Self::Int32(NumberColumn::new()),
            ColumnType::Int64 => Self::Int64(NumberColumn::new()),
            ColumnType::Decimal => Self::Decimal(NumberColumn::new()),
            ColumnType::Timestamp => Self::Timestamp(NumberColumn::new()),
            ColumnType::Date32 => Self::Date32(NumberColumn::new()),
        }
    }

    pub(super) fn push_null(&mut self) {
        match self {
            Self::Text(column) => column.push_null(),
            Self::Repeat(column) => column.push(None),
            Self::Int32(column) | Self::Date32(column) => column.push(None),
            Self::Int64(column) | Self::Timestamp(column) => column.push(None),
            Self::Decimal(column) => column.push(None),
        }
    }

    /// Appends a text that is known to be UTF-8.
    pub(super) fn push_str(&mut self, text: &[u8]) {
        match self {
            Self::Text(column) => column.push_utf8(text),
            Self::Repeat(column) => column.push(Some(text)),
            _ => unreachable!("only text columns are filled with text, held by the schema's check"),
        }
    }

    /// Appends an integer or a time in microseconds.
    pub(super) fn push_int(&mut self, value: i64) {
        match self {
            Self::Int32(column) => column.push(Some(
                i32::try_from(value).expect("counts and indexes of an answer fit 32 bits"),
            )),
            Self::Int64(column) | Self::Timestamp(column) => column.push(Some(value)),
            _ => unreachable!("only number columns are filled with numbers"),
        }
    }

    /// Bytes in memory, about.
    pub(super) fn size(&self) -> usize {
        match self {
            Self::Text(column) => column.size(),
            Self::Repeat(column) => column.values.size() + column.keys.values.len() * 4,
            Self::Int32(column) | Self::Date32(column) => column.values.len() * 4,
            Self::Int64(column) | Self::Timestamp(column) => column.values.len() * 8,
            Self::Decimal(column) => column.values.len() * 16,
        }
    }

    pub(super) fn finish(self) -> Result<ArrayRef, ArrowError> {
        Ok(match self {
            Self::Text(column) => Arc::new(column.finish()?),
            Self::Repeat(column) => column.finish()?,
            Self::Int32(mut column) => Arc::new(Int32Array::try_new(
                column.values.into(),
                column.nulls.finish(),
            )?),
            Self::Int64(mut column) => Arc::new(Int64Array::try_new(
                column.values.into(),
                column.nulls.finish(),
            )?),
            Self::Decimal(mut column) => Arc::new(
                Decimal128Array::try_new(column.values.into(), column.nulls.finish())?
                    .with_precision_and_scale(DECIMAL_PRECISION, DECIMAL_SCALE)?,
            ),
            Self::Timestamp(mut column) => Arc::new(
                TimestampMicrosecondArray::try_new(column.values.into(), column.nulls.finish())?
                    .with_timezone("UTC"),
            ),
            Self::Date32(mut column) => Arc::new(Date32Array::try_new(
                column.values.into(),
                column.nulls.finish(),
            )?),
        })
    }
}

#[cfg(test)]
mod tests {
    use arrow_array::Array;

    use super::*;

    #[test]
    fn repeated_text_is_kept_once() {
        let mut column = RepeatColumn::new();
        for text in [Some("a"), Some("a"), None, Some("ba"), Some("a"), Some("")] {
            column.push(text.map(str::as_bytes));
        }
        let array = column.finish().expect("valid");
        let array = array
            .as_any()
            .downcast_ref::<DictionaryArray<Int32Type>>()
            .expect("it is one");
        let values: Vec<_> = array
            .downcast_dict::<StringArray>()
            .expect("strings")
            .into_iter()
            .map(|value| value.map(str::to_owned))
            .collect();
        let expected = [Some("a"), Some("a"), None, Some("ba"), Some("a"), Some("")];
        assert_eq!(values, expected.map(|value| value.map(str::to_owned)));
        assert_eq!(array.values().len(), 4);
    }
}
