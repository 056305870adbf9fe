//! How a run ended, as facts for those who are told.

use chrono::{DateTime, Utc};
use serde_json::Value;

use crate::exit_code::ExitCode;
use crate::report::{outcome_phrase, outcome_word};
use crate::task::RunId;

/// How a run ended.
#[derive(Clone, Debug)]
pub struct RunOutcome {
    /// `run`, `backfill`, `replay`, `compact`, `vacuum`.
    pub command: &'static str,
    pub run_id: RunId,
    /// By the run's clock, as in its report.
    pub started_at: DateTime<Utc>,
    /// By the run's clock, as in its report.
    pub ended_at: DateTime<Utc>,
    pub code: ExitCode,
    /// Why it failed, safe to print.
    pub error: Option<String>,
    /// The lake, without credentials.
    pub dest: String,
    /// The command's report as JSON, as far as there is one.
    pub report: Option<Value>,
    /// The most memory the process took, in bytes, where the system tells.
    pub peak_memory_bytes: Option<u64>,
}

impl RunOutcome {
    /// The outcome as one word, as in the report.
    pub(super) fn word(&self) -> &'static str {
        outcome_word(self.code)
    }

    /// The reason as text.
    pub(super) fn reason(&self) -> &str {
        self.error
            .as_deref()
            .unwrap_or_else(|| outcome_phrase(self.word()))
    }

    /// How long it took, in seconds.
    pub(super) fn seconds(&self) -> f64 {
        let time = (self.ended_at - self.started_at).to_std();
        let time = time.unwrap_or_default();
        (time.as_secs_f64() * 1000.0).round() / 1000.0
    }

    /// A part of the report; null if there is none.
    pub(super) fn of_report(&self, pointer: &str) -> &Value {
        let report = self.report.as_ref();
        report
            .and_then(|report| report.pointer(pointer))
            .unwrap_or(&Value::Null)
    }

    /// Rows written to all tables.
    pub(super) fn rows(&self) -> u64 {
        let written = self.of_report("/written").as_object();
        let rows = written
            .into_iter()
            .flatten()
            .filter_map(|(_, table)| table["rows"].as_u64());
        rows.sum()
    }
}

/// The most memory that this process has taken, in bytes.
#[must_use]
pub(crate) fn peak_memory_bytes() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find(|line| line.starts_with("VmHWM:"))?;
    let kilobytes: u64 = line.split_whitespace().nth(1)?.parse().ok()?;
    Some(kilobytes * 1024)
}
