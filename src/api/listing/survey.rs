//! A first look at a listing: one page, held against the profile (`doctor`).
//!
//! A survey holds names of keys, counts and what the client itself would have read (ids, status,
//! schedule), never another value of an item. Names that look like data (a vendor may use ids or
//! numbers as keys) are left out, too.

use std::collections::BTreeMap;

use bytes::Bytes;
use chrono::{DateTime, NaiveDateTime};

use super::Call;
use crate::api::client::ApiClient;
use crate::api::error::ApiError;
use crate::api::listed::{self, ListedTask, ListedWorkflow, Unusable};
use crate::api::paging::{Cursor, Page, Pass, Total};
use crate::calendar::Window;
use crate::decode::json::{Json, Shape};
use crate::job::{PagingProfile, PagingStyle};
use crate::privacy::is_plain_name;
use crate::task::WorkflowId;

/// Items whose keys are looked at.
const ITEMS_LOOKED_AT: usize = 50;
/// How deep lists and keys are looked for.
const MAX_DEPTH: usize = 4;

/// What the first page of a listing looks like.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PageSurvey<T> {
    /// Items in the page; `None` if the profile finds no list in the answer.
    pub items: Option<usize>,
    /// What the client reads of the items that have an id.
    pub read: Vec<T>,
    /// Items without a usable id.
    pub without_id: usize,
    /// The total, where the profile finds one.
    pub total: Option<u64>,
    /// What stands where the total should, if that is no number of items.
    pub odd_total: Option<&'static str>,
    /// Whether the answer says how to ask for the next page; `None` for pages by number.
    pub has_cursor: Option<bool>,
    /// JSON pointers to the lists in the answer.
    pub lists: Vec<String>,
    /// JSON pointers to the whole numbers beside them.
    pub numbers: Vec<String>,
    /// The items' keys, by name; nested ones as JSON pointers.
    pub keys: Vec<ItemKey>,
}

/// A key of a listing's items.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ItemKey {
    /// As it would be written into the profile.
    pub name: String,
    /// Of its first value that is there.
    pub kind: KeyKind,
}

/// What the value of a key looks like.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeyKind {
    /// Any text.
    Text,
    /// A time with its zone (RFC 3339).
    Time,
    /// A time without a zone.
    LocalTime,
    /// A number.
    Number,
    /// A list, a truth value, or nothing in all items.
    Other,
}

impl ApiClient {
    /// Looks at the first page of a window's workflows.
    ///
    /// # Errors
    /// See [`ApiError`]. What does not fit the profile is no error here.
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

    /// Looks at the first page of a workflow's tasks.
    ///
    /// # Errors
    /// See [`ApiError`]. What does not fit the profile is no error here.
    pub async fn survey_tasks(
        &self,
        workflow: &WorkflowId,
    ) -> Result<PageSurvey<ListedTask>, ApiError> {
        let profile = &self.options().profile.list_tasks;
        let call = self.tasks_call(workflow);
        let answer = self.first_answer(&call).await?;
        let zone = self.options().source_timezone;
        Ok(survey(&answer, &profile.paging, |item| {
            listed::task(item, workflow, (profile, zone))
        }))
    }

    async fn first_answer(&self, call: &Call<'_>) -> Result<Bytes, ApiError> {
        let page_size = self.options().page_size.get() as usize;
        let first = Pass::new(call.paging, self.memory(call.endpoint), page_size).first();
        let answer = self.answer(call, &first).await;
        answer.map_err(|error| error.into_api_error(call.endpoint, call.workflow))
    }
}

fn survey<T>(
    answer: &[u8],
    paging: &PagingProfile,
    read: impl Fn(Json<'_>) -> Result<T, Unusable>,
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

/// Where an answer has lists and numbers.
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

/// The keys of an item, and one level below it.
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
            listed::task(item, &workflow, (&profile, None))
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
