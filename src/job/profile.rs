//! The API profile: assumptions about an account's endpoints, changeable without a rebuild.
//!
//! The vendor's public documentation covers one endpoint; the listings are assumptions (see
//! `docs/job-file.md`). Every assumption is a key of the job file:
//!
//! ```toml
//! [api.list_tasks]
//! path = "/service/cloud/workflow/tasklist"
//! items = ["/data/list", "/data"]
//! cursor_param = "cursor"        # instead of page_param and first_page
//! next_cursor = "/data/next"
//! ```
//!
//! This module never guesses: a profile that contradicts itself is an error.

mod raw;

use std::num::NonZeroU32;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use raw::{RawListTasks, RawListWorkflows, RawTaskDetail};

/// Assumptions about an account's endpoints: the API profile. See `docs/job-file.md`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ApiProfile {
    /// Path of the sign-in request. Default `/service/cloud/auth`.
    pub auth_path: String,
    /// "Obtain the Workflow Task List": everything except its method is an assumption.
    pub list_workflows: ListWorkflowsProfile,
    /// The outbound tasks of a workflow: everything except path and method is an assumption.
    pub list_tasks: ListTasksProfile,
    /// The only endpoint with public documentation.
    pub task_detail: TaskDetailProfile,
    /// Body codes that mean success. Default 200 alone.
    pub success_codes: Vec<i64>,
    /// Body codes that mean an expired token. Default 401.
    pub expired_codes: Vec<i64>,
    /// Body codes that mean "slow down". Default 10705 and 429.
    pub slow_down_codes: Vec<i64>,
    /// Body codes that are worth a retry. Default 500, 502, 503, 504.
    pub retry_codes: Vec<i64>,
    /// Body codes that mean the task does not exist (any more). Default 404.
    pub not_found_codes: Vec<i64>,
}

impl Default for ApiProfile {
    fn default() -> Self {
        Self {
            auth_path: "/service/cloud/auth".to_owned(),
            list_workflows: ListWorkflowsProfile::default(),
            list_tasks: ListTasksProfile::default(),
            task_detail: TaskDetailProfile::default(),
            success_codes: vec![200],
            expired_codes: vec![401],
            slow_down_codes: vec![10705, 429],
            retry_codes: vec![500, 502, 503, 504],
            not_found_codes: vec![404],
        }
    }
}

/// The meaning of a body code, according to the profile.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CodeMeaning {
    /// The response contains what was requested.
    Success,
    /// The token is no longer valid.
    Expired,
    SlowDown,
    /// Worth a retry.
    Retry,
    /// Does not exist (any more).
    NotFound,
    /// Any other code: a refusal that a retry does not change.
    Refusal,
}

impl ApiProfile {
    /// The meaning of a body code. Success is checked first, then the others in the order of
    /// [`CodeMeaning`].
    #[must_use]
    pub fn meaning(&self, code: i64) -> CodeMeaning {
        let table = [
            (&self.success_codes, CodeMeaning::Success),
            (&self.expired_codes, CodeMeaning::Expired),
            (&self.slow_down_codes, CodeMeaning::SlowDown),
            (&self.retry_codes, CodeMeaning::Retry),
            (&self.not_found_codes, CodeMeaning::NotFound),
        ];
        table
            .into_iter()
            .find(|(codes, _)| codes.contains(&code))
            .map_or(CodeMeaning::Refusal, |(_, meaning)| meaning)
    }
}

/// The method of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum Method {
    /// Parameters are sent in the query.
    #[serde(alias = "get")]
    Get,
    /// Parameters are sent in a JSON body.
    #[serde(alias = "post")]
    Post,
}

/// How a listing is paged.
#[derive(Clone, Debug, PartialEq)]
pub struct PagingProfile {
    /// Pages by number, or by the API's cursor.
    pub style: PagingStyle,
    /// Name of the page size parameter.
    pub page_size_param: String,
    /// JSON pointers (`/data/list`) to the items; the first that is an array is taken.
    pub items: Vec<String>,
    /// JSON pointer to the total, if the vendor sends one.
    pub total: Option<String>,
    /// `data: null` is an empty page. Default no: the response is invalid, and retried.
    pub null_is_empty: bool,
    /// A longer listing is an error; it is never truncated.
    pub max_pages: NonZeroU32,
    /// How often a listing that shifted is restarted.
    pub max_relists: u32,
}

