//! Wires the stages: the only place that spawns, owns tokens and waits for several things at once.
//!
//! ```text
//! find ─Found→ Plan ─pull→ TaskSink ─AnswerReader→ judge ─Desk→ Committer ─Commit→ Ledger
//! ```
//! A run is one [`Export`]: opened on a lake, told what to do once, closed with a [`Summary`].

mod commit;
mod crew;
mod desk;
mod find;
mod judge;
mod pull;
mod reader;
mod replay;
mod sink;
mod stop;
mod summary;

use std::path::PathBuf;

use chrono::TimeDelta;
use tokio_util::sync::CancellationToken;

use crate::api::{ApiClient, ApiError};
use crate::clock::Clock;
use crate::discover::{Plan, Planner, Rules, resume_point, since};
use crate::event::{Event, Events};
use crate::job::{DateRange, Job, TaskSource};
use crate::lake::{Lake, LakeError, LakeOptions, LakePath, LakeWriter, Ledger};
use crate::task::RunId;

use commit::Committer;
use desk::{Desk, DeskOptions, JudgeRules};
pub use find::{Found, Search, find};
use pull::{CommitPace, Puller};
use replay::Replayer;
pub use replay::{ReplayInputError, Superseded, SupersededAnswer, saved_answers};
pub use stop::StopSwitch;
pub use summary::{FailedPull, Stop, Summary, TaskTotals, Written};

/// What a run is to do.
#[derive(Clone, Debug, Default)]
pub struct Assignment {
    /// Only tasks with a scheduled start on these days; otherwise whatever is new.
    pub range: Option<DateRange>,
    /// Pull sealed tasks again.
    pub replace: bool,
    /// Let an answer with fewer calls take the place of sealed rows.
    pub allow_fewer: bool,
    /// Run although the clock is ahead of the vendor's.
    pub allow_future: bool,
}

/// Why a run could not be done.
#[derive(Debug, thiserror::Error)]
pub enum ExportError {
    /// The destination.
    #[error(transparent)]
    Lake(#[from] LakeError),
    /// The API, before there was anything to commit.
    #[error(transparent)]
    Api(#[from] ApiError),
}

/// A run on a lake.
#[derive(Debug)]
pub struct Export<'a> {
    job: &'a Job,
    clock: Clock,
    events: Events,
    stop: StopSwitch,
    lake: LakeWriter,
    run: RunId,
}

impl<'a> Export<'a> {
    /// Opens the lake, finishing or undoing what earlier runs left there.
    ///
    /// # Errors
    /// When the destination fails.
    pub async fn open(
        job: &'a Job,
        (clock, events, stop): (Clock, Events, StopSwitch),
    ) -> Result<Self, LakeError> {
        let run = clock.run_id();
        let options = LakeOptions {
            dest: job.dest.clone(),
            partition_timezone: job.discover.partition_timezone,
        };
        let lake = LakeWriter::open(&options, run.clone(), clock.clone(), events.clone()).await?;
        Ok(Self {
            job,
            clock,
            events,
            stop,
            lake,
            run,
        })
    }

    /// The run's id.
    #[must_use]
    pub fn run_id(&self) -> &RunId {
        &self.run
    }

    /// Whether the lake is one that the demo made.
    ///
    /// # Errors
    /// When the destination fails.
    pub async fn is_of_demo(&self) -> Result<bool, LakeError> {
        let mark = self.lake.store().get(&LakePath::demo()).await?;
        Ok(mark.is_some())
    }

    /// Marks the lake as the demo's.
    ///
    /// # Errors
    /// When the destination fails.
    pub async fn mark_as_demo(&self) -> Result<(), LakeError> {
        let mark = b"{\"what\":\"invented calls, made by airudder-export demo\"}\n";
        let store = self.lake.store();
        store.replace(&LakePath::demo(), mark.to_vec()).await
    }

    /// Finds the tasks, decides about them, pulls and commits.
    ///
    /// # Errors
    /// When the destination fails. What the API does wrong is in the summary.
    pub async fn pull(
        self,
        assignment: &Assignment,
        api: ApiClient,
    ) -> Result<(Summary, LakeWriter), LakeError> {
        let mut summary = Summary::new(self.run.clone(), self.clock.now());
        let rules = rules(self.job, assignment, &self.clock);
        let decided = decide(self.job, (&api, self.lake.ledger(), &rules), &self.events).await;
        let (plan, found) = match decided {
            Ok(decided) => decided,
            Err(error) => {
                summary.stop(self.stop.why(), &error);
                summary.ended_at = self.clock.now();
                return Ok((summary, self.lake));
            }
        };
        summary.planned = plan.reasons();
        summary.listing_complete = found.complete;
        let desk = self.desk(rules)?;
        let puller = Puller {
            api,
            pace: self.commit_pace(),
            committer: Committer {
                base: self.lake.ledger().last_sequence(),
                lake: self.lake,
                desk: desk.clone(),
                zone: self.job.discover.partition_timezone,
                shard: self.job.discover.shard,
            },
            concurrency: self.job.api.concurrency.get(),
            stop: self.stop,
            desk: desk.clone(),
        };
        let committer = puller.pull((plan, &found), &mut summary).await?;
        summary.misfits = desk.misfits().lines();
        summary.ended_at = self.clock.now();
        Ok((summary, committer.lake))
    }

