//! The command line: arguments, and one module per command.
//!
//! `--help` is the manual. Flags of settings, their help texts and their defaults come from the
//! table in `job::settings`; defaults of settings are not repeated here. The environment is read by
//! `job::environment`, never by clap.

pub mod args;
pub mod backfill;
pub mod changes;
pub mod compact;
pub mod completions;
pub mod context;
pub mod dates;
pub mod demo;
pub mod dispatch;
pub mod doctor;
pub mod error;
pub mod files;
pub mod init;
mod lines;
pub mod load;
pub mod man;
pub mod output;
pub mod place;
pub mod plan;
mod pull;
pub mod replay;
pub mod report;
pub mod run;
pub mod sandbox;
pub mod schema;
pub mod select;
pub mod settings;
pub mod status;
mod table;
#[cfg(test)]
mod tests;
mod uri;
pub mod vacuum;
pub mod verify;
mod version;
mod watched;

use std::ffi::OsString;

use clap::error::{ContextKind, ContextValue, ErrorKind};
use clap::{ArgAction, CommandFactory as _, Parser};

use self::args::Command;
use self::settings::{Everywhere, Settings, Verbosity};
use crate::exit_code::ExitCode;
use crate::job::SettingFlags;
use crate::privacy::looks_like_data;

/// The name of the program, as typed in a shell.
pub const NAME: &str = "airudder-export";

/// Help is never wider than this many columns, however wide the terminal is.
const MAX_HELP_WIDTH: usize = 100;

const AFTER_HELP: &str = "\
Start with `airudder-export demo`, which needs nothing, then `init` and `doctor`.

Settings come from flags, from AIRUDDER_… environment variables, and from a job file (--job), in \
this order. Key and secret of the account come from AIRUDDER_APP_KEY and AIRUDDER_APP_SECRET or \
from files named in the job file, never from a flag.

Results go to standard output, everything else to standard error.

Exit codes:
    0  done
   64  bad usage
   65  records were rejected, or the lake is not what its commit log says
   69  the API could not be reached or did not answer usefully
   70  a bug in this program
   74  the destination could not be read or written
   75  done in part: some tasks failed, run again
   77  the API refused the credentials
   78  a setting is missing or wrong
  130  interrupted (Ctrl-C); 143 terminated (SIGTERM): what was complete is committed";

/// The parsed command line.
#[derive(Parser, Clone, Debug, PartialEq)]
#[command(
    name = NAME,
    version,
    about = "Export AI Rudder voice-bot calls to partitioned Parquet, every final task exactly once",
    long_about = "Exports the calls of an AI Rudder account to partitioned Parquet: lists the tasks \
                  that are final, pulls each once, flattens it into four tables (calls, redials, \
                  asr_turns, tasks) and commits them so that readers see whole tasks only. Run again \
                  every night without loss or duplicates.",
    after_long_help = AFTER_HELP,
    max_term_width = MAX_HELP_WIDTH,
    arg_required_else_help = true,
    disable_version_flag = true
)]
pub struct Cli {
    /// The command to run, with its arguments.
    #[command(subcommand)]
    pub command: Command,
    #[command(flatten)]
    everywhere: Settings<Everywhere>,
    #[command(flatten)]
    verbosity: Verbosity,
    /// Print the version; with -v also commit, target and features
    #[arg(short = 'V', long, action = ArgAction::Version)]
    version: Option<bool>,
}

impl Cli {
    /// Parses a command line, including the program's name.
    ///
    /// # Errors
    ///
    /// On a usage error, and for `--help` and `--version`: print the error (clap selects the
    /// stream) and exit with [`exit_code`].
    pub fn read<T: Into<OsString> + Clone>(
        arguments: impl IntoIterator<Item = T>,
    ) -> Result<Self, clap::Error> {
        let arguments: Vec<OsString> = arguments.into_iter().map(Into::into).collect();
        Self::try_parse_from(&arguments).map_err(|error| {
            if error.kind() == ErrorKind::DisplayVersion && version::is_verbose(&arguments) {
                let command = Self::command().version(version::VERBOSE);
                let printed = command.try_get_matches_from([NAME, "--version"]);
                return printed.err().unwrap_or(error);
            }
            without_data(error)
        })
    }

    /// The settings given with it, for `job::load`.
    #[must_use]
    pub fn settings(&self) -> SettingFlags {
        let mut flags = SettingFlags {
            verbosity: self.verbosity.level(),
            ..SettingFlags::default()
        };
        self.everywhere.add_to(&mut flags);
        self.command.add_settings_to(&mut flags);
        flags
    }
}

/// The error without arguments that look like data, such as a response given as an id.
fn without_data(mut error: clap::Error) -> clap::Error {
    for kind in [
        ContextKind::InvalidValue,
        ContextKind::InvalidArg,
        ContextKind::InvalidSubcommand,
    ] {
        let masked = match error.get(kind) {
            Some(ContextValue::String(text)) if looks_like_data(text) => {
                format!("({} bytes that look like data)", text.len())
            }
            _ => continue,
        };
        error.insert(kind, ContextValue::String(masked));
    }
    error
}

/// The exit code when [`Cli::read`] did not return a command: success for `--help` and `--version`,
/// otherwise a usage error.
#[must_use]
pub fn exit_code(error: &clap::Error) -> ExitCode {
    if error.use_stderr() {
        ExitCode::Usage
    } else {
        ExitCode::Done
    }
}
