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
    /// Stops the run, and shortens all waits of this process for the locks of lakes. The first reason
    /// wins.
    pub fn stop(&self, why: Stop) {
        self.tell(why);
        crate::lake::stop_waiting();
    }

    /// Stops the run, and changes nothing else in this process.
    pub(super) fn tell(&self, why: Stop) {
        let _ = self.why.set(why);
        self.token.cancel();
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

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn every_clone_is_stopped_and_the_first_reason_stays() {
        let stop = StopSwitch::default();
        let (clone, token) = (stop.clone(), stop.token());
        assert!(!clone.is_stopped() && !token.is_cancelled());
        assert_eq!(clone.why(), None);
        stop.tell(Stop::Terminated);
        clone.tell(Stop::Interrupted);
        token.cancelled().await;
        assert!(stop.is_stopped() && clone.is_stopped());
        assert_eq!(
            (stop.why(), clone.why()),
            (Some(Stop::Terminated), Some(Stop::Terminated))
        );
        assert!(stop.token().is_cancelled(), "one that is asked for later");
        assert!(!StopSwitch::default().is_stopped(), "a switch of its own");
    }

    #[test]
    fn a_report_says_why_in_a_word() {
        let json = |stop: Stop| serde_json::to_value(stop).expect("JSON");
        assert_eq!(
            json(Stop::Interrupted),
            serde_json::json!({"why": "interrupted"})
        );
        assert_eq!(
            json(Stop::Api("it is down".to_owned())),
            serde_json::json!({"why": "api", "detail": "it is down"})
        );
    }
}
