//! Reports what `compact` did or would do, as text and as JSON.

use std::collections::BTreeMap;
use std::io::{self, Write};

use serde::Serialize;

use super::figures::{bytes, count, counted};
use super::grid::Grid;
use crate::maintenance::compact::{Amount, CompactPlan, Compaction};
use crate::schema::TableName;

/// The result of `compact`.
#[derive(Clone, Debug, Serialize)]
pub struct CompactReport {
    dry_run: bool,
    /// Files under half this size counted as small.
    target_bytes: u64,
    partitions: u64,
    commits: Vec<u64>,
    tables: BTreeMap<TableName, CompactionLine>,
    left: Vec<String>,
    stopped: bool,
}

#[derive(Clone, Copy, Debug, Default, Serialize)]
struct CompactionLine {
    partitions: u64,
    before: Amount,
    /// Unknown until it is done.
    #[serde(skip_serializing_if = "Option::is_none")]
    after: Option<Amount>,
}

impl CompactReport {
    /// Report of a dry run.
    #[must_use]
    pub fn planned(plan: &CompactPlan, target_bytes: u64) -> Self {
        let mut tables = BTreeMap::<_, CompactionLine>::new();
        for partition in &plan.partitions {
            let line = tables.entry(partition.table).or_default();
            line.partitions += 1;
            line.before.add(partition.amount());
        }
        Self {
            dry_run: true,
            target_bytes,
            partitions: plan.partitions.len() as u64,
            commits: Vec::new(),
            tables,
            left: Vec::new(),
            stopped: false,
        }
    }

    /// Report of a completed run.
    #[must_use]
    pub fn of(done: Compaction, target_bytes: u64) -> Self {
        let Compaction {
            commits,
            tables,
            left,
            stopped,
        } = done;
        let lines = tables.into_iter().map(|(table, change)| {
            let line = CompactionLine {
                partitions: change.partitions,
                before: change.before,
                after: Some(change.after),
            };
            (table, line)
        });
        let tables: BTreeMap<_, _> = lines.collect();
        Self {
            dry_run: false,
            target_bytes,
            partitions: tables.values().map(|line| line.partitions).sum(),
            commits,
            tables,
            left,
            stopped,
        }
    }

    /// Whether it was stopped before it was done.
    #[must_use]
    pub fn is_stopped(&self) -> bool {
        self.stopped
    }

    /// Whether some days were skipped because other runs rewrote them.
    #[must_use]
    pub fn is_partial(&self) -> bool {
        !self.left.is_empty()
    }

    /// One JSON document.
    ///
    /// # Panics
    ///
    /// Never: counts and names always serialize.
    #[must_use]
    pub fn to_json(&self) -> Vec<u8> {
        let mut json = serde_json::to_vec_pretty(self).expect("counts and names are JSON");
        json.push(b'\n');
        json
    }

    /// Writes the report as text.
    ///
    /// # Errors
    ///
    /// When `out` can't be written.
    pub fn write_text(&self, out: &mut impl Write) -> io::Result<()> {
        let partitions = counted(self.partitions, "partition");
        if self.partitions > 0 {
            if self.dry_run {
                writeln!(out, "would merge the small files of {partitions}")?;
            } else {
                let commits = counted(self.commits.len() as u64, "commit");
                writeln!(out, "merged the small files of {partitions} in {commits}")?;
            }
            self.grid().write(out)?;
        } else if !self.stopped && self.left.is_empty() {
            let half = bytes(self.target_bytes / 2);
            writeln!(
                out,
                "nothing to do: no partition has two files under {half}"
            )?;
        }
        if !self.left.is_empty() {
            let days = self.left.join(", ");
            writeln!(
                out,
                "others kept rewriting the files of {days}; run it again for these"
            )?;
        }
        if self.stopped {
            writeln!(
                out,
                "stopped; what was merged is committed, run it again for the rest"
            )?;
        }
        Ok(())
    }

    fn grid(&self) -> Grid {
        let change = |before: String, after: Option<String>| match after {
            Some(after) => format!("{before} → {after}"),
            None => before,
        };
        let mut grid = Grid::new("LRRRR");
        grid.row(["table", "partitions", "files", "rows", "size"]);
        for (table, line) in &self.tables {
            let CompactionLine {
                partitions,
                before,
                after,
            } = line;
            grid.row([
                table.to_string(),
                count(*partitions),
                change(count(before.files), after.map(|after| count(after.files))),
                count(before.rows),
                change(bytes(before.bytes), after.map(|after| bytes(after.bytes))),
            ]);
        }
        grid
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::maintenance::compact::TableCompaction;

    fn amount(files: u64, rows: u64, bytes: u64) -> Amount {
        Amount { files, rows, bytes }
    }

    fn text(report: &CompactReport) -> String {
        let mut out = Vec::new();
        report.write_text(&mut out).expect("a Vec takes all");
        String::from_utf8(out).expect("text")
    }

    #[test]
    fn what_was_done_is_a_table() {
        let done = Compaction {
            commits: vec![7, 8],
            tables: [(
                TableName::Calls,
                TableCompaction {
                    partitions: 2,
                    before: amount(1_400, 12_000, 3 << 20),
                    after: amount(2, 12_000, 1 << 20),
                },
            )]
            .into(),
            left: vec!["2024-03-12".to_owned()],
            stopped: false,
        };
        let report = CompactReport::of(done, 256 << 20);
        insta::assert_snapshot!(text(&report), @"
        merged the small files of 2 partitions in 2 commits
          table  partitions      files    rows               size
          calls           2  1,400 → 2  12,000  3.0 MiB → 1.0 MiB
        others kept rewriting the files of 2024-03-12; run it again for these
        ");
        assert!(report.is_partial());
    }

    #[test]
    fn nothing_to_do_says_why() {
        let report = CompactReport::planned(&CompactPlan::default(), 256 << 20);
        assert_eq!(
            text(&report),
            "nothing to do: no partition has two files under 128.0 MiB\n"
        );
    }
}
