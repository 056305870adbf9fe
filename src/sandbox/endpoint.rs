//! The endpoints of the vendor's API, by path.

use serde::{Deserialize, Serialize};

/// An endpoint of the vendor's API.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Endpoint {
    /// `POST /service/cloud/auth`.
    Auth,
    /// `GET /service/cloud/workflow/list`.
    ListWorkflows,
    /// `POST /service/cloud/workflow/tasklist`.
    ListTasks,
    /// `POST /service/cloud/workflow/taskdetail`.
    TaskDetail,
    /// Any other path.
    Unknown,
}

impl Endpoint {
    pub(super) fn of(path: &str) -> Self {
        match path {
            "/service/cloud/auth" => Self::Auth,
            "/service/cloud/workflow/list" => Self::ListWorkflows,
            "/service/cloud/workflow/tasklist" => Self::ListTasks,
            "/service/cloud/workflow/taskdetail" => Self::TaskDetail,
            _ => Self::Unknown,
        }
    }

    /// The name in the statistics.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Auth => "auth",
            Self::ListWorkflows => "list_workflows",
            Self::ListTasks => "list_tasks",
            Self::TaskDetail => "task_detail",
            Self::Unknown => "unknown",
        }
    }
}
