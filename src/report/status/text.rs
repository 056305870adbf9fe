//! The text form of the status.

use std::io::{self, Write};

use super::{Attention, LastRunLine, LostLine, StatusReport};
use crate::lake::{DaySummary, FileCounts, TaskCounts, Unpublished};
use crate::report::figures::{between, bytes, count, counted, duration, moment, printable};
use crate::report::grid::Grid;
use crate::report::past::{PastNotUnderstood, PastWorkflow};
use crate::report::run::outcome_phrase;
use crate::schema::TableName;

/// Days shown unless all are requested.
const MAX_DAYS: usize = 31;
/// Maximum number of tasks listed per kind.
const MAX_TASKS: usize = 20;

pub(super) fn write(
    report: &StatusReport,
    every_day: bool,
    out: &mut impl Write,
) -> io::Result<()> {
    if report.sequence == 0 {
        let dest = &report.dest;
        writeln!(out, "{dest}: nothing was committed here yet")?;
        return runs(report, out);
    }
    let zone = report.partition_timezone.unwrap_or("UTC");
    writeln!(
        out,
        "{}: commit {}, days in {zone}",
        report.dest,
        count(report.sequence)
    )?;
    if let Some(lake) = &report.lake {
        writeln!(out, "{lake}")?;
    }
    if let Some(until) = report.listed_until {
        writeln!(out, "listed until {}", moment(until))?;
    }
    days(report, every_day, out)?;
    tables(report, out)?;
    runs(report, out)?;
    pins(report, out)?;
    attention(&report.attention, out)
}

fn days(report: &StatusReport, every_day: bool, out: &mut impl Write) -> io::Result<()> {
    let shown = if every_day {
        report.days.len()
    } else {
        MAX_DAYS
    };
    let hidden = report.days.len().saturating_sub(shown);
    let mut grid = Grid::new("LRRRRRRRL");
    grid.row([
        "day", "sealed", "open", "failed", "early", "files", "calls", "bytes", "state",
    ]);
    for day in &report.days[hidden..] {
        grid.row(day_cells(day));
    }
    if let Some(day) = &report.undated {
        grid.row(day_cells(day));
    }
    let total = total_of(report.tables.values());
    let calls = report.tables.get(&TableName::Calls);
    let calls = calls.map_or(0, |calls| calls.rows);
    grid.row(cells("total", &report.tasks, &total, calls, ""));
    writeln!(out, "\ndays")?;
    if hidden > 0 {
        let earlier = counted(hidden as u64, "earlier day");
        writeln!(out, "  {earlier}, shown with -v")?;
    }
    grid.write(out)
}

fn day_cells(day: &DaySummary) -> [String; 9] {
    let name = day
        .date
        .map_or_else(|| "no day".to_owned(), |date| date.to_string());
    let calls = day
        .tables
        .get(&TableName::Calls)
        .map_or(0, |calls| calls.rows);
    let state = match (day.date, day.complete) {
        (None, _) => "",
        (Some(_), true) => "complete",
        (Some(_), false) => "incomplete",
    };
    cells(
        &name,
        &day.tasks,
        &total_of(day.tables.values()),
        calls,
        state,
    )
}

fn cells(
    name: &str,
    tasks: &TaskCounts,
    total: &FileCounts,
    calls: u64,
    note: &str,
) -> [String; 9] {
    let TaskCounts {
        sealed,
        open,
        failed,
        early,
    } = *tasks;
    [
        name.to_owned(),
        count(sealed),
        count(open),
        count(failed),
        count(early),
        count(total.files),
        count(calls),
        bytes(total.bytes),
        note.to_owned(),
    ]
}

fn total_of<'a>(counts: impl Iterator<Item = &'a FileCounts>) -> FileCounts {
    counts.fold(FileCounts::default(), |sum, counts| FileCounts {
        files: sum.files + counts.files,
        rows: sum.rows + counts.rows,
        bytes: sum.bytes + counts.bytes,
    })
}

