//! The page of `report --html`: one HTML file for people, from what the lake already holds.
//!
//! It is complete without JavaScript: headings, tables, a calendar as a table. Charts over the same
//! figures are drawn by Apache `ECharts`, which is embedded (`echarts/`). The page makes no request;
//! its policy allows exactly the scripts and the style that are in it.
//!
//! It holds counts, dates, ids and names of keys, never a value: key names that look like data are
//! masked as in `doctor` ([`masked`]). All text is escaped by the templates.
//!
//! | file | content |
//! |---|---|
//! | [`day`] | the state of each day, and why it is not complete |
//! | [`calendar`], [`rows`] | days by month; rows and bytes by table and day |
//! | [`past`] | run reports, as far as the page needs them |
//! | [`drift`] | what did not fit, by key and over time |
//! | [`runs`], [`requests`] | run history; requests and waiting |
//! | [`needs`] | what needs a person, with the command that mends it |
//! | [`charts`] | figures for the charts, as JSON |
//! | [`policy`] | style, scripts and their hashes |

mod calendar;
mod charts;
mod day;
mod drift;
mod input;
mod masked;
mod needs;
mod past;
mod policy;
mod requests;
mod rows;
mod runs;
#[cfg(test)]
mod tests;

use askama::Template;
use chrono_tz::Tz;

use self::calendar::Month;
use self::day::{Day, State};
use self::drift::Drift;
pub use self::input::HtmlInput;
use self::masked::text_of;
use self::needs::Need;
pub use self::past::{ReportedRun, reported_runs};
use self::requests::RequestTables;
use self::rows::RowsTable;
use self::runs::RunLine;
use super::figures::{between, bytes, count, counted, duration, moment};
use crate::lake::DaySummary;

/// A figure at the top.
struct Fact {
    name: &'static str,
    value: String,
    note: String,
}

/// One row of the table of days, ready to be shown.
struct DayLine {
    date: String,
    state: &'static str,
    class: &'static str,
    why: String,
    revision: String,
    tasks: [String; 4],
    calls: String,
}

/// What the tasks that start on a day left beside rows.
struct UnfitLine {
    date: String,
    rejects: String,
    misfits: String,
}

/// A line of the table of rejects.
struct RejectLine {
    run: String,
    started: String,
    rejects: String,
    folder: String,
}

#[derive(Template)]
#[template(path = "page.html", config = "src/report/html/askama.toml")]
struct Page {
    policy: String,
    style: &'static str,
    library: &'static str,
    script: &'static str,
    /// The figures of the charts; empty if there is nothing to draw.
    figures: String,
    has_chart: charts::Drawn,
    dest: String,
    about: Vec<String>,
    facts: Vec<Fact>,
    needs: Vec<Need>,
    months: Vec<Month>,
    days: Vec<DayLine>,
    days_note: String,
    rows: RowsTable,
    drift: Drift,
    rejects: Vec<RejectLine>,
    unfit: Vec<UnfitLine>,
    runs: Vec<RunLine>,
    runs_note: String,
    requests: RequestTables,
    version: &'static str,
}

/// The page, as HTML.
///
/// # Panics
///
/// Never: a template that writes into memory does not fail.
#[must_use]
pub fn html_report(input: &HtmlInput<'_>) -> String {
    let ledger = input.lake.ledger();
    let zone = ledger.zone().unwrap_or(Tz::UTC);
    let all = day::days(ledger, input.now);
    let hidden = all.len().saturating_sub(input.most_days);
    let days = &all[hidden..];
    let rows = RowsTable::new(days, input.status, hidden);
    let drift = Drift::new(days, input.status.undated.as_ref(), input.runs);
    let (figures, has_chart) = charts::figures(days, &drift, input.runs);
    let page = Page {
        policy: policy::policy(),
        style: policy::STYLE,
        library: policy::LIBRARY,
        script: policy::SCRIPT,
        figures,
        has_chart,
        dest: text_of(input.dest),
        about: about(input, zone),
        facts: facts(input, &all),
        needs: needs::needs(input, &all),
        months: calendar::months(days),
        days: days.iter().rev().map(DayLine::new).collect(),
        days_note: match hidden as u64 {
            0 => String::new(),
            earlier => format!(
                "{} not shown; --days shows more.",
                counted(earlier, "earlier day")
            ),
        },
        rows,
        rejects: rejects(input.runs),
        unfit: unfit(days, input.status.undated.as_ref()),
        runs: input.runs.iter().map(RunLine::new).collect(),
        runs_note: format!(
            "The newest {}; --runs shows more or fewer.",
            counted(input.runs.len() as u64, "run")
        ),
        requests: RequestTables::new(input.runs),
        drift,
        version: env!("CARGO_PKG_VERSION"),
    };
    page.render().expect("a String takes all")
}

