//! Checks one whole task against the schema.

use super::answer::{AnswerFacts, FactSink};
use super::check::{Check, Notes, quoted};
use super::listings::Candidates;
use super::redial_times::RedialTimes;
use crate::api::{ApiClient, DetailError};
use crate::decode::{Misfit, MisfitKind};
use crate::exit_code::ExitCode;
use crate::job::Job;
use crate::privacy::DATA_KEYS;
use crate::task::TaskStatus;

const NAME: &str = "task_detail";

/// Pulls the first task, and up to two more while none has redials. Returns the redials.
pub(super) async fn examine(
    api: &ApiClient,
    job: &Job,
    candidates: &Candidates,
    notes: &mut Notes<'_>,
) -> RedialTimes {
    let mut redials = RedialTimes::default();
    if candidates.tasks.is_empty() {
        notes.add(Check::skipped(NAME, candidates.why_none.clone()));
    }
    for (index, task) in candidates.tasks.iter().enumerate() {
        let mut sink = FactSink::new(task, &job.api.profile, &job.decode);
        match api.task_detail(task, &mut sink).await {
            Ok(facts) => {
                if index == 0 {
                    notes.add_all(judge(&facts));
                }
                redials = RedialTimes {
                    answers: index + 1,
                    ..facts.redials
                };
                if !redials.attempts.is_empty() || redials.zoned > 0 {
                    break;
                }
            }
            Err(error) => {
                notes.add(Check::fail(NAME, exit_code(&error), &error));
                break;
            }
        }
    }
    redials
}

fn exit_code(error: &DetailError) -> ExitCode {
    match error {
        DetailError::Account(error) => error.exit_code(),
        DetailError::Cancelled => ExitCode::Interrupted,
        DetailError::Destination { .. } => ExitCode::Bug,
        DetailError::Failed { .. }
        | DetailError::NotFound { .. }
        | DetailError::Rejected { .. } => ExitCode::ApiUnavailable,
    }
}

fn judge(facts: &AnswerFacts) -> Vec<Check> {
    let AnswerFacts {
        names_task,
        status,
        bytes,
        entries,
        sampled,
        rejects,
        children: [redials, turns],
        misfits,
        redials: _,
    } = facts;
    let part = if sampled == entries {
        String::new()
    } else {
        format!(" in the first {sampled}")
    };
    let mut checks = vec![Check::ok(
        NAME,
        format!(
            "a whole answer of {bytes} bytes: {entries} calls, {redials} redials and {turns} \
             turns{part}"
        ),
    )];
    if *entries == 0 {
        checks.push(
            Check::warn("task_detail.calls", "its `detail` has no entry")
                .advise("a finished task should have calls: compare it with the vendor's console"),
        );
    }
    if !names_task {
        checks.push(
            Check::warn("task_detail.id", "the answer names no TaskID")
                .advise("its key is in schemas/tasks.toml; the task that was asked for is taken"),
        );
    }
    if !status.as_ref().is_some_and(TaskStatus::is_final) {
        let what = match status {
            None => "the answer has no `Status`".to_owned(),
            Some(TaskStatus::Unknown(_)) => "the answer's `Status` is an unknown word".to_owned(),
            Some(status) => format!(
                "the task is listed as final, and {} by its answer",
                status.as_str()
            ),
        };
        checks.push(
            Check::warn("task_detail.status", what).advise(
                "the response decides: such a task is not sealed, and asked for every night",
            ),
        );
    }
    if *rejects > 0 {
        checks.push(
            Check::warn(
                "task_detail.entries",
                format!("{rejects} of its entries are no calls"),
            )
            .advise("they are kept in _export/rejects/; a run with rejects ends with exit code 65"),
        );
    }
    let lines = misfits.lines();
    let (unknown, unfit): (Vec<&Misfit>, _) = lines
        .iter()
        .partition(|line| line.kind == MisfitKind::UnknownKey);
    checks.push(if unknown.is_empty() {
        Check::ok("task_detail.keys", "all keys are known")
    } else {
        let what = format!("keys that the schema does not name: {}", named(&unknown));
        Check::ok("task_detail.keys", what).advise(
            "their values are kept in extra_fields; a column for one is an entry in schemas/",
        )
    });
    if !unfit.is_empty() {
        let what = format!("values that do not fit their columns: {}", named(&unfit));
        checks.push(
            Check::warn("task_detail.values", what)
                .advise("they are kept in extra_fields, and the column is null there"),
        );
    }
    checks
}

/// Names of keys with their counts; names that may be data are only counted.
fn named(lines: &[&Misfit]) -> String {
    let (odd, plain): (Vec<&&Misfit>, _) = lines.iter().partition(|line| line.key == DATA_KEYS);
    let texts: Vec<String> = plain
        .iter()
        .map(|line| match line.kind {
            MisfitKind::UnknownKey => format!("{}.{} ×{}", line.table, line.key, line.count),
            kind => format!("{}.{} ×{} ({kind})", line.table, line.key, line.count),
        })
        .collect();
    let shown = quoted(texts.iter().map(String::as_str));
    match (odd.iter().map(|line| line.count).sum(), shown.as_str()) {
        (0, _) => shown,
        (odd, "") => format!("some that look like data ×{odd}"),
        (odd, shown) => format!("{shown}, some that look like data ×{odd}"),
    }
}
