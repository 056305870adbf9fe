//! The runs' folders in `_export/staging/`, and other entries there.

use std::collections::BTreeMap;

use super::error::StoreError;
use super::object::{ALIVE, is_of_run};
use super::path::{LakePath, is_run_id};
use super::sign::Sign;
use super::{Kind, Store, blocking, local};

/// What is in `_export/staging/`, sorted.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct InStaging {
    /// The runs that have something staged, or that live.
    pub(crate) runs: Vec<String>,
    /// Entries that are not a run's, each with the reason. They are never touched.
    pub(crate) foreign: Vec<(LakePath, &'static str)>,
}

impl Store {
    /// The runs that have something staged, or that live. What is no run's is left out.
    pub(crate) async fn staging_runs(&self) -> Result<Vec<String>, StoreError> {
        Ok(self.in_staging().await?.runs)
    }

    /// Looks at all that is in `_export/staging/`, which may be a link itself: administrators put it
    /// on another disk. What is behind it goes by the same rules.
    pub(crate) async fn in_staging(&self) -> Result<InStaging, StoreError> {
        match &self.kind {
            Kind::Local => self.in_local_staging().await,
            Kind::Object(_) => self.in_object_staging().await,
        }
    }

    async fn in_local_staging(&self) -> Result<InStaging, StoreError> {
        let staging = LakePath::staging();
        let mut found = InStaging::default();
        for entry in self.list(&staging).await? {
            // Of the file system or the desktop, such as `.nfs…` and `.DS_Store`.
            if entry.name.starts_with('.') {
                continue;
            }
            let path = staging.join(&entry.name);
            let folder = self.locate(&path);
            match blocking(move || local::whose(&folder)).await? {
                local::Whose::ARuns => found.runs.push(entry.name),
                local::Whose::Foreign(why) => found.foreign.push((path, why)),
                local::Whose::Gone => {}
            }
        }
        Ok(found)
    }

    async fn in_object_staging(&self) -> Result<InStaging, StoreError> {
        let staging = LakePath::staging();
        // By folder, whether it holds an object of a run. An empty folder, which some object stores
        // keep and list, is none's.
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

    /// What the run that stages here says of itself.
    pub(crate) async fn sign(&self, staging: &LakePath) -> Result<Sign, StoreError> {
        let bytes = match &self.kind {
            Kind::Local => {
                let lock = self.locate(&staging.join(local::LOCK));
                blocking(move || Ok(local::read_sign(&lock))).await?
            }
            Kind::Object(bucket) => bucket.get(&staging.join(ALIVE)).await?,
        };
        let sign = bytes.and_then(|bytes| serde_json::from_slice(&bytes).ok());
        Ok(sign.unwrap_or_default())
    }
}
