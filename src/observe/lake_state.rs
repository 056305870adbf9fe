//! The state of the lake after a run, as `status` shows it.

use std::time::Duration;

use chrono::{DateTime, Utc};
use serde_json::Value;
use tokio::time::timeout;

use super::LIMIT;
use crate::job::Job;
use crate::lake::{Lake, LakeError};
use crate::report::{PastRun, STATUS_RUNS, StatusOptions, StatusReport, past_runs};

/// The age from which a day that is not complete is a problem, as `status --check` has it.
const MAX_AGE: Duration = Duration::from_hours(26);

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
        let options = StatusOptions {
            now,
            not_before: job.discover.not_before,
        };
        let report = StatusReport::new(&lake, runs.clone(), lake.unpublished().await?, options);
        let json = |bytes: Vec<u8>| serde_json::from_slice(&bytes).unwrap_or_default();
        Ok(Self {
            check: json(report.check(now, MAX_AGE).to_json()),
            status: json(report.to_json()),
            runs,
        })
    }
}
