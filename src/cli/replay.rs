//! `replay`: saved answers into the lake.

use std::io::BufRead as _;
use std::path::PathBuf;

use clap::{Args, ValueHint};

use super::context::Context;
use super::pull;
use super::settings::{Replay, Settings};
use crate::error::Error;
use crate::exit_code::ExitCode;
use crate::pipeline::{Assignment, Export, ReplayInputError, saved_answers};

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
    /// Let an answer with fewer calls take the place of exported rows
    ///
    /// Otherwise it is refused and listed, and the rows stay.
    #[arg(long, requires = "replace")]
    pub allow_fewer: bool,
    /// Settings.
    #[command(flatten)]
    pub settings: Settings<Replay>,
}

/// Takes saved answers.
///
/// # Errors
/// When a setting, a file that was named or the destination fails.
pub async fn run(args: &ReplayArgs, context: &mut Context<'_>) -> Result<ExitCode, Error> {
    let job = context.job()?;
    let files = saved_answers(&named(&args.files)?)?;
    let assignment = Assignment {
        replace: args.replace,
        allow_fewer: args.allow_fewer,
        ..Assignment::default()
    };
    let clock = context.clock()?;
    let console = pull::Console::new(&job, &context.env);
    pull::warn_without_zone(&job, &console.events);
    let parts = (clock, console.events.clone(), context.stop.clone());
    let ended = async {
        let export = if assignment.replace {
            Export::open_to_mend(&job, parts).await?
        } else {
            Export::open(&job, parts).await?
        };
        pull::refuse_demo_lake(&export, &job).await?;
        Ok(export.replay(files, &assignment).await?)
    };
    let ended = ended.await.inspect_err(|_: &Error| console.finish())?;
    let report = console.report(("replay", &job), ended).await?;
    pull::show(&report, (&job, context.out))
}

/// The names given, with the list on standard input in the place of `-`.
fn named(files: &[PathBuf]) -> Result<Vec<PathBuf>, ReplayInputError> {
    let mut named = Vec::new();
    for file in files {
        if file.as_os_str() != "-" {
            named.push(file.clone());
            continue;
        }
        for line in std::io::stdin().lock().lines() {
            let line = line.map_err(|source| ReplayInputError::Unreadable {
                path: PathBuf::from("-"),
                source,
            })?;
            if !line.trim().is_empty() {
                named.push(PathBuf::from(line.trim_end_matches('\r')));
            }
        }
    }
    Ok(named)
}
