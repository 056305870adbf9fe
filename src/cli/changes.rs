//! The `changes` command: what each commit changed, for loaders that follow the lake.
//!
//! A loader keeps one number, `next` of the last answer, and gives it as `--since` the next time.

use std::collections::BTreeMap;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use chrono::{DateTime, NaiveDate, Utc};
use clap::{Args, ValueEnum};
use serde::Serialize;

use super::output::deliver;
use super::place::{self, NoPlace};
use super::settings::{Look, Settings};
use super::table::table_name;
use crate::exit_code::ExitCode;
use crate::job::Job;
use crate::lake::{self, Change, CommitKind, HistoryError, Lake, LakeError, RowChange, Span};
use crate::schema::TableName;
use crate::store::{Checksum, DataFile, FilePath, LakePath};
use crate::task::{RunId, TaskId};

/// Arguments of `changes`: a range of commits, and what is printed.
#[derive(Args, Clone, Debug, Default, PartialEq, Eq)]
pub struct ChangesArgs {
    /// After this commit: `next` of the last answer, or `sequence` of `files`; 0 from the beginning
    #[arg(long, value_name = "SEQUENCE")]
    pub since: u64,
    /// Up to this commit, included [default: the newest whose files are all in place]
    #[arg(long, value_name = "SEQUENCE")]
    pub through: Option<u64>,
    /// Only the files and rows of this table
    #[arg(long, value_name = "TABLE", value_parser = table_name())]
    pub table: Option<TableName>,
    /// All commits as one step
    ///
    /// Files that came and went in between are left out, and a task counts as replaced if it had
    /// rows before the first of the commits.
    #[arg(long)]
    pub fold: bool,
    /// How they are printed
    #[arg(long, value_enum, value_name = "WORD", default_value_t)]
    pub format: ChangesFormat,
    /// Settings of a command that only reads, given as flags.
    #[command(flatten)]
    pub settings: Settings<Look>,
}

/// How changes are printed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum ChangesFormat {
    /// One JSON document
    #[default]
    Json,
    /// One JSON document a line, one for each commit
    Ndjson,
    /// A line for each commit, and for each file, task and day of it
    Csv,
}

