//! The `compact` command: merges small files into large ones.

use std::io::Write;

use clap::Args;

use super::context::Context;
use super::dates::OpenRangeArgs;
use super::error::Error;
use super::output::deliver;
use super::settings::{Maintain, Settings};
use crate::exit_code::ExitCode;
use crate::job::{ResultFormat, SettingFlags};
use crate::lake::{self, FileQuery, Lake, LakeWriter};
use crate::maintenance::compact::{CompactOptions, CompactPlan, Compaction, compact};
use crate::pipeline::Stop;
use crate::report::CompactReport;

/// Arguments of `compact`.
#[derive(Args, Clone, Debug, Default, PartialEq, Eq)]
pub struct CompactArgs {
    /// The days.
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
    /// Settings.
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
    let report = if args.dry_run {
        let lake = Lake::open(&job.dest).await?;
        let plan = CompactPlan::new(lake.ledger(), options.query, target_bytes);
        CompactReport::planned(&plan, target_bytes)
    } else {
        let (clock, events) = (context.clock()?, super::maintenance_events());
        Box::pin(lake::end_delta_unless_wanted(
            &job.dest,
            job.delta.enabled,
            clock.run_id(),
        ))
        .await?;
        let opened = LakeWriter::open_existing(&job.dest, clock.run_id(), clock, events).await?;
        let mut done = Compaction::default();
        if let Some(mut lake) = opened {
            Box::pin(lake.begin_delta(job.delta.enabled)).await?;
            done = compact(&mut lake, &options, &context.stop.token()).await?;
            lake.close().await?;
        }
        CompactReport::of(done, target_bytes)
    };
    let mut out: &mut (dyn Write + Send) = context.out;
    deliver(&mut out, |out| match job.output.format {
        ResultFormat::Text => report.write_text(out),
        ResultFormat::Json => out.write_all(&report.to_json()),
    })
    .map_err(Error::Output)?;
    Ok(match context.stop.why() {
        Some(Stop::Terminated) if report.is_stopped() => ExitCode::Terminated,
        _ if report.is_stopped() => ExitCode::Interrupted,
        _ if report.is_partial() => ExitCode::Partial,
        _ => ExitCode::Done,
    })
}
