//! Day files, observations, and changes that are not worth a commit.

use chrono::NaiveDate;

use super::*;

fn date(text: &str) -> NaiveDate {
    text.parse().unwrap()
}

fn covered(from: &str, to: &str, at: &str) -> Coverage {
    Coverage {
        from: from.parse().unwrap(),
        to: to.parse().unwrap(),
        at: at.parse().unwrap(),
        is_range: false,
        evidence: None,
    }
}

fn observation(writer: &LakeWriter) -> CommitDraft {
    let run = writer.store().run_id().clone();
    CommitDraft::new(run, CommitKind::Observe, writer.ledger().last_sequence())
}

fn day_file(scene: &Scene, day: &str) -> serde_json::Value {
    let path = scene.root().join(format!("_export/days/{day}.json"));
    serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap()
}

#[tokio::test]
async fn a_day_file_counts_tasks_and_files() {
    let scene = Scene::new();
    let mut writer = scene.writer("r1").await;
    let mut all = draft(&writer, CommitKind::Append, DAY, &["a", "b"], "old");
    all.open.push(open_task("c", DAY, DAY));
    all.failed.push(FailedTask {
        task: open_task("d", DAY, DAY),
        failure: Failure {
            reason: "http_503".into(),
            attempts: 1,
            last_run: run_id("r1"),
            rejects: 0,
        },
    });
    let commit = commit(&mut writer, all).await;
    let day = day_file(&scene, DAY);
    assert_eq!(day["date"], DAY);
    assert_eq!(day["complete"], false);
    assert_eq!(
        day["tasks"],
        serde_json::json!({"sealed": 2, "open": 1, "failed": 1, "early": 0})
    );
    assert_eq!(day["tables"]["calls"]["rows"], 4);
    assert_eq!(day["tables"]["asr_turns"]["files"], 1);
    assert_eq!(
        day["tables"]["tasks"]["bytes"],
        commit.changes.files[3].bytes
    );
    assert_eq!(day["sequence"], 1);
    assert_eq!(day["updated_at"], serde_json::to_value(commit.at).unwrap());
    writer.close().await.unwrap();
}

#[tokio::test]
async fn a_day_is_complete_when_it_was_listed_after_its_end_and_nothing_of_it_is_open() {
    let scene = Scene::new();
    let mut writer = scene.writer("r1").await;
    let mut first = draft(&writer, CommitKind::Append, DAY, &["a"], "old");
    // Runs over midnight.
    first.open.push(open_task("b", DAY, "2024-03-12"));
    // The listing of the last day was made before its end.
    let (from, to) = ("2024-03-11T00:00:00Z", "2024-03-14T00:00:00Z");
    first
        .coverage
        .push(covered(from, to, "2024-03-13T23:59:00Z"));
    commit(&mut writer, first).await;
    let complete = |day: &str| {
        writer
            .ledger()
            .day_summary(date(day))
            .map(|day| day.complete)
    };
    assert_eq!(complete("2024-03-10"), None);
    assert_eq!(complete("2024-03-11"), Some(false));
    assert_eq!(complete("2024-03-12"), Some(false));
    assert_eq!(complete("2024-03-13"), None);
    assert!(writer.ledger().covers(date("2024-03-12")));
    assert!(!writer.ledger().covers(date("2024-03-13")));

    let second = draft(&writer, CommitKind::Append, DAY, &["b"], "old");
    commit(&mut writer, second).await;
    for day in ["2024-03-11", "2024-03-12"] {
        assert_eq!(day_file(&scene, day)["complete"], true, "{day}");
        assert_eq!(day_file(&scene, day)["sequence"], 2, "{day}");
    }
    // A day on which nothing happened is complete as well: a scheduler waits for it.
    assert_eq!(day_file(&scene, "2024-03-12")["tasks"]["sealed"], 0);
    writer.close().await.unwrap();
    scene.assert_sound().await;
}

