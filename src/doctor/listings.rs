//! Checks the first page of each listing against the API profile.

use std::collections::BTreeSet;

use chrono::{DateTime, TimeDelta, Utc};

use super::check::{Check, MISFIT, Notes, count, quoted};
use crate::api::{ApiClient, ApiError, ItemKey, KeyKind, ListedTask, PageSurvey};
use crate::calendar::Window;
use crate::clock::Clock;
use crate::job::{DiscoverOptions, Job, ListTasksProfile, PagingProfile, PagingStyle, TaskSource};
use crate::task::{TaskId, TaskStatus, Told, WorkflowId};

/// Maximum number of workflows whose tasks are listed until one has a task to pull.
const MAX_WORKFLOWS: usize = 5;
/// Tasks to choose from: the others are used only if the first has no redials.
const MAX_TASKS: usize = 3;

/// Tasks suitable for pulling.
#[derive(Debug)]
pub(super) struct Candidates {
    /// Tasks most likely to have calls first.
    pub(super) tasks: Vec<TaskId>,
    /// The reason, if there are none.
    pub(super) why_none: String,
}

impl Candidates {
    fn none(why: &str) -> Self {
        Self {
            tasks: Vec::new(),
            why_none: why.to_owned(),
        }
    }
}

/// Names for the checks of a listing.
struct CheckNames {
    /// The table in the job file: `[api.…]`. Also the name of the check.
    table: &'static str,
    total: &'static str,
    pages: &'static str,
    noun: &'static str,
}

const WORKFLOWS: CheckNames = CheckNames {
    table: "list_workflows",
    total: "list_workflows.total",
    pages: "list_workflows.pages",
    noun: "workflow",
};
const TASKS: CheckNames = CheckNames {
    table: "list_tasks",
    total: "list_tasks.total",
    pages: "list_tasks.pages",
    noun: "task",
};

/// Requests a page of workflows, and pages of tasks until one has a task to pull.
pub(super) async fn examine(
    api: &ApiClient,
    job: &Job,
    clock: &Clock,
    notes: &mut Notes<'_>,
) -> Candidates {
    let page_size = job.api.page_size.get() as usize;
    let workflows = match workflows(api, job, clock.now(), notes).await {
        Ok(workflows) => workflows,
        Err(why) => {
            notes.add(Check::skipped(TASKS.table, why));
            return Candidates::none("no task is known");
        }
    };
    let profile = &job.api.profile.list_tasks;
    let mut found: Vec<ListedTask> = Vec::new();
    let mut judged = false;
    let mut asked = 0;
    for workflow in workflows.iter().take(MAX_WORKFLOWS) {
        asked += 1;
        let survey = match api.survey_tasks(workflow).await {
            Ok(survey) => survey,
            Err(error) => {
                notes.add(refused(TASKS.table, &error));
                return Candidates::none("no task is known");
            }
        };
        // An empty workflow proves nothing; the first one with tasks is sufficient.
        if survey.items != Some(0) && !judged {
            judged = true;
            let checks = judge(
                &survey,
                &TASKS,
                &profile.paging,
                page_size,
                &profile.id_keys,
            );
            notes.add_all(checks);
            notes.add_all(judge_tasks(&survey, profile));
        }
        found.extend(survey.read);
        if found
            .iter()
            .any(|task| is_ripe(task, &job.discover, clock.now()))
        {
            break;
        }
    }
    if !judged {
        let what = format!("no tasks in the first {}", count(asked, "workflow"));
        notes.add(Check::skipped(TASKS.table, what));
    }
    choose(&found, &job.discover, clock.now())
}