impl Default for PagingProfile {
    fn default() -> Self {
        Self {
            style: PagingStyle::Number {
                param: "page".to_owned(),
                first: 1,
            },
            page_size_param: "page_size".to_owned(),
            items: vec!["/data/list".to_owned(), "/data".to_owned()],
            total: Some("/data/total".to_owned()),
            null_is_empty: false,
            max_pages: NonZeroU32::new(10_000).expect("not zero"),
            max_relists: 3,
        }
    }
}

/// Pages by number or by cursor.
#[derive(Clone, Debug, PartialEq)]
pub enum PagingStyle {
    /// `page=1`, `page=2`, …
    Number {
        /// Name of the parameter.
        param: String,
        /// Number of the first page.
        first: u32,
    },
    /// The response contains the cursor of the next page.
    Cursor {
        /// Name of the parameter.
        param: String,
        /// JSON pointer to the next cursor; empty, null or missing ends the listing.
        next: String,
    },
}

/// How a time is formatted in a parameter.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TimeFormat {
    /// `2024-03-11T00:00:00Z`.
    Rfc3339,
    /// Seconds since 1970.
    EpochSeconds,
    /// Milliseconds since 1970.
    EpochMillis,
    /// `2024-03-11`, in UTC: the start rounded down and the end up, so that the window is never
    /// narrower.
    Date,
}

/// The endpoint that lists workflows.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "RawListWorkflows", into = "RawListWorkflows")]
pub struct ListWorkflowsProfile {
    /// Path below the base URL.
    pub path: String,
    pub method: Method,
    pub paging: PagingProfile,
    /// Name of the parameter for the window's start (included).
    pub start_param: String,
    /// Name of the parameter for the window's end (excluded).
    pub end_param: String,
    /// The format of both.
    pub time_format: TimeFormat,
    /// Keys of an item's workflow id, first match wins. A key that starts with `/` is a JSON
    /// pointer into the item; others also match in another case and without underscores.
    pub id_keys: Vec<String>,
    /// Parameters sent unchanged with every request.
    pub extra_params: Vec<(String, Value)>,
}

impl Default for ListWorkflowsProfile {
    fn default() -> Self {
        Self {
            path: "/service/cloud/workflow/list".to_owned(),
            method: Method::Get,
            paging: PagingProfile::default(),
            start_param: "start_time".to_owned(),
            end_param: "end_time".to_owned(),
            time_format: TimeFormat::Rfc3339,
            id_keys: keys(&["workflow_id", "WorkflowID", "wokflow_id"]),
            extra_params: Vec::new(),
        }
    }
}

/// The endpoint that lists a workflow's tasks.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "RawListTasks", into = "RawListTasks")]
pub struct ListTasksProfile {
    /// Path below the base URL.
    pub path: String,
    pub method: Method,
    pub paging: PagingProfile,
    /// Name of the parameter for the workflow.
    pub workflow_param: String,
    /// Keys of an item's task id, as in [`ListWorkflowsProfile::id_keys`].
    pub id_keys: Vec<String>,
    /// Keys of its status.
    pub status_keys: Vec<String>,
    /// Keys of its scheduled start.
    pub schedule_start_keys: Vec<String>,
    /// Keys of its scheduled end.
    pub schedule_end_keys: Vec<String>,
    /// Keys of the number of its calls, which equals the number of entries of `detail`. None by
    /// default.
    pub call_count_keys: Vec<String>,
    /// Parameters sent unchanged with every request.
    pub extra_params: Vec<(String, Value)>,
}

impl Default for ListTasksProfile {
    fn default() -> Self {
        Self {
            path: "/service/cloud/workflow/tasklist".to_owned(),
            method: Method::Post,
            paging: PagingProfile::default(),
            workflow_param: "workflow_id".to_owned(),
            id_keys: keys(&["task_id", "TaskID"]),
            status_keys: keys(&["status", "Status"]),
            schedule_start_keys: keys(&["schedule_start_time", "ScheduleStartTime"]),
            schedule_end_keys: keys(&["schedule_end_time", "ScheduleEndTime"]),
            call_count_keys: Vec::new(),
            extra_params: Vec::new(),
        }
    }
}

/// The endpoint that returns a whole task.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "RawTaskDetail", into = "RawTaskDetail")]
pub struct TaskDetailProfile {
    /// Path below the base URL.
    pub path: String,
    pub method: Method,
    /// Name of the parameter for the task.
    pub task_param: String,
    /// Parameters sent unchanged with every request.
    pub extra_params: Vec<(String, Value)>,
}