fn about(input: &HtmlInput<'_>, zone: Tz) -> Vec<String> {
    let mut about = vec![
        format!("As of {}", moment(input.now)),
        format!("commit {}", count(input.status.sequence)),
    ];
    about.push(match &input.status.lake {
        Some(lake) => text_of(&lake.to_string()),
        None => format!("days in {zone}"),
    });
    about
}

fn facts(input: &HtmlInput<'_>, days: &[Day]) -> Vec<Fact> {
    let of_state = |state| days.iter().filter(|day| day.state == state).count() as u64;
    let status = input.status;
    let rows: u64 = status.tables.values().map(|table| table.rows).sum();
    let files: u64 = status.tables.values().map(|table| table.files).sum();
    let size: u64 = status.tables.values().map(|table| table.bytes).sum();
    let calls = status.tables.get(&crate::schema::TableName::Calls);
    let complete = days.iter().rev().find(|day| day.state == State::Complete);
    let success = status.last_success.map_or_else(
        || ("never".to_owned(), String::new()),
        |ended| {
            let ago = format!("{} ago", duration(between(ended, input.now)));
            (ended.format("%Y-%m-%d %H:%MZ").to_string(), ago)
        },
    );
    let tasks = status.tasks;
    vec![
        Fact {
            name: "Complete until",
            value: complete.map_or_else(|| "no day yet".to_owned(), |day| day.date.to_string()),
            note: format!(
                "{} complete, {} in part, {} missing",
                count(of_state(State::Complete)),
                count(of_state(State::Partial)),
                count(of_state(State::Missing))
            ),
        },
        Fact {
            name: "Last complete run",
            value: success.0,
            note: success.1,
        },
        Fact {
            name: "Calls",
            value: count(calls.map_or(0, |calls| calls.rows)),
            note: format!("{} rows in all tables", count(rows)),
        },
        Fact {
            name: "Tasks exported",
            value: count(tasks.sealed + tasks.early),
            note: format!("{} open, {} failed", count(tasks.open), count(tasks.failed)),
        },
        Fact {
            name: "Size",
            value: bytes(size),
            note: counted(files, "file"),
        },
    ]
}

impl DayLine {
    fn new(day: &Day) -> Self {
        let summary = day.summary.as_ref();
        let tasks = summary.map(|day| day.tasks).unwrap_or_default();
        Self {
            date: day.date.to_string(),
            state: day.state.word(),
            class: day.state.class(),
            why: day.why.clone(),
            revision: summary.map_or_else(String::new, |day| match day.revision {
                0 => String::new(),
                revision => count(revision),
            }),
            tasks: [tasks.sealed, tasks.open, tasks.failed, tasks.early].map(count),
            calls: count(day.calls()),
        }
    }
}

/// The days that have any, newest first; what has no day comes last.
fn unfit(days: &[Day], undated: Option<&DaySummary>) -> Vec<UnfitLine> {
    let dated = days.iter().rev().filter_map(|day| day.summary.as_ref());
    let lines = dated.chain(undated).map(|day| {
        let rejects = day.rejects.unwrap_or_default();
        (day.date, rejects, day.misfit_count())
    });
    lines
        .filter(|(_, rejects, misfits)| *rejects > 0 || *misfits > 0)
        .map(|(date, rejects, misfits)| UnfitLine {
            date: date.map_or_else(|| "no day".to_owned(), |date| date.to_string()),
            rejects: count(rejects),
            misfits: count(misfits),
        })
        .collect()
}

fn rejects(runs: &[ReportedRun]) -> Vec<RejectLine> {
    let lines = runs.iter().filter(|run| run.past.rejects > 0);
    lines
        .map(|run| RejectLine {
            run: text_of(run.past.run_id.as_str()),
            started: run.past.started_at.map_or_else(String::new, moment),
            rejects: count(run.past.rejects),
            folder: text_of(&format!("_export/rejects/{}/", run.past.run_id)),
        })
        .collect()
}