async fn workflows(
    api: &ApiClient,
    job: &Job,
    now: DateTime<Utc>,
    notes: &mut Notes<'_>,
) -> Result<Vec<WorkflowId>, &'static str> {
    if let TaskSource::Workflows(ids) = &job.discover.source {
        let why = "the job file names its workflows (`workflow_ids`)";
        notes.add(Check::skipped(WORKFLOWS.table, why));
        return Ok(ids.clone());
    }
    let profile = &job.api.profile.list_workflows;
    let lookback = TimeDelta::from_std(job.discover.workflow_lookback).ok();
    let from = lookback.and_then(|lookback| now.checked_sub_signed(lookback));
    let window = Window {
        from: from.unwrap_or(DateTime::UNIX_EPOCH),
        to: now,
    };
    let survey = api.survey_workflows(window).await.map_err(|error| {
        notes.add(refused(WORKFLOWS.table, &error));
        "no workflow is known"
    })?;
    let page_size = job.api.page_size.get() as usize;
    notes.add_all(judge(
        &survey,
        &WORKFLOWS,
        &profile.paging,
        page_size,
        &profile.id_keys,
    ));
    let ids: Vec<WorkflowId> = survey
        .read
        .into_iter()
        .map(|workflow| workflow.id)
        .collect();
    if ids.is_empty() {
        return Err("no workflow is known");
    }
    Ok(ids)
}

fn refused(name: &'static str, error: &ApiError) -> Check {
    Check::fail(name, error.exit_code(), error)
}

/// Checks a page for what every listing has: a list, ids, a total, pages of the right size.
fn judge<T>(
    survey: &PageSurvey<T>,
    names: &CheckNames,
    paging: &PagingProfile,
    page_size: usize,
    id_keys: &[String],
) -> Vec<Check> {
    let CheckNames {
        table,
        total: total_check,
        pages,
        noun,
    } = names;
    let Some(items) = survey.items else {
        let what = format!("the answer has no list at {}", quoted(strs(&paging.items)));
        let check = Check::misfit(table, MISFIT, what);
        return vec![if survey.lists.is_empty() {
            check.advise(format!(
                "it has none at all: check `path` and parameters in [api.{table}]"
            ))
        } else {
            check.advise(format!(
                "set `items` in [api.{table}] to where it is; there are lists at {}",
                quoted(strs(&survey.lists))
            ))
        }];
    };
    if survey.without_id > 0 {
        let what = format!(
            "{} of {} have no usable id under {}",
            survey.without_id,
            count(items, "item"),
            quoted(strs(id_keys)),
        );
        return vec![Check::misfit(table, MISFIT, what).advise(format!(
            "set `id_keys` in [api.{table}]; {}",
            suggestion(&survey.keys, looks_like_id)
        ))];
    }
    let found = match survey.total {
        Some(total) => format!("{} of {total} on the first page", count(items, noun)),
        None => format!("{} on the first page", count(items, noun)),
    };
    let mut checks = vec![Check::ok(table, found)];
    checks.extend(judge_total(survey, items, paging).map(|(what, advice)| {
        Check::warn(total_check, what).advise(format!("{advice} in [api.{table}]"))
    }));
    checks.extend(
        judge_pages(survey, items, paging, page_size).map(|(what, advice)| {
            Check::warn(pages, what).advise(format!("{advice} in [api.{table}]"))
        }),
    );
    checks
}

fn judge_total<T>(
    survey: &PageSurvey<T>,
    items: usize,
    paging: &PagingProfile,
) -> Option<(String, String)> {
    let at = paging.total.as_ref()?;
    let candidates = || {
        let numbers = survey
            .numbers
            .iter()
            .filter(|name| *name != "/code" && *name != at);
        quoted(numbers.map(String::as_str))
    };
    if let Some(shape) = survey.odd_total {
        let what = format!("the total at `{at}` is {shape}, which tells no number of items");
        let advice = "set `total` to where it is, or to \"\" if there is none,".to_owned();
        return Some((what, advice));
    }
    match survey.total {
        None => {
            let what = format!("no total at `{at}`: each listing takes one request more");
            let advice = match candidates() {
                none if none.is_empty() => {
                    "there is no other number: set `total = \"\"`".to_owned()
                }
                some => {
                    format!("set `total` to where it is ({some}), or to \"\" if there is none,")
                }
            };
            Some((what, advice))
        }
        Some(total) if total < items as u64 => Some((
            format!("the total at `{at}` is {total}, with {items} items on the page"),
            "it is something else: set `total = \"\"`, or to where the total is,".to_owned(),
        )),
        Some(_) => None,
    }
}

