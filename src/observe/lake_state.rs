//! The state of the lake after a run, as `status` shows it.

use chrono::{DateTime, Utc};
use serde_json::Value;
use tokio::time::timeout;

use super::delivery::LIMIT;
use crate::job::Job;
use crate::lake::{Lake, LakeError};
use crate::report::{PastRun, STATUS_RUNS, StatusReport, max_age, past_runs};

/// The state of a lake.
#[derive(Debug)]
pub(super) struct LakeState {
    /// What `status --format json` prints.
    pub(super) status: Value,
    /// What `status --check --format json` prints.
    pub(super) check: Value,
    /// The newest runs, newest first.
    pub(super) runs: Vec<PastRun>,
}

impl LakeState {
    /// Reads the state; `None` if the lake can't be read, or not in time.
    pub(super) async fn look(job: &Job, now: DateTime<Utc>) -> Option<Self> {
        match timeout(LIMIT, Self::read(job, now)).await {
            Ok(Ok(state)) => Some(state),
            Ok(Err(error)) => {
                tracing::debug!(name: "lake_not_read", %error, "metrics of the lake are left out");
                None
            }
            Err(_) => {
                tracing::debug!(name: "lake_not_read", "metrics of the lake are left out: too slow");
                None
            }
        }
    }

    async fn read(job: &Job, now: DateTime<Utc>) -> Result<Self, LakeError> {
        let lake = Lake::open(&job.dest).await?;
        let runs = past_runs(lake.store(), STATUS_RUNS).await?;
        let report = StatusReport::read(&lake, runs.clone(), job, now).await?;
        let json = |bytes: Vec<u8>| serde_json::from_slice(&bytes).unwrap_or_default();
        Ok(Self {
            check: json(report.check(now, max_age()).to_json()),
            status: json(report.to_json()),
            runs,
        })
    }
}
