//! Lets others know of a command that writes: when it begins, and how it ends.

use super::error::Error;
use crate::clock::Clock;
use crate::exit_code::ExitCode;
use crate::job::Job;
use crate::observe::{Observer, RunOutcome, peak_memory_bytes};
use crate::report::run_of;

/// A command's exit code and its report as JSON.
pub(super) struct Reported {
    pub(super) code: ExitCode,
    pub(super) json: Vec<u8>,
}

/// Says that a command begins to work.
pub(super) fn begin(job: &Job, command: &'static str, clock: &Clock) -> Observer {
    Observer::begin(job, command, run_of(clock), clock.now())
}

/// Says how a command ended whose report comes with its exit code. Gives the code.
pub(super) async fn end_reported(
    observer: Observer,
    clock: &Clock,
    ended: Result<Reported, Error>,
) -> Result<ExitCode, Error> {
    let (ended, report) = match ended {
        Ok(Reported { code, json }) => (Ok(code), Some(json)),
        Err(error) => (Err(error), None),
    };
    end(observer, clock, &ended, report).await;
    ended
}

/// Says how it ended. `report` is its report as JSON, if it came so far.
pub(super) async fn end(
    observer: Observer,
    clock: &Clock,
    ended: &Result<ExitCode, Error>,
    report: Option<Vec<u8>>,
) {
    let report = report.and_then(|json| serde_json::from_slice(&json).ok());
    let moment = |pointer: &str| {
        let report: Option<&serde_json::Value> = report.as_ref();
        report?.pointer(pointer)?.as_str()?.parse().ok()
    };
    let outcome = RunOutcome {
        command: observer.command(),
        run_id: observer.run_id().clone(),
        started_at: moment("/started_at").unwrap_or(observer.started_at()),
        ended_at: moment("/ended_at").unwrap_or_else(|| clock.now()),
        code: ended.as_ref().map_or_else(Error::exit_code, |code| *code),
        error: ended.as_ref().err().map(Error::line),
        dest: observer.dest(),
        peak_memory_bytes: peak_memory_bytes(),
        report,
    };
    // Large, and of no weight for the rest of the command.
    Box::pin(observer.end(outcome)).await;
}
