//! The middle of a run, without an API: responses go into a [`TaskSink`] piece by piece, as the
//! client hands them on, and become commits of a real lake in a temporary folder.

mod beside;
mod find;
mod replay;

use std::collections::{BTreeMap, BTreeSet};
use std::num::NonZeroU64;
use std::pin::pin;
use std::sync::Arc;

use bytes::Bytes;
use chrono::{DateTime, Utc};
use futures_util::poll;
use rstest::rstest;

use super::accept::{AnswerDisposition, KnownTask};
use super::commit::{Committer, GiveUp, Observations};
use super::mend::{Damage, still_lost};
use super::pending::{AcceptRules, PendingCommit, PendingOptions};
use super::sink::{KeptPages, TaskSink};
use super::*;
use crate::api::scripted::Log;
use crate::api::{AnswerFault, AnswerSink as _, Attempt, Verdict};
use crate::discover::{Candidate, Seen};
use crate::exit_code::ExitCode;
use crate::job::{Environment, SettingFlags, load};
use crate::lake::TaskState;
use crate::schema::{TableName, table};
use crate::task::{TaskId, TaskInfo, TaskStatus};

type Taken = Result<Verdict<AnswerDisposition>, AnswerFault<LakeError>>;

/// A job whose lake is a temporary folder.
struct LakeScene {
    folder: tempfile::TempDir,
    job: Job,
}

impl LakeScene {
    fn new() -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let lake = folder.path().join("lake");
        let flags = SettingFlags::default().with("dest", lake.to_str().expect("text"));
        let job = load(&flags, &Environment::default()).expect("valid");
        Self { folder, job }
    }

    async fn lake(&self) -> Lake {
        Lake::open(&self.job.dest).await.expect("opened")
    }

    /// Rows of `calls` in the files of the lake.
    async fn calls(&self) -> u64 {
        let files = self.lake().await.ledger().live_files();
        let calls = files
            .iter()
            .filter(|live| live.file.table == TableName::Calls);
        calls.map(|live| live.file.rows).sum()
    }

    /// Reads every row back and compares it with the log.
    async fn assert_sound(&self) {
        let schemas = Arc::new(|name| table(name).arrow_schema());
        let verified = crate::maintenance::verify(&self.job.dest, schemas, now()).await;
        assert_eq!(verified.expect("read").findings, Vec::new());
    }

    /// The text of all rejects.
    fn rejects(&self) -> String {
        let folder = self.folder.path().join("lake/_export/rejects");
        let runs = std::fs::read_dir(folder).into_iter().flatten();
        let files = runs.flat_map(|run| std::fs::read_dir(run.expect("listed").path()));
        let texts = files
            .flatten()
            .map(|file| std::fs::read_to_string(file.expect("listed").path()).expect("text"));
        texts.collect()
    }
}

fn now() -> DateTime<Utc> {
    "2024-03-20T00:00:00Z".parse().expect("a time")
}

fn id(task: &str) -> TaskId {
    TaskId::new(task).expect("an id")
}

/// A run on the lake of a scene.
struct RunOnLake {
    committer: Committer,
    pages: Arc<KeptPages>,
    summary: Summary,
}

impl RunOnLake {
    /// Begins the `n`th run.
    async fn begin(scene: &LakeScene, n: u32) -> Self {
        Self::begin_by(scene, n, Rules::nightly(now())).await
    }

