//! `doctor`: does it all fit?

use std::io::{self, Write};

use clap::Args;

use super::dispatch::Context;
use super::settings::{Settings, Try};
use crate::doctor::{self, Check, Diagnosis, Given, Status};
use crate::error::{Error, ExitCode};
use crate::job::{self, ResultFormat};
use crate::pipeline::Stop;

/// Arguments of `doctor`.
#[derive(Args, Clone, Debug, Default, PartialEq, Eq)]
pub struct DoctorArgs {
    /// Settings.
    #[command(flatten)]
    pub settings: Settings<Try>,
}

/// Checks everything once. Text is written check by check, since some take a while.
///
/// # Errors
/// When the results cannot be written. What is wrong with the rest is a check.
pub async fn run(context: &mut Context<'_>) -> Result<ExitCode, Error> {
    let format = format(context);
    let given = Given {
        flags: &context.flags,
        env: &context.env,
        cancel: context.stop.token(),
    };
    let out = &mut *context.out;
    let mut written = Ok(());
    let mut tell = |check: &Check| {
        if format == ResultFormat::Text && written.is_ok() {
            written = line(check, out).and_then(|()| out.flush());
        }
    };
    let diagnosis = doctor::examine(given, &mut tell).await;
    written
        .and_then(|()| match format {
            ResultFormat::Text => sum(&diagnosis, context.out),
            ResultFormat::Json => serde_json::to_writer_pretty(&mut context.out, &diagnosis)
                .map_err(io::Error::from)
                .and_then(|()| writeln!(context.out)),
        })
        .map_err(Error::Output)?;
    let code = diagnosis.exit_code();
    Ok(match context.stop.why() {
        Some(Stop::Terminated) if code == ExitCode::Interrupted => ExitCode::Terminated,
        _ => code,
    })
}

/// The format, even where the settings as a whole do not load.
fn format(context: &Context<'_>) -> ResultFormat {
    match job::load_output(&context.flags, &context.env) {
        Ok(options) => options.format,
        Err(_) if context.flags.get("output.format") == Some("json") => ResultFormat::Json,
        Err(_) => ResultFormat::Text,
    }
}

fn line(check: &Check, out: &mut dyn Write) -> io::Result<()> {
    let Check {
        name,
        status,
        what,
        advice,
        ..
    } = check;
    writeln!(out, "{:<7}  {name:<25}  {what}", status.as_str())?;
    if let Some(advice) = advice {
        writeln!(out, "{:<36}→ {advice}", "")?;
    }
    Ok(())
}

fn sum(diagnosis: &Diagnosis, out: &mut dyn Write) -> io::Result<()> {
    let [ok, warn, fail, skipped] = [Status::Ok, Status::Warn, Status::Fail, Status::Skipped]
        .map(|status| diagnosis.count(status));
    writeln!(
        out,
        "\n{ok} ok, {warn} to look at, {fail} failed, {skipped} skipped"
    )
}
