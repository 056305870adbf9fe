//! A request whose response is not complete, for the counts of requests in flight and of complete
//! details.

use super::state::Shared;

/// A request whose response is not complete. It ends when it is dropped.
#[derive(Debug)]
pub(super) struct InFlight {
    state: Shared,
    detail_of: Option<String>,
}

impl InFlight {
    /// A request that was counted as begun.
    pub(super) fn new(state: Shared) -> Self {
        Self {
            state,
            detail_of: None,
        }
    }

    /// Says whose detail the response is, if it is one.
    pub(super) fn answers(&mut self, task: Option<&str>) {
        self.detail_of = task.map(str::to_owned);
    }

    /// Records that the response was sent completely.
    pub(super) fn complete(self) {
        if let Some(task) = &self.detail_of {
            self.state.lock().tally.detail_complete(task);
        }
    }
}

impl Drop for InFlight {
    fn drop(&mut self) {
        self.state.lock().tally.end();
    }
}
