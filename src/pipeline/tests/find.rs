//! What is found at an API that answers by script, on the loopback interface, and in the ledger of a
//! lake.

use std::sync::Mutex;

use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;

use super::*;
use crate::api::scripted::{Reply, SeenRequest, Server, options};
use crate::lake::{Evidence, OpenTask, WorkflowNote};
use crate::shard::Shard;
use crate::task::WorkflowId;

const LIST_TASKS: &str = "/tasklist";

/// What a search found: the tasks, each as its id and where it was seen, and the rest.
struct Found {
    candidates: Vec<Candidate>,
    rest: ListingCoverage,
    warnings: usize,
}

impl Found {
    fn tasks(&self) -> Vec<String> {
        let word = |one: &Candidate| format!("{} {:?}", one.task.id, one.seen);
        let mut words: Vec<String> = self.candidates.iter().map(word).collect();
        words.sort();
        words
    }

    fn failed(&self) -> Vec<&str> {
        let failed = self.rest.failed_workflows.iter();
        failed.map(|failed| failed.workflow_id.as_str()).collect()
    }

    fn nights(&self) -> Vec<u32> {
        let notes = self.rest.workflow_notes.iter();
        notes.map(|note| note.nights_gone).collect()
    }
}

struct Search<'a> {
    scene: &'a LakeScene,
    base: &'a str,
    source: TaskSource,
    rules: Rules,
    allow_future: bool,
}

impl<'a> Search<'a> {
    fn new(scene: &'a LakeScene, base: &'a str, source: TaskSource) -> Self {
        Self {
            scene,
            base,
            source,
            rules: Rules::nightly(now()),
            allow_future: false,
        }
    }

    /// One listing after the other, so that they end in the order in which they are named.
    async fn find(&self) -> Result<Found, ApiError> {
        let lake = self.scene.lake().await;
        let (log, events) = Log::events();
        let clock = Clock::starting_at(self.rules.now);
        let api = ApiClient::new(
            options(self.base),
            clock,
            events.clone(),
            CancellationToken::new(),
        )?;
        let search = TaskSearch {
            source: &self.source,
            ledger: lake.ledger(),
            lookback: TimeDelta::days(30),
            concurrency: 1,
            allow_future: self.allow_future,
        };
        let mut candidates = Vec::new();
        let add = |candidate| candidates.push(candidate);
        let rest = find(&api, &self.rules, search, &events, add).await?;
        let is_warning = |event: &&Event| matches!(event, Event::Warning { .. });
        let warnings = log.all().iter().filter(is_warning).count();
        Ok(Found {
            candidates,
            rest,
            warnings,
        })
    }
}

fn workflow(id: &str) -> WorkflowId {
    WorkflowId::new(id).expect("an id")
}

fn workflows(ids: &[&str]) -> TaskSource {
    TaskSource::Workflows(ids.iter().map(|id| workflow(id)).collect())
}

/// A page with these items; the listing has as many.
fn page(items: &[Value]) -> Reply {
    Reply::data(&json!({"list": items, "total": items.len()}))
}

/// A page of a listing of tasks that are final.
fn tasks(ids: &[&str]) -> Reply {
    let task = |id: &&str| json!({"task_id": id, "status": "finished"});
    page(&ids.iter().map(task).collect::<Vec<_>>())
}

/// A refusal that no retry changes.
fn refusal() -> Reply {
    Reply::json(&json!({"code": 7, "data": null}))
}

fn gone() -> Reply {
    Reply::json(&json!({"code": 404, "data": null}))
}

/// No listing by any profile.
fn no_listing() -> Reply {
    Reply::data(&json!({"list": "none", "total": 0}))
}

fn number_of_page(seen: &SeenRequest) -> u64 {
    let query = seen
        .query
        .split('&')
        .find_map(|one| one.strip_prefix("page="));
    let query = query.and_then(|number| number.parse().ok());
    query.or(seen.body["page"].as_u64()).expect("a page")
}