    /// Takes saved answers.
    ///
    /// # Errors
    /// When the destination fails.
    pub async fn replay(
        self,
        files: Vec<PathBuf>,
        assignment: &Assignment,
    ) -> Result<(Summary, LakeWriter), LakeError> {
        let mut summary = Summary::new(self.run.clone(), self.clock.now());
        let rules = rules(self.job, assignment, &self.clock);
        let desk = self.desk(rules)?;
        let replayer = Replayer {
            pace: self.commit_pace(),
            committer: Committer {
                base: self.lake.ledger().last_sequence(),
                lake: self.lake,
                desk: desk.clone(),
                zone: self.job.discover.partition_timezone,
                shard: self.job.discover.shard,
            },
            stop: self.stop,
            replace: assignment.replace,
            shard: self.job.discover.shard,
            received_at_micros: self.clock.now().timestamp_micros(),
            desk: desk.clone(),
        };
        let committer = replayer.replay(files, &mut summary).await?;
        summary.misfits = desk.misfits().lines();
        summary.ended_at = self.clock.now();
        Ok((summary, committer.lake))
    }

    fn desk(&self, rules: Rules) -> Result<std::sync::Arc<Desk>, LakeError> {
        Desk::new(DeskOptions {
            run: &self.run,
            store: self.lake.store(),
            decode: &self.job.decode,
            write: &self.job.write,
            judge: JudgeRules {
                success_codes: self.job.api.profile.success_codes.clone(),
                include_running: rules.include_running,
                rules,
            },
            events: self.events.clone(),
        })
    }

    fn commit_pace(&self) -> CommitPace {
        let write = &self.job.write;
        CommitPace {
            calls: write.commit_calls.get(),
            task_bytes: write.memory_budget_bytes.get() / 2,
            interval: write.commit_interval,
        }
    }
}

/// The decision alone: what [`Export::pull`] would do.
///
/// # Errors
/// When the lake cannot be read or the listing fails.
pub async fn plan(
    job: &Job,
    assignment: &Assignment,
    (clock, events): (&Clock, &Events),
    cancel: CancellationToken,
) -> Result<(Plan, Found), ExportError> {
    let api = ApiClient::new(job.api.clone(), clock.clone(), events.clone(), cancel)?;
    let lake = Lake::open(&job.dest).await?;
    let rules = rules(job, assignment, clock);
    Ok(decide(job, (&api, lake.ledger(), &rules), events).await?)
}

async fn decide(
    job: &Job,
    (api, ledger, rules): (&ApiClient, &Ledger, &Rules),
    events: &Events,
) -> Result<(Plan, Found), ApiError> {
    let lookback = TimeDelta::from_std(job.discover.workflow_lookback).unwrap_or(TimeDelta::MAX);
    let search = Search {
        source: &job.discover.source,
        lookback,
        concurrency: job.api.concurrency.get(),
    };
    let mut rules = rules.clone();
    if rules.range.is_none() && job.discover.source == TaskSource::Listing {
        let resume = resume_point(ledger, (&rules, lookback));
        rules.since = since(ledger, (&rules, lookback), resume);
    }
    let rules = &rules;
    let mut planner = Planner::new(ledger, rules);
    let found = find(api, (ledger, rules), search, |task| planner.add(task)).await?;
    let plan = planner.into_plan();
    let pull = plan.pulled();
    events.emit(&Event::Planned {
        pull: pull as u64,
        leave: (plan.len() - pull) as u64,
        reasons: plan
            .reasons()
            .into_iter()
            .map(|(r, count)| (r.as_str(), count))
            .collect(),
    });
    Ok((plan, found))
}

fn rules(job: &Job, assignment: &Assignment, clock: &Clock) -> Rules {
    Rules {
        now: clock.now(),
        settle: job.discover.settle,
        include_running: job.discover.include_running,
        replace: assignment.replace,
        range: assignment.range,
        not_before: job.discover.not_before,
        since: None,
        zone: job.discover.partition_timezone,
        shard: job.discover.shard,
    }
}
