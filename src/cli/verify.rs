//! The `verify` command: reads everything back.

use std::sync::Arc;

use clap::Args;

use super::context::Context;
use super::error::Error;
use super::settings::{Check, Settings};
use crate::exit_code::ExitCode;
use crate::job::ResultFormat;
use crate::lake::{self, LakeWriter};
use crate::maintenance;
use crate::maintenance::repair::{Repair, Repaired, repair};
use crate::report::figures::{self, count, counted};
use crate::report::{logged_events, run_of};
use crate::schema::table;

/// Arguments of `verify`: whether it also repairs.
#[derive(Args, Clone, Debug, Default, PartialEq, Eq)]
pub struct VerifyArgs {
    /// Repair what can be repaired
    ///
    /// Completes unfinished commits, rewrites day files, marker and checkpoints from the log, moves
    /// misplaced files back, and puts strays aside in _export/quarantine/. Reports what it did and
    /// what remains; exit code 65 if something remains.
    #[arg(long)]
    pub repair: bool,
    /// With --repair: give up a commit record that can't be repaired, and all later ones
    ///
    /// For a log without a backup. The records and their files are put aside in
    /// _export/quarantine/, and later runs pull again what the API still has. Reports what is lost.
    #[arg(long, requires = "repair")]
    pub cut_log: bool,
    /// Settings of a command that reads the whole lake, given as flags.
    #[command(flatten)]
    pub settings: Settings<Check>,
}

/// Reads the whole lake back.
///
/// # Errors
///
/// When a setting or the destination fails.
pub async fn run(args: &VerifyArgs, context: &mut Context<'_>) -> Result<ExitCode, Error> {
    let job = context.quiet_job()?;
    let schemas = Arc::new(|name| table(name).arrow_schema());
    lake::expect_place(&job.dest).await?;
    if args.repair {
        let (clock, events) = (context.clock()?, logged_events());
        let (run, now) = (run_of(&clock), clock.now());
        let repaired = maintenance::mend_log(&job.dest, &run, args.cut_log).await?;
        let ends = clock.run_id();
        let open = LakeWriter::open_existing_to_mend(&job.dest, run, clock, events);
        let opened = lake::open_with_delta(&job.dest, job.delta.enabled, ends, open);
        if let Some(mut lake) = opened.await? {
            let mut done = repair(&mut lake, &job.dest, schemas).await?;
            lake.close().await?;
            done.repaired.splice(0..0, repaired);
            return show_repair(&done, job.output.format, context.out);
        }
        if !repaired.is_empty() {
            let verification = maintenance::verify(&job.dest, schemas, now).await?;
            let done = Repair {
                repaired,
                verification,
            };
            return show_repair(&done, job.output.format, context.out);
        }
    }
    let found = maintenance::verify(&job.dest, schemas, context.clock()?.now()).await?;
    let written = match job.output.format {
        ResultFormat::Json => serde_json::to_writer(&mut context.out, &found)
            .map_err(std::io::Error::from)
            .and_then(|()| writeln!(context.out)),
        ResultFormat::Text => write_text(&found, context.out),
    };
    written.map_err(Error::Output)?;
    Ok(if found.is_sound() {
        ExitCode::Done
    } else {
        ExitCode::Data
    })
}

fn show_repair(
    done: &Repair,
    format: ResultFormat,
    out: &mut dyn std::io::Write,
) -> Result<ExitCode, Error> {
    let written = match format {
        ResultFormat::Json => serde_json::to_writer(&mut *out, done)
            .map_err(std::io::Error::from)
            .and_then(|()| writeln!(out)),
        ResultFormat::Text => (|| {
            for Repaired { place, what } in &done.repaired {
                writeln!(out, "repaired  {place}: {what}")?;
            }
            if done.repaired.is_empty() {
                writeln!(out, "there was nothing to repair that can be repaired")?;
            }
            write_text(&done.verification, out)
        })(),
    };
    written.map_err(Error::Output)?;
    Ok(if done.verification.is_sound() {
        ExitCode::Done
    } else {
        ExitCode::Data
    })
}

fn write_text(
    found: &maintenance::Verification,
    out: &mut dyn std::io::Write,
) -> std::io::Result<()> {
    let maintenance::Verification {
        lake,
        sequence,
        files,
        rows,
        bytes,
        tasks,
        findings,
        more_findings,
    } = found;
    let of = lake.as_ref().map(|lake| format!(", of {lake}"));
    writeln!(
        out,
        "read {}, {}, {} of {}, as of commit {}{}",
        counted(*files, "file"),
        counted(*rows, "row"),
        figures::bytes(*bytes),
        counted(*tasks, "task"),
        count(*sequence),
        of.unwrap_or_default()
    )?;
    for finding in findings {
        let maintenance::Finding {
            kind,
            place,
            detail,
        } = finding;
        writeln!(out, "{}  {place}: {detail}", kind.as_str())?;
    }
    if *more_findings > 0 {
        writeln!(out, "… and {more_findings} more")?;
    }
    match findings.len() as u64 + more_findings {
        0 => writeln!(out, "all is as the commit log says"),
        1 => writeln!(out, "1 finding"),
        count => writeln!(out, "{count} findings"),
    }
}
