//! A circuit breaker that stops retries while the API is down.
//!
//! It counts consecutive requests that failed after all attempts; any response of the API itself,
//! success or error, resets the count. After [`FAILURES_IN_A_ROW`] failures the breaker opens:
//! requests that wait for a retry end with the failure they have, and each new request gets a
//! single attempt. A response from the API closes the breaker.

use tokio::sync::watch;

/// The breaker opens after this many consecutive failed requests without a response from the API.
pub(crate) const FAILURES_IN_A_ROW: u32 = 20;

/// Breaker state, shared by all requests of an account.
#[derive(Debug)]
pub(crate) struct Breaker {
    state: watch::Sender<BreakerState>,
}

#[derive(Clone, Copy, Debug, Default)]
struct BreakerState {
    in_a_row: u32,
    /// Opened explicitly by a caller that stops the run.
    told: bool,
}

impl BreakerState {
    fn is_open(self) -> bool {
        self.told || self.in_a_row >= FAILURES_IN_A_ROW
    }
}

impl Breaker {
    pub(crate) fn new() -> Self {
        Self {
            state: watch::Sender::new(BreakerState::default()),
        }
    }

    /// Records a request that failed after all attempts without a response from the API.
    pub(crate) fn failed(&self) {
        self.change(|state| state.in_a_row = state.in_a_row.saturating_add(1));
    }

    /// Records a response from the API.
    pub(crate) fn answered(&self) {
        if self.state.borrow().in_a_row > 0 {
            self.change(|state| state.in_a_row = 0);
        }
    }

    /// Opens the breaker permanently, for a caller that stops the run.
    pub(crate) fn open(&self) {
        self.change(|state| state.told = true);
    }

    /// Whether retries are disabled.
    pub(crate) fn is_open(&self) -> bool {
        self.state.borrow().is_open()
    }

    /// Waits until the breaker opens.
    pub(crate) async fn opened(&self) {
        let mut state = self.state.subscribe();
        // The sender outlives this future.
        let _ = state.wait_for(|state| state.is_open()).await;
    }

    fn change(&self, change: impl FnOnce(&mut BreakerState)) {
        self.state.send_if_modified(|state| {
            let before = state.is_open();
            change(state);
            state.is_open() != before
        });
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn twenty_failures_in_a_row_open_it_and_an_answer_closes_it() {
        let breaker = Breaker::new();
        for _ in 1..FAILURES_IN_A_ROW {
            breaker.failed();
        }
        assert!(!breaker.is_open());
        breaker.answered();
        breaker.failed();
        assert!(!breaker.is_open());
        for _ in 1..FAILURES_IN_A_ROW {
            breaker.failed();
        }
        assert!(breaker.is_open());
        breaker.answered();
        assert!(!breaker.is_open());
    }

    #[tokio::test(start_paused = true)]
    async fn waiting_requests_learn_of_it() {
        let breaker = Breaker::new();
        let hour = Duration::from_hours(1);
        let waiting = tokio::time::timeout(hour, breaker.opened());
        let opening = async {
            tokio::time::sleep(Duration::from_secs(1)).await;
            breaker.open();
            breaker.answered();
        };
        let (waited, ()) = tokio::join!(waiting, opening);
        assert!(waited.is_ok() && breaker.is_open());
    }
}
