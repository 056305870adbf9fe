//! Start of a run: checks that the lake belongs to it and looks for other live runs.
//!
//! Concurrent runs are safe: the commit log resolves conflicts between them. They may still be
//! unintended, and they duplicate requests, so they are reported, and `if_running` decides what
//! happens.
//!
//! When two runs start at the same moment and both wait or fail for each other, the one that began
//! first continues.

use std::time::Duration;

use tokio::time::{Instant, sleep};

use super::stop::{Stop, StopSwitch};
use crate::job::IfRunning;
use crate::lake::{Claim, LakeError, LivingRun, living_runs};
use crate::privacy::printable;
use crate::store::Store;
use crate::task::RunId;

/// Interval between log lines while waiting for another run.
const SAY_EVERY: Duration = Duration::from_secs(30);
/// Interval between checks for other live runs.
const LOOK_EVERY: Duration = Duration::from_millis(500);
/// The same, for stores where a check costs requests.
const ASK_EVERY: Duration = Duration::from_secs(5);

/// Why a run did not start.
#[derive(Debug, thiserror::Error)]
pub enum BeginError {
    /// The lake belongs to another account or host, or the destination fails.
    #[error(transparent)]
    Lake(#[from] LakeError),
    /// Another run is active, and `if_running` is `fail`.
    #[error(
        "another run is at work on this lake, and `if_running` is `fail`: {0}. Nothing was done; run \
         again when it has ended, or set --if-running wait or share"
    )]
    Running(String),
    /// A signal arrived while the run was waiting.
    #[error("it was told to stop while it waited for another run; nothing was done")]
    Stopped(Stop),
}

/// Input for starting a run.
#[derive(Debug)]
pub struct Beginning {
    /// The account and host the run exports from.
    pub claim: Claim,
    /// Whether the run replaces exported tasks: it then opens the lake even if a committed file is
    /// missing.
    pub mends: bool,
}

/// Live runs that began before this one.
pub(super) async fn ahead(store: &Store, run: &RunId) -> Result<Vec<LivingRun>, LakeError> {
    let mut living = living_runs(store).await?;
    let us = living.iter().position(|living| living.run_id == *run);
    let us = us.map(|at| living.remove(at));
    living.retain(|run| {
        let us = us.as_ref();
        us.is_none_or(|us| (run.since, &run.run_id) < (us.since, &us.run_id))
    });
    Ok(living)
}

/// Reports the other live runs, then waits for them to end, fails or continues.
pub(super) async fn yield_to_others(
    store: &Store,
    if_running: IfRunning,
    stop: &StopSwitch,
) -> Result<(), BeginError> {
    let pause = if store.is_local() {
        LOOK_EVERY
    } else {
        ASK_EVERY
    };
    let mut said: Option<(Instant, String)> = None;
    loop {
        let living = living_runs(store).await?;
        if living.is_empty() {
            return Ok(());
        }
        let names = names(&living);
        match if_running {
            IfRunning::Share => {
                tracing::info!(
                    name: "other_run",
                    "another run is at work on this lake, and both continue (if_running = share): {names}"
                );
                return Ok(());
            }
            IfRunning::Fail => return Err(BeginError::Running(names)),
            IfRunning::Wait => {}
        }
        let is_said = said
            .as_ref()
            .is_some_and(|(when, what)| *what == names && when.elapsed() < SAY_EVERY);
        if !is_said {
            tracing::info!(
                name: "waiting_for_other_run",
                "waiting for the end of another run on this lake (if_running = wait): {names}"
            );
            said = Some((Instant::now(), names));
        }
        if stop
            .token()
            .run_until_cancelled(sleep(pause))
            .await
            .is_none()
        {
            return Err(BeginError::Stopped(stop.why().unwrap_or(Stop::Interrupted)));
        }
    }
}

/// Formats the live runs as one line.
pub(super) fn names(living: &[LivingRun]) -> String {
    let names: Vec<_> = living.iter().map(ToString::to_string).collect();
    printable(&names.join("; ")).into_owned()
}
