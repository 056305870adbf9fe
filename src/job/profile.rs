//! The API profile: what is assumed of an account's endpoints, changeable without a rebuild.
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
//! What this module never does: guess. A profile that contradicts itself is an error.

use std::num::NonZeroU32;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// What is assumed of an account's endpoints: the API profile. See `docs/job-file.md`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ApiProfile {
    /// `POST /service/cloud/auth`.
    pub auth_path: String,
    /// "Obtain the Workflow Task List": everything but its method is an assumption.
    pub list_workflows: ListWorkflowsProfile,
    /// The outbound tasks of a workflow: everything but path and method is an assumption.
    pub list_tasks: ListTasksProfile,
    /// The one endpoint whose documentation is public.
    pub task_detail: TaskDetailProfile,
    /// Body codes that mean success. Default 200 alone.
    pub success_codes: Vec<i64>,
    /// Body codes that mean an expired token. Default 401.
    pub expired_codes: Vec<i64>,
    /// Body codes that mean "slow down". Default 10705 and 429.
    pub slow_down_codes: Vec<i64>,
    /// Body codes that are worth another try. Default 500, 502, 503, 504.
    pub retry_codes: Vec<i64>,
    /// Body codes that mean the task is not there (any more). Default 404.
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

/// What a body code says, by the profile.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CodeMeaning {
    /// The answer is what was asked for.
    Success,
    /// The token is no longer valid.
    Expired,
    /// Too many requests.
    SlowDown,
    /// Worth another try.
    Retry,
    /// Not there (any more).
    NotFound,
    /// Any other code: a refusal that another try does not change.
    Refusal,
}

impl ApiProfile {
    /// What a body code says. Success is looked for first, then the others in the order of
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

/// A request's verb.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum Method {
    /// Parameters go into the query.
    #[serde(alias = "get")]
    Get,
    /// Parameters go into a JSON body.
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
    /// `data: null` is an empty page. Default no: it is a broken answer, asked for again.
    pub null_is_empty: bool,
    /// A listing longer than this fails loudly.
    pub max_pages: NonZeroU32,
    /// How often a listing that shifted is taken again.
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
    /// The answer says how to ask for the next page.
    Cursor {
        /// Name of the parameter.
        param: String,
        /// JSON pointer to the next cursor; empty, null or missing ends the listing.
        next: String,
    },
}

/// How a moment is written in a parameter.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TimeFormat {
    /// `2024-03-11T00:00:00Z`.
    Rfc3339,
    /// Seconds since 1970.
    EpochSeconds,
    /// Milliseconds since 1970.
    EpochMillis,
    /// `2024-03-11`, in UTC: the start rounded down and the end up, never a narrower window.
    Date,
}

/// The call that lists workflows.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "RawListWorkflows", into = "RawListWorkflows")]
pub struct ListWorkflowsProfile {
    /// Path below the base URL.
    pub path: String,
    /// Verb.
    pub method: Method,
    /// Paging.
    pub paging: PagingProfile,
    /// Name of the parameter for the window's start (included).
    pub start_param: String,
    /// Name of the parameter for the window's end (excluded).
    pub end_param: String,
    /// How both are written.
    pub time_format: TimeFormat,
    /// Keys of an item's workflow id, first found wins. A key that starts with `/` is a JSON
    /// pointer into the item; others also match in another case and without underscores.
    pub id_keys: Vec<String>,
    /// Parameters sent with every request, as they are.
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

/// The call that lists a workflow's tasks.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "RawListTasks", into = "RawListTasks")]
pub struct ListTasksProfile {
    /// Path below the base URL.
    pub path: String,
    /// Verb.
    pub method: Method,
    /// Paging.
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
    /// Parameters sent with every request, as they are.
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
            extra_params: Vec::new(),
        }
    }
}

/// The call that answers with a whole task.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "RawTaskDetail", into = "RawTaskDetail")]
pub struct TaskDetailProfile {
    /// Path below the base URL.
    pub path: String,
    /// Verb.
    pub method: Method,
    /// Name of the parameter for the task.
    pub task_param: String,
    /// Parameters sent with every request, as they are.
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

/// Why a profile makes no sense.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum ProfileError {
    /// Pages by number and by cursor at once.
    #[error("`cursor_param` excludes `page_param` and `first_page`: a listing has one of them")]
    TwoPagings,
    /// Half a cursor.
    #[error("`cursor_param` and `next_cursor` belong together: set both or neither")]
    HalfCursor,
    /// A path without its slash.
    #[error("`path` must start with `/`, and `{0}` does not")]
    Path(String),
    /// A pointer without its slash.
    #[error("`{key}` takes JSON pointers such as `/data/list`, and `{value}` is none")]
    Pointer {
        /// The setting.
        key: &'static str,
        /// What it says.
        value: String,
    },
    /// A list of keys or a name that must not be empty.
    #[error("`{0}` must not be empty")]
    Empty(&'static str),
}

/// The keys of `[api.list_workflows]`, unvalidated.
#[derive(Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct RawListWorkflows {
    path: String,
    method: Method,
    #[serde(skip_serializing_if = "Option::is_none")]
    page_param: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    first_page: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    cursor_param: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    next_cursor: Option<String>,
    page_size_param: String,
    items: Vec<String>,
    total: String,
    null_is_empty: bool,
    max_pages: NonZeroU32,
    max_relists: u32,
    start_param: String,
    end_param: String,
    time_format: TimeFormat,
    id_keys: Vec<String>,
    extra_params: Map<String, Value>,
}

