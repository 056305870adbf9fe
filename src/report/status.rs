//! Contents of the lake, outcomes of the last runs, and problems that need attention.

mod check;
mod text;

use std::collections::{BTreeMap, BTreeSet};
use std::io::{self, Write};

use chrono::{DateTime, NaiveDate, TimeDelta, Utc};
use chrono_tz::Tz;
use serde::Serialize;

use super::past::{PastNotUnderstood, PastRun, PastStop, PastWorkflow};
use crate::discover::is_before;
use crate::job::Job;
use crate::lake::{
    DaySummary, FileCounts, Lake, LakeError, Ledger, Pin, PinState, PinWay, Pins, ShownIdentity,
    TaskCounts, Unpublished, UnsealedTask,
};
use crate::schema::TableName;
use crate::store::{FilePath, PinId};
use crate::task::{RunId, TaskId, TaskStatus, WorkflowId};

pub use self::check::MAX_AGE;
#[cfg(test)]
pub(crate) use self::check::StatusCheck;
pub(crate) use self::check::max_age;

/// Number of past runs shown.
const MAX_RUNS: usize = 5;
/// A task that is not final this long after its scheduled end was probably forgotten.
const FORGOTTEN_AFTER: TimeDelta = TimeDelta::days(2);
/// On the third night, a task without a known status or day is shown: two days after the first,
/// less an hour, since nights do not start to the second.
const THREE_NIGHTS: TimeDelta = TimeDelta::hours(2 * 24 - 1);

/// Status of the lake.
#[derive(Clone, Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct StatusReport {
    pub(super) dest: String,
    /// The account and host of the lake; null for a lake of an earlier version.
    pub(super) lake: Option<ShownIdentity>,
    /// The commit this status refers to; 0 for an empty lake.
    pub(super) sequence: u64,
    partition_timezone: Option<&'static str>,
    listed_until: Option<DateTime<Utc>>,
    pub(super) tasks: TaskCounts,
    pub(super) tables: BTreeMap<TableName, FileCounts>,
    days: Vec<DaySummary>,
    pub(super) undated: Option<DaySummary>,
    runs: Vec<PastRun>,
    /// When the last run ended that listed the account and exited with 0.
    pub(super) last_success: Option<DateTime<Utc>>,
    /// States pinned by readers.
    pins: Vec<PinLine>,
    pub(super) attention: Attention,
    #[serde(skip)]
    pub(super) not_before: Option<NaiveDate>,
}

/// Input of a status besides the lake.
#[derive(Clone, Copy, Debug)]
pub(super) struct StatusOptions {
    pub(super) now: DateTime<Utc>,
    /// Tasks of earlier days are left out and need no attention (`tasks.not_before`).
    pub(super) not_before: Option<NaiveDate>,
}

/// A state that is pinned, or was until recently.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
struct PinLine {
    id: PinId,
    /// `held`, `making`, `ended` (removed by the next run or vacuum), `not_understood`.
    #[cfg_attr(test, schemars(extend("enum" = ["held", "making", "ended", "not_understood"])))]
    state: &'static str,
    /// The commit whose state is pinned; null, like all fields that follow, if the record is not
    /// understood.
    sequence: Option<u64>,
    created_at: Option<DateTime<Utc>>,
    expires_at: Option<DateTime<Utc>>,
    by: Option<String>,
    way: Option<PinWay>,
    files: Option<u64>,
    bytes: Option<u64>,
}

/// Problems that need attention, now or later.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub(super) struct Attention {
    pub(super) failed: Vec<FailedLine>,
    /// Tasks whose rows were lost with a damaged file.
    pub(super) lost: Vec<LostLine>,
    pub(super) overdue: Vec<OverdueLine>,
    pub(super) not_known: Vec<NotKnownLine>,
    pub(super) rejects: Vec<RejectsLine>,
    pub(super) gone_workflows: Vec<GoneWorkflowLine>,
    /// From the last run, and from earlier ones whose listing no later run has completed.
    pub(super) failed_workflows: Vec<PastWorkflow>,
    /// From the same runs.
    pub(super) not_understood: Vec<PastNotUnderstood>,
    /// Commits that are durable, but whose files are not all in their tables.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) not_published: Option<Unpublished>,
    /// Set if the last run did not complete its work.
    pub(super) last_run: Option<LastRunLine>,
    /// Days are recorded as listed that have not ended yet: the clock of a run was ahead.
    pub(super) listed_ahead: Option<DateTime<Utc>>,
}

