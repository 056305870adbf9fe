//! The figures of the charts, as JSON. The tables of the page have the same figures.

use serde::Serialize;

use super::day::Day;
use super::drift::Drift;
use super::past::ReportedRun;
use super::runs::{Degree, seconds};
use crate::lake::FileCounts;
use crate::report::figures::moment;
use crate::schema::TableName;

/// Which charts are drawn.
#[derive(Clone, Copy, Default)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "one for each place in the template"
)]
pub(super) struct Drawn {
    pub(super) rows: bool,
    pub(super) drift: bool,
    pub(super) runs: bool,
    pub(super) requests: bool,
}

/// One chart; `page.js` reads it.
#[derive(Serialize)]
struct Chart {
    /// The element it is drawn in.
    id: &'static str,
    /// `bar` (stacked) or `line`.
    kind: &'static str,
    /// `count`, `bytes`, `seconds`.
    unit: &'static str,
    x: Vec<String>,
    series: Vec<Line>,
}

#[derive(Serialize)]
struct Line {
    name: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    colour: Option<&'static str>,
    data: Data,
}

#[derive(Serialize)]
#[serde(untagged)]
enum Data {
    Counts(Vec<u64>),
    Seconds(Vec<Option<f64>>),
}

/// The figures as JSON without `<`, `>` and `&`, or nothing if there is no chart; and which there are.
pub(super) fn figures(days: &[Day], drift: &Drift, runs: &[ReportedRun]) -> (String, Drawn) {
    let mut charts = Vec::new();
    let mut drawn = Drawn::default();
    if days.iter().any(|day| day.calls() > 0) {
        drawn.rows = true;
        charts.push(of_days("chart-rows", "count", days, |counts| counts.rows));
        charts.push(of_days("chart-bytes", "bytes", days, |counts| counts.bytes));
    }
    if !drift.series.is_empty() && drift.dates.len() > 1 {
        drawn.drift = true;
        charts.push(of_drift(drift));
    }
    // Oldest first, as time goes.
    let runs: Vec<&ReportedRun> = runs.iter().rev().collect();
    if runs.len() > 1 {
        drawn.runs = true;
        charts.push(of_runs(&runs));
    }
    let asking: Vec<&ReportedRun> = runs
        .into_iter()
        .filter(|run| run.requests.total > 0)
        .collect();
    if asking.len() > 1 {
        drawn.requests = true;
        charts.push(of_requests(&asking));
    }
    if charts.is_empty() {
        return (String::new(), drawn);
    }
    (in_html(&charts), drawn)
}

/// JSON that an HTML parser takes for nothing else.
fn in_html(charts: &[Chart]) -> String {
    let json = serde_json::to_string(charts).expect("counts and texts are JSON");
    let json = json.replace('<', "\\u003c").replace('>', "\\u003e");
    json.replace('&', "\\u0026")
}

fn of_days(
    id: &'static str,
    unit: &'static str,
    days: &[Day],
    figure: impl Fn(FileCounts) -> u64,
) -> Chart {
    let of = |day: &Day, table| {
        let tables = day.summary.as_ref().map(|day| &day.tables);
        let counts = tables.and_then(|tables| tables.get(&table));
        counts.map_or(0, |counts| figure(*counts))
    };
    let series = TableName::ALL.into_iter().map(|table| Line {
        name: table.as_str().to_owned(),
        colour: None,
        data: Data::Counts(days.iter().map(|day| of(day, table)).collect()),
    });
    Chart {
        id,
        kind: "bar",
        unit,
        x: days.iter().map(|day| day.date.to_string()).collect(),
        series: series.collect(),
    }
}

fn of_drift(drift: &Drift) -> Chart {
    let series = drift.series.iter().map(|series| Line {
        name: series.name.clone(),
        colour: None,
        data: Data::Counts(series.counts.clone()),
    });
    Chart {
        id: "chart-drift",
        kind: "line",
        unit: "count",
        x: drift.dates.iter().map(ToString::to_string).collect(),
        series: series.collect(),
    }
}

fn of_runs(runs: &[&ReportedRun]) -> Chart {
    let series = Degree::ALL.into_iter().filter_map(|degree| {
        let of = |run: &&ReportedRun| seconds(run).filter(|_| Degree::of(run) == degree);
        let data: Vec<Option<f64>> = runs.iter().map(of).collect();
        let has_any = data.iter().any(Option::is_some);
        has_any.then(|| Line {
            name: degree.word().to_owned(),
            colour: Some(degree.class()),
            data: Data::Seconds(data),
        })
    });
    Chart {
        id: "chart-runs",
        kind: "bar",
        unit: "seconds",
        x: starts(runs),
        series: series.collect(),
    }
}

fn of_requests(runs: &[&ReportedRun]) -> Chart {
    let line = |name: &str, colour, figure: fn(&ReportedRun) -> u64| Line {
        name: name.to_owned(),
        colour: Some(colour),
        data: Data::Counts(runs.iter().map(|run| figure(run)).collect()),
    };
    Chart {
        id: "chart-requests",
        kind: "bar",
        unit: "count",
        x: starts(runs),
        series: vec![
            line("successful", "good", |run| run.requests.ok()),
            line("not successful", "gone", |run| run.requests.not_ok()),
        ],
    }
}

fn starts(runs: &[&ReportedRun]) -> Vec<String> {
    let started = runs.iter().map(|run| run.past.started_at);
    started
        .map(|at| at.map_or_else(String::new, moment))
        .collect()
}