/// The keys of `[api.list_tasks]`, unvalidated.
#[derive(Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct RawListTasks {
    path: String,
    method: Method,
    #[serde(skip_serializing_if = "Option::is_none")]
    page_param: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    first_page: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    cursor_param: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    next_cursor: Option<String>,
    page_size_param: String,
    items: Vec<String>,
    total: String,
    null_is_empty: bool,
    max_pages: NonZeroU32,
    max_relists: u32,
    workflow_param: String,
    id_keys: Vec<String>,
    status_keys: Vec<String>,
    schedule_start_keys: Vec<String>,
    schedule_end_keys: Vec<String>,
    extra_params: Map<String, Value>,
}

/// The keys of `[api.task_detail]`, unvalidated.
#[derive(Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct RawTaskDetail {
    path: String,
    method: Method,
    task_param: String,
    extra_params: Map<String, Value>,
}

/// The paging keys both listings have. (`serde(flatten)` would lose `deny_unknown_fields`.)
macro_rules! paging_of {
    ($raw:expr) => {
        RawPaging {
            page_param: $raw.page_param,
            first_page: $raw.first_page,
            cursor_param: $raw.cursor_param,
            next_cursor: $raw.next_cursor,
            page_size_param: $raw.page_size_param,
            items: $raw.items,
            total: $raw.total,
            null_is_empty: $raw.null_is_empty,
            max_pages: $raw.max_pages,
            max_relists: $raw.max_relists,
        }
    };
}

struct RawPaging {
    page_param: Option<String>,
    first_page: Option<u32>,
    cursor_param: Option<String>,
    next_cursor: Option<String>,
    page_size_param: String,
    items: Vec<String>,
    total: String,
    null_is_empty: bool,
    max_pages: NonZeroU32,
    max_relists: u32,
}

impl TryFrom<RawPaging> for PagingProfile {
    type Error = ProfileError;

    fn try_from(raw: RawPaging) -> Result<Self, ProfileError> {
        let numbered = raw.page_param.is_some() || raw.first_page.is_some();
        let style = match (raw.cursor_param, raw.next_cursor) {
            (None, None) => PagingStyle::Number {
                param: name(
                    "page_param",
                    raw.page_param.unwrap_or_else(|| "page".to_owned()),
                )?,
                first: raw.first_page.unwrap_or(1),
            },
            (Some(_), Some(_)) if numbered => return Err(ProfileError::TwoPagings),
            (Some(param), Some(next)) => PagingStyle::Cursor {
                param: name("cursor_param", param)?,
                next: pointer("next_cursor", next)?,
            },
            (Some(_), None) | (None, Some(_)) => return Err(ProfileError::HalfCursor),
        };
        let total = if raw.total.is_empty() {
            None
        } else {
            Some(pointer("total", raw.total)?)
        };
        Ok(Self {
            style,
            page_size_param: name("page_size_param", raw.page_size_param)?,
            items: some("items", raw.items)?
                .into_iter()
                .map(|item| pointer("items", item))
                .collect::<Result<_, _>>()?,
            total,
            null_is_empty: raw.null_is_empty,
            max_pages: raw.max_pages,
            max_relists: raw.max_relists,
        })
    }
}

impl From<PagingProfile> for RawPaging {
    fn from(paging: PagingProfile) -> Self {
        let (page_param, first_page, cursor_param, next_cursor) = match paging.style {
            PagingStyle::Number { param, first } => (Some(param), Some(first), None, None),
            PagingStyle::Cursor { param, next } => (None, None, Some(param), Some(next)),
        };
        Self {
            page_param,
            first_page,
            cursor_param,
            next_cursor,
            page_size_param: paging.page_size_param,
            items: paging.items,
            total: paging.total.unwrap_or_default(),
            null_is_empty: paging.null_is_empty,
            max_pages: paging.max_pages,
            max_relists: paging.max_relists,
        }
    }
}

/// The default without its paging style, so that a job file may choose the other one.
impl Default for RawListWorkflows {
    fn default() -> Self {
        Self {
            page_param: None,
            first_page: None,
            ..ListWorkflowsProfile::default().into()
        }
    }
}