impl Default for TaskDetailProfile {
    fn default() -> Self {
        Self {
            path: "/service/cloud/workflow/taskdetail".to_owned(),
            method: Method::Post,
            task_param: "task_id".to_owned(),
            extra_params: Vec::new(),
        }
    }
}

/// Why a profile is invalid.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum ProfileError {
    /// Paging by number and by cursor at once.
    #[error("`cursor_param` excludes `page_param` and `first_page`: a listing has one of them")]
    TwoPagings,
    /// Only one of the two cursor settings.
    #[error("`cursor_param` and `next_cursor` belong together: set both or neither")]
    HalfCursor,
    /// A path without a leading slash.
    #[error("`path` must start with `/`, and `{0}` does not")]
    Path(String),
    /// A pointer without a leading slash.
    #[error("`{key}` takes JSON pointers such as `/data/list`, and `{value}` is none")]
    Pointer { key: &'static str, value: String },
    /// An empty list of keys or an empty name.
    #[error("`{0}` must not be empty")]
    Empty(&'static str),
}

fn keys(names: &[&str]) -> Vec<String> {
    names.iter().map(|&name| name.to_owned()).collect()
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[test]
    fn an_empty_table_is_the_default() {
        let profile: ApiProfile = toml::from_str("").expect("valid");
        assert_eq!(profile, ApiProfile::default());
        let profile: ApiProfile =
            toml::from_str("[list_workflows]\n[list_tasks]\n[task_detail]").expect("valid");
        assert_eq!(profile, ApiProfile::default());
    }

    #[test]
    fn what_is_written_reads_back_the_same() {
        let mut profile = ApiProfile::default();
        profile.list_tasks.paging.style = PagingStyle::Cursor {
            param: "cursor".to_owned(),
            next: "/data/next".to_owned(),
        };
        profile.list_workflows.paging.total = None;
        profile.task_detail.extra_params = vec![("lang".to_owned(), Value::from("en"))];
        let text = toml::to_string(&profile).expect("serializes");
        assert_eq!(
            toml::from_str::<ApiProfile>(&text).expect("valid"),
            profile,
            "{text}"
        );
    }

    #[test]
    fn one_key_changes_one_thing() {
        let profile: ListTasksProfile =
            toml::from_str("cursor_param = 'after'\nnext_cursor = '/data/after'").expect("valid");
        let mut expected = ListTasksProfile::default();
        expected.paging.style = PagingStyle::Cursor {
            param: "after".to_owned(),
            next: "/data/after".to_owned(),
        };
        assert_eq!(profile, expected);
    }

    #[rstest]
    #[case(
        "cursor_param = 'c'\nnext_cursor = '/n'\npage_param = 'p'",
        ProfileError::TwoPagings
    )]
    #[case("cursor_param = 'c'", ProfileError::HalfCursor)]
    #[case("path = 'service'", ProfileError::Path("service".to_owned()))]
    #[case("id_keys = []", ProfileError::Empty("id_keys"))]
    #[case("items = ['data']", ProfileError::Pointer { key: "items", value: "data".to_owned() })]
    fn a_contradiction_is_an_error_that_names_the_key(
        #[case] text: &str,
        #[case] error: ProfileError,
    ) {
        let message = toml::from_str::<ListTasksProfile>(text)
            .expect_err("invalid")
            .to_string();
        assert!(message.contains(&error.to_string()), "{message}");
    }

    #[test]
    fn an_unknown_key_is_an_error() {
        let message = toml::from_str::<ListTasksProfile>("pathh = '/a'").expect_err("invalid");
        assert!(
            message.to_string().contains("unknown field `pathh`"),
            "{message}"
        );
    }

    #[rstest]
    #[case(200, CodeMeaning::Success)]
    #[case(0, CodeMeaning::Refusal)]
    #[case(401, CodeMeaning::Expired)]
    #[case(10705, CodeMeaning::SlowDown)]
    #[case(502, CodeMeaning::Retry)]
    #[case(404, CodeMeaning::NotFound)]
    fn codes_mean_what_the_profile_says(#[case] code: i64, #[case] meaning: CodeMeaning) {
        assert_eq!(ApiProfile::default().meaning(code), meaning);
    }
}