/// An API with these workflows. `tasks` answers for one of them.
async fn api(
    listed: &'static [&'static str],
    tasks: impl Fn(&str) -> Reply + Send + Sync + 'static,
) -> Server {
    Server::with_auth(move |seen, _| {
        let list_workflows = || {
            let ids = listed.iter().map(|id| json!({"workflow_id": id}));
            page(&ids.collect::<Vec<_>>())
        };
        match seen.body["workflow_id"].as_str() {
            _ if number_of_page(seen) > 1 => page(&[]),
            Some(workflow) => tasks(workflow),
            None => list_workflows(),
        }
    })
    .await
}

/// Commits what a run saw besides rows.
async fn note(scene: &LakeScene, observations: Observations) {
    let mut run = RunOnLake::begin(scene, 1).await;
    let committed = run.committer.commit(observations, &mut run.summary).await;
    committed.expect("committed");
    run.end().await;
}

/// A lake that knows these tasks as open: id, workflow, scheduled start.
async fn knows(scene: &LakeScene, open: &[(&str, Option<&str>, Option<&str>)]) {
    let open = open.iter().map(|(task, of, start)| {
        let start: Option<DateTime<Utc>> = start.map(|start| start.parse().expect("a time"));
        OpenTask {
            workflow: of.map(workflow),
            schedule_start: start,
            day: start.map(|start| start.date_naive()),
            ..OpenTask::new(id(task), TaskStatus::Calling)
        }
    });
    let observations = Observations {
        open: open.collect(),
        ..Observations::default()
    };
    note(scene, observations).await;
}

async fn has_gone(scene: &LakeScene, of: &str, nights_gone: u32, on: &str) {
    let observations = Observations {
        workflows: vec![WorkflowNote {
            id: workflow(of),
            nights_gone,
            on: on.parse().expect("a day"),
        }],
        ..Observations::default()
    };
    note(scene, observations).await;
}

fn range(from: &str, to: &str) -> Option<DateRange> {
    let day = |text: &str| text.parse().expect("a day");
    DateRange::new(day(from), day(to)).ok()
}

const START: &str = "2024-03-11T01:00:00Z";

#[tokio::test]
async fn named_tasks_are_found_without_the_api() {
    let scene = LakeScene::new();
    knows(&scene, &[("t", Some("w"), Some(START))]).await;
    let source = TaskSource::Tasks(vec![id("t"), id("new")]);
    // Nothing answers there.
    let search = Search::new(&scene, "http://127.0.0.1:1", source);
    let found = search.find().await.expect("no request is made");
    assert_eq!(found.tasks(), ["new Named", "t Named"]);
    let [known, new] = &found.candidates[..] else {
        panic!("{:?}", found.candidates);
    };
    assert_eq!(known.task.schedule_start, START.parse().ok());
    assert_eq!(known.task.workflow, Some(workflow("w")));
    assert_eq!(known.task.status, None, "only its answer says that");
    assert_eq!(new.task, TaskInfo::new(id("new")));
    assert!(found.rest.complete && found.rest.coverage.is_none());
    assert_eq!(found.rest.listed_until, None);
}

#[tokio::test]
async fn listed_values_that_are_not_understood_count_as_absent() {
    let scene = LakeScene::new();
    let server = api(&[], |_| {
        page(&[json!({
            "task_id": "t",
            "status": 3,
            "schedule_start_time": "tomorrow",
            "schedule_end_time": "2024-03-11T02:00:00Z",
        })])
    })
    .await;
    let search = Search::new(&scene, &server.base, workflows(&["w"]));
    let found = search.find().await.expect("listed");
    let expected = Candidate {
        task: TaskInfo {
            workflow: Some(workflow("w")),
            schedule_end: "2024-03-11T02:00:00Z".parse().ok(),
            ..TaskInfo::new(id("t"))
        },
        calls: None,
        seen: Seen::Listed,
    };
    assert_eq!(found.candidates, [expected]);
    assert!(found.rest.complete);
    assert_eq!(found.rest.coverage, None, "others may have tasks, too");
}

