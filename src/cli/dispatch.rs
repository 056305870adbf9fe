//! From the command line to the command that does it.

use std::io::Write;

use super::args::Command;
use super::{Cli, completions, init, man};
use crate::error::{Error, ExitCode};
use crate::job::{self, Environment, Job, SettingFlags};
use crate::pipeline::StopSwitch;
use crate::report::{Screen, init_logging};

/// What a command works with.
pub struct Context<'a> {
    /// Settings given as flags.
    pub flags: SettingFlags,
    /// Settings given as environment variables.
    pub env: Environment,
    /// Where results go.
    pub out: &'a mut (dyn Write + Send),
    /// Tells it to stop.
    pub stop: StopSwitch,
}

impl std::fmt::Debug for Context<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Context").finish_non_exhaustive()
    }
}

impl Context<'_> {
    /// The job of a command that needs a whole one.
    ///
    /// # Errors
    /// The first setting that is missing or wrong.
    pub fn job(&self) -> Result<Job, Error> {
        Ok(job::load(&self.flags, &self.env)?)
    }

    /// The job of a command that only reads, with its log lines on standard error.
    ///
    /// # Errors
    /// As [`Self::job`].
    pub fn quiet_job(&self) -> Result<Job, Error> {
        let job = self.job()?;
        init_logging(&job.output, &Screen::standard_error(&job.output, &self.env));
        Ok(job)
    }

    /// The clock to decide by.
    ///
    /// # Errors
    /// When `--as-of` is no time.
    pub fn clock(&self) -> Result<crate::clock::Clock, Error> {
        Ok(job::load_clock(&self.flags, &self.env)?)
    }
}

/// Does what the command line says.
///
/// # Errors
/// When the command could not do it; see [`Error::exit_code`].
pub async fn dispatch(cli: Cli, context: &mut Context<'_>) -> Result<ExitCode, Error> {
    match cli.command {
        Command::Run(args) => super::run::run(&args, context).await,
        Command::Backfill(args) => super::backfill::run(&args, context).await,
        Command::Replay(args) => super::replay::run(&args, context).await,
        Command::Plan(args) => super::plan::run(&args, context).await,
        Command::Verify(args) => super::verify::run(&args, context).await,
        Command::Compact(args) => super::compact::run(&args, context).await,
        Command::Vacuum(args) => super::vacuum::run(&args, context).await,
        Command::Doctor(_) => super::doctor::run(context).await,
        Command::Sandbox(args) => super::sandbox::run(&args, context).await,
        Command::Demo(args) => super::demo::run(&args, context).await,
        Command::Status(_) => {
            let (job, clock) = (context.quiet_job()?, context.clock()?);
            super::status::run(&job, &clock, &mut context.out).await?;
            Ok(ExitCode::Done)
        }
        Command::Files(args) => {
            let job = context.quiet_job()?;
            super::files::run(&args, &job, &mut context.out).await?;
            Ok(ExitCode::Done)
        }
        Command::Schema(args) => {
            super::schema::run(&args, &mut context.out).map_err(Error::Output)?;
            Ok(ExitCode::Done)
        }
        Command::Init(args) => {
            init::run(&args, &mut context.out)?;
            Ok(ExitCode::Done)
        }
        Command::Completions(args) => {
            completions::run(args, &mut context.out).map_err(Error::Output)?;
            Ok(ExitCode::Done)
        }
        Command::Man(args) => {
            man::run(&args, &mut context.out)?;
            Ok(ExitCode::Done)
        }
    }
}
