//! What the page is made of.

use chrono::{DateTime, Utc};

use super::past::ReportedRun;
use crate::lake::Lake;
use crate::report::status::StatusReport;

/// What the page is made of.
#[derive(Debug)]
pub struct HtmlInput<'a> {
    /// The lake that the page is about.
    pub lake: &'a Lake,
    /// The result of `status` for that lake.
    pub status: &'a StatusReport,
    /// The newest runs, newest first.
    pub runs: &'a [ReportedRun],
    /// The lake as the settings name it.
    pub dest: &'a str,
    /// The flag that gives a command this lake or job, quoted for a shell: `--dest ./lake`.
    pub flag: &'a str,
    /// The moment it is made for.
    pub now: DateTime<Utc>,
    /// The most days that are shown, counted from the last one.
    pub most_days: usize,
}
