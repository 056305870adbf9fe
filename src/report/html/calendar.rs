//! Days by month and week, for a calendar as a table.

use chrono::{Datelike as _, NaiveDate};

use super::day::{Day, State};
use crate::report::figures::{count, counted};

/// One month.
pub(super) struct Month {
    /// `March 2024`.
    pub(super) name: String,
    /// Weeks from Monday to Sunday.
    pub(super) weeks: Vec<[Cell; 7]>,
}

/// One cell of a week.
#[derive(Clone, Default)]
pub(super) struct Cell {
    /// The day of the month; empty outside of the month and of what is known.
    pub(super) number: String,
    pub(super) class: &'static str,
    pub(super) sign: &'static str,
    /// The date, state and calls, for a reader that does not see signs and colours.
    pub(super) told: String,
    /// The number of calls, short enough for a narrow cell.
    pub(super) calls: String,
}

/// The months of these days, newest first.
pub(super) fn months(days: &[Day]) -> Vec<Month> {
    let mut months: Vec<(NaiveDate, Month)> = Vec::new();
    for day in days {
        let first = day.date.with_day(1).unwrap_or(day.date);
        if months.last().is_none_or(|(known, _)| *known != first) {
            months.push((first, Month::new(first)));
        }
        let (_, month) = months.last_mut().expect("one was just pushed");
        month.set(first, day);
    }
    months.into_iter().rev().map(|(_, month)| month).collect()
}

impl Month {
    fn new(first: NaiveDate) -> Self {
        let mut weeks = Vec::new();
        for date in first.iter_days().take_while(|d| d.month() == first.month()) {
            let column = date.weekday().num_days_from_monday() as usize;
            if column == 0 || weeks.is_empty() {
                weeks.push(<[Cell; 7]>::default());
            }
            let week = weeks.last_mut().expect("one was just pushed");
            week[column].number = date.day().to_string();
            week[column].class = "none";
        }
        Self {
            name: first.format("%B %Y").to_string(),
            weeks,
        }
    }

    fn set(&mut self, first: NaiveDate, day: &Day) {
        let before = first.weekday().num_days_from_monday() as usize;
        let place = before + day.date.day0() as usize;
        let calls = day.calls();
        let reason = match day.state {
            State::Complete => String::new(),
            _ => format!(" ({})", day.why),
        };
        self.weeks[place / 7][place % 7] = Cell {
            number: day.date.day().to_string(),
            class: day.state.class(),
            sign: day.state.sign(),
            told: format!("{}{reason}, {}", day.state.word(), counted(calls, "call")),
            calls: match (day.state, calls) {
                (State::Missing | State::Later, 0) => String::new(),
                _ => short(calls),
            },
        };
    }
}

/// A number in at most six characters: `61,705`, `617k`, `61.7M`.
fn short(number: u64) -> String {
    match number {
        0..100_000 => count(number),
        100_000..1_000_000 => format!("{}k", number / 1_000),
        1_000_000..100_000_000 => format!("{}.{}M", number / 1_000_000, number / 100_000 % 10),
        _ => format!("{}M", count(number / 1_000_000)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_fit_a_narrow_cell() {
        for (number, text) in [
            (0, "0"),
            (99_999, "99,999"),
            (617_050, "617k"),
            (61_705_000, "61.7M"),
        ] {
            assert_eq!(short(number), text);
        }
    }

    #[test]
    fn a_month_has_its_days_below_their_weekdays() {
        let first = NaiveDate::from_ymd_opt(2024, 2, 1).expect("a date");
        let month = Month::new(first);
        assert_eq!(month.name, "February 2024");
        assert_eq!(month.weeks.len(), 5);
        // The first was a Thursday, the 29th, too.
        assert_eq!(month.weeks[0][3].number, "1");
        assert_eq!(month.weeks[4][3].number, "29");
        assert_eq!(month.weeks[4][4].number, "");
    }
}
