//! Arguments that name tasks and workflows, for accounts whose listings differ.

use std::collections::HashSet;
use std::fs::File;
use std::hash::Hash;
use std::io::{self, BufRead, BufReader};
use std::path::{Path, PathBuf};

use clap::{Args, ValueHint};

use super::lines::Lines;
use crate::job::TaskSource;
use crate::privacy::{looks_like_data, shown_path};
use crate::task::{IdError, TaskId, WorkflowId};

/// Where tasks come from, if not from the listings.
#[derive(Args, Clone, Debug, Default, PartialEq, Eq)]
#[command(next_help_heading = "Which tasks")]
pub struct SelectArgs {
    /// Pull this task and list nothing. Repeatable.
    ///
    /// For accounts whose listings cannot be used. A named task is treated like any other: skipped
    /// if it is sealed, sealed if its response says that it is final.
    #[arg(long, value_name = "ID", value_parser = named(TaskId::new))]
    pub task_id: Vec<TaskId>,
    /// Pull the tasks of this list, one id per line; - is standard input.
    ///
    /// Empty lines and lines that start with # are skipped, an id given twice is pulled once.
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub task_ids: Option<PathBuf>,
    /// Pull the tasks of this workflow and list no others. Repeatable.
    #[arg(long, value_name = "ID", value_parser = named(WorkflowId::new),
          conflicts_with_all = ["task_id", "task_ids"])]
    pub workflow_id: Vec<WorkflowId>,
    /// Pull the tasks of the workflows in this list, one id per line; - is standard input.
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath,
          conflicts_with_all = ["task_id", "task_ids"])]
    pub workflow_ids: Option<PathBuf>,
}

/// Why a list of ids cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum SelectError {
    /// Missing or not readable.
    #[error("read the list of ids {path}", path = shown_path(.path))]
    Read {
        /// The path.
        path: PathBuf,
        /// The cause.
        source: io::Error,
    },
    /// A line that does not look like an id. It may contain anything, so it is not quoted.
    #[error(
        "read the list of ids {path}, line {line}: {problem}; a list holds one id a line",
        path = shown_path(.path)
    )]
    NoId {
        /// The path.
        path: PathBuf,
        /// Counted from 1.
        line: usize,
        /// What the line looks like.
        problem: &'static str,
    },
    /// A line that is not a valid id.
    #[error("read the list of ids {path}, line {line}", path = shown_path(.path))]
    Id {
        /// The path.
        path: PathBuf,
        /// Counted from 1.
        line: usize,
        /// The cause.
        source: IdError,
    },
}

impl SelectArgs {
    /// The named source, or `None` for the one in the job file. Reads the lists.
    ///
    /// # Errors
    ///
    /// When a list cannot be read, or contains a line that is not an id.
    pub fn source(&self, stdin: &mut impl BufRead) -> Result<Option<TaskSource>, SelectError> {
        let Self {
            task_id,
            task_ids,
            workflow_id,
            workflow_ids,
        } = self;
        if !task_id.is_empty() || task_ids.is_some() {
            let ids = gathered(task_id, task_ids.as_deref(), TaskId::new, stdin)?;
            return Ok(Some(TaskSource::Tasks(ids)));
        }
        if !workflow_id.is_empty() || workflow_ids.is_some() {
            let ids = gathered(workflow_id, workflow_ids.as_deref(), WorkflowId::new, stdin)?;
            return Ok(Some(TaskSource::Workflows(ids)));
        }
        Ok(None)
    }
}

/// Parses an id given with a flag. Rejects input that looks like data: an id is sent, logged and
/// reported.
fn named<I>(
    read: fn(&str) -> Result<I, IdError>,
) -> impl Fn(&str) -> Result<I, String> + Clone + Send + Sync {
    move |text| {
        if looks_like_data(text) {
            return Err("it looks like data, not like an id".to_owned());
        }
        read(text).map_err(|error| error.to_string())
    }
}

