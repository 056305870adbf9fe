//! Collects the tasks to consider from the API, the ledger and the user's selection.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, NaiveDate, SecondsFormat, TimeDelta, Utc};
use futures_util::stream::{self, StreamExt, TryStreamExt};

use super::summary::{FailedWorkflow, chain};
use crate::api::{ApiClient, ApiError, ListedTask, ListingEvidence};
use crate::calendar::day_of;
use crate::discover::{Candidate, Rules, Seen, resume_point, window_of};
use crate::event::{Event, Events};
use crate::job::TaskSource;
use crate::lake::{Coverage, Evidence, Ledger, UnsealedTask, WorkflowNote};
use crate::task::{TaskId, TaskInfo, WorkflowId};

/// How complete the known set of tasks is.
#[derive(Debug, Default)]
pub struct ListingCoverage {
    /// The scheduled starts that the listing covers, if it is complete.
    pub coverage: Option<Coverage>,
    /// Where the next run's listing starts.
    pub listed_until: Option<DateTime<Utc>>,
    /// The first day of a lake that began with a backfill.
    pub first_day: Option<NaiveDate>,
    /// Whether every listing was complete.
    pub complete: bool,
    /// Workflows whose tasks could not be listed, or only in part.
    pub failed_workflows: Vec<FailedWorkflow>,
    /// Notes to store about workflows that no longer exist.
    pub workflow_notes: Vec<WorkflowNote>,
}

/// What to search for.
#[derive(Clone, Debug)]
pub struct TaskSearch<'a> {
    /// Where tasks come from.
    pub source: &'a TaskSource,
    /// What is known of tasks and workflows.
    pub ledger: &'a Ledger,
    /// How long before its tasks a workflow may have been created.
    pub lookback: TimeDelta,
    /// Maximum number of concurrent listings; the client enforces its own limit as well.
    pub concurrency: usize,
    /// Continue although the clock is more than a day ahead of the vendor's.
    pub allow_future: bool,
}

/// After a workflow is missing for this many nights in a row, its listing is no longer required.
const NIGHTS_UNTIL_LET_GO: u32 = 3;
/// This many consecutive failed listings, none of them refused by the vendor, mean that the API is
/// down.
const FAILURES_IN_A_ROW: usize = 5;

/// Finds the tasks and passes them to `each` as they are found, possibly more than once.
///
/// # Errors
///
/// When the workflows cannot be listed at all, or the API stops responding.
pub async fn find(
    api: &ApiClient,
    rules: &Rules,
    search: TaskSearch<'_>,
    events: &Events,
    mut each: impl FnMut(Candidate),
) -> Result<ListingCoverage, ApiError> {
    let ledger = search.ledger;
    let lister = Lister {
        api,
        ledger,
        events,
        today: rules.now.date_naive(),
        is_nightly: rules.range.is_none(),
        concurrency: search.concurrency.max(1),
    };
    match search.source {
        TaskSource::Tasks(ids) => {
            for id in ids {
                each(named(id, ledger));
            }
            Ok(ListingCoverage {
                complete: true,
                ..ListingCoverage::default()
            })
        }
        TaskSource::Workflows(ids) => {
            let listed = lister.tasks_of(ids.clone(), each).await?;
            Ok(listed.into_found())
        }
        TaskSource::Listing => listing(&lister, rules, &search, each).await,
    }
}

