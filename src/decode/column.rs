//! Column builders: plain vectors. Arrow arrays are exact-size copies of them, so arrays in memory
//! have no spare capacity and the vectors need not grow again for the next batch. UTF-8 is checked
//! once per batch over the whole buffer, not per string.

use std::sync::Arc;

use arrow_array::{
    Array, ArrayRef, BinaryArray, Date32Array, Decimal128Array, Int32Array, Int64Array, RunArray,
    TimestampMicrosecondArray, types::Int32Type,
};
use arrow_buffer::{ArrowNativeType, Buffer, NullBuffer, OffsetBuffer, ScalarBuffer};
use arrow_schema::{ArrowError, DataType, Field};

use super::extra::is_plain;
use super::misfit_kind::MisfitKind;
use super::scan::{Kind, RawValue};
use super::text::unescape;
use super::validity::Validity;
use crate::schema::{Column, ColumnType, DECIMAL_PRECISION, DECIMAL_SCALE, Fill};

/// Concatenated texts and their offsets.
#[derive(Debug)]
pub(super) struct TextColumn {
    bytes: Vec<u8>,
    offsets: Vec<i32>,
    validity: Validity,
}

impl TextColumn {
    fn new() -> Self {
        Self {
            bytes: Vec::new(),
            offsets: vec![0],
            validity: Validity::default(),
        }
    }

    #[inline(always)]
    fn end_value(&mut self) {
        let end = i32::try_from(self.bytes.len())
            .expect("a batch is flushed long before two gigabytes of text");
        self.offsets.push(end);
        self.validity.push_valid();
    }

    #[inline]
    pub(super) fn push_null(&mut self) {
        let end = self.offsets[self.offsets.len() - 1];
        self.offsets.push(end);
        self.validity.push_null();
    }

    fn push_nulls(&mut self, count: usize) {
        let end = self.offsets[self.offsets.len() - 1];
        self.offsets.resize(self.offsets.len() + count, end);
        self.validity.push_nulls(count);
    }

    /// Whether this is the last text.
    fn ends_with(&self, text: &&[u8]) -> bool {
        let Some([start, end]) = self.offsets.last_chunk() else {
            return false;
        };
        let length = usize::try_from(end - start).expect("offsets do not fall");
        length == text.len() && self.bytes.ends_with(text)
    }

    /// Appends bytes that are known to be UTF-8.
    #[inline]
    pub(super) fn push_utf8(&mut self, text: &[u8]) {
        self.bytes.extend_from_slice(text);
        self.end_value();
    }

    /// Appends a JSON string or number as text; returns a misfit kind if it has no text form.
    #[inline(always)]
    pub(super) fn push_text(
        &mut self,
        raw: &RawValue<'_>,
        all_utf8: bool,
    ) -> Result<(), MisfitKind> {
        if raw.kind == Kind::String && !raw.escaped && all_utf8 {
            self.push_utf8(raw.inner());
            return Ok(());
        }
        self.push_odd_text(raw, all_utf8)
    }

    /// As [`Self::push_text`], for what has to be changed or checked.
    #[inline(never)]
    fn push_odd_text(&mut self, raw: &RawValue<'_>, all_utf8: bool) -> Result<(), MisfitKind> {
        match raw.kind {
            Kind::String if raw.escaped => {
                let start = self.bytes.len();
                unescape(raw.inner(), &mut self.bytes).map_err(|_| MisfitKind::NotUtf8)?;
                if !all_utf8 && simdutf8::basic::from_utf8(&self.bytes[start..]).is_err() {
                    self.bytes.truncate(start);
                    return Err(MisfitKind::NotUtf8);
                }
                self.end_value();
                Ok(())
            }
            Kind::String => {
                if !all_utf8 && simdutf8::basic::from_utf8(raw.inner()).is_err() {
                    return Err(MisfitKind::NotUtf8);
                }
                self.push_utf8(raw.inner());
                Ok(())
            }
            Kind::Number => {
                self.push_utf8(raw.token);
                Ok(())
            }
            _ => Err(MisfitKind::NotText),
        }
    }

    /// Appends a JSON value as JSON text, unchanged.
    pub(super) fn push_json(
        &mut self,
        raw: &RawValue<'_>,
        all_utf8: bool,
    ) -> Result<(), MisfitKind> {
        let plain = !raw.escaped && !raw.unportable && all_utf8;
        if !plain && !is_plain(raw) {
            return Err(MisfitKind::NotPlainJson);
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
        BinaryArray::try_new(offsets, bytes, self.validity.finish())
    }
}

/// Numbers of one type.
#[derive(Debug)]
pub(super) struct NumberColumn<T> {
    values: Vec<T>,
    validity: Validity,
}

impl<T: Copy + Default> NumberColumn<T> {
    fn new() -> Self {
        Self {
            values: Vec::new(),
            validity: Validity::default(),
        }
    }

    #[inline]
    pub(super) fn push(&mut self, value: Option<T>) {
        match value {
            Some(value) => {
                self.values.push(value);
                self.validity.push_valid();
            }
            None => {
                self.values.push(T::default());
                self.validity.push_null();
            }
        }
    }

