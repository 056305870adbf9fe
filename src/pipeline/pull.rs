//! The main loop of a run: pulls the planned tasks, commits periodically, and ends with one commit
//! of the observations metadata. It makes no decisions about tasks; the plan has made them.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use chrono::TimeDelta;
use tokio::task::JoinSet;
use tokio::time::Instant;

use super::accept::{AnswerDisposition, KnownTask};
use super::commit::{Committer, GiveUp, Observations};
use super::find::ListingCoverage;
use super::pending::{PendingCommit, Waiting};
use super::sink::{KeptPages, TaskSink};
use super::stop::{Stop, StopSwitch};
use super::summary::{FailedPull, Summary, chain};
use crate::allocator;
use crate::api::{ApiClient, ApiError, DetailError};
use crate::calendar::day_of;
use crate::discover::{Plan, PlannedTask, Reason, Rules, Seen};
use crate::event::Event;
use crate::exit_code::ExitCode;
use crate::lake::{FailedTask, Failure, LakeError, OpenTask};
use crate::task::{TaskId, TaskInfo, TaskStatus};

/// This many consecutive failed tasks end the run: the API is down, and requesting thousands more
/// would take hours.
const FAILURES_IN_A_ROW: u32 = 20;

/// When commits are due.
#[derive(Clone, Copy, Debug)]
pub(super) struct CommitPace {
    /// After this many calls.
    pub(super) calls: u64,
    /// After this much memory of tasks, in bytes.
    pub(super) task_bytes: usize,
    /// After this time.
    pub(super) interval: Duration,
}

impl CommitPace {
    /// Whether enough is waiting that a commit is due regardless of the time passed.
    pub(super) fn is_much(&self, waiting: Waiting) -> bool {
        waiting.calls >= self.calls || waiting.task_bytes() >= self.task_bytes
    }
}

/// Pulls tasks and commits them.
pub(super) struct Puller {
    pub(super) api: ApiClient,
    pub(super) pending: Arc<PendingCommit>,
    pub(super) committer: Committer,
    pub(super) pace: CommitPace,
    /// Tasks with rows in damaged files. They come first, and no commit is made before the last of
    /// them is done, unless memory runs out.
    pub(super) mending: HashSet<TaskId>,
    pub(super) concurrency: usize,
    pub(super) stop: StopSwitch,
}

struct PullProgress {
    observations: Observations,
    failures_in_a_row: u32,
    /// A task of a damaged file failed because the API did not respond.
    unanswered: bool,
    stop: Option<(Stop, ExitCode)>,
}

/// Why a task was not exported.
struct FailedAttempt {
    reason: String,
    /// Answers that were kept as rejects.
    rejects: u64,
}

