//! What happened, as data. The core emits, listeners (progress bar, log lines, run report) only
//! listen: nothing they do changes a decision.
//!
//! Events hold ids, counts and kinds, never a name, a number, a transcript or a secret.

use std::sync::Arc;
use std::time::Duration;

use crate::task::{TaskId, WorkflowId};

/// An endpoint of the API, as counted in reports.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Endpoint {
    /// Signing in.
    Auth,
    /// Listing workflows.
    ListWorkflows,
    /// Listing a workflow's tasks.
    ListTasks,
    /// One whole task.
    TaskDetail,
}

impl Endpoint {
    /// The name used in settings, messages and reports.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Auth => "auth",
            Self::ListWorkflows => "list_workflows",
            Self::ListTasks => "list_tasks",
            Self::TaskDetail => "task_detail",
        }
    }
}

/// One thing that happened.
#[derive(Clone, Debug)]
pub enum Event {
    /// A request ended. `outcome` is a short stable word: `ok`, `http_503`, `code_10705`,
    /// `connect`, `timeout`, `reset`, `truncated`, `not_json`, `expired`, ….
    Request {
        /// Where to.
        endpoint: Endpoint,
        /// How it ended.
        outcome: String,
        /// Bytes of body received, after decompression.
        bytes: u64,
        /// From sending to the last byte.
        elapsed: Duration,
    },
    /// A request waited for the pace or for a hold.
    Waited {
        /// How long.
        time: Duration,
    },
    /// A request will be repeated.
    Retry {
        /// Where to.
        endpoint: Endpoint,
        /// The outcome that made it necessary.
        outcome: String,
        /// Tries so far.
        attempt: u32,
        /// How long it waits first.
        wait: Duration,
    },
    /// A request is waited for, and has been for a while. Of several one speaks, every half minute.
    Waiting {
        /// Where to.
        endpoint: Endpoint,
        /// For which task.
        task: Option<TaskId>,
        /// For the tasks of which workflow.
        workflow: Option<WorkflowId>,
        /// How long this try has taken so far.
        waited: Duration,
        /// Bytes of body so far, after decompression.
        bytes: u64,
        /// Which try it is, from 1.
        attempt: u32,
        /// Ordinary tries there are, at most.
        most_attempts: u32,
        /// How many other requests take as long.
        others: u32,
    },
    /// All requests of the account are held (429, `Retry-After`, slow-down codes).
    Held {
        /// For how long from now.
        time: Duration,
    },
    /// The pace was changed, in requests per second.
    PaceChanged {
        /// From now on.
        per_second: f64,
    },
    /// One page of a listing arrived.
    Listed {
        /// Which listing.
        endpoint: Endpoint,
        /// Items in the page.
        items: usize,
    },
    /// A listing shifted while it was paged and is taken again.
    Relisted {
        /// Which listing.
        endpoint: Endpoint,
        /// Of which workflow, for a task listing.
        workflow: Option<WorkflowId>,
        /// Why.
        reason: String,
    },
    /// The decision is made.
    Planned {
        /// Tasks that will be pulled.
        pull: u64,
        /// Tasks that are left.
        leave: u64,
        /// Numbers by reason, in the order of the plan's table.
        reasons: Vec<(&'static str, u64)>,
    },
    /// Calls were decoded.
    Decoded {
        /// How many.
        calls: u64,
    },
    /// A task's answer is complete and right; its rows wait for the next commit.
    TaskAccepted {
        /// Which.
        task: TaskId,
        /// Its calls.
        calls: u64,
    },
    /// A task was pulled but is not final yet: its rows were left.
    TaskLeft {
        /// Which.
        task: TaskId,
        /// Its status.
        status: String,
    },
    /// A task was pulled, and is of a day before `tasks.not_before`.
    TaskBefore {
        /// Which.
        task: TaskId,
    },
    /// A task failed after all tries.
    TaskFailed {
        /// Which.
        task: TaskId,
        /// Why, safe to print.
        reason: String,
    },
    /// A record was rejected.
    Rejected {
        /// Of which task.
        task: TaskId,
        /// Why, safe to print.
        reason: String,
    },
    /// A commit is durable.
    Committed {
        /// Its number.
        sequence: u64,
        /// Tasks sealed by it.
        tasks: u64,
        /// Files added.
        files: u64,
        /// Rows added.
        rows: u64,
        /// Bytes added.
        bytes: u64,
    },
    /// What an earlier run left was finished or undone.
    Recovered {
        /// In words, for people.
        what: String,
    },
    /// Something a person should read, safe to print.
    Warning {
        /// The text.
        text: String,
    },
}

/// Somebody who wants to know what happens. Must be quick: it is called where it happens.
pub trait Listen: Send + Sync {
    /// Takes note of one event.
    fn on(&self, event: &Event);
}

/// Where the core sends its events: to every listener, in order.
#[derive(Clone, Default)]
pub struct Events {
    listeners: Arc<[Arc<dyn Listen>]>,
}

impl Events {
    /// Events for these listeners.
    #[must_use]
    pub fn new(listeners: Vec<Arc<dyn Listen>>) -> Self {
        Self {
            listeners: listeners.into(),
        }
    }

    /// Tells all listeners.
    pub fn emit(&self, event: &Event) {
        for listener in self.listeners.iter() {
            listener.on(event);
        }
    }
}

impl std::fmt::Debug for Events {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Events({} listeners)", self.listeners.len())
    }
}
