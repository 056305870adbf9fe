//! A run's folder of staged files, and the lock in it that shows that the run lives.

use std::fs::File;
use std::path::{Path, PathBuf};

use super::LOCK;
use crate::lake::error::LakeError;

/// The folder of a run that lives: ours as long as this is held.
#[derive(Debug)]
pub(in crate::lake::store) struct Staging {
    folder: PathBuf,
    _lock: File,
}

impl Staging {
    /// Makes the folder, in the way given, and takes its lock.
    pub(in crate::lake::store) fn open(
        folder: PathBuf,
        make: impl Fn(&Path) -> Result<(), LakeError>,
    ) -> Result<Self, LakeError> {
        let path = folder.join(LOCK);
        let lock = loop {
            make(&folder)?;
            // Somebody may take the new folder for a dead run's until it is locked.
            match super::lock(&path) {
                Ok(lock) if super::is_same_file(&lock, &path)? => break lock,
                Err(error) if folder.is_dir() => return Err(error),
                _ => {}
            }
        };
        Ok(Self {
            folder,
            _lock: lock,
        })
    }

    /// Takes over the folder of a run that is dead. Nothing if its run lives, or somebody else is
    /// at it.
    pub(in crate::lake::store) fn take_dead(folder: PathBuf) -> Result<Option<Self>, LakeError> {
        let lock = match super::try_lock(&folder.join(LOCK)) {
            Ok(lock) => lock,
            // Removed by somebody else meanwhile.
            Err(_) if !folder.is_dir() => return Ok(None),
            Err(error) => return Err(error),
        };
        Ok(lock.map(|lock| Self {
            folder,
            _lock: lock,
        }))
    }

    pub(in crate::lake::store) fn folder(&self) -> &Path {
        &self.folder
    }

    /// Removes the folder, its lock last. Says how many other files it held.
    pub(in crate::lake::store) fn remove(
        &self,
        mut each: impl FnMut() -> Result<(), LakeError>,
    ) -> Result<u64, LakeError> {
        let mut removed = 0;
        for entry in super::list(&self.folder)? {
            if !entry.is_folder && entry.name != LOCK {
                removed += u64::from(super::remove(&self.folder.join(entry.name))?);
                each()?;
            }
        }
        super::remove(&self.folder.join(LOCK))?;
        super::remove_empty_folder(&self.folder)?;
        Ok(removed)
    }
}