fn gathered<I: Clone + Eq + Hash>(
    named: &[I],
    list: Option<&Path>,
    read: fn(&str) -> Result<I, IdError>,
    stdin: &mut impl BufRead,
) -> Result<Vec<I>, SelectError> {
    let mut ids = named.to_vec();
    if let Some(path) = list {
        if path.as_os_str() == "-" {
            append(&mut ids, stdin, path, read)?;
        } else {
            let file = File::open(path).map_err(|source| SelectError::Read {
                path: path.to_owned(),
                source,
            })?;
            append(&mut ids, &mut BufReader::new(file), path, read)?;
        }
    }
    let mut seen = HashSet::new();
    ids.retain(|id| seen.insert(id.clone()));
    Ok(ids)
}

fn append<I>(
    ids: &mut Vec<I>,
    lines: &mut impl BufRead,
    path: &Path,
    read: fn(&str) -> Result<I, IdError>,
) -> Result<(), SelectError> {
    let unreadable = |source| SelectError::Read {
        path: path.to_owned(),
        source,
    };
    let mut lines = Lines::new(lines);
    while let Some((number, line)) = lines.next().map_err(unreadable)? {
        let no_id = |problem| SelectError::NoId {
            path: path.to_owned(),
            line: number,
            problem,
        };
        let line = std::str::from_utf8(&line).map_err(|_| no_id("it is not Unicode"))?;
        let line = line.trim();
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        let id = read(line).map_err(|source| SelectError::Id {
            path: path.to_owned(),
            line: number,
            source,
        })?;
        if let Some(problem) = not_an_id(line) {
            return Err(no_id(problem));
        }
        ids.push(id);
    }
    Ok(())
}

/// What a line looks like if it is not an id: a saved response or a table of people is easily
/// passed as a list, and each of its lines would be sent, logged and reported.
fn not_an_id(line: &str) -> Option<&'static str> {
    if line.contains(['{', '}', '[', ']', '"', '<', '>']) {
        Some("it looks like JSON or a page, not like an id")
    } else if line.contains([',', ';']) || line.contains(char::is_whitespace) {
        Some("it holds several words or columns (an id that does can be given with a flag)")
    } else {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tasks(args: &SelectArgs, stdin: &str) -> Vec<String> {
        match args.source(&mut stdin.as_bytes()).expect("readable") {
            Some(TaskSource::Tasks(ids)) => ids.into_iter().map(String::from).collect(),
            other => panic!("not tasks: {other:?}"),
        }
    }

    #[test]
    fn ids_of_flags_and_of_standard_input_are_joined_and_taken_once() {
        let args = SelectArgs {
            task_id: vec![TaskId::new("a").unwrap()],
            task_ids: Some("-".into()),
            ..SelectArgs::default()
        };
        assert_eq!(
            tasks(&args, "\u{feff}b\r\n\n# of Tuesday\n  c \na\n"),
            ["a", "b", "c"]
        );
    }

    #[test]
    fn a_list_that_is_not_there_is_named() {
        let args = SelectArgs {
            task_ids: Some("no/list".into()),
            ..SelectArgs::default()
        };
        let error = args.source(&mut io::empty()).expect_err("missing");
        assert_eq!(error.to_string(), "read the list of ids no/list");
    }

    #[test]
    fn a_line_that_is_no_id_is_named_by_its_number() {
        let args = SelectArgs {
            workflow_ids: Some("-".into()),
            ..SelectArgs::default()
        };
        let text = format!("w1\n{}\n", "x".repeat(600));
        let error = args.source(&mut text.as_bytes()).expect_err("too long");
        assert_eq!(error.to_string(), "read the list of ids -, line 2");
    }

    #[test]
    fn an_answer_or_a_table_where_a_list_of_ids_belongs_is_not_taken_and_not_quoted() {
        for (list, line) in [
            ("{\n  \"CalleeName\": \"MARK\",\n", 1),
            ("a1\n\n\"CalleeName\": \"MARK\",", 3),
            ("task_id,MARK\n", 1),
            ("MARK NAME\n", 1),
            ("<html>MARK", 1),
        ] {
            let args = SelectArgs {
                task_ids: Some("-".into()),
                ..SelectArgs::default()
            };
            let error = args.source(&mut list.as_bytes()).expect_err("no list");
            let said = error.to_string();
            assert!(!said.contains("MARK"), "{said}");
            assert!(said.contains(&format!("line {line}: it ")), "{said}");
        }
    }

    #[test]
    fn without_any_the_job_file_decides() {
        assert_eq!(
            SelectArgs::default()
                .source(&mut io::empty())
                .expect("nothing to read"),
            None
        );
    }
}
