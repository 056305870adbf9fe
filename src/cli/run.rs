//! `run`: the nightly job.

use clap::Args;

use super::context::Context;
use super::pull;
use super::select::SelectArgs;
use super::settings::{Group, Pull, Settings};
use crate::error::Error;
use crate::exit_code::ExitCode;
use crate::pipeline::Assignment;

/// Arguments of `run`. `plan run` takes the same ones, less those that only matter for writing.
#[derive(Args, Clone, Debug, Default, PartialEq, Eq)]
pub struct RunArgs<G: Group = Pull> {
    /// Tasks named on the command line.
    #[command(flatten)]
    pub select: SelectArgs,
    /// Settings.
    #[command(flatten)]
    pub settings: Settings<G>,
}

/// Pulls what is final and new.
///
/// # Errors
/// When a setting, the listing or the destination fails.
pub async fn run(args: &RunArgs, context: &mut Context<'_>) -> Result<ExitCode, Error> {
    pull::pull((&args.select, &Assignment::default()), "run", context).await
}
