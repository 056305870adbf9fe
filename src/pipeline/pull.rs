//! The loop of a run: pulls what the plan says, commits every so often, and ends with one commit of
//! what was learned. Decides nothing about tasks; that is done.

use std::sync::Arc;
use std::time::Duration;

use tokio::task::JoinSet;
use tokio::time::Instant;

use super::commit::{Committer, Learned};
use super::desk::{Desk, Waiting, moment};
use super::find::Found;
use super::sink::{KeptPages, Pulled, TaskSink};
use super::stop::StopSwitch;
use super::summary::{FailedPull, Stop, Summary, chain};
use crate::allocator;
use crate::api::{ApiClient, ApiError, DetailError};
use crate::decode::TaskFacts;
use crate::discover::{Plan, PlannedTask, Seen};
use crate::event::Event;
use crate::exit_code::ExitCode;
use crate::lake::{FailedTask, Failure, LakeError, OpenTask, TaskState, day_of};
use crate::task::TaskId;

/// This many tasks failing one after the other, and none succeeding, ends the run: the API is down,
/// and asking for thousands more would take hours to find that out.
const FAILURES_IN_A_ROW: u32 = 20;

/// When commits are made.
#[derive(Clone, Copy, Debug)]
pub(super) struct CommitPace {
    /// After this many calls.
    pub(super) calls: u64,
    /// After so much memory of tasks, in bytes.
    pub(super) task_bytes: usize,
    /// After this long.
    pub(super) interval: Duration,
}

impl CommitPace {
    /// Whether so much waits that a commit is due however little time has passed.
    pub(super) fn is_much(&self, waiting: Waiting) -> bool {
        waiting.calls >= self.calls || waiting.task_bytes() >= self.task_bytes
    }
}

/// Pulls tasks and commits them.
pub(super) struct Puller {
    pub(super) api: ApiClient,
    pub(super) desk: Arc<Desk>,
    pub(super) committer: Committer,
    pub(super) pace: CommitPace,
    pub(super) concurrency: usize,
    pub(super) stop: StopSwitch,
}

struct Progress {
    learned: Learned,
    failures_in_a_row: u32,
    stop: Option<(Stop, ExitCode)>,
}

impl Puller {
    /// Does the plan. Everything that is complete is committed when this returns, also after an
    /// interrupt or when the API fails; only a failing destination is an error.
    pub(super) async fn pull(
        mut self,
        (plan, found): (Plan, &Found),
        summary: &mut Summary,
    ) -> Result<Committer, LakeError> {
        let mut progress = Progress {
            learned: Learned {
                open: plan.remembered().map(|task| task.as_open()).collect(),
                ..Learned::default()
            },
            failures_in_a_row: 0,
            stop: None,
        };
        let mut waiting = plan.into_pulls();
        self.desk.set_aside(waiting.bytes());
        allocator::give_back();
        let mut running = JoinSet::new();
        let mut next_commit = Instant::now() + self.pace.interval;
        let stopped = self.stop.token();
        let pages = Arc::new(KeptPages::default());
        loop {
            let stopping = progress.stop.is_some() || self.stop.is_stopped();
            while !stopping && running.len() < self.concurrency {
                let Some(task) = waiting.next() else { break };
                let sink = TaskSink::new(
                    Arc::clone(&self.desk),
                    task.task.id.clone(),
                    Arc::clone(&pages),
                );
                running.spawn(pull_one(self.api.clone(), sink, task));
            }
            tokio::select! {
                ended = running.join_next() => match ended {
                    None => break,
                    Some(Ok((task, result))) => self.ended(&task, result, (&mut progress, summary))?,
                    Some(Err(error)) => std::panic::resume_unwind(error.into_panic()),
                },
                () = tokio::time::sleep_until(next_commit) => {}
                () = stopped.cancelled(), if !stopping => {}
            }
            let waiting = self.desk.waiting();
            let (much, late) = (self.pace.is_much(waiting), Instant::now() >= next_commit);
            if much || (late && waiting.tasks > 0) {
                self.committer.commit_and_go_on(summary).await?;
            }
            if much || late {
                next_commit = Instant::now() + self.pace.interval;
            }
        }
        summary.tasks.not_pulled += waiting.len() as u64;
        let whole = progress.stop.is_none() && !self.stop.is_stopped();
        if whole {
            // Only a run that looked at all it had listed may say that it did.
            progress.learned.coverage = found.coverage.into_iter().collect();
            progress.learned.listed_until = found.listed_until;
        }
        if let Some(why) = self.stop.why() {
            summary.stopped = Some(why);
        } else if let Some((why, code)) = progress.stop {
            summary.stopped = Some(why);
            summary.stop_code = Some(code);
        }
        self.committer.commit(progress.learned, summary).await?;
        Ok(self.committer)
    }

