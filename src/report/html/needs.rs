//! What needs a person, most important first, each with the command that mends it.

use chrono::{DateTime, NaiveDate, TimeDelta, Utc};

use super::day::{Day, State};
use super::input::HtmlInput;
use super::masked::{name_of, text_of, word_of};
use crate::discover::is_before;
use crate::report::figures::{between, count, counted, duration, moment, printable};
use crate::report::run::outcome_phrase;
use crate::report::status::{Attention, LastRunLine, max_age};

/// The most ids listed for one need.
const MAX_ITEMS: usize = 10;
/// One thing that needs a person.
pub(super) struct Need {
    pub(super) title: String,
    pub(super) text: String,
    /// Ids and reasons.
    pub(super) items: Vec<String>,
    /// `… and 12 more`.
    pub(super) more: String,
    /// Empty if no command mends it.
    pub(super) command: String,
}

impl Need {
    fn new(title: String, text: &str, command: String) -> Self {
        Self {
            title,
            text: text.to_owned(),
            items: Vec::new(),
            more: String::new(),
            command,
        }
    }

    fn with(mut self, items: impl ExactSizeIterator<Item = String>) -> Self {
        let rest = items.len().saturating_sub(MAX_ITEMS) as u64;
        self.items = items.take(MAX_ITEMS).map(|item| text_of(&item)).collect();
        if rest > 0 {
            self.more = format!("and {} more: `status --format json` lists all", count(rest));
        }
        self
    }
}

/// What needs a person.
pub(super) fn needs(input: &HtmlInput<'_>, days: &[Day]) -> Vec<Need> {
    let attention = &input.status.attention;
    let flag = printable(input.flag);
    let command = |words: &str| format!("airudder-export {words} {flag}");
    let mut needs = Vec::new();
    needs.extend(
        attention
            .last_run
            .as_ref()
            .map(|run| last_run(run, &command)),
    );
    needs.extend(stale(input, &command));
    if attention.not_published.is_some() {
        needs.push(Need::new(
            "Commits are durable and not published".to_owned(),
            "Not all rows are in the tables' folders yet. The next run publishes them.",
            command("run"),
        ));
    }
    needs.extend(lost(attention, &command));
    needs.extend(incomplete(input, days, &command));
    tasks(attention, &command, &mut needs);
    needs.extend(rejects(attention, &command));
    listings(attention, &command, &mut needs);
    needs
}

type Words<'a> = &'a dyn Fn(&str) -> String;

fn last_run(run: &LastRunLine, command: Words<'_>) -> Need {
    let title = format!(
        "The last run ended with exit code {} ({})",
        run.exit_code,
        outcome_phrase(&word_of(&run.outcome))
    );
    let words = match run.exit_code {
        64 | 70 | 74 | 77 | 78 => "doctor",
        65 => "verify",
        _ => "run",
    };
    let text = match run.exit_code {
        65 => "Records were rejected, or the lake is not as its commit log says.",
        74 => "The destination could not be read or written. What was committed is safe.",
        77 => "The API refused key and secret.",
        64 | 78 => "The command line or a setting is wrong.",
        70 => "A bug in the program: report it. What was committed is safe.",
        _ => "What is missing is pulled by the next run.",
    };
    let need = Need::new(title, text, command(words));
    match &run.reason {
        Some(reason) => need.with(std::iter::once(reason.clone())),
        None => need,
    }
}

/// Whether it ended longer ago than `status --check` accepts of a run and of an incomplete day.
fn is_old(input: &HtmlInput<'_>, ended: DateTime<Utc>) -> bool {
    let limit = TimeDelta::from_std(max_age()).unwrap_or(TimeDelta::MAX);
    input.now.signed_duration_since(ended) > limit
}

fn stale(input: &HtmlInput<'_>, command: Words<'_>) -> Option<Need> {
    let ended = input.status.last_success?;
    if !is_old(input, ended) {
        return None;
    }
    let ago = duration(between(ended, input.now));
    let title = format!("The last complete run ended {ago} ago");
    let text = "A run exports what has come since.";
    Some(Need::new(title, text, command("run")))
}

fn lost(attention: &Attention, command: Words<'_>) -> Option<Need> {
    let lost = &attention.lost;
    if lost.is_empty() {
        return None;
    }
    let dates = lost.iter().filter_map(|line| line.date);
    let words = match dates.clone().min().zip(dates.max()) {
        Some((from, to)) => format!("backfill --replace --from {from} --to {to}"),
        None => "run".to_owned(),
    };
    let title = format!("Rows of {} are lost", counted(lost.len() as u64, "task"));
    let text = "They were in damaged files. They are back when the tasks are exported again.";
    let items = lost.iter().map(|line| match line.date {
        Some(date) => format!("{} of {date}", line.task_id),
        None => line.task_id.to_string(),
    });
    Some(Need::new(title, text, command(&words)).with(items))
}

