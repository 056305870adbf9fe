//! The `compact` command: merges small files into large ones.

use std::io::Write;

use clap::Args;

use super::context::Context;
use super::dates::OpenRangeArgs;
use super::error::Error;
use super::output::{deliver, one_line};
use super::settings::{Maintain, Settings};
use super::watched::{self, Reported};
use crate::clock::Clock;
use crate::exit_code::ExitCode;
use crate::job::{Job, ResultFormat, SettingFlags};
use crate::lake::{self, FileQuery, Lake, LakeWriter};
use crate::maintenance::compact::{CompactOptions, CompactPlan, Compaction, compact};
use crate::pipeline::Stop;
use crate::report::{CompactReport, logged_events};
use crate::task::RunId;

/// Arguments of `compact`: which days, and the size of new files.
#[derive(Args, Clone, Debug, Default, PartialEq, Eq)]
pub struct CompactArgs {
    /// The days whose files are compacted; either end may be open.
    #[command(flatten)]
    pub days: OpenRangeArgs,
    /// Target size of the new files [default: as `target_file_size`, 256MiB]
    ///
    /// Files under half of it are merged, larger ones are left as they are.
    #[arg(long, value_name = "SIZE")]
    pub target_size: Option<String>,
    /// Only report what would be merged
    #[arg(long)]
    pub dry_run: bool,
    /// Settings of a command that rewrites files, given as flags.
    #[command(flatten)]
    pub settings: Settings<Maintain>,
}

impl CompactArgs {
    pub(super) fn add_to(&self, flags: &mut SettingFlags) {
        self.settings.add_to(flags);
        if let Some(size) = &self.target_size {
            flags.set("write.target_file_size", size.as_str());
        }
    }
}

/// Merges small files, one commit per day, and reports the result.
///
/// # Errors
///
/// When a setting or the destination fails, or a file differs from what was committed.
pub async fn run(args: &CompactArgs, context: &mut Context<'_>) -> Result<ExitCode, Error> {
    let job = context.quiet_job()?;
    if args.dry_run {
        return work(args, &job, context, None).await.map(|done| done.code);
    }
    let clock = context.clock()?;
    let observer = watched::begin(&job, "compact", &clock);
    let run = observer.run_id().clone();
    let ended = work(args, &job, context, Some((clock.clone(), run))).await;
    watched::end_reported(observer, &clock, ended).await
}

/// Merges or plans, and prints the report. `writes` is the clock and the id of a run that writes.
async fn work(
    args: &CompactArgs,
    job: &Job,
    context: &mut Context<'_>,
    writes: Option<(Clock, RunId)>,
) -> Result<Reported, Error> {
    lake::expect_place(&job.dest).await?;
    let OpenRangeArgs { from, to } = args.days;
    let options = CompactOptions {
        query: FileQuery {
            table: None,
            from,
            to,
            undated: false,
        },
        write: job.write.clone(),
    };
    let target_bytes = options.write.target_file_bytes.get();
    let report = if let Some((clock, run)) = writes {
        let events = logged_events();
        let ends = clock.run_id();
        let open = LakeWriter::open_existing(&job.dest, run, clock, events);
        let opened = lake::open_with_delta(&job.dest, job.delta.enabled, ends, open).await?;
        let mut done = Compaction::default();
        if let Some(mut lake) = opened {
            done = compact(&mut lake, &options, &context.stop.token()).await?;
            lake.close().await?;
        }
        CompactReport::of(done, target_bytes)
    } else {
        let lake = Lake::open(&job.dest).await?;
        let plan = CompactPlan::new(lake.ledger(), options.query, target_bytes);
        CompactReport::planned(&plan, target_bytes)
    };
    let mut out: &mut (dyn Write + Send) = context.out;
    deliver(&mut out, |out| match job.output.format {
        ResultFormat::Text => report.write_text(out),
        ResultFormat::Json => out.write_all(&one_line(&report.to_json())),
    })
    .map_err(Error::Output)?;
    let code = match context.stop.why() {
        Some(Stop::Terminated) if report.is_stopped() => ExitCode::Terminated,
        _ if report.is_stopped() => ExitCode::Interrupted,
        _ if report.is_partial() => ExitCode::Partial,
        _ => ExitCode::Done,
    };
    Ok(Reported {
        code,
        json: report.to_json(),
    })
}
