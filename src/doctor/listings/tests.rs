use std::time::Duration;

use chrono_tz::Tz;

use super::*;
use crate::doctor::Status;
use crate::job::Reopen;

fn page(items: usize, total: Option<u64>) -> PageSurvey<ListedTask> {
    PageSurvey {
        items: Some(items),
        read: (0..items)
            .map(|number| task(&format!("t{number}"), Some("finished")))
            .collect(),
        without_id: 0,
        total,
        odd_total: None,
        has_cursor: None,
        lists: vec!["/data/list".to_owned()],
        numbers: vec!["/data/total".to_owned(), "/code".to_owned()],
        keys: Vec::new(),
    }
}

fn task(id: &str, status: Option<&str>) -> ListedTask {
    let time = |text: &str| Told::Known(text.parse().expect("a time"));
    ListedTask {
        id: TaskId::new(id).expect("an id"),
        workflow: None,
        status: status.map_or(Told::Absent, |text| Told::Known(TaskStatus::from(text))),
        schedule_start: time("2024-03-11T08:00:00Z"),
        schedule_end: time("2024-03-11T09:00:00Z"),
        calls: Told::Absent,
    }
}

fn judged(survey: &PageSurvey<ListedTask>) -> Vec<Check> {
    let profile = ListTasksProfile::default();
    let mut checks = judge(survey, &TASKS, &profile.paging, 100, &profile.id_keys);
    checks.extend(judge_tasks(survey, &profile));
    checks
}

fn key(name: &str, kind: KeyKind) -> ItemKey {
    ItemKey {
        name: name.to_owned(),
        kind,
    }
}

/// The only check that is not ok.
fn complaint(survey: &PageSurvey<ListedTask>) -> (Status, &'static str, String) {
    let mut checks = judged(survey);
    checks.retain(|check| check.status != Status::Ok);
    let [check] = checks.as_slice() else {
        panic!("{checks:?}")
    };
    let advice = check.advice.clone().expect("advice");
    (
        check.status,
        check.name,
        format!("{} → {advice}", check.what),
    )
}

#[test]
fn a_page_that_fits_is_fine() {
    let checks = judged(&page(3, Some(3)));
    assert_eq!(
        checks,
        [Check::ok("list_tasks", "3 tasks of 3 on the first page")]
    );
    assert!(
        judged(&page(100, Some(250)))
            .iter()
            .all(|check| check.status == Status::Ok)
    );
    assert!(
        judged(&page(0, Some(0)))
            .iter()
            .all(|check| check.status == Status::Ok)
    );
}

#[test]
fn a_list_elsewhere_is_found() {
    let mut survey = page(0, None);
    survey.items = None;
    survey.lists = vec!["/data/rows".to_owned()];
    let (status, name, text) = complaint(&survey);
    assert_eq!((status, name), (Status::Fail, "list_tasks"));
    assert_eq!(
        text,
        "the answer has no list at `/data/list`, `/data` → set `items` in [api.list_tasks] to where \
         it is; there are lists at `/data/rows`"
    );
}

#[test]
fn keys_that_look_like_ids_are_suggested() {
    let mut survey = page(2, Some(2));
    survey.without_id = 2;
    survey.read.clear();
    survey.keys = vec![
        key("jobUUID", KeyKind::Text),
        key("name", KeyKind::Text),
        key("ok_id", KeyKind::Other),
    ];
    let (status, _, text) = complaint(&survey);
    assert_eq!(status, Status::Fail);
    assert!(
        text.ends_with("set `id_keys` in [api.list_tasks]; these look like it: `jobUUID`"),
        "{text}"
    );
}

#[test]
fn a_missing_total_says_where_it_may_be() {
    let mut survey = page(3, None);
    survey.numbers = vec!["/data/count".to_owned(), "/code".to_owned()];
    let (status, name, text) = complaint(&survey);
    assert_eq!((status, name), (Status::Warn, "list_tasks.total"));
    assert!(
        text.contains("set `total` to where it is (`/data/count`)"),
        "{text}"
    );
}

#[test]
fn pages_of_another_size_are_noticed() {
    let (_, name, text) = complaint(&page(20, Some(55)));
    assert_eq!(name, "list_tasks.pages");
    assert!(text.contains("set `page_size` to 20"), "{text}");
    assert!(text.contains("`first_page = 0`"), "{text}");
    let (_, _, text) = complaint(&page(120, Some(120)));
    assert!(text.contains("ignores `page_size`"), "{text}");
}

#[test]
fn a_total_smaller_than_the_page_is_none() {
    let (_, name, _) = complaint(&page(3, Some(1)));
    assert_eq!(name, "list_tasks.total");
}

#[test]
fn status_and_schedule_that_are_not_found_are_suggested() {
    let mut survey = page(2, Some(2));
    survey.keys = vec![
        key("taskState", KeyKind::Text),
        key("/plan/begin_at", KeyKind::Time),
        key("/plan/finish_at", KeyKind::Time),
    ];
    for task in &mut survey.read {
        task.status = Told::Absent;
        task.schedule_start = Told::Absent;
        task.schedule_end = Told::Absent;
    }
    let advice: Vec<String> = judged(&survey)
        .into_iter()
        .filter_map(|check| check.advice)
        .collect();
    assert_eq!(advice.len(), 3);
    assert!(
        advice[0].ends_with("these look like it: `taskState`"),
        "{advice:?}"
    );
    assert!(
        advice[1].ends_with("these look like it: `/plan/begin_at`"),
        "{advice:?}"
    );
    assert!(
        advice[2].ends_with("these look like it: `/plan/finish_at`"),
        "{advice:?}"
    );
}

#[test]
fn unknown_status_words_are_shown_if_they_are_words() {
    let mut survey = page(3, Some(3));
    survey.read[0].status = Told::Known(TaskStatus::from("archived"));
    survey.read[1].status = Told::Known(TaskStatus::from("WILL SMITH"));
    let (_, name, text) = complaint(&survey);
    assert_eq!(name, "list_tasks.status_words");
    assert!(
        text.starts_with("2 tasks with an unknown status (`archived`)"),
        "{text}"
    );
    assert!(!text.contains("SMITH"), "{text}");
}

#[test]
fn finished_tasks_are_pulled_before_others_and_running_ones_never() {
    let options = DiscoverOptions {
        workflow_lookback: Duration::from_hours(720),
        settle: Duration::from_mins(10),
        include_running: false,
        not_before: None,
        hold_days: 3,
        reopen: Reopen::Repull,
        partition_timezone: Tz::UTC,
        shard: None,
        source: TaskSource::Listing,
    };
    let tasks = [
        task("running", Some("calling")),
        task("canceled", Some("canceled")),
        task("unsaid", None),
        task("finished", Some("finished")),
    ];
    let now = "2024-03-11T09:10:00Z".parse().expect("a time");
    let ids = |candidates: Candidates| -> Vec<String> {
        candidates.tasks.into_iter().map(String::from).collect()
    };
    assert_eq!(
        ids(choose(&tasks, &options, now)),
        ["finished", "unsaid", "canceled"]
    );
    let early = choose(&tasks, &options, now - TimeDelta::minutes(1));
    assert_eq!(
        early.why_none,
        "4 tasks seen, none of them final and settled"
    );
    assert_eq!(choose(&[], &options, now).why_none, "no task is known");
}
