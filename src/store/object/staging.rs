//! The runs' folders in a bucket, by the objects of their runs.

use std::collections::BTreeMap;

use super::bucket::Bucket;
use super::heartbeat::{ALIVE, is_of_run};
use crate::store::entry::InStaging;
use crate::store::error::StoreError;
use crate::store::path::{LakePath, is_run_id};

impl Bucket {
    /// The runs' folders, by the objects in them.
    pub(in crate::store) async fn in_staging(&self) -> Result<InStaging, StoreError> {
        let staging = LakePath::staging();
        // By folder, whether it holds an object of a run. An empty folder, which some object stores
        // keep and list, belongs to no run.
        let mut folders = BTreeMap::<String, bool>::new();
        for path in self.list_files(&staging).await? {
            let within = path.as_str().strip_prefix(staging.as_str());
            let within = within.and_then(|within| within.strip_prefix('/'));
            if let Some((run, name)) = within.and_then(|within| within.split_once('/')) {
                *folders.entry(run.to_owned()).or_default() |= is_of_run(name);
            }
        }
        let mut found = InStaging::default();
        for (name, is_of_run) in folders {
            if !is_run_id(&name) {
                let path = staging.join(&name);
                found.foreign.push((path, "its name is no run id"));
            } else if is_of_run {
                found.runs.push(name);
            } else {
                let path = staging.join(&name);
                found.foreign.push((path, "nothing in it is a run's"));
            }
        }
        Ok(found)
    }

    /// The sign of the run with this staging folder.
    pub(in crate::store) async fn sign(
        &self,
        staging: &LakePath,
    ) -> Result<Option<Vec<u8>>, StoreError> {
        self.get(&staging.join(ALIVE)).await
    }
}