    /// The same, by these rules.
    async fn begin_by(scene: &LakeScene, n: u32, rules: Rules) -> Self {
        let run = RunId::new(&format!("20240320T000000Z-{n:0>6}")).expect("an id");
        let options = LakeOptions {
            dest: scene.job.dest.clone(),
            partition_timezone: Tz::UTC,
        };
        let clock = Clock::starting_at(now());
        let lake = LakeWriter::open(&options, run.clone(), clock, Events::default());
        let lake = lake.await.expect("opened");
        let pending = PendingCommit::new(PendingOptions {
            run: &run,
            store: lake.store(),
            decode: &scene.job.decode,
            write: &scene.job.write,
            accept: AcceptRules {
                success_codes: vec![200],
                allow_fewer: false,
                rules,
            },
            events: Events::default(),
        });
        Self {
            committer: Committer {
                base: lake.ledger().last_sequence(),
                lake,
                pending: pending.expect("threads"),
                zone: Tz::UTC,
                shard: None,
                mends: false,
                damaged: BTreeMap::new(),
                lost: BTreeSet::new(),
            },
            pages: Arc::default(),
            summary: Summary::new(run, now()),
        }
    }

    fn sink(&self, task: &str, known: KnownTask) -> TaskSink {
        let pending = Arc::clone(&self.committer.pending);
        TaskSink::new(pending, id(task), known, Arc::clone(&self.pages))
    }

    async fn take(&self, task: &str, body: &str) -> Taken {
        let mut sink = self.sink(task, KnownTask::default());
        send(&mut sink, body, 1 << 14, true).await
    }

    /// Takes the whole response of a task that is final.
    async fn accept(&self, task: &str, calls: usize) {
        let taken = self.take(task, &answer(task, "finished", calls)).await;
        let accepted = AnswerDisposition::Accepted {
            task: id(task),
            calls: calls as u64,
            rejects: 0,
        };
        assert_eq!(format!("{taken:?}"), format!("Ok(Complete({accepted:?}))"));
    }

    async fn commit(&mut self, give_up: GiveUp) -> Result<(), LakeError> {
        let observations = Observations {
            give_up,
            ..Observations::default()
        };
        self.committer.commit(observations, &mut self.summary).await
    }

    /// Commits what was accepted and ends the run.
    async fn end(mut self) -> Summary {
        self.commit(GiveUp::Nothing).await.expect("committed");
        self.committer.lake.close().await.expect("closed");
        self.summary
    }

    fn waiting(&self) -> usize {
        self.committer.pending.waiting().tasks
    }
}

/// Hands a response on in pieces, as the client does.
async fn send(sink: &mut TaskSink, body: &str, piece: usize, is_last: bool) -> Taken {
    sink.begin(Attempt {
        number: 1,
        is_last,
        received_at: now(),
    })
    .await?;
    for piece in body.as_bytes().chunks(piece) {
        sink.chunk(Bytes::copy_from_slice(piece)).await?;
    }
    sink.finish().await
}

fn answer(task: &str, status: &str, calls: usize) -> String {
    let call = |n| {
        format!(
            r#"{{"id":{n},"CallID":"{task}-{n}","CallStartTime":"2024-03-11T01:05:00Z","Comments":"{n:->200}"}}"#
        )
    };
    let calls: Vec<String> = (0..calls).map(call).collect();
    format!(
        r#"{{"code":200,"data":{{"TaskID":"{task}","Status":"{status}","ScheduleStartTime":"2024-03-11T01:00:00Z","ScheduleEndTime":"2024-03-11T02:00:00Z","detail":[{}]}}}}"#,
        calls.join(",")
    )
}

#[rstest]
#[case::in_small_pieces(3, 7)]
#[case::at_once(3, usize::MAX)]
#[case::more_than_a_megabyte(8_000, 1 << 16)]
#[tokio::test]
async fn an_answer_is_in_the_lake_after_the_commit_and_not_before(
    #[case] calls: usize,
    #[case] piece: usize,
) {
    let scene = LakeScene::new();
    let run = RunOnLake::begin(&scene, 1).await;
    let mut sink = run.sink("t", KnownTask::default());
    let taken = send(&mut sink, &answer("t", "finished", calls), piece, false).await;
    let Ok(Verdict::Complete(AnswerDisposition::Accepted { calls: found, .. })) = taken else {
        panic!("{taken:?}");
    };
    assert_eq!((found, run.waiting()), (calls as u64, 1));
    assert_eq!(scene.calls().await, 0);
    let summary = run.end().await;
    assert_eq!((summary.tasks.sealed, summary.commits), (1, vec![1]));
    assert_eq!(scene.calls().await, calls as u64);
    assert!(scene.lake().await.ledger().is_sealed(&id("t")));
    scene.assert_sound().await;
}

