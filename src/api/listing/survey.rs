//! A survey of a listing's first page, compared with the profile (`doctor`).
//!
//! A survey holds key names, counts and the fields that the client itself reads (ids, status,
//! schedule), and no other value of an item. Key names that look like data (a vendor may use ids or
//! numbers as keys) are left out as well.

use std::collections::BTreeMap;

use bytes::Bytes;
use chrono::{DateTime, NaiveDateTime};

use super::ListingParams;
use crate::api::client::ApiClient;
use crate::api::error::ApiError;
use crate::api::listed::{self, ListedTask, ListedWorkflow, UnusableItem};
use crate::api::paging::{Cursor, ListingPass, Page, Total};
use crate::calendar::Window;
use crate::decode::json::{Json, Shape};
use crate::job::{PagingProfile, PagingStyle};
use crate::privacy::is_plain_name;
use crate::task::WorkflowId;

/// Number of items whose keys are inspected.
const ITEMS_LOOKED_AT: usize = 50;
/// Depth limit of the search for lists and keys.
const MAX_DEPTH: usize = 4;

/// The structure of a listing's first page.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PageSurvey<T> {
    /// Items in the page; `None` if the profile finds no list in the response.
    pub items: Option<usize>,
    /// The fields that the client reads, for items that have an id.
    pub read: Vec<T>,
    /// Items without a usable id.
    pub without_id: usize,
    /// The total, if the profile finds one.
    pub total: Option<u64>,
    /// The shape of the value at the total's place, if it is not a count.
    pub odd_total: Option<&'static str>,
    /// Whether the response has a cursor for the next page; `None` for numbered pages.
    pub has_cursor: Option<bool>,
    /// JSON pointers to the lists in the response.
    pub lists: Vec<String>,
    /// JSON pointers to the integers beside them.
    pub numbers: Vec<String>,
    /// Keys of the items, by name; nested ones as JSON pointers.
    pub keys: Vec<ItemKey>,
}

/// A key of a listing's items.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ItemKey {
    /// The name as it would be written in the profile.
    pub name: String,
    /// The kind of its first non-empty value.
    pub kind: KeyKind,
}

/// The kind of a key's value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeyKind {
    Text,
    /// A time with its zone (RFC 3339).
    Time,
    /// A time without a zone.
    LocalTime,
    Number,
    /// A list, a boolean, or empty in all items.
    Other,
}

impl ApiClient {
    /// Surveys the first page of a window's workflows.
    ///
    /// # Errors
    /// See [`ApiError`]. A mismatch with the profile is part of the result, not an error.
    pub async fn survey_workflows(
        &self,
        window: Window,
    ) -> Result<PageSurvey<ListedWorkflow>, ApiError> {
        let profile = &self.options().profile.list_workflows;
        let call = self.workflows_call(window);
        let answer = self.first_answer(&call).await?;
        Ok(survey(&answer, &profile.paging, |item| {
            listed::workflow(item, profile)
        }))
    }

    /// Surveys the first page of a workflow's tasks.
    ///
    /// # Errors
    /// See [`ApiError`]. A mismatch with the profile is part of the result, not an error.
    pub async fn survey_tasks(
        &self,
        workflow: &WorkflowId,
    ) -> Result<PageSurvey<ListedTask>, ApiError> {
        let profile = &self.options().profile.list_tasks;
        let call = self.tasks_call(workflow);
        let answer = self.first_answer(&call).await?;
        let zone = self.options().source_timezone;
        Ok(survey(&answer, &profile.paging, |item| {
            listed::task(item, workflow, profile, zone)
        }))
    }

    async fn first_answer(&self, call: &ListingParams<'_>) -> Result<Bytes, ApiError> {
        let page_size = self.options().page_size.get() as usize;
        let first = ListingPass::new(call.paging, self.memory(call.endpoint), page_size).first();
        let answer = self.answer(call, &first).await;
        answer.map_err(|error| error.into_api_error(call.endpoint, call.workflow))
    }
}

