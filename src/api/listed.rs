//! Listing items, read by the profile's keys.
//!
//! Every value that a decision depends on is absent, understood or not understood.

use chrono::{DateTime, Datelike, Utc};
use chrono_tz::Tz;

use crate::decode::json::{Json, Member, Shape};
use crate::event::Endpoint;
use crate::job::{ListTasksProfile, ListWorkflowsProfile};
use crate::task::{TaskId, TaskStatus, Told, WorkflowId};

/// A value in a listing that is present and not understood. Never holds the value itself.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, serde::Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct NotUnderstood {
    pub endpoint: Endpoint,
    /// The API profile's setting that names the key, or the key itself.
    pub key: String,
    /// The value's shape (`a number`, `text that is no time`).
    pub shape: &'static str,
    pub count: u64,
}

/// A workflow in a listing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ListedWorkflow {
    pub id: WorkflowId,
}

/// A task in a listing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ListedTask {
    pub id: TaskId,
    /// The workflow it was listed under.
    pub workflow: Option<WorkflowId>,
    /// Its status. An unknown word is kept: see [`TaskStatus::Unknown`].
    pub status: Told<TaskStatus>,
    /// When its calls begin.
    pub schedule_start: Told<DateTime<Utc>>,
    /// When its calls end.
    pub schedule_end: Told<DateTime<Utc>>,
    /// Number of calls, if the profile names a key for it.
    pub calls: Told<u64>,
}

impl ListedTask {
    /// Values that are present and not understood: the setting that names the key, and the value's
    /// shape.
    pub(crate) fn not_understood(&self) -> impl Iterator<Item = (&'static str, &'static str)> {
        let status = match &self.status {
            Told::Known(TaskStatus::Unknown(_)) => Some("a word that is not known"),
            status => status.not_understood(),
        };
        [
            ("status_keys", status),
            ("schedule_start_keys", self.schedule_start.not_understood()),
            ("schedule_end_keys", self.schedule_end.not_understood()),
            ("call_count_keys", self.calls.not_understood()),
        ]
        .into_iter()
        .filter_map(|(key, shape)| Some((key, shape?)))
    }
}

/// An unusable item: its id is missing or invalid. Holds the shape of what is there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct UnusableItem(pub(crate) &'static str);

/// Reads a workflow item.
pub(crate) fn workflow(
    item: Json<'_>,
    profile: &ListWorkflowsProfile,
) -> Result<ListedWorkflow, UnusableItem> {
    let id = WorkflowId::new(&id(item, &profile.id_keys)?).map_err(|_| NO_ID)?;
    Ok(ListedWorkflow { id })
}

/// Reads a task item. `zone` applies to times without an offset.
pub(crate) fn task(
    item: Json<'_>,
    workflow: &WorkflowId,
    profile: &ListTasksProfile,
    zone: Option<Tz>,
) -> Result<ListedTask, UnusableItem> {
    let id = TaskId::new(&id(item, &profile.id_keys)?).map_err(|_| NO_ID)?;
    Ok(ListedTask {
        id,
        workflow: Some(workflow.clone()),
        status: status(find(item, &profile.status_keys)),
        schedule_start: start(time(find(item, &profile.schedule_start_keys), zone)),
        schedule_end: time(find(item, &profile.schedule_end_keys), zone),
        calls: calls(find(item, &profile.call_count_keys)),
    })
}

/// Text that cannot be an id: too long, or with control characters.
const NO_ID: UnusableItem = UnusableItem("text that can be no id");
/// Shape of a key that occurs twice with different values.
const CONFLICT: &str = "two values that differ";

/// The id as text, character for character. An item may also consist of its id alone.
fn id(item: Json<'_>, keys: &[String]) -> Result<String, UnusableItem> {
    let value = if item.shape() == Shape::Object {
        match find(item, keys) {
            Member::Absent => return Err(UnusableItem("missing")),
            Member::Conflict => return Err(UnusableItem(CONFLICT)),
            Member::Value(value) => value,
        }
    } else {
        item
    };
    match value.shape() {
        Shape::Number | Shape::Text => value.word().ok_or(NO_ID),
        shape => Err(UnusableItem(shape.words())),
    }
}

fn status(value: Member<'_>) -> Told<TaskStatus> {
    let value = match value {
        Member::Absent => return Told::Absent,
        Member::Conflict => return Told::NotUnderstood(CONFLICT),
        Member::Value(value) => value,
    };
    match value.shape() {
        Shape::Null | Shape::Blank => Told::Absent,
        Shape::Text => match value.text() {
            Some(text) => Told::Known(TaskStatus::from(text)),
            None => Told::NotUnderstood("text that is not Unicode"),
        },
        shape => Told::NotUnderstood(shape.words()),
    }
}

fn time(value: Member<'_>, zone: Option<Tz>) -> Told<DateTime<Utc>> {
    match value {
        Member::Absent => Told::Absent,
        Member::Conflict => Told::NotUnderstood(CONFLICT),
        Member::Value(value) => value.time(zone),
    }
}