async fn listing(
    lister: &Lister<'_>,
    rules: &Rules,
    search: &TaskSearch<'_>,
    mut each: impl FnMut(Candidate),
) -> Result<ListingCoverage, ApiError> {
    let Lister { api, ledger, .. } = *lister;
    let resume = resume_point(ledger, rules, search.lookback);
    let (window, covered) = window_of(rules, search.lookback, resume);
    let workflows = api.list_workflows(window).await?;
    if !search.allow_future {
        check_clock(api.vendor_now(), rules.now)?;
    }
    if let Some(fault) = workflows.fault {
        if workflows.items.is_empty() {
            return Err(fault);
        }
        let text = format!("the workflows were not all listed: {fault}");
        lister.events.emit(&Event::Warning { text });
    }
    let mut remembered: BTreeMap<&TaskId, &UnsealedTask> = ledger
        .unsealed()
        .filter(|known| rules.shard.is_none_or(|shard| shard.holds(&known.task.id)))
        .filter(|known| !rules.is_before_first(known.task.day))
        .filter(|known| match (&rules.range, known.task.schedule_start) {
            (Some(range), Some(start)) => range.contains(day_of(rules.zone, start)),
            (Some(_) | None, None) | (None, _) => true,
        })
        .map(|known| (&known.task.id, known))
        .collect();
    let listed: BTreeSet<WorkflowId> = workflows.items.into_iter().map(|w| w.id).collect();
    // Running tasks are requested again however old their workflow is, unless it no longer exists.
    let is_let_go = |id: &WorkflowId| {
        let gone = ledger.nights_gone(id);
        gone.is_some_and(|gone| gone.nights >= NIGHTS_UNTIL_LET_GO)
    };
    let of_known_tasks = remembered
        .values()
        .filter_map(|known| known.task.workflow.clone())
        .filter(|id| !is_let_go(id));
    let mut ids = listed;
    ids.extend(of_known_tasks);
    let tasks = lister.tasks_of(ids.into_iter().collect(), |candidate| {
        remembered.remove(&candidate.task.id);
        each(candidate);
    });
    let mut tasks = tasks.await?;
    for known in remembered.values() {
        each(Candidate {
            task: known.task.info(),
            calls: None,
            seen: Seen::Remembered,
        });
    }
    tasks.complete &= workflows.complete;
    tasks.evidence.add(workflows.evidence);
    let evidence = tasks.evidence.0;
    let mut found = tasks.into_found();
    // A day has ended when it has ended by both the vendor's clock and the local one.
    let now = api
        .vendor_now()
        .map_or(rules.now, |vendor| vendor.min(rules.now));
    found.coverage = covered.filter(|_| found.complete).map(|covered| Coverage {
        from: covered.from,
        to: covered.to.min(now),
        at: now,
        is_range: rules.range.is_some() || rules.since.is_some(),
        evidence: Some(evidence),
    });
    found.coverage = found
        .coverage
        .filter(|coverage| coverage.from < coverage.to);
    found.listed_until = (found.complete && rules.range.is_none()).then_some(now);
    found.first_day = rules.since;
    Ok(found)
}

/// A clock further ahead of the vendor's than this would decide about days that have not ended.
const MAX_AHEAD: TimeDelta = TimeDelta::days(1);

/// Rejects a clock, or an `--as-of`, that is far ahead of the vendor's.
fn check_clock(vendor: Option<DateTime<Utc>>, now: DateTime<Utc>) -> Result<(), ApiError> {
    match vendor {
        Some(vendor) if now.signed_duration_since(vendor) > MAX_AHEAD => {
            let time = |time: DateTime<Utc>| time.to_rfc3339_opts(SecondsFormat::Secs, true);
            Err(ApiError::Settings {
                reason: format!(
                    "the clock (or --as-of) says {}, and the vendor's says {}: days that are still \
                     to come would count as over; set the clock, or give --allow-future if it is right",
                    time(now),
                    time(vendor)
                ),
            })
        }
        _ => Ok(()),
    }
}

/// Result of listing the tasks of workflows.
#[derive(Debug)]
struct TaskListing {
    complete: bool,
    evidence: EvidenceSum,
    failed: Vec<FailedWorkflow>,
    notes: Vec<WorkflowNote>,
}

impl TaskListing {
    fn into_found(self) -> ListingCoverage {
        ListingCoverage {
            complete: self.complete,
            failed_workflows: self.failed,
            workflow_notes: self.notes,
            ..ListingCoverage::default()
        }
    }
}

#[derive(Debug, Default)]
struct EvidenceSum(Evidence);

impl EvidenceSum {
    fn add(&mut self, listing: ListingEvidence) {
        self.0.listings += 1;
        self.0.pages += listing.pages;
        self.0.items += listing.items;
        if let Some(total) = listing.total {
            *self.0.totals.get_or_insert_default() += total;
        }
    }
}

/// Lists the tasks of workflows.
struct Lister<'a> {
    api: &'a ApiClient,
    ledger: &'a Ledger,
    events: &'a Events,
    today: NaiveDate,
    /// Whether the run counts nights.
    is_nightly: bool,
    concurrency: usize,
}