fn tables(report: &StatusReport, out: &mut impl Write) -> io::Result<()> {
    let mut grid = Grid::new("LRRR");
    grid.row(["table", "files", "rows", "bytes"]);
    for (table, counts) in &report.tables {
        let FileCounts {
            files,
            rows,
            bytes: size,
        } = *counts;
        grid.row([table.as_str(), &count(files), &count(rows), &bytes(size)]);
    }
    writeln!(out, "\ntables")?;
    grid.write(out)
}

fn pins(report: &StatusReport, out: &mut impl Write) -> io::Result<()> {
    if report.pins.is_empty() {
        return Ok(());
    }
    writeln!(out, "\npins of readers")?;
    let mut grid = Grid::new("LRLLRRL");
    grid.row(["pin", "commit", "", "until", "files", "bytes", "by"]);
    for pin in &report.pins {
        let number = |number: Option<u64>| number.map_or_else(String::new, count);
        grid.row([
            &pin.id.to_string(),
            &number(pin.sequence),
            &pin.state.replace('_', " "),
            &pin.expires_at.map_or_else(String::new, moment),
            &number(pin.files),
            &pin.bytes.map_or_else(String::new, bytes),
            pin.by.as_deref().unwrap_or(""),
        ]);
    }
    grid.write(out)
}

fn runs(report: &StatusReport, out: &mut impl Write) -> io::Result<()> {
    if report.runs.is_empty() {
        return Ok(());
    }
    let mut grid = Grid::new("LLLLRRR");
    grid.row([
        "run", "command", "outcome", "took", "sealed", "failed", "rejects",
    ]);
    for run in &report.runs {
        let took = (run.started_at.zip(run.ended_at))
            .map_or_else(String::new, |(from, to)| duration(between(from, to)));
        let code = run
            .exit_code
            .map_or_else(String::new, |code| format!(" ({code})"));
        grid.row([
            run.run_id.as_str(),
            &run.command,
            &format!("{}{code}", outcome_phrase(&run.outcome)),
            &took,
            &count(run.tasks("sealed")),
            &count(run.tasks("failed")),
            &count(run.rejects),
        ]);
    }
    writeln!(out, "\nlast runs")?;
    grid.write(out)
}

fn last_run_line(last_run: Option<&LastRunLine>, out: &mut impl Write) -> io::Result<()> {
    let Some(run) = last_run else { return Ok(()) };
    let how = outcome_phrase(&run.outcome);
    writeln!(
        out,
        "\nthe last run ended with exit code {} ({how})",
        run.exit_code
    )?;
    match &run.reason {
        Some(reason) => writeln!(out, "  {}", printable(reason)),
        None => Ok(()),
    }
}

fn not_published_line(commits: Option<Unpublished>, out: &mut impl Write) -> io::Result<()> {
    let Some(Unpublished { first, last }) = commits else {
        return Ok(());
    };
    let what = if first == last {
        format!("commit {first} is")
    } else {
        format!("commits {first} to {last} are")
    };
    writeln!(
        out,
        "\n{what} durable and not published: not all rows are in the tables' folders yet; unless a run \
         is at it just now, the next one publishes, or says what keeps it from that; `verify` shows what \
         is wrong"
    )
}

