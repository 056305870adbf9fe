//! The figures of a run and of its lake, by their names in `docs/monitoring.md`.

use std::collections::BTreeSet;

use chrono::{DateTime, Days, NaiveDate, NaiveTime, Utc};
use serde_json::Value;

use super::exposition::Exposition;
use super::lake_state::LakeState;
use super::outcome::RunOutcome;
use crate::exit_code::ExitCode;

/// Seconds since 1970, to the millisecond.
#[expect(
    clippy::cast_precision_loss,
    reason = "milliseconds of our time are far below 2^53"
)]
fn moment(time: DateTime<Utc>) -> f64 {
    time.timestamp_millis() as f64 / 1000.0
}

/// A number of a document.
fn number(value: &Value) -> Option<f64> {
    value.as_f64()
}

/// All figures.
pub(super) fn figures(outcome: &RunOutcome, lake: Option<&LakeState>) -> Exposition {
    let mut out = Exposition::default();
    of_run(outcome, lake, &mut out);
    of_report(outcome, &mut out);
    of_maintenance(outcome, &mut out);
    if let Some(lake) = lake {
        of_lake(lake, outcome.ended_at, &mut out);
    }
    out
}

fn of_run(outcome: &RunOutcome, lake: Option<&LakeState>, out: &mut Exposition) {
    let command = [("command", outcome.command)];
    let mut add = |name: &str, help: &str, value: f64| out.add(name, help, &command, value);
    add(
        "last_run_timestamp_seconds",
        "When the command last ended, by its own clock.",
        moment(outcome.ended_at),
    );
    if let Some(time) = last_success(outcome, lake) {
        add(
            "last_success_timestamp_seconds",
            "When the command last ended with exit code 0, by its own clock.",
            moment(time),
        );
    }
    add(
        "duration_seconds",
        "How long the last run took.",
        outcome.seconds(),
    );
    add(
        "exit_code",
        "Exit code of the last run.",
        f64::from(outcome.code.number()),
    );
    if let Some(bytes) = outcome.peak_memory_bytes {
        #[expect(clippy::cast_precision_loss, reason = "no machine has 2^53 bytes")]
        add(
            "peak_memory_bytes",
            "The most memory the process took.",
            bytes as f64,
        );
    }
}

fn last_success(outcome: &RunOutcome, lake: Option<&LakeState>) -> Option<DateTime<Utc>> {
    if outcome.code == ExitCode::Done {
        return Some(outcome.ended_at);
    }
    let mut runs = lake?.runs.iter();
    let success = runs.find(|run| run.command == outcome.command && run.exit_code == Some(0));
    success?.ended_at
}

/// What the report of `run`, `backfill` and `replay` says.
fn of_report(outcome: &RunOutcome, out: &mut Exposition) {
    let Some(report) = outcome
        .report
        .as_ref()
        .filter(|report| report["tasks"].is_object())
    else {
        return;
    };
    let command = ("command", outcome.command);
    tasks_and_tables(report, command, out);
    let requests = &report["requests"];
    for (name, help, value) in [
        (
            "rejects",
            "Records that were rejected.",
            number(&report["rejects"]),
        ),
        ("commits", "Commits made.", length(&report["commits"])),
        (
            "failed_workflows",
            "Workflows whose tasks could not all be listed.",
            length(&report["failed_workflows"]),
        ),
        (
            "warnings",
            "Warnings.",
            number(&report["warnings"]["total"]),
        ),
        (
            "received_bytes",
            "Bytes received from the API, after decompression.",
            number(&requests["bytes_received"]),
        ),
        (
            "retries",
            "Requests that were repeated.",
            number(&requests["retries"]),
        ),
        (
            "holds",
            "How often the API asked for a pause.",
            number(&requests["holds"]),
        ),
        (
            "held_seconds",
            "Time of these pauses.",
            number(&requests["held_seconds"]),
        ),
        (
            "pace_wait_seconds",
            "Time that requests waited for the pace or a pause, summed over all.",
            number(&requests["waited_seconds"]),
        ),
    ] {
        if let Some(value) = value {
            out.add(name, help, &[command], value);
        }
    }
    misfits(report, command, out);
    for (endpoint, sums) in requests["by_endpoint"].as_object().into_iter().flatten() {
        by_key(&sums["outcomes"], |word, value| {
            let labels = [command, ("endpoint", endpoint), ("outcome", word)];
            out.add(
                "requests",
                "Requests to the API, repeated ones included.",
                &labels,
                value,
            );
        });
        if let Some(value) = number(&sums["elapsed_seconds"]) {
            let labels = [command, ("endpoint", endpoint)];
            out.add(
                "requests_seconds",
                "Time of these requests, summed.",
                &labels,
                value,
            );
        }
    }
}

