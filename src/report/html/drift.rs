//! What did not fit: by key, and over the days on which runs found it.

use std::collections::BTreeMap;

use chrono::NaiveDate;

use super::masked::{key_of, name_of, word_of};
use super::past::ReportedRun;
use crate::report::figures::count;

/// Keys in the list. A vendor that uses ids as keys has many.
const MAX_KEYS: usize = 100;
/// Keys that are shown over time.
const MAX_SERIES: usize = 8;

/// What did not fit.
#[derive(Default)]
pub(super) struct Drift {
    /// By key, most frequent first.
    pub(super) keys: Vec<DriftLine>,
    /// Keys left out of the list.
    pub(super) more: usize,
    /// The most frequent keys over time.
    pub(super) series: Vec<Series>,
    /// Days on which runs ran, in order.
    pub(super) dates: Vec<NaiveDate>,
}

/// One key.
pub(super) struct DriftLine {
    pub(super) table: String,
    pub(super) key: String,
    pub(super) why: String,
    pub(super) count: String,
    pub(super) runs: String,
    pub(super) first: String,
    pub(super) last: String,
}

/// One key over time.
pub(super) struct Series {
    /// `calls.BorrowedAmount`.
    pub(super) name: String,
    /// By day, as `Drift::dates`.
    pub(super) counts: Vec<u64>,
}

#[derive(Default)]
struct Found {
    total: u64,
    runs: u64,
    by_date: BTreeMap<NaiveDate, u64>,
}

impl Drift {
    pub(super) fn new(runs: &[ReportedRun]) -> Self {
        let mut found: BTreeMap<[String; 3], Found> = BTreeMap::new();
        let mut dates: Vec<NaiveDate> = Vec::new();
        for run in runs {
            let Some(date) = run.past.started_at.map(|at| at.date_naive()) else {
                continue;
            };
            dates.push(date);
            // Masked keys of one run become one.
            let mut of_run: BTreeMap<[String; 3], u64> = BTreeMap::new();
            for misfit in &run.misfits {
                let table = name_of(&misfit.table).to_owned();
                let name = [table, key_of(&misfit.key).to_owned(), misfit.kind.clone()];
                let count = of_run.entry(name).or_default();
                *count = count.saturating_add(misfit.count);
            }
            for (name, count) in of_run {
                let known = found.entry(name).or_default();
                known.total = known.total.saturating_add(count);
                known.runs += 1;
                let day = known.by_date.entry(date).or_default();
                *day = day.saturating_add(count);
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
            }
        });
        let series = series.collect();
        Self {
            more: found.len().saturating_sub(MAX_KEYS),
            keys: (found.iter().take(MAX_KEYS))
                .map(|(name, known)| DriftLine::new(name, known))
                .collect(),
            series,
            dates: if found.is_empty() { Vec::new() } else { dates },
        }
    }

    /// The days with the counts of each series, newest first.
    pub(super) fn by_date(&self) -> Vec<(String, Vec<String>)> {
        let lines = self.dates.iter().enumerate().rev().map(|(index, date)| {
            let counts = self.series.iter().map(|one| count(one.counts[index]));
            (date.to_string(), counts.collect())
        });
        lines.collect()
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
            runs: count(known.runs),
            first: day(known.by_date.first_key_value()),
            last: day(known.by_date.last_key_value()),
        }
    }
}
