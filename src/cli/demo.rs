//! `demo`: the whole job on a fresh machine.

use std::path::PathBuf;

use clap::{Args, ValueHint};

use super::settings::{Settings, Show};

/// Arguments of `demo`.
#[derive(Args, Clone, Debug, PartialEq, Eq)]
pub struct DemoArgs {
    /// Where the demo's lake is made
    #[arg(long, value_name = "PATH", default_value = "./lake", value_hint = ValueHint::DirPath)]
    pub dest: PathBuf,
    /// Settings.
    #[command(flatten)]
    pub settings: Settings<Show>,
}

/// Exports an invented week and a second night.
///
/// # Errors
/// When the sandbox cannot listen, or the destination fails.
pub async fn run(
    _args: &DemoArgs,
    _context: &mut super::dispatch::Context<'_>,
) -> Result<crate::error::ExitCode, crate::error::Error> {
    Err(crate::error::Error::Usage("not wired yet".to_owned()))
}