fn judge_pages<T>(
    survey: &PageSurvey<T>,
    items: usize,
    paging: &PagingProfile,
    page_size: usize,
) -> Option<(String, String)> {
    let total = survey.total.unwrap_or(items as u64);
    if items > page_size {
        return Some((
            format!("{items} items on a page, where {page_size} were asked for"),
            format!(
                "the vendor ignores `{}`: check `page_size_param`",
                paging.page_size_param
            ),
        ));
    }
    match &paging.style {
        PagingStyle::Number { .. } if items < page_size && total > items as u64 => Some((
            format!(
                "{items} items on the first page, where {page_size} were asked for and there are {total}"
            ),
            format!(
                "if the vendor's pages are smaller, set `page_size` to {}; if it counts them from 0, \
                 set `first_page = 0`",
                items.max(1)
            ),
        )),
        PagingStyle::Cursor { next, .. }
            if total > items as u64 && survey.has_cursor == Some(false) =>
        {
            Some((
                format!("{items} items of {total} on the first page, and no cursor at `{next}`"),
                "set `next_cursor` to where it is".to_owned(),
            ))
        }
        _ => None,
    }
}

/// Checks a page of tasks for the fields of tasks.
fn judge_tasks(survey: &PageSurvey<ListedTask>, profile: &ListTasksProfile) -> Vec<Check> {
    let tasks = &survey.read;
    if tasks.is_empty() || survey.without_id > 0 {
        return Vec::new();
    }
    let mut checks = Vec::new();
    let without_status = tasks
        .iter()
        .filter(|task| task.status == Told::Absent)
        .count();
    if without_status > 0 {
        let what = format!(
            "{without_status} of {} have no status under {}",
            count(tasks.len(), "task"),
            quoted(strs(&profile.status_keys)),
        );
        checks.push(Check::warn("list_tasks.status", what).advise(format!(
            "without one every task is pulled to see its status; set `status_keys` in \
             [api.list_tasks]; {}",
            suggestion(&survey.keys, looks_like_status)
        )));
    }
    checks.extend(unknown_words(tasks));
    let without_start = tasks
        .iter()
        .filter(|task| task.schedule_start == Told::Absent)
        .count();
    let without_end = tasks
        .iter()
        .filter(|task| task.schedule_end == Told::Absent)
        .count();
    for (name, without, keys, setting, word) in [
        (
            "list_tasks.schedule_start",
            without_start,
            &profile.schedule_start_keys,
            "schedule_start_keys",
            "start",
        ),
        (
            "list_tasks.schedule_end",
            without_end,
            &profile.schedule_end_keys,
            "schedule_end_keys",
            "end",
        ),
    ] {
        // A task that is not scheduled yet may have none.
        if without < tasks.len() {
            continue;
        }
        let what = format!(
            "none of {} has a scheduled {word} under {}",
            count(tasks.len(), "task"),
            quoted(strs(keys)),
        );
        checks.push(Check::warn(name, what).advise(format!(
            "set `{setting}` in [api.list_tasks]; {}",
            suggestion(&survey.keys, |key| looks_like_time(key, word))
        )));
    }
    let not_understood = tasks.iter().filter_map(|task| {
        let times = task.schedule_start.not_understood();
        times.or_else(|| task.schedule_end.not_understood())
    });
    let shapes: BTreeSet<&str> = not_understood.clone().collect();
    if let Some(shape) = shapes.first() {
        let what = format!(
            "{} of {} have a time that is not understood ({shape})",
            not_understood.count(),
            count(tasks.len(), "task"),
        );
        checks.push(Check::warn("list_tasks.times", what).advise(format!(
            "such tasks are asked for to learn their day; set `source_timezone` if the times are \
             local, or `schedule_start_keys` and `schedule_end_keys` in [api.list_tasks] to keys \
             with times and zones; {}",
            suggestion(&survey.keys, |key| key.kind == KeyKind::Time)
        )));
    }
    checks
}

