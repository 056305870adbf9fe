//! `plan`: what `run` or `backfill` would do.

use clap::{Args, Subcommand};

use super::backfill::BackfillArgs;
use super::dispatch::Context;
use super::pull;
use super::run::RunArgs;
use super::settings::Ask;
use crate::error::{Error, ExitCode};
use crate::event::Events;
use crate::pipeline::{self, Assignment};

/// Arguments of `plan`.
#[derive(Args, Clone, Debug, PartialEq, Eq)]
pub struct PlanArgs {
    /// The command to plan, with its arguments.
    #[command(subcommand)]
    pub what: PlanWhat,
}

/// What is planned.
#[derive(Subcommand, Clone, Debug, PartialEq, Eq)]
pub enum PlanWhat {
    /// What `run` would pull now
    Run(RunArgs<Ask>),
    /// What `backfill` would pull
    Backfill(BackfillArgs<Ask>),
}

/// Decides as the command would, and shows it.
///
/// # Errors
/// When a setting, the listing or the lake fails.
pub async fn run(args: &PlanArgs, context: &mut Context<'_>) -> Result<ExitCode, Error> {
    let mut job = context.job()?;
    let (select, assignment) = match &args.what {
        PlanWhat::Run(args) => (&args.select, Assignment::default()),
        PlanWhat::Backfill(args) => (
            &args.select,
            Assignment {
                range: Some(args.days.range),
                replace: args.replace,
            },
        ),
    };
    pull::choose(&mut job, select)?;
    job.api.required_credentials()?;
    let clock = context.clock()?;
    let events = Events::default();
    let (plan, _found) =
        pipeline::plan(&job, &assignment, (&clock, &events), context.stop.token()).await?;
    for (reason, count) in plan.reasons() {
        writeln!(context.out, "{:>8} {}", count, reason.describe()).map_err(Error::Output)?;
    }
    Ok(ExitCode::Done)
}