/// The first attempt of a large response ends in the middle, after many of its rows were decoded.
#[tokio::test]
async fn of_an_answer_that_breaks_off_no_row_stays() {
    let scene = LakeScene::new();
    let run = RunOnLake::begin(&scene, 1).await;
    let body = answer("t", "finished", 12_000);
    let mut sink = run.sink("t", KnownTask::default());
    let first = Attempt {
        number: 1,
        is_last: false,
        received_at: now(),
    };
    sink.begin(first).await.expect("begun");
    for piece in body.as_bytes()[..body.len() * 3 / 4].chunks(1 << 16) {
        sink.chunk(Bytes::copy_from_slice(piece))
            .await
            .expect("taken");
    }
    sink.abandon().await;
    assert_eq!(run.waiting(), 0);
    let taken = send(&mut sink, &body, 1 << 16, true).await;
    assert!(matches!(taken, Ok(Verdict::Complete(_))), "{taken:?}");
    run.end().await;
    assert_eq!(scene.calls().await, 12_000);
    scene.assert_sound().await;
}

#[rstest]
#[case::running("calling", None, false, "Left(")]
#[case::of_another_word("dancing", None, false, "Left(")]
#[case::fewer("finished", Some(3), false, "Fewer(")]
#[case::as_many("finished", Some(2), true, "AsSealed")]
#[tokio::test]
async fn an_answer_that_is_not_wanted_stores_nothing(
    #[case] status: &str,
    #[case] sealed_calls: Option<u64>,
    #[case] is_recount: bool,
    #[case] disposition: &str,
) {
    let scene = LakeScene::new();
    let run = RunOnLake::begin(&scene, 1).await;
    let known = KnownTask {
        sealed_calls,
        is_recount,
        ..KnownTask::default()
    };
    let mut sink = run.sink("t", known);
    let taken = send(&mut sink, &answer("t", status, 2), 1 << 14, true).await;
    let shown = format!("{taken:?}");
    let expected = format!("Ok(Complete({disposition}");
    assert!(shown.starts_with(&expected), "{shown}");
    assert_eq!(run.waiting(), 0);
    assert_eq!(run.end().await.commits, Vec::<u64>::new());
    assert_eq!(scene.rejects(), "");
}

#[rstest]
#[case::listed_as_running(TaskStatus::Calling, "Left(")]
#[case::listed_as_final(TaskStatus::Finished, "Accepted")]
#[tokio::test]
async fn a_task_is_final_once_its_listing_and_its_answer_say_so(
    #[case] listed: TaskStatus,
    #[case] disposition: &str,
) {
    let scene = LakeScene::new();
    let run = RunOnLake::begin(&scene, 1).await;
    let known = KnownTask {
        status: Some(listed),
        ..KnownTask::default()
    };
    let mut sink = run.sink("t", known);
    let taken = send(&mut sink, &answer("t", "finished", 2), 1 << 14, true).await;
    let shown = format!("{taken:?}");
    assert!(
        shown.starts_with(&format!("Ok(Complete({disposition}")),
        "{shown}"
    );
    run.end().await;
}

#[rstest]
#[case::before("2024-03-12", "Before(")]
#[case::on_it("2024-03-11", "Accepted")]
#[tokio::test]
async fn an_answer_of_a_day_before_the_first_is_left(
    #[case] first: &str,
    #[case] disposition: &str,
) {
    let scene = LakeScene::new();
    let rules = Rules {
        not_before: first.parse().ok(),
        ..Rules::nightly(now())
    };
    let run = RunOnLake::begin_by(&scene, 1, rules).await;
    let taken = run.take("t", &answer("t", "finished", 2)).await;
    let shown = format!("{taken:?}");
    assert!(
        shown.starts_with(&format!("Ok(Complete({disposition}")),
        "{shown}"
    );
    run.end().await;
}

