//! The reports of past runs, as far as the page needs them.

use std::collections::BTreeMap;

use serde::Deserialize;

use crate::lake::{FileCounts, LakeError};
use crate::report::past::{PastRun, past_reports};
use crate::store::Store;

/// A past run with its figures. Reports of other versions may lack fields; missing fields are empty.
#[derive(Clone, Debug, Deserialize)]
pub struct ReportedRun {
    /// What `status` shows of it.
    #[serde(flatten)]
    pub(super) past: PastRun,
    /// What it committed, by table.
    #[serde(default)]
    pub(super) written: BTreeMap<String, FileCounts>,
    /// Values that did not fit.
    #[serde(default)]
    pub(super) misfits: Vec<ReportedMisfit>,
    /// Its requests to the API.
    #[serde(default)]
    pub(super) requests: ReportedRequests,
}

impl AsRef<PastRun> for ReportedRun {
    fn as_ref(&self) -> &PastRun {
        &self.past
    }
}

/// Values of one key that did not fit.
#[derive(Clone, Debug, Deserialize)]
pub(super) struct ReportedMisfit {
    pub(super) table: String,
    pub(super) key: String,
    pub(super) kind: String,
    pub(super) count: u64,
}

/// The requests of a run.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct ReportedRequests {
    pub(super) total: u64,
    pub(super) bytes_received: u64,
    pub(super) retries: u64,
    pub(super) waited_seconds: f64,
    pub(super) holds: u64,
    pub(super) held_seconds: f64,
    pub(super) by_endpoint: BTreeMap<String, ReportedEndpoint>,
}

/// The requests to one endpoint.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct ReportedEndpoint {
    pub(super) requests: u64,
    pub(super) outcomes: BTreeMap<String, u64>,
    pub(super) bytes: u64,
    pub(super) elapsed_seconds: f64,
    pub(super) slowest_seconds: f64,
}

impl ReportedRequests {
    /// Requests that succeeded.
    pub(super) fn ok(&self) -> u64 {
        let endpoints = self.by_endpoint.values();
        let ok = endpoints.filter_map(|endpoint| endpoint.outcomes.get("ok"));
        ok.fold(0, |sum, times| sum.saturating_add(*times))
    }

    /// Requests that did not.
    pub(super) fn not_ok(&self) -> u64 {
        self.total.saturating_sub(self.ok())
    }
}

impl ReportedRun {
    /// How many values did not fit.
    pub(super) fn misfit_count(&self) -> u64 {
        let counts = self.misfits.iter().map(|misfit| misfit.count);
        counts.fold(0, u64::saturating_add)
    }

    /// The view of the run that `status` has.
    #[must_use]
    pub fn past(&self) -> &PastRun {
        &self.past
    }
}

/// The newest runs with a report, newest first. Reads at most a few reports more than it returns.
///
/// # Errors
///
/// When the lake can't be read.
pub async fn reported_runs(store: &Store, most: usize) -> Result<Vec<ReportedRun>, LakeError> {
    past_reports(store, most).await
}
