//! The scope of a run: a range of days, and the source of its tasks.

use std::fmt;

use chrono::NaiveDate;

use crate::task::{TaskId, WorkflowId};

/// Days in the partition time zone, both ends included.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DateRange {
    from: NaiveDate,
    to: NaiveDate,
}

/// A range that ends before it starts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the range ends on {to}, before it starts on {from}")]
pub struct BackwardRange {
    from: NaiveDate,
    to: NaiveDate,
}

impl DateRange {
    /// The days from the first to the last, both included.
    ///
    /// # Errors
    /// When the last is before the first.
    pub fn new(from: NaiveDate, to: NaiveDate) -> Result<Self, BackwardRange> {
        if from > to {
            Err(BackwardRange { from, to })
        } else {
            Ok(Self { from, to })
        }
    }

    #[must_use]
    pub fn from(self) -> NaiveDate {
        self.from
    }

    /// The last day, which is part of the range.
    #[must_use]
    pub fn to(self) -> NaiveDate {
        self.to
    }

    /// Whether a day lies in the range.
    #[must_use]
    pub fn contains(self, day: NaiveDate) -> bool {
        self.from <= day && day <= self.to
    }

    /// Every day of the range, in order.
    pub fn days(&self) -> impl Iterator<Item = NaiveDate> {
        let last = self.to;
        self.from.iter_days().take_while(move |day| *day <= last)
    }
}

impl fmt::Display for DateRange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} to {}", self.from, self.to)
    }
}

/// Where tasks come from.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum TaskSource {
    /// The API lists workflows, and the tasks of each.
    #[default]
    Listing,
    /// The API lists the tasks of these workflows.
    Workflows(Vec<WorkflowId>),
    /// These tasks; nothing is listed.
    Tasks(Vec<TaskId>),
}

#[cfg(test)]
mod tests {
    use super::*;

    fn day(text: &str) -> NaiveDate {
        text.parse().expect("a date")
    }

    #[test]
    fn both_ends_belong_to_a_range() {
        let range = DateRange::new(day("2024-02-28"), day("2024-03-01")).expect("forward");
        assert_eq!(range.days().count(), 3);
        assert!(range.contains(day("2024-02-28")) && range.contains(day("2024-03-01")));
        assert!(!range.contains(day("2024-03-02")));
    }

    #[test]
    fn a_range_of_one_day_is_fine_and_a_backward_one_is_not() {
        assert!(DateRange::new(day("2024-03-01"), day("2024-03-01")).is_ok());
        let error = DateRange::new(day("2024-03-02"), day("2024-03-01")).expect_err("backward");
        assert_eq!(
            error.to_string(),
            "the range ends on 2024-03-01, before it starts on 2024-03-02"
        );
    }
}
