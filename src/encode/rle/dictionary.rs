//! The distinct values of a column of runs; each run becomes the index of its value.

use crate::seeded::SeededMap;
use arrow_array::cast::AsArray;
use arrow_array::types::{Int32Type, TimestampMicrosecondType};
use arrow_array::{Array, ArrayRef, RunArray};

/// A dictionary with more than this is not written: readers hold it in memory whole.
const MAX_BYTES: usize = 4 << 20;
/// Longer values would have to be cut to stand in statistics.
const MAX_VALUE_BYTES: usize = 64;

/// Rows one behind the other with the same value: its number, or none for null.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct ValueRun {
    pub(super) value: Option<u32>,
    pub(super) rows: u64,
}

/// The distinct values of a column, in the order they were met.
#[derive(Debug, Default)]
pub(super) struct Dictionary<'a> {
    /// As they stand in memory: text, or the bytes of a 64-bit integer, least significant first.
    pub(super) values: Vec<&'a [u8]>,
    pub(super) runs: Vec<ValueRun>,
    numbers: SeededMap<&'a [u8], u32>,
    bytes: usize,
}

impl<'a> Dictionary<'a> {
    /// Of arrays of runs, one behind the other; `None` if there are none, if they are not runs of text or
    /// times, or if runs do not serve them.
    pub(super) fn of(arrays: &'a [ArrayRef]) -> Option<Self> {
        arrays.first()?;
        let mut dictionary = Self::default();
        for array in arrays {
            let array = array.as_any().downcast_ref::<RunArray<Int32Type>>()?;
            dictionary.add(array)?;
        }
        Some(dictionary)
    }

    fn add(&mut self, array: &'a RunArray<Int32Type>) -> Option<()> {
        let values = array.values();
        let texts = values.as_binary_opt::<i32>();
        let times = values.as_primitive_opt::<TimestampMicrosecondType>();
        let time_bytes = times.map(|times| times.values().inner().as_slice());
        let mut start = 0;
        for (index, end) in array.run_ends().values().iter().enumerate() {
            let rows = u64::try_from(end - start).ok()?;
            start = *end;
            let value = if values.is_null(index) {
                None
            } else {
                let bytes = match (texts, time_bytes) {
                    (Some(texts), _) => texts.value(index),
                    (None, Some(bytes)) => bytes.get(index * 8..index * 8 + 8)?,
                    (None, None) => return None,
                };
                Some(self.number(bytes)?)
            };
            match self.runs.last_mut() {
                Some(last) if last.value == value => last.rows += rows,
                _ => self.runs.push(ValueRun { value, rows }),
            }
        }
        Some(())
    }

    /// The number of a value, which it gets if it is new.
    fn number(&mut self, value: &'a [u8]) -> Option<u32> {
        if value.len() > MAX_VALUE_BYTES {
            return None;
        }
        if let Some(number) = self.numbers.get(value) {
            return Some(*number);
        }
        self.bytes += value.len() + 4;
        if self.bytes > MAX_BYTES {
            return None;
        }
        let number = u32::try_from(self.values.len()).ok()?;
        self.values.push(value);
        self.numbers.insert(value, number);
        Some(number)
    }
}
