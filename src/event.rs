//! Events: what happened, as data. The core emits them; listeners (progress bar, log lines, run
//! report) only listen and never affect a decision.
//!
//! Events hold ids, counts and kinds, never a name, a phone number, a transcript or a secret.

use std::sync::Arc;
use std::time::Duration;

use crate::task::{TaskId, WorkflowId};

/// An endpoint of the API, as named in reports.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, serde::Serialize, strum::IntoStaticStr,
)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
#[strum(serialize_all = "snake_case")]
pub enum Endpoint {
    Auth,
    ListWorkflows,
    /// Listing a workflow's tasks.
    ListTasks,
    TaskDetail,
}

impl Endpoint {
    /// The name in settings, messages and reports.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        self.into()
    }
}

#[derive(Clone, Debug)]
pub enum Event {
    /// A request ended. `outcome` is a short stable word: `ok`, `http_503`, `code_10705`,
    /// `connect`, `timeout`, `reset`, `truncated`, `not_json`, `expired`, ….
    Request {
        endpoint: Endpoint,
        outcome: String,
        /// Body bytes received, after decompression.
        bytes: u64,
        /// Time from sending to the last byte.
        elapsed: Duration,
    },
    /// A request waited for the rate or a hold.
    Waited {
        /// The length of the wait.
        time: Duration,
    },
    /// A request will be retried.
    Retry {
        endpoint: Endpoint,
        /// The outcome that causes the retry.
        outcome: String,
        /// Attempts so far.
        attempt: u32,
        /// The backoff before the next attempt.
        wait: Duration,
    },
    /// A request has been pending for a while. Of several such requests one reports, every half
    /// minute.
    Waiting {
        endpoint: Endpoint,
        task: Option<TaskId>,
        /// The workflow whose tasks are listed.
        workflow: Option<WorkflowId>,
        /// Elapsed time of this attempt.
        waited: Duration,
        /// Body bytes so far, after decompression.
        bytes: u64,
        /// Number of this attempt, from 1.
        attempt: u32,
        /// Maximum number of ordinary attempts.
        most_attempts: u32,
        /// Number of other requests that take as long.
        others: u32,
    },
    /// All requests of the account are held (429, `Retry-After`, slow-down codes).
    Held {
        /// Length of the hold from now.
        time: Duration,
    },
    PaceChanged {
        /// The new pace, in requests per second.
        per_second: f64,
    },
    /// One page of a listing arrived.
    Listed {
        endpoint: Endpoint,
        /// Items in the page.
        items: usize,
    },
    /// A listing shifted while it was paged and is repeated.
    Relisted {
        endpoint: Endpoint,
        /// The workflow of a task listing.
        workflow: Option<WorkflowId>,
        reason: String,
    },
    /// The plan is complete.
    Planned {
        /// Tasks that will be pulled.
        pull: u64,
        /// Tasks that are skipped.
        leave: u64,
        /// Counts by reason, in the order of the plan's table.
        reasons: Vec<(&'static str, u64)>,
    },
    Decoded {
        calls: u64,
    },
    /// A task's response is complete and valid; its rows wait for the next commit.
    TaskAccepted {
        task: TaskId,
        /// Number of its calls.
        calls: u64,
    },
    /// A task was pulled but is not final yet: its rows were discarded.
    TaskLeft {
        task: TaskId,
        status: String,
    },
    /// A task was pulled and turned out to precede `tasks.not_before`.
    TaskBefore {
        task: TaskId,
    },
    /// A task failed after all attempts.
    TaskFailed {
        task: TaskId,
        /// The reason, safe to print.
        reason: String,
    },
    /// A record was rejected.
    Rejected {
        /// The task of the record.
        task: TaskId,
        /// The reason, safe to print.
        reason: String,
    },
    /// A commit is durable.
    Committed {
        sequence: u64,
        /// Tasks sealed by it.
        tasks: u64,
        files: u64,
        rows: u64,
        bytes: u64,
    },
    /// Recovery finished or undid an earlier run's work.
    Recovered {
        /// A description for people.
        what: String,
    },
    /// A message for people, safe to print.
    Warning {
        text: String,
    },
}

/// A listener. Must return quickly: it is called synchronously.
pub trait Listen: Send + Sync {
    fn on(&self, event: &Event);
}

/// The event sink of the core: forwards to every listener, in order.
#[derive(Clone, Default)]
pub struct Events {
    listeners: Arc<[Arc<dyn Listen>]>,
}

impl Events {
    /// An event sink with these listeners.
    #[must_use]
    pub fn new(listeners: Vec<Arc<dyn Listen>>) -> Self {
        Self {
            listeners: listeners.into(),
        }
    }

    /// Sends an event to all listeners.
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
