//! `status`: what the lake holds.

use clap::Args;

use super::settings::{Inspect, Settings};

/// Arguments of `status`.
#[derive(Args, Clone, Debug, Default, PartialEq, Eq)]
pub struct StatusArgs {
    /// Settings.
    #[command(flatten)]
    pub settings: Settings<Inspect>,
}
