//! Wires the stages: the only module that spawns tasks, owns cancellation tokens and selects over
//! several futures.
//!
//! ```text
//! find ─ListingCoverage→ Plan ─pull→ TaskSink ─AnswerReader→ accept ─PendingCommit→ Committer ─Commit→ Ledger
//! ```
//! A run is one [`Export`]: it is opened on a lake, given one [`RunScope`], and ends with a
//! [`Summary`].

mod accept;
mod beside;
mod commit;
mod find;
mod mend;
mod pending;
mod pull;
mod reader;
mod replay;
mod sink;
mod stop;
mod summary;
mod superseded;
#[cfg(test)]
mod tests;
mod worker_pool;

use std::collections::{BTreeMap, BTreeSet};

use chrono::{NaiveDate, TimeDelta};
use chrono_tz::Tz;

use crate::api::{ApiClient, ApiError};
use crate::calendar::day_end;
use crate::clock::Clock;
use crate::discover::{Plan, Planner, Rules, since};
use crate::event::{Event, Events};
use crate::job::{DateRange, IfRunning, Job, Reopen, TaskSource};
use crate::lake::{self, Claim, Coverage, Lake, LakeError, LakeOptions, LakeWriter, Ledger};
use crate::store::{RunStore, Store};
use crate::task::RunId;

pub use beside::{BeginError, Beginning};
use commit::Committer;
pub use find::{ListingCoverage, TaskSearch, find};
use mend::Damage;
use pending::{AcceptRules, PendingCommit, PendingOptions};
use pull::{CommitPace, Puller};
use replay::Replayer;
pub use replay::{NamedAnswer, ReplayInputError, SavedAnswers, bucket_and_key, saved_answers};
pub use stop::{Stop, StopSwitch};
pub use summary::{FailedPull, FailedWorkflow, LostRows, Summary, TaskTotals, Written};
pub use superseded::Superseded;
#[cfg(test)]
pub(crate) use superseded::SupersededAnswer;

/// What a run does.
#[derive(Clone, Debug, Default)]
pub struct RunScope {
    /// Only tasks with a scheduled start on these days; otherwise new tasks.
    pub range: Option<DateRange>,
    /// Whether sealed tasks are pulled again.
    pub replace: bool,
    /// Whether a response with fewer calls may replace sealed rows.
    pub allow_fewer: bool,
    /// Whether to run although the clock is ahead of the vendor's.
    pub allow_future: bool,
    /// What happens if the lake belongs to another account or host.
    pub lake_change: LakeChange,
}

/// What happens if a lake belongs to another account or host than the run's.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum LakeChange {
    /// The run is refused.
    #[default]
    Refuse,
    /// The change is accepted and recorded.
    Accept,
}

impl LakeChange {
    /// From the command-line flag.
    #[must_use]
    pub fn of_flag(accepts: bool) -> Self {
        if accepts { Self::Accept } else { Self::Refuse }
    }

    /// Whether the change is accepted.
    #[must_use]
    pub fn is_accepted(self) -> bool {
        self == Self::Accept
    }
}