#[tokio::test]
async fn the_workflows_of_open_tasks_are_listed_and_the_tasks_that_are_not_are_remembered() {
    let scene = LakeScene::new();
    let open = [
        ("a", Some("w"), None),
        ("b", Some("old"), None),
        ("c", None, None),
    ];
    knows(&scene, &open).await;
    let server = api(&["w", "empty"], |workflow| match workflow {
        "w" => tasks(&["a", "new"]),
        "old" => tasks(&["d"]),
        _ => tasks(&[]),
    })
    .await;
    let search = Search::new(&scene, &server.base, TaskSource::Listing);
    let found = search.find().await.expect("listed");
    let expected = [
        "a Listed",
        "b Remembered",
        "c Remembered",
        "d Listed",
        "new Listed",
    ];
    assert_eq!(found.tasks(), expected);
    assert!(found.rest.complete && found.rest.failed_workflows.is_empty());
    assert_eq!(found.rest.listed_until, Some(now()));
    assert_eq!(found.rest.coverage, None, "the first night looks back once");
}

#[tokio::test]
async fn a_backfill_covers_its_days_and_remembers_only_their_tasks() {
    let scene = LakeScene::new();
    let open = [
        ("a", None, Some("2024-03-11T23:59:59Z")),
        ("b", None, Some("2024-03-13T00:00:00Z")),
        ("c", None, None),
    ];
    knows(&scene, &open).await;
    let server = api(&["v", "w"], |_| tasks(&["t"])).await;
    let mut search = Search::new(&scene, &server.base, TaskSource::Listing);
    search.rules.range = range("2024-03-11", "2024-03-12");
    let found = search.find().await.expect("listed");
    let expected = ["a Remembered", "c Remembered", "t Listed", "t Listed"];
    assert_eq!(found.tasks(), expected);
    let expected = Coverage {
        from: "2024-03-11T00:00:00Z".parse().expect("a time"),
        to: "2024-03-13T00:00:00Z".parse().expect("a time"),
        at: now(),
        is_range: true,
        evidence: Some(Evidence {
            listings: 3,
            pages: 6,
            items: 4,
            totals: Some(4),
        }),
    };
    let coverage = found.rest.coverage.expect("it is complete");
    assert_eq!(coverage, expected);
    assert_eq!(
        found.rest.listed_until, None,
        "a night does not continue there"
    );
}

#[tokio::test]
async fn a_shard_remembers_its_own_tasks_and_none_before_the_first_day() {
    let scene = LakeScene::new();
    let names: Vec<String> = (0..20).map(|number| format!("task-{number}")).collect();
    let mut open: Vec<_> = names.iter().map(|name| (&**name, None, None)).collect();
    open.push(("before", None, Some(START)));
    knows(&scene, &open).await;
    let server = api(&[], |_| tasks(&[])).await;
    let mut search = Search::new(&scene, &server.base, TaskSource::Listing);
    search.rules.not_before = "2024-03-12".parse().ok();
    let all = search.find().await.expect("listed").tasks();
    assert_eq!(all.len(), 20);
    let mut shards = Vec::new();
    for number in [1, 2] {
        search.rules.shard = Shard::new(number, 2);
        let found = search.find().await.expect("listed").tasks();
        assert!(!found.is_empty() && found.len() < 20, "{found:?}");
        shards.extend(found);
    }
    shards.sort();
    assert_eq!(shards, all);
}

