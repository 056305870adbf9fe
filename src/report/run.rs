//! The report of a run: result, requests and settings. Available as JSON
//! (`_export/runs/<run id>.json`, standard output with `--format json`) and as text, with the same
//! content.

mod text;

use std::collections::BTreeMap;
use std::io::{self, Write};
use std::time::Duration;

use chrono::{DateTime, Utc};
use serde::Serialize;

use super::figures;
use super::requests::{RequestTally, Requests, Warnings};
use super::settings::SettingsReport;
use crate::api::NotUnderstood;
use crate::decode::{Misfit, ZoneVerdict};
use crate::exit_code::ExitCode;
use crate::job::{Destination, Job};
use crate::pipeline::{FailedPull, FailedWorkflow, LostRows, Stop, Summary, Superseded, Written};
use crate::schema::{TableName, schema_version};
use crate::store::LakePath;
use crate::task::RunId;

/// Version of the report format. Increased when a field changes its meaning or is removed.
pub const REPORT_VERSION: u32 = 1;

/// Everything to report about a run.
#[derive(Clone, Debug)]
pub struct RunReport {
    command: String,
    dest: Destination,
    summary: Summary,
    settings: SettingsReport,
    requests: Requests,
    warnings: Warnings,
}

/// The JSON report, fields ordered by importance.
#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub(crate) struct RunDocument<'a> {
    report_version: u32,
    run_id: &'a RunId,
    command: &'a str,
    version: &'static str,
    schema_version: u32,
    started_at: DateTime<Utc>,
    ended_at: DateTime<Utc>,
    duration_seconds: f64,
    /// The exit code as a word.
    #[cfg_attr(test, schemars(extend("enum" = ExitCode::ALL.map(outcome_word))))]
    outcome: &'static str,
    exit_code: u8,
    stopped: Option<&'a Stop>,
    listed: bool,
    listing_complete: bool,
    /// Tasks by reason, as `plan` shows them.
    planned: BTreeMap<&'static str, u64>,
    tasks: crate::pipeline::TaskTotals,
    written: &'a BTreeMap<TableName, Written>,
    commits: &'a [u64],
    rejects: u64,
    misfits: &'a [Misfit],
    failures: &'a [FailedPull],
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    lost: &'a [LostRows],
    failed_workflows: &'a [FailedWorkflow],
    not_understood: &'a [NotUnderstood],
    source_timezone: ZoneVerdict,
    #[serde(skip_serializing_if = "Superseded::is_empty")]
    #[cfg_attr(test, schemars(with = "Vec<crate::pipeline::SupersededAnswer<'a>>"))]
    superseded: &'a Superseded,
    requests: &'a Requests,
    warnings: &'a Warnings,
    settings: &'a SettingsReport,
}

impl RunReport {
    /// Combines the result of a run of `command` with its requests.
    #[must_use]
    pub fn new(command: &str, job: &Job, summary: Summary, tally: &RequestTally) -> Self {
        let mut summary = summary;
        summary
            .misfits
            .sort_by(|a, b| b.count.cmp(&a.count).then_with(|| a.cmp(b)));
        Self {
            command: command.to_owned(),
            dest: job.dest.clone(),
            summary,
            settings: SettingsReport::new(job),
            requests: tally.requests(),
            warnings: tally.warnings(),
        }
    }

    /// Result of the run.
    #[must_use]
    pub fn summary(&self) -> &Summary {
        &self.summary
    }

    /// Path of the report in the lake.
    #[must_use]
    pub fn path(&self) -> LakePath {
        LakePath::run_report(&self.summary.run_id)
    }

