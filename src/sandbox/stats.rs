//! What the sandbox saw: counted for tests and for people who rehearse.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use tokio::time::Instant;

use super::endpoint::Endpoint;
use super::faults::FaultKind;

/// What the sandbox saw so far; `GET /_sandbox/stats` answers with a [`Summary`](Self::summary).
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct SandboxStats {
    /// Requests by endpoint, refused ones included.
    pub requests: BTreeMap<Endpoint, u64>,
    /// Requests beyond the rate limit.
    pub rate_violations: u64,
    /// Requests whose answer is not complete now.
    pub in_flight: u64,
    /// The most of them at any moment.
    pub max_in_flight: u64,
    /// Different tokens given.
    pub tokens_issued: u64,
    /// Requests refused because of their token, or for want of one.
    pub unauthorized: u64,
    /// Faults by kind. What is odd for good is counted each time it is shown.
    pub faults: BTreeMap<FaultKind, u64>,
    /// Detail requests by task id, failed ones included.
    #[serde(skip)]
    pub details: BTreeMap<String, u64>,
    /// Detail answers sent to their right end, by task id.
    #[serde(skip)]
    pub details_complete: BTreeMap<String, u64>,
    /// Seconds from the first request to the latest: with the number of requests it says how much
    /// of the rate limit was used.
    pub busy_seconds: f64,
}

impl SandboxStats {
    /// Requests to all endpoints.
    #[must_use]
    pub fn total_requests(&self) -> u64 {
        self.requests.values().sum()
    }

    /// The same without a counter for each task.
    #[must_use]
    pub fn summary(&self) -> SandboxSummary {
        let of = |counts: &BTreeMap<String, u64>| DetailCounts {
            tasks: counts.len() as u64,
            times: counts.values().sum(),
            most: counts.values().copied().max().unwrap_or_default(),
        };
        SandboxSummary {
            stats: self.clone(),
            details_requested: of(&self.details),
            details_completed: of(&self.details_complete),
        }
    }

    /// Faults of all kinds.
    #[must_use]
    pub fn total_faults(&self) -> u64 {
        self.faults.values().sum()
    }
}

/// What `GET /_sandbox/stats` answers. `GET /_sandbox/details` counts requests task by task.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct SandboxSummary {
    /// Everything but what is counted by task.
    #[serde(flatten)]
    pub stats: SandboxStats,
    /// Detail requests, failed ones included.
    pub details_requested: DetailCounts,
    /// Detail answers sent to their right end.
    pub details_completed: DetailCounts,
}

/// Counts of many tasks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct DetailCounts {
    /// Different tasks.
    pub tasks: u64,
    /// All together.
    pub times: u64,
    /// The most of one task.
    pub most: u64,
}

/// The counters while they run.
#[derive(Debug, Default)]
pub(super) struct Tally {
    pub(super) stats: SandboxStats,
    first: Option<Instant>,
    turns: BTreeMap<&'static str, u64>,
}

impl Tally {
    pub(super) fn begin(&mut self, endpoint: Endpoint, now: Instant) {
        let first = *self.first.get_or_insert(now);
        let stats = &mut self.stats;
        stats.busy_seconds = now.saturating_duration_since(first).as_secs_f64();
        *stats.requests.entry(endpoint).or_default() += 1;
        stats.in_flight += 1;
        stats.max_in_flight = stats.max_in_flight.max(stats.in_flight);
    }

    pub(super) fn end(&mut self) {
        self.stats.in_flight -= 1;
    }

    pub(super) fn detail(&mut self, task_id: &str) {
        *self.stats.details.entry(task_id.to_owned()).or_default() += 1;
    }

    pub(super) fn detail_complete(&mut self, task_id: &str) {
        *self
            .stats
            .details_complete
            .entry(task_id.to_owned())
            .or_default() += 1;
    }

    pub(super) fn fault(&mut self, kind: FaultKind) {
        *self.stats.faults.entry(kind).or_default() += 1;
    }

    /// Counts 0, 1, 2, … by name: for what alternates.
    pub(super) fn turn(&mut self, name: &'static str) -> u64 {
        let turn = self.turns.entry(name).or_default();
        *turn += 1;
        *turn - 1
    }
}
