//! The last line of a failed command, in the format of its log lines: a sentence, or one object
//! with `--log-format json`, so that standard error holds only JSON, also for usage errors and
//! bugs.

use std::ffi::OsStr;
use std::sync::atomic::{AtomicBool, Ordering};

use serde_json::json;

use crate::clock::Clock;
use crate::exit_code::ExitCode;
use crate::job::{Environment, LogFormat};

/// The flag and the variable that set the format.
const FLAG: &str = "--log-format";
const VARIABLE: &str = "AIRUDDER_LOG_FORMAT";

/// The format as far as it is known. Static, because a panic anywhere reads it.
static JSON: AtomicBool = AtomicBool::new(false);

/// Takes the format from what is available before arguments are parsed: the last such flag on the
/// command line, or the environment.
pub fn guess_last_line(arguments: &[impl AsRef<OsStr>], env: &Environment) {
    let mut form = env.get(VARIABLE).ok().flatten().map(str::to_owned);
    let mut arguments = arguments.iter().map(|argument| argument.as_ref().to_str());
    while let Some(argument) = arguments.next() {
        match argument.and_then(|argument| argument.strip_prefix(FLAG)) {
            Some("") => form = arguments.next().flatten().map(str::to_owned),
            Some(value) if value.starts_with('=') => form = Some(value[1..].to_owned()),
            _ => {}
        }
    }
    JSON.store(form.as_deref() == Some("json"), Ordering::Relaxed);
}

/// Takes the format from the parsed settings.
pub fn set_last_line(form: LogFormat) {
    JSON.store(form == LogFormat::Json, Ordering::Relaxed);
}

/// Whether the format is JSON.
#[must_use]
pub fn is_last_line_json() -> bool {
    JSON.load(Ordering::Relaxed)
}

/// Formats the line; `message` starts as a log line does.
#[must_use]
pub fn last_line(message: &str, code: ExitCode) -> String {
    if !is_last_line_json() {
        return format!("airudder-export: {message}");
    }
    let line = json!({
        "timestamp": Clock::system().now().format("%Y-%m-%dT%H:%M:%S%.3fZ").to_string(),
        "level": "ERROR",
        "message": message,
        "exit_code": code.number(),
        "advice": code.advice(),
    });
    line.to_string()
}
