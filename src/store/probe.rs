//! Probes what a destination supports: the steps of the commit protocol, once each, in a temporary
//! folder.
//!
//! A step may fail without a system error: some file systems grant a lock twice, or replace a file
//! where a link should have been refused. Such a step fails, too.

use std::path::{Path, PathBuf};
use std::{fs, io};

use super::error::StoreError;
use super::path::LakePath;
use super::{Backend, Store, blocking, local};
use crate::task::RunId;

/// Something the commit protocol needs of a file system or an object store.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ProbeAction {
    /// Make the folders.
    CreateFolder,
    /// Write a file, sync it and read it back.
    Write,
    /// Give a file a name unless that is taken (a hard link): what makes a commit count.
    CreateOnce,
    /// Move a file to another folder: how files are published.
    Rename,
    /// Sync a folder, so that names survive a power cut.
    SyncFolder,
    /// Lock a file, which shows other processes that a run is alive.
    Lock,
    /// Replace an object unless it has changed (`If-Match`): how the marker and days are kept.
    Update,
    /// Send a multipart upload that is invisible until it is completed later: how files are
    /// published on an object store.
    Upload,
    /// Remove files and folders.
    Remove,
}

impl ProbeAction {
    /// The capabilities that a folder needs, in the order in which they are probed.
    pub const LOCAL: [Self; 7] = [
        Self::CreateFolder,
        Self::Write,
        Self::CreateOnce,
        Self::Rename,
        Self::SyncFolder,
        Self::Lock,
        Self::Remove,
    ];

    /// The capabilities that an object store needs, in the order in which they are probed.
    pub const OBJECT: [Self; 5] = [
        Self::Write,
        Self::CreateOnce,
        Self::Update,
        Self::Upload,
        Self::Remove,
    ];
}

/// The result of one probe.
#[derive(Debug)]
pub struct ProbeStep {
    /// The capability that was probed.
    pub action: ProbeAction,
    /// Whether it succeeded, or why it failed.
    pub result: Result<(), StoreError>,
}

const CONTENT: &[u8] = b"a probe of airudder-export doctor; may be removed\n";

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
                blocking(move || Ok(probe(&folder))).await
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

fn probe(folder: &Path) -> Vec<ProbeStep> {
    let made = missing(folder);
    let mut steps = try_all(folder);
    let begun = steps.iter().any(|step| step.result.is_ok());
    let result = remove(folder, &made);
    if begun || result.is_err() {
        let action = ProbeAction::Remove;
        steps.push(ProbeStep { action, result });
    }
    steps
}

fn try_all(folder: &Path) -> Vec<ProbeStep> {
    let (file, elsewhere) = (folder.join("file"), folder.join("moved"));
    let mut steps = Vec::new();
    let mut step = |action, result: Result<(), StoreError>| {
        let done = result.is_ok();
        steps.push(ProbeStep { action, result });
        done
    };
    if step(ProbeAction::CreateFolder, local::create_folders(&elsewhere))
        && step(ProbeAction::Write, write(&file))
    {
        step(
            ProbeAction::CreateOnce,
            create_once(&file, &folder.join("once")),
        );
        step(ProbeAction::Rename, rename(&file, &elsewhere.join("file")));
        step(ProbeAction::SyncFolder, local::sync_folder(folder));
        step(ProbeAction::Lock, lock(&folder.join(local::LOCK)));
    }
    steps
}

/// The missing parent folders, the deepest first.
fn missing(folder: &Path) -> Vec<PathBuf> {
    folder
        .ancestors()
        .take_while(|ancestor| !ancestor.as_os_str().is_empty() && !ancestor.exists())
        .map(Path::to_owned)
        .collect()
}

fn write(file: &Path) -> Result<(), StoreError> {
    local::write_temporary(file, CONTENT)?;
    match local::read(file)?.as_deref() {
        Some(CONTENT) => Ok(()),
        _ => Err(otherwise("read back", file, "it is not what was written")),
    }
}

/// The files of [`check_links`], named as runs name what they stage: a run that is killed between
/// the two leaves them in its staging folder, and they go with that.
pub(super) const LINKS: [&str; 2] = ["000000.link", "000000.linked"];

/// Fails where the file system does not give a name once, before anything is pulled. FAT, exFAT and
/// some network and FUSE mounts know no hard links. Renaming unless the name is taken
/// (`RENAME_NOREPLACE`) or an exclusive open would be other ways, but on such systems neither is
/// known to leave a whole file or none after a power cut, so they are refused.
pub(super) fn check_links(folder: &Path) -> Result<(), StoreError> {
    let [file, name] = LINKS.map(|name| folder.join(name));
    let try_it = || {
        fs::File::create(&file).map_err(StoreError::io("create", &file))?;
        create_once(&file, &name)
    };
    let tried = try_it();
    for path in [&name, &file] {
        if tried.is_ok() {
            local::remove(path)?;
        } else {
            let _ = local::remove(path);
        }
    }
    tried
}

/// Links the file to the name, then checks that a second attempt fails.
fn create_once(file: &Path, name: &Path) -> Result<(), StoreError> {
    match local::link(file, name) {
        Ok(true) => {}
        // An NFS client that lost the response retries, and then finds the name taken.
        Ok(false) if is_same(file, name) => {}
        Ok(false) => {
            return Err(otherwise(
                "create",
                name,
                "a name that is free counts as taken",
            ));
        }
        Err(StoreError::Io { source, .. }) if source.kind() == io::ErrorKind::PermissionDenied => {
            // FAT and some network file systems return this if they have no links: the file itself
            // could be written.
            return Err(unsupported("create", name, source));
        }
        Err(error) => return Err(error),
    }
    match local::link(file, name) {
        Ok(false) => Ok(()),
        Ok(true) => Err(otherwise(
            "create",
            name,
            "a name that is taken was given again",
        )),
        Err(error) => Err(error),
    }
}

fn is_same(file: &Path, name: &Path) -> bool {
    let file = local::open_regular(file);
    file.is_ok_and(|file| local::is_same_file(&file, name).unwrap_or(false))
}

fn rename(from: &Path, to: &Path) -> Result<(), StoreError> {
    if local::rename(from, to)? && local::size(to)? == Some(CONTENT.len() as u64) {
        Ok(())
    } else {
        Err(otherwise("move a file to", to, "it is not there"))
    }
}

fn lock(path: &Path) -> Result<(), StoreError> {
    let held = local::open_lock(path)?;
    if !local::try_lock(&held, path)? {
        return Err(otherwise("lock", path, "a new file counts as locked"));
    }
    let seen = !local::is_unlocked(path)?;
    drop(held);
    if seen && local::is_unlocked(path)? {
        Ok(())
    } else {
        Err(otherwise("lock", path, "others do not see the lock"))
    }
}

fn remove(folder: &Path, made: &[PathBuf]) -> Result<(), StoreError> {
    match fs::remove_dir_all(folder) {
        Ok(()) => {}
        Err(error) if !folder.exists() => drop(error),
        Err(error) => return Err(StoreError::io("remove", folder)(error)),
    }
    // A run that starts concurrently may already use them: they are then not empty and stay.
    for folder in made.iter().filter(|folder| folder.is_dir()) {
        local::remove_empty_folder(folder)?;
    }
    Ok(())
}

/// The error of an operation that succeeded with a wrong result.
fn otherwise(action: &'static str, path: &Path, what: &'static str) -> StoreError {
    unsupported(action, path, io::Error::other(what))
}

fn unsupported(action: &'static str, path: &Path, source: io::Error) -> StoreError {
    StoreError::io(action, path)(io::Error::new(io::ErrorKind::Unsupported, source))
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