/// The default without its paging style, so that a job file may choose the other one.
impl Default for RawListTasks {
    fn default() -> Self {
        Self {
            page_param: None,
            first_page: None,
            ..ListTasksProfile::default().into()
        }
    }
}

impl Default for RawTaskDetail {
    fn default() -> Self {
        TaskDetailProfile::default().into()
    }
}

impl TryFrom<RawListWorkflows> for ListWorkflowsProfile {
    type Error = ProfileError;

    fn try_from(raw: RawListWorkflows) -> Result<Self, ProfileError> {
        Ok(Self {
            path: path(raw.path)?,
            method: raw.method,
            paging: paging_of!(raw).try_into()?,
            start_param: name("start_param", raw.start_param)?,
            end_param: name("end_param", raw.end_param)?,
            time_format: raw.time_format,
            id_keys: some("id_keys", raw.id_keys)?,
            extra_params: raw.extra_params.into_iter().collect(),
        })
    }
}

impl From<ListWorkflowsProfile> for RawListWorkflows {
    fn from(profile: ListWorkflowsProfile) -> Self {
        let paging = RawPaging::from(profile.paging);
        Self {
            path: profile.path,
            method: profile.method,
            page_param: paging.page_param,
            first_page: paging.first_page,
            cursor_param: paging.cursor_param,
            next_cursor: paging.next_cursor,
            page_size_param: paging.page_size_param,
            items: paging.items,
            total: paging.total,
            null_is_empty: paging.null_is_empty,
            max_pages: paging.max_pages,
            max_relists: paging.max_relists,
            start_param: profile.start_param,
            end_param: profile.end_param,
            time_format: profile.time_format,
            id_keys: profile.id_keys,
            extra_params: profile.extra_params.into_iter().collect(),
        }
    }
}

impl TryFrom<RawListTasks> for ListTasksProfile {
    type Error = ProfileError;

    fn try_from(raw: RawListTasks) -> Result<Self, ProfileError> {
        Ok(Self {
            path: path(raw.path)?,
            method: raw.method,
            paging: paging_of!(raw).try_into()?,
            workflow_param: name("workflow_param", raw.workflow_param)?,
            id_keys: some("id_keys", raw.id_keys)?,
            status_keys: raw.status_keys,
            schedule_start_keys: raw.schedule_start_keys,
            schedule_end_keys: raw.schedule_end_keys,
            extra_params: raw.extra_params.into_iter().collect(),
        })
    }
}

impl From<ListTasksProfile> for RawListTasks {
    fn from(profile: ListTasksProfile) -> Self {
        let paging = RawPaging::from(profile.paging);
        Self {
            path: profile.path,
            method: profile.method,
            page_param: paging.page_param,
            first_page: paging.first_page,
            cursor_param: paging.cursor_param,
            next_cursor: paging.next_cursor,
            page_size_param: paging.page_size_param,
            items: paging.items,
            total: paging.total,
            null_is_empty: paging.null_is_empty,
            max_pages: paging.max_pages,
            max_relists: paging.max_relists,
            workflow_param: profile.workflow_param,
            id_keys: profile.id_keys,
            status_keys: profile.status_keys,
            schedule_start_keys: profile.schedule_start_keys,
            schedule_end_keys: profile.schedule_end_keys,
            extra_params: profile.extra_params.into_iter().collect(),
        }
    }
}

impl TryFrom<RawTaskDetail> for TaskDetailProfile {
    type Error = ProfileError;

    fn try_from(raw: RawTaskDetail) -> Result<Self, ProfileError> {
        Ok(Self {
            path: path(raw.path)?,
            method: raw.method,
            task_param: name("task_param", raw.task_param)?,
            extra_params: raw.extra_params.into_iter().collect(),
        })
    }
}

impl From<TaskDetailProfile> for RawTaskDetail {
    fn from(profile: TaskDetailProfile) -> Self {
        Self {
            path: profile.path,
            method: profile.method,
            task_param: profile.task_param,
            extra_params: profile.extra_params.into_iter().collect(),
        }
    }
}

fn keys(names: &[&str]) -> Vec<String> {
    names.iter().map(|&name| name.to_owned()).collect()
}

fn path(path: String) -> Result<String, ProfileError> {
    if path.starts_with('/') {
        Ok(path)
    } else {
        Err(ProfileError::Path(path))
    }
}

fn pointer(key: &'static str, value: String) -> Result<String, ProfileError> {
    if value.starts_with('/') {
        Ok(value)
    } else {
        Err(ProfileError::Pointer { key, value })
    }
}

fn name(key: &'static str, value: String) -> Result<String, ProfileError> {
    if value.is_empty() {
        Err(ProfileError::Empty(key))
    } else {
        Ok(value)
    }
}

fn some(key: &'static str, values: Vec<String>) -> Result<Vec<String>, ProfileError> {
    if values.is_empty() {
        Err(ProfileError::Empty(key))
    } else {
        Ok(values)
    }
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
