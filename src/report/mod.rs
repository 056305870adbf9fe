//! Output of a run: listeners, which never make decisions, and reports.
//!
//! - [`Screen`]: standard error, shared by log lines and the bar;
//! - [`LogListener`]: events as log lines; [`Progress`]: a bar, or a log line at intervals;
//! - [`RequestTally`]: the requests to the API, summed up;
//! - [`RunReport`], [`PlanReport`], [`StatusReport`], [`CompactReport`],
//!   [`VacuumReport`]: results as text and as JSON;
//! - [`html`]: the lake as a page for people.
//!
//! This module never influences a run, and never shows secrets or personal data.

mod compact;
pub(crate) mod figures;
pub(crate) mod grid;
mod html;
mod json_lines;
mod last;
mod line;
mod log;
mod past;
mod plan;
mod progress;
mod requests;
mod run;
mod screen;
mod settings;
mod status;
mod vacuum;

pub use compact::CompactReport;
pub use html::{HtmlInput, html_report, reported_runs};
pub use last::{end_line, guess_last_line, is_last_line_json, last_line, set_last_line};
pub use line::{run_of, set_command, set_run};
pub use log::{LogListener, init_logging, logged_events};
pub use past::{PastRun, STATUS_RUNS, past_runs};
pub use plan::{PlanCost, PlanReport};
pub use progress::{PaceNow, Progress};
pub use requests::RequestTally;
#[cfg(test)]
pub(crate) use run::RunDocument;
pub use run::RunReport;
pub(crate) use run::{outcome_phrase, outcome_word};
pub use screen::Screen;
#[cfg(test)]
pub(crate) use status::StatusCheck;
pub(crate) use status::max_age;
pub use status::{MAX_AGE, StatusReport};
pub use vacuum::VacuumReport;
