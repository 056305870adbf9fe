//! Result of a run, as data: the basis of its report and its exit code.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use serde::Serialize;

use super::stop::Stop;
use super::superseded::Superseded;
use crate::api::{ApiError, NotUnderstood};
use crate::decode::{Misfit, ZoneVerdict};
use crate::discover::Reason;
use crate::event::{Event, Events};
use crate::exit_code::ExitCode;
use crate::lake::LakeError;
use crate::schema::TableName;
use crate::store::FilePath;
use crate::task::{RunId, TaskId, WorkflowId};

/// Data written to one table.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Written {
    pub files: u64,
    pub rows: u64,
    pub bytes: u64,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct TaskTotals {
    /// Exported with a final status, and sealed.
    pub sealed: u64,
    /// Exported while they were still running.
    pub early: u64,
    /// Pulled, found not final, and left.
    pub left: u64,
    /// Pulled, found to have a day before `tasks.not_before`, and left.
    pub not_before: u64,
    /// Failed after all attempts.
    pub failed: u64,
    /// Exported by another run meanwhile.
    pub taken: u64,
    /// Planned, but not pulled because the run stopped.
    pub not_pulled: u64,
    /// Sealed before, and listed as running again.
    pub reopened: u64,
    /// Left because their responses have fewer calls than are sealed.
    pub fewer: u64,
    /// Pulled because their listing counts a different number of calls than are sealed, and left
    /// because their responses do not.
    pub as_sealed: u64,
    /// Pulled and left, because neither listing nor response has a status that is understood.
    pub not_understood: u64,
}

/// A task that failed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct FailedPull {
    pub task_id: TaskId,
    /// Why, safe to print.
    pub reason: String,
}

/// Rows of a task that were in a damaged file and that no response has restored.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct LostRows {
    pub task_id: TaskId,
    /// The file that held them.
    pub file: FilePath,
    /// Why the task was not exported again, safe to print.
    pub reason: String,
}

/// A workflow whose tasks are not all known.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct FailedWorkflow {
    pub workflow_id: WorkflowId,
    /// Why, safe to print.
    pub reason: String,
}

/// Result of a run.
#[derive(Clone, Debug, Serialize)]
pub struct Summary {
    pub run_id: RunId,
    pub started_at: DateTime<Utc>,
    pub ended_at: DateTime<Utc>,
    pub planned: Vec<(Reason, u64)>,
    pub tasks: TaskTotals,
    /// What was committed, by table.
    pub written: BTreeMap<TableName, Written>,
    pub commits: Vec<u64>,
    /// Records and responses that were rejected.
    pub rejects: u64,
    /// Values that did not fit, by table, key and kind.
    pub misfits: Vec<Misfit>,
    pub failures: Vec<FailedPull>,
    /// Rows of damaged files that no response has restored.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub lost: Vec<LostRows>,
    /// Workflows whose tasks could not be listed, or only in part.
    pub failed_workflows: Vec<FailedWorkflow>,
    /// Values in the listings that were not understood.
    pub not_understood: Vec<NotUnderstood>,
    /// Number of calls whose redials fit `source_timezone`, and of calls whose redials contradict
    /// it.
    pub source_timezone: ZoneVerdict,
    /// Saved responses superseded by another one of the same task.
    #[serde(skip_serializing_if = "Superseded::is_empty")]
    pub superseded: Superseded,
    /// Whether the account was listed. False if tasks or workflows were named, or saved responses
    /// read.
    pub listed: bool,
    /// Whether the listings were complete, so that the next run can continue from here.
    pub listing_complete: bool,
    /// Why it stopped early, if it did.
    pub stopped: Option<Stop>,
    /// The exit code of what stopped it.
    #[serde(skip)]
    pub stop_code: Option<ExitCode>,
}

impl Summary {
    /// A run that has not done anything yet.
    #[must_use]
    pub fn new(run_id: RunId, now: DateTime<Utc>) -> Self {
        Self {
            run_id,
            started_at: now,
            ended_at: now,
            planned: Vec::new(),
            tasks: TaskTotals::default(),
            written: BTreeMap::new(),
            commits: Vec::new(),
            rejects: 0,
            misfits: Vec::new(),
            failures: Vec::new(),
            lost: Vec::new(),
            failed_workflows: Vec::new(),
            not_understood: Vec::new(),
            source_timezone: ZoneVerdict::default(),
            superseded: Superseded::default(),
            listed: false,
            listing_complete: true,
            stopped: None,
            stop_code: None,
        }
    }

