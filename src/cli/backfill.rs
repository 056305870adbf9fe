//! `backfill`: the tasks of past days.

use clap::Args;

use super::context::Context;
use super::dates::RangeArgs;
use super::pull;
use super::select::SelectArgs;
use super::settings::{Group, Pull, Settings};
use crate::error::Error;
use crate::exit_code::ExitCode;
use crate::pipeline::Assignment;

/// Arguments of `backfill`. `plan backfill` takes the same ones.
#[derive(Args, Clone, Debug, PartialEq, Eq)]
pub struct BackfillArgs<G: Group = Pull> {
    /// The days.
    #[command(flatten)]
    pub days: RangeArgs,
    /// Pull sealed tasks again; their rows take the place of the old ones
    ///
    /// Without it, what is exported is left, and a repeated backfill pulls only what is missing.
    /// Readers that follow `files` change from the old rows to the new ones at one moment.
    #[arg(long)]
    pub replace: bool,
    /// Tasks named on the command line.
    #[command(flatten)]
    pub select: SelectArgs,
    /// Settings.
    #[command(flatten)]
    pub settings: Settings<G>,
}

/// Pulls what is final on the days of a range.
///
/// # Errors
/// When a setting, the listing or the destination fails.
pub async fn run(args: &BackfillArgs, context: &mut Context<'_>) -> Result<ExitCode, Error> {
    let assignment = Assignment {
        range: Some(args.days.range),
        replace: args.replace,
    };
    pull::pull((&args.select, &assignment), "backfill", context).await
}
