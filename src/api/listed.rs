//! The items of the listings, read by the profile's keys.

use chrono::{DateTime, Datelike, Utc};
use serde_json::Value;

use crate::job::{ListTasksProfile, ListWorkflowsProfile};
use crate::task::{TaskId, TaskStatus, WorkflowId};

/// A workflow, as listed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ListedWorkflow {
    /// Which.
    pub id: WorkflowId,
}

/// A task, as listed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ListedTask {
    /// Which.
    pub id: TaskId,
    /// The workflow it was listed under.
    pub workflow: Option<WorkflowId>,
    /// Its status, if the listing says one.
    pub status: Option<TaskStatus>,
    /// When its calls begin.
    pub schedule_start: Option<DateTime<Utc>>,
    /// When they end.
    pub schedule_end: Option<DateTime<Utc>>,
}

/// Why an item cannot be used. Never quotes it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum ItemFault {
    #[error("without an id")]
    NoId,
    #[error("whose id is not one")]
    BadId,
}

/// A workflow's item.
pub(crate) fn workflow(
    item: &Value,
    profile: &ListWorkflowsProfile,
) -> Result<ListedWorkflow, ItemFault> {
    let id = WorkflowId::new(&id(item, &profile.id_keys)?).map_err(|_| ItemFault::BadId)?;
    Ok(ListedWorkflow { id })
}

/// A task's item, and whether one of its times was none.
pub(crate) fn task(
    item: &Value,
    workflow: &WorkflowId,
    profile: &ListTasksProfile,
) -> Result<(ListedTask, bool), ItemFault> {
    let id = TaskId::new(&id(item, &profile.id_keys)?).map_err(|_| ItemFault::BadId)?;
    let status = find(item, &profile.status_keys)
        .and_then(Value::as_str)
        .filter(|text| !text.trim().is_empty())
        .map(TaskStatus::from);
    let start = time(find(item, &profile.schedule_start_keys));
    let end = time(find(item, &profile.schedule_end_keys));
    let odd_times = start.is_err() || end.is_err();
    let task = ListedTask {
        id,
        workflow: Some(workflow.clone()),
        status,
        schedule_start: start.unwrap_or(None),
        schedule_end: end.unwrap_or(None),
    };
    Ok((task, odd_times))
}

/// The id as text. An item may also be nothing but its id.
fn id(item: &Value, keys: &[String]) -> Result<String, ItemFault> {
    let value = if item.is_object() {
        find(item, keys)
    } else {
        Some(item)
    };
    match value {
        Some(Value::String(text)) if !text.trim().is_empty() => Ok(text.clone()),
        Some(Value::Number(number)) => Ok(number.to_string()),
        None | Some(Value::Null | Value::String(_)) => Err(ItemFault::NoId),
        Some(_) => Err(ItemFault::BadId),
    }
}

/// The value of the first key that is there and not null: as written, as a JSON pointer if it
/// starts with `/`, else in any case and without underscores (`task_id`, `TaskID`, `taskId`).
fn find<'a>(item: &'a Value, keys: &[String]) -> Option<&'a Value> {
    let exact = |key: &String| {
        if key.starts_with('/') {
            item.pointer(key)
        } else {
            item.get(key)
        }
    };
    let alike = |key: &String| {
        let plain = folded(key);
        item.as_object()?
            .iter()
            .find(|(name, _)| folded(name) == plain)
            .map(|(_, value)| value)
    };
    let usable = |value: &&Value| !value.is_null();
    keys.iter()
        .find_map(|key| exact(key).filter(usable))
        .or_else(|| keys.iter().find_map(|key| alike(key).filter(usable)))
}

fn folded(key: &str) -> String {
    key.chars()
        .filter(|c| *c != '_')
        .map(|c| c.to_ascii_lowercase())
        .collect()
}

/// RFC 3339. Absent in its many forms is `None`; anything else is an error.
fn time(value: Option<&Value>) -> Result<Option<DateTime<Utc>>, ()> {
    match value {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(text)) if text.trim().is_empty() => Ok(None),
        Some(Value::String(text)) => {
            let time = DateTime::parse_from_rfc3339(text.trim())
                .map_err(drop)?
                .to_utc();
            // The vendor's zero time, 0001-01-01T00:00:00Z.
            Ok((time.year() > 1).then_some(time))
        }
        Some(_) => Err(()),
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;
    use serde_json::json;

    use super::*;

    fn read(item: &Value) -> Result<(ListedTask, bool), ItemFault> {
        let workflow = WorkflowId::new("w").expect("valid");
        task(item, &workflow, &ListTasksProfile::default())
    }

    #[rstest]
    #[case(json!({"task_id": "a"}))]
    #[case(json!({"TaskID": "a", "task_id": null}))]
    #[case(json!({"taskId": "a"}))]
    #[case(json!({"TASK_ID": "a"}))]
    #[case(json!("a"))]
    fn the_id_is_found_under_any_of_its_names(#[case] item: Value) {
        assert_eq!(read(&item).expect("a task").0.id.as_str(), "a");
    }

    #[test]
    fn a_key_may_be_a_pointer() {
        let keys = vec!["/task/id".to_owned()];
        assert_eq!(id(&json!({"task": {"id": 17}}), &keys), Ok("17".to_owned()));
    }

    #[rstest]
    #[case(json!({"id": "a"}), ItemFault::NoId)]
    #[case(json!({"task_id": " "}), ItemFault::NoId)]
    #[case(json!({"task_id": null}), ItemFault::NoId)]
    #[case(json!(null), ItemFault::NoId)]
    #[case(json!({"task_id": "a\nb"}), ItemFault::BadId)]
    #[case(json!({"task_id": ["a"]}), ItemFault::BadId)]
    fn an_item_without_a_usable_id_is_a_fault(#[case] item: Value, #[case] fault: ItemFault) {
        assert_eq!(read(&item), Err(fault));
    }

    #[rstest]
    #[case(json!("2024-03-11T08:41:26.123456Z"), Some("2024-03-11T08:41:26.123456Z"), false)]
    #[case(json!("2024-03-11T15:41:26+07:00"), Some("2024-03-11T08:41:26Z"), false)]
    #[case(json!("0001-01-01T00:00:00Z"), None, false)]
    #[case(json!(""), None, false)]
    #[case(json!(null), None, false)]
    #[case(json!("2024-03-11 08:41:26"), None, true)]
    #[case(json!(1_710_146_486), None, true)]
    fn times_are_rfc_3339_or_absent(
        #[case] value: Value,
        #[case] expected: Option<&str>,
        #[case] odd: bool,
    ) {
        let item = json!({"task_id": "a", "status": "Finished", "ScheduleStartTime": value});
        let (task, odd_times) = read(&item).expect("a task");
        assert_eq!(
            task.schedule_start,
            expected.map(|text| text.parse().expect("valid"))
        );
        assert_eq!(task.status, Some(TaskStatus::Finished));
        assert_eq!(odd_times, odd);
    }
}
