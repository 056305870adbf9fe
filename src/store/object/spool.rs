//! The spool: a private local folder where files wait until they are sent.
//!
//! It is a folder of its own (`airudder-export-<user id>` in `store.spool`), created with mode
//! 0700, and refused if it is a link, another user's, or open to others, because the folder for
//! temporary files is shared. It contains the runs' folders, named by run id; those of dead runs
//! are emptied. Nothing beside it, and nothing in it that is not a run's, is looked at.

use std::fs;
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};

use crate::privacy::printable;
use crate::store::advice::{SPOOL, is_of_descriptors};
use crate::store::error::StoreError;
use crate::store::local::{self, Staging, Whose};
use crate::task::RunId;

/// Maximum retries if other runs remove the spool.
const TRIES: u32 = 100;

/// Removes what dead runs left in the spool, and creates this run's folder in it. `None` if another
/// run of this id has one.
pub(super) fn open(place: &Path, run: &RunId) -> Result<Option<Staging>, StoreError> {
    open_in(place, run).map_err(|error| match error {
        StoreError::Io { source, .. } if !is_of_descriptors(&source) => StoreError::Spool {
            path: place.to_owned(),
            source,
        },
        error => error,
    })
}

fn open_in(place: &Path, run: &RunId) -> Result<Option<Staging>, StoreError> {
    local::create_folders(place)?;
    let spool = place.join(format!("{SPOOL}{}", user()));
    make(&spool)?;
    for entry in local::list(&spool)? {
        let folder = spool.join(&entry.name);
        match local::whose(&folder)? {
            Whose::ARuns => empty(folder),
            Whose::Foreign(why) => {
                let folder = folder.display().to_string();
                tracing::warn!("{} is left alone: {why}", printable(&folder));
            }
            Whose::Gone => {}
        }
    }
    Staging::open(spool.join(run.as_str()), |folder| {
        for _ in 0..TRIES {
            match make_private(folder) {
                // A run that just ended removed the empty spool.
                Err(error) if error.kind() == ErrorKind::NotFound => make(&spool)?,
                Err(error) if error.kind() == ErrorKind::AlreadyExists => return Ok(false),
                Err(error) => return Err(StoreError::io("create folder", folder)(error)),
                Ok(()) => return Ok(true),
            }
        }
        Err(StoreError::io("create folder", folder)(
            ErrorKind::NotFound.into(),
        ))
    })
}

/// Creates the spool, or checks that it is this user's.
fn make(spool: &Path) -> Result<(), StoreError> {
    for _ in 0..TRIES {
        match make_private(spool) {
            Ok(()) => return Ok(()),
            Err(error) if error.kind() != ErrorKind::AlreadyExists => {
                return Err(StoreError::io("create folder", spool)(error));
            }
            Err(_) => {}
        }
        match check(spool) {
            // Removed by a run that just ended.
            Err(error) if local::is_of_missing(&error) => {}
            checked => return checked,
        }
    }
    Err(StoreError::io("create folder", spool)(
        ErrorKind::NotFound.into(),
    ))
}

/// Removes a run's folder, and the spool if no other run has one in it.
pub(super) fn close(run: &Staging) -> Result<u64, StoreError> {
    let removed = run.remove(|| Ok(()))?;
    if let Some(spool) = run.folder().parent() {
        local::remove_empty_folder(spool)?;
    }
    Ok(removed)
}

/// Removes what a dead run left. Best effort: the next run retries.
fn empty(folder: PathBuf) {
    if let Ok(Some(dead)) = Staging::take_dead(folder) {
        let _ = dead.remove(|| Ok(()));
    }
}

/// Fails for a spool that another user created or can read.
#[cfg(unix)]
fn check(spool: &Path) -> Result<(), StoreError> {
    use std::os::unix::fs::MetadataExt as _;
    let meta = fs::symlink_metadata(spool).map_err(StoreError::io("look at", spool))?;
    let problem = if meta.is_symlink() {
        "it is a link, and the spool must be a folder".to_owned()
    } else if !meta.is_dir() {
        "it is no folder".to_owned()
    } else if meta.uid() != rustix::process::geteuid().as_raw() {
        format!("it is a folder of another user (number {})", meta.uid())
    } else if meta.mode() & 0o077 != 0 {
        format!(
            "others may enter it (mode {:04o}); run `chmod 700 {}`, after a look at what is in it",
            meta.mode() & 0o7777,
            spool.display()
        )
    } else {
        return Ok(());
    };
    Err(StoreError::StoreSettings {
        place: spool.display().to_string(),
        problem: format!(
            "{problem}; or name another place for the spool with `store.spool` (AIRUDDER_STORE_SPOOL)"
        ),
    })
}

#[cfg(not(unix))]
fn check(_: &Path) -> Result<(), StoreError> {
    Ok(())
}

#[cfg(unix)]
fn user() -> u32 {
    rustix::process::geteuid().as_raw()
}

#[cfg(not(unix))]
fn user() -> &'static str {
    "spool"
}

#[cfg(unix)]
fn make_private(folder: &Path) -> io::Result<()> {
    use std::os::unix::fs::DirBuilderExt as _;
    fs::DirBuilder::new().mode(0o700).create(folder)
}

#[cfg(not(unix))]
fn make_private(folder: &Path) -> io::Result<()> {
    fs::create_dir(folder)
}
