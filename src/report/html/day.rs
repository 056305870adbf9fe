//! The state of each day, and why a day is not complete.

use std::collections::BTreeMap;

use chrono::{DateTime, Days, NaiveDate, Utc};
use chrono_tz::Tz;

use crate::calendar::{day_end, day_of};
use crate::lake::{DaySummary, Ledger, UnsealedTask};
use crate::report::figures::counted;
use crate::schema::TableName;

/// Days without a file that are shown after the last known one: a lake that is no longer fed is
/// named once, not once for each day since.
const MAX_DAYS_AFTER: u64 = 7;
/// The longest gap, in days, whose days count as missing. A longer one is between two histories, or
/// made by a task with a date of another century.
const MAX_GAP_DAYS: i64 = 92;

/// The state of a day.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum State {
    /// No more rows are expected.
    Complete,
    /// It is over, and rows may be missing.
    Partial,
    /// No commit touched it.
    Missing,
    /// It is not over yet.
    Later,
}

impl State {
    pub(super) fn word(self) -> &'static str {
        match self {
            Self::Complete => "complete",
            Self::Partial => "in part",
            Self::Missing => "missing",
            Self::Later => "not over",
        }
    }

    /// A sign that does not depend on colour.
    pub(super) fn sign(self) -> &'static str {
        match self {
            Self::Complete => "✓",
            Self::Partial => "◐",
            Self::Missing => "✕",
            Self::Later => "…",
        }
    }

    /// The class of its cells.
    pub(super) fn class(self) -> &'static str {
        match self {
            Self::Complete => "good",
            Self::Partial => "part",
            Self::Missing => "gone",
            Self::Later => "later",
        }
    }
}

/// One day of the calendar.
#[derive(Clone, Debug)]
pub(super) struct Day {
    pub(super) date: NaiveDate,
    pub(super) state: State,
    /// Why it is not complete; empty if it is.
    pub(super) why: String,
    /// What its day file says; nothing for a day without one.
    pub(super) summary: Option<DaySummary>,
    /// When it was over.
    pub(super) end: DateTime<Utc>,
}

impl Day {
    pub(super) fn calls(&self) -> u64 {
        let tables = self.summary.as_ref().map(|day| &day.tables);
        let calls = tables.and_then(|tables| tables.get(&TableName::Calls));
        calls.map_or(0, |calls| calls.rows)
    }
}

/// All days that are known, gaps between them included, up to the last that is over.
pub(super) fn days(ledger: &Ledger, now: DateTime<Utc>) -> Vec<Day> {
    let zone = ledger.zone().unwrap_or(Tz::UTC);
    let known: BTreeMap<NaiveDate, DaySummary> = ledger
        .days()
        .filter_map(|date| Some((date, ledger.day_summary(date)?)))
        .collect();
    let over = day_of(zone, now).pred_opt();
    let unsealed: Vec<&UnsealedTask> = ledger.unsealed().collect();
    dates(known.keys().copied(), over)
        .into_iter()
        .map(|date| {
            let summary = known.get(&date).cloned();
            let end = day_end(zone, date);
            let (state, why) = match &summary {
                Some(day) if day.complete => (State::Complete, String::new()),
                _ if end > now => (State::Later, "the day is not over".to_owned()),
                None => (State::Missing, "no listing covers it".to_owned()),
                Some(_) => (State::Partial, why(ledger, date, &unsealed, zone)),
            };
            Day {
                date,
                state,
                why,
                summary,
                end,
            }
        })
        .collect()
}

/// These days with the gaps between them, and some after the last of them up to the last that is
/// over.
fn dates(known: impl Iterator<Item = NaiveDate>, over: Option<NaiveDate>) -> Vec<NaiveDate> {
    let mut dates: Vec<NaiveDate> = Vec::new();
    for date in known {
        if let Some(last) = dates.last().copied()
            && (date - last).num_days() <= MAX_GAP_DAYS
        {
            dates.extend(last.iter_days().skip(1).take_while(|day| *day < date));
        }
        dates.push(date);
    }
    let Some(last) = dates.last().copied() else {
        return dates;
    };
    let end = last.checked_add_days(Days::new(MAX_DAYS_AFTER)).min(over);
    let after = last.iter_days().skip(1);
    dates.extend(after.take_while(|day| Some(*day) <= end));
    dates
}

/// Why a day that is over is not complete.
fn why(ledger: &Ledger, date: NaiveDate, unsealed: &[&UnsealedTask], zone: Tz) -> String {
    let mut reasons = Vec::new();
    if !ledger.covers(date) {
        reasons.push("no complete listing since it ended".to_owned());
    }
    let mut failed = 0;
    let mut open = 0;
    let mut earlier = 0;
    let mut undated = 0;
    for known in unsealed {
        let Some(first) = known.task.day else {
            undated += 1;
            continue;
        };
        let end = known.task.schedule_end;
        let last = end.map_or(first, |end| day_of(zone, end)).max(first);
        if first <= date && date <= last {
            if known.failure.is_some() {
                failed += 1;
            } else {
                open += 1;
            }
        } else if first < date && !known.task.overdue {
            earlier += 1;
        }
    }
    if failed > 0 {
        reasons.push(format!("{} failed", counted(failed, "task")));
    }
    if open > 0 {
        reasons.push(format!("{} not final", counted(open, "task")));
    }
    if reasons.is_empty() && earlier > 0 {
        reasons.push(format!(
            "{} of earlier days not final",
            counted(earlier, "task")
        ));
    }
    if reasons.is_empty() && undated > 0 {
        reasons.push(format!("{} of an unknown day", counted(undated, "task")));
    }
    if reasons.is_empty() {
        reasons
            .push("the day before is not covered, and its calls may go on after midnight".into());
    }
    reasons.join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn gaps_are_filled_and_centuries_are_not() {
        let date = |text: &str| text.parse::<NaiveDate>().expect("a date");
        let filled = |known: &[&str], over: &str| {
            let dates = dates(known.iter().map(|text| date(text)), Some(date(over)));
            let dates: Vec<String> = dates.iter().map(ToString::to_string).collect();
            (dates.len(), dates.last().cloned().unwrap_or_default())
        };
        assert_eq!(filled(&[], "2024-03-20").0, 0);
        let gap = ["2024-03-11", "2024-03-14"];
        assert_eq!(filled(&gap, "2024-03-12"), (4, "2024-03-14".to_owned()));
        assert_eq!(filled(&gap, "2024-03-15"), (5, "2024-03-15".to_owned()));
        assert_eq!(filled(&gap, "2026-01-01"), (11, "2024-03-21".to_owned()));
        let odd = ["1970-01-01", "2024-03-11", "9024-03-11"];
        assert_eq!(filled(&odd, "2024-03-15"), (3, "9024-03-11".to_owned()));
    }
}
