//! The last line of a command, in the format of its log lines: a sentence if it failed, or one object
//! with `--log-format json`, so that standard error holds only JSON, also for usage errors and
//! bugs.

use std::ffi::OsStr;
use std::sync::atomic::{AtomicBool, Ordering};

use serde_json::Value;

use super::line;
use super::run::{outcome_phrase, outcome_word};
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

/// Formats a line of standard error that is not a log line; `message` starts as one does. `event` is
/// its name in JSON.
#[must_use]
pub fn last_line(event: &str, message: &str, code: ExitCode) -> String {
    if !is_last_line_json() {
        return format!("airudder-export: {message}");
    }
    let mut line = line::head("ERROR", event);
    line.insert("message".to_owned(), message.into());
    line.insert("exit_code".to_owned(), code.number().into());
    line.insert("advice".to_owned(), code.advice().into());
    Value::Object(line).to_string()
}

/// The line with which a command ends, or `None` if there is nothing to say: JSON lines end with
/// `run_ended` once, text only says why a command failed.
#[must_use]
pub fn end_line(error: Option<&str>, code: ExitCode) -> Option<String> {
    if !is_last_line_json() {
        return error.map(|error| last_line("run_ended", error, code));
    }
    let is_done = code == ExitCode::Done;
    let wanted = !is_done || line::wants_success();
    if !line::end() || !wanted {
        return None;
    }
    let outcome = outcome_word(code);
    let mut line = line::head(if is_done { "INFO" } else { "ERROR" }, "run_ended");
    let message = error.unwrap_or(if is_done {
        "ended"
    } else {
        "ended without doing all of it"
    });
    line.insert("message".to_owned(), message.into());
    line.insert("exit_code".to_owned(), code.number().into());
    line.insert("outcome".to_owned(), outcome.into());
    let reason = error.unwrap_or(outcome_phrase(outcome));
    line.insert("reason".to_owned(), reason.into());
    line.insert("advice".to_owned(), code.advice().into());
    Some(Value::Object(line).to_string())
}
