//! The days that dates and times of columns, and partitions, may be of.

use std::fmt;
use std::ops::RangeInclusive;

use chrono::{Datelike as _, NaiveDate};

/// Dates and times outside these years are a client's way to say "never", or wrong.
const YEARS: RangeInclusive<i32> = 1900..=2199;

/// Whether a day is one of those that dates and times may be of.
pub(super) fn is_usual(day: NaiveDate) -> bool {
    YEARS.contains(&day.year())
}

/// A day that a partition can be named after. It has the form `YYYY-MM-DD` and is of the years 1900 to
/// 2199, as every date and time of a column is.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct PartitionDay(NaiveDate);

impl PartitionDay {
    /// The day, unless it is outside those years.
    #[must_use]
    pub fn new(date: NaiveDate) -> Option<Self> {
        is_usual(date).then_some(Self(date))
    }

    /// The day as a date.
    #[must_use]
    pub fn date(self) -> NaiveDate {
        self.0
    }
}

impl fmt::Display for PartitionDay {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl fmt::Debug for PartitionDay {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}