impl Puller {
    /// Executes the plan. Every complete task is committed when this returns, also after an
    /// interrupt or when the API fails; only a failing destination is an error.
    pub(super) async fn pull(
        mut self,
        plan: Plan,
        found: &ListingCoverage,
        summary: &mut Summary,
    ) -> Result<Committer, LakeError> {
        let mut progress = PullProgress {
            observations: self.observations(&plan, found),
            failures_in_a_row: 0,
            unanswered: false,
            stop: None,
        };
        let mut waiting = plan.into_pulls();
        self.pending.reserve(waiting.bytes());
        allocator::trim();
        let mut running = JoinSet::new();
        let mut next_commit = Instant::now() + self.pace.interval;
        let stopped = self.stop.token();
        let pages = Arc::new(KeptPages::default());
        let mut mended = false;
        loop {
            let stopping = progress.stop.is_some() || self.stop.is_stopped();
            while !stopping && running.len() < self.concurrency {
                let Some(task) = waiting.next() else { break };
                let sink = TaskSink::new(
                    Arc::clone(&self.pending),
                    task.task.id.clone(),
                    self.known(&task),
                    Arc::clone(&pages),
                );
                running.spawn(pull_one(self.api.clone(), sink, task));
            }
            tokio::select! {
                ended = running.join_next() => match ended {
                    None => break,
                    Some(Ok((task, result))) => {
                        self.ended(&task, result, &mut progress, summary)?;
                        mended |= self.mending.remove(&task.task.id) && self.mending.is_empty();
                    }
                    Some(Err(error)) => std::panic::resume_unwind(error.into_panic()),
                },
                () = tokio::time::sleep_until(next_commit) => {}
                () = stopped.cancelled(), if !stopping => {}
            }
            let rest = waiting.len();
            let waiting = self.pending.waiting();
            let (much, late) = (self.pace.is_much(waiting), Instant::now() >= next_commit);
            let due = if self.mending.is_empty() {
                much || ((late || (std::mem::take(&mut mended) && rest > 0)) && waiting.tasks > 0)
            } else {
                waiting.task_bytes() >= self.pace.task_bytes
            };
            if due {
                self.committer.commit_and_go_on(summary).await?;
            }
            if much || late {
                next_commit = Instant::now() + self.pace.interval;
            }
        }
        summary.tasks.not_pulled += waiting.len() as u64;
        let whole = progress.stop.is_none() && !self.stop.is_stopped();
        if whole {
            // Only a run that processed everything it listed may record coverage.
            progress.observations.coverage = found.coverage.into_iter().collect();
            progress.observations.listed_until = found.listed_until;
            progress.observations.first_day = found.first_day;
            progress.observations.give_up = if progress.unanswered {
                GiveUp::Missing
            } else {
                GiveUp::All
            };
        }
        if let Some(why) = self.stop.why() {
            summary.stopped = Some(why);
        } else if let Some((why, code)) = progress.stop {
            summary.stopped = Some(why);
            summary.stop_code = Some(code);
        }
        self.committer
            .commit(progress.observations, summary)
            .await?;
        Ok(self.committer)
    }

    /// Metadata observations without requesting a response.
    fn observations(&self, plan: &Plan, found: &ListingCoverage) -> Observations {
        let observed = |task: PlannedTask| self.observed(task.as_open());
        // A task excluded by `tasks.not_before` is recorded, so that it is not requested again and
        // does not hold back its day; this includes tasks recorded before the setting existed.
        let rules = &self.pending.accept.rules;
        let unsealed = self.committer.lake.ledger().unsealed();
        let left_out = unsealed.filter(|known| {
            rules.is_before_first(known.task.day)
                && (!known.task.overdue || known.failure.is_some())
                && rules.shard.is_none_or(|shard| shard.holds(&known.task.id))
        });
        let left_out = left_out.map(|known| OpenTask {
            overdue: true,
            ..known.task.clone()
        });
        Observations {
            open: plan.remembered().map(observed).chain(left_out).collect(),
            reopened: if self.pending.accept.rules.repull_reopened {
                plan.reopened().map(observed).collect()
            } else {
                Vec::new()
            },
            workflows: found.workflow_notes.clone(),
            ..Observations::default()
        }
    }

    /// What the listing and the ledger know of a pulled task.
    fn known(&self, planned: &PlannedTask) -> KnownTask {
        let ledger = self.committer.lake.ledger();
        let id = &planned.task.id;
        let is_listed = planned.seen == Seen::Listed;
        KnownTask {
            status: planned.task.status.clone().filter(|_| is_listed),
            schedule_start: planned.task.schedule_start,
            schedule_end: planned.task.schedule_end,
            final_since: ledger
                .unsealed_task(id)
                .and_then(|known| known.task.final_since),
            sealed_calls: ledger.sealed_calls(id),
            is_recount: planned.decision.reason() == Reason::OtherCount,
        }
    }

    /// A task that stays open, with the times derived from earlier runs: when it was first seen,
    /// when it became final, and whether it is overdue.
    fn observed(&self, mut open: OpenTask) -> OpenTask {
        let rules = &self.pending.accept.rules;
        let known = self.committer.lake.ledger().unsealed_task(&open.id);
        let known = known.map(|known| &known.task);
        open.first_seen = known.and_then(|task| task.first_seen).or(Some(rules.now));
        open.final_since = known
            .and_then(|task| task.final_since)
            .or(Some(rules.now))
            .filter(|_| open.status.is_final());
        open.overdue = is_overdue(&open, rules);
        open
    }

