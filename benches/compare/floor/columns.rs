//! Columns while they fill, and how text becomes numbers. What does not fit is null.

use std::sync::Arc;

use arrow_array::types::Int32Type;
use arrow_array::{
    ArrayRef, Date32Array, Decimal128Array, DictionaryArray, Int32Array, Int64Array, StringArray,
    TimestampMicrosecondArray,
};
use arrow_buffer::{Buffer, NullBufferBuilder, OffsetBuffer};

use crate::parse::{Value, unescape};

/// What kind of column.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Text,
    /// JSON as it lies.
    Json,
    /// The same text in row after row.
    Repeat,
    Int32,
    Int64,
    Clock,
    Decimal,
    Date,
    Time,
    /// A local time, seven hours ahead of UTC.
    LocalTime,
}

/// One column.
pub(crate) struct Column {
    pub(crate) kind: Kind,
    bytes: Vec<u8>,
    offsets: Vec<i32>,
    small: Vec<i32>,
    wide: Vec<i64>,
    decimals: Vec<i128>,
    nulls: NullBufferBuilder,
}

fn offset(bytes: &[u8]) -> i32 {
    i32::try_from(bytes.len()).expect("a batch is far below two gigabytes")
}

impl Column {
    pub(crate) fn new(kind: Kind) -> Self {
        Self {
            kind,
            bytes: Vec::new(),
            offsets: vec![0],
            small: Vec::new(),
            wide: Vec::new(),
            decimals: Vec::new(),
            nulls: NullBufferBuilder::new(0),
        }
    }

    #[inline]
    pub(crate) fn push(&mut self, value: &Value<'_>) {
        match self.kind {
            Kind::Text => self.push_text(value),
            Kind::Json => match value {
                Value::Null | Value::Text(b"") => self.push_bytes(None),
                Value::Tree(text)
                | Value::Bare(text)
                | Value::Text(text)
                | Value::Escaped(text) => {
                    self.push_bytes(Some(text));
                }
            },
            Kind::Repeat => self.push_repeat(value.plain()),
            Kind::Int32 => {
                let value = value.plain().and_then(integer);
                self.push_small(value.and_then(|value| i32::try_from(value).ok()));
            }
            Kind::Clock => self.push_small(value.plain().and_then(clock)),
            Kind::Date => self.push_small(value.plain().and_then(date)),
            Kind::Int64 => self.push_wide(value.plain().and_then(integer)),
            Kind::Time => self.push_wide(value.plain().and_then(moment)),
            Kind::LocalTime => {
                let hours = 7 * 3600 * 1_000_000;
                self.push_wide(value.plain().and_then(moment).map(|time| time - hours));
            }
            Kind::Decimal => {
                let value = value.plain().and_then(decimal);
                self.decimals.push(value.unwrap_or(0));
                self.nulls.append(value.is_some());
            }
        }
    }

    #[inline]
    pub(crate) fn push_text(&mut self, value: &Value<'_>) {
        match value {
            Value::Text(text) | Value::Bare(text) => self.push_bytes(Some(text)),
            Value::Escaped(text) => {
                unescape(text, &mut self.bytes);
                self.offsets.push(offset(&self.bytes));
                self.nulls.append_non_null();
            }
            Value::Null | Value::Tree(_) => self.push_bytes(None),
        }
    }

    #[inline]
    pub(crate) fn push_bytes(&mut self, text: Option<&[u8]>) {
        if let Some(text) = text {
            self.bytes.extend_from_slice(text);
        }
        self.offsets.push(offset(&self.bytes));
        self.nulls.append(text.is_some());
    }

    #[inline]
    pub(crate) fn push_repeat(&mut self, text: Option<&[u8]>) {
        let count = self.offsets.len() - 1;
        if let Some(text) = text {
            let from = usize::try_from(self.offsets[count.saturating_sub(1)]).unwrap_or(0);
            if count == 0 || &self.bytes[from..] != text {
                self.bytes.extend_from_slice(text);
                self.offsets.push(offset(&self.bytes));
            }
        }
        self.small
            .push(i32::try_from(self.offsets.len()).expect("few rows") - 2);
        self.nulls.append(text.is_some());
    }

    #[inline]
    pub(crate) fn push_small(&mut self, value: Option<i32>) {
        self.small.push(value.unwrap_or(0));
        self.nulls.append(value.is_some());
    }

    #[inline]
    pub(crate) fn push_wide(&mut self, value: Option<i64>) {
        self.wide.push(value.unwrap_or(0));
        self.nulls.append(value.is_some());
    }

    pub(crate) fn size(&self) -> usize {
        self.bytes.len()
            + 4 * (self.offsets.len() + self.small.len())
            + 8 * self.wide.len()
            + 16 * self.decimals.len()
    }