/// A task without a known status or day.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub(super) struct NotKnownLine {
    pub(super) task_id: TaskId,
    pub(super) what: &'static str,
    pub(super) first_seen: Option<DateTime<Utc>>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub(super) struct GoneWorkflowLine {
    pub(super) workflow_id: WorkflowId,
    pub(super) nights: u32,
    pub(super) last_night: NaiveDate,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub(super) struct LastRunLine {
    pub(super) run_id: RunId,
    pub(super) outcome: String,
    pub(super) exit_code: u8,
    /// Why it stopped, if it did.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) reason: Option<String>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub(super) struct FailedLine {
    pub(super) task_id: TaskId,
    pub(super) date: Option<NaiveDate>,
    pub(super) reason: String,
    pub(super) attempts: u32,
    pub(super) last_run: RunId,
}

/// Rows that were lost with a damaged file and have not been restored.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub(super) struct LostLine {
    pub(super) task_id: TaskId,
    pub(super) date: Option<NaiveDate>,
    pub(super) file: FilePath,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub(super) struct OverdueLine {
    pub(super) task_id: TaskId,
    pub(super) date: Option<NaiveDate>,
    pub(super) status: String,
    /// Its scheduled end; if missing, its start, or when it was first seen.
    pub(super) schedule_end: DateTime<Utc>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub(super) struct RejectsLine {
    pub(super) run_id: RunId,
    pub(super) rejects: u64,
    pub(super) folder: String,
}

impl StatusReport {
    /// Reads the status of a lake at a moment. `runs` are the newest, newest first.
    ///
    /// # Errors
    ///
    /// When the lake can't be read.
    pub async fn read(
        lake: &Lake,
        runs: Vec<PastRun>,
        job: &Job,
        now: DateTime<Utc>,
    ) -> Result<Self, LakeError> {
        let options = StatusOptions {
            now,
            not_before: job.discover.not_before,
        };
        Ok(Self::new(lake, runs, lake.unpublished().await?, options))
    }

    /// Determines the status of a lake. `runs` are the newest, newest first; `not_published` is
    /// what the lake reports about its unpublished commits.
    #[must_use]
    pub(super) fn new(
        lake: &Lake,
        runs: Vec<PastRun>,
        not_published: Option<Unpublished>,
        options: StatusOptions,
    ) -> Self {
        let StatusOptions { now, not_before } = options;
        let ledger = lake.ledger();
        // Tasks left out by `tasks.not_before` need no attention.
        let is_left_out = |task: &UnsealedTask| is_before(not_before, task.task.day);
        let unsealed = || ledger.unsealed().filter(|task| !is_left_out(task));
        let days: Vec<_> = (ledger.days())
            .filter_map(|day| ledger.day_summary(day))
            .collect();
        let undated = ledger.undated();
        let mut tables = BTreeMap::<TableName, FileCounts>::new();
        for (table, counts) in days.iter().chain(&undated).flat_map(|day| &day.tables) {
            let sum = tables.entry(*table).or_default();
            sum.files += counts.files;
            sum.rows += counts.rows;
            sum.bytes += counts.bytes;
        }
        let newest = runs.first();
        let unsettled = unsettled(&runs);
        let attention = Attention {
            failed: unsealed().filter_map(FailedLine::new).collect(),
            lost: lost(ledger),
            overdue: overdue(unsealed(), now),
            not_known: not_known(unsealed(), now),
            gone_workflows: ledger
                .gone_workflows()
                .map(|(id, gone)| GoneWorkflowLine {
                    workflow_id: id.clone(),
                    nights: gone.nights,
                    last_night: gone.on,
                })
                .collect(),
            failed_workflows: once(
                unsettled.iter().flat_map(|run| &run.failed_workflows),
                |workflow| workflow.workflow_id.clone(),
            ),
            not_understood: once(
                unsettled.iter().flat_map(|run| &run.not_understood),
                |line| (line.endpoint.clone(), line.key.clone(), line.shape.clone()),
            ),
            not_published,
            last_run: newest.and_then(LastRunLine::new),
            listed_ahead: ledger.listed_ahead(now),
            rejects: runs
                .iter()
                .take(MAX_RUNS)
                .filter(|run| run.rejects > 0)
                .map(|run| RejectsLine {
                    run_id: run.run_id.clone(),
                    rejects: run.rejects,
                    folder: format!("_export/rejects/{}/", run.run_id),
                })
                .collect(),
        };
        Self {
            dest: lake.store().root().display().to_string(),
            lake: None,
            sequence: ledger.last_sequence(),
            partition_timezone: ledger.zone().map(Tz::name),
            listed_until: ledger.listed_until(None),
            tasks: ledger.task_counts(),
            tables,
            days,
            undated,
            last_success: check::last_success(&runs),
            runs: runs.into_iter().take(MAX_RUNS).collect(),
            pins: Vec::new(),
            attention,
            not_before,
        }
    }

    /// Adds the identity recorded in the lake.
    #[must_use]
    pub fn of(mut self, lake: Option<ShownIdentity>) -> Self {
        self.lake = lake;
        self
    }

    /// Adds the pins of readers, as of a moment.
    #[must_use]
    pub fn with_pins(mut self, pins: &Pins, now: DateTime<Utc>) -> Self {
        let line = |pin: &Pin| PinLine {
            id: pin.id.clone(),
            state: match pin.state {
                _ if !pin.is_active(now, TimeDelta::zero()) => "ended",
                PinState::Making => "making",
                PinState::Held | PinState::Ended => "held",
            },
            sequence: Some(pin.sequence),
            created_at: Some(pin.created_at),
            expires_at: Some(pin.expires_at),
            by: Some(pin.by.clone()),
            way: Some(pin.way),
            files: Some(pin.files),
            bytes: Some(pin.bytes),
        };
        self.pins = pins.pins.iter().map(line).collect();
        let not_understood = pins.not_understood.iter().map(|id| PinLine {
            id: id.clone(),
            state: "not_understood",
            sequence: None,
            created_at: None,
            expires_at: None,
            by: None,
            way: None,
            files: None,
            bytes: None,
        });
        self.pins.extend(not_understood);
        self
    }

    /// The status as JSON.
    #[must_use]
    pub fn to_json(&self) -> Vec<u8> {
        let mut json = serde_json::to_vec_pretty(self).expect("counts and texts are JSON");
        json.push(b'\n');
        json
    }

    /// Writes the status as text, with the days of the last month or all of them.
    ///
    /// # Errors
    ///
    /// When `out` cannot be written.
    pub fn write_text(&self, every_day: bool, out: &mut impl Write) -> io::Result<()> {
        text::write(self, every_day, out)
    }
}

/// The last run, and earlier runs whose incomplete listing has not been completed by a later run of
/// the same command: their days are still waiting.
fn unsettled(runs: &[PastRun]) -> Vec<&PastRun> {
    let mut completed = BTreeSet::new();
    let mut unsettled = Vec::new();
    for (number, run) in runs.iter().enumerate() {
        let waits = run.listing_complete == Some(false) && !completed.contains(&*run.command);
        if number == 0 || waits {
            unsettled.push(run);
        }
        if run.listed && run.listing_complete == Some(true) {
            completed.insert(&*run.command);
        }
    }
    unsettled
}

/// The first of equal items.
fn once<'a, T: Clone + 'a, K: Ord>(
    all: impl Iterator<Item = &'a T>,
    key: impl Fn(&T) -> K,
) -> Vec<T> {
    let mut seen = BTreeSet::new();
    all.filter(|one| seen.insert(key(one))).cloned().collect()
}

impl FailedLine {
    fn new(known: &UnsealedTask) -> Option<Self> {
        let failure = known.failure.as_ref()?;
        Some(Self {
            task_id: known.task.id.clone(),
            date: known.task.day,
            reason: failure.reason.clone(),
            attempts: failure.attempts,
            last_run: failure.last_run.clone(),
        })
    }
}

/// The lost rows, by task.
fn lost(ledger: &Ledger) -> Vec<LostLine> {
    let lines = ledger.lost().flat_map(|(task, files)| {
        files.iter().map(|file| LostLine {
            task_id: task.clone(),
            date: ledger.day_of_task(task),
            file: file.clone(),
        })
    });
    lines.collect()
}

impl LastRunLine {
    /// For a run that failed and was not stopped by a user.
    fn new(run: &PastRun) -> Option<Self> {
        let exit_code = run
            .exit_code
            .filter(|code| !matches!(code, 0 | 130 | 143))?;
        Some(Self {
            run_id: run.run_id.clone(),
            outcome: run.outcome.clone(),
            exit_code,
            reason: run.stopped.as_ref().and_then(PastStop::reason),
        })
    }
}

/// Tasks without a known status or day for three nights.
fn not_known<'a>(
    unsealed: impl Iterator<Item = &'a UnsealedTask>,
    now: DateTime<Utc>,
) -> Vec<NotKnownLine> {
    let lines = unsealed.filter(|known| known.failure.is_none());
    let lines = lines.filter_map(|known| {
        let task = &known.task;
        let what = match &task.status {
            TaskStatus::Unknown(_) => "its status is not understood",
            _ if task.schedule_start.is_none() => "it has no scheduled start",
            _ => return None,
        };
        let is_long = |seen: DateTime<Utc>| now.signed_duration_since(seen) >= THREE_NIGHTS;
        task.first_seen.is_none_or(is_long).then(|| NotKnownLine {
            task_id: task.id.clone(),
            what,
            first_seen: task.first_seen,
        })
    });
    lines.collect()
}

/// Tasks that should have been final long ago, oldest first.
fn overdue<'a>(
    unsealed: impl Iterator<Item = &'a UnsealedTask>,
    now: DateTime<Utc>,
) -> Vec<OverdueLine> {
    let mut lines: Vec<_> = unsealed
        .filter(|known| known.failure.is_none())
        .filter_map(|known| {
            let task = &known.task;
            let schedule_end = task.schedule_end.filter(|end| !task.overdue || *end <= now);
            let schedule_end = schedule_end.or(task.schedule_start).or(task.first_seen)?;
            let overdue = task.overdue || now.signed_duration_since(schedule_end) > FORGOTTEN_AFTER;
            overdue.then(|| OverdueLine {
                task_id: known.task.id.clone(),
                date: known.task.day,
                status: known.task.status.safe_word().to_owned(),
                schedule_end,
            })
        })
        .collect();
    lines.sort_by(|a, b| (a.schedule_end, &a.task_id).cmp(&(b.schedule_end, &b.task_id)));
    lines
}

