//! The `report` command: writes a page for people about the lake.

use std::fs::{self, OpenOptions};
use std::io::Write;
use std::path::{Path, PathBuf};

use chrono::{DateTime, Utc};
use clap::{Args, ValueHint, value_parser};

use super::context::Context;
use super::error::Error;
use super::output::deliver;
use super::settings::{Settings, View};
use crate::doctor::shell_quoted;
use crate::exit_code::ExitCode;
use crate::job::Job;
use crate::job::environment::JOB;
use crate::lake::{self, Lake, ShownIdentity};
use crate::report::{HtmlInput, STATUS_RUNS, StatusReport, figures, html_report, reported_runs};
use crate::whole_file;

/// Days of the demo's page, and runs.
const DEMO: Shown = Shown { runs: 90, days: 92 };

/// Arguments of `report`: the page to write, and how much it shows.
#[derive(Args, Clone, Debug, PartialEq, Eq)]
pub struct ReportArgs {
    /// Write the page to this file; - is standard output
    ///
    /// One self-contained HTML file: days and why they are not complete, rows and bytes by table
    /// and day, values that did not fit, rejects, runs, requests, and what needs a person with the
    /// command that mends it. It makes no request, is complete without JavaScript, and holds counts,
    /// dates, ids and names of keys only. An existing file is replaced in one step.
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath, required = true)]
    pub html: PathBuf,
    /// The most runs that are shown, counted from the last
    #[arg(long, value_name = "NUMBER", default_value_t = 90, value_parser = value_parser!(u16).range(1..=1_000))]
    pub runs: u16,
    /// The most days that are shown, counted from the last
    #[arg(long, value_name = "NUMBER", default_value_t = 92, value_parser = value_parser!(u16).range(1..=4_000))]
    pub days: u16,
    /// Settings of a command that reads as of a moment, given as flags.
    #[command(flatten)]
    pub settings: Settings<View>,
}

impl ReportArgs {
    /// Whether the page goes to standard output.
    #[must_use]
    pub fn is_to_standard_output(&self) -> bool {
        self.html.as_os_str() == "-"
    }
}

/// How much a page shows.
#[derive(Clone, Copy, Debug)]
struct Shown {
    runs: u16,
    days: u16,
}

/// Writes the page.
///
/// # Errors
///
/// When the lake can't be read or the page can't be written.
pub async fn run(
    args: &ReportArgs,
    job: &Job,
    now: DateTime<Utc>,
    context: &mut Context<'_>,
) -> Result<ExitCode, Error> {
    lake::expect_place(&job.dest).await?;
    let lake = Lake::open(&job.dest).await?;
    let shown = Shown {
        runs: args.runs,
        days: args.days,
    };
    let flag = flag(context);
    let flag = flag.unwrap_or_else(|| of_lake(&job.dest.to_string()));
    let page = page(job, &lake, shown, &flag, now).await?;
    let mut out: &mut (dyn Write + Send) = context.out;
    if args.is_to_standard_output() {
        // In one piece: what makes text safe for a terminal must not see half a character.
        return deliver(&mut out, |out| out.write_all(page.as_bytes()))
            .map(|()| ExitCode::Done)
            .map_err(Error::Output);
    }
    write(&args.html, &page)?;
    deliver(&mut out, |out| {
        let size = figures::bytes(page.len() as u64);
        writeln!(out, "wrote {}, {size}", args.html.display())
    })
    .map_err(Error::Output)?;
    Ok(ExitCode::Done)
}

/// Writes the page of the demo beside its lake.
///
/// # Errors
///
/// As [`run`].
pub(super) async fn of_demo(
    job: &Job,
    lake: &Lake,
    now: DateTime<Utc>,
    path: &Path,
) -> Result<(), Error> {
    let flag = of_lake(&job.dest.to_string());
    write(path, &page(job, lake, DEMO, &flag, now).await?)
}

async fn page(
    job: &Job,
    lake: &Lake,
    shown: Shown,
    flag: &str,
    now: DateTime<Utc>,
) -> Result<String, Error> {
    let most = STATUS_RUNS.max(shown.runs.into());
    let runs = reported_runs(lake.store(), most).await?;
    // A damaged identity does not hide the rest; `status` and `verify` name it.
    let identity = lake::read_identity(lake.store()).await.ok().flatten();
    let past = runs.iter().map(|run| run.past().clone()).collect();
    let status = StatusReport::read(lake, past, job, now).await?;
    let status = status.of(identity.map(ShownIdentity::from));
    Ok(html_report(&HtmlInput {
        lake,
        status: &status,
        runs: &runs[..runs.len().min(shown.runs.into())],
        dest: &job.dest.to_string(),
        flag,
        now,
        most_days: shown.days.into(),
    }))
}

/// The flag that gives another command the same job, if there is a job file.
fn flag(context: &Context<'_>) -> Option<String> {
    let by_flag = context.flags.job.clone();
    let by_variable = || context.env.get(JOB).ok().flatten().map(PathBuf::from);
    let job = by_flag.or_else(by_variable)?;
    let dest = context.flags.get("dest");
    let dest = dest.map_or_else(String::new, |dest| format!(" {}", of_lake(dest)));
    Some(format!("--job {}{dest}", shell_quoted(&job)))
}

fn of_lake(dest: &str) -> String {
    format!("--dest {}", shell_quoted(Path::new(dest)))
}

/// Writes a file so that a reader sees the old or the new one, whole. What is no file, such as a
/// pipe, is written to.
fn write(path: &Path, text: &str) -> Result<(), Error> {
    let failed = |source| Error::Write {
        path: path.to_owned(),
        source,
    };
    // The file that a link names is replaced, not the link.
    let target = fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
    if fs::metadata(&target).is_ok_and(|found| !found.is_file()) {
        let file = OpenOptions::new().write(true).open(&target);
        return file
            .and_then(|mut file| file.write_all(text.as_bytes()))
            .map_err(failed);
    }
    whole_file::replace(&target, text, |_| Ok(())).map_err(failed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_replaces_the_old_one_and_leaves_nothing_beside_it() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("page.html");
        let link = folder.path().join("link.html");
        std::os::unix::fs::symlink(&path, &link).expect("linked");
        for (place, text) in [(&path, "old"), (&path, "new"), (&link, "newest")] {
            write(place, text).expect("written");
            assert_eq!(fs::read_to_string(&path).expect("there"), text);
        }
        assert!(fs::symlink_metadata(&link).expect("there").is_symlink());
        assert_eq!(fs::read_dir(folder.path()).expect("read").count(), 2);
    }

    #[test]
    fn where_it_cannot_be_written_the_path_is_named_and_nothing_is_left() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("absent/page.html");
        let error = write(&path, "text").expect_err("no such folder");
        assert_eq!(error.exit_code(), ExitCode::Destination);
        assert!(error.to_string().contains("absent/page.html"), "{error}");
        let error = write(folder.path(), "text").expect_err("a folder");
        assert_eq!(error.exit_code(), ExitCode::Destination);
        assert_eq!(fs::read_dir(folder.path()).expect("read").count(), 0);
    }
}
