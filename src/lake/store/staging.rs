//! The folders of runs in `_export/staging/`, and what else is there.

use std::collections::BTreeMap;

use super::object::ALIVE;
use super::{Kind, Store, blocking, local};
use crate::lake::error::LakeError;
use crate::lake::path::{LakePath, is_run_id};

/// What is in `_export/staging/`, sorted.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(in crate::lake) struct InStaging {
    /// The runs that have something staged, or that live.
    pub(in crate::lake) runs: Vec<String>,
    /// What is no run's, each with the reason. Nobody touches it.
    pub(in crate::lake) foreign: Vec<(LakePath, &'static str)>,
}

impl Store {
    /// The runs that have something staged, or that live. What is no run's is left out.
    pub(in crate::lake) async fn staging_runs(&self) -> Result<Vec<String>, LakeError> {
        Ok(self.in_staging().await?.runs)
    }

    /// Looks at all that is in `_export/staging/`, which may be a link itself: administrators put it
    /// on another disk. What is behind it goes by the same rules.
    pub(in crate::lake) async fn in_staging(&self) -> Result<InStaging, LakeError> {
        match &self.kind {
            Kind::Local => self.in_local_staging().await,
            Kind::Object(_) => self.in_object_staging().await,
        }
    }

    async fn in_local_staging(&self) -> Result<InStaging, LakeError> {
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

    async fn in_object_staging(&self) -> Result<InStaging, LakeError> {
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
}

/// Whether an object in a run's staging folder is the run's: its sign of life, or a note of uploads.
pub(super) fn is_of_run(name: &str) -> bool {
    let note = name.strip_suffix(".json").unwrap_or_default();
    name == ALIVE || (note.len() >= 6 && note.bytes().all(|byte| byte.is_ascii_digit()))
}