fn calls(value: Member<'_>) -> Told<u64> {
    let value = match value {
        Member::Absent => return Told::Absent,
        Member::Conflict => return Told::NotUnderstood(CONFLICT),
        Member::Value(value) => value,
    };
    let number = value
        .integer()
        .and_then(|number| u64::try_from(number).ok());
    match (value.shape(), number) {
        (Shape::Null | Shape::Blank, _) => Told::Absent,
        (_, Some(number)) => Told::Known(number),
        (Shape::Number, None) => Told::NotUnderstood("a number that is no count"),
        (shape, None) => Told::NotUnderstood(shape.words()),
    }
}

/// A start outside the plausible range determines no day. (An end may be: some vendors write
/// "never" that way.)
fn start(time: Told<DateTime<Utc>>) -> Told<DateTime<Utc>> {
    match time {
        Told::Known(time) if !(1900..2200).contains(&time.year()) => {
            Told::NotUnderstood("a time outside the years 1900 to 2199")
        }
        time => time,
    }
}

/// The value of the first key that has one. A key that starts with `/` is a JSON pointer; any other
/// matches in any case, with or without underscores (`task_id`, `TaskID`, `taskId`). Spellings of
/// one key with different values are a conflict. If all values are empty, the result is empty.
fn find<'a>(item: Json<'a>, keys: &[String]) -> Member<'a> {
    let mut empty = Member::Absent;
    for key in keys {
        let found = if key.starts_with('/') {
            item.pointer(key)
        } else {
            alike(item, key)
        };
        match found {
            Member::Absent => {}
            Member::Value(value) if is_empty(value) => empty = Member::Value(value),
            told => return told,
        }
    }
    empty
}

/// The value under any spelling of a key. Null counts as empty.
fn alike<'a>(item: Json<'a>, key: &str) -> Member<'a> {
    let values = item
        .members()
        .filter(|(name, _)| folded(name).eq(folded(key)));
    let mut found = Member::Absent;
    for (_, value) in values.filter(|(_, value)| value.shape() != Shape::Null) {
        found = match found {
            Member::Absent => Member::Value(value),
            Member::Value(before) if is_empty(before) || before.says_the_same(value) => {
                Member::Value(value)
            }
            Member::Value(_) if is_empty(value) => found,
            Member::Value(_) | Member::Conflict => return Member::Conflict,
        };
    }
    found
}

fn is_empty(value: Json<'_>) -> bool {
    matches!(value.shape(), Shape::Null | Shape::Blank)
}

