//! `doctor`: does it all fit?

use clap::Args;

use super::settings::{Settings, Try};

/// Arguments of `doctor`.
#[derive(Args, Clone, Debug, Default, PartialEq, Eq)]
pub struct DoctorArgs {
    /// Settings.
    #[command(flatten)]
    pub settings: Settings<Try>,
}
