//! `backfill`: the tasks of past days.

use clap::Args;

use super::dates::RangeArgs;
use super::select::SelectArgs;
use super::settings::{Group, Pull, Settings};

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
