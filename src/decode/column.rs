//! Columns while they are filled: plain vectors. Arrow arrays are exact copies of them: arrays wait in
//! memory without room to spare, and the vectors need not grow again for the next batch. UTF-8 is
//! checked once per batch over the whole buffer, not string by string.

use std::sync::Arc;

use arrow_array::{
    ArrayRef, BinaryArray, Date32Array, Decimal128Array, DictionaryArray, Int32Array, Int64Array,
    TimestampMicrosecondArray, types::Int32Type,
};
use arrow_buffer::{
    ArrowNativeType, Buffer, NullBuffer, NullBufferBuilder, OffsetBuffer, ScalarBuffer,
};
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

    #[inline]
    fn end_value(&mut self) {
        let end = i32::try_from(self.bytes.len())
            .expect("a batch is flushed long before two gigabytes of text");
        self.offsets.push(end);
        self.nulls.append_non_null();
    }

    #[inline]
    pub(super) fn push_null(&mut self) {
        let end = self.offsets[self.offsets.len() - 1];
        self.offsets.push(end);
        self.nulls.append_null();
    }

    fn push_nulls(&mut self, count: usize) {
        let end = self.offsets[self.offsets.len() - 1];
        self.offsets.resize(self.offsets.len() + count, end);
        self.nulls.append_n_nulls(count);
    }

    /// Appends bytes that are known to be UTF-8.
    #[inline]
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

    fn capacity(&self) -> usize {
        self.bytes.capacity() + self.offsets.capacity() * 4
    }

    fn finish(&mut self) -> Result<BinaryArray, ArrowError> {
        if simdutf8::basic::from_utf8(&self.bytes).is_err() {
            return Err(ArrowError::InvalidArgumentError(
                "a text column holds bytes that are not UTF-8".to_owned(),
            ));
        }
        let offsets = OffsetBuffer::new(self.offsets.clone().into());
        let bytes = Buffer::from_vec(self.bytes.clone());
        self.offsets.truncate(1);
        self.bytes.clear();
        BinaryArray::try_new(offsets, bytes, self.nulls.finish())
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

    #[inline]
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

    fn size(&self) -> usize {
        self.values.len() * size_of::<T>()
    }

    fn capacity(&self) -> usize {
        self.values.capacity() * size_of::<T>()
    }

    /// The values and where they are null.
    fn finish(&mut self) -> (ScalarBuffer<T>, Option<NullBuffer>)
    where
        T: ArrowNativeType,
    {
        let values = self.values.clone();
        self.values.clear();
        (values.into(), self.nulls.finish())
    }

    /// Appends the same value several times.
    fn push_many(&mut self, value: Option<T>, count: usize) {
        self.values
            .resize(self.values.len() + count, value.unwrap_or_default());
        match value {
            Some(_) => self.nulls.append_n_non_nulls(count),
            None => self.nulls.append_n_nulls(count),
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

    /// Appends a text several times, `None` for null; no copy if it is the one before.
    pub(super) fn push_many(&mut self, text: Option<&[u8]>, count: usize) {
        let Some(text) = text else {
            self.keys.push_many(None, count);
            return;
        };
        let distinct = self.values.offsets.len() - 1;
        let last = distinct.checked_sub(1).map(|index| {
            let start = self.values.offsets[index];
            &self.values.bytes[usize::try_from(start).expect("offsets are not negative")..]
        });
        if last != Some(text) {
            self.values.push_utf8(text);
        }
        let key = i32::try_from(self.values.offsets.len() - 2).expect("fewer values than bytes");
        self.keys.push_many(Some(key), count);
    }

    fn finish(&mut self) -> Result<ArrayRef, ArrowError> {
        let (keys, nulls) = self.keys.finish();
        let keys = Int32Array::try_new(keys, nulls)?;
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

/// The Arrow type of a column's arrays in memory: the table's own, but for texts. Those are bytes
/// until they are written, since Arrow would check their UTF-8 again, and slowly; repeated ones are
/// dictionaries.
pub(crate) fn memory_type(column: &Column) -> DataType {
    match column.column_type {
        _ if repeats(column) => {
            DataType::Dictionary(Box::new(DataType::Int32), Box::new(DataType::Binary))
        }
        ColumnType::Utf8 | ColumnType::Json => DataType::Binary,
        other => other.arrow(),
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
        self.push_nulls(1);
    }

    /// Appends nulls.
    pub(super) fn push_nulls(&mut self, count: usize) {
        match self {
            Self::Text(column) => column.push_nulls(count),
            Self::Repeat(column) => column.push_many(None, count),
            Self::Int32(column) | Self::Date32(column) => column.push_many(None, count),
            Self::Int64(column) | Self::Timestamp(column) => column.push_many(None, count),
            Self::Decimal(column) => column.push_many(None, count),
        }
    }

    /// Appends a text that is known to be UTF-8.
    pub(super) fn push_str(&mut self, text: &[u8]) {
        self.push_strs(text, 1);
    }

    /// Appends a text that is known to be UTF-8, several times.
    pub(super) fn push_strs(&mut self, text: &[u8], count: usize) {
        match self {
            Self::Text(column) => (0..count).for_each(|_| column.push_utf8(text)),
            Self::Repeat(column) => column.push_many(Some(text), count),
            _ => unreachable!("only text columns are filled with text, held by the schema's check"),
        }
    }

    /// Appends an integer or a time in microseconds, several times.
    pub(super) fn push_ints(&mut self, value: i64, count: usize) {
        match self {
            Self::Int32(column) => column.push_many(
                Some(i32::try_from(value).expect("counts and indexes of an answer fit 32 bits")),
                count,
            ),
            Self::Int64(column) | Self::Timestamp(column) => column.push_many(Some(value), count),
            _ => unreachable!("only number columns are filled with numbers"),
        }
    }

    /// Appends `first`, `first + 1`, …, so many.
    pub(super) fn push_positions(&mut self, first: usize, count: usize) {
        let Self::Int32(column) = self else {
            unreachable!("positions are 32 bits wide, held by the schema's check")
        };
        let fits = |position| i32::try_from(position).expect("entries of a call fit 32 bits");
        column.values.extend(fits(first)..fits(first + count));
        column.nulls.append_n_non_nulls(count);
    }

    /// Bytes in memory, about.
    pub(super) fn size(&self) -> usize {
        match self {
            Self::Text(column) => column.size(),
            Self::Repeat(column) => column.values.size() + column.keys.size(),
            Self::Int32(column) | Self::Date32(column) => column.size(),
            Self::Int64(column) | Self::Timestamp(column) => column.size(),
            Self::Decimal(column) => column.size(),
        }
    }

    /// Bytes that it can hold as it is.
    pub(super) fn capacity(&self) -> usize {
        match self {
            Self::Text(column) => column.capacity(),
            Self::Repeat(column) => column.values.capacity() + column.keys.capacity(),
            Self::Int32(column) | Self::Date32(column) => column.capacity(),
            Self::Int64(column) | Self::Timestamp(column) => column.capacity(),
            Self::Decimal(column) => column.capacity(),
        }
    }

    /// Its values as an array. It is empty then, and keeps its memory.
    pub(super) fn finish(&mut self) -> Result<ArrayRef, ArrowError> {
        Ok(match self {
            Self::Text(column) => Arc::new(column.finish()?),
            Self::Repeat(column) => column.finish()?,
            Self::Int32(column) => {
                let (values, nulls) = column.finish();
                Arc::new(Int32Array::try_new(values, nulls)?)
            }
            Self::Int64(column) => {
                let (values, nulls) = column.finish();
                Arc::new(Int64Array::try_new(values, nulls)?)
            }
            Self::Decimal(column) => {
                let (values, nulls) = column.finish();
                let numbers = Decimal128Array::try_new(values, nulls)?;
                Arc::new(numbers.with_precision_and_scale(DECIMAL_PRECISION, DECIMAL_SCALE)?)
            }
            Self::Timestamp(column) => {
                let (values, nulls) = column.finish();
                let times = TimestampMicrosecondArray::try_new(values, nulls)?;
                Arc::new(times.with_timezone("UTC"))
            }
            Self::Date32(column) => {
                let (values, nulls) = column.finish();
                Arc::new(Date32Array::try_new(values, nulls)?)
            }
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
            column.push_many(text.map(str::as_bytes), 1);
        }
        column.push_many(Some(b"c"), 2);
        let array = column.finish().expect("valid");
        let array = array
            .as_any()
            .downcast_ref::<DictionaryArray<Int32Type>>()
            .expect("it is one");
        let values: Vec<_> = array
            .downcast_dict::<BinaryArray>()
            .expect("bytes")
            .into_iter()
            .collect();
        let expected = ["a", "a", "", "ba", "a", "", "c", "c"].map(str::as_bytes);
        let expected = expected.map(Some).into_iter().enumerate();
        let expected: Vec<_> = expected
            .map(|(at, value)| value.filter(|_| at != 2))
            .collect();
        assert_eq!(values, expected);
        assert_eq!(array.values().len(), 5);
    }

    #[test]
    fn bytes_that_are_no_text_never_leave_a_text_column() {
        let mut column = TextColumn::new();
        column.push_utf8(b"\xFF");
        assert!(column.finish().is_err());
    }
}
