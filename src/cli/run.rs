//! `run`: the nightly job.

use clap::Args;

use super::select::SelectArgs;
use super::settings::{Group, Pull, Settings};

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
