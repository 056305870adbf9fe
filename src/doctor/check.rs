//! Results of checks, as data.

use std::error::Error;

use serde::Serialize;

use crate::exit_code::ExitCode;

/// A mismatch with the API profile is a wrong setting.
pub(super) const MISFIT: ExitCode = ExitCode::Settings;

/// Result of a check.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Status {
    /// Not performed; the result is unknown.
    Skipped,
    Ok,
    /// It works, but needs attention.
    Warn,
    /// It does not work.
    Fail,
}

impl Status {
    /// The status as a word.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Skipped => "skipped",
            Self::Ok => "ok",
            Self::Warn => "warn",
            Self::Fail => "FAIL",
        }
    }
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Check {
    /// A short stable name.
    pub name: &'static str,
    pub status: Status,
    pub what: String,
    /// What to do about it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub advice: Option<String>,
    /// The exit code of a run that fails for this reason.
    #[serde(skip)]
    pub exit: ExitCode,
}

impl Check {
    fn new(name: &'static str, status: Status, what: impl Into<String>) -> Self {
        Self {
            name,
            status,
            what: what.into(),
            advice: None,
            exit: ExitCode::Done,
        }
    }

    pub(super) fn ok(name: &'static str, what: impl Into<String>) -> Self {
        Self::new(name, Status::Ok, what)
    }

    pub(super) fn skipped(name: &'static str, why: impl Into<String>) -> Self {
        Self::new(name, Status::Skipped, why)
    }

    pub(super) fn warn(name: &'static str, what: impl Into<String>) -> Self {
        Self::new(name, Status::Warn, what)
    }

    /// A failure described by an error. Messages say what is wrong and, after a semicolon, what to
    /// do.
    pub(super) fn fail(name: &'static str, exit: ExitCode, error: &dyn Error) -> Self {
        let message = error.to_string();
        let (what, advice) = match message.split_once("; ") {
            Some((what, advice)) => (what.to_owned(), Some(advice.to_owned())),
            None => (message, None),
        };
        let mut check = Self::misfit(name, exit, what);
        let mut cause = error.source();
        while let Some(error) = cause {
            check.what.push_str(": ");
            check.what.push_str(&error.to_string());
            cause = error.source();
        }
        Self { advice, ..check }
    }

    /// A failure without an error value.
    pub(super) fn misfit(name: &'static str, exit: ExitCode, what: impl Into<String>) -> Self {
        Self {
            exit,
            ..Self::new(name, Status::Fail, what)
        }
    }

    pub(super) fn advise(self, advice: impl Into<String>) -> Self {
        Self {
            advice: Some(advice.into()),
            ..self
        }
    }
}

/// All checks, in the order they were performed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Diagnosis {
    pub status: Status,
    pub checks: Vec<Check>,
}

impl Diagnosis {
    /// Number of checks with this status.
    #[must_use]
    pub fn count(&self, status: Status) -> usize {
        let ended = |check: &&Check| check.status == status;
        self.checks.iter().filter(ended).count()
    }

    /// The exit code of the failure to fix first: an interruption, then settings, sign-in,
    /// destination, data and API, in this order. Warnings are not failures.
    #[must_use]
    pub fn exit_code(&self) -> ExitCode {
        let rank = |code: &ExitCode| match code {
            ExitCode::Interrupted | ExitCode::Terminated => 0,
            ExitCode::Bug => 1,
            ExitCode::Usage => 2,
            ExitCode::Settings => 3,
            ExitCode::SignIn => 4,
            ExitCode::Destination => 5,
            ExitCode::Data => 6,
            ExitCode::ApiUnavailable | ExitCode::Partial => 7,
            ExitCode::Done => 8,
        };
        let failed = self
            .checks
            .iter()
            .filter(|check| check.status == Status::Fail);
        failed
            .map(|check| check.exit)
            .min_by_key(rank)
            .unwrap_or(ExitCode::Done)
    }
}

/// Collects checks and reports each immediately.
pub(super) struct Notes<'a> {
    checks: Vec<Check>,
    tell: &'a mut (dyn FnMut(&Check) + Send),
}

impl<'a> Notes<'a> {
    pub(super) fn new(tell: &'a mut (dyn FnMut(&Check) + Send)) -> Self {
        let checks = Vec::new();
        Self { checks, tell }
    }

    pub(super) fn add(&mut self, check: Check) {
        (self.tell)(&check);
        self.checks.push(check);
    }

    pub(super) fn add_all(&mut self, checks: impl IntoIterator<Item = Check>) {
        for check in checks {
            self.add(check);
        }
    }

    pub(super) fn finish(self) -> Diagnosis {
        let worst = self.checks.iter().map(|check| check.status).max();
        Diagnosis {
            status: worst.unwrap_or(Status::Skipped),
            checks: self.checks,
        }
    }
}

/// `1 task`, `2 tasks`.
pub(super) fn count(number: usize, noun: &str) -> String {
    match number {
        1 => format!("1 {noun}"),
        _ => format!("{number} {noun}s"),
    }
}

/// Quotes names for output, at most eight of them.
pub(super) fn quoted<'a>(names: impl IntoIterator<Item = &'a str>) -> String {
    let mut names: Vec<String> = names.into_iter().map(|name| format!("`{name}`")).collect();
    let more = names.len().saturating_sub(8);
    if more > 0 {
        names.truncate(8);
        names.push(format!("{more} more"));
    }
    names.join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::ApiError;

    #[test]
    fn an_error_is_told_as_what_is_wrong_and_what_to_do() {
        let error = ApiError::Settings {
            reason: "there is no list; set `items`".to_owned(),
        };
        let check = Check::fail("list_tasks", ExitCode::Settings, &error);
        assert_eq!(check.what, "there is no list");
        assert_eq!(check.advice.as_deref(), Some("set `items`"));
    }

    #[test]
    fn the_failure_to_mend_first_decides_the_exit_code() {
        let mut ignore = |_: &Check| {};
        let mut notes = Notes::new(&mut ignore);
        notes.add(Check::warn("a", "x"));
        assert_eq!(notes.checks.len(), 1);
        notes.add(Check::misfit("b", ExitCode::ApiUnavailable, "x"));
        notes.add(Check::misfit("c", ExitCode::SignIn, "x"));
        notes.add(Check::misfit("d", ExitCode::Destination, "x"));
        let diagnosis = notes.finish();
        assert_eq!(diagnosis.exit_code(), ExitCode::SignIn);
        assert_eq!(diagnosis.status, Status::Fail);
        assert_eq!(
            (diagnosis.count(Status::Fail), diagnosis.count(Status::Ok)),
            (3, 0)
        );
    }

    #[test]
    fn long_lists_of_names_are_cut() {
        assert_eq!(quoted(["a", "b"]), "`a`, `b`");
        assert!(quoted(["a"; 20]).ends_with("`a`, 12 more"));
    }
}
