//! The `run` command: the nightly job.

use clap::Args;

use super::context::Context;
use super::error::Error;
use super::pull;
use super::select::SelectArgs;
use super::settings::{Pull, Settings};
use crate::exit_code::ExitCode;
use crate::pipeline::{LakeChange, RunScope};

/// Allowances: what is refused without them.
#[derive(Args, Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct AllowArgs {
    /// Let a response with fewer calls replace exported rows
    ///
    /// Otherwise it is refused and reported, and the rows stay: a response that the vendor emptied,
    /// purged or truncated would remove them.
    #[arg(long)]
    pub allow_fewer: bool,
    /// Continue although the clock, or --as-of, is more than a day ahead of the vendor's
    ///
    /// Otherwise the run is refused: it would treat days as ended that are not.
    #[arg(long)]
    pub allow_future: bool,
    /// Continue although the lake is of another account or host, and record the change
    ///
    /// Otherwise the run is refused: the calls of two accounts in one lake can't be told apart.
    /// Needed only once: the lake then belongs to this account. The partition time zone of a lake
    /// with commits never changes.
    #[arg(long)]
    pub accept_lake_change: bool,
}

impl AllowArgs {
    /// An scope with these allowances and no other options.
    pub(super) fn scope(self) -> RunScope {
        RunScope {
            allow_fewer: self.allow_fewer,
            allow_future: self.allow_future,
            lake_change: LakeChange::of_flag(self.accept_lake_change),
            ..RunScope::default()
        }
    }
}

/// Arguments of `run`. `plan run` takes the same ones.
#[derive(Args, Clone, Debug, Default, PartialEq, Eq)]
pub struct RunArgs {
    /// Allowances for what is refused by default.
    #[command(flatten)]
    pub allow: AllowArgs,
    /// Tasks named on the command line.
    #[command(flatten)]
    pub select: SelectArgs,
    /// Settings of a command that pulls, given as flags.
    #[command(flatten)]
    pub settings: Settings<Pull>,
}

/// Pulls final, new tasks.
///
/// # Errors
///
/// When a setting, the listing or the destination fails.
pub async fn run(args: &RunArgs, context: &mut Context<'_>) -> Result<ExitCode, Error> {
    pull::pull(&args.select, &args.allow.scope(), "run", context).await
}