#[tokio::test]
async fn windows_of_one_listing_cover_a_day_together_in_the_zone_of_the_lake() {
    let scene = Scene::new();
    let options = LakeOptions {
        partition_timezone: Tz::Asia__Jakarta,
        ..scene.options()
    };
    let mut writer = LakeWriter::open(&options, run_id("r1"), clock(), Events::default())
        .await
        .unwrap();
    let mut seen = observation(&writer);
    let at = "2024-03-19T00:00:00Z";
    seen.coverage
        .push(covered("2024-03-11T12:00:00Z", "2024-03-12T17:00:00Z", at));
    seen.coverage
        .push(covered("2024-03-10T17:00:00Z", "2024-03-11T12:00:00Z", at));
    commit(&mut writer, seen).await;
    let days: Vec<_> = writer.ledger().days().collect();
    assert_eq!(days, [date("2024-03-11"), date("2024-03-12")]);
    assert_eq!(
        scene.reader().await.ledger().zone(),
        Some(Tz::Asia__Jakarta)
    );
}

#[tokio::test]
async fn a_day_is_covered_once_every_one_of_as_many_shards_has_covered_it() {
    let scene = Scene::new();
    let mut writer = scene.writer("r1").await;
    let (from, to) = ("2024-03-11T00:00:00Z", "2024-03-13T00:00:00Z");
    let mut shards = vec!["1/3", "1/2", "3/3"];
    for shard in shards.drain(..) {
        let mut seen = observation(&writer);
        seen.shard = shard.parse().ok();
        seen.coverage.push(covered(from, to, to));
        seen.listed_until = to.parse().ok();
        commit(&mut writer, seen.clone()).await;
        assert!(!writer.ledger().covers(date(DAY)), "{shard}");
        assert_eq!(writer.ledger().days().count(), 0);
        // The same shard has nothing new to say.
        assert!(seen.is_empty_against(writer.ledger()), "{shard}");
    }
    let mut last = observation(&writer);
    last.shard = "2/3".parse().ok();
    last.coverage
        .push(covered(from, "2024-03-12T00:00:00Z", to));
    commit(&mut writer, last).await;
    assert_eq!(day_file(&scene, DAY)["complete"], true);
    assert!(!writer.ledger().covers(date("2024-03-12")));
    // One process for all covers what is left.
    let mut whole = observation(&writer);
    whole.coverage.push(covered(from, to, to));
    commit(&mut writer, whole).await;
    assert_eq!(day_file(&scene, "2024-03-12")["complete"], true);
    writer.close().await.unwrap();
    scene.assert_sound().await;
}

#[tokio::test]
async fn what_is_known_is_not_committed_again() {
    let scene = Scene::new();
    let mut writer = scene.writer("r1").await;
    let first = draft(&writer, CommitKind::Append, DAY, &["sealed"], "old");
    commit(&mut writer, first).await;
    let mut news = observation(&writer);
    news.open.push(open_task("a", DAY, DAY));
    news.open.push(open_task("gone", DAY, DAY));
    news.failed.push(FailedTask {
        task: open_task("b", DAY, DAY),
        failure: Failure {
            reason: "http_503".into(),
            attempts: 1,
            last_run: run_id("r1"),
            rejects: 0,
        },
    });
    news.coverage.push(covered(
        "2024-03-01T00:00:00Z",
        "2024-03-19T00:00:00Z",
        "2024-03-19T00:00:00Z",
    ));
    news.listed_until = Some("2024-03-19T00:00:00Z".parse().unwrap());
    assert!(!news.is_empty_against(writer.ledger()));
    commit(&mut writer, news.clone()).await;
    let before = scene.snapshot();

    // What a slower process saw of a task that is sealed by now is no news.
    news.open.push(open_task("sealed", DAY, DAY));
    news.forgotten.push(task_id("sealed"));
    news.forgotten.push(task_id("never seen"));
    news.coverage[0].at = "2024-03-20T00:00:00Z".parse().unwrap();
    assert!(news.is_empty_against(writer.ledger()));
    assert!(matches!(
        writer.commit(news.clone()).await.unwrap(),
        CommitOutcome::Unchanged
    ));
    assert_eq!(scene.snapshot(), before);

    // One more day, one task seen in another state, one gone.
    news.open[0].status = TaskStatus::Paused;
    news.open.remove(1);
    news.forgotten.push(task_id("gone"));
    let pruned = news.clone().without_known(writer.ledger());
    assert_eq!(
        (
            pruned.open.len(),
            pruned.failed.len(),
            pruned.forgotten.len()
        ),
        (1, 0, 1)
    );
    assert_eq!((pruned.coverage.len(), pruned.listed_until), (0, None));
    let commit = commit(&mut writer, news).await;
    assert_eq!(commit.changes, pruned);
    assert!(writer.ledger().state(&task_id("gone")).is_none());
    assert_eq!(
        writer.ledger().task_counts(),
        TaskCounts {
            sealed: 1,
            open: 1,
            failed: 1,
            early: 0
        }
    );
    writer.close().await.unwrap();
    scene.assert_sound().await;
}