/// Tasks by decision and state, and what was written.
fn tasks_and_tables(report: &Value, command: (&str, &str), out: &mut Exposition) {
    by_key(&report["planned"], |decision, value| {
        let labels = [command, ("decision", decision)];
        out.add(
            "planned_tasks",
            "Tasks that were found, by decision.",
            &labels,
            value,
        );
    });
    by_key(&report["tasks"], |state, value| {
        let labels = [command, ("state", state)];
        out.add("tasks", "Tasks by what became of them.", &labels, value);
    });
    for (table, written) in report["written"].as_object().into_iter().flatten() {
        let labels = [command, ("table", table)];
        for (name, help) in [
            ("rows", "Rows written."),
            ("files", "Data files written."),
            ("bytes", "Bytes of the data files written."),
        ] {
            if let Some(value) = number(&written[name]) {
                let name = if name == "bytes" {
                    "written_bytes"
                } else {
                    name
                };
                out.add(name, help, &labels, value);
            }
        }
    }
}

/// Values that did not fit, by table and kind: keys are many, and come from outside.
fn misfits(report: &Value, command: (&str, &str), out: &mut Exposition) {
    let mut total = 0.0;
    let mut sums = std::collections::BTreeMap::<(&str, &str), f64>::new();
    for line in report["misfits"].as_array().into_iter().flatten() {
        let (Some(table), Some(kind)) = (line["table"].as_str(), line["kind"].as_str()) else {
            continue;
        };
        let count = number(&line["count"]).unwrap_or_default();
        *sums.entry((table, kind)).or_default() += count;
        total += count;
    }
    out.add(
        "misfits",
        "Values that did not fit their column.",
        &[command],
        total,
    );
    for ((table, kind), count) in sums {
        let labels = [command, ("table", table), ("kind", kind)];
        out.add(
            "misfits_by_kind",
            "Values that did not fit, by table and kind.",
            &labels,
            count,
        );
    }
}

/// What the reports of `compact` and `vacuum` say.
fn of_maintenance(outcome: &RunOutcome, out: &mut Exposition) {
    let command = ("command", outcome.command);
    let tables = outcome.of_report("/tables").as_object();
    for (table, line) in tables.into_iter().flatten() {
        for when in ["before", "after"] {
            let labels = [command, ("table", table), ("when", when)];
            if let Some(files) = number(&line[when]["files"]) {
                out.add(
                    "merged_files",
                    "Small files, before and after merging.",
                    &labels,
                    files,
                );
            }
            if let Some(bytes) = number(&line[when]["bytes"]) {
                out.add("merged_bytes", "Bytes of these files.", &labels, bytes);
            }
        }
    }
    if outcome.command == "vacuum" {
        for (name, help) in [
            ("files", "Files that were removed."),
            ("bytes", "Bytes that were removed."),
        ] {
            if let Some(value) = number(outcome.of_report(&format!("/{name}"))) {
                out.add(&format!("removed_{name}"), help, &[command], value);
            }
        }
    }
}