/// Why the changes could not be listed.
#[derive(Debug, thiserror::Error)]
pub enum ChangesError {
    /// The lake can't be read.
    #[error(transparent)]
    Lake(#[from] LakeError),
    /// The commits can't be told.
    #[error(transparent)]
    History(#[from] HistoryError),
    /// The destination's place.
    #[error(transparent)]
    Place(#[from] NoPlace),
    /// The end lies before the beginning.
    #[error("list the commits after {since} up to {through}: --through comes before --since")]
    Backwards {
        /// `--since`.
        since: u64,
        /// `--through`.
        through: u64,
    },
    /// Standard output cannot be written.
    #[error("write to standard output")]
    Output(#[source] io::Error),
}

impl ChangesError {
    /// The exit code of this error.
    #[must_use]
    pub fn exit_code(&self) -> ExitCode {
        match self {
            Self::Lake(error) => error.exit_code(),
            Self::History(error) => error.exit_code(),
            Self::Place(_) => ExitCode::Settings,
            Self::Backwards { .. } => ExitCode::Usage,
            Self::Output(_) => ExitCode::Destination,
        }
    }
}

#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub(crate) struct ChangesDocument {
    dest: String,
    /// After this commit.
    since: u64,
    /// Up to this commit.
    through: u64,
    /// What to give as `--since` next time.
    next: u64,
    changes: Vec<Line>,
}

/// One commit, or several as one step.
#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub(crate) struct Line {
    since: u64,
    sequence: u64,
    /// What to give as `--since` after this one.
    next: u64,
    at: DateTime<Utc>,
    /// Null for several commits.
    kind: Option<CommitKind>,
    run_id: Option<RunId>,
    added: Vec<AddedLine>,
    removed: Vec<RemovedLine>,
    tasks: Tasks,
    rows: BTreeMap<TableName, RowChange>,
    /// The days whose files changed.
    days: Vec<NaiveDate>,
    /// Whether files of rows without a date changed.
    undated: bool,
    /// The days that became complete.
    completed: Vec<NaiveDate>,
    /// The days that are complete no longer.
    reopened: Vec<NaiveDate>,
}

#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
struct Tasks {
    /// Tasks that had no rows before.
    added: Vec<TaskId>,
    /// Tasks whose rows of before are gone, and have new ones.
    replaced: Vec<TaskId>,
}

#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
struct AddedLine {
    path: String,
    table: TableName,
    partition: String,
    date: Option<NaiveDate>,
    rows: u64,
    bytes: u64,
    sha256: Checksum,
    /// The commit that added it.
    sequence: u64,
}

#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
struct RemovedLine {
    path: String,
    table: TableName,
    partition: String,
    date: Option<NaiveDate>,
    rows: u64,
    bytes: u64,
    /// The files of the same commit that took over its remaining rows.
    into: Vec<String>,
    /// It was missing or damaged: rows of it are not in `into`.
    lost: bool,
}

/// Prints what the commits of a span changed.
///
/// # Errors
///
/// When the lake can't be read, does not know the commits, or the result can't be written.
pub async fn run(args: &ChangesArgs, job: &Job, out: &mut impl Write) -> Result<(), ChangesError> {
    if let Some(through) = args.through.filter(|through| *through < args.since) {
        let since = args.since;
        return Err(ChangesError::Backwards { since, through });
    }
    lake::expect_place(&job.dest).await?;
    let lake = Lake::open(&job.dest).await?;
    if lake.is_empty() {
        tracing::warn!(name: "empty_lake", dest = %job.dest, "nothing was committed here yet");
    }
    let root = place::root_of(lake.store())?;
    let span = Span {
        since: args.since,
        through: args.through,
        fold: args.fold,
    };
    let found = lake.changes(span).await?;
    let lines = found.steps.into_iter().map(|mut change| {
        if let Some(table) = args.table {
            change.keep_table(table);
        }
        Line::new(&root, change)
    });
    let document = ChangesDocument {
        dest: root.display().to_string(),
        since: found.since,
        through: found.through,
        next: found.through,
        changes: lines.collect(),
    };
    deliver(out, |out| match args.format {
        ChangesFormat::Json => {
            serde_json::to_writer(&mut *out, &document)?;
            out.write_all(b"\n")
        }
        ChangesFormat::Ndjson => document.changes.iter().try_for_each(|line| {
            serde_json::to_writer(&mut *out, line)?;
            out.write_all(b"\n")
        }),
        ChangesFormat::Csv => csv(out, &document.changes),
    })
    .map_err(ChangesError::Output)
}

impl Line {
    fn new(root: &Path, change: Change) -> Self {
        let rows = change.rows();
        let partitions = change.partitions();
        let Change {
            since,
            sequence,
            at,
            kind,
            run_id,
            added,
            removed,
            tasks,
            completed,
            reopened,
        } = change;
        let locate = |path: &FilePath| locate(root, path).display().to_string();
        let (replaced, new): (Vec<_>, Vec<_>) = tasks.into_iter().partition(|task| task.replaced);
        let ids = |tasks: Vec<lake::TaskChange>| tasks.into_iter().map(|task| task.id).collect();
        Self {
            since,
            sequence,
            next: sequence,
            at,
            kind,
            run_id,
            added: (added.into_iter())
                .map(|live| AddedLine {
                    path: locate(&live.path()),
                    table: live.file.table,
                    partition: partition_of(&live.file),
                    date: live.file.partition.date(),
                    rows: live.file.rows,
                    bytes: live.file.bytes,
                    sha256: live.file.sha256,
                    sequence: live.sequence,
                })
                .collect(),
            removed: (removed.into_iter())
                .map(|gone| RemovedLine {
                    path: locate(&gone.file.path()),
                    table: gone.file.table,
                    partition: partition_of(&gone.file),
                    date: gone.file.partition.date(),
                    rows: gone.file.rows,
                    bytes: gone.file.bytes,
                    into: gone.into.iter().map(locate).collect(),
                    lost: gone.lost,
                })
                .collect(),
            tasks: Tasks {
                added: ids(new),
                replaced: ids(replaced),
            },
            rows,
            days: partitions.iter().filter_map(|one| one.date()).collect(),
            undated: partitions.iter().any(|one| one.date().is_none()),
            completed: completed.into_iter().collect(),
            reopened: reopened.into_iter().collect(),
        }
    }
}

fn locate(root: &Path, path: &FilePath) -> PathBuf {
    root.join(LakePath::from(path).as_str())
}

fn partition_of(file: &DataFile) -> String {
    format!("{}={}", file.table.partition_column(), file.partition)
}

/// One line of the CSV form; what does not apply is empty.
#[derive(Default)]
struct CsvLine<'a> {
    what: &'a str,
    table: &'a str,
    date: Option<NaiveDate>,
    rows: Option<u64>,
    bytes: Option<u64>,
    /// Path or task id.
    name: &'a str,
}

fn csv(out: &mut impl Write, changes: &[Line]) -> io::Result<()> {
    writeln!(out, "sequence,at,kind,what,table,date,rows,bytes,name")?;
    for change in changes {
        let mut line = |line: CsvLine<'_>| {
            let number = |number: Option<u64>| number.map(|n| n.to_string()).unwrap_or_default();
            let date = line.date.map(|date| date.to_string()).unwrap_or_default();
            writeln!(
                out,
                "{},{},{},{},{},{date},{},{},{}",
                change.sequence,
                change
                    .at
                    .to_rfc3339_opts(chrono::SecondsFormat::Millis, true),
                change.kind.map_or("", CommitKind::as_str),
                line.what,
                line.table,
                number(line.rows),
                number(line.bytes),
                quoted(line.name),
            )
        };
        // Every commit has a line, so that the last one can always be gone on from.
        line(CsvLine {
            what: "commit",
            ..CsvLine::default()
        })?;
        for file in &change.added {
            line(CsvLine {
                what: "file_added",
                table: file.table.as_str(),
                date: file.date,
                rows: Some(file.rows),
                bytes: Some(file.bytes),
                name: &file.path,
            })?;
        }
        for file in &change.removed {
            line(CsvLine {
                what: "file_removed",
                table: file.table.as_str(),
                date: file.date,
                rows: Some(file.rows),
                bytes: Some(file.bytes),
                name: &file.path,
            })?;
        }
        let tasks = &change.tasks;
        for (what, ids) in [
            ("task_added", &tasks.added),
            ("task_replaced", &tasks.replaced),
        ] {
            for id in ids {
                let name = id.as_str();
                line(CsvLine {
                    what,
                    name,
                    ..CsvLine::default()
                })?;
            }
        }
        let days = [
            ("day", &change.days),
            ("day_completed", &change.completed),
            ("day_reopened", &change.reopened),
        ];
        for (what, dates) in days {
            for date in dates {
                line(CsvLine {
                    what,
                    date: Some(*date),
                    ..CsvLine::default()
                })?;
            }
        }
    }
    Ok(())
}

/// A field of CSV (RFC 4180).
fn quoted(text: &str) -> String {
    if text.contains(['"', ',', '\n', '\r']) {
        format!("\"{}\"", text.replace('"', "\"\""))
    } else {
        text.to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_that_csv_would_split_are_quoted() {
        assert_eq!(quoted("plain"), "plain");
        assert_eq!(quoted("a,b"), "\"a,b\"");
        assert_eq!(quoted("say \"x\""), "\"say \"\"x\"\"\"");
    }
}