    /// The report as JSON.
    #[must_use]
    pub fn to_json(&self) -> Vec<u8> {
        let Self {
            command,
            dest: _,
            summary,
            settings,
            requests,
            warnings,
        } = self;
        let code = summary.exit_code();
        let planned = summary.planned.iter();
        let document = RunDocument {
            report_version: REPORT_VERSION,
            run_id: &summary.run_id,
            command,
            version: env!("CARGO_PKG_VERSION"),
            schema_version: schema_version(),
            started_at: summary.started_at,
            ended_at: summary.ended_at,
            duration_seconds: figures::seconds(self.duration()),
            outcome: outcome_word(code),
            exit_code: code.number(),
            stopped: summary.stopped.as_ref(),
            listed: summary.listed,
            listing_complete: summary.listing_complete,
            planned: planned.map(|(reason, n)| (reason.as_str(), *n)).collect(),
            tasks: summary.tasks,
            written: &summary.written,
            commits: &summary.commits,
            rejects: summary.rejects,
            misfits: &summary.misfits,
            failures: &summary.failures,
            lost: &summary.lost,
            failed_workflows: &summary.failed_workflows,
            not_understood: &summary.not_understood,
            source_timezone: summary.source_timezone,
            superseded: &summary.superseded,
            requests,
            warnings,
            settings,
        };
        let mut json = serde_json::to_vec_pretty(&document).expect("counts and texts are JSON");
        json.push(b'\n');
        json
    }

    /// Writes the report as text.
    ///
    /// # Errors
    ///
    /// When `out` cannot be written.
    pub fn write_text(&self, out: &mut impl Write) -> io::Result<()> {
        text::write(self, out)
    }

    fn duration(&self) -> Duration {
        figures::between(self.summary.started_at, self.summary.ended_at)
    }

    /// Turns a path in the lake into one that users can open.
    fn locate(&self, path: &str) -> String {
        match &self.dest {
            Destination::Local(root) => root.join(path).display().to_string(),
            Destination::Object(place) => {
                format!("{}/{path}", place.url.as_str().trim_end_matches('/'))
            }
        }
    }
}

/// The outcome of a run as one word, for programs.
pub(crate) fn outcome_word(code: ExitCode) -> &'static str {
    match code {
        ExitCode::Done => "done",
        ExitCode::Usage => "usage",
        ExitCode::Data => "rejects",
        ExitCode::ApiUnavailable => "api_unavailable",
        ExitCode::Bug => "bug",
        ExitCode::Destination => "destination",
        ExitCode::Partial => "partial",
        ExitCode::SignIn => "sign_in",
        ExitCode::Settings => "settings",
        ExitCode::Interrupted => "interrupted",
        ExitCode::Terminated => "terminated",
    }
}

