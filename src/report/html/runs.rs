//! The history of runs.

use super::masked::{text_of, word_of};
use super::past::ReportedRun;
use crate::report::figures::{between, count, duration, moment};
use crate::report::run::outcome_phrase;

/// How a run ended, in three degrees.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Degree {
    /// All work is done.
    Done,
    /// Something was committed, something is left.
    Part,
    /// It failed or was stopped.
    Failed,
}

impl Degree {
    pub(super) const ALL: [Self; 3] = [Self::Done, Self::Part, Self::Failed];

    pub(super) fn of(run: &ReportedRun) -> Self {
        match run.past.exit_code {
            Some(0) => Self::Done,
            Some(65 | 75 | 130 | 143) => Self::Part,
            _ => Self::Failed,
        }
    }

    pub(super) fn word(self) -> &'static str {
        match self {
            Self::Done => "done",
            Self::Part => "in part, stopped or with rejects",
            Self::Failed => "failed",
        }
    }

    pub(super) fn class(self) -> &'static str {
        match self {
            Self::Done => "good",
            Self::Part => "part",
            Self::Failed => "gone",
        }
    }
}

/// One run, ready to be shown.
pub(super) struct RunLine {
    pub(super) id: String,
    pub(super) command: String,
    pub(super) started: String,
    pub(super) took: String,
    pub(super) class: &'static str,
    pub(super) outcome: String,
    pub(super) code: String,
    /// Tasks sealed and failed, rows, rejects, misfits.
    pub(super) counts: [String; 5],
}

impl RunLine {
    pub(super) fn new(run: &ReportedRun) -> Self {
        let past = &run.past;
        let took = past.started_at.zip(past.ended_at);
        let rows = run.written.values().map(|table| table.rows);
        Self {
            id: text_of(past.run_id.as_str()),
            command: word_of(&past.command).into_owned(),
            started: past.started_at.map_or_else(String::new, moment),
            took: took.map_or_else(String::new, |(from, to)| duration(between(from, to))),
            class: Degree::of(run).class(),
            outcome: outcome_phrase(&word_of(&past.outcome)).to_owned(),
            code: past
                .exit_code
                .map_or_else(String::new, |code| code.to_string()),
            counts: [
                past.tasks("sealed"),
                past.tasks("failed"),
                rows.fold(0, u64::saturating_add),
                past.rejects,
                run.misfit_count(),
            ]
            .map(count),
        }
    }
}

/// How long a run took, in seconds.
pub(super) fn seconds(run: &ReportedRun) -> Option<f64> {
    let (from, to) = run.past.started_at.zip(run.past.ended_at)?;
    Some(crate::report::figures::seconds(between(from, to)))
}