#[tokio::test]
async fn a_task_exported_early_that_vanishes_keeps_its_rows_and_holds_up_no_day() {
    let scene = Scene::new();
    let mut writer = scene.writer("r1").await;
    let mut early = draft(&writer, CommitKind::Append, DAY, &["a"], "early");
    early.tasks[0].sealed = false;
    let (from, to) = ("2024-03-11T00:00:00Z", "2024-03-12T00:00:00Z");
    early
        .coverage
        .push(covered(from, to, "2024-03-13T00:00:00Z"));
    commit(&mut writer, early).await;
    assert_eq!(day_file(&scene, DAY)["complete"], false);
    let mut news = observation(&writer);
    news.forgotten.push(task_id("a"));
    commit(&mut writer, news).await;
    let state = writer.ledger().state(&task_id("a"));
    assert_eq!(state, Some(TaskState::Vanished { rows_in: 1 }));
    assert_eq!(writer.ledger().unsealed().count(), 0);
    assert_eq!(day_file(&scene, DAY)["complete"], true);
    assert_eq!(day_file(&scene, DAY)["tasks"]["early"], 1);
    // It is back, and fails; its rows are not forgotten over that.
    let mut news = observation(&writer);
    news.failed.push(FailedTask {
        task: open_task("a", DAY, DAY),
        failure: Failure {
            reason: "http_503".into(),
            attempts: 1,
            last_run: run_id("r1"),
            rejects: 0,
        },
    });
    commit(&mut writer, news).await;
    let Some(TaskState::Failed(known)) = writer.ledger().state(&task_id("a")) else {
        panic!("expected a failed task")
    };
    assert_eq!(known.rows_in, Some(1));
    assert_eq!(day_file(&scene, DAY)["complete"], false);
    writer.close().await.unwrap();
    scene.assert_sound().await;
}

#[tokio::test]
async fn files_are_listed_by_table_and_day_in_order() {
    let scene = Scene::new();
    let mut writer = scene.writer("r1").await;
    for (day, id) in [
        ("2024-03-12", "a"),
        ("2024-03-10", "b"),
        ("2024-03-11", "c"),
    ] {
        let draft = draft(&writer, CommitKind::Append, day, &[id], "old");
        commit(&mut writer, draft).await;
    }
    let unknown = writer
        .store()
        .stage(TableName::Calls, Partition::Unknown)
        .unwrap();
    drop(unknown);
    let list = |query: FileQuery| {
        let files = query.run(writer.ledger());
        files
            .map(|f| format!("{} {}", f.file.table, f.file.partition))
            .collect::<Vec<_>>()
    };
    assert_eq!(list(FileQuery::default()).len(), 12);
    let calls = FileQuery {
        table: Some(TableName::Calls),
        ..FileQuery::default()
    };
    assert_eq!(
        list(calls),
        ["calls 2024-03-10", "calls 2024-03-11", "calls 2024-03-12"]
    );
    let range = FileQuery {
        table: Some(TableName::Tasks),
        from: Some(date("2024-03-11")),
        to: Some(date("2024-03-11")),
        undated: false,
    };
    assert_eq!(list(range), ["tasks 2024-03-11"]);
}
