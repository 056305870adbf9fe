//! The `doctor` command: checks the setup.

use std::io::{self, Write};
use std::sync::Arc;

use clap::Args;

use super::context::Context;
use super::error::Error;
use super::output::deliver;
use super::settings::{Settings, Try};
use crate::doctor::{self, Check, Diagnosis, Given, Status};
use crate::event::Events;
use crate::exit_code::ExitCode;
use crate::job::{self, ResultFormat};
use crate::pipeline::Stop;
use crate::report::{LogListener, Screen, init_logging};

/// Arguments of `doctor`: only the settings to check.
#[derive(Args, Clone, Debug, Default, PartialEq, Eq)]
pub struct DoctorArgs {
    /// The settings to check, given as flags.
    #[command(flatten)]
    pub settings: Settings<Try>,
}

/// Runs all checks once. Text is written check by check, since some take a while.
///
/// # Errors
///
/// When the results cannot be written. Other failures are reported as checks.
pub async fn run(context: &mut Context<'_>) -> Result<ExitCode, Error> {
    let format = output(context);
    let given = Given {
        flags: &context.flags,
        env: &context.env,
        events: Events::new(vec![Arc::new(LogListener::default())]),
        cancel: context.stop.token(),
    };
    let mut out = &mut *context.out;
    let mut written = Ok(());
    let mut tell = |check: &Check| {
        if format == ResultFormat::Text && written.is_ok() {
            written = deliver(&mut out, |out| line(check, out)).and_then(|()| out.flush());
        }
    };
    let diagnosis = doctor::examine(given, &mut tell).await;
    match written {
        // The reader closed the pipe; the results remain valid.
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
            return Err(Error::Output(error));
        }
        _ => {}
    }
    deliver(&mut out, |out| match format {
        ResultFormat::Text => sum(&diagnosis, out),
        ResultFormat::Json => {
            serde_json::to_writer(&mut *out, &diagnosis)?;
            writeln!(out)
        }
    })
    .map_err(Error::Output)?;
    let code = diagnosis.exit_code();
    Ok(match context.stop.why() {
        Some(Stop::Terminated) if code == ExitCode::Interrupted => ExitCode::Terminated,
        _ => code,
    })
}

/// Starts logging, and returns the format, even if the settings as a whole do not load.
fn output(context: &Context<'_>) -> ResultFormat {
    match job::load_output(&context.flags, &context.env) {
        Ok(options) => {
            let screen = Screen::standard_error(options, &context.env);
            init_logging(options, &screen);
            options.format
        }
        Err(_) => {
            let flag = context.flags.get("output.format");
            match flag.or_else(|| context.env.get("AIRUDDER_FORMAT").ok().flatten()) {
                Some("json") => ResultFormat::Json,
                _ => ResultFormat::Text,
            }
        }
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::job::{Environment, SettingFlags};
    use crate::pipeline::StopSwitch;

    async fn told(format: &str) -> (String, ExitCode) {
        let mut out = Vec::new();
        let mut context = Context {
            flags: SettingFlags::default()
                .with("output.format", format)
                .with("partition_timezone", "Nowhere"),
            env: Environment::default(),
            out: &mut out,
            stop: StopSwitch::default(),
        };
        let code = run(&mut context).await.expect("written");
        (String::from_utf8(out).expect("UTF-8"), code)
    }

    #[tokio::test]
    async fn a_check_is_a_line_with_its_advice_below() {
        let (text, code) = told("text").await;
        assert_eq!(code, ExitCode::Usage);
        let lines: Vec<&str> = text.lines().collect();
        assert!(
            lines[0].starts_with("FAIL     settings                   invalid value for"),
            "{text}"
        );
        assert!(
            lines
                .last()
                .is_some_and(|line| line.ends_with("1 failed, 6 skipped")),
            "{text}"
        );
    }

    #[tokio::test]
    async fn json_says_the_same() {
        let (text, _) = told("json").await;
        let diagnosis: serde_json::Value = serde_json::from_str(&text).expect("JSON");
        assert_eq!(diagnosis["status"], "fail");
        assert_eq!(diagnosis["checks"][0]["name"], "settings");
        assert_eq!(diagnosis["checks"][2]["status"], "skipped");
    }
}