    /// The values of the last `count` rows; nulls are the type's default.
    pub(super) fn last(&self, count: usize) -> &[T] {
        &self.values[self.values.len() - count..]
    }

    fn size(&self) -> usize {
        self.values.len() * size_of::<T>()
    }

    fn capacity(&self) -> usize {
        self.values.capacity() * size_of::<T>()
    }

    /// The values and their null buffer.
    fn finish(&mut self) -> (ScalarBuffer<T>, Option<NullBuffer>)
    where
        T: ArrowNativeType,
    {
        let values = self.values.clone();
        self.values.clear();
        (values.into(), self.validity.finish())
    }

    /// Appends the same value several times.
    fn push_many(&mut self, value: Option<T>, count: usize) {
        self.values
            .resize(self.values.len() + count, value.unwrap_or_default());
        match value {
            Some(_) => self.validity.push_valids(count),
            None => self.validity.push_nulls(count),
        }
    }
}

impl NumberColumn<i64> {
    /// The values as timestamps.
    fn finish_times(&mut self) -> Result<TimestampMicrosecondArray, ArrowError> {
        let (values, nulls) = self.finish();
        let times = TimestampMicrosecondArray::try_new(values, nulls)?;
        Ok(times.with_timezone("UTC"))
    }
}

/// Run-length encoded values: each kept once, with the row at which its run ends.
#[derive(Debug)]
pub(super) struct RunEndColumn<V> {
    values: V,
    ends: Vec<i32>,
    /// Whether the last value is null.
    last_is_null: bool,
}

impl<V> RunEndColumn<V> {
    fn new(values: V) -> Self {
        Self {
            values,
            ends: Vec::new(),
            last_is_null: false,
        }
    }

    /// Appends a value several times, `None` for null; extends the last run if the value is equal.
    fn push_many<T>(
        &mut self,
        value: Option<T>,
        count: usize,
        is_last: impl Fn(&V, &T) -> bool,
        push: impl Fn(&mut V, Option<T>),
    ) {
        if count == 0 {
            return;
        }
        let count = i32::try_from(count).expect("a batch has fewer rows than bytes");
        let repeats = !self.ends.is_empty()
            && match &value {
                None => self.last_is_null,
                Some(value) => !self.last_is_null && is_last(&self.values, value),
            };
        if let Some(end) = self.ends.last_mut().filter(|_| repeats) {
            *end += count;
            return;
        }
        self.last_is_null = value.is_none();
        push(&mut self.values, value);
        self.ends
            .push(self.ends.last().map_or(count, |end| end + count));
    }

    /// The runs, over values that are in an array already. Empties the column.
    fn finish(&mut self, values: &dyn Array) -> Result<ArrayRef, ArrowError> {
        let ends = Int32Array::from(self.ends.clone());
        self.ends.clear();
        Ok(Arc::new(RunArray::<Int32Type>::try_new(&ends, values)?))
    }
}

impl RunEndColumn<TextColumn> {
    fn push_texts(&mut self, text: Option<&[u8]>, count: usize) {
        self.push_many(
            text,
            count,
            TextColumn::ends_with,
            |values, text| match text {
                Some(text) => values.push_utf8(text),
                None => values.push_null(),
            },
        );
    }
}

impl RunEndColumn<NumberColumn<i64>> {
    fn push_numbers(&mut self, number: Option<i64>, count: usize) {
        let is_last =
            |column: &NumberColumn<i64>, number: &i64| column.values.last() == Some(number);
        self.push_many(number, count, is_last, NumberColumn::push);
    }
}

/// A builder for a column of any type.
#[derive(Debug)]
pub(super) enum ColumnBuilder {
    Text(TextColumn),
    RunEndText(RunEndColumn<TextColumn>),
    RunEndTime(RunEndColumn<NumberColumn<i64>>),
    Int32(NumberColumn<i32>),
    Int64(NumberColumn<i64>),
    Decimal(NumberColumn<i128>),
    Timestamp(NumberColumn<i64>),
    Date32(NumberColumn<i32>),
}

/// Whether the column's value repeats over many rows.
fn repeats(column: &Column) -> bool {
    matches!(
        column.fill,
        Some(Fill::TaskId | Fill::ParentCallId | Fill::RunId | Fill::ExtractedAt)
    )
}

/// The Arrow type of a column's arrays in memory: the table's own, except that texts stay binary
/// until they are written, since Arrow would validate their UTF-8 again, and slowly. Repeated
/// values are run-end encoded.
pub(crate) fn memory_type(column: &Column) -> DataType {
    let of_values = match column.data_type {
        ColumnType::Utf8 | ColumnType::Json => DataType::Binary,
        other => other.arrow(),
    };
    if !repeats(column) {
        return of_values;
    }
    let ends = Field::new("run_ends", DataType::Int32, false);
    let values = Field::new("values", of_values, true);
    DataType::RunEndEncoded(Arc::new(ends), Arc::new(values))
}

impl ColumnBuilder {
    pub(super) fn new(column: &Column) -> Self {
        match column.data_type {
            ColumnType::Utf8 if repeats(column) => {
                Self::RunEndText(RunEndColumn::new(TextColumn::new()))
            }
            ColumnType::Timestamp if repeats(column) => {
                Self::RunEndTime(RunEndColumn::new(NumberColumn::new()))
            }
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
            Self::RunEndText(column) => column.push_texts(None, count),
            Self::RunEndTime(column) => column.push_numbers(None, count),
            Self::Int32(column) | Self::Date32(column) => column.push_many(None, count),
            Self::Int64(column) | Self::Timestamp(column) => column.push_many(None, count),
            Self::Decimal(column) => column.push_many(None, count),
        }
    }