fn survey<T>(
    answer: &[u8],
    paging: &PagingProfile,
    read: impl Fn(Json<'_>) -> Result<T, UnusableItem>,
) -> PageSurvey<T> {
    let answer = Json::parse(answer).expect("the collector hands on JSON only");
    let mut around = Around::default();
    around.look(answer, "", 0);
    let mut survey = PageSurvey {
        items: None,
        read: Vec::new(),
        without_id: 0,
        total: None,
        odd_total: None,
        has_cursor: None,
        lists: around.lists,
        numbers: around.numbers,
        keys: Vec::new(),
    };
    let Ok(page) = Page::read(answer, paging) else {
        return survey;
    };
    survey.items = Some(page.items().count());
    match page.total {
        Total::Absent => {}
        Total::Is(total) => survey.total = Some(total),
        Total::NotUnderstood(shape) => survey.odd_total = Some(shape),
    }
    survey.has_cursor = match &paging.style {
        PagingStyle::Number { .. } => None,
        PagingStyle::Cursor { .. } => Some(matches!(page.cursor, Cursor::Next(_))),
    };
    for item in page.items() {
        match read(item) {
            Ok(item) => survey.read.push(item),
            Err(_) => survey.without_id += 1,
        }
    }
    let mut keys = BTreeMap::new();
    for item in page.items().take(ITEMS_LOOKED_AT) {
        gather(item, "", &mut keys);
    }
    survey.keys = keys
        .into_iter()
        .map(|(name, kind)| ItemKey { name, kind })
        .collect();
    survey
}

/// Pointers to lists and numbers in a response.
#[derive(Default)]
struct Around {
    lists: Vec<String>,
    numbers: Vec<String>,
}

impl Around {
    fn look(&mut self, value: Json<'_>, at: &str, depth: usize) {
        match value.shape() {
            Shape::Array => self.lists.push(at.to_owned()),
            Shape::Number if value.integer().is_some_and(|number| number >= 0) => {
                self.numbers.push(at.to_owned());
            }
            Shape::Object if depth < MAX_DEPTH => {
                for (name, value) in value.members().filter(|(name, _)| is_plain_name(name)) {
                    self.look(value, &format!("{at}/{name}"), depth + 1);
                }
            }
            _ => {}
        }
    }
}

/// Collects the keys of an item and those one level below.
fn gather(item: Json<'_>, at: &str, keys: &mut BTreeMap<String, KeyKind>) {
    for (name, value) in item.members().filter(|(name, _)| is_plain_name(name)) {
        if at.is_empty() && value.shape() == Shape::Object {
            gather(value, &format!("/{name}"), keys);
            continue;
        }
        let name = if at.is_empty() {
            name
        } else {
            format!("{at}/{name}")
        };
        let known = keys.entry(name).or_insert(KeyKind::Other);
        if *known == KeyKind::Other {
            *known = kind(value);
        }
    }
}

fn kind(value: Json<'_>) -> KeyKind {
    match value.shape() {
        Shape::Number => KeyKind::Number,
        Shape::Text => {
            let text = value.text().unwrap_or_default();
            let text = text.trim();
            let local = |format: &&str| NaiveDateTime::parse_from_str(text, format).is_ok();
            if DateTime::parse_from_rfc3339(text).is_ok() {
                KeyKind::Time
            } else if ["%Y-%m-%d %H:%M:%S%.f", "%Y-%m-%dT%H:%M:%S%.f"]
                .iter()
                .any(local)
            {
                KeyKind::LocalTime
            } else {
                KeyKind::Text
            }
        }
        _ => KeyKind::Other,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::job::ListTasksProfile;

    fn tasks(answer: &Value) -> PageSurvey<ListedTask> {
        let profile = ListTasksProfile::default();
        let workflow = WorkflowId::new("w").expect("an id");
        survey(answer.to_string().as_bytes(), &profile.paging, |item| {
            listed::task(item, &workflow, &profile, None)
        })
    }

    #[test]
    fn a_page_that_fits_is_read_as_the_client_reads_it() {
        let survey = tasks(&json!({"data": {"list": [
            {"task_id": "a", "status": "finished", "schedule_start_time": "2024-03-11T08:00:00Z"},
            {"TaskID": "b", "schedule_end_time": "tomorrow"},
            {"name": "SECRETNAME"},
        ], "total": 9}, "code": 200}));
        assert_eq!((survey.items, survey.total), (Some(3), Some(9)));
        assert_eq!(survey.read.len(), 2);
        assert_eq!(survey.without_id, 1);
        assert_eq!(survey.read[1].not_understood().count(), 1);
        assert_eq!(survey.lists, ["/data/list"]);
        assert_eq!(survey.numbers, ["/data/total", "/code"]);
        assert!(!format!("{survey:?}").contains("SECRETNAME"));
    }

    #[test]
    fn a_page_that_does_not_fit_tells_its_keys_and_no_values() {
        let survey = tasks(&json!({"data": {"rows": [
            {"id": "SECRET", "job": {"uid": 7, "from": "2024-03-11 08:00:00"}, "+6281234567890": "x"},
        ], "count": 1}, "code": 200}));
        assert_eq!(survey.items, None);
        assert_eq!(survey.lists, ["/data/rows"]);
        let survey = tasks(&json!({"data": [
            {"id": "SECRET", "job": {"uid": 7, "from": "2024-03-11 08:00:00"}, "+6281234567890": "x"},
        ]}));
        let keys: Vec<(&str, KeyKind)> = survey
            .keys
            .iter()
            .map(|key| (key.name.as_str(), key.kind))
            .collect();
        let expected = [
            ("/job/from", KeyKind::LocalTime),
            ("/job/uid", KeyKind::Number),
            ("id", KeyKind::Text),
        ];
        assert_eq!(keys, expected);
        assert!(!format!("{survey:?}").contains("SECRET"));
    }
}
