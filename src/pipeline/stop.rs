//! Tells a run to stop, once, on a signal. Complete tasks are then committed.

use std::sync::{Arc, OnceLock};

use serde::Serialize;
use tokio_util::sync::CancellationToken;

/// Why a run stopped before its plan was done.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case", tag = "why", content = "detail")]
pub enum Stop {
    /// A person pressed Ctrl-C (SIGINT).
    Interrupted,
    /// The system or a scheduler sent SIGTERM.
    Terminated,
    /// The API does not answer any more, or not as it should; in words.
    Api(String),
    /// The destination failed, so that what was accepted last is not committed, or not published; in
    /// words.
    Destination(String),
}

/// Tells a run to stop, with a reason. Cheap to clone.
#[derive(Clone, Debug, Default)]
pub struct StopSwitch {
    token: CancellationToken,
    why: Arc<OnceLock<Stop>>,
}

impl StopSwitch {
    /// Stops the run. The first reason wins.
    pub fn stop(&self, why: Stop) {
        let _ = self.why.set(why);
        self.token.cancel();
        crate::lake::stop_waiting();
    }

    /// Cancelled when the run stops.
    #[must_use]
    pub fn token(&self) -> CancellationToken {
        self.token.clone()
    }

    /// The reason, if the run was stopped.
    #[must_use]
    pub fn why(&self) -> Option<Stop> {
        self.why.get().cloned()
    }

    /// Whether it was stopped.
    #[must_use]
    pub fn is_stopped(&self) -> bool {
        self.token.is_cancelled()
    }
}
