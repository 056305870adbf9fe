//! `verify`: everything is read back.

use clap::Args;

use super::settings::{Check, Settings};

/// Arguments of `verify`.
#[derive(Args, Clone, Debug, Default, PartialEq, Eq)]
pub struct VerifyArgs {
    /// Settings.
    #[command(flatten)]
    pub settings: Settings<Check>,
}
