//! `replay`: saved answers into the lake.

use std::path::PathBuf;

use clap::{Args, ValueHint};

use super::settings::{Replay, Settings};

/// Arguments of `replay`.
#[derive(Args, Clone, Debug, Default, PartialEq, Eq)]
pub struct ReplayArgs {
    /// Saved answers: files, folders (with what is below them), or - for a list of names
    ///
    /// Files may be compressed (.gz, .zst). With -, standard input holds one file name a line.
    #[arg(required = true, value_name = "FILE", value_hint = ValueHint::AnyPath)]
    pub files: Vec<PathBuf>,
    /// Take sealed tasks again; their rows take the place of the old ones
    #[arg(long)]
    pub replace: bool,
    /// Settings.
    #[command(flatten)]
    pub settings: Settings<Replay>,
}