#[cfg(test)]
pub(super) mod tests {
    use std::io::Write as _;
    use std::path::Path;

    use super::*;
    use crate::clock::Clock;
    use crate::event::Events;
    use crate::job::Destination;
    use crate::lake::{
        CommitDraft, CommitKind, CommitOutcome, CommittedTask, Coverage, FailedTask, Failure,
        LakeOptions, LakeWriter, OpenTask,
    };
    use crate::store::Partition;
    use crate::task::TaskStatus;

    fn time(text: &str) -> DateTime<Utc> {
        text.parse().expect("a time")
    }

    fn at(text: &str) -> StatusOptions {
        StatusOptions {
            now: time(text),
            not_before: None,
        }
    }

    fn open_task(id: &str, start: &str) -> OpenTask {
        let start = time(start);
        OpenTask {
            schedule_start: Some(start),
            schedule_end: Some(start),
            day: Some(start.date_naive()),
            ..OpenTask::new(TaskId::new(id).expect("an id"), TaskStatus::Calling)
        }
    }

    /// A lake with two days: one complete, one with an open and a failed task.
    pub(in crate::report) async fn small_lake(root: &Path) -> Lake {
        let dest = Destination::Local(root.to_owned());
        let options = LakeOptions {
            dest: dest.clone(),
            partition_timezone: Tz::UTC,
        };
        let run = RunId::new("20240313T003000Z-aaaaaa").expect("an id");
        let clock = Clock::starting_at(time("2024-03-13T00:30:00Z"));
        let mut writer = LakeWriter::open(&options, run.clone(), clock, Events::default())
            .await
            .expect("opened");
        let day = "2024-03-11".parse().expect("a day");
        let mut draft = CommitDraft::new(run.clone(), CommitKind::Append, 0);
        for (table, rows) in [(TableName::Calls, 1_234), (TableName::Tasks, 1)] {
            let staged = writer.store().stage(table, Partition::Date(day));
            let mut staged = staged.expect("staged");
            staged.write_all(&[0; 2_000]).expect("written");
            draft.files.push(staged.finish(rows).expect("finished"));
        }
        let sealed = open_task("sealed", "2024-03-11T08:00:00Z");
        draft.tasks.push(CommittedTask {
            misfits: Vec::new(),
            id: sealed.id,
            workflow: None,
            status: TaskStatus::Finished,
            schedule_start: sealed.schedule_start,
            schedule_end: sealed.schedule_end,
            day: Some(day),
            sealed: true,
            calls: 1_234,
            redials: 0,
            turns: 0,
            rejects: 0,
            files: vec![0, 1],
        });
        draft.open.push(open_task("open", "2024-03-12T08:00:00Z"));
        draft.failed.push(FailedTask {
            task: open_task("failed", "2024-03-12T09:00:00Z"),
            failure: Failure {
                reason: "http_503 in 6 tries".to_owned(),
                attempts: 2,
                last_run: run,
                rejects: 0,
            },
        });
        draft.coverage.push(Coverage {
            from: time("2024-03-11T00:00:00Z"),
            to: time("2024-03-13T00:00:00Z"),
            at: time("2024-03-13T00:00:00Z"),
            is_range: false,
            evidence: None,
        });
        draft.listed_until = Some(time("2024-03-13T00:30:00Z"));
        let outcome = writer.commit(draft).await.expect("committed");
        assert!(
            matches!(outcome, CommitOutcome::Committed(_)),
            "{outcome:?}"
        );
        writer.close().await.expect("closed");
        Lake::open(&dest).await.expect("opened")
    }