fn of_lake(lake: &LakeState, now: DateTime<Utc>, out: &mut Exposition) {
    let status = &lake.status;
    by_key(&status["tasks"], |state, value| {
        out.add(
            "lake_tasks",
            "Tasks of the lake, by state.",
            &[("state", state)],
            value,
        );
    });
    for (table, counts) in status["tables"].as_object().into_iter().flatten() {
        let labels = [("table", table.as_str())];
        for (name, help) in [
            ("rows", "Rows of the lake."),
            ("files", "Data files of the lake."),
            ("bytes", "Bytes of the lake's data files."),
        ] {
            if let Some(value) = number(&counts[name]) {
                out.add(&format!("lake_{name}"), help, &labels, value);
            }
        }
    }
    let mut day = |state: &str, count: usize| {
        let help = "Days of the lake until yesterday: complete, incomplete, or missing in it.";
        out.add("lake_dates", help, &[("state", state)], length_of(count));
    };
    let days = Dates::of(&status["days"], now);
    day("complete", days.complete);
    day("incomplete", days.incomplete);
    day("missing", days.missing);
    if let Some(value) = number(&status["sequence"]) {
        out.add("lake_commit", "Number of the newest commit.", &[], value);
    }
    let problems = lake.check["problems"].as_array();
    let found = |kind: &str| {
        let mut problems = problems.into_iter().flatten();
        let problem = problems.find(|problem| problem["kind"] == kind);
        problem
            .and_then(|problem| number(&problem["count"]))
            .unwrap_or_default()
    };
    for kind in PROBLEMS {
        let help = "What status --check finds wrong, by kind; 0 is well.";
        out.add("lake_problems", help, &[("kind", kind)], found(kind));
    }
    let time = |value: &Value| value.as_str()?.parse::<DateTime<Utc>>().ok();
    if let Some(time) = time(&lake.check["last_success"]) {
        out.add(
            "lake_last_complete_run_timestamp_seconds",
            "When the last run ended that listed the account and exited with 0.",
            &[],
            moment(time),
        );
    }
    let until = lake.check["complete_until"].as_str();
    if let Some(day) = until.and_then(|day| day.parse::<NaiveDate>().ok()) {
        out.add(
            "lake_complete_until_timestamp_seconds",
            "Midnight, in UTC, of the newest complete day.",
            &[],
            moment(day.and_time(NaiveTime::MIN).and_utc()),
        );
    }
}

/// The kinds of problems of `status --check`.
const PROBLEMS: [&str; 8] = [
    "stale",
    "last_run",
    "not_published",
    "lost",
    "incomplete_days",
    "stuck_tasks",
    "rejects",
    "listings",
];

/// Days until yesterday, by state.
struct Dates {
    complete: usize,
    incomplete: usize,
    missing: usize,
}

impl Dates {
    fn of(days: &Value, now: DateTime<Utc>) -> Self {
        let yesterday = now.date_naive().checked_sub_days(Days::new(1));
        let is_over = |date: &NaiveDate| yesterday.is_some_and(|last| *date <= last);
        let mut known = BTreeSet::new();
        let mut complete = 0;
        for day in days.as_array().into_iter().flatten() {
            let date = day["date"].as_str().and_then(|date| date.parse().ok());
            if let Some(date) = date.filter(is_over) {
                complete += usize::from(day["complete"] == true);
                known.insert(date);
            }
        }
        let all = match (known.first(), yesterday) {
            (Some(first), Some(last)) => {
                usize::try_from((last - *first).num_days() + 1).unwrap_or_default()
            }
            _ => 0,
        };
        Self {
            complete,
            incomplete: known.len() - complete,
            missing: all.saturating_sub(known.len()),
        }
    }
}

fn length(list: &Value) -> Option<f64> {
    list.as_array().map(|list| length_of(list.len()))
}

#[expect(clippy::cast_precision_loss, reason = "no list has 2^53 entries")]
fn length_of(count: usize) -> f64 {
    count as f64
}

/// The numbers of an object.
fn by_key(object: &Value, mut each: impl FnMut(&str, f64)) {
    for (key, value) in object.as_object().into_iter().flatten() {
        if let Some(value) = number(value) {
            each(key, value);
        }
    }
}
