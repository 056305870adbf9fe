//! The text form of a run's report: short, most important facts first.

use std::io::{self, Write};
use std::path::Path;

use super::{RunReport, outcome_phrase, outcome_word};
use crate::exit_code::ExitCode;
use crate::pipeline::{Stop, Summary, TaskTotals, Written};
use crate::report::figures::{bytes, count, counted, duration, pace, printable};
use crate::report::grid::Grid;
use crate::schema::TableName;

/// Maximum number of failed tasks listed.
const MAX_FAILURES: usize = 20;
/// Maximum number of lines on values that did not fit.
const MAX_MISFITS: usize = 10;

pub(super) fn write(report: &RunReport, out: &mut impl Write) -> io::Result<()> {
    headline(report, out)?;
    tasks(&report.summary, out)?;
    written(report, out)?;
    requests(report, out)?;
    misfits(report, out)?;
    failures(report, out)?;
    lost(report, out)?;
    superseded(report, out)?;
    next(report, out)
}

fn headline(report: &RunReport, out: &mut impl Write) -> io::Result<()> {
    let summary = &report.summary;
    let code = summary.exit_code();
    writeln!(
        out,
        "{} {}: {}; {}, exit code {}",
        report.command,
        summary.run_id,
        outcome_phrase(outcome_word(code)),
        duration(report.duration()),
        code.number()
    )?;
    if let Some(Stop::Api(why) | Stop::Destination(why)) = &summary.stopped {
        writeln!(out, "stopped: {}", printable(why))?;
    }
    let seen: u64 = summary.planned.iter().map(|(_, number)| number).sum();
    if seen == 0 {
        return Ok(());
    }
    writeln!(out, "{} seen", counted(seen, "task"))?;
    let mut grid = Grid::new("RL");
    for (reason, number) in &summary.planned {
        grid.row([&count(*number), reason.describe()]);
    }
    grid.write(out)
}

fn tasks(summary: &Summary, out: &mut impl Write) -> io::Result<()> {
    let TaskTotals {
        sealed,
        early,
        left,
        not_before,
        failed,
        taken,
        not_pulled,
        reopened,
        fewer,
        as_sealed,
        not_understood,
    } = summary.tasks;
    let mut grid = Grid::new("LR");
    for (what, number) in [
        ("exported", sealed),
        ("exported early, not final", early),
        ("not final, left", left),
        (
            "left, before `tasks.not_before` by their answer",
            not_before,
        ),
        ("failed", failed),
        ("exported by another run meanwhile", taken),
        ("planned, not pulled", not_pulled),
        ("sealed, and running again", reopened),
        ("left, with fewer calls than are sealed", fewer),
        (
            "left, with as many calls as are sealed and not as many as are listed",
            as_sealed,
        ),
        ("left, their status is not understood", not_understood),
    ] {
        if number > 0 {
            grid.row([what, &count(number)]);
        }
    }
    if grid.is_empty() {
        let none = match summary.stopped {
            Some(_) => "none was pulled",
            None => "none had to be pulled",
        };
        return writeln!(out, "\ntasks: {none}");
    }
    writeln!(out, "\ntasks")?;
    grid.write(out)
}

fn written(report: &RunReport, out: &mut impl Write) -> io::Result<()> {
    let mut grid = Grid::new("LRRR");
    grid.row(["table", "files", "rows", "bytes"]);
    let cells = |name: &str, written: &Written| {
        let Written {
            files,
            rows,
            bytes: size,
        } = *written;
        [name.to_owned(), count(files), count(rows), bytes(size)]
    };
    let mut total = Written::default();
    for (table, written) in &report.summary.written {
        grid.row(cells(table.as_str(), written));
        total.files += written.files;
        total.rows += written.rows;
        total.bytes += written.bytes;
    }
    if total.files == 0 {
        return Ok(());
    }
    grid.row(cells("total", &total));
    writeln!(out, "\nwritten")?;
    grid.write(out)
}

fn requests(report: &RunReport, out: &mut impl Write) -> io::Result<()> {
    let requests = &report.requests;
    if requests.total == 0 {
        return Ok(());
    }
    let (total, received) = (counted(requests.total, "request"), requests.bytes_received);
    writeln!(out, "\n{total}, {} received", bytes(received))?;
    let mut grid = Grid::new("LL");
    for (endpoint, asked) in &requests.by_endpoint {
        let mut outcomes: Vec<_> = asked.outcomes.iter().collect();
        // What went well first, then what happened most.
        outcomes.sort_by_key(|(word, n)| (*word != "ok", std::cmp::Reverse(**n)));
        let outcomes: Vec<_> = (outcomes.into_iter())
            .map(|(word, n)| format!("{word} {}", count(*n)))
            .collect();
        grid.row([endpoint.as_str(), &outcomes.join(", ")]);
    }
    grid.write(out)?;
    let mut notes = Vec::new();
    if requests.retries > 0 {
        notes.push(format!("{} repeated", count(requests.retries)));
    }
    if !requests.waited.is_zero() {
        let waited = duration(requests.waited);
        notes.push(format!(
            "{waited} of waiting for the pace, summed over all requests"
        ));
    }
    if requests.holds > 0 {
        let (times, held) = (counted(requests.holds, "time"), duration(requests.held));
        notes.push(format!("held {times}, {held} in all"));
    }
    if let Some(slowest) = requests.slowest_pace_per_second {
        notes.push(format!("slowed to {} at times", pace(slowest)));
    }
    if requests.relists > 0 {
        notes.push(format!(
            "{} taken again",
            counted(requests.relists, "listing")
        ));
    }
    if notes.is_empty() {
        return Ok(());
    }
    writeln!(out, "  {}", notes.join("; "))
}