#[tokio::test]
async fn of_an_answer_that_is_mostly_rejects_a_sample_is_kept_and_no_row() {
    let mut scene = LakeScene::new();
    scene.job.decode.max_reject_bytes = NonZeroU64::new(10_000).expect("not zero");
    let run = RunOnLake::begin(&scene, 1).await;
    let text = format!("\"{}\",", "x".repeat(300));
    let body = answer("t", "finished", 2);
    let body = body.replace(
        "\"detail\":[",
        &format!("\"detail\":[{}", text.repeat(8_000)),
    );
    let taken = run.take("t", &body).await;
    let Err(AnswerFault::Rejected { reason }) = taken else {
        panic!("{taken:?}");
    };
    assert!(reason.contains("`max_rejects_size`"), "{reason}");
    run.end().await;
    let kept = scene.rejects().len();
    assert!((300..30_000).contains(&kept), "{kept} bytes");
    assert_eq!(scene.calls().await, 0);
}

#[rstest]
#[case::before_it("2024-03-10", Some("2024-03-11T00:00:00Z"))]
#[case::into_it("2024-03-12", Some("2024-03-13T00:00:00Z"))]
#[case::beyond_it("2024-03-14", None)]
fn days_that_tasks_from_before_reach_into_are_not_covered(
    #[case] reach: &str,
    #[case] from: Option<&str>,
) {
    let time = |text: &str| -> DateTime<Utc> { text.parse().expect("a time") };
    let mut found = ListingCoverage {
        coverage: Some(Coverage {
            from: time("2024-03-11T00:00:00Z"),
            to: time("2024-03-15T00:00:00Z"),
            at: now(),
            is_range: true,
            evidence: None,
        }),
        ..ListingCoverage::default()
    };
    let (log, events) = Log::events();
    cut_coverage(&mut found, reach.parse().expect("a day"), Tz::UTC, &events);
    let covered = found.coverage.map(|coverage| coverage.from);
    assert_eq!(covered, from.map(time));
    assert!(matches!(&log.all()[..], [Event::Warning { text }] if text.contains(reach)));
}