/// Why a run failed.
#[derive(Debug, thiserror::Error)]
pub enum ExportError {
    #[error(transparent)]
    Lake(#[from] LakeError),
    /// The API failed before there was anything to commit.
    #[error(transparent)]
    Api(#[from] ApiError),
}

/// What a run gets from outside: its time, its listeners and its signals.
#[derive(Clone, Debug)]
pub struct RunContext {
    /// The run's time, and the source of its id.
    pub clock: Clock,
    /// The listeners that receive the run's events.
    pub events: Events,
    /// Tells the run to stop.
    pub stop: StopSwitch,
    /// The id of the run, unless it is taken.
    pub run: RunId,
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
    /// Opens the lake if it belongs to the run, and applies `if_running` if another run is active.
    ///
    /// # Errors
    /// See [`BeginError`].
    pub async fn begin(
        job: &'a Job,
        beginning: &Beginning,
        context: RunContext,
    ) -> Result<Self, BeginError> {
        let Beginning { claim, mends } = beginning;
        let store = Store::new(&job.dest).map_err(LakeError::from)?;
        claim.check(&store).await?;
        loop {
            beside::yield_to_others(&store, job.if_running, &context.stop).await?;
            let mut export = Self::open_as(job, context.clone(), *mends).await?;
            if job.if_running == IfRunning::Share {
                export.lake.claim(claim.clone());
                return Ok(export);
            }
            // Another run may have checked at the same time as this one.
            let ahead = beside::ahead(&store, &export.run).await?;
            if ahead.is_empty() {
                export.lake.claim(claim.clone());
                return Ok(export);
            }
            export.lake.close().await?;
            if job.if_running == IfRunning::Fail {
                return Err(BeginError::Running(beside::names(&ahead)));
            }
        }
    }

    /// Opens the lake, and completes or undoes what earlier runs left unfinished.
    async fn open_as(job: &'a Job, context: RunContext, mends: bool) -> Result<Self, LakeError> {
        let RunContext {
            clock,
            events,
            stop,
            run,
        } = context;
        let options = LakeOptions {
            dest: job.dest.clone(),
            partition_timezone: job.discover.partition_timezone,
        };
        let open = async {
            let (clock, events) = (clock.clone(), events.clone());
            let opened = if mends {
                LakeWriter::open_to_mend(&options, run, clock, events).await
            } else {
                LakeWriter::open(&options, run, clock, events).await
            };
            opened.map(Some)
        };
        let opened =
            lake::open_with_delta(&job.dest, job.delta.enabled, clock.run_id(), open).await?;
        let lake = opened.expect("a lake that is not there is made");
        // The store picks another id if that one was taken.
        let run = lake.store().run_id().clone();
        Ok(Self {
            job,
            clock,
            events,
            stop,
            lake,
            run,
        })
    }

    /// The id of the run.
    #[must_use]
    pub fn run_id(&self) -> &RunId {
        &self.run
    }

    /// A summary for [`Export::pull`] and [`Export::replay`] to fill, however they end.
    #[must_use]
    pub fn summary(&self) -> Summary {
        Summary::new(self.run.clone(), self.clock.now())
    }

    /// Where to write the report of a failed run. The run counts as live while this is held.
    #[must_use]
    pub fn store(&self) -> RunStore {
        self.lake.store().clone()
    }

    /// Finds tasks, plans, pulls and commits.
    ///
    /// # Errors
    ///
    /// When the destination fails; the summary then covers what was done before. Failures of the
    /// API are recorded in the summary.
    pub async fn pull(
        mut self,
        scope: &RunScope,
        api: ApiClient,
        summary: &mut Summary,
    ) -> Result<LakeWriter, LakeError> {
        let rules = rules(self.job, scope, &self.clock);
        let decided = Discovery {
            job: self.job,
            scope,
            api: &api,
            ledger: self.lake.ledger(),
            rules: &rules,
            events: &self.events,
        };
        let decided = decided.plan().await;
        summary.not_understood = api.not_understood_so_far();
        let (mut plan, found) = match decided {
            Ok(decided) => decided,
            Err(error) => {
                summary.stop(self.stop.why(), &error);
                summary.ended_at = self.clock.now();
                return Ok(self.lake);
            }
        };
        // Only after the API has accepted the credentials.
        self.lake.accept().await?;
        let damage = if scope.replace {
            let is_of_days = !matches!(self.job.discover.source, TaskSource::Tasks(_));
            let days = scope.range.filter(|_| is_of_days);
            Damage::find(&self.lake, &mut plan, days, &self.events).await?
        } else {
            Damage::default()
        };
        announce(&plan, &self.events);
        summary.planned = plan.reasons();
        summary.listed = self.job.discover.source == TaskSource::Listing;
        summary.listing_complete = found.complete;
        summary.failed_workflows.clone_from(&found.failed_workflows);
        summary.tasks.reopened = plan.reopened().count() as u64;
        let pending = self.pending(rules, scope)?;
        let puller = Puller {
            api,
            pace: self.commit_pace(),
            committer: Committer {
                base: self.lake.ledger().last_sequence(),
                lake: self.lake,
                pending: pending.clone(),
                zone: self.job.discover.partition_timezone,
                shard: self.job.discover.shard,
                mends: scope.replace,
                damaged: damage.files,
                lost: BTreeSet::new(),
            },
            mending: damage.tasks,
            concurrency: self.job.api.concurrency.get(),
            stop: self.stop,
            pending: pending.clone(),
        };
        let committer = puller.pull(plan, &found, summary).await?;
        summary.lost = mend::still_lost(committer.lost, committer.lake.ledger());
        summary.misfits = pending.misfits().lines();
        summary.note_zone(pending.zone(), &self.events);
        summary.ended_at = self.clock.now();
        Ok(committer.lake)
    }

    /// Imports saved responses.
    ///
    /// # Errors
    ///
    /// When the destination fails.
    pub async fn replay(
        mut self,
        answers: SavedAnswers,
        scope: &RunScope,
        summary: &mut Summary,
    ) -> Result<LakeWriter, LakeError> {
        self.lake.accept().await?;
        let rules = rules(self.job, scope, &self.clock);
        let pending = self.pending(rules, scope)?;
        let replayer = Replayer {
            pace: self.commit_pace(),
            committer: Committer {
                base: self.lake.ledger().last_sequence(),
                lake: self.lake,
                pending: pending.clone(),
                zone: self.job.discover.partition_timezone,
                shard: self.job.discover.shard,
                mends: scope.replace,
                damaged: BTreeMap::new(),
                lost: BTreeSet::new(),
            },
            stop: self.stop,
            replace: scope.replace,
            shard: self.job.discover.shard,
            received_at_micros: self.clock.now().timestamp_micros(),
            pending: pending.clone(),
        };
        let committer = replayer.replay(answers, summary).await?;
        summary.lost = mend::still_lost(committer.lost, committer.lake.ledger());
        summary.misfits = pending.misfits().lines();
        summary.note_zone(pending.zone(), &self.events);
        summary.ended_at = self.clock.now();
        Ok(committer.lake)
    }

    fn pending(
        &self,
        rules: Rules,
        scope: &RunScope,
    ) -> Result<std::sync::Arc<PendingCommit>, LakeError> {
        PendingCommit::new(PendingOptions {
            run: &self.run,
            store: self.lake.store(),
            decode: &self.job.decode,
            write: &self.job.write,
            accept: AcceptRules {
                success_codes: self.job.api.profile.success_codes.clone(),
                allow_fewer: scope.allow_fewer,
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

/// Plans without pulling: what [`Export::pull`] would do.
///
/// # Errors
///
/// When the lake cannot be read or the listing fails.
pub async fn plan(
    job: &Job,
    scope: &RunScope,
    claim: &Claim,
    context: RunContext,
) -> Result<(Plan, ListingCoverage), ExportError> {
    let RunContext {
        clock,
        events,
        stop,
        run: _,
    } = context;
    let api = ApiClient::new(job.api.clone(), clock.clone(), events.clone(), stop.token())?;
    let lake = Lake::open(&job.dest).await?;
    claim.check(lake.store()).await?;
    let rules = rules(job, scope, &clock);
    let discovery = Discovery {
        job,
        scope,
        api: &api,
        ledger: lake.ledger(),
        rules: &rules,
        events: &events,
    };
    let (plan, found) = discovery.plan().await?;
    announce(&plan, &events);
    Ok((plan, found))
}

/// Input for finding tasks and deciding about them.
struct Discovery<'a> {
    job: &'a Job,
    scope: &'a RunScope,
    api: &'a ApiClient,
    ledger: &'a Ledger,
    rules: &'a Rules,
    events: &'a Events,
}

impl Discovery<'_> {
    async fn plan(self) -> Result<(Plan, ListingCoverage), ApiError> {
        let Self {
            job,
            scope,
            api,
            ledger,
            rules,
            events,
        } = self;
        let lookback =
            TimeDelta::from_std(job.discover.workflow_lookback).unwrap_or(TimeDelta::MAX);
        let search = TaskSearch {
            source: &job.discover.source,
            ledger,
            lookback,
            concurrency: job.api.concurrency.get(),
            allow_future: scope.allow_future,
        };
        let mut rules = rules.clone();
        if rules.range.is_none() && job.discover.source == TaskSource::Listing {
            rules.since = since(ledger, &rules, lookback);
        }
        let rules = &rules;
        let mut planner = Planner::new(ledger, rules);
        let add = |task| planner.add(task);
        let mut found = find(api, rules, search, events, add).await?;
        let plan = planner.into_plan();
        if let Some(reach) = plan.reach() {
            cut_coverage(&mut found, reach, rules.zone, events);
        }
        for reopened in plan.reopened() {
            let text = format!(
                "task {} was exported as final and is listed as running again{}",
                reopened.task.id,
                if rules.repull_reopened {
                    ": it will be pulled again once it is final"
                } else {
                    ""
                }
            );
            events.emit(&Event::Warning { text });
        }
        Ok((plan, found))
    }
}

/// Emits the plan as events.
fn announce(plan: &Plan, events: &Events) {
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
}

/// Limits the coverage if tasks that start before the range, and are not exported, reach into it:
/// the days up to `reach` may lack calls.
fn cut_coverage(found: &mut ListingCoverage, reach: NaiveDate, zone: Tz, events: &Events) {
    let text = format!(
        "tasks that begin before the range reach into it and are not exported: days up to {reach} \
         are not called complete; backfill the days before, too"
    );
    events.emit(&Event::Warning { text });
    let first = day_end(zone, reach);
    found.coverage = found.coverage.take().and_then(|coverage| {
        let from = coverage.from.max(first);
        (from < coverage.to).then_some(Coverage { from, ..coverage })
    });
}

fn rules(job: &Job, scope: &RunScope, clock: &Clock) -> Rules {
    Rules {
        now: clock.now(),
        settle: job.discover.settle,
        include_running: job.discover.include_running,
        replace: scope.replace,
        repull_reopened: job.discover.reopen == Reopen::Repull,
        hold: std::time::Duration::from_hours(24 * u64::from(job.discover.hold_days)),
        range: scope.range,
        not_before: job.discover.not_before,
        since: None,
        zone: job.discover.partition_timezone,
        shard: job.discover.shard,
    }
}
