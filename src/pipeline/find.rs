//! Asks the API, the ledger and the user which tasks there are.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, TimeDelta, Utc};
use futures_util::stream::{self, StreamExt, TryStreamExt};

use crate::api::{ApiClient, ApiError, ListedTask};
use crate::discover::{Candidate, Rules, Seen, resume_point, window_of};
use crate::job::TaskSource;
use crate::lake::{Coverage, Ledger, TaskState, UnsealedTask, day_of};
use crate::task::{TaskId, WorkflowId};

/// How completely it is known which tasks there are.
#[derive(Debug)]
pub struct Found {
    /// The scheduled starts that the listing covers, if it is complete.
    pub coverage: Option<Coverage>,
    /// What the next run goes on from.
    pub listed_until: Option<DateTime<Utc>>,
    /// Whether every listing was complete.
    pub complete: bool,
    /// Workflows whose tasks were listed.
    pub workflows: u64,
}

/// What is looked for.
#[derive(Clone, Debug)]
pub struct Search<'a> {
    /// Where tasks come from.
    pub source: &'a TaskSource,
    /// How long before its tasks a workflow may have been made.
    pub lookback: TimeDelta,
    /// Listings asked for at once; the client has a limit of its own on top.
    pub concurrency: usize,
}

/// Finds the tasks. `each` gets them as they are found, some perhaps more than once.
///
/// # Errors
/// When a listing fails as a whole.
pub async fn find(
    api: &ApiClient,
    (ledger, rules): (&Ledger, &Rules),
    search: Search<'_>,
    mut each: impl FnMut(Candidate),
) -> Result<Found, ApiError> {
    match search.source {
        TaskSource::Tasks(ids) => {
            for id in ids {
                each(named(id, ledger));
            }
            Ok(Found {
                coverage: None,
                listed_until: None,
                complete: true,
                workflows: 0,
            })
        }
        TaskSource::Workflows(ids) => {
            let complete = tasks_of(api, ids.clone(), search.concurrency, each).await?;
            Ok(Found {
                coverage: None,
                listed_until: None,
                complete,
                workflows: ids.len() as u64,
            })
        }
        TaskSource::Listing => listing(api, (ledger, rules), &search, each).await,
    }
}

async fn listing(
    api: &ApiClient,
    (ledger, rules): (&Ledger, &Rules),
    search: &Search<'_>,
    mut each: impl FnMut(Candidate),
) -> Result<Found, ApiError> {
    let resume = resume_point(ledger, (rules, search.lookback));
    let (window, covered) = window_of((rules, search.lookback), resume);
    let workflows = api.list_workflows(window).await?;
    let mut remembered: BTreeMap<&TaskId, &UnsealedTask> = ledger
        .unsealed()
        .filter(|known| rules.shard.is_none_or(|shard| shard.holds(&known.task.id)))
        .filter(|known| match (&rules.range, known.task.schedule_start) {
            (Some(range), Some(start)) => range.contains(day_of(rules.zone, start)),
            (Some(_), None) => false,
            (None, _) => true,
        })
        .map(|known| (&known.task.id, known))
        .collect();
    // Running tasks are asked for again however old their workflow is.
    let ids: BTreeSet<WorkflowId> = workflows
        .items
        .into_iter()
        .map(|workflow| workflow.id)
        .chain(
            remembered
                .values()
                .filter_map(|known| known.task.workflow.clone()),
        )
        .collect();
    let workflow_count = ids.len() as u64;
    let tasks_complete = tasks_of(api, ids.into_iter().collect(), search.concurrency, |task| {
        remembered.remove(&task.id);
        each(task);
    });
    let tasks_complete = tasks_complete.await?;
    for known in remembered.values() {
        each(Candidate {
            id: known.task.id.clone(),
            workflow: known.task.workflow.clone(),
            status: Some(known.task.status.clone()),
            schedule_start: known.task.schedule_start,
            schedule_end: known.task.schedule_end,
            seen: Seen::Remembered,
        });
    }
    let complete = workflows.complete && tasks_complete;
    let coverage = covered.filter(|_| complete).map(|covered| Coverage {
        from: covered.from,
        to: covered.to,
        at: rules.now,
    });
    let listed_until = (complete && rules.range.is_none()).then_some(rules.now);
    Ok(Found {
        coverage,
        listed_until,
        complete,
        workflows: workflow_count,
    })
}

/// Lists the tasks of workflows; says whether all listings were complete.
async fn tasks_of(
    api: &ApiClient,
    workflows: Vec<WorkflowId>,
    concurrency: usize,
    mut each: impl FnMut(Candidate),
) -> Result<bool, ApiError> {
    let mut listings = stream::iter(workflows)
        .map(|workflow| async move { api.list_tasks(&workflow).await })
        .buffer_unordered(concurrency.max(1));
    let mut complete = true;
    while let Some(listing) = listings.try_next().await? {
        complete &= listing.complete;
        listing.items.into_iter().map(candidate).for_each(&mut each);
    }
    Ok(complete)
}

fn candidate(task: ListedTask) -> Candidate {
    Candidate {
        id: task.id,
        workflow: task.workflow,
        status: task.status,
        schedule_start: task.schedule_start,
        schedule_end: task.schedule_end,
        seen: Seen::Listed,
    }
}

/// A task that a person named: what the ledger knows of its schedule, and no status.
fn named(id: &TaskId, ledger: &Ledger) -> Candidate {
    let known = match ledger.state(id) {
        Some(TaskState::Early(known) | TaskState::Open(known) | TaskState::Failed(known)) => {
            Some(&known.task)
        }
        Some(TaskState::Sealed { .. } | TaskState::Vanished { .. }) | None => None,
    };
    Candidate {
        id: id.clone(),
        workflow: known.and_then(|task| task.workflow.clone()),
        status: None,
        schedule_start: known.and_then(|task| task.schedule_start),
        schedule_end: known.and_then(|task| task.schedule_end),
        seen: Seen::Named,
    }
}