#[tokio::test]
async fn a_task_is_accepted_once_and_only_under_its_own_name() {
    let scene = LakeScene::new();
    let run = RunOnLake::begin(&scene, 1).await;
    run.accept("t", 2).await;
    let again = run.take("t", &answer("t", "finished", 2)).await;
    assert!(
        matches!(&again, Ok(Verdict::Complete(AnswerDisposition::Twice(task))) if *task == id("t")),
        "{again:?}"
    );
    let other = run.take("u", &answer("t", "finished", 2)).await;
    assert!(matches!(other, Err(AnswerFault::WrongTask)), "{other:?}");
    let refused = run.take("u", r#"{"code":404,"data":null}"#).await;
    assert!(
        matches!(refused, Ok(Verdict::Refused { code: 404 })),
        "{refused:?}"
    );
    let empty = run.take("u", r#"{"code":200,"data":null}"#).await;
    assert!(matches!(empty, Err(AnswerFault::NoData)), "{empty:?}");
    run.end().await;
    assert_eq!(scene.calls().await, 2);
}

#[tokio::test]
async fn an_answer_that_is_cut_is_kept_on_the_last_attempt_only() {
    let scene = LakeScene::new();
    let run = RunOnLake::begin(&scene, 1).await;
    let whole = answer("t", "finished", 3);
    let cut = &whole[..whole.len() - 40];
    let mut sink = run.sink("t", KnownTask::default());
    let early = send(&mut sink, cut, 100, false).await;
    assert!(
        matches!(early, Err(AnswerFault::NotJson { .. })),
        "{early:?}"
    );
    let last = send(&mut sink, cut, 100, true).await;
    assert!(matches!(last, Err(AnswerFault::NotJson { .. })), "{last:?}");
    run.end().await;
    let rejects = scene.rejects();
    assert_eq!(rejects.lines().count(), 1, "{rejects}");
    let line: serde_json::Value = serde_json::from_str(&rejects).expect("JSON");
    assert_eq!(line["value"], cut);
    assert_eq!(scene.calls().await, 0);
}

#[tokio::test]
async fn entries_that_are_no_calls_are_kept_beside_the_calls() {
    let scene = LakeScene::new();
    let run = RunOnLake::begin(&scene, 1).await;
    let body = answer("t", "finished", 2).replace("\"detail\":[", "\"detail\":[7,");
    let taken = run.take("t", &body).await;
    let Ok(Verdict::Complete(AnswerDisposition::Accepted { calls, rejects, .. })) = taken else {
        panic!("{taken:?}");
    };
    assert_eq!((calls, rejects), (2, 1));
    run.end().await;
    let line: serde_json::Value = serde_json::from_str(&scene.rejects()).expect("JSON");
    assert_eq!(
        (&line["value"], &line["detail_index"]),
        (&"7".into(), &0.into())
    );
    scene.assert_sound().await;
}

#[tokio::test]
async fn one_page_that_many_tasks_get_is_kept_once() {
    let scene = LakeScene::new();
    let run = RunOnLake::begin(&scene, 1).await;
    let page = "<html>maintenance</html>";
    let kept_as = |taken: Taken| match taken {
        Err(AnswerFault::NoEnvelope { kept_as, .. }) => kept_as,
        other => panic!("{other:?}"),
    };
    assert_eq!(kept_as(run.take("t", page).await), Some(id("t")));
    assert_eq!(kept_as(run.take("u", page).await), Some(id("t")));
    assert_eq!(
        kept_as(run.take("v", "<html>another</html>").await),
        Some(id("v"))
    );
    run.end().await;
    assert_eq!(scene.rejects().matches("maintenance").count(), 1);
}

#[tokio::test]
async fn a_commit_waits_until_what_is_being_accepted_is_accepted() {
    let scene = LakeScene::new();
    let run = RunOnLake::begin(&scene, 1).await;
    let pending = Arc::clone(&run.committer.pending);
    let accepting = pending.try_accepting().expect("no commit is made");
    let mut batch = pin!(pending.take());
    assert!(poll!(batch.as_mut()).is_pending());
    assert!(pending.try_accepting().is_none(), "a commit waits");
    drop(accepting);
    assert!(batch.await.expect("taken").tasks.is_empty());
    assert!(pending.try_accepting().is_some());
}

#[tokio::test]
async fn a_replaced_task_takes_only_its_own_rows_with_it() {
    let scene = LakeScene::new();
    let run = RunOnLake::begin(&scene, 1).await;
    run.accept("t", 2).await;
    run.accept("u", 3).await;
    run.end().await;
    let run = RunOnLake::begin(&scene, 2).await;
    run.accept("t", 5).await;
    let summary = run.end().await;
    assert_eq!((summary.tasks.sealed, summary.commits), (1, vec![2]));
    assert_eq!(scene.calls().await, 5 + 3);
    let lake = scene.lake().await;
    assert_eq!(lake.ledger().rows_in(&id("t")), Some(2));
    assert_eq!(lake.ledger().rows_in(&id("u")), Some(1));
    scene.assert_sound().await;
}

#[tokio::test]
async fn of_two_runs_with_the_same_task_the_second_leaves_it_out() {
    let scene = LakeScene::new();
    let (first, second) = (
        RunOnLake::begin(&scene, 1).await,
        RunOnLake::begin(&scene, 2).await,
    );
    first.accept("t", 2).await;
    second.accept("t", 4).await;
    second.accept("u", 3).await;
    first.end().await;
    let summary = second.end().await;
    assert_eq!((summary.tasks.taken, summary.tasks.sealed), (1, 1));
    assert_eq!(scene.calls().await, 2 + 3);
    let lake = scene.lake().await;
    assert_eq!(lake.ledger().rows_in(&id("t")), Some(1));
    assert_eq!(lake.ledger().rows_in(&id("u")), Some(2));
    scene.assert_sound().await;
}

/// A lake with two tasks in one file, one byte of which is another by now.
async fn damaged_scene() -> LakeScene {
    let scene = LakeScene::new();
    let run = RunOnLake::begin(&scene, 1).await;
    run.accept("t", 2).await;
    run.accept("u", 3).await;
    run.end().await;
    let files = scene.lake().await.ledger().live_files();
    let calls = files
        .iter()
        .find(|live| live.file.table == TableName::Calls)
        .expect("written");
    let path = scene
        .folder
        .path()
        .join("lake")
        .join(calls.path().to_string());
    let mut bytes = std::fs::read(&path).expect("read");
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    std::fs::write(&path, bytes).expect("written");
    scene
}

#[tokio::test]
async fn rows_of_a_damaged_file_are_not_carried_over() {
    let scene = damaged_scene().await;
    let mut run = RunOnLake::begin(&scene, 2).await;
    run.accept("t", 2).await;
    let error = run.commit(GiveUp::Nothing).await.expect_err("damaged");
    assert_eq!(error.exit_code(), ExitCode::Data);
    assert_eq!(scene.lake().await.ledger().last_sequence(), 1);
}

#[tokio::test]
async fn all_tasks_of_a_damaged_file_are_pulled_and_what_is_not_is_named() {
    let scene = damaged_scene().await;
    let mut run = RunOnLake::begin(&scene, 2).await;
    let lake = &run.committer.lake;
    let rules = Rules {
        replace: true,
        ..Rules::nightly(now())
    };
    let mut planner = Planner::new(lake.ledger(), &rules);
    planner.add(Candidate {
        task: TaskInfo {
            status: Some(TaskStatus::Finished),
            schedule_end: Some("2024-03-11T02:00:00Z".parse().expect("a time")),
            ..TaskInfo::new(id("t"))
        },
        calls: None,
        seen: Seen::Named,
    });
    let mut plan = planner.into_plan();
    assert_eq!(plan.pulled(), 1);
    let damage = Damage::find(lake, &mut plan, None, &Events::default())
        .await
        .expect("read");
    assert_eq!(damage.files.len(), 1);
    assert_eq!(damage.tasks, [id("t"), id("u")].into());
    let pulled = plan.tasks().filter(|task| task.decision.is_pull());
    let pulled: BTreeSet<TaskId> = pulled.map(|task| task.task.id).collect();
    assert_eq!(pulled, [id("t"), id("u")].into());

    // One of the two answers comes.
    run.committer.mends = true;
    run.committer.damaged = damage.files;
    run.accept("t", 2).await;
    run.commit(GiveUp::All).await.expect("committed");
    let lost = still_lost(run.committer.lost.clone(), run.committer.lake.ledger());
    assert_eq!(lost.len(), 1);
    assert_eq!(lost[0].task_id, id("u"));
    assert!(matches!(
        run.committer.lake.ledger().state(&id("u")),
        Some(TaskState::Failed(_) | TaskState::Reopened(_) | TaskState::Open(_))
    ));
    assert_eq!(scene.calls().await, 2);

    // Then the other.
    run.accept("u", 3).await;
    run.commit(GiveUp::Nothing).await.expect("committed");
    let lost = still_lost(run.committer.lost.clone(), run.committer.lake.ledger());
    assert!(lost.is_empty());
    assert_eq!(scene.calls().await, 2 + 3);
    scene.assert_sound().await;
}