/// Unknown status words. They are shown if they look like identifiers.
fn unknown_words(tasks: &[ListedTask]) -> Option<Check> {
    let mut words: Vec<&str> = tasks
        .iter()
        .filter_map(|task| match &task.status {
            Told::Known(TaskStatus::Unknown(word)) => Some(word.as_str()),
            _ => None,
        })
        .collect();
    let number = words.len();
    words.sort_unstable();
    words.dedup();
    let is_word =
        |word: &&str| word.len() <= 24 && word.bytes().all(|b| b.is_ascii_lowercase() || b == b'_');
    words.retain(is_word);
    (number > 0).then(|| {
        let shown = if words.is_empty() {
            String::new()
        } else {
            format!(" ({})", quoted(words))
        };
        let what = format!("{} with an unknown status{shown}", count(number, "task"));
        Check::warn("list_tasks.status_words", what).advise(
            "they count as not final and are asked for every night; if the key is another one, set \
             `status_keys` in [api.list_tasks]",
        )
    })
}

/// Keys that may be the right ones, or all of them.
fn suggestion(keys: &[ItemKey], looks_right: impl Fn(&ItemKey) -> bool) -> String {
    let right: Vec<&str> = keys
        .iter()
        .filter(|key| looks_right(key))
        .map(|key| key.name.as_str())
        .collect();
    match (right.is_empty(), keys.is_empty()) {
        (false, _) => format!("these look like it: {}", quoted(right)),
        (true, false) => format!(
            "the keys there are: {}",
            quoted(keys.iter().map(|key| key.name.as_str()))
        ),
        (true, true) => "the items have no keys".to_owned(),
    }
}

fn looks_like_id(key: &ItemKey) -> bool {
    let name = last_step(key);
    matches!(key.kind, KeyKind::Text | KeyKind::Number)
        && ["id", "uuid", "key", "no", "code"]
            .iter()
            .any(|end| name.ends_with(end))
}

fn looks_like_status(key: &ItemKey) -> bool {
    let name = last_step(key);
    key.kind == KeyKind::Text
        && ["status", "state", "phase"]
            .iter()
            .any(|word| name.contains(word))
}

fn looks_like_time(key: &ItemKey, word: &str) -> bool {
    let name = last_step(key);
    let words: &[&str] = if word == "start" {
        &["start", "begin", "from", "plan"]
    } else {
        &["end", "finish", "stop", "until"]
    };
    key.kind == KeyKind::Time && words.iter().any(|word| name.contains(word))
}

fn last_step(key: &ItemKey) -> String {
    let step = key.name.rsplit('/').next().unwrap_or_default();
    step.to_ascii_lowercase()
}

fn strs(texts: &[String]) -> impl Iterator<Item = &str> {
    texts.iter().map(String::as_str)
}

/// Whether a task is final and settled, according to its listing.
fn is_ripe(task: &ListedTask, options: &DiscoverOptions, now: DateTime<Utc>) -> bool {
    task.status == Told::Known(TaskStatus::Finished) && is_settled(task, options, now)
}

fn is_settled(task: &ListedTask, options: &DiscoverOptions, now: DateTime<Utc>) -> bool {
    let settle = TimeDelta::from_std(options.settle).unwrap_or(TimeDelta::MAX);
    task.schedule_end.known().is_none_or(|end| {
        end.checked_add_signed(settle)
            .is_some_and(|settled| settled <= now)
    })
}

/// The tasks to pull: finished ones first, then those that may be.
fn choose(found: &[ListedTask], options: &DiscoverOptions, now: DateTime<Utc>) -> Candidates {
    let rank = |task: &ListedTask| match &task.status {
        _ if !is_settled(task, options, now) => None,
        Told::Known(TaskStatus::Finished) => Some(0),
        Told::Absent if task.schedule_end.known().is_some() => Some(1),
        Told::Known(TaskStatus::Canceled) => Some(2),
        _ => None,
    };
    let mut ranked: Vec<(u8, &ListedTask)> = found
        .iter()
        .filter_map(|task| Some((rank(task)?, task)))
        .collect();
    ranked.sort_by_key(|(rank, _)| *rank);
    if ranked.is_empty() {
        return Candidates::none(&match found.len() {
            0 => "no task is known".to_owned(),
            number => format!(
                "{} seen, none of them final and settled",
                count(number, "task")
            ),
        });
    }
    Candidates {
        tasks: ranked
            .into_iter()
            .take(MAX_TASKS)
            .map(|(_, task)| task.id.clone())
            .collect(),
        why_none: String::new(),
    }
}

#[cfg(test)]
mod tests {
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
}