#[rstest]
#[case::some_hours(23, false, true)]
#[case::more_than_a_day(25, false, false)]
#[case::as_said(25, true, true)]
#[tokio::test]
async fn days_end_by_the_clock_that_is_behind_and_one_far_ahead_is_refused(
    #[case] hours: i64,
    #[case] allow_future: bool,
    #[case] goes_on: bool,
) {
    let scene = LakeScene::new();
    let vendor = now() - TimeDelta::hours(hours);
    let date = vendor.format("date: %a, %d %b %Y %H:%M:%S GMT").to_string();
    let server = Server::with_auth(move |_, _| match page(&[]) {
        Reply::Full(status, _, body) => Reply::Full(status, vec![date.clone()], body),
        other => other,
    })
    .await;
    let mut search = Search::new(&scene, &server.base, TaskSource::Listing);
    search.allow_future = allow_future;
    match search.find().await {
        Ok(found) => {
            assert!(goes_on);
            let until = found.rest.listed_until.expect("it is complete");
            let apart = until.signed_duration_since(vendor).abs();
            assert!(apart < TimeDelta::hours(1), "{until} for {vendor}");
        }
        Err(error) => {
            assert!(!goes_on, "{error}");
            assert_eq!(error.exit_code(), ExitCode::Settings);
            let said = error.to_string();
            assert!(said.contains("says 2024-03-20T00:00:00Z"), "{said}");
            assert!(said.contains("--allow-future"), "{said}");
        }
    }
}

#[tokio::test]
async fn a_workflow_that_fails_is_named_and_the_others_are_taken() {
    let scene = LakeScene::new();
    let server = api(&["bad", "short", "good"], |workflow| match workflow {
        "bad" => refusal(),
        "short" => Reply::data(&json!({"list": [{"task_id": "s"}], "total": 2})),
        _ => tasks(&["t"]),
    })
    .await;
    let mut search = Search::new(&scene, &server.base, TaskSource::Listing);
    search.rules.range = range("2024-03-11", "2024-03-12");
    let found = search.find().await.expect("listed");
    assert_eq!(found.tasks(), ["s Listed", "t Listed"]);
    let mut failed = found.failed();
    failed.sort_unstable();
    assert_eq!(failed, ["bad", "short"]);
    assert!(!found.rest.complete);
    assert_eq!(found.rest.coverage, None);
    search.rules.range = None;
    let nightly = search.find().await.expect("listed");
    assert_eq!(nightly.rest.listed_until, None);
}

#[rstest]
#[case::in_a_row("r r r r r", None)]
#[case::one_fewer("r r r r", Some(4))]
#[case::with_one_that_answers_between("r r r r ok r r r r", Some(8))]
#[case::with_one_that_is_gone_between("r r r r gone r r r r", Some(9))]
#[case::that_are_no_listings("no no no no no no ok", Some(6))]
#[case::none_a_listing("no no", None)]
#[case::none_a_listing_and_one_that_is_gone("no gone", None)]
#[tokio::test]
async fn five_failures_in_a_row_end_a_search_and_so_does_a_profile_that_fits_none(
    #[case] answers: &'static str,
    #[case] failed: Option<usize>,
) {
    let scene = LakeScene::new();
    let kinds: Vec<&str> = answers.split(' ').collect();
    let names: Vec<String> = (0..kinds.len()).map(|number| number.to_string()).collect();
    let server = api(&[], move |workflow| {
        match kinds[workflow.parse::<usize>().expect("a number")] {
            "r" => refusal(),
            "gone" => gone(),
            "no" => no_listing(),
            _ => tasks(&["t"]),
        }
    })
    .await;
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let search = Search::new(&scene, &server.base, workflows(&names));
    let found = search.find().await.ok();
    let found = found.map(|found| found.failed().len());
    assert_eq!(found, failed);
}

