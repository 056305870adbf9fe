//! Hard links to files, in a folder of their own.

use std::fs;
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};

use super::disk::{self, is_missing};
use crate::store::error::StoreError;

/// The result of making a hard link.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Link {
    /// The link exists.
    Made,
    /// The file is missing.
    Gone,
    /// The file system does not support it, not for this user, or not more of them.
    Refused,
}

/// Makes a hard link to a file, in a folder that is created. Durable after [`sync_tree`].
pub(crate) fn second_name(from: &Path, to: &Path) -> Result<Link, StoreError> {
    match fs::hard_link(from, to) {
        Ok(()) => Ok(Link::Made),
        Err(error) if error.kind() == ErrorKind::AlreadyExists => Ok(Link::Made),
        Err(error) if is_missing(&error) => {
            let is_there = fs::symlink_metadata(from).is_ok();
            let folder_is_gone = to.parent().is_some_and(|folder| !folder.is_dir());
            if is_there && folder_is_gone {
                return Err(StoreError::io("create", to)(error));
            }
            Ok(Link::Gone)
        }
        Err(error) if is_refused(&error) => Ok(Link::Refused),
        Err(error) => Err(StoreError::io("create", to)(error)),
    }
}

/// The errors of file systems without hard links, of other devices, and for files of other users.
fn is_refused(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        ErrorKind::Unsupported
            | ErrorKind::PermissionDenied
            | ErrorKind::CrossesDevices
            | ErrorKind::TooManyLinks
    )
}

/// Creates a folder and its parents. Durable after [`sync_tree`].
pub(crate) fn make_folders(folder: &Path) -> Result<(), StoreError> {
    fs::create_dir_all(folder).map_err(StoreError::io("create folder", folder))
}

/// Makes a folder's name and all names below it durable.
pub(crate) fn sync_tree(folder: &Path) -> Result<(), StoreError> {
    let (folders, _) = walk(folder)?;
    for folder in folders.iter().rev() {
        disk::sync_folder(folder)?;
    }
    disk::sync_parent(folder)
}

/// Removes a folder with its content; a missing one is not an error.
pub(crate) fn remove_tree(
    folder: &Path,
    mut each: impl FnMut() -> Result<(), StoreError>,
) -> Result<(), StoreError> {
    let (folders, files) = walk(folder)?;
    for file in files {
        if disk::remove(&file)? {
            each()?;
        }
    }
    for folder in folders.iter().rev() {
        disk::remove_empty_folder(folder)?;
    }
    Ok(())
}

/// This folder and all below it, each before its subfolders, and the files in them.
fn walk(folder: &Path) -> Result<(Vec<PathBuf>, Vec<PathBuf>), StoreError> {
    let (mut folders, mut files) = (vec![folder.to_owned()], Vec::new());
    let mut next = 0;
    while let Some(folder) = folders.get(next).cloned() {
        next += 1;
        for entry in disk::list(&folder)? {
            let path = folder.join(entry.name);
            if entry.is_folder {
                folders.push(path);
            } else {
                files.push(path);
            }
        }
    }
    Ok((folders, files))
}
