//! The `vacuum` command: removes files that no commit needs.

use std::io::Write;
use std::time::Duration;

use clap::Args;

use super::context::Context;
use super::error::Error;
use super::output::{deliver, one_line};
use super::settings::{Clear, Settings};
use super::watched::{self, Reported};
use crate::clock::Clock;
use crate::exit_code::ExitCode;
use crate::job::environment::AS_OF;
use crate::job::{Job, ResultFormat, quantity};
use crate::lake::{self, Lake, LakeWriter};
use crate::maintenance::vacuum::{VacuumOptions, Vacuumed, plan_vacuum, vacuum};
use crate::report::{VacuumReport, logged_events};
use crate::task::RunId;

/// Arguments of `vacuum`: which files are removed, by age.
#[derive(Args, Clone, Debug, PartialEq, Eq)]
pub struct VacuumArgs {
    /// Only files last written at least this long ago
    ///
    /// Files staged by a run that ended early are removed in any case.
    #[arg(long, value_name = "DURATION", default_value = "7d", value_parser = quantity::duration)]
    pub older_than: Duration,
    /// Also rejects older than this; otherwise they are kept
    #[arg(long, value_name = "DURATION", value_parser = quantity::duration)]
    pub rejects_older_than: Option<Duration>,
    /// Also files in the tables' folders that no commit knows
    ///
    /// A run with a complete commit log never makes such files: they were copied there, or the log
    /// was lost or restored from an older copy. `verify --repair` puts them aside instead.
    #[arg(long)]
    pub unknown: bool,
    /// Only report what would be removed
    #[arg(long)]
    pub dry_run: bool,
    /// Settings of a command that removes files, given as flags.
    #[command(flatten)]
    pub settings: Settings<Clear>,
}

/// Removes files that no commit needs, and reports them.
///
/// # Errors
///
/// When a setting or the destination fails.
pub async fn run(args: &VacuumArgs, context: &mut Context<'_>) -> Result<ExitCode, Error> {
    let job = context.quiet_job()?;
    // File times are real time, regardless of `--as-of`.
    let clock = Clock::system();
    if args.dry_run {
        let done = work(args, &job, context, clock.clone(), clock.run_id()).await;
        return done.map(|done| done.code);
    }
    let observer = watched::begin(&job, "vacuum", &clock);
    let run = observer.run_id().clone();
    let ended = work(args, &job, context, clock.clone(), run).await;
    watched::end_reported(observer, &clock, ended).await
}

async fn work(
    args: &VacuumArgs,
    job: &Job,
    context: &mut Context<'_>,
    clock: Clock,
    run: RunId,
) -> Result<Reported, Error> {
    lake::expect_place(&job.dest).await?;
    let VacuumArgs {
        older_than,
        rejects_older_than,
        unknown,
        dry_run,
        settings: _,
    } = args;
    let options = VacuumOptions {
        older_than: *older_than,
        unknown: *unknown,
        max_share: job.vacuum.max_share,
        reports_older_than: job.vacuum.reports_older_than,
        rejects_older_than: *rejects_older_than,
        delta_retention: job.delta.retention,
    };
    if let Ok(Some(_)) = context.env.get(AS_OF) {
        tracing::warn!(
            "{AS_OF} is not used by vacuum: files carry the machine's time, and their age (such as \
             --older-than) is told by it"
        );
    }
    let now = clock.now();
    let done = if *dry_run {
        let lake = Lake::open(&job.dest).await?;
        if lake.is_empty() {
            Vacuumed::default()
        } else {
            plan_vacuum(&lake, options, now).await?
        }
    } else {
        let events = logged_events();
        let ends = clock.run_id();
        let open = LakeWriter::open_existing(&job.dest, run, clock, events);
        match lake::open_with_delta(&job.dest, job.delta.enabled, ends, open).await? {
            None => Vacuumed::default(),
            Some(mut lake) => {
                let done = vacuum(&mut lake, options, now).await?;
                lake.close().await?;
                done
            }
        }
    };
    let report = VacuumReport::new(*dry_run, done);
    let mut out: &mut (dyn Write + Send) = context.out;
    deliver(&mut out, |out| match job.output.format {
        ResultFormat::Text => report.write_text(job.output.verbosity > 0, out),
        ResultFormat::Json => out.write_all(&one_line(&report.to_json())),
    })
    .map_err(Error::Output)?;
    Ok(Reported {
        code: ExitCode::Done,
        json: report.to_json(),
    })
}