/// The key's bytes without underscores, in lower case.
fn folded(key: &str) -> impl Iterator<Item = u8> {
    key.bytes()
        .filter(|byte| *byte != b'_')
        .map(|byte| byte.to_ascii_lowercase())
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    fn read(text: &str) -> Result<ListedTask, UnusableItem> {
        read_in(text, None)
    }

    fn read_in(text: &str, zone: Option<Tz>) -> Result<ListedTask, UnusableItem> {
        let workflow = WorkflowId::new("w").expect("valid");
        let item = Json::parse(text.as_bytes()).expect("JSON");
        task(item, &workflow, &ListTasksProfile::default(), zone)
    }

    #[rstest]
    #[case(r#"{"task_id": "a"}"#)]
    #[case(r#"{"TaskID": "a", "task_id": null}"#)]
    #[case(r#"{"taskId": "a"}"#)]
    #[case(r#"{"TASK_ID": "a"}"#)]
    #[case(r#"{"t\u0061sk_id": "\u0061"}"#)]
    #[case(r#"{"task_id": "a", "task_id": "a"}"#)]
    #[case(r#"{"task_id": "a", "TaskID": "\u0061"}"#)]
    #[case(r#"{"task_id": " ", "TaskID": "a", "taskid": null}"#)]
    #[case(r#""a""#)]
    fn the_id_is_found_under_any_of_its_names(#[case] item: &str) {
        assert_eq!(read(item).expect("a task").id.as_str(), "a");
    }

    #[test]
    fn a_pointer_is_one_spelling_alone() {
        let keys = vec!["/task_id".to_owned()];
        let item = Json::parse(br#"{"TaskID": "b", "task_id": "a"}"#).expect("JSON");
        assert_eq!(id(item, &keys), Ok("a".to_owned()));
    }

    #[test]
    fn a_key_may_be_a_pointer() {
        let keys = vec!["/task/id".to_owned()];
        let item = Json::parse(br#"{"task": {"id": 17}}"#).expect("JSON");
        assert_eq!(id(item, &keys), Ok("17".to_owned()));
    }

    #[rstest]
    #[case("123456789012345678901234567890")]
    #[case("18446744073709551616")]
    #[case("-0")]
    #[case("1.50")]
    fn a_number_is_an_id_digit_for_digit(#[case] number: &str) {
        let item = format!(r#"{{"task_id": {number}}}"#);
        assert_eq!(read(&item).expect("a task").id.as_str(), number);
    }

    #[rstest]
    #[case(r#"{"id": "a"}"#, "missing")]
    #[case(r#"{"task_id": null}"#, "missing")]
    #[case(r#"{"task_id": " "}"#, "empty text")]
    #[case("null", "null")]
    #[case(r#"{"task_id": "a\nb"}"#, "text that can be no id")]
    #[case(r#"{"task_id": "\ud83d"}"#, "text that can be no id")]
    #[case(r#"{"task_id": ["a"]}"#, "an array")]
    #[case(r#"{"task_id": "a", "task_id": "b"}"#, "two values that differ")]
    #[case(r#"{"task_id": "a", "TaskID": "b"}"#, "two values that differ")]
    #[case(r#"{"taskid": "b", "task_id": "a"}"#, "two values that differ")]
    fn an_item_without_a_usable_id_is_told_by_its_shape(#[case] item: &str, #[case] shape: &str) {
        assert_eq!(read(item).expect_err("no id").0, shape);
    }

    #[rstest]
    #[case(r#""2024-03-11T08:41:26.123456Z""#, "2024-03-11T08:41:26.123456Z")]
    #[case(r#""2024-03-11T15:41:26+07:00""#, "2024-03-11T08:41:26Z")]
    #[case(r#""2024-03-11 15:41:26+07:00""#, "2024-03-11T08:41:26Z")]
    #[case(r#""2024-03-11T15:41:26\u002B07:00""#, "2024-03-11T08:41:26Z")]
    #[case(r#"" 2024-03-11T08:41:26Z ""#, "2024-03-11T08:41:26Z")]
    fn times_are_read_in_the_vendors_spellings(#[case] value: &str, #[case] expected: &str) {
        let item = format!(r#"{{"task_id": "a", "ScheduleStartTime": {value}}}"#);
        let expected = expected.parse().expect("valid");
        assert_eq!(
            read(&item).expect("a task").schedule_start,
            Told::Known(expected)
        );
    }

    #[test]
    fn an_end_may_be_never() {
        let item = r#"{"task_id": "a", "schedule_end_time": "9999-12-31T23:59:59Z"}"#;
        let never = "9999-12-31T23:59:59Z".parse().expect("valid");
        assert_eq!(read(item).expect("a task").schedule_end, Told::Known(never));
    }

    #[rstest]
    #[case(r#""0001-01-01T00:00:00Z""#)]
    #[case(r#""0000-00-00 00:00:00""#)]
    #[case(r#""""#)]
    #[case("null")]
    fn absent_times_have_several_forms(#[case] value: &str) {
        let item = format!(r#"{{"task_id": "a", "schedule_start_time": {value}}}"#);
        assert_eq!(read(&item).expect("a task").schedule_start, Told::Absent);
    }

    #[rstest]
    #[case(
        r#""2024-03-11 08:41:26""#,
        "a time without a zone; set `source_timezone`"
    )]
    #[case(r#""tomorrow""#, "text that is no time")]
    #[case("1710146486", "a number")]
    #[case(r#""9999-12-31T23:59:59Z""#, "a time outside the years 1900 to 2199")]
    #[case(r#""1899-12-31T23:59:59Z""#, "a time outside the years 1900 to 2199")]
    #[case("[]", "an array")]
    fn other_times_are_not_understood(#[case] value: &str, #[case] shape: &str) {
        let item = format!(r#"{{"task_id": "a", "schedule_start_time": {value}}}"#);
        let task = read(&item).expect("a task");
        assert_eq!(task.schedule_start, Told::NotUnderstood(shape_of(shape)));
        assert_eq!(task.not_understood().count(), 1);
    }

    /// The shape as a static string.
    fn shape_of(text: &str) -> &'static str {
        Box::leak(text.to_owned().into_boxed_str())
    }

    #[test]
    fn a_time_without_a_zone_is_read_in_the_source_zone() {
        let item = r#"{"task_id": "a", "schedule_start_time": "2024-03-11 15:41:26"}"#;
        let task = read_in(item, Some(Tz::Asia__Jakarta)).expect("a task");
        let expected = "2024-03-11T08:41:26Z".parse().expect("valid");
        assert_eq!(task.schedule_start, Told::Known(expected));
    }

    #[rstest]
    #[case(r#""Finished""#, Told::Known(TaskStatus::Finished), None)]
    #[case(r#""completed""#, Told::Known(TaskStatus::Unknown("completed".to_owned())),
        Some("a word that is not known"))]
    #[case("3", Told::NotUnderstood("a number"), Some("a number"))]
    #[case("null", Told::Absent, None)]
    #[case(r#""""#, Told::Absent, None)]
    #[case(
        r#""finished", "Status": "calling""#,
        Told::NotUnderstood("two values that differ"),
        Some("two values that differ")
    )]
    #[case(
        r#""finished", "STATUS": " ", "Status": null"#,
        Told::Known(TaskStatus::Finished),
        None
    )]
    fn a_status_is_told_absent_or_not_understood(
        #[case] value: &str,
        #[case] expected: Told<TaskStatus>,
        #[case] shape: Option<&str>,
    ) {
        let item = format!(r#"{{"task_id": "a", "status": {value}}}"#);
        let task = read(&item).expect("a task");
        assert_eq!(task.status, expected);
        assert_eq!(task.not_understood().map(|(_, shape)| shape).next(), shape);
    }
}
