//! The `run` command: the nightly job.

use clap::Args;

use super::context::Context;
use super::pull;
use super::select::SelectArgs;
use super::settings::{Pull, Settings};
use crate::error::Error;
use crate::exit_code::ExitCode;
use crate::pipeline::{Assignment, LakeChange};

/// Allowances: what is refused without them.
#[derive(Args, Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct AllowArgs {
    /// Let an answer with fewer calls take the place of exported rows
    ///
    /// Otherwise it is refused and listed, and the rows stay: an answer that was emptied, purged or
    /// cut at the vendor's would take them away.
    #[arg(long)]
    pub allow_fewer: bool,
    /// Go on although the clock, or --as-of, is more than a day ahead of the vendor's
    ///
    /// Otherwise the run is refused: it would take days for over that are not.
    #[arg(long)]
    pub allow_future: bool,
    /// Go on although the lake is of another account or host, and write that down
    ///
    /// Otherwise the run is refused: the calls of two accounts in one lake can't be told apart any
    /// more. It is asked for once: the lake is this account's from then on. A partition time zone
    /// is never changed where something is committed.
    #[arg(long)]
    pub accept_lake_change: bool,
}

impl AllowArgs {
    /// An assignment with these allowances and no other options.
    pub(super) fn assignment(self) -> Assignment {
        Assignment {
            allow_fewer: self.allow_fewer,
            allow_future: self.allow_future,
            lake_change: LakeChange::of_flag(self.accept_lake_change),
            ..Assignment::default()
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
    /// Settings.
    #[command(flatten)]
    pub settings: Settings<Pull>,
}

/// Pulls final, new tasks.
///
/// # Errors
///
/// When a setting, the listing or the destination fails.
pub async fn run(args: &RunArgs, context: &mut Context<'_>) -> Result<ExitCode, Error> {
    pull::pull((&args.select, &args.allow.assignment()), "run", context).await
}