    fn run_of(id: &str, outcome: &str, rejects: u64) -> PastRun {
        PastRun {
            run_id: RunId::new(id).expect("an id"),
            command: "run".to_owned(),
            started_at: Some(time("2024-03-13T00:30:00Z")),
            ended_at: Some(time("2024-03-13T00:31:30Z")),
            outcome: outcome.to_owned(),
            exit_code: Some(65),
            stopped: None,
            tasks: [("sealed".to_owned(), 1), ("failed".to_owned(), 1)].into(),
            rejects,
            listing_complete: None,
            failed_workflows: Vec::new(),
            listed: true,
            not_understood: Vec::new(),
        }
    }

    fn text(report: &StatusReport, every_day: bool) -> String {
        let mut out = Vec::new();
        report
            .write_text(every_day, &mut out)
            .expect("a Vec takes all");
        String::from_utf8(out)
            .expect("text")
            .replace(&report.dest, "LAKE")
    }

    #[tokio::test]
    async fn a_small_lake_for_people() {
        let folder = tempfile::tempdir().expect("a folder");
        let lake = small_lake(folder.path()).await;
        let runs = vec![
            run_of("20240313T003000Z-aaaaaa", "rejects", 3),
            run_of("20240312T003000Z-bbbbbb", "partial", 0),
        ];
        let report = StatusReport::new(&lake, runs, None, at("2024-03-15T12:00:00Z"));
        insta::assert_snapshot!(text(&report, false));
    }

