//! Reads the reports of past runs, as far as `status` needs them.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::lake::LakeError;
use crate::store::{LakePath, Store};
use crate::task::RunId;

/// A past run. Reports of other versions may lack fields; missing fields are empty.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct PastRun {
    pub run_id: RunId,
    /// Name of the command: `run`, `backfill` or `replay`.
    #[serde(default)]
    pub command: String,
    #[serde(default)]
    pub started_at: Option<DateTime<Utc>>,
    #[serde(default)]
    pub ended_at: Option<DateTime<Utc>>,
    /// Its outcome, as one word.
    #[serde(default)]
    pub outcome: String,
    #[serde(default)]
    pub exit_code: Option<u8>,
    /// Why it stopped before its plan was done.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stopped: Option<PastStop>,
    #[serde(default)]
    pub tasks: BTreeMap<String, u64>,
    /// Records that were rejected.
    #[serde(default)]
    pub rejects: u64,
    /// Whether it listed the account. Reports of earlier versions do not contain this; most of
    /// their runs did.
    #[serde(default = "yes", skip_serializing)]
    pub listed: bool,
    /// Whether its listings were complete. Missing if it listed nothing.
    #[serde(default)]
    pub listing_complete: Option<bool>,
    /// Workflows whose tasks it could not list.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub failed_workflows: Vec<PastWorkflow>,
    /// Values in the listings that it did not understand.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub not_understood: Vec<PastNotUnderstood>,
}

/// Why a past run stopped.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct PastStop {
    /// As one word: `interrupted`, `terminated`, `api`, `destination`.
    pub why: String,
    /// As text, if available.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub detail: Option<String>,
}

impl PastStop {
    /// The reason as a complete sentence.
    pub(super) fn reason(&self) -> Option<String> {
        let detail = self.detail.as_ref()?;
        // The lake's message continues the sentence.
        let lead = if self.why == "destination" {
            "failed to "
        } else {
            ""
        };
        Some(format!("{lead}{detail}"))
    }
}

/// A workflow whose tasks a past run could not list.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct PastWorkflow {
    pub workflow_id: String,
    pub reason: String,
}

/// A value in the listings that a past run did not understand.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct PastNotUnderstood {
    pub endpoint: String,
    /// The place, as a setting of the API profile.
    pub key: String,
    pub shape: String,
    pub count: u64,
}

fn yes() -> bool {
    true
}

impl PastRun {
    /// Number of tasks with this outcome.
    pub(super) fn tasks(&self, outcome: &str) -> u64 {
        self.tasks.get(outcome).copied().unwrap_or_default()
    }
}

/// Number of past runs that a status is made of: listings that one of them could not read or understand
/// may still keep days from being complete.
pub const STATUS_RUNS: usize = 40;

/// Additional reports to read, because runs may have started in the same second.
const SAME_SECOND: usize = 8;

/// Reports read concurrently: on a remote store most of the time is latency.
const READ_AHEAD: usize = 8;

/// The newest runs with a report, newest first. Files that are not reports are skipped.
///
/// # Errors
///
/// When the lake can't be read.
pub async fn past_runs(store: &Store, most: usize) -> Result<Vec<PastRun>, LakeError> {
    past_reports(store, most).await
}

impl AsRef<Self> for PastRun {
    fn as_ref(&self) -> &Self {
        self
    }
}

/// The newest reports, read as a type that holds a [`PastRun`] and more, newest first.
///
/// # Errors
///
/// When the lake can't be read.
pub(super) async fn past_reports<T>(store: &Store, most: usize) -> Result<Vec<T>, LakeError>
where
    T: DeserializeOwned + AsRef<PastRun>,
{
    let entries = store.list(&LakePath::runs()).await?.into_iter();
    // Sorted by name, and run ids sort by time.
    let ids = entries.rev().filter_map(|entry| {
        let id = RunId::new(entry.name.strip_suffix(".json")?).ok()?;
        (!entry.is_folder).then_some(id)
    });
    let read = |id: RunId| async move {
        let bytes = store.get(&LakePath::run_report(&id)).await?;
        let run = bytes.and_then(|bytes| serde_json::from_slice::<T>(&bytes).ok());
        Ok::<_, LakeError>(run.filter(|run| run.as_ref().run_id == id))
    };
    let read = stream::iter(ids).map(read).buffered(READ_AHEAD);
    let found = read.try_filter_map(|run| async { Ok(run) });
    let mut runs: Vec<T> = found.take(most + SAME_SECOND).try_collect().await?;
    // Run ids of the same second sort randomly.
    runs.sort_by_key(|run| {
        let run = run.as_ref();
        std::cmp::Reverse((run.started_at, run.run_id.as_str().to_owned()))
    });
    runs.truncate(most);
    Ok(runs)
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;
    use crate::job::Destination;

    #[tokio::test]
    async fn the_newest_come_first_and_what_is_no_report_is_passed_over() {
        let folder = tempfile::tempdir().expect("a folder");
        let runs = folder.path().join("_export/runs");
        let store = Store::new(&Destination::Local(folder.path().to_owned())).expect("local");
        assert_eq!(past_runs(&store, 5).await.expect("read"), []);
        fs::create_dir_all(runs.join("folder.json")).expect("made");
        for day in 10..18 {
            let text = format!(r#"{{"run_id": "202403{day}", "rejects": {day}, "new": 1}}"#);
            fs::write(runs.join(format!("202403{day}.json")), text).expect("written");
        }
        for (name, text) in [
            ("20240399.json", "half a fi"),
            ("20240398.json", r#"{"run_id": "another"}"#),
            ("readme.txt", ""),
        ] {
            fs::write(runs.join(name), text).expect("written");
        }
        let found = past_runs(&store, 2).await.expect("read");
        let ids: Vec<_> = found.iter().map(|run| run.run_id.as_str()).collect();
        assert_eq!(ids, ["20240317", "20240316"]);
        assert_eq!((found[0].rejects, found[0].tasks("failed")), (17, 0));
    }
}