    /// Appends text that is known to be UTF-8.
    pub(super) fn push_str(&mut self, text: &[u8]) {
        self.push_strs(text, 1);
    }

    /// Appends text that is known to be UTF-8, several times.
    pub(super) fn push_strs(&mut self, text: &[u8], count: usize) {
        match self {
            Self::Text(column) => (0..count).for_each(|_| column.push_utf8(text)),
            Self::RunEndText(column) => column.push_texts(Some(text), count),
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
            Self::RunEndTime(column) => column.push_numbers(Some(value), count),
            _ => unreachable!("only number columns are filled with numbers"),
        }
    }

    /// Appends `first`, `first + 1`, …, `count` values.
    pub(super) fn push_positions(&mut self, first: usize, count: usize) {
        let Self::Int32(column) = self else {
            unreachable!("positions are 32 bits wide, held by the schema's check")
        };
        let fits = |position| i32::try_from(position).expect("entries of a call fit 32 bits");
        column.values.extend(fits(first)..fits(first + count));
        column.validity.push_valids(count);
    }

    /// Approximate bytes in memory.
    pub(super) fn size(&self) -> usize {
        match self {
            Self::Text(column) => column.size(),
            Self::RunEndText(column) => column.values.size() + column.ends.len() * 4,
            Self::RunEndTime(column) => column.values.size() + column.ends.len() * 4,
            Self::Int32(column) | Self::Date32(column) => column.size(),
            Self::Int64(column) | Self::Timestamp(column) => column.size(),
            Self::Decimal(column) => column.size(),
        }
    }

    /// Bytes that fit without growing.
    pub(super) fn capacity(&self) -> usize {
        match self {
            Self::Text(column) => column.capacity(),
            Self::RunEndText(column) => column.values.capacity() + column.ends.capacity() * 4,
            Self::RunEndTime(column) => column.values.capacity() + column.ends.capacity() * 4,
            Self::Int32(column) | Self::Date32(column) => column.capacity(),
            Self::Int64(column) | Self::Timestamp(column) => column.capacity(),
            Self::Decimal(column) => column.capacity(),
        }
    }

    /// The values as an array. Empties the builder and keeps its memory.
    pub(super) fn finish(&mut self) -> Result<ArrayRef, ArrowError> {
        Ok(match self {
            Self::Text(column) => Arc::new(column.finish()?),
            Self::RunEndText(column) => {
                let values = column.values.finish()?;
                column.finish(&values)?
            }
            Self::RunEndTime(column) => {
                let values = column.values.finish_times()?;
                column.finish(&values)?
            }
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
            Self::Timestamp(column) => Arc::new(column.finish_times()?),
            Self::Date32(column) => {
                let (values, nulls) = column.finish();
                Arc::new(Date32Array::try_new(values, nulls)?)
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_repeated_value_is_kept_once() {
        let mut column = RunEndColumn::new(TextColumn::new());
        for text in [
            Some("a"),
            Some("a"),
            None,
            None,
            Some("ba"),
            Some("a"),
            Some(""),
        ] {
            column.push_texts(text.map(str::as_bytes), 1);
        }
        column.push_texts(Some(b"c"), 0);
        column.push_texts(Some(b""), 2);
        let values = column.values.finish().expect("valid");
        let array = column.finish(&values).expect("valid");
        let runs = array.as_any().downcast_ref::<RunArray<Int32Type>>();
        let runs = runs.expect("they are runs");
        assert_eq!(runs.run_ends().values(), [2, 4, 5, 6, 9]);
        let expected = [Some("a"), None, Some("ba"), Some("a"), Some("")];
        let expected = expected.map(|text| text.map(str::as_bytes));
        assert_eq!(values.iter().collect::<Vec<_>>(), expected);

        let mut times = RunEndColumn::new(NumberColumn::new());
        for time in [None, Some(0), Some(0), Some(7)] {
            times.push_numbers(time, 3);
        }
        assert_eq!(times.ends, [3, 9, 12]);
        assert_eq!(times.values.values, [0, 0, 7]);
    }

    #[test]
    fn bytes_that_are_no_text_never_leave_a_text_column() {
        let mut column = TextColumn::new();
        column.push_utf8(b"\xFF");
        assert!(column.finish().is_err());
    }
}