/// A run on 2024-03-20.
#[rstest]
#[case::first(None, true, &[1], false)]
#[case::first_in_a_backfill(None, false, &[0], false)]
#[case::second(Some((1, "2024-03-19")), true, &[2], false)]
#[case::twice_in_a_night(Some((1, "2024-03-20")), true, &[1], false)]
#[case::third(Some((2, "2024-03-19")), true, &[3], true)]
#[case::third_in_a_backfill(Some((2, "2024-03-19")), false, &[2], false)]
#[case::later(Some((3, "2024-03-19")), true, &[], true)]
#[tokio::test]
async fn a_workflow_that_is_gone_for_three_nights_is_let_go_of(
    #[case] before: Option<(u32, &str)>,
    #[case] is_nightly: bool,
    #[case] nights: &[u32],
    #[case] complete: bool,
) {
    let scene = LakeScene::new();
    if let Some((nights, on)) = before {
        has_gone(&scene, "w", nights, on).await;
    }
    let server = api(&[], |_| gone()).await;
    let mut search = Search::new(&scene, &server.base, workflows(&["w"]));
    if !is_nightly {
        search.rules.range = range("2024-03-11", "2024-03-12");
    }
    let found = search.find().await.expect("that is no failure of the API");
    assert_eq!(found.nights(), nights);
    assert_eq!(found.rest.complete, complete);
    assert_eq!(found.failed().is_empty(), complete);
    assert_eq!(found.warnings, usize::from(!nights.is_empty()));
}

#[tokio::test]
async fn a_workflow_that_is_back_is_noted_once() {
    let scene = LakeScene::new();
    has_gone(&scene, "w", 2, "2024-03-19").await;
    let server = api(&[], |_| tasks(&["t"])).await;
    let search = Search::new(&scene, &server.base, workflows(&["w", "other"]));
    let found = search.find().await.expect("listed");
    assert_eq!(found.nights(), [0]);
    assert_eq!(found.rest.workflow_notes[0].id, workflow("w"));
    assert!(found.rest.complete);
}

#[tokio::test]
async fn a_workflow_that_was_let_go_of_is_not_listed_for_its_open_tasks() {
    let scene = LakeScene::new();
    knows(&scene, &[("t", Some("w"), None)]).await;
    let server = api(&[], |_| gone()).await;
    let search = Search::new(&scene, &server.base, TaskSource::Listing);
    let asked = async || {
        let found = search.find().await.expect("listed");
        assert_eq!(found.tasks(), ["t Remembered"]);
        server.count(LIST_TASKS)
    };
    assert_eq!(asked().await, 1);
    let observations = Observations {
        workflows: vec![WorkflowNote {
            id: workflow("w"),
            nights_gone: 3,
            on: "2024-03-19".parse().expect("a day"),
        }],
        ..Observations::default()
    };
    let mut run = RunOnLake::begin(&scene, 2).await;
    let noted = run.committer.commit(observations, &mut run.summary).await;
    noted.expect("committed");
    run.end().await;
    assert_eq!(asked().await, 1, "it is not asked for again");
}

#[tokio::test]
async fn of_a_listing_of_workflows_that_breaks_off_the_begin_is_taken() {
    let scene = LakeScene::new();
    let is_listed = Arc::new(Mutex::new(true));
    let listed = Arc::clone(&is_listed);
    let server = Server::with_auth(move |seen, _| {
        if seen.body["workflow_id"].is_string() {
            return match number_of_page(seen) {
                1 => tasks(&["t"]),
                _ => page(&[]),
            };
        }
        match number_of_page(seen) {
            1 if *listed.lock().expect("not poisoned") => Reply::data(&json!({
                "list": [{"workflow_id": "v"}, {"workflow_id": "w"}],
                "total": 4,
            })),
            _ => refusal(),
        }
    })
    .await;
    let search = Search::new(&scene, &server.base, TaskSource::Listing);
    let found = search.find().await.expect("half of it is something");
    assert_eq!(found.tasks(), ["t Listed", "t Listed"]);
    assert!(!found.rest.complete && found.warnings > 0);
    assert_eq!(found.rest.listed_until, None);
    *is_listed.lock().expect("not poisoned") = false;
    assert!(search.find().await.is_err(), "nothing of it is nothing");
}