    pub(crate) fn finish(mut self) -> ArrayRef {
        let nulls = self.nulls.finish();
        let text = |bytes: Vec<u8>, offsets: Vec<i32>, nulls| {
            let offsets = OffsetBuffer::new(offsets.into());
            StringArray::try_new(offsets, Buffer::from_vec(bytes), nulls)
                .expect("answers are UTF-8")
        };
        match self.kind {
            Kind::Text | Kind::Json => Arc::new(text(self.bytes, self.offsets, nulls)),
            Kind::Repeat => {
                let keys = Int32Array::new(self.small.into(), nulls);
                let values = Arc::new(text(self.bytes, self.offsets, None));
                let array = DictionaryArray::<Int32Type>::try_new(keys, values);
                Arc::new(array.expect("keys are below the values' number"))
            }
            Kind::Int32 | Kind::Clock => Arc::new(Int32Array::new(self.small.into(), nulls)),
            Kind::Date => Arc::new(Date32Array::new(self.small.into(), nulls)),
            Kind::Int64 => Arc::new(Int64Array::new(self.wide.into(), nulls)),
            Kind::Time | Kind::LocalTime => Arc::new(
                TimestampMicrosecondArray::new(self.wide.into(), nulls).with_timezone("UTC"),
            ),
            Kind::Decimal => Arc::new(
                Decimal128Array::new(self.decimals.into(), nulls)
                    .with_precision_and_scale(20, 4)
                    .expect("20 and 4 are valid"),
            ),
        }
    }
}

fn digits(text: &[u8]) -> Option<i64> {
    if text.is_empty() || text.len() > 18 {
        return None;
    }
    text.iter().try_fold(0, |value, byte| {
        byte.is_ascii_digit()
            .then(|| value * 10 + i64::from(byte - b'0'))
    })
}

fn integer(text: &[u8]) -> Option<i64> {
    match text.strip_prefix(b"-") {
        Some(rest) => digits(rest).map(|value| -value),
        None => digits(text),
    }
}

fn decimal(text: &[u8]) -> Option<i128> {
    let (whole, places) = match memchr::memchr(b'.', text) {
        Some(at) => (&text[..at], &text[at + 1..]),
        None => (text, [].as_slice()),
    };
    let mut value = i128::from(integer(whole)?) * 10_000;
    if !places.is_empty() {
        let scale = 4u32.checked_sub(u32::try_from(places.len()).ok()?)?;
        value += i128::from(digits(places)?) * 10i128.pow(scale);
    }
    Some(value)
}

/// Days since 1970.
pub(crate) fn date(text: &[u8]) -> Option<i32> {
    let [y1, y2, y3, y4, b'-', m1, m2, b'-', d1, d2, ..] = text else {
        return None;
    };
    let year = digits(&[*y1, *y2, *y3, *y4])?;
    let (month, day) = (digits(&[*m1, *m2])?, digits(&[*d1, *d2])?);
    // Howard Hinnant's days_from_civil.
    let year = year - i64::from(month <= 2);
    let era = year.div_euclid(400);
    let year_of_era = year.rem_euclid(400);
    let day_of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    let day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    i32::try_from(era * 146_097 + day_of_era - 719_468).ok()
}

/// Microseconds since 1970; the zero time is null.
pub(crate) fn moment(text: &[u8]) -> Option<i64> {
    let days = i64::from(date(text)?);
    let [_, h1, h2, b':', m1, m2, b':', s1, s2, rest @ ..] = text.get(10..)? else {
        return None;
    };
    let seconds = digits(&[*h1, *h2])? * 3600 + digits(&[*m1, *m2])? * 60 + digits(&[*s1, *s2])?;
    let mut micros = 0;
    if let [b'.', places @ ..] = rest {
        let places = places.strip_suffix(b"Z").unwrap_or(places);
        micros = digits(places)? * 10i64.pow(6u32.checked_sub(u32::try_from(places.len()).ok()?)?);
    }
    let time = (days * 86_400 + seconds) * 1_000_000 + micros;
    (time > -62_135_596_800_000_000).then_some(time)
}

fn clock(text: &[u8]) -> Option<i32> {
    let [h1, h2, b':', m1, m2, b':', s1, s2] = text else {
        return None;
    };
    let seconds = digits(&[*h1, *h2])? * 3600 + digits(&[*m1, *m2])? * 60 + digits(&[*s1, *s2])?;
    i32::try_from(seconds).ok()
}

/// A day as `2024-03-11`.
pub(crate) fn iso(day: i32) -> String {
    // Howard Hinnant's civil_from_days.
    let z = i64::from(day) + 719_468;
    let (era, day_of_era) = (z.div_euclid(146_097), z.rem_euclid(146_097));
    let year_of_era =
        (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * shifted + 2) / 5 + 1;
    let month = if shifted < 10 {
        shifted + 3
    } else {
        shifted - 9
    };
    let year = year_of_era + era * 400 + i64::from(month <= 2);
    format!("{year:04}-{month:02}-{day:02}")
}
