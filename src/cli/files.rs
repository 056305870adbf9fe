//! `files`: the data files that belong to the lake.

use clap::{Args, ValueEnum};

use super::dates::OpenRangeArgs;
use super::settings::{Look, Settings};

/// Arguments of `files`.
#[derive(Args, Clone, Debug, Default, PartialEq, Eq)]
pub struct FilesArgs {
    /// Only the files of this table
    #[arg(long, value_name = "TABLE")]
    pub table: Option<String>,
    /// The days.
    #[command(flatten)]
    pub days: OpenRangeArgs,
    /// How they are printed
    #[arg(long, value_enum, value_name = "WORD", default_value_t)]
    pub format: FilesFormat,
    /// Settings.
    #[command(flatten)]
    pub settings: Settings<Look>,
}

/// How files are printed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum FilesFormat {
    /// One path a line, for xargs and COPY commands
    #[default]
    Paths,
    /// One JSON document: path, table, date, rows, bytes and checksum of each, and the commit that
    /// is answered for
    Json,
}