    fn ended(
        &self,
        planned: &PlannedTask,
        result: Result<AnswerDisposition, DetailError<LakeError>>,
        progress: &mut PullProgress,
        summary: &mut Summary,
    ) -> Result<(), LakeError> {
        let task = &planned.task.id;
        match result {
            Ok(pulled) => {
                progress.failures_in_a_row = 0;
                match pulled {
                    AnswerDisposition::Accepted { calls, rejects, .. } => {
                        summary.rejects += rejects;
                        let task = task.clone();
                        self.pending
                            .events
                            .emit(&Event::TaskAccepted { task, calls });
                    }
                    AnswerDisposition::Left(answered) => {
                        summary.tasks.left += 1;
                        let open = self.observed(self.open_as_answered(planned, &answered));
                        if matches!(open.status, TaskStatus::Unknown(_)) {
                            summary.tasks.not_understood += 1;
                        }
                        let status = open.status.safe_word().to_owned();
                        self.pending.events.emit(&Event::TaskLeft {
                            task: task.clone(),
                            status,
                        });
                        progress.observations.open.push(open);
                    }
                    AnswerDisposition::Before(answered) => {
                        summary.tasks.not_before += 1;
                        let open = self.open_as_answered(planned, &answered);
                        self.pending
                            .events
                            .emit(&Event::TaskBefore { task: task.clone() });
                        progress.observations.open.push(OpenTask {
                            overdue: true,
                            ..self.observed(open)
                        });
                    }
                    AnswerDisposition::Twice(_) => {}
                    AnswerDisposition::AsSealed => {
                        summary.tasks.as_sealed += 1;
                    }
                    AnswerDisposition::Fewer(_, fewer) => {
                        let reason = fewer.to_string();
                        self.pending.events.emit(&Event::TaskFailed {
                            task: task.clone(),
                            reason: reason.clone(),
                        });
                        summary.fewer(task.clone(), reason);
                    }
                }
            }
            Err(DetailError::Cancelled) => summary.tasks.not_pulled += 1,
            Err(DetailError::Destination { source, .. }) => {
                return Err(source);
            }
            Err(DetailError::Account(error)) => {
                summary.tasks.not_pulled += 1;
                if !matches!(error, ApiError::Cancelled) && progress.stop.is_none() {
                    let code = error.exit_code();
                    progress.stop = Some((Stop::Api(chain(&error)), code));
                    self.api.stop_repeating();
                }
            }
            Err(error) => self.failed(planned, &error, progress, summary),
        }
        Ok(())
    }

    fn failed(
        &self,
        planned: &PlannedTask,
        error: &DetailError<LakeError>,
        progress: &mut PullProgress,
        summary: &mut Summary,
    ) {
        let task = planned.task.id.clone();
        let gone = matches!(error, DetailError::NotFound { .. });
        if gone && planned.seen == Seen::Remembered {
            let text = format!("task {task} is gone at the vendor and is not asked for again");
            self.pending.events.emit(&Event::Warning { text });
            progress.observations.forgotten.push(task);
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
            self.pending.events.emit(&event);
        }
        // Any response of the API itself, even an error, shows that it is up. A page of a proxy in
        // between does not.
        let is_there = (rejected || gone) && error.is_answered();
        progress.unanswered |= !is_there && planned.decision.reason() == Reason::DamagedFile;
        progress.failures_in_a_row = if is_there {
            0
        } else {
            progress.failures_in_a_row + 1
        };
        let failed = FailedAttempt {
            reason,
            rejects: rejected.into(),
        };
        self.note_failure(planned, failed, progress, summary);
        if progress.failures_in_a_row >= FAILURES_IN_A_ROW && progress.stop.is_none() {
            let why = format!(
                "{FAILURES_IN_A_ROW} tasks failed one after the other; the last one: {error}"
            );
            progress.stop = Some((Stop::Api(why), ExitCode::ApiUnavailable));
        }
    }

