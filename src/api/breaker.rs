//! Notices that the API is down, so that nobody repeats requests to it for hours.
//!
//! Requests that failed after all their tries are counted, one after the other; an answer of the API
//! itself, good or bad, sets the count back. After [`FAILURES_IN_A_ROW`] of them the breaker is open:
//! requests that wait for another try end with the failure that they have, and new ones get a single
//! try each, which closes it again if the API answers.

use tokio::sync::watch;

/// This many requests failing one after the other, and no answer of the API between them, mean that
/// it is down.
pub(crate) const FAILURES_IN_A_ROW: u32 = 20;

/// The state, shared by all requests of an account.
#[derive(Debug)]
pub(crate) struct Breaker {
    state: watch::Sender<State>,
}

#[derive(Clone, Copy, Debug, Default)]
struct State {
    in_a_row: u32,
    /// Told by somebody who stops for a reason of his own.
    told: bool,
}

impl State {
    fn is_open(self) -> bool {
        self.told || self.in_a_row >= FAILURES_IN_A_ROW
    }
}

impl Breaker {
    pub(crate) fn new() -> Self {
        Self {
            state: watch::Sender::new(State::default()),
        }
    }

    /// A request failed after all its tries, without a word of the API.
    pub(crate) fn failed(&self) {
        self.change(|state| state.in_a_row = state.in_a_row.saturating_add(1));
    }

    /// The API answered.
    pub(crate) fn answered(&self) {
        if self.state.borrow().in_a_row > 0 {
            self.change(|state| state.in_a_row = 0);
        }
    }

    /// Opens it for good: whoever asks has given up.
    pub(crate) fn open(&self) {
        self.change(|state| state.told = true);
    }

    /// Whether requests get no other try.
    pub(crate) fn is_open(&self) -> bool {
        self.state.borrow().is_open()
    }

    /// Waits until it is open.
    pub(crate) async fn opened(&self) {
        let mut state = self.state.subscribe();
        // The sender lives as long as this future does.
        let _ = state.wait_for(|state| state.is_open()).await;
    }

    fn change(&self, change: impl FnOnce(&mut State)) {
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
    async fn whoever_waits_hears_of_it() {
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
