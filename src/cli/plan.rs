//! `plan`: what `run` or `backfill` would do.

use clap::{Args, Subcommand};

use super::backfill::BackfillArgs;
use super::run::RunArgs;
use super::settings::Ask;

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