    /// Records a failed task: reported, listed, and retried by the next run.
    fn note_failure(
        &self,
        planned: &PlannedTask,
        failed: FailedAttempt,
        progress: &mut PullProgress,
        summary: &mut Summary,
    ) {
        let FailedAttempt { reason, rejects } = failed;
        let task = planned.task.id.clone();
        self.pending.events.emit(&Event::TaskFailed {
            task: task.clone(),
            reason: reason.clone(),
        });
        summary.tasks.failed += 1;
        summary.failures.push(FailedPull {
            task_id: task.clone(),
            reason: reason.clone(),
        });
        let known = self.committer.lake.ledger().unsealed_task(&task);
        let failure = known.and_then(|known| known.failure.as_ref());
        let attempts = failure.map_or(0, |failure| failure.attempts);
        let last_run = self.committer.lake.store().run_id().clone();
        progress.observations.failed.push(FailedTask {
            task: self.observed(planned.as_open()),
            failure: Failure {
                reason,
                attempts: attempts + 1,
                last_run,
                rejects,
            },
        });
    }

    fn open_as_answered(&self, planned: &PlannedTask, answered: &TaskInfo) -> OpenTask {
        let mut open = planned.as_open();
        if let Some(status) = &answered.status {
            open.status = status.clone();
        }
        open.workflow = open.workflow.or_else(|| answered.workflow.clone());
        open.schedule_start = answered.schedule_start.or(open.schedule_start);
        open.schedule_end = answered.schedule_end.or(open.schedule_end);
        open.day = open
            .schedule_start
            .map(|start| day_of(self.committer.zone, start));
        open
    }
}

/// Why a task failed, without repeating the task.
fn reason_of(error: &DetailError<LakeError>) -> String {
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
) -> (
    PlannedTask,
    Result<AnswerDisposition, DetailError<LakeError>>,
) {
    let result = api.task_detail(&planned.task.id, &mut sink).await;
    (planned, result)
}

/// Whether a task's end (or start, if it has no end) and the time it was first seen are so long ago
/// that days no longer wait for it.
fn is_overdue(task: &OpenTask, rules: &Rules) -> bool {
    let hold = TimeDelta::from_std(rules.hold).unwrap_or(TimeDelta::MAX);
    let end = rules.near_end(task.schedule_end);
    // A task that was found late is waited for as long as one found in time.
    let last = end.or(task.schedule_start).max(task.first_seen);
    last.is_some_and(|last| rules.now.signed_duration_since(last) > hold)
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case::within(
        Some("2024-03-10T00:00:00Z"),
        Some("2024-03-10T12:00:00Z"),
        None,
        false
    )]
    #[case::past(Some("2024-03-08T00:00:00Z"), Some("2024-03-09T11:59:59Z"), None, true)]
    #[case::without_an_end(Some("2024-03-08T00:00:00Z"), None, None, true)]
    #[case::never(Some("2024-03-08T00:00:00Z"), Some("9999-12-31T23:59:59Z"), None, true)]
    #[case::ahead(
        Some("2024-03-08T00:00:00Z"),
        Some("2024-04-01T00:00:00Z"),
        None,
        false
    )]
    #[case::found_late(
        Some("2024-01-08T00:00:00Z"),
        Some("2024-01-09T00:00:00Z"),
        Some("2024-03-11T00:00:00Z"),
        false
    )]
    #[case::unknown(None, None, Some("2024-03-08T00:00:00Z"), true)]
    #[case::unknown_and_new(None, None, Some("2024-03-11T00:00:00Z"), false)]
    fn a_task_is_overdue_three_days_after_its_end(
        #[case] start: Option<&str>,
        #[case] end: Option<&str>,
        #[case] first_seen: Option<&str>,
        #[case] expected: bool,
    ) {
        let time = |text: Option<&str>| text.map(|text| text.parse().expect("a time"));
        let id = TaskId::new("t").expect("an id");
        let task = OpenTask {
            schedule_start: time(start),
            schedule_end: time(end),
            first_seen: time(first_seen),
            ..OpenTask::new(id, TaskStatus::Paused)
        };
        let rules = Rules::nightly("2024-03-12T12:00:00Z".parse().expect("a time"));
        assert_eq!(is_overdue(&task, &rules), expected);
    }
}
