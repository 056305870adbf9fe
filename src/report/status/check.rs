//! `status --check`: one line and an exit code, for monitors.

use std::collections::BTreeSet;
use std::time::Duration;

use chrono::{DateTime, NaiveDate, TimeDelta, Utc};
use chrono_tz::Tz;
use serde::Serialize;

use super::{Attention, StatusReport};
use crate::calendar::day_end;
use crate::discover::is_before;
use crate::job::quantity;
use crate::report::figures::{between, counted, duration};
use crate::report::past::PastRun;
use crate::report::run::outcome_phrase;

/// How long ago the last complete run, and the end of a day that is not complete, may be: a day and
/// two hours for the run itself. The default of `status --check --max-age`.
pub const MAX_AGE: &str = "26h";

/// [`MAX_AGE`] as a time.
pub(crate) fn max_age() -> Duration {
    quantity::duration(MAX_AGE).expect("the constant is a duration")
}

/// Whether the export is as it should be.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct StatusCheck {
    /// Whether there is no problem.
    ok: bool,
    /// When the last run ended that listed the account and exited with 0.
    last_success: Option<DateTime<Utc>>,
    /// The newest day that is complete.
    complete_until: Option<NaiveDate>,
    /// What is wrong, most important first.
    problems: Vec<Problem>,
}

/// One thing that is wrong.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
struct Problem {
    kind: ProblemKind,
    /// How many runs, days, tasks or records; 1 where there is nothing to count.
    count: u64,
    text: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
enum ProblemKind {
    /// The last success is too long ago, or there is none.
    Stale,
    /// The last run did not complete its work.
    LastRun,
    /// Commits are not published.
    NotPublished,
    /// Rows were lost with damaged files.
    Lost,
    /// Days that ended long enough ago are not complete.
    IncompleteDays,
    /// Tasks failed, or are not final long after their end.
    StuckTasks,
    /// The newest run rejected records.
    Rejects,
    /// A listing could not be read or understood, a workflow is gone, or a clock was ahead.
    Listings,
}

impl StatusReport {
    /// Judges the lake at a moment. Nothing that happened within `max_age` is a problem for being
    /// unfinished: the last success may be as old, and a day may have ended as long ago.
    #[must_use]
    pub fn check(&self, now: DateTime<Utc>, max_age: Duration) -> StatusCheck {
        let last_success = self.last_success;
        let mut problems: Vec<Problem> = Vec::new();
        let limit = TimeDelta::from_std(max_age).unwrap_or(TimeDelta::MAX);
        let is_old = |moment: DateTime<Utc>| now.signed_duration_since(moment) > limit;
        let mut found = |kind, count, text: String| {
            if count > 0 {
                problems.push(Problem { kind, count, text });
            }
        };
        match last_success {
            None => found(ProblemKind::Stale, 1, "no run has completed yet".to_owned()),
            Some(ended) if is_old(ended) => {
                let text = format!(
                    "the last complete run ended {} ago, over the limit of {}",
                    duration(between(ended, now)),
                    duration(max_age)
                );
                found(ProblemKind::Stale, 1, text);
            }
            Some(_) => {}
        }
        let attention = &self.attention;
        if let Some(run) = &attention.last_run {
            let text = format!(
                "the last run ended with exit code {} ({})",
                run.exit_code,
                outcome_phrase(&run.outcome)
            );
            found(ProblemKind::LastRun, 1, text);
        }
        if attention.not_published.is_some() {
            let text = "commits are durable and not published".to_owned();
            found(ProblemKind::NotPublished, 1, text);
        }
        let lost = attention.lost.len() as u64;
        let text = format!("rows of {} are lost", counted(lost, "task"));
        found(ProblemKind::Lost, lost, text);
        let late = self.late_days(is_old);
        if let Some(first) = late.first() {
            let days = counted(late.len() as u64, "day");
            let text = format!("{days} not complete, the first is {first}");
            found(ProblemKind::IncompleteDays, late.len() as u64, text);
        }
        let stuck = stuck(attention);
        let text = format!("{} failed or overdue", counted(stuck, "task"));
        found(ProblemKind::StuckTasks, stuck, text);
        let rejects = self.runs.first().map_or(0, |run| run.rejects);
        let text = format!("{} rejected by the last run", counted(rejects, "record"));
        found(ProblemKind::Rejects, rejects, text);
        let listings = listings(attention);
        let text = format!("{} of the listings", counted(listings, "problem"));
        found(ProblemKind::Listings, listings, text);
        StatusCheck {
            ok: problems.is_empty(),
            last_success,
            complete_until: self.complete_until(),
            problems,
        }
    }

    /// Days that are not complete and ended long enough ago. A day after one that was never listed
    /// stays incomplete for as long as that is so, because calls of its eve may continue after
    /// midnight: the start of a backfill is not a problem.
    fn late_days(&self, is_old: impl Fn(DateTime<Utc>) -> bool) -> Vec<NaiveDate> {
        let zone: Tz = self
            .partition_timezone
            .and_then(|name| name.parse().ok())
            .unwrap_or(Tz::UTC);
        let known: BTreeSet<NaiveDate> = self.days.iter().filter_map(|day| day.date).collect();
        let days = self.days.iter().filter(|day| !day.complete);
        let dates = days.filter_map(|day| day.date);
        let dates = dates.filter(|date| date.pred_opt().is_some_and(|eve| known.contains(&eve)));
        let dates = dates.filter(|date| !is_before(self.not_before, Some(*date)));
        dates.filter(|date| is_old(day_end(zone, *date))).collect()
    }

    fn complete_until(&self) -> Option<NaiveDate> {
        let days = self.days.iter().filter(|day| day.complete);
        days.filter_map(|day| day.date).max()
    }
}

impl StatusCheck {
    /// Whether there is no problem.
    #[must_use]
    pub fn is_ok(&self) -> bool {
        self.ok
    }

    /// One line of text, without a line break.
    #[must_use]
    pub fn line(&self, now: DateTime<Utc>) -> String {
        if self.problems.is_empty() {
            let ended = self.last_success.map_or_else(String::new, |ended| {
                format!(
                    "the last complete run ended {} ago",
                    duration(between(ended, now))
                )
            });
            let until = self.complete_until.map_or_else(String::new, |day| {
                format!(", days are complete until {day}")
            });
            return format!("ok: {ended}{until}");
        }
        let problems: Vec<&str> = self.problems.iter().map(|problem| &*problem.text).collect();
        let number = counted(problems.len() as u64, "problem");
        format!("{number}: {}", problems.join("; "))
    }

    /// The same as JSON, on one line.
    #[must_use]
    pub fn to_json(&self) -> Vec<u8> {
        let mut json = serde_json::to_vec(self).expect("counts and texts are JSON");
        json.push(b'\n');
        json
    }
}

/// The newest run that listed the account and completed its work.
pub(super) fn last_success(runs: &[PastRun]) -> Option<DateTime<Utc>> {
    let complete = runs
        .iter()
        .filter(|run| run.listed && run.exit_code == Some(0));
    complete.filter_map(|run| run.ended_at).max()
}

fn stuck(attention: &Attention) -> u64 {
    (attention.failed.len() + attention.overdue.len() + attention.not_known.len()) as u64
}

fn listings(attention: &Attention) -> u64 {
    let kinds = [
        attention.failed_workflows.len(),
        attention.not_understood.len(),
        attention.gone_workflows.len(),
        usize::from(attention.listed_ahead.is_some()),
    ];
    kinds.iter().sum::<usize>() as u64
}