    fn ended(
        &self,
        planned: &PlannedTask,
        result: Result<Pulled, DetailError>,
        (progress, summary): (&mut Progress, &mut Summary),
    ) -> Result<(), LakeError> {
        let task = &planned.task.id;
        match result {
            Ok(pulled) => {
                progress.failures_in_a_row = 0;
                match pulled {
                    Pulled::Accepted { calls, rejects } => {
                        summary.rejects += rejects;
                        let task = task.clone();
                        self.desk.events.emit(&Event::TaskAccepted { task, calls });
                    }
                    Pulled::Left(facts) => {
                        summary.tasks.left += 1;
                        let open = self.open_as_answered(planned, &facts);
                        let status = open.status.safe_word().to_owned();
                        self.desk.events.emit(&Event::TaskLeft {
                            task: task.clone(),
                            status,
                        });
                        progress.learned.open.push(open);
                    }
                    Pulled::Twice => {}
                }
            }
            Err(DetailError::Cancelled) => summary.tasks.not_pulled += 1,
            Err(DetailError::Destination { source, .. }) => {
                return Err(match source.downcast::<LakeError>() {
                    Ok(error) => *error,
                    Err(other) => LakeError::Sink(other),
                });
            }
            Err(DetailError::Account(error)) => {
                summary.tasks.not_pulled += 1;
                if !matches!(error, ApiError::Cancelled) && progress.stop.is_none() {
                    let code = error.exit_code();
                    progress.stop = Some((Stop::Api(chain(&error)), code));
                    self.api.stop_repeating();
                }
            }
            Err(error) => self.failed(planned, &error, (progress, summary)),
        }
        Ok(())
    }

    fn failed(
        &self,
        planned: &PlannedTask,
        error: &DetailError,
        (progress, summary): (&mut Progress, &mut Summary),
    ) {
        let task = planned.task.id.clone();
        let gone = matches!(error, DetailError::NotFound { .. });
        if gone && planned.task.seen == Seen::Remembered {
            let text = format!("task {task} is gone at the vendor and is not asked for again");
            self.desk.events.emit(&Event::Warning { text });
            progress.learned.forgotten.push(task);
            progress.failures_in_a_row = 0;
            return;
        }
        let rejected = matches!(error, DetailError::Rejected { .. });
        let reason = reason_of(error);
        if rejected {
            summary.rejects += 1;
            let event = Event::Rejected {
                task: task.clone(),
                reason: reason.clone(),
            };
            self.desk.events.emit(&event);
        }
        // An answer of the API itself, however bad, shows that it is there. A page of whatever stands in
        // between does not.
        let is_there = (rejected || gone) && error.is_answered();
        progress.failures_in_a_row = if is_there {
            0
        } else {
            progress.failures_in_a_row + 1
        };
        self.desk.events.emit(&Event::TaskFailed {
            task: task.clone(),
            reason: reason.clone(),
        });
        summary.tasks.failed += 1;
        summary.failures.push(FailedPull {
            task_id: task.clone(),
            reason: reason.clone(),
        });
        let attempts = match self.committer.lake.ledger().state(&task) {
            Some(TaskState::Failed(known)) => known.failure.as_ref().map_or(0, |f| f.attempts),
            _ => 0,
        };
        let last_run = self.committer.lake.store().run_id().clone();
        progress.learned.failed.push(FailedTask {
            task: planned.as_open(),
            failure: Failure {
                reason,
                attempts: attempts + 1,
                last_run,
            },
        });
        if progress.failures_in_a_row >= FAILURES_IN_A_ROW && progress.stop.is_none() {
            let why = format!(
                "{FAILURES_IN_A_ROW} tasks failed one after the other; the last one: {error}"
            );
            progress.stop = Some((Stop::Api(why), ExitCode::ApiUnavailable));
            self.api.stop_repeating();
        }
    }

    fn open_as_answered(&self, planned: &PlannedTask, facts: &TaskFacts) -> OpenTask {
        let mut open = planned.as_open();
        if let Some(status) = &facts.status {
            open.status = status.clone();
        }
        open.workflow = open.workflow.or_else(|| facts.workflow.clone());
        let start = facts.schedule_start_micros.and_then(moment);
        open.schedule_start = start.or(open.schedule_start);
        open.schedule_end = facts
            .schedule_end_micros
            .and_then(moment)
            .or(open.schedule_end);
        open.day = open
            .schedule_start
            .map(|start| day_of(self.committer.zone, start));
        open
    }
}

/// Why a task failed, without repeating which.
fn reason_of(error: &DetailError) -> String {
    match error {
        DetailError::Failed { failure, .. }
        | DetailError::NotFound { failure, .. }
        | DetailError::Rejected { failure, .. } => failure.to_string(),
        other => other.to_string(),
    }
}

async fn pull_one(
    api: ApiClient,
    mut sink: TaskSink,
    planned: PlannedTask,
) -> (PlannedTask, Result<Pulled, DetailError>) {
    let result = api.task_detail(&planned.task.id, &mut sink).await;
    (planned, result)
}

/// A task as an answer showed it, for one that was never planned.
pub(super) fn open_of_answer(id: TaskId, facts: &TaskFacts, zone: chrono_tz::Tz) -> OpenTask {
    let schedule_start = facts.schedule_start_micros.and_then(moment);
    OpenTask {
        id,
        workflow: facts.workflow.clone(),
        status: facts
            .status
            .clone()
            .unwrap_or_else(|| crate::task::TaskStatus::Unknown("unknown".to_owned())),
        schedule_start,
        schedule_end: facts.schedule_end_micros.and_then(moment),
        day: schedule_start.map(|start| day_of(zone, start)),
    }
}