/// Days that should be complete and are not: listed again, they become so.
fn incomplete(input: &HtmlInput<'_>, days: &[Day], command: Words<'_>) -> Option<Need> {
    let not_before = input.status.not_before;
    let mut late: Vec<&Day> = Vec::new();
    let mut eve_is_known = false;
    for day in days {
        let is_late = is_old(input, day.end);
        // The first day of a range waits for a day that was not asked for.
        let counts = day.state == State::Missing || (day.state == State::Partial && eve_is_known);
        if counts && is_late && !is_before(not_before, Some(day.date)) {
            late.push(day);
        }
        eve_is_known = day.summary.is_some();
    }
    let (first, last) = late.first().zip(late.last())?;
    let title = format!("{} not complete", counted(late.len() as u64, "day"));
    let items = spans(&late).into_iter();
    let text = "A backfill lists these days again and pulls what is missing. Days with tasks that \
                are not final become complete once the tasks end.";
    let words = format!("backfill --from {} --to {}", first.date, last.date);
    Some(Need::new(title, text, command(&words)).with(items))
}

/// Days in a row that wait for the same reason.
fn spans(days: &[&Day]) -> Vec<String> {
    let mut spans: Vec<(NaiveDate, NaiveDate, &str)> = Vec::new();
    for day in days {
        match spans.last_mut() {
            Some((_, last, why)) if last.succ_opt() == Some(day.date) && *why == day.why => {
                *last = day.date;
            }
            _ => spans.push((day.date, day.date, &day.why)),
        }
    }
    let text = |(first, last, why): &(NaiveDate, NaiveDate, &str)| {
        if first == last {
            format!("{first}: {why}")
        } else {
            format!("{first} to {last}: {why}")
        }
    };
    spans.iter().map(text).collect()
}

fn tasks(attention: &Attention, command: Words<'_>, needs: &mut Vec<Need>) {
    let failed = &attention.failed;
    if !failed.is_empty() {
        let title = format!("{} failed", counted(failed.len() as u64, "task"));
        let items = failed.iter().map(|line| {
            let runs = counted(line.attempts.into(), "run");
            format!("{} in {runs}: {}", line.task_id, line.reason)
        });
        let text = "The next run tries them again.";
        needs.push(Need::new(title, text, command("run")).with(items));
    }
    let overdue = &attention.overdue;
    if !overdue.is_empty() {
        let tasks = counted(overdue.len() as u64, "task");
        let title = format!("{tasks} not final two days after the scheduled end");
        let items = overdue.iter().map(|line| {
            let end = moment(line.schedule_end);
            format!(
                "{} ({}) was to end {end}",
                line.task_id,
                word_of(&line.status)
            )
        });
        let text = "Look at them in the vendor's console: forgotten tasks are to be ended there. \
                    Each run asks for them again; the plan shows its decisions.";
        needs.push(Need::new(title, text, command("plan run")).with(items));
    }
    let not_known = &attention.not_known;
    if !not_known.is_empty() {
        let tasks = counted(not_known.len() as u64, "task");
        let title = format!("{tasks} without a known status or day for three nights");
        let items = not_known
            .iter()
            .map(|line| format!("{}: {}", line.task_id, line.what));
        let text = "The API may have changed: `doctor` shows what it answers.";
        needs.push(Need::new(title, text, command("doctor")).with(items));
    }
}

fn rejects(attention: &Attention, command: Words<'_>) -> Option<Need> {
    let rejects = &attention.rejects;
    if rejects.is_empty() {
        return None;
    }
    let sum = rejects.iter().map(|line| line.rejects);
    let sum = counted(sum.fold(0, u64::saturating_add), "record");
    let title = format!("{sum} rejected by the last runs");
    let items = rejects
        .iter()
        .map(|line| format!("{}: {}", count(line.rejects), line.folder));
    let text = "They are kept whole, each with its reason. Tasks whose records the vendor has \
                corrected are exported again by a backfill that replaces them.";
    let words = "backfill --replace --from DAY --to DAY";
    Some(Need::new(title, text, command(words)).with(items))
}

fn listings(attention: &Attention, command: Words<'_>, needs: &mut Vec<Need>) {
    if let Some(until) = attention.listed_ahead {
        let title = format!("Days count as listed until {}", moment(until));
        let text = "That is still to come: the clock of a run was ahead.";
        needs.push(Need::new(title, text, command("verify --repair")));
    }
    let failed = &attention.failed_workflows;
    if !failed.is_empty() {
        let title = format!("{} not listed", counted(failed.len() as u64, "workflow"));
        let items = failed
            .iter()
            .map(|line| format!("{}: {}", line.workflow_id, line.reason));
        let text = "No later run has listed them. Their days stay incomplete until one does.";
        needs.push(Need::new(title, text, command("run")).with(items));
    }
    let odd = &attention.not_understood;
    if !odd.is_empty() {
        let title = "Values of the listings are not understood".to_owned();
        let items = odd.iter().map(|line| {
            let endpoint = name_of(&line.endpoint);
            format!("{} in {endpoint}, {} times", line.key, count(line.count))
        });
        let text = "The API may have changed: `doctor` shows what it answers.";
        needs.push(Need::new(title, text, command("doctor")).with(items));
    }
    let gone = &attention.gone_workflows;
    if !gone.is_empty() {
        let workflows = counted(gone.len() as u64, "workflow");
        let title = format!("{workflows} gone at the vendor");
        let items = gone.iter().map(|line| {
            let nights = counted(line.nights.into(), "night");
            format!(
                "{} for {nights}, last on {}",
                line.workflow_id, line.last_night
            )
        });
        let text = "If they were deleted on purpose, nothing is to be done.";
        needs.push(Need::new(title, text, String::new()).with(items));
    }
}
