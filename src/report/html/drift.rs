//! What did not fit: by key, and over the days whose tasks have it.

use std::collections::BTreeMap;

use chrono::NaiveDate;

use super::day::Day;
use super::masked::{key_of, name_of, word_of};
use super::past::{ReportedMisfit, ReportedRun};
use crate::lake::{DayMisfit, DaySummary};
use crate::report::figures::count;

/// Keys in the list. A vendor that uses ids as keys has many.
const MAX_KEYS: usize = 100;
/// Keys that are shown over time.
const MAX_SERIES: usize = 8;

/// Where the figures come from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum By {
    /// The days, which count their tasks.
    Day,
    /// The reports of runs.
    Run,
}

/// What did not fit.
pub(super) struct Drift {
    /// Where the figures come from.
    pub(super) by: By,
    /// By key, most frequent first.
    pub(super) keys: Vec<DriftLine>,
    /// Keys left out of the list.
    pub(super) more: usize,
    /// The most frequent keys over time.
    pub(super) series: Vec<Series>,
    /// The days, or those on which runs ran, in order.
    pub(super) dates: Vec<NaiveDate>,
}

/// One key.
pub(super) struct DriftLine {
    pub(super) table: String,
    pub(super) key: String,
    pub(super) why: String,
    pub(super) count: String,
    pub(super) times: String,
    pub(super) first: String,
    pub(super) last: String,
}

/// One key over time.
pub(super) struct Series {
    /// `calls.BorrowedAmount`.
    pub(super) name: String,
    /// By day, as `Drift::dates`.
    pub(super) counts: Vec<u64>,
    /// Of tasks without a day.
    pub(super) undated: u64,
}

#[derive(Default)]
struct Found {
    total: u64,
    /// Days or runs that have it.
    times: u64,
    by_date: BTreeMap<NaiveDate, u64>,
    undated: u64,
}

/// What one day or one run counted.
struct Counted<'a> {
    date: Option<NaiveDate>,
    lines: Vec<CountedKey<'a>>,
}

struct CountedKey<'a> {
    table: &'a str,
    key: &'a str,
    kind: &'a str,
    count: u64,
}

impl<'a> Counted<'a> {
    /// A day; nothing for one whose file counts nothing, because an earlier version wrote it.
    fn day(day: &'a DaySummary) -> Option<Self> {
        let line = |misfit: &'a DayMisfit| CountedKey {
            table: misfit.key.table.as_str(),
            key: &misfit.key.key,
            kind: &misfit.key.kind,
            count: misfit.count,
        };
        Some(Self {
            date: day.date,
            lines: day.misfits.as_ref()?.iter().map(line).collect(),
        })
    }

    fn run(run: &'a ReportedRun) -> Option<Self> {
        let line = |misfit: &'a ReportedMisfit| CountedKey {
            table: &misfit.table,
            key: &misfit.key,
            kind: &misfit.kind,
            count: misfit.count,
        };
        Some(Self {
            date: Some(run.past.started_at?.date_naive()),
            lines: run.misfits.iter().map(line).collect(),
        })
    }
}

impl By {
    /// What a line of the table by day is.
    pub(super) fn word(self) -> &'static str {
        match self {
            Self::Day => "Day",
            Self::Run => "Day of the run",
        }
    }

    /// What is counted beside the values.
    pub(super) fn times(self) -> &'static str {
        match self {
            Self::Day => "day",
            Self::Run => "run",
        }
    }
}

impl Drift {
    /// What the days count. Where they count nothing, what the runs found: earlier versions counted it by
    /// run alone.
    pub(super) fn new(days: &[Day], undated: Option<&DaySummary>, runs: &[ReportedRun]) -> Self {
        let days = days.iter().filter_map(|day| day.summary.as_ref());
        let by_day: Vec<Counted<'_>> = days.chain(undated).filter_map(Counted::day).collect();
        if by_day.iter().any(|day| !day.lines.is_empty()) {
            return Self::of(By::Day, &by_day);
        }
        let by_run: Vec<Counted<'_>> = runs.iter().filter_map(Counted::run).collect();
        Self::of(By::Run, &by_run)
    }

    fn of(by: By, all: &[Counted<'_>]) -> Self {
        let mut found: BTreeMap<[String; 3], Found> = BTreeMap::new();
        let mut dates: Vec<NaiveDate> = Vec::new();
        for one in all {
            dates.extend(one.date);
            // Masked keys of one day or run become one.
            let mut of_one: BTreeMap<[String; 3], u64> = BTreeMap::new();
            for line in &one.lines {
                let table = name_of(line.table).to_owned();
                let name = [table, key_of(line.key).to_owned(), line.kind.to_owned()];
                let count = of_one.entry(name).or_default();
                *count = count.saturating_add(line.count);
            }
            for (name, count) in of_one {
                let known = found.entry(name).or_default();
                known.total = known.total.saturating_add(count);
                known.times += 1;
                let counted = match one.date {
                    Some(date) => known.by_date.entry(date).or_default(),
                    None => &mut known.undated,
                };
                *counted = counted.saturating_add(count);
            }
        }
        dates.sort_unstable();
        dates.dedup();
        let mut found: Vec<_> = found.into_iter().collect();
        found.sort_by(|(a, x), (b, y)| y.total.cmp(&x.total).then_with(|| a.cmp(b)));
        let series = found.iter().take(MAX_SERIES).map(|(name, known)| {
            let of = |date| known.by_date.get(date).copied().unwrap_or_default();
            Series {
                name: series_name(name),
                counts: dates.iter().map(of).collect(),
                undated: known.undated,
            }
        });
        let series = series.collect();
        Self {
            by,
            more: found.len().saturating_sub(MAX_KEYS),
            keys: (found.iter().take(MAX_KEYS))
                .map(|(name, known)| DriftLine::new(name, known))
                .collect(),
            series,
            dates: if found.is_empty() { Vec::new() } else { dates },
        }
    }

    /// The days with the counts of each series, newest first; what has no day comes last.
    pub(super) fn by_date(&self) -> Vec<(String, Vec<String>)> {
        let undated = || {
            let counts = self.series.iter().map(|one| count(one.undated));
            ("no day".to_owned(), counts.collect())
        };
        let has_undated = self.series.iter().any(|one| one.undated > 0);
        let undated = has_undated.then(undated);
        let lines = self.dates.iter().enumerate().rev().map(|(index, date)| {
            let counts = self.series.iter().map(|one| count(one.counts[index]));
            (date.to_string(), counts.collect())
        });
        lines.chain(undated).collect()
    }
}

/// `calls.Name`, with the kind where it is not simply a key without a column.
fn series_name([table, key, kind]: &[String; 3]) -> String {
    match kind.as_str() {
        "unknown_key" => format!("{table}.{key}"),
        kind => format!("{table}.{key} ({})", word_of(kind)),
    }
}

impl DriftLine {
    fn new([table, key, kind]: &[String; 3], known: &Found) -> Self {
        let day = |date: Option<(&NaiveDate, &u64)>| {
            date.map_or_else(String::new, |(date, _)| date.to_string())
        };
        Self {
            table: table.clone(),
            key: key.clone(),
            why: match kind.as_str() {
                "unknown_key" => "no column has this key".to_owned(),
                kind => word_of(kind).into_owned(),
            },
            count: count(known.total),
            times: count(known.times),
            first: day(known.by_date.first_key_value()),
            last: day(known.by_date.last_key_value()),
        }
    }
}