    #[tokio::test]
    async fn a_small_lake_for_programs() {
        let folder = tempfile::tempdir().expect("a folder");
        let lake = small_lake(folder.path()).await;
        let report = StatusReport::new(&lake, Vec::new(), None, at("2024-03-13T12:00:00Z"));
        let json: serde_json::Value =
            serde_json::from_slice(&report.to_json()).expect("it is JSON");
        assert_eq!(json["sequence"], 1);
        assert_eq!(json["tasks"]["sealed"], 1);
        assert_eq!(json["tables"]["calls"]["rows"], 1_234);
        assert_eq!(json["days"][0]["complete"], true);
        assert_eq!(json["days"][1]["complete"], false);
        assert_eq!(json["attention"]["failed"][0]["attempts"], 2);
        // Four hours after its scheduled end, a task may still be calling.
        assert_eq!(json["attention"]["overdue"], serde_json::json!([]));
    }

    #[tokio::test]
    async fn where_there_is_no_lake_it_says_so() {
        let folder = tempfile::tempdir().expect("a folder");
        let lake = Lake::open(&Destination::Local(folder.path().to_owned())).await;
        let report = StatusReport::new(
            &lake.expect("empty"),
            Vec::new(),
            None,
            at("2024-03-13T12:00:00Z"),
        );
        insta::assert_snapshot!(text(&report, false), @"LAKE: nothing was committed here yet");
    }

    #[tokio::test]
    async fn days_beyond_a_month_are_left_out_unless_asked_for() {
        let folder = tempfile::tempdir().expect("a folder");
        let lake = small_lake(folder.path()).await;
        let mut report = StatusReport::new(&lake, Vec::new(), None, at("2024-03-13T12:00:00Z"));
        let day = report.days[0].clone();
        report.days = std::iter::repeat_n(day, 40).collect();
        assert_eq!(text(&report, false).matches("2024-03-11").count(), 31);
        assert!(text(&report, false).contains("9 earlier days"));
        assert_eq!(text(&report, true).matches("2024-03-11").count(), 40);
    }
}
