//! Request statistics of the sandbox, for tests and rehearsals.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use tokio::time::Instant;

use super::endpoint::Endpoint;
use super::faults::FaultKind;

/// The statistics so far; `GET /_sandbox/stats` returns a [`Summary`](Self::summary).
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct SandboxStats {
    /// Requests by endpoint, including rejected ones.
    pub requests: BTreeMap<Endpoint, u64>,
    /// Requests beyond the rate limit.
    pub rate_violations: u64,
    /// Requests whose response is not complete yet.
    pub in_flight: u64,
    /// The maximum of `in_flight`.
    pub max_in_flight: u64,
    /// Number of distinct tokens issued.
    pub tokens_issued: u64,
    /// Requests rejected for an invalid or missing token.
    pub unauthorized: u64,
    /// Faults by kind. A quirk counts each time it is shown.
    pub faults: BTreeMap<FaultKind, u64>,
    /// Detail requests by task id, including failed ones.
    #[serde(skip)]
    pub details: BTreeMap<String, u64>,
    /// Detail responses sent completely, by task id.
    #[serde(skip)]
    pub details_complete: BTreeMap<String, u64>,
    /// Seconds from the first request to the latest. With the number of requests it gives the
    /// utilization of the rate limit.
    pub busy_seconds: f64,
}

impl SandboxStats {
    /// Requests to all endpoints.
    #[must_use]
    pub fn total_requests(&self) -> u64 {
        self.requests.values().sum()
    }

    /// The statistics without the counters per task.
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

/// The body of `GET /_sandbox/stats`. `GET /_sandbox/details` has the counts per task.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct SandboxSummary {
    /// All statistics except those per task.
    #[serde(flatten)]
    pub stats: SandboxStats,
    /// Detail requests, including failed ones.
    pub details_requested: DetailCounts,
    /// Detail responses sent completely.
    pub details_completed: DetailCounts,
}

/// Totals over many tasks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct DetailCounts {
    /// Number of distinct tasks.
    pub tasks: u64,
    /// Sum over all tasks.
    pub times: u64,
    /// Maximum of one task.
    pub most: u64,
}

/// The running counters.
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

    /// Counts 0, 1, 2, … per name, for forms that alternate.
    pub(super) fn turn(&mut self, name: &'static str) -> u64 {
        let turn = self.turns.entry(name).or_default();
        *turn += 1;
        *turn - 1
    }
}
