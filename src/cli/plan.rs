//! The `plan` command: shows what `run` or `backfill` would do.

use std::io::Write;

use clap::{Args, Subcommand};

use super::backfill::BackfillArgs;
use super::context::Context;
use super::error::Error;
use super::output::{deliver, one_line};
use super::pull;
use super::run::RunArgs;
use crate::exit_code::ExitCode;
use crate::job::ResultFormat;
use crate::lake::Claim;
use crate::pipeline::{self, RunContext};
use crate::report::{PlanCost, PlanReport};

/// Arguments of `plan`: another command with its own arguments.
#[derive(Args, Clone, Debug, PartialEq, Eq)]
pub struct PlanArgs {
    /// The command to plan, with its arguments.
    #[command(subcommand)]
    pub what: PlanWhat,
}

/// The commands that `plan` can plan.
#[derive(Subcommand, Clone, Debug, PartialEq, Eq)]
pub enum PlanWhat {
    /// What `run` would pull now
    Run(RunArgs),
    /// What `backfill` would pull
    Backfill(BackfillArgs),
}

/// Plans as the command would, and prints the plan.
///
/// # Errors
///
/// When a setting, the listing or the lake fails.
pub async fn run(args: &PlanArgs, context: &mut Context<'_>) -> Result<ExitCode, Error> {
    let mut job = context.job()?;
    let clock = context.clock()?;
    let (mut command, select, scope) = match &args.what {
        PlanWhat::Run(args) => ("run".to_owned(), &args.select, args.allow.scope()),
        PlanWhat::Backfill(args) => (
            "backfill".to_owned(),
            &args.select,
            args.scope(&job, clock.now())?,
        ),
    };
    if let Some(range) = scope.range {
        command = format!("{command} {range}");
    }
    pull::choose(&mut job, select, context)?;
    job.api.required_credentials()?;
    let console = pull::Console::new(&job, &context.env);
    let claim = Claim::of(&job, scope.lake_change.is_accepted());
    let run = RunContext {
        run: clock.run_id(),
        clock,
        events: console.events.clone(),
        stop: context.stop.clone(),
    };
    let decided = pipeline::plan(&job, &scope, &claim, run).await;
    console.finish();
    let (plan, found) = decided?;
    let cost = PlanCost {
        listing_requests: console.tally().requests().of_listings(),
        per_second: job.api.rate.per_second,
    };
    let report = PlanReport::new(&command, &plan, cost, job.output.verbosity > 0);
    let mut out: &mut (dyn Write + Send) = context.out;
    deliver(&mut out, |out| match job.output.format {
        ResultFormat::Text => report.write_text(out),
        ResultFormat::Json => out.write_all(&one_line(&report.to_json())),
    })
    .map_err(Error::Output)?;
    Ok(if found.complete {
        ExitCode::Done
    } else {
        ExitCode::Partial
    })
}
