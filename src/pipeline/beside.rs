//! How a run begins: is the lake its own, and is another run at work there?
//!
//! Runs beside each other do no harm, the commit log sees to that. They may be a mistake all the
//! same, and cost requests twice; so they are named, and `if_running` says what comes of it.
//!
//! Of two that start at the same moment, and wait or fail for each other, the one goes on that
//! began first.

use std::time::Duration;

use tokio::time::{Instant, sleep};

use super::summary::Stop;
use super::{Export, StopSwitch};
use crate::clock::Clock;
use crate::event::Events;
use crate::job::{IfRunning, Job};
use crate::lake::{Claim, LakeError, LivingRun, Store, living_runs};
use crate::privacy::printable;

/// How often who waits says so.
const SAY_EVERY: Duration = Duration::from_secs(30);
/// How often who waits looks.
const LOOK_EVERY: Duration = Duration::from_millis(500);
/// The same where a look costs requests.
const ASK_EVERY: Duration = Duration::from_secs(5);

/// Why a run did not begin.
#[derive(Debug, thiserror::Error)]
pub enum BeginError {
    /// The lake is another's, or the destination fails.
    #[error(transparent)]
    Lake(#[from] LakeError),
    /// Another run is at work, and `if_running` is `fail`.
    #[error(
        "another run is at work on this lake, and `if_running` is `fail`: {0}. Nothing was done; run \
         again when it has ended, or set --if-running wait or share"
    )]
    Running(String),
    /// A signal ended the waiting.
    #[error("it was told to stop while it waited for another run; nothing was done")]
    Stopped(Stop),
}

/// What a run needs to begin.
#[derive(Debug)]
pub struct Beginning {
    /// Whose run it is.
    pub claim: Claim,
    /// Whether it replaces: a committed file that is lost does not keep it from opening the lake.
    pub mends: bool,
}

impl<'a> Export<'a> {
    /// Opens the lake, if it is the run's, and as `if_running` says if another run is at work.
    ///
    /// # Errors
    /// See [`BeginError`].
    pub async fn begin(
        job: &'a Job,
        beginning: &Beginning,
        parts: (Clock, Events, StopSwitch),
    ) -> Result<Self, BeginError> {
        let Beginning { claim, mends } = beginning;
        claim.check(&Store::new(&job.dest)?).await?;
        loop {
            yield_to_others(job, &parts.2).await?;
            let mut export = Self::open_as(job, parts.clone(), *mends).await?;
            if job.if_running == IfRunning::Share {
                export.lake.claim(claim.clone());
                return Ok(export);
            }
            // Others may have looked when this one did.
            let ahead = export.ahead().await?;
            if ahead.is_empty() {
                export.lake.claim(claim.clone());
                return Ok(export);
            }
            export.lake.close().await?;
            if job.if_running == IfRunning::Fail {
                return Err(BeginError::Running(names(&ahead)));
            }
        }
    }

    /// The other runs that began before this one.
    async fn ahead(&self) -> Result<Vec<LivingRun>, LakeError> {
        let mut living = living_runs(&self.job.dest).await?;
        let us = living.iter().position(|run| run.run_id == self.run);
        let us = us.map(|at| living.remove(at));
        living.retain(|run| {
            let us = us.as_ref();
            us.is_none_or(|us| (run.since, &run.run_id) < (us.since, &us.run_id))
        });
        Ok(living)
    }
}

/// Says who is at work, and waits for the end of it, or fails, or goes on.
async fn yield_to_others(job: &Job, stop: &StopSwitch) -> Result<(), BeginError> {
    let pause = if Store::new(&job.dest)?.is_local() {
        LOOK_EVERY
    } else {
        ASK_EVERY
    };
    let mut said: Option<(Instant, String)> = None;
    loop {
        let living = living_runs(&job.dest).await?;
        if living.is_empty() {
            return Ok(());
        }
        let names = names(&living);
        match job.if_running {
            IfRunning::Share => {
                tracing::info!(
                    "another run is at work on this lake, and both go on (if_running = share): {names}"
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

/// Who they are, in a line.
fn names(living: &[LivingRun]) -> String {
    let names: Vec<_> = living.iter().map(ToString::to_string).collect();
    printable(&names.join("; ")).into_owned()
}
