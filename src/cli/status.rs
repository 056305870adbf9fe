//! The `status` command: shows what the lake contains.

use std::io::Write;
use std::time::Duration;

use clap::Args;

use super::error::Error;
use super::output::{deliver, one_line};
use super::settings::{Inspect, Settings};
use crate::clock::Clock;
use crate::exit_code::ExitCode;
use crate::job::{Job, ResultFormat, quantity};
use crate::lake::{self, Lake, LakeError, ShownIdentity};
use crate::report::{MAX_AGE, STATUS_RUNS, StatusReport, past_runs};
use crate::store::StoreError;

/// Arguments of `status`: the options of its check for monitors.
#[derive(Args, Clone, Debug, PartialEq, Eq)]
pub struct StatusArgs {
    /// Print one line for a monitor, and exit with 75 if something is wrong
    ///
    /// A problem is: no complete run within --max-age, a last run that failed, days that ended
    /// longer ago than that and are not complete, tasks that failed or are long overdue, rejected
    /// records of the last run, lost rows, commits that are not published, and listings that could
    /// not be read or understood. With --format json, the line is a JSON object.
    #[arg(long)]
    pub check: bool,
    /// With --check: how old the last complete run may be
    #[arg(long, value_name = "DURATION", default_value = MAX_AGE, value_parser = quantity::duration, requires = "check")]
    pub max_age: Duration,
    /// Settings of a command that only reads, given as flags.
    #[command(flatten)]
    pub settings: Settings<Inspect>,
}

/// Prints the contents of the lake, the outcomes of the last runs, and problems that need
/// attention. With `-v`, every day, otherwise those of the last month.
///
/// # Errors
///
/// When the lake can't be read or the result can't be written.
pub async fn run(
    args: &StatusArgs,
    job: &Job,
    clock: &Clock,
    out: &mut impl Write,
) -> Result<ExitCode, Error> {
    lake::expect_place(&job.dest).await?;
    let lake = Lake::open(&job.dest).await?;
    if let Some(zone) = lake.ledger().zone() {
        let setting = job.discover.partition_timezone;
        if zone != setting {
            tracing::warn!(
                "the lake's days are those of {zone}, and `partition_timezone` is {setting}: runs \
                 will refuse to write here; set --partition-timezone {zone}"
            );
        }
    }
    let runs = past_runs(lake.store(), STATUS_RUNS).await?;
    // A damaged identity does not hide the contents of the lake; it is reported after them.
    let (identity, damage) = match lake::read_identity(lake.store()).await {
        Err(damage @ LakeError::Store(StoreError::Damaged { .. })) => (None, Some(damage)),
        read => (read?, None),
    };
    let pins = lake::Pins::list(lake.store()).await?;
    let report = StatusReport::read(&lake, runs, job, clock.now())
        .await?
        // Pins expire in real time, regardless of `--as-of`.
        .with_pins(&pins, Clock::system().now())
        .of(identity.map(ShownIdentity::from));
    if args.check {
        let check = report.check(clock.now(), args.max_age);
        deliver(out, |out| match job.output.format {
            ResultFormat::Text => writeln!(out, "{}", check.line(clock.now())),
            ResultFormat::Json => out.write_all(&check.to_json()),
        })
        .map_err(Error::Output)?;
        let code = if check.is_ok() {
            ExitCode::Done
        } else {
            ExitCode::Partial
        };
        return damage.map_or(Ok(code), |damage| Err(damage.into()));
    }
    deliver(out, |out| match job.output.format {
        ResultFormat::Text => report.write_text(job.output.verbosity > 0, out),
        ResultFormat::Json => out.write_all(&one_line(&report.to_json())),
    })
    .map_err(Error::Output)?;
    damage.map_or(Ok(ExitCode::Done), |damage| Err(damage.into()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::job::{Environment, SettingFlags, load};

    async fn status(format: &str) -> String {
        let folder = tempfile::tempdir().expect("a folder");
        let flags = SettingFlags::default()
            .with("dest", folder.path().to_str().expect("Unicode"))
            .with("output.format", format);
        let job = load(&flags, &Environment::default()).expect("valid");
        let mut out = Vec::new();
        let args = StatusArgs {
            check: false,
            max_age: Duration::ZERO,
            settings: Settings::default(),
        };
        let told = run(&args, &job, &Clock::system(), &mut out).await;
        assert_eq!(told.expect("told"), ExitCode::Done);
        String::from_utf8(out).expect("text")
    }

    #[tokio::test]
    async fn a_place_without_a_lake_is_no_error() {
        assert!(
            status("text")
                .await
                .contains("nothing was committed here yet")
        );
        let json: serde_json::Value =
            serde_json::from_str(&status("json").await).expect("it is JSON");
        assert_eq!(json["sequence"], 0);
    }
}