impl Lister<'_> {
    /// Lists the tasks of workflows. A workflow that fails or no longer exists does not affect the
    /// others.
    async fn tasks_of(
        &self,
        workflows: Vec<WorkflowId>,
        mut each: impl FnMut(Candidate),
    ) -> Result<TaskListing, ApiError> {
        let api = self.api;
        let mut listings = stream::iter(workflows)
            .map(|workflow| async move {
                let listing = api.list_tasks(&workflow).await?;
                Ok::<_, ApiError>((workflow, listing))
            })
            .buffer_unordered(self.concurrency);
        let mut listed = TaskListing {
            complete: true,
            evidence: EvidenceSum::default(),
            failed: Vec::new(),
            notes: Vec::new(),
        };
        let mut failures_in_a_row = 0;
        let mut understood = 0_u64;
        let mut not_understood = None;
        while let Some((workflow, listing)) = listings.try_next().await? {
            listed.evidence.add(listing.evidence);
            listing.items.into_iter().map(candidate).for_each(&mut each);
            let Some(fault) = listing.fault else {
                failures_in_a_row = 0;
                understood += 1;
                listed.complete &= listing.complete;
                if !listing.complete {
                    listed.failed.push(FailedWorkflow {
                        workflow_id: workflow,
                        reason: "its listing may be short".to_owned(),
                    });
                } else if self.ledger.nights_gone(&workflow).is_some() {
                    listed.notes.push(self.note(workflow, 0));
                }
                continue;
            };
            if fault.is_gone() {
                failures_in_a_row = 0;
                self.gone(workflow, &fault, &mut listed);
                continue;
            }
            let reason = chain(&fault);
            let text = format!("the tasks of workflow {workflow} were not all listed: {reason}");
            self.events.emit(&Event::Warning { text });
            listed.complete = false;
            listed.failed.push(FailedWorkflow {
                workflow_id: workflow,
                reason,
            });
            failures_in_a_row += 1;
            if matches!(fault, ApiError::Listing { .. }) {
                not_understood.get_or_insert(fault);
            } else if failures_in_a_row >= FAILURES_IN_A_ROW || api.is_down() {
                return Err(fault);
            }
        }
        // If no listing at all is understood, the API profile does not match: a setting is wrong.
        match not_understood {
            Some(fault) if understood == 0 => Err(fault),
            _ => Ok(listed),
        }
    }

    /// Handles the vendor's response that a workflow does not exist. It counts as a failure for
    /// some nights: the workflow may have been deleted between two of the vendor's own requests.
    fn gone(&self, workflow: WorkflowId, fault: &ApiError, listed: &mut TaskListing) {
        let before = self.ledger.nights_gone(&workflow);
        let counted = before.map_or(0, |gone| gone.nights);
        let is_another_night = before.is_none_or(|gone| gone.on != self.today);
        let nights = counted + u32::from(self.is_nightly && is_another_night);
        let is_let_go = nights >= NIGHTS_UNTIL_LET_GO;
        let was_let_go = before.is_some_and(|gone| gone.nights >= NIGHTS_UNTIL_LET_GO);
        if was_let_go {
            return;
        }
        let text = if is_let_go {
            format!(
                "workflow {workflow} has been gone at the vendor for {nights} nights: it is let go \
                 of, and days no longer wait for it"
            )
        } else {
            listed.complete = false;
            listed.failed.push(FailedWorkflow {
                workflow_id: workflow.clone(),
                reason: format!("it is gone at the vendor: {fault}"),
            });
            format!(
                "workflow {workflow} is gone at the vendor; after {NIGHTS_UNTIL_LET_GO} nights it is \
                 let go of (nights so far: {nights})"
            )
        };
        self.events.emit(&Event::Warning { text });
        listed.notes.push(self.note(workflow, nights));
    }

    fn note(&self, id: WorkflowId, nights_gone: u32) -> WorkflowNote {
        WorkflowNote {
            id,
            nights_gone,
            on: self.today,
        }
    }
}

/// Values that are not understood count as absent here: the task's response is requested.
fn candidate(task: ListedTask) -> Candidate {
    Candidate {
        task: TaskInfo {
            id: task.id,
            workflow: task.workflow,
            status: task.status.known(),
            schedule_start: task.schedule_start.known(),
            schedule_end: task.schedule_end.known(),
        },
        calls: task.calls.known(),
        seen: Seen::Listed,
    }
}

/// A task named by the user: its schedule from the ledger, without a status.
fn named(id: &TaskId, ledger: &Ledger) -> Candidate {
    let known = ledger.unsealed_task(id).map(|known| known.task.info());
    Candidate {
        task: TaskInfo {
            status: None,
            ..known.unwrap_or_else(|| TaskInfo::new(id.clone()))
        },
        calls: None,
        seen: Seen::Named,
    }
}