    /// Stops the run because of an error of the API, unless it was told to stop before.
    pub(super) fn stop(&mut self, told: Option<Stop>, error: &ApiError) {
        self.listing_complete = false;
        self.stopped = Some(told.unwrap_or_else(|| Stop::Api(chain(error))));
        self.stop_code = Some(error.exit_code());
    }

    /// Ends the run because of an error of the lake, and records it for the report.
    pub fn fail(&mut self, error: &LakeError, now: DateTime<Utc>) {
        self.listing_complete = false;
        self.stopped = Some(Stop::Destination(chain(error)));
        self.stop_code = Some(error.exit_code());
        self.ended_at = now;
    }

    /// The exit code of the run: what stopped it first, then what was lost, then what remains to be
    /// done.
    #[must_use]
    pub fn exit_code(&self) -> ExitCode {
        let TaskTotals {
            sealed,
            early,
            left,
            not_before,
            as_sealed,
            ..
        } = self.tasks;
        let nothing_done = sealed + early + left + not_before + as_sealed == 0;
        match (&self.stopped, self.stop_code) {
            (Some(Stop::Interrupted), _) => ExitCode::Interrupted,
            (Some(Stop::Terminated), _) => ExitCode::Terminated,
            (Some(Stop::Api(_)), code) => code.unwrap_or(ExitCode::ApiUnavailable),
            (Some(Stop::Destination(_)), code) => code.unwrap_or(ExitCode::Destination),
            (None, _) if self.rejects > 0 => ExitCode::Data,
            (None, _) if !self.lost.is_empty() => ExitCode::Partial,
            (None, _) if self.tasks.failed > 0 && nothing_done => ExitCode::ApiUnavailable,
            (None, _) if self.is_partial() => ExitCode::Partial,
            (None, _) => ExitCode::Done,
        }
    }
}

impl Summary {
    /// Records a response that was left because it has fewer calls than are sealed.
    pub(super) fn fewer(&mut self, task_id: TaskId, reason: String) {
        self.tasks.fewer += 1;
        self.failures.push(FailedPull { task_id, reason });
    }

    /// Records the evidence on the source time zone, and emits an event if it contradicts the
    /// setting.
    pub(super) fn note_zone(&mut self, verdict: ZoneVerdict, events: &Events) {
        self.source_timezone = verdict;
        if self.contradicts_zone() {
            let ZoneVerdict { fit, contradict } = verdict;
            let text = format!(
                "`source_timezone` does not fit the data: redials must lie between their task's \
                 scheduled start and their call's start; those of {contradict} calls do not, those \
                 of {fit} do. Find the right zone with `doctor`, set `source_timezone`, and replace \
                 the days that were exported with `backfill --replace`"
            );
            events.emit(&Event::Warning { text });
        }
    }

    /// Whether more of the data contradicts the source time zone than fits it.
    fn contradicts_zone(&self) -> bool {
        self.source_timezone.contradict > self.source_timezone.fit
    }

    /// Whether work remains, or something was not understood.
    fn is_partial(&self) -> bool {
        self.tasks.failed > 0
            || self.tasks.fewer > 0
            || self.tasks.not_understood > 0
            || !self.listing_complete
            || self.contradicts_zone()
    }
}

/// An error and its sources, as one line.
pub(super) fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        text.push_str(": ");
        text.push_str(&cause.to_string());
        source = cause.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn summary(change: impl FnOnce(&mut Summary)) -> ExitCode {
        let mut summary = Summary::new(RunId::new("r").unwrap(), DateTime::UNIX_EPOCH);
        change(&mut summary);
        summary.exit_code()
    }

    #[test]
    fn the_exit_code_says_the_worst() {
        assert_eq!(summary(|_| ()), ExitCode::Done);
        assert_eq!(summary(|s| s.listing_complete = false), ExitCode::Partial);
        assert_eq!(summary(|s| s.tasks.failed = 1), ExitCode::ApiUnavailable);
        let partial = |s: &mut Summary| (s.tasks.failed, s.tasks.sealed) = (1, 1);
        assert_eq!(summary(partial), ExitCode::Partial);
        assert_eq!(
            summary(|s| (s.tasks.failed, s.rejects) = (1, 1)),
            ExitCode::Data
        );
        let interrupted = |s: &mut Summary| (s.stopped, s.rejects) = (Some(Stop::Interrupted), 1);
        assert_eq!(summary(interrupted), ExitCode::Interrupted);
    }
}
