//! Probes a folder: the steps of the commit protocol, once each.
//!
//! A step may fail without a system error: some file systems grant a lock twice, or replace a file
//! where a link should have been refused. Such a step fails, too.

use std::path::{Path, PathBuf};
use std::{fs, io};

use super::{disk, ours};
use crate::store::error::StoreError;
use crate::store::probe_step::{ProbeAction, ProbeStep};

const CONTENT: &[u8] = b"a probe of airudder-export doctor; may be removed\n";

pub(in crate::store) fn probe(folder: &Path) -> Vec<ProbeStep> {
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
    if step(ProbeAction::CreateFolder, disk::create_folders(&elsewhere))
        && step(ProbeAction::Write, write(&file))
    {
        step(
            ProbeAction::CreateOnce,
            create_once(&file, &folder.join("once")),
        );
        step(ProbeAction::Rename, rename(&file, &elsewhere.join("file")));
        step(ProbeAction::SyncFolder, disk::sync_folder(folder));
        step(ProbeAction::Lock, lock(&folder.join(disk::LOCK)));
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
    disk::write_temporary(file, CONTENT)?;
    match disk::read(file)?.as_deref() {
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
            disk::remove(path)?;
        } else {
            let _ = disk::remove(path);
        }
    }
    tried
}

/// Links the file to the name, then checks that a second attempt fails.
fn create_once(file: &Path, name: &Path) -> Result<(), StoreError> {
    match disk::link(file, name) {
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
    match disk::link(file, name) {
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
    let file = disk::open_regular(file);
    file.is_ok_and(|file| disk::is_same_file(&file, name).unwrap_or(false))
}

fn rename(from: &Path, to: &Path) -> Result<(), StoreError> {
    if disk::rename(from, to)? && disk::size(to)? == Some(CONTENT.len() as u64) {
        Ok(())
    } else {
        Err(otherwise("move a file to", to, "it is not there"))
    }
}

fn lock(path: &Path) -> Result<(), StoreError> {
    let held = disk::open_lock(path)?;
    if !disk::try_lock(&held, path)? {
        return Err(otherwise("lock", path, "a new file counts as locked"));
    }
    let seen = !ours::is_unlocked(path)?;
    drop(held);
    if seen && ours::is_unlocked(path)? {
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
        disk::remove_empty_folder(folder)?;
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
