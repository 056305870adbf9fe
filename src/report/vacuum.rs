//! Reports what `vacuum` removed or would remove, as text and as JSON.

use std::collections::BTreeMap;
use std::io::{self, Write};

use serde::Serialize;

use super::figures::{bytes, count, counted};
use super::grid::Grid;
use crate::maintenance::vacuum::{VacuumKind, Vacuumed};

/// Maximum number of skipped paths listed.
const MAX_LEFT: usize = 20;

/// The result of `vacuum`.
#[derive(Clone, Debug, Serialize)]
pub struct VacuumReport {
    dry_run: bool,
    files: u64,
    bytes: u64,
    #[serde(flatten)]
    done: Vacuumed,
}

impl VacuumReport {
    /// Reports what was removed, or would be.
    #[must_use]
    pub fn new(dry_run: bool, done: Vacuumed) -> Self {
        Self {
            dry_run,
            files: done.items.len() as u64,
            bytes: done.items.iter().map(|item| item.bytes).sum(),
            done,
        }
    }

    /// One JSON document.
    ///
    /// # Panics
    ///
    /// Never: counts and paths always serialize.
    #[must_use]
    pub fn to_json(&self) -> Vec<u8> {
        let mut json = serde_json::to_vec_pretty(self).expect("counts and paths are JSON");
        json.push(b'\n');
        json
    }

    /// Writes the report as text. Lists every file only if requested or for a dry run.
    ///
    /// # Errors
    ///
    /// When `out` can't be written.
    pub fn write_text(&self, verbose: bool, out: &mut impl Write) -> io::Result<()> {
        for what in &self.done.recovered {
            writeln!(out, "{what}")?;
        }
        if self.files == 0 {
            let would = if self.dry_run { "would be" } else { "was" };
            writeln!(out, "nothing {would} removed")?;
        } else {
            let would = if self.dry_run {
                "would remove"
            } else {
                "removed"
            };
            let (files, size) = (counted(self.files, "file"), bytes(self.bytes));
            writeln!(out, "{would} {files}, {size}")?;
            self.grid(verbose || self.dry_run).write(out)?;
        }
        if self.done.kept > 0 {
            let files = counted(self.done.kept, "stray file");
            writeln!(out, "{files} too young yet, see --older-than")?;
        }
        if self.done.pins_ended > 0 {
            let pins = counted(self.done.pins_ended, "expired pin");
            writeln!(out, "{pins} removed, with the files that only they held")?;
        }
        if self.done.held > 0 {
            let files = counted(self.done.held, "file");
            writeln!(
                out,
                "{files} superseded but held by pins of readers: `status` shows them, `files \
                 --release` ends one"
            )?;
        }
        if self.done.kept_for_delta > 0 {
            let files = counted(self.done.kept_for_delta, "file");
            writeln!(
                out,
                "{files} superseded but kept for readers of the Delta tables, see \
                 publish.delta.retention"
            )?;
        }
        if self.done.left > 0 {
            let files = counted(self.done.left, "file");
            writeln!(
                out,
                "{files} that no commit knows, left: `verify --repair` puts them aside, --unknown \
                 removes them"
            )?;
        }
        for path in self.done.left_alone.iter().take(MAX_LEFT) {
            writeln!(out, "{path} is left alone: it is no report and no reject")?;
        }
        if let Some(more) = self.done.left_alone.len().checked_sub(MAX_LEFT + 1) {
            let more = count(more as u64 + 1);
            writeln!(out, "… and {more} more, all with --format json")?;
        }
        Ok(())
    }

    fn grid(&self, each: bool) -> Grid {
        let mut grid = Grid::new(if each { "LRL" } else { "LRR" });
        if each {
            for item in &self.done.items {
                grid.row([meaning(item.kind), &bytes(item.bytes), &item.path]);
            }
            return grid;
        }
        let mut kinds = BTreeMap::<VacuumKind, (u64, u64)>::new();
        for item in &self.done.items {
            let sum = kinds.entry(item.kind).or_default();
            *sum = (sum.0 + 1, sum.1 + item.bytes);
        }
        for (kind, (files, size)) in kinds {
            grid.row([meaning(kind), &count(files), &bytes(size)]);
        }
        grid
    }
}

fn meaning(kind: VacuumKind) -> &'static str {
    match kind {
        VacuumKind::Unknown => "no commit knows it",
        VacuumKind::Superseded => "superseded by other files",
        VacuumKind::Staged => "staged by a run that ended early",
        VacuumKind::Probe => "left by a doctor that was killed",
        VacuumKind::Report => "run report",
        VacuumKind::Reject => "reject",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::maintenance::vacuum::VacuumItem;

    fn text(dry_run: bool, verbose: bool) -> String {
        let item = |kind, path: &str, bytes| VacuumItem {
            kind,
            path: path.to_owned(),
            bytes,
        };
        let done = Vacuumed {
            left_alone: Vec::new(),
            items: vec![
                item(
                    VacuumKind::Unknown,
                    "calls/call_date=2024-03-11/a.parquet",
                    2048,
                ),
                item(VacuumKind::Unknown, "tasks/b.parquet", 10),
                item(VacuumKind::Report, "_export/runs/r.json", 700),
            ],
            kept: 1,
            left: 2,
            held: 0,
            kept_for_delta: 0,
            pins_ended: 0,
            recovered: Vec::new(),
        };
        let mut out = Vec::new();
        let report = VacuumReport::new(dry_run, done);
        report
            .write_text(verbose, &mut out)
            .expect("a Vec takes all");
        String::from_utf8(out).expect("text")
    }

    #[test]
    fn a_dry_run_names_every_file_and_a_real_one_counts_them() {
        insta::assert_snapshot!(text(true, false), @"
        would remove 3 files, 2.6 KiB
          no commit knows it  2.0 KiB  calls/call_date=2024-03-11/a.parquet
          no commit knows it     10 B  tasks/b.parquet
          run report            700 B  _export/runs/r.json
        1 stray file too young yet, see --older-than
        2 files that no commit knows, left: `verify --repair` puts them aside, --unknown removes them
        ");
        insta::assert_snapshot!(text(false, false), @"
        removed 3 files, 2.6 KiB
          no commit knows it  2  2.0 KiB
          run report          1    700 B
        1 stray file too young yet, see --older-than
        2 files that no commit knows, left: `verify --repair` puts them aside, --unknown removes them
        ");
        assert_eq!(text(false, true).lines().count(), 6);
    }
}
