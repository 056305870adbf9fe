//! Tells a run to stop, once, on a signal. Complete tasks are then committed.

use std::sync::{Arc, OnceLock};

use tokio_util::sync::CancellationToken;

use super::summary::Stop;

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
