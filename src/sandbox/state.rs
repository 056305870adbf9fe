//! What changes while the sandbox runs: time, limits, tokens, faults so far, and counts.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::faults::FaultLog;
use super::limit::TokenBucket;
use super::stats::Tally;
use super::tokens::Tokens;
use crate::clock::Clock;

/// The mutable state.
#[derive(Debug)]
pub(super) struct State {
    pub(super) clock: Clock,
    pub(super) bucket: Option<TokenBucket>,
    pub(super) tokens: Tokens,
    pub(super) faults: FaultLog,
    pub(super) tally: Tally,
}

/// The state, shared by the service and its responses. Cheap to clone.
#[derive(Clone, Debug)]
pub(super) struct Shared(Arc<Mutex<State>>);

impl Shared {
    pub(super) fn new(state: State) -> Self {
        Self(Arc::new(Mutex::new(state)))
    }

    pub(super) fn lock(&self) -> MutexGuard<'_, State> {
        // Counts remain valid after a panic elsewhere.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