fn misfits(report: &RunReport, out: &mut impl Write) -> io::Result<()> {
    let misfits = &report.summary.misfits;
    if misfits.is_empty() {
        return Ok(());
    }
    writeln!(out, "\ndid not fit; kept in extra_fields")?;
    let mut grid = Grid::new("LLLR");
    for misfit in misfits.iter().take(MAX_MISFITS) {
        let (table, times) = (misfit.table.as_str(), count(misfit.count));
        grid.row([
            table,
            misfit.key.as_str(),
            misfit.kind.as_str(),
            times.as_str(),
        ]);
    }
    grid.write(out)?;
    more(report, misfits.len().saturating_sub(MAX_MISFITS), out)
}

fn failures(report: &RunReport, out: &mut impl Write) -> io::Result<()> {
    let failures = &report.summary.failures;
    if failures.is_empty() {
        return Ok(());
    }
    writeln!(out, "\nfailed")?;
    let mut grid = Grid::new("LL");
    for failure in failures.iter().take(MAX_FAILURES) {
        grid.row([failure.task_id.as_str(), &failure.reason]);
    }
    grid.write(out)?;
    more(report, failures.len().saturating_sub(MAX_FAILURES), out)
}

fn lost(report: &RunReport, out: &mut impl Write) -> io::Result<()> {
    let lost = &report.summary.lost;
    if lost.is_empty() {
        return Ok(());
    }
    writeln!(out, "\nlost with damaged files, and not exported again")?;
    let mut grid = Grid::new("LLL");
    for rows in lost.iter().take(MAX_FAILURES) {
        let file = rows.file.to_string();
        grid.row([rows.task_id.as_str(), &file, &rows.reason]);
    }
    grid.write(out)?;
    more(report, lost.len().saturating_sub(MAX_FAILURES), out)
}

fn superseded(report: &RunReport, out: &mut impl Write) -> io::Result<()> {
    let superseded = &report.summary.superseded;
    if superseded.is_empty() {
        return Ok(());
    }
    writeln!(out, "\nleft for another answer of the same task")?;
    let mut grid = Grid::new("LLL");
    for answer in superseded.iter().take(MAX_FAILURES) {
        let name = |path: &Path| path.display().to_string();
        let taken = format!("for {}", name(answer.taken));
        grid.row([name(answer.file).as_str(), &taken, answer.reason]);
    }
    grid.write(out)?;
    more(report, superseded.len().saturating_sub(MAX_FAILURES), out)
}

fn more(report: &RunReport, number: usize, out: &mut impl Write) -> io::Result<()> {
    if number == 0 {
        return Ok(());
    }
    let place = report.locate(report.path().as_str());
    writeln!(out, "  … and {} more, see {place}", count(number as u64))
}

/// Suggested next steps, most urgent first.
fn next(report: &RunReport, out: &mut impl Write) -> io::Result<()> {
    let summary = &report.summary;
    let tasks = &summary.tasks;
    let mut steps = Vec::new();
    if summary.rejects > 0 {
        let place = report.locate(&format!("_export/rejects/{}/", summary.run_id));
        steps.push(format!(
            "look at {}, kept with the reason in {place}",
            counted(summary.rejects, "rejected record")
        ));
    }
    if tasks.failed > 0 {
        let failed = counted(tasks.failed, "failed task");
        steps.push(format!("run again: {failed} will be tried again"));
    }
    if tasks.not_pulled > 0 {
        let rest = counted(tasks.not_pulled, "task");
        steps.push(format!("run again: {rest} were planned and not pulled"));
    }
    steps.extend(after_stop(summary).map(str::to_owned));
    let redials = summary.written.get(&TableName::Redials);
    if redials.is_some_and(|redials| redials.rows > 0) && !report.settings.has_source_timezone() {
        steps.push(
            "set --source-timezone: redials came without a zone and have no call_start_time; \
             `doctor` suggests one"
                .to_owned(),
        );
    }
    if steps.is_empty() {
        return Ok(());
    }
    writeln!(out, "\nnext")?;
    steps.iter().try_for_each(|step| writeln!(out, "  {step}"))
}

/// The next step for a run that stopped, or whose listings were incomplete.
fn after_stop(summary: &Summary) -> Option<&'static str> {
    match &summary.stopped {
        None => (!summary.listing_complete).then_some("run again: the listings were not complete"),
        Some(Stop::Api(_)) if summary.exit_code() == ExitCode::SignIn => {
            Some("correct the account's key and secret, then run again")
        }
        Some(Stop::Api(_)) => Some("run again later; `doctor` says whether the API profile fits"),
        Some(Stop::Destination(_)) => Some("put the destination right, then run again"),
        Some(Stop::Interrupted | Stop::Terminated) => {
            (summary.tasks.not_pulled == 0).then_some("run again: the run was stopped early")
        }
    }
}
