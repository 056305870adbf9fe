//! Probes what a destination supports: the steps of the commit protocol, once each, in a temporary
//! folder.

use std::path::Path;

use super::backend::{Backend, Store};
use super::blocking::blocking;
use super::error::StoreError;
use super::local;
use super::path::LakePath;
use super::probe_step::{ProbeAction, ProbeStep};
use crate::task::RunId;

impl Store {
    /// Probes everything that a run needs, in `_export/doctor-<run id>/`, and removes what it created,
    /// including the lake's own folders if they did not exist. Steps that depend on one that failed are
    /// skipped.
    ///
    /// # Errors
    /// When the work ends without a result: a bug.
    pub async fn probe(&self, run: &RunId) -> Result<Vec<ProbeStep>, StoreError> {
        let path = LakePath::probe(run);
        match &self.backend {
            Backend::Local(folder) => {
                let folder = folder.locate(&path);
                blocking(move || Ok(local::probe(&folder))).await
            }
            Backend::Object(bucket) => Ok(bucket.probe(&path).await),
        }
    }

    /// The steps of [`Store::probe`] for this store.
    #[must_use]
    pub fn probe_actions(&self) -> &'static [ProbeAction] {
        if self.is_local() {
            &ProbeAction::LOCAL
        } else {
            &ProbeAction::OBJECT
        }
    }

    /// Fails if the store lacks a capability. Called before the first commit of a lake.
    pub(crate) async fn check_able(&self, run: &RunId) -> Result<(), StoreError> {
        for step in self.probe(run).await? {
            step.result?;
        }
        Ok(())
    }

    /// Bytes available to this user where the lake is or will be; `None` if the system does not report
    /// them.
    ///
    /// # Errors
    /// If the system call fails.
    pub async fn free_bytes(&self) -> Result<Option<u64>, StoreError> {
        if !self.is_local() {
            return Ok(None);
        }
        let root = self.root().to_owned();
        blocking(move || free_bytes(&root)).await
    }
}

#[cfg(unix)]
fn free_bytes(root: &Path) -> Result<Option<u64>, StoreError> {
    let there = root.ancestors().find(|ancestor| ancestor.exists());
    let place = there.unwrap_or(Path::new("."));
    let stat = rustix::fs::statvfs(place)
        .map_err(|error| StoreError::io("look at", place)(error.into()))?;
    Ok(Some(stat.f_bavail.saturating_mul(stat.f_frsize)))
}

#[cfg(not(unix))]
fn free_bytes(_root: &Path) -> Result<Option<u64>, StoreError> {
    Ok(None)
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;
    use crate::clock::Clock;
    use crate::job::Destination;

    async fn steps_at(path: &Path) -> Vec<ProbeStep> {
        let store = Store::new(&Destination::Local(path.to_owned())).expect("a folder");
        store.probe(&Clock::system().run_id()).await.expect("steps")
    }

    #[tokio::test]
    async fn a_disk_can_do_it_all_and_keeps_nothing_of_it() {
        let dir = tempfile::tempdir().expect("a folder");
        let lake = dir.path().join("not/yet");
        let steps = steps_at(&lake).await;
        let actions: Vec<_> = steps.iter().map(|step| step.action).collect();
        assert_eq!(actions, ProbeAction::LOCAL);
        assert!(steps.iter().all(|step| step.result.is_ok()), "{steps:?}");
        assert!(!dir.path().join("not").exists());
    }

    #[tokio::test]
    async fn folders_that_were_there_stay() {
        let dir = tempfile::tempdir().expect("a folder");
        let commits = dir.path().join("_export/commits");
        fs::create_dir_all(&commits).expect("folders");
        steps_at(dir.path()).await;
        let left: Vec<_> = fs::read_dir(dir.path().join("_export"))
            .expect("readable")
            .map(|entry| entry.expect("an entry").file_name())
            .collect();
        assert_eq!(left, ["commits"]);
    }

    #[tokio::test]
    async fn a_file_in_place_of_the_folder_ends_the_probe() {
        let dir = tempfile::tempdir().expect("a folder");
        let file = dir.path().join("lake");
        fs::write(&file, "x").expect("written");
        let steps = steps_at(&file).await;
        let [
            ProbeStep {
                action: ProbeAction::CreateFolder,
                result: Err(error),
            },
        ] = &steps[..]
        else {
            panic!("{steps:?}")
        };
        assert!(
            error
                .to_string()
                .contains("a file is where a folder is needed"),
            "{error}"
        );
        assert_eq!(fs::read(&file).expect("still there"), b"x");
    }

    #[tokio::test]
    async fn free_space_is_told_before_there_is_a_lake() {
        let dir = tempfile::tempdir().expect("a folder");
        let dest = Destination::Local(dir.path().join("not/yet"));
        let free = Store::new(&dest).expect("a folder").free_bytes().await;
        assert!(free.expect("told").is_none_or(|bytes| bytes > 0));
    }
}
