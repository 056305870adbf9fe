//! The `backfill` command: exports the tasks of past days.

use chrono::{DateTime, Utc};
use clap::Args;

use super::context::Context;
use super::dates::RangeArgs;
use super::error::Error;
use super::pull;
use super::run::AllowArgs;
use super::select::SelectArgs;
use super::settings::{Pull, Settings};
use crate::exit_code::ExitCode;
use crate::job::Job;
use crate::pipeline::RunScope;

/// Arguments of `backfill`. `plan backfill` takes the same ones.
#[derive(Args, Clone, Debug, PartialEq, Eq)]
pub struct BackfillArgs {
    /// The days to pull, both ends included.
    #[command(flatten)]
    pub days: RangeArgs,
    /// Pull sealed tasks again; their rows replace the old ones
    ///
    /// Without it, exported tasks are skipped, and a repeated backfill pulls only what is missing.
    /// Readers that use `files` switch from the old rows to the new ones atomically.
    #[arg(long)]
    pub replace: bool,
    /// What is refused otherwise.
    #[command(flatten)]
    pub allow: AllowArgs,
    /// Tasks named on the command line.
    #[command(flatten)]
    pub select: SelectArgs,
    /// Settings of a command that pulls, given as flags.
    #[command(flatten)]
    pub settings: Settings<Pull>,
}

impl BackfillArgs {
    /// The scope, as of the given time.
    ///
    /// # Errors
    ///
    /// When `tasks.not_before` excludes every day of the range.
    pub fn scope(&self, job: &Job, now: DateTime<Utc>) -> Result<RunScope, Error> {
        let range = self.days.range(now, job.discover.partition_timezone);
        if let Some(first) = job.discover.not_before.filter(|first| range.to() < *first) {
            return Err(Error::Usage(format!(
                "the range ends on {}, and `tasks.not_before` leaves out all tasks before {first}",
                range.to()
            )));
        }
        Ok(RunScope {
            range: Some(range),
            replace: self.replace,
            ..self.allow.scope()
        })
    }
}

/// Pulls the final tasks with a scheduled start in a range of days.
///
/// # Errors
///
/// When a setting, the listing or the destination fails.
pub async fn run(args: &BackfillArgs, context: &mut Context<'_>) -> Result<ExitCode, Error> {
    let scope = args.scope(&context.job()?, context.clock()?.now())?;
    pull::pull(&args.select, &scope, "backfill", context).await
}