fn attention(attention: &Attention, out: &mut impl Write) -> io::Result<()> {
    let Attention {
        failed,
        lost,
        overdue,
        not_known,
        rejects,
        gone_workflows,
        failed_workflows,
        not_understood,
        not_published,
        last_run,
        listed_ahead,
    } = attention;
    if *attention == Attention::default() {
        return writeln!(out, "\nnothing needs attention");
    }
    last_run_line(last_run.as_ref(), out)?;
    not_published_line(*not_published, out)?;
    if let Some(until) = listed_ahead {
        writeln!(
            out,
            "\ndays count as listed until {}, which is still to come: the clock of a run was ahead; \
             `verify --repair` takes that back",
            moment(*until)
        )?;
    }
    listings(failed_workflows, not_understood, out)?;
    if !gone_workflows.is_empty() {
        let workflows = counted(gone_workflows.len() as u64, "workflow");
        writeln!(out, "\n{workflows} gone at the vendor")?;
        let mut grid = Grid::new("LL");
        for gone in gone_workflows.iter().take(MAX_TASKS) {
            let nights = counted(gone.nights.into(), "night");
            let how = format!("for {nights}, last on {}", gone.last_night);
            grid.row([gone.workflow_id.as_str(), &how]);
        }
        grid.write(out)?;
        more(gone_workflows.len(), out)?;
    }
    if !not_known.is_empty() {
        let tasks = counted(not_known.len() as u64, "task");
        writeln!(
            out,
            "\n{tasks} of which something is not known for three nights"
        )?;
        let mut grid = Grid::new("LL");
        for task in not_known.iter().take(MAX_TASKS) {
            grid.row([task.task_id.as_str(), task.what]);
        }
        grid.write(out)?;
        more(not_known.len(), out)?;
    }
    if !failed.is_empty() {
        let tasks = counted(failed.len() as u64, "task");
        writeln!(out, "\n{tasks} failed; the next run tries again")?;
        let mut grid = Grid::new("LLLL");
        for task in failed.iter().take(MAX_TASKS) {
            let day = task.date.map_or_else(String::new, |date| date.to_string());
            let runs = counted(task.attempts.into(), "run");
            let id = task.task_id.as_str();
            grid.row([id, &day, &format!("in {runs}"), &task.reason]);
        }
        grid.write(out)?;
        more(failed.len(), out)?;
    }
    lost_rows(lost, out)?;
    if !overdue.is_empty() {
        let tasks = counted(overdue.len() as u64, "task");
        writeln!(
            out,
            "\n{tasks} not exported as final two days after the scheduled end"
        )?;
        let mut grid = Grid::new("LLL");
        for task in overdue.iter().take(MAX_TASKS) {
            let ended = format!("was to end {}", moment(task.schedule_end));
            grid.row([task.task_id.as_str(), &task.status, &ended]);
        }
        grid.write(out)?;
        more(overdue.len(), out)?;
    }
    if !rejects.is_empty() {
        writeln!(out, "\nrejected records of the last runs")?;
        let mut grid = Grid::new("RL");
        for line in rejects {
            grid.row([&count(line.rejects), &line.folder]);
        }
        grid.write(out)?;
    }
    Ok(())
}

/// Rows lost with damaged files.
fn lost_rows(lost: &[LostLine], out: &mut impl Write) -> io::Result<()> {
    if lost.is_empty() {
        return Ok(());
    }
    let rows = counted(lost.len() as u64, "task");
    writeln!(
        out,
        "\nrows of {rows} were in damaged files and are lost until the task is exported again"
    )?;
    let mut grid = Grid::new("LLL");
    for line in lost.iter().take(MAX_TASKS) {
        let day = line.date.map_or_else(String::new, |date| date.to_string());
        grid.row([line.task_id.as_str(), &day, &line.file.to_string()]);
    }
    grid.write(out)?;
    more(lost.len(), out)
}

/// Listings that failed or were not understood.
fn listings(
    workflows: &[PastWorkflow],
    not_understood: &[PastNotUnderstood],
    out: &mut impl Write,
) -> io::Result<()> {
    if !workflows.is_empty() {
        let count = counted(workflows.len() as u64, "workflow");
        writeln!(out, "\n{count} not listed, nor by a later run")?;
        let mut grid = Grid::new("LL");
        for workflow in workflows.iter().take(MAX_TASKS) {
            grid.row([&workflow.workflow_id, &workflow.reason]);
        }
        grid.write(out)?;
        more(workflows.len(), out)?;
    }
    if !not_understood.is_empty() {
        writeln!(
            out,
            "\nnot understood in the listings, and not settled by a later run"
        )?;
        let mut grid = Grid::new("RLLL");
        for line in not_understood.iter().take(MAX_TASKS) {
            let times = count(line.count);
            grid.row([&times, &line.endpoint, &line.key, &line.shape]);
        }
        grid.write(out)?;
        more(not_understood.len(), out)?;
    }
    Ok(())
}

fn more(number: usize, out: &mut impl Write) -> io::Result<()> {
    let rest = number.saturating_sub(MAX_TASKS);
    if rest == 0 {
        return Ok(());
    }
    let rest = count(rest as u64);
    writeln!(out, "  … and {rest} more, all with --format json")
}
