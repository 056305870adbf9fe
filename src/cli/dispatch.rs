//! Dispatches the command line to the command's module.

use clap::CommandFactory as _;

use super::args::Command;
use super::context::Context;
use super::error::Error;
use super::{Cli, completions, init, man};
use crate::exit_code::ExitCode;

/// Runs the command.
///
/// # Errors
///
/// When the command fails; see [`Error::exit_code`].
pub async fn dispatch(cli: Cli, context: &mut Context<'_>) -> Result<ExitCode, Error> {
    if cli.command.reads_settings() {
        context.env.check()?;
    }
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
        Command::Demo(args) => Box::pin(super::demo::run(&args, context)).await,
        Command::Status(args) => {
            let (job, clock) = (context.quiet_job()?, context.clock()?);
            Ok(super::status::run(&args, &job, &clock, &mut context.out).await?)
        }
        Command::Report(args) => {
            let (job, clock) = (context.quiet_job()?, context.clock()?);
            Ok(super::report::run(&args, &job, clock.now(), context).await?)
        }
        Command::Files(args) => {
            let job = context.quiet_job()?;
            super::files::run(&args, &job, &mut context.out).await?;
            Ok(ExitCode::Done)
        }
        Command::Changes(args) => {
            let job = context.quiet_job()?;
            super::changes::run(&args, &job, &mut context.out).await?;
            Ok(ExitCode::Done)
        }
        Command::Load(args) => {
            let job = context.quiet_job()?;
            super::load::run(&args, &job, &mut context.out).await?;
            Ok(ExitCode::Done)
        }
        Command::Schema(args) => {
            super::schema::run(&args, &mut context.out)?;
            Ok(ExitCode::Done)
        }
        Command::Init(args) => {
            init::run(&args, &mut context.out)?;
            Ok(ExitCode::Done)
        }
        Command::Completions(args) => {
            completions::run(args, Cli::command(), &mut context.out).map_err(Error::Output)?;
            Ok(ExitCode::Done)
        }
        Command::Man(args) => {
            man::run(&args, Cli::command(), &mut context.out)?;
            Ok(ExitCode::Done)
        }
    }
}