/// The outcome as text.
pub(crate) fn outcome_phrase(word: &str) -> &str {
    match word {
        "rejects" => "done, with rejected records",
        "api_unavailable" => "the API was not available",
        "destination" => "the destination failed",
        "partial" => "done in part",
        "sign_in" => "the API refused the credentials",
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::super::past::PastRun;
    use super::*;
    use crate::decode::MisfitKind;
    use crate::discover::Reason;
    use crate::event::{Endpoint, Event, Listen};
    use crate::job::{Environment, SettingFlags, load};
    use crate::pipeline::TaskTotals;
    use crate::task::TaskId;

    fn job() -> Job {
        let flags = SettingFlags::default()
            .with("dest", "lake")
            .with("write.workers", "2");
        load(&flags, &Environment::default()).expect("valid")
    }

    fn report(change: impl FnOnce(&mut Summary)) -> RunReport {
        let start = "2024-03-18T00:30:00Z".parse().expect("a time");
        let run = RunId::new("20240318T003000Z-k3x9qa").expect("an id");
        let mut summary = Summary::new(run, start);
        summary.ended_at = "2024-03-18T00:42:31Z".parse().expect("a time");
        change(&mut summary);
        let tally = RequestTally::default();
        let request = |endpoint, outcome: &str, times| {
            for _ in 0..times {
                tally.on(&Event::Request {
                    endpoint,
                    outcome: outcome.to_owned(),
                    bytes: 1_000_000,
                    elapsed: Duration::from_millis(800),
                });
            }
        };
        request(Endpoint::Auth, "ok", 1);
        request(Endpoint::ListTasks, "ok", 7);
        request(Endpoint::TaskDetail, "ok", 1_216);
        request(Endpoint::TaskDetail, "http_503", 9);
        tally.on(&Event::Waited {
            time: Duration::from_secs(75),
        });
        tally.on(&Event::Retry {
            endpoint: Endpoint::TaskDetail,
            outcome: "http_503".to_owned(),
            attempt: 1,
            wait: Duration::from_secs(1),
        });
        RunReport::new("run", &job(), summary, &tally)
    }

    fn busy(summary: &mut Summary) {
        summary.planned = vec![(Reason::Final, 1_219), (Reason::Sealed, 30_000)];
        summary.tasks = TaskTotals {
            sealed: 1_204,
            left: 12,
            failed: 3,
            ..TaskTotals::default()
        };
        for (table, rows) in [(TableName::Calls, 1_204_332), (TableName::Redials, 88)] {
            let written = Written {
                files: 7,
                rows,
                bytes: rows * 80,
            };
            summary.written.insert(table, written);
        }
        summary.commits = vec![17, 18];
        summary.rejects = 1;
        let misfit = |key: &str, kind, count| Misfit {
            table: TableName::Calls,
            key: key.to_owned(),
            kind,
            count,
        };
        summary.misfits = vec![
            misfit("BorrowedAmount", MisfitKind::NotANumber, 2),
            misfit("Extra\u{1b}D", MisfitKind::UnknownKey, 1_204_332),
        ];
        let failure = |number| FailedPull {
            task_id: TaskId::new(&format!("task-{number}")).expect("an id"),
            reason: "http_503 in 6 tries".to_owned(),
        };
        summary.failures = (1..=23).map(failure).collect();
    }

    fn text(report: &RunReport) -> String {
        let mut out = Vec::new();
        report.write_text(&mut out).expect("a Vec takes all");
        String::from_utf8(out).expect("text")
    }

    #[test]
    fn a_busy_run_for_people() {
        insta::assert_snapshot!(text(&report(busy)));
    }

    #[test]
    fn a_run_that_found_nothing_for_people() {
        insta::assert_snapshot!(text(&report(|_| ())));
    }

    #[test]
    fn a_run_that_was_stopped_for_people() {
        insta::assert_snapshot!(text(&report(|summary| {
            summary.tasks.not_pulled = 400;
            summary.tasks.sealed = 2;
            summary.listing_complete = false;
            summary.stopped = Some(Stop::Interrupted);
        })));
    }

    #[test]
    fn a_run_that_could_not_sign_in_for_people() {
        insta::assert_snapshot!(text(&report(|summary| {
            summary.listing_complete = false;
            summary.stopped = Some(Stop::Api("the API refused to sign in".to_owned()));
            summary.stop_code = Some(ExitCode::SignIn);
        })));
    }

    #[test]
    fn a_busy_run_for_programs() {
        let json = report(busy).to_json();
        let text = String::from_utf8(json).expect("text");
        let text = text.replace(env!("CARGO_PKG_VERSION"), "VERSION");
        insta::assert_snapshot!(text);
    }

    #[test]
    fn status_reads_what_a_run_wrote() {
        let report = report(busy);
        let past: PastRun = serde_json::from_slice(&report.to_json()).expect("readable");
        assert_eq!(past.run_id, report.summary().run_id);
        assert_eq!((past.exit_code, past.rejects), (Some(65), 1));
        assert_eq!((past.tasks("sealed"), past.tasks("failed")), (1_204, 3));
        assert_eq!(past.ended_at, Some(report.summary().ended_at));
    }

    #[test]
    fn the_report_lies_among_the_runs() {
        let report = report(|_| ());
        assert_eq!(
            report.path().as_str(),
            "_export/runs/20240318T003000Z-k3x9qa.json"
        );
        assert_eq!(report.locate("x"), "lake/x");
    }
}
