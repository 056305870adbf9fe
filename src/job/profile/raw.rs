//! The keys of the job file's `[api.…]` tables as they are written, and their conversion.
//!
//! The tables are flat although the profile is not, and both listings repeat the paging keys:
//! `serde(flatten)` would disable `deny_unknown_fields`.

use std::num::NonZeroU32;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::{
    ListTasksProfile, ListWorkflowsProfile, Method, PagingProfile, PagingStyle, ProfileError,
    TaskDetailProfile, TimeFormat,
};

/// The keys of `[api.list_workflows]`, unvalidated.
#[derive(Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct RawListWorkflows {
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
pub(super) struct RawListTasks {
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
    call_count_keys: Vec<String>,
    extra_params: Map<String, Value>,
}

/// The keys of `[api.task_detail]`, unvalidated.
#[derive(Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct RawTaskDetail {
    path: String,
    method: Method,
    task_param: String,
    extra_params: Map<String, Value>,
}

/// The paging keys common to both listings.
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

/// The default without a paging style, so that a job file may choose either.
impl Default for RawListWorkflows {
    fn default() -> Self {
        Self {
            page_param: None,
            first_page: None,
            ..ListWorkflowsProfile::default().into()
        }
    }
}

/// The default without a paging style, so that a job file may choose either.
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
            call_count_keys: raw.call_count_keys,
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
            call_count_keys: profile.call_count_keys,
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
