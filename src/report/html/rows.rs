//! Rows and bytes by table and day.

use std::collections::BTreeMap;

use super::day::Day;
use crate::lake::{DaySummary, FileCounts};
use crate::report::figures::{bytes, count};
use crate::report::status::StatusReport;
use crate::schema::TableName;

/// The table of rows and bytes.
pub(super) struct RowsTable {
    pub(super) tables: [&'static str; 4],
    /// Newest first.
    pub(super) lines: Vec<RowsLine>,
    pub(super) total: RowsLine,
}

/// Rows and bytes of one day, or of all.
pub(super) struct RowsLine {
    pub(super) name: String,
    /// Rows and bytes of each table.
    pub(super) cells: [[String; 2]; 4],
    pub(super) files: String,
    pub(super) bytes: String,
}

impl RowsTable {
    /// Lines for the days that are shown, and the total of the lake.
    pub(super) fn new(days: &[Day], status: &StatusReport, hidden: usize) -> Self {
        let dated = days.iter().rev().filter_map(|day| {
            let DaySummary { date, tables, .. } = day.summary.as_ref()?;
            let has_files = tables.values().any(|counts| counts.files > 0);
            has_files.then(|| RowsLine::new(date.unwrap_or(day.date).to_string(), tables))
        });
        let undated = status.undated.as_ref();
        let undated = undated.map(|day| RowsLine::new("no day".to_owned(), &day.tables));
        let total = if hidden > 0 {
            "all days, earlier ones too"
        } else {
            "all days"
        };
        Self {
            tables: TableName::ALL.map(TableName::as_str),
            lines: dated.chain(undated).collect(),
            total: RowsLine::new(total.to_owned(), &status.tables),
        }
    }
}

impl RowsLine {
    fn new(name: String, tables: &BTreeMap<TableName, FileCounts>) -> Self {
        let of = |table| tables.get(&table).copied().unwrap_or_default();
        Self {
            name,
            cells: TableName::ALL.map(|table| {
                let FileCounts {
                    rows, bytes: size, ..
                } = of(table);
                [count(rows), bytes(size)]
            }),
            files: count(tables.values().map(|counts| counts.files).sum()),
            bytes: bytes(tables.values().map(|counts| counts.bytes).sum()),
        }
    }
}
